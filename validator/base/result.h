#pragma once
// Errors: what the tool could not do. What is wrong with a checkpoint is a Finding, never an Error.

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace ckpt {

/// Why the tool could not look or could not go on. Decides the exit code, not the wording.
enum class ErrorKind {
  usage,      ///< wrong command line or configuration
  not_found,  ///< a file or tensor that was asked for does not exist
  io,         ///< the operating system refused a read or a write
  format,     ///< the bytes are not what they claim to be
  limit,      ///< a named limit was exceeded
  unsupported,
  memory,
  device,
  cancelled,
  internal,  ///< a mistake of ours
};

/// One error; `message` reads from outside in: `shard a.safetensors: header: length 9 exceeds ...`.
/// Text from files inside it has passed `shown()`.
struct Error {
  ErrorKind kind = ErrorKind::internal;
  std::string message;

  /// The context is put in front, unless the message begins with it.
  [[nodiscard]] Error in(std::string_view context) && {
    const bool said = message.starts_with(context) && message.substr(context.size(), 2) == ": ";
    if (!said) message.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message) {
  return tl::make_unexpected(Error{kind, std::move(message)});
}

}  // namespace ckpt

#define CKPT_CONCAT_INNER(a, b) a##b
#define CKPT_CONCAT(a, b) CKPT_CONCAT_INNER(a, b)
#define CKPT_TRY_INNER(tmp, target, expression, context)                    \
  auto tmp = (expression);                                                  \
  if (!tmp) return tl::make_unexpected(std::move(tmp).error().in(context)); \
  target = *std::move(tmp)

/// `CKPT_TRY(auto file, open_file(path), "shard x")` declares `file`, or returns the error with
/// the context put in front.
#define CKPT_TRY(target, expression, context) \
  CKPT_TRY_INNER(CKPT_CONCAT(ckpt_try_, __LINE__), target, expression, context)

/// The same for a Result<void>.
#define CKPT_TRY_VOID(expression, context)                                                        \
  do {                                                                                            \
    auto ckpt_try_void = (expression);                                                            \
    if (!ckpt_try_void) return tl::make_unexpected(std::move(ckpt_try_void).error().in(context)); \
  } while (false)
