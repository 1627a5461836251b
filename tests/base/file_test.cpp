#include "validator/base/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <span>
#include <string>

using namespace ckpt;
namespace fs = std::filesystem;

namespace {

/// A fresh folder that goes away with the test.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "ckpt-file-test-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    fd_ = ::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    REQUIRE(fd_ >= 0);
  }

  ~Scratch() {
    ::close(fd_);
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  [[nodiscard]] std::string at(const std::string& name) const { return path_ + "/" + name; }

  [[nodiscard]] int fd() const { return fd_; }

  void put(const std::string& name, std::string_view content) const {
    REQUIRE(write_file(at(name), content));
  }

 private:
  std::string path_;
  int fd_ = -1;
};

std::string text_of(const File& file) {
  auto text = read_text(file, 1U << 20);
  REQUIRE(text);
  return *std::move(text);
}

}  // namespace

TEST_CASE("file: what was written is read, from any offset") {
  const Scratch s;
  s.put("a", "0123456789");
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  CHECK(file->is_open());
  CHECK(file->size() == 10);
  std::string part(4, ' ');
  REQUIRE(file->read(3, std::as_writable_bytes(std::span(part))));
  CHECK(part == "3456");
  CHECK(file->read(10, {}));
  file->will_need(0, 10);
  CHECK(text_of(*file) == "0123456789");
}

TEST_CASE("file: reading beyond the end is an error with the byte, not a short result") {
  const Scratch s;
  s.put("a", "0123456789");
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  std::string part(4, ' ');
  const auto r = file->read(8, std::as_writable_bytes(std::span(part)));
  REQUIRE_FALSE(r);
  CHECK(r.error().kind == ErrorKind::io);
  CHECK(r.error().message.find("ends at byte 10, 2 more were expected") != std::string::npos);
  CHECK_FALSE(file->read(~0ULL - 3, std::as_writable_bytes(std::span(part))));
  CHECK_FALSE(file->read(1ULL << 63, std::as_writable_bytes(std::span(part))));
}

TEST_CASE("file: one that shrinks after it was opened gives an error") {
  const Scratch s;
  s.put("a", std::string(10000, 'x'));
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  fs::resize_file(s.at("a"), 100);
  const auto text = read_text(*file, 1U << 20);
  REQUIRE_FALSE(text);
  CHECK(text.error().kind == ErrorKind::io);
}

TEST_CASE("file: the limit holds on both sides") {
  const Scratch s;
  s.put("a", "0123456789");
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  CHECK(read_text(*file, 10));
  const auto text = read_text(*file, 9);
  REQUIRE_FALSE(text);
  CHECK(text.error().kind == ErrorKind::limit);
}

TEST_CASE("file: a sparse file of 16 GiB is refused by its size, without memory") {
  const Scratch s;
  s.put("a", "");
  fs::resize_file(s.at("a"), 16ULL << 30);
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  CHECK_FALSE(read_text(*file, 1U << 20));
}

TEST_CASE("file: what is written to a device or a pipe leaves it as it is") {
  const Scratch s;
  REQUIRE(::mkfifo(s.at("fifo").c_str(), 0600) == 0);
  const int reader = ::open(s.at("fifo").c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  REQUIRE(write_file(s.at("fifo"), "text"));
  char got[8] = {};
  CHECK(::read(reader, got, sizeof(got)) == 4);
  CHECK(std::string_view(got) == "text");
  ::close(reader);
  CHECK(fs::is_fifo(s.at("fifo")));
  REQUIRE(write_file("/dev/null", "text"));
  CHECK(fs::is_character_file("/dev/null"));
  const auto full = write_file("/dev/full", "text");
  REQUIRE_FALSE(full);
  CHECK(full.error().kind == ErrorKind::io);
}

TEST_CASE("file: only regular files open, and a FIFO without writer does not block") {
  const Scratch s;
  REQUIRE(::mkfifo(s.at("fifo").c_str(), 0600) == 0);
  fs::create_directory(s.at("folder"));

  struct Case {
    std::string path;
    const char* word;
  };

  for (const Case& c : {Case{s.at("fifo"), "FIFO"}, Case{s.at("folder"), "directory"},
                        Case{"/dev/null", "device"}}) {
    CAPTURE(c.path);
    const auto file = open_file(c.path);
    REQUIRE_FALSE(file);
    CHECK(file.error().kind == ErrorKind::io);
    CHECK(file.error().message.find(c.word) != std::string::npos);
  }
  for (const bool beneath : {false, true}) {
    CHECK_FALSE(open_file_at(s.fd(), "fifo", beneath));
    CHECK_FALSE(open_file_at(s.fd(), "folder", beneath));
  }
}

TEST_CASE("file: what is not there is not_found") {
  const Scratch s;
  s.put("a", "x");
  CHECK(open_file(s.at("b")).error().kind == ErrorKind::not_found);
  CHECK(open_file(s.at("a/b")).error().kind == ErrorKind::not_found);
  CHECK(open_file_at(s.fd(), "b", true).error().kind == ErrorKind::not_found);
  CHECK(open_file_at(s.fd(), "", true).error().kind == ErrorKind::not_found);
}

TEST_CASE("file: a NUL in a name opens nothing, not the file before it") {
  const Scratch s;
  s.put("a", "x");
  CHECK_FALSE(open_file(s.at("a") + std::string("\0.b", 3)));
  CHECK_FALSE(open_file_at(s.fd(), std::string("a\0.b", 4), true));
  CHECK_FALSE(open_file_at(s.fd(), std::string("a\0.b", 4), false));
}

TEST_CASE("file: beneath a folder, nothing leads out of it") {
  const Scratch outer;
  outer.put("secret", "secret");
  fs::create_directory(outer.at("repo"));
  outer.put("repo/inside", "inside");
  fs::create_directory(outer.at("repo/sub"));
  outer.put("repo/sub/deep", "deep");
  fs::create_symlink("../secret", outer.at("repo/escape"));
  fs::create_symlink(outer.at("secret"), outer.at("repo/absolute"));
  fs::create_symlink("..", outer.at("repo/up"));
  fs::create_symlink("inside", outer.at("repo/fine"));
  fs::create_symlink("loop", outer.at("repo/loop"));
  fs::create_symlink("nowhere", outer.at("repo/dangling"));
  const int repo = ::open(outer.at("repo").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  REQUIRE(repo >= 0);
  for (const char* name : {"escape", "absolute", "up/secret", "../secret", "sub/../../secret",
                           "/etc/passwd", "loop", "dangling", "/proc/self/exe"}) {
    CAPTURE(name);
    CHECK_FALSE(open_file_at(repo, name, true));
  }
  const auto escape = open_file_at(repo, "escape", true);
  REQUIRE_FALSE(escape);
  CHECK(escape.error().kind == ErrorKind::io);
  const auto inside = open_file_at(repo, "inside", true);
  REQUIRE(inside);
  CHECK(text_of(*inside) == "inside");
  const auto deep = open_file_at(repo, "sub/deep", true);
  REQUIRE(deep);
  CHECK(text_of(*deep) == "deep");
  const auto free = open_file_at(repo, "escape", false);  // the caller's decision
  REQUIRE(free);
  CHECK(text_of(*free) == "secret");
  ::close(repo);
}

TEST_CASE("file: moving hands the descriptor over") {
  const Scratch s;
  s.put("a", "x");
  s.put("b", "y");
  auto first = open_file(s.at("a"));
  auto second = open_file(s.at("b"));
  REQUIRE((first && second));
  File moved = *std::move(first);
  CHECK(text_of(moved) == "x");
  moved = *std::move(second);
  CHECK(text_of(moved) == "y");
  CHECK_FALSE(File().is_open());
}

TEST_CASE("file: writing replaces whole files and leaves nothing beside them") {
  const Scratch s;
  s.put("a", "old");
  s.put("a", std::string("new\0!", 5));
  const auto file = open_file(s.at("a"));
  REQUIRE(file);
  CHECK(text_of(*file) == std::string("new\0!", 5));
  const fs::directory_iterator entries(fs::path(s.at("a")).parent_path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

TEST_CASE("file: writing that fails keeps what was there and leaves nothing beside it") {
  const Scratch s;
  fs::create_directory(s.at("folder"));
  s.put("folder/x", "x");
  const auto onto_folder = write_file(s.at("folder"), "text");
  REQUIRE_FALSE(onto_folder);
  CHECK(onto_folder.error().kind == ErrorKind::io);
  CHECK_FALSE(write_file(s.at("absent/a"), "text"));
  const fs::directory_iterator entries(fs::path(s.at("folder")).parent_path());
  CHECK(std::distance(begin(entries), end(entries)) == 1);
  CHECK(fs::exists(s.at("folder/x")));
}

TEST_CASE("file: of a file that is here in part, what is missing is an error and says so") {
  const auto file = partial_file("a.safetensors", "begin", 100);
  REQUIRE(file);
  CHECK(file->size() == 100);
  std::array<std::byte, 6> bytes{};
  CHECK(file->read(0, std::span(bytes).first(5)));
  CHECK(file->read(5, {}));
  for (const std::uint64_t offset : {0U, 4U, 90U}) {
    const auto read = file->read(offset, bytes);
    REQUIRE_FALSE(read);
    CHECK(read.error().kind == ErrorKind::io);
    CHECK(read.error().message.find("without the weights") != std::string::npos);
  }
  const auto whole = memory_file("a", "all");
  REQUIRE(whole);
  CHECK(text_of(*whole) == "all");
}

TEST_CASE("file: error numbers become words") {
  CHECK(errno_text(ENOENT) == "no such file");
  CHECK(errno_text(EACCES) == "permission denied");
  CHECK(errno_text(ENOSPC) == "no space left on the device");
  CHECK_FALSE(errno_text(123456).empty());
}
