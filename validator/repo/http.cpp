#include "validator/repo/http.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "validator/base/text.h"

namespace ckpt::repo {
namespace {

/// The functions of libcurl that are used here.
struct Curl {
  decltype(&::curl_easy_init) easy_init = nullptr;
  decltype(&::curl_easy_setopt) easy_setopt = nullptr;
  decltype(&::curl_easy_perform) easy_perform = nullptr;
  decltype(&::curl_easy_getinfo) easy_getinfo = nullptr;
  decltype(&::curl_easy_cleanup) easy_cleanup = nullptr;
  decltype(&::curl_easy_strerror) easy_strerror = nullptr;
  decltype(&::curl_slist_append) slist_append = nullptr;
  decltype(&::curl_slist_free_all) slist_free_all = nullptr;
  decltype(&::curl_url) url = nullptr;
  decltype(&::curl_url_set) url_set = nullptr;
  decltype(&::curl_url_get) url_get = nullptr;
  decltype(&::curl_url_cleanup) url_cleanup = nullptr;
  decltype(&::curl_free) free = nullptr;
};

template <class F>
bool take(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(::dlsym(library, name));
  return function != nullptr;
}

std::optional<Curl> open_library() {
  for (const char* name : {"libcurl.so.4", "libcurl-gnutls.so.4"}) {
    void* library = ::dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) continue;
    Curl c;
    decltype(&::curl_global_init) global_init = nullptr;
    if (take(library, "curl_global_init", global_init) &&
        take(library, "curl_easy_init", c.easy_init) &&
        take(library, "curl_easy_setopt", c.easy_setopt) &&
        take(library, "curl_easy_perform", c.easy_perform) &&
        take(library, "curl_easy_getinfo", c.easy_getinfo) &&
        take(library, "curl_easy_cleanup", c.easy_cleanup) &&
        take(library, "curl_easy_strerror", c.easy_strerror) &&
        take(library, "curl_slist_append", c.slist_append) &&
        take(library, "curl_slist_free_all", c.slist_free_all) &&
        take(library, "curl_url", c.url) && take(library, "curl_url_set", c.url_set) &&
        take(library, "curl_url_get", c.url_get) &&
        take(library, "curl_url_cleanup", c.url_cleanup) && take(library, "curl_free", c.free) &&
        global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) {
      return c;  // stays open until the program ends
    }
    ::dlclose(library);
  }
  return std::nullopt;
}

Result<const Curl*> curl() {
  static const std::optional<Curl> library = open_library();
  if (!library) {
    return fail(ErrorKind::unsupported,
                "reading from the hub needs libcurl (Debian: libcurl4), which is not installed");
  }
  return &*library;
}

/// An address taken apart.
class Url {
 public:
  explicit Url(const Curl& c) : c_(c), handle_(c.url(), c.url_cleanup) {}

  /// A relative `text` is one seen from the address so far.
  bool set(const std::string& text) {
    return c_.url_set(handle_.get(), CURLUPART_URL, text.c_str(), 0) == CURLUE_OK;
  }

  [[nodiscard]] std::string get(CURLUPart part, unsigned flags = 0) const {
    char* text = nullptr;
    if (c_.url_get(handle_.get(), part, &text, flags) != CURLUE_OK) return {};
    std::string out(text);
    c_.free(text);
    return out;
  }

 private:
  const Curl& c_;
  std::unique_ptr<CURLU, decltype(&::curl_url_cleanup)> handle_;
};

/// What a transfer fills.
struct Receiver {
  HttpAnswer answer;
  std::uint64_t max_bytes = 0;
  bool too_long = false;
  std::stop_token stop;
};

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : std::string(text.substr(first, last - first + 1));
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  const std::string_view line(data, size * count);
  const std::size_t colon = line.find(':');
  if (colon != std::string_view::npos) {
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    auto& headers = static_cast<Receiver*>(user)->answer.headers;
    constexpr std::size_t kMostHeaders = 200;
    if (headers.size() < kMostHeaders) headers[name] = trimmed(line.substr(colon + 1));
  }
  return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& r = *static_cast<Receiver*>(user);
  const std::size_t bytes = size * count;
  if (r.answer.body.size() + bytes > r.max_bytes) {
    r.too_long = true;
    return 0;  // ends the transfer
  }
  r.answer.body.append(data, bytes);
  return bytes;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<Receiver*>(user)->stop.stop_requested() ? 1 : 0;
}

}  // namespace

std::string HttpAnswer::header(std::string_view name) const {
  const auto it = headers.find(name);
  return it == headers.end() ? std::string{} : it->second;
}

Result<HttpAnswer> http_get(const HttpRequest& request, std::stop_token stop) {
  CKPT_TRY(const Curl* c, curl(), "http");
  const std::unique_ptr<CURL, decltype(c->easy_cleanup)> handle(c->easy_init(), c->easy_cleanup);
  curl_slist* list = nullptr;
  for (const std::string& h : request.headers) list = c->slist_append(list, h.c_str());
  const std::unique_ptr<curl_slist, decltype(c->slist_free_all)> headers(list, c->slist_free_all);
  Receiver receiver{
      .answer = {}, .max_bytes = request.max_bytes, .too_long = false, .stop = std::move(stop)};
  const auto set = [&](CURLoption option, auto value) {
    c->easy_setopt(handle.get(), option, value);
  };
  set(CURLOPT_URL, request.url.c_str());
  set(CURLOPT_HTTPHEADER, headers.get());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_CONNECTTIMEOUT, request.timeout_s);
  set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  set(CURLOPT_LOW_SPEED_TIME, request.timeout_s);
  set(CURLOPT_HEADERFUNCTION, &on_header);
  set(CURLOPT_HEADERDATA, &receiver);
  set(CURLOPT_WRITEFUNCTION, &on_body);
  set(CURLOPT_WRITEDATA, &receiver);
  set(CURLOPT_NOPROGRESS, 0L);
  set(CURLOPT_XFERINFOFUNCTION, &on_progress);
  set(CURLOPT_XFERINFODATA, &receiver);
  std::string range;
  if (request.range) {
    range = fmt::format("{}-{}", request.range->first, request.range->last);
    set(CURLOPT_RANGE, range.c_str());
  }
  const CURLcode code = c->easy_perform(handle.get());
  if (code == CURLE_ABORTED_BY_CALLBACK) return fail(ErrorKind::cancelled, "interrupted");
  if (receiver.too_long) {
    return fail(ErrorKind::limit,
                fmt::format("the answer is longer than {}", bytes_text(request.max_bytes)));
  }
  if (code != CURLE_OK) return fail(ErrorKind::io, c->easy_strerror(code));
  c->easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &receiver.answer.status);
  return std::move(receiver.answer);
}

Result<std::string> origin_of(const std::string& url) {
  CKPT_TRY(const Curl* c, curl(), "http");
  Url parts(*c);
  const bool set = parts.set(url);
  const std::string scheme = set ? parts.get(CURLUPART_SCHEME) : "";
  if (scheme != "http" && scheme != "https") {
    return fail(ErrorKind::format, shown(url) + " is no web address");
  }
  return fmt::format("{}://{}:{}", scheme, parts.get(CURLUPART_HOST),
                     parts.get(CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

Result<std::string> resolve_url(const std::string& base, const std::string& location) {
  CKPT_TRY(const Curl* c, curl(), "http");
  Url parts(*c);
  if (!parts.set(base) || !parts.set(location)) {
    return fail(ErrorKind::format, shown(location) + " is no web address");
  }
  return parts.get(CURLUPART_URL);
}

}  // namespace ckpt::repo
