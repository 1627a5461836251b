#pragma once
// The filter language of the tensor list: words, fields, exact text and patterns.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/result.h"

namespace ckpt::gui {

/// True when the characters of `word` stand in `text` in this order, letters of either case alike.
[[nodiscard]] bool fuzzy_match(std::string_view word, std::string_view text);

/// How well a match reads: fewer gaps and an early begin are better. Higher is better; 0 is none.
[[nodiscard]] int fuzzy_score(std::string_view word, std::string_view text);

/// What a filter sees of one row.
struct FilterRow {
  std::string_view name;
  std::string_view dtype;
  int layer = -1;
  int expert = -1;
  double bits = 0;
  double bytes = 0;
  double error = -1;
  const std::vector<std::string>* codes = nullptr;
};

/// `l39e17down` fuzzy; `=text` the whole name or a part of it exactly; `/re/` a pattern; fields
/// `dtype:bf16 layer:39 expert:17 bits:4 finding:QNT004 name:text bytes>1G error>=0.03`; `-` before
/// a term turns it around. All terms must hold. Copies share the compiled patterns.
class Filter {
 public:
  Filter() = default;
  /// Errors: usage, naming the term.
  [[nodiscard]] static Result<Filter> parse(std::string_view text);

  [[nodiscard]] bool matches(const FilterRow& row) const;

  [[nodiscard]] bool empty() const { return terms_.empty(); }

 private:
  struct Term;
  std::vector<std::shared_ptr<const Term>> terms_;
};

}  // namespace ckpt::gui
