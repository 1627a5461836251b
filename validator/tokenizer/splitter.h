#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "validator/base/result.h"

namespace ckpt::tokenizer {

/// A compiled split pattern with behaviour "Isolated": matches and the text between them all become
/// pieces, nothing is lost. Owns the compiled pattern. const methods are thread-safe.
class Splitter {
 public:
  /// Compiles a PCRE2 pattern. Errors: unsupported "cannot be evaluated" (bad syntax, too large).
  [[nodiscard]] static Result<Splitter> compile(std::string_view pattern);
  Splitter(Splitter&&) noexcept;
  Splitter& operator=(Splitter&&) noexcept;
  ~Splitter();

  /// Appends the pieces of `text` (valid UTF-8) to `pieces`, as views into it; none is empty.
  /// Errors: limit "cannot be evaluated" when backtracking exceeds a budget linear in the text.
  [[nodiscard]] Result<void> split(std::string_view text,
                                   std::vector<std::string_view>& pieces) const;

 private:
  struct Code;
  explicit Splitter(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace ckpt::tokenizer
