#pragma once
// One HTTP request at a time over libcurl, which is opened at run time: a machine without it loses
// the hub and nothing else.

#include <cstdint>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "validator/base/result.h"

namespace ckpt::repo {

/// Bytes [first, last] of a file.
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

struct HttpRequest {
  std::string url;                   ///< http or https
  std::vector<std::string> headers;  ///< `Name: value`
  std::optional<ByteRange> range;
  std::uint64_t max_bytes = 0;  ///< of the body; a longer one is an error
  long timeout_s = 10;          ///< to connect, and without a byte
};

/// What a server said; redirects are answers, too.
struct HttpAnswer {
  long status = 0;
  std::map<std::string, std::string, std::less<>> headers;  ///< names in lower case
  std::string body;

  /// A header's value, or "".
  [[nodiscard]] std::string header(std::string_view name) const;
};

/// Asks once, follows no redirect. Thread-safe. Errors: unsupported (no libcurl), io (no answer),
/// limit (the body is longer than allowed), cancelled.
[[nodiscard]] Result<HttpAnswer> http_get(const HttpRequest& request, std::stop_token stop);

/// `https://host:443`: what two addresses share that may see the same secret. Errors: format.
[[nodiscard]] Result<std::string> origin_of(const std::string& url);

/// `location` as a browser at `base` reads it. Errors: format.
[[nodiscard]] Result<std::string> resolve_url(const std::string& base, const std::string& location);

}  // namespace ckpt::repo
