// Writes a relaid repo: tensors streamed slice by slice, text files copied or replaced.

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "validator/base/bytes.h"
#include "validator/base/json.h"
#include "validator/base/text.h"
#include "validator/pipeline/relay.h"

namespace ckpt::pipeline {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kChunk = 8ULL << 20;

class RelayWriter {
 public:
  explicit RelayWriter(const RelayArgs& args) : a_(args), folder_(a_.output + ".partial") {
    for (const RelaidShard& s : a_.plan.shards) total_ += s.bytes;
  }

  Result<void> run() {
    CKPT_TRY_VOID(make_folder(), "output");
    Result<void> done = write();
    std::error_code error;
    if (!done) {
      fs::remove_all(folder_, error);
      return done;
    }
    fs::remove(a_.output, error);  // an empty folder
    fs::rename(folder_, a_.output, error);
    if (error) {
      return fail(ErrorKind::io, fmt::format("{}: {}", shown(a_.output), error.message()));
    }
    return {};
  }

 private:
  const RelayArgs& a_;
  std::string folder_;
  std::uint64_t total_ = 0;
  std::uint64_t written_ = 0;
  Bytes buffer_;
  Bytes picked_;

  Result<void> make_folder() {
    std::error_code error;
    if (fs::exists(a_.output, error) && !fs::is_empty(a_.output, error)) {
      return fail(ErrorKind::usage,
                  fmt::format("{}: exists already and is not empty", shown(a_.output)));
    }
    const fs::path parent = fs::absolute(fs::path(a_.output)).parent_path();
    const fs::space_info space = fs::space(parent, error);
    if (!error && space.available < total_) {
      return fail(ErrorKind::io,
                  fmt::format("{}: {} are free, {} are needed", shown(parent.string()),
                              bytes_text(space.available), bytes_text(total_)));
    }
    if (!fs::create_directory(folder_, error)) {
      return fail(ErrorKind::io,
                  fmt::format("{}: {}", shown(folder_),
                              error ? error.message() : "left from another run, remove it first"));
    }
    return {};
  }

  Result<void> write() {
    for (const RelaidShard& s : a_.plan.shards) CKPT_TRY_VOID(shard(s), shown(s.name));
    if (a_.plan.shards.size() > 1) CKPT_TRY_VOID(index(), "index");
    return side_files();
  }

  Result<void> shard(const RelaidShard& s) {
    std::vector<container::NewTensor> tensors;
    tensors.reserve(s.tensors.size());
    for (const RelaidTensor& t : s.tensors) tensors.push_back(t.tensor);
    CKPT_TRY(container::Writer writer, container::Writer::create(folder_ + "/" + s.name, tensors),
             "create");
    for (const RelaidTensor& t : s.tensors) CKPT_TRY_VOID(copy(t.from, writer), t.tensor.name);
    return writer.finish();
  }

  Result<void> copy(const StoredSlice& s, container::Writer& writer) {
    if (!s.instead.empty()) return writer.write(s.instead);
    const container::Checkpoint& from = s.from_base ? a_.base->checkpoint : a_.opened.checkpoint;
    const container::Tensor& t = from.tensors()[s.tensor];
    const bool whole_rows = s.byte_begin == 0 && s.byte_end == s.row_bytes;
    if (whole_rows) {
      return copy_range(from, t, s.row_begin * s.row_bytes, s.row_end * s.row_bytes, writer);
    }
    const std::uint64_t step =
        std::max<std::uint64_t>(1, kChunk / std::max<std::uint64_t>(s.row_bytes, 1));
    for (std::uint64_t row = s.row_begin; row < s.row_end; row += step) {
      const std::uint64_t rows = std::min(step, s.row_end - row);
      const std::uint64_t width = s.byte_end - s.byte_begin;
      buffer_.resize(rows * s.row_bytes);
      picked_.resize(rows * width);
      CKPT_TRY_VOID(from.read(t, row * s.row_bytes, buffer_), "read");
      for (std::uint64_t r = 0; r < rows; ++r) {
        std::copy_n(buffer_.data() + r * s.row_bytes + s.byte_begin, width,
                    picked_.data() + r * width);
      }
      CKPT_TRY_VOID(put(picked_, writer), "write");
    }
    return {};
  }

  Result<void> copy_range(const container::Checkpoint& from, const container::Tensor& t,
                          std::uint64_t begin, std::uint64_t end, container::Writer& writer) {
    for (std::uint64_t at = begin; at < end; at += kChunk) {
      buffer_.resize(std::min(kChunk, end - at));
      CKPT_TRY_VOID(from.read(t, at, buffer_), "read");
      CKPT_TRY_VOID(put(buffer_, writer), "write");
    }
    return {};
  }

  Result<void> put(std::span<const std::byte> bytes, container::Writer& writer) {
    if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
    CKPT_TRY_VOID(writer.write(bytes), "write");
    written_ += bytes.size();
    a_.progress.update("write", written_, total_, written_);
    return {};
  }

  Result<void> index() const {
    std::string text = fmt::format(
        "{{\n  \"metadata\": {{\n    \"total_size\": {}\n  }},\n  "
        "\"weight_map\": {{",
        total_);
    bool first = true;
    for (const RelaidShard& s : a_.plan.shards) {
      for (const RelaidTensor& t : s.tensors) {
        text += fmt::format("{}\n    {}: {}", first ? "" : ",", json::quoted(t.tensor.name),
                            json::quoted(s.name));
        first = false;
      }
    }
    return write_file(folder_ + "/model.safetensors.index.json", text + "\n  }\n}\n");
  }

  /// Everything that is neither a weight nor an index, with the repairs.
  Result<void> side_files() {
    std::set<std::string> done;
    for (const FileChange& c : a_.changes) {
      CKPT_TRY_VOID(write_file(folder_ + "/" + c.name, c.after), "write");
      done.insert(c.name);
    }
    for (const repo::Entry& e : a_.opened.repo.entries()) {
      const bool weights = e.name.ends_with(".safetensors") || e.name.ends_with(".index.json");
      if (weights || done.contains(e.name) || e.kind != repo::EntryKind::regular) continue;
      CKPT_TRY_VOID(copy_file(e.name), e.name);
    }
    return {};
  }

  /// Streamed: other formats of the weights may lie beside these.
  Result<void> copy_file(const std::string& name) {
    CKPT_TRY(const File file, a_.opened.repo.open_file(name), "open");
    std::error_code error;
    const fs::path to = fs::path(folder_) / name;
    fs::create_directories(to.parent_path(), error);
    std::ofstream out(to, std::ios::binary);
    for (std::uint64_t at = 0; at < file.size() && out; at += kChunk) {
      if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
      buffer_.resize(std::min(kChunk, file.size() - at));
      CKPT_TRY_VOID(file.read(at, buffer_), "read");
      out.write(reinterpret_cast<const char*>(buffer_.data()),
                static_cast<std::streamsize>(buffer_.size()));
    }
    out.close();
    if (!out) return fail(ErrorKind::io, fmt::format("{}: cannot be written", shown(to.string())));
    return {};
  }
};

}  // namespace

Result<void> write_relay(const RelayArgs& args) {
  return RelayWriter(args).run();
}

}  // namespace ckpt::pipeline
