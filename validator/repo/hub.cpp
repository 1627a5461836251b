#include "validator/repo/hub.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "validator/base/environment.h"
#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/base/limits.h"
#include "validator/base/percent.h"
#include "validator/base/text.h"
#include "validator/repo/http.h"
#include "validator/repo/hub_cache.h"

namespace ckpt::repo {
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kFirstBytes = 128ULL << 10;  // holds most headers
constexpr std::uint64_t kPageBytes = 64ULL << 20;    // one page of the list of files
constexpr int kRedirects = 5;
constexpr int kTries = 5;
constexpr int kAtOnce = 8;
constexpr std::uint64_t kMostWait = 60;          // seconds
constexpr std::uint64_t kMostRead = 1ULL << 30;  // of one repo

/// As part of an address, and as the name of a file.
std::string encoded(std::string_view text) {
  return percent_encoded(text, "");
}

bool is_word(std::string_view s) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !s.empty() && s.size() <= 96 && s[0] != '.' && std::ranges::all_of(s, fits);
}

std::string endpoint() {
  std::string e = env("HF_ENDPOINT");
  while (e.ends_with('/')) e.pop_back();
  return e.empty() ? "https://huggingface.co" : e;
}

/// The secret, or "" when none is set. Errors: io, usage.
Result<std::string> token_of(const HubOptions& options) {
  std::string token;
  std::string file = options.token_file;
  if (file.empty()) {
    for (const char* name : {"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"}) {
      if (token.empty()) token = env(name);
    }
    if (token.empty() && env_true("HF_HUB_DISABLE_IMPLICIT_TOKEN")) return std::string{};
    if (token.empty()) {
      file = env("HF_TOKEN_PATH");
      if (file.empty()) file = hub_home() + "/token";
      std::error_code error;
      if (!fs::is_regular_file(file, error)) return std::string{};
    }
  }
  if (token.empty()) {
    CKPT_TRY(const File opened, open_file(file), "token");
    CKPT_TRY(token, read_text(opened, 4096), "token");
  }
  while (!token.empty() && std::string_view(" \t\r\n").find(token.back()) != std::string::npos) {
    token.pop_back();
  }
  // A line end inside would be a header of its own.
  const auto visible = [](char c) { return c > ' ' && c < 0x7F; };
  if (!std::ranges::all_of(token, visible)) {
    return fail(ErrorKind::usage, "the token holds characters that no token has");
  }
  return token;
}

std::uint64_t number_or(std::string_view text, std::uint64_t otherwise) {
  std::uint64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  return read.ec == std::errc{} ? value : otherwise;
}

/// Seconds that a server asks to wait: `Retry-After: 3`, or `RateLimit: ...;t=3`.
std::uint64_t asked_wait(const HttpAnswer& a, std::uint64_t otherwise) {
  if (const std::string after = a.header("retry-after"); !after.empty()) {
    return number_or(after, otherwise);
  }
  const std::string limit = a.header("ratelimit");
  const std::size_t at = limit.find("t=");
  return at == std::string::npos ? otherwise
                                 : number_or(std::string_view(limit).substr(at + 2), otherwise);
}

class Hub {
 public:
  Hub(const HubAddress& address, const HubOptions& options)
      : address_(address), options_(options), endpoint_(endpoint()) {}

  Result<HubSnapshot> read() {
    CKPT_TRY(token_, token_of(options_), "hub");
    timeout_ = static_cast<long>(
        std::clamp<std::uint64_t>(number_or(env("HF_HUB_DOWNLOAD_TIMEOUT"), 10), 1, 3600));
    CKPT_TRY(origin_, origin_of(endpoint_), "HF_ENDPOINT");
    host_ = origin_.substr(origin_.find("//") + 2);
    host_ = shown(host_.substr(0, host_.rfind(':')));
    HubSnapshot out{.id = address_.id, .commit = address_.revision, .files = {}};
    if (!is_commit(out.commit)) {
      say(fmt::format("asking {} for {}", host_, shown(address_.id)));
      CKPT_TRY(out.commit, commit(), host_);
    }
    cache_ = header_cache();
    if (!cache_.empty()) cache_ += "/" + encoded(address_.id) + "/" + out.commit;
    CKPT_TRY(out.files, list(out.commit), host_);
    CKPT_TRY_VOID(read_all(out), host_);
    return out;
  }

 private:
  void say(const std::string& line) const {
    const std::lock_guard lock(saying_);
    if (options_.say) options_.say(line);
  }

  [[nodiscard]] std::string api(const std::string& rest) const {
    return fmt::format("{}/api/models/{}/{}", endpoint_, address_.id, rest);
  }

  /// False when the wait was interrupted.
  bool wait(std::uint64_t seconds) const {
    std::mutex mutex;
    std::condition_variable_any woken;
    std::unique_lock lock(mutex);
    woken.wait_for(lock, options_.stop, std::chrono::seconds(seconds), [] { return false; });
    return !options_.stop.stop_requested();
  }

  /// What an answer means for the person who asked.
  [[nodiscard]] Error refusal(const HttpAnswer& a, const std::string& what) const {
    const std::string code = a.header("x-error-code");
    const std::string id = shown(address_.id);
    if (code == "GatedRepo") {
      return {ErrorKind::io, fmt::format("{} is gated: accept its terms on the model page, then "
                                         "give a token (HF_TOKEN, or `hf auth login`)",
                                         id)};
    }
    if (code == "RevisionNotFound") {
      return {ErrorKind::not_found,
              fmt::format("{} has no revision {}", id, shown(address_.revision))};
    }
    if (code == "EntryNotFound") {
      return {ErrorKind::not_found, fmt::format("{} has no file {}", id, what)};
    }
    if (code == "RepoNotFound" || a.status == 401 || a.status == 404) {
      return {ErrorKind::not_found,
              fmt::format("{} is not there, or it is private and {} may not see it", id,
                          token_.empty() ? "a request without a token" : "the token")};
    }
    if (a.status == 429) {
      return {ErrorKind::io,
              fmt::format("too many requests for now, try again in {} s{}", asked_wait(a, 60),
                          token_.empty() ? "; with a token more are allowed" : "")};
    }
    return {ErrorKind::io, fmt::format("{}: answer {}", what, a.status)};
  }

  /// Follows redirects. The token goes to the endpoint's own origin alone.
  Result<HttpAnswer> hops(HttpRequest request) const {
    for (int hop = 0; hop <= kRedirects; ++hop) {
      CKPT_TRY(const std::string origin, origin_of(request.url), "redirect");
      request.headers = {"User-Agent: ckpt-check/" CKPT_VERSION, "Accept-Encoding: identity"};
      if (!token_.empty() && origin == origin_) {
        request.headers.push_back("Authorization: Bearer " + token_);
      }
      CKPT_TRY(HttpAnswer a, http_get(request, options_.stop), shown(origin));
      const bool moved = a.status == 301 || a.status == 302 || a.status == 303 || a.status == 307 ||
                         a.status == 308;
      if (!moved) return a;
      CKPT_TRY(std::string next, resolve_url(request.url, a.header("location")), "redirect");
      if (request.url.starts_with("https:") && !next.starts_with("https:")) {
        return fail(ErrorKind::format, "a redirect leaves https");
      }
      request.url = std::move(next);
    }
    return fail(ErrorKind::format, fmt::format("more than {} redirects", kRedirects));
  }

  /// An answer of the 2xx kind, after as many tries as that is worth.
  Result<HttpAnswer> get(HttpRequest request, const std::string& what) const {
    request.timeout_s = timeout_;
    for (int attempt = 1;; ++attempt) {
      auto a = hops(request);
      if (a && a->status >= 200 && a->status < 300) return a;
      const bool passing =
          a ? a->status == 429 || a->status == 500 || (a->status >= 502 && a->status <= 504)
            : a.error().kind == ErrorKind::io;
      const std::uint64_t backoff = 1ULL << static_cast<unsigned>(attempt - 1);
      const std::uint64_t seconds = a ? asked_wait(*a, backoff) : backoff;
      if (!passing || attempt == kTries || seconds > kMostWait) {
        if (!a) return a;
        return tl::make_unexpected(refusal(*a, what));
      }
      say(fmt::format("{}: {}, again in {} s", host_,
                      a ? fmt::format("answer {}", a->status) : a.error().message, seconds));
      if (!wait(seconds)) return fail(ErrorKind::cancelled, "interrupted");
    }
  }

  Result<std::string> commit() const {
    CKPT_TRY(const HttpAnswer a,
             get({.url = api("revision/" + encoded(address_.revision)),
                  .headers = {},
                  .range = {},
                  .max_bytes = kPageBytes},
                 "revision"),
             "revision");
    CKPT_TRY(const auto document, json::parse(a.body), "revision");
    const auto sha = document->root().is(json::Kind::object) ? document->root().find("sha").string()
                                                             : std::nullopt;
    if (!sha || !is_commit(*sha)) return fail(ErrorKind::format, "revision: no commit in it");
    return std::string(*sha);
  }

  [[nodiscard]] std::optional<std::string> cached(const std::string& name) const {
    const auto file = cache_.empty() ? Result<File>(fail(ErrorKind::not_found, ""))
                                     : open_file(cache_ + "/" + encoded(name));
    if (!file) return std::nullopt;
    auto text = read_text(*file, limits::kLargeJsonBytes);
    return text ? std::optional(*std::move(text)) : std::nullopt;
  }

  /// A cache that cannot be written is none; the run goes on.
  void keep(const std::string& name, std::string_view content) const {
    const std::string file = encoded(name);
    if (cache_.empty() || file.size() > 200) return;
    std::error_code error;
    fs::create_directories(cache_, error);
    if (!error) static_cast<void>(write_file(cache_ + "/" + file, content));
  }

  /// Name and size of every file at `commit`.
  Result<std::vector<HubFile>> list(const std::string& commit) const {
    std::vector<HubFile> files;
    // No file of a repo has this name: it would be a folder.
    const std::string kept_name = "/tree";
    if (const auto kept = cached(kept_name)) {
      if (read_page(*kept, files)) return files;
      files.clear();
    }
    std::string all;
    std::string url = api("tree/" + commit + "?recursive=true&expand=false");
    while (!url.empty()) {
      CKPT_TRY(const HttpAnswer a,
               get({.url = url, .headers = {}, .range = {}, .max_bytes = kPageBytes}, "files"),
               "files");
      CKPT_TRY_VOID(read_page(a.body, files), "files");
      if (files.size() > limits::kWalkEntries) {
        return fail(ErrorKind::limit, fmt::format("more than {} files", limits::kWalkEntries));
      }
      CKPT_TRY(url, next_page(url, a.header("link")), "files");
    }
    for (const HubFile& f : files) {
      all += fmt::format(R"({}{{"type":"file","path":{},"size":{}}})", all.empty() ? "[" : ",",
                         quoted(f.name), f.bytes);
    }
    keep(kept_name, all.empty() ? "[]" : all + "]");
    return files;
  }

  static std::string quoted(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
      if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
        out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        out += c;
      }
    }
    return out + '"';
  }

  static Result<void> read_page(const std::string& text, std::vector<HubFile>& files) {
    CKPT_TRY(const auto document, json::parse(text), "list");
    if (!document->root().is(json::Kind::array)) return fail(ErrorKind::format, "no list");
    bool sound = true;
    document->root().each([&](const json::Value& entry) {
      if (!entry.is(json::Kind::object)) {
        sound = false;
        return;
      }
      if (entry.find("type").string().value_or("") != "file") return;
      const auto path = entry.find("path").string();
      const auto size = entry.find("size").unsigned_integer();
      sound = sound && path && size && is_relative(*path);
      if (sound) files.push_back({std::string(*path), *size, std::nullopt});
    });
    if (!sound) return fail(ErrorKind::format, "an entry without a relative path and a size");
    return {};
  }

  static bool is_relative(std::string_view path) {
    if (path.empty() || path.size() > 4096 || path.find('\0') != std::string_view::npos) {
      return false;
    }
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t slash = std::min(path.find('/', at), path.size());
      const std::string_view part = path.substr(at, slash - at);
      if (part.empty() || part == "." || part == "..") return false;
      at = slash + 1;
    }
    return true;
  }

  /// The address in `<...>; rel="next"`, or "". It must be the hub's own.
  [[nodiscard]] Result<std::string> next_page(const std::string& url,
                                              const std::string& link) const {
    const std::size_t rel = link.find("rel=\"next\"");
    const std::size_t open = link.rfind('<', rel);
    const std::size_t close = link.find('>', open == std::string::npos ? 0 : open);
    if (rel == std::string::npos || open == std::string::npos || close == std::string::npos) {
      return std::string{};
    }
    CKPT_TRY(std::string next, resolve_url(url, link.substr(open + 1, close - open - 1)), "next");
    CKPT_TRY(const std::string origin, origin_of(next), "next");
    if (origin != origin_ || next == url) {
      return fail(ErrorKind::format, "the next page is elsewhere");
    }
    return next;
  }

  /// Files that rules read whole. The vocabulary is in tokenizer.json, too.
  static bool is_read_whole(const HubFile& f) {
    if (f.name.find('/') != std::string::npos || f.bytes > limits::kLargeJsonBytes) return false;
    return (f.name.ends_with(".json") && f.name != "vocab.json") || f.name.ends_with(".jinja") ||
           f.name == "README.md";
  }

  static bool is_container(const HubFile& f) { return f.name.ends_with(".safetensors"); }

  static tl::unexpected<Error> too_much() {
    return fail(ErrorKind::limit,
                fmt::format("configs and headers of more than {}", bytes_text(kMostRead)));
  }

  Result<void> read_all(HubSnapshot& out) const {
    std::vector<HubFile*> wanted;
    std::uint64_t bytes = 0;
    std::uint64_t whole = 0;
    std::size_t containers = 0;
    for (HubFile& f : out.files) {
      whole += f.bytes;
      if (is_container(f)) ++containers;
      if (!is_container(f) && !is_read_whole(f)) continue;
      f.content = cached(f.name);
      if (f.content && is_kept_whole(f)) continue;
      f.content.reset();
      wanted.push_back(&f);
      bytes += is_container(f) ? std::min(f.bytes, kFirstBytes) : f.bytes;
    }
    if (wanted.empty()) return {};
    if (bytes > kMostRead) return too_much();
    say(fmt::format(
        "reading {} files, {} of them headers (about {}) of {} from {}", wanted.size(),
        std::ranges::count_if(wanted, [](const HubFile* f) { return is_container(*f); }),
        bytes_text(bytes), bytes_text(whole), host_));
    std::atomic<std::size_t> next = 0;
    std::mutex mutex;
    std::optional<Error> failed;
    const auto work = [&] {
      for (std::size_t i = next++; i < wanted.size(); i = next++) {
        auto content = read_file(out, *wanted[i]);
        if (content) {
          keep(wanted[i]->name, *content);
          wanted[i]->content = *std::move(content);
          continue;
        }
        const std::lock_guard lock(mutex);
        if (!failed) failed = std::move(content).error().in(shown(wanted[i]->name));
        next = wanted.size();
      }
    };
    {
      std::vector<std::jthread> threads;
      threads.reserve(kAtOnce);
      for (int i = 0; i < kAtOnce; ++i) threads.emplace_back(work);
    }
    if (failed) return tl::make_unexpected(*std::move(failed));
    return {};
  }

  /// Of a header its own length says how long it is.
  static std::uint64_t header_end(std::string_view content) {
    if (content.size() < 8) return content.size();
    std::uint64_t length = 0;
    for (unsigned i = 0; i < 8; ++i) {
      length |= std::uint64_t{static_cast<unsigned char>(content[i])} << (8 * i);
    }
    return length > limits::kHeaderBytes ? 8 : 8 + length;
  }

  static bool is_kept_whole(const HubFile& f) {
    if (!is_container(f)) return f.content->size() == f.bytes;
    const std::uint64_t end = header_end(*f.content);
    return f.content->size() == std::min(f.bytes, std::max(end, std::min(f.bytes, kFirstBytes)));
  }

  [[nodiscard]] std::string file_url(const HubSnapshot& s, const HubFile& f) const {
    return fmt::format("{}/{}/resolve/{}/{}", endpoint_, s.id, s.commit,
                       percent_encoded(f.name, "/"));
  }

  /// Bytes [first, last] of a file, exactly.
  Result<std::string> part(const HubSnapshot& s, const HubFile& f, std::uint64_t first,
                           std::uint64_t last) const {
    if ((read_ += last - first + 1) > kMostRead) return too_much();
    CKPT_TRY(HttpAnswer a,
             get({.url = file_url(s, f),
                  .headers = {},
                  .range = ByteRange{first, last},
                  .max_bytes = last - first + 1},
                 shown(f.name)),
             "range");
    const std::string want = fmt::format("bytes {}-{}/{}", first, last, f.bytes);
    if (a.status != 206 || a.header("content-range") != want || a.body.size() != last - first + 1) {
      return fail(ErrorKind::io,
                  fmt::format("asked for `{}`, the answer {} has `{}` and {} bytes", want, a.status,
                              shown(a.header("content-range"), 60), a.body.size()));
    }
    return std::move(a.body);
  }

  /// All of a small file.
  Result<std::string> whole(const HubSnapshot& s, const HubFile& f) const {
    CKPT_TRY(HttpAnswer a,
             get({.url = file_url(s, f), .headers = {}, .range = {}, .max_bytes = f.bytes},
                 shown(f.name)),
             "file");
    if (a.body.size() != f.bytes) {
      return fail(ErrorKind::io,
                  fmt::format("the answer has {} bytes of {}", a.body.size(), f.bytes));
    }
    return std::move(a.body);
  }

  /// What is kept of a file: the header of a container, all of another.
  Result<std::string> read_file(const HubSnapshot& s, const HubFile& f) const {
    if (f.bytes == 0) return std::string{};
    if (!is_container(f)) return whole(s, f);
    const std::uint64_t first = std::min(f.bytes, kFirstBytes);
    CKPT_TRY(std::string content, part(s, f, 0, first - 1), "begin");
    const std::uint64_t end = std::min(header_end(content), f.bytes);
    if (end > first) {
      CKPT_TRY(const std::string rest, part(s, f, first, end - 1), "header");
      content += rest;
    }
    return content;
  }

  const HubAddress& address_;
  const HubOptions& options_;
  mutable std::mutex saying_;
  mutable std::atomic<std::uint64_t> read_ = 0;  // bytes of containers
  std::string endpoint_;
  std::string origin_;
  std::string host_;
  std::string token_;
  std::string cache_;
  long timeout_ = 10;
};

}  // namespace

std::string header_cache() {
  std::string base = env("XDG_CACHE_HOME");
  if (base.empty() && !env("HOME").empty()) base = env("HOME") + "/.cache";
  return base.empty() ? base : base + "/ckpt-check/hub";
}

Result<std::optional<HubAddress>> hub_address(const std::string& target) {
  std::string rest;
  bool web = false;
  if (target.starts_with("hf://")) {
    rest = target.substr(5);
  } else if (target.starts_with("https://") || target.starts_with("http://")) {
    web = true;
    for (const std::string& host :
         {endpoint(), std::string("https://huggingface.co"), std::string("https://hf.co")}) {
      if (target.starts_with(host + "/")) rest = target.substr(host.size() + 1);
    }
    rest = rest.substr(0, rest.find_first_of("?#"));
  } else {
    return std::optional<HubAddress>{};
  }
  while (rest.ends_with('/')) rest.pop_back();
  const auto cut = [&rest] {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    std::string part = rest.substr(0, slash);
    rest.erase(0, std::min(slash + 1, rest.size()));
    return part;
  };
  HubAddress a;
  const std::string org = cut();
  std::string name = cut();
  if (const std::size_t at = name.find('@'); !web && at != std::string::npos) {
    a.revision = name.substr(at + 1);
    name.erase(at);
  }
  if (web && !rest.empty()) {
    const std::string what = cut();
    const bool known = what == "tree" || what == "blob" || what == "resolve";
    a.revision = known ? cut() : "";
  }
  if (a.revision == "refs") {  // pull requests and conversions: refs/pr/1
    a.revision += "/" + cut();
    a.revision += "/" + cut();
  }
  a.id = org + "/" + name;
  a.file = rest;
  const bool plain_file = rest.find_first_of("/?\\") == std::string::npos;
  if (!is_word(org) || !is_word(name) || a.revision.empty() || a.revision.ends_with('/') ||
      a.revision.size() > 200 || !plain_file) {
    return fail(ErrorKind::usage, fmt::format("{}: write hf://org/name, hf://org/name@revision or "
                                              "hf://org/name/file.safetensors",
                                              shown(target)));
  }
  return std::optional(std::move(a));
}

Result<HubSnapshot> read_hub(const HubAddress& address, const HubOptions& options) {
  const bool offline =
      options.offline || env_true("HF_HUB_OFFLINE") || env_true("TRANSFORMERS_OFFLINE");
  if (offline || !options.network) {
    return fail(ErrorKind::usage,
                fmt::format("{}; `hf download {}` brings it into the cache, then give `{}`",
                            offline ? "the network is not to be used"
                                    : "this command needs more than configs and headers",
                            address.id, address.id));
  }
  return Hub(address, options).read();
}

}  // namespace ckpt::repo
