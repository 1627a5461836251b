#pragma once
// Words and numbers that several formats share.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/results/results.h"

namespace ckpt::reports {

/// `PASS`, `FAIL`, `INCOMPLETE`, `INCONCLUSIVE`.
[[nodiscard]] std::string verdict_word(const results::Results& results);

/// `4 errors, 1 warning, 0 info`.
[[nodiscard]] std::string counts_text(const results::Results& results);

/// `94 rules on headers and configs, 0.7 s`, or for kl `4,096 tokens of builtin:x, cpu, fp32, 2 s`.
/// Empty for a kl that ended before it had tokens.
[[nodiscard]] std::string depth_text(const results::Results& results);

/// `1 error`, `2 errors`.
[[nodiscard]] std::string plural(std::uint64_t n, std::string_view word);

/// `0.7 s`, `4 min 6 s`.
[[nodiscard]] std::string duration(double seconds);

/// Three significant digits; NaN as `NaN`.
[[nodiscard]] std::string number(double value);

/// `3.1 %`; a dash when there is no value.
[[nodiscard]] std::string percent(std::optional<double> value);

/// `262.1 B`, `6.2 M`.
[[nodiscard]] std::string parameters_text(std::uint64_t n);

/// `40 layers (30 linear attention, 10 full), 192 experts, top 8, 1 shared`.
[[nodiscard]] std::string shape_text(const results::CheckpointFacts& facts);

/// `16.0 GB in 4 shards, 70,143 tensors, 26.9 B parameters`.
[[nodiscard]] std::string size_text(const results::CheckpointFacts& facts);

/// `config.json:6:18`, or file and byte, or the module.
[[nodiscard]] std::string place_text(const results::Location& location);

/// Where a finding stands for tools that want a file and a line: the first place with a line, else
/// the first with a file. Null when it has neither.
[[nodiscard]] const results::Location* main_place(const results::Finding& finding);

/// A file of the target as seen from the folder in which the program was started, with `/`; the
/// bare file when the target is absolute or no path.
[[nodiscard]] std::string path_from_here(const results::Target& target, std::string_view file);

/// Last part of the target's path, or the repo's id.
[[nodiscard]] std::string repo_name(const results::Target& target);

/// A new finding of at least the run's threshold.
[[nodiscard]] bool fails(const results::Run& run, const results::Finding& finding);

/// Effects with the same text joined: `vllm, sglang: makes ... 4-bit`.
[[nodiscard]] std::vector<std::string> effect_lines(const results::Finding& finding);

/// Why a finding does not count; empty when it does.
[[nodiscard]] std::string set_aside_text(const results::Finding& finding);

/// `text after an image`; an unknown name is given back as it is.
[[nodiscard]] std::string modality_words(const results::Modality& modality);

}  // namespace ckpt::reports
