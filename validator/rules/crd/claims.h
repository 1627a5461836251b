#pragma once
// What the rules about the model card share: numbers in sentences, and findings that quote both
// sides.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/repo/card.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {

/// A number in a text: `262,144`, `~28-30`, `262k`, `35b`. A range has two ends.
struct Number {
  double low = 0;
  double high = 0;
  std::size_t begin = 0;
  std::string_view after;  ///< what follows, without leading spaces
};

/// All numbers of a text, in order; `k`, `m`, `b` directly behind digits multiply by 10^3, 10^6,
/// 10^9, unless a further letter or digit follows. At most 32.
[[nodiscard]] std::vector<Number> numbers_in(std::string_view text);

/// A size. Cards mix up powers of ten and of two, so the claim reaches from one to the other.
struct Bytes {
  double low = 0;   ///< the smaller end, read in powers of ten
  double high = 0;  ///< the larger end, read in powers of two
  std::string quote;
};

/// The first number of a text that is followed by GB, GiB, MB or MiB.
[[nodiscard]] std::optional<Bytes> bytes_in(std::string_view text);

/// True when `actual` is within a tenth of the claim.
[[nodiscard]] bool agrees(const Bytes& claim, double actual);

/// Place of a line of the card.
[[nodiscard]] results::Location at_card(const RuleInput& in, std::uint32_t line);

/// A contradiction: what the card says at `line` and what the files say.
[[nodiscard]] Draft contradiction(const RuleInput& in, std::uint32_t line, std::string message,
                                  std::string subject);

/// An Emit that passes on the first 20 findings: a card may contradict itself in every line.
[[nodiscard]] Emit first_ones(const Emit& emit);

/// The one number that a row states; none when a row without columns holds several.
[[nodiscard]] std::optional<double> stated(const repo::CardRow& row);

/// First number of `text` that stands right before `word`.
[[nodiscard]] std::optional<double> number_before(std::string_view text, std::string_view word);

}  // namespace ckpt::rules
