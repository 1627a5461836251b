#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd006 {

/// Tokens of each column of a table's header: `| component | 262k context | 1m context |`, bars or
/// not.
std::vector<double> contexts_in(std::string_view line) {
  std::vector<double> out;
  for (const Number& n : numbers_in(line)) {
    if (n.after.starts_with("context")) out.push_back(n.low);
  }
  return out;
}

/// Sizes of a row, in its order.
std::vector<Bytes> sizes_in(std::string_view line) {
  std::vector<Bytes> out;
  for (const Number& n : numbers_in(line)) {
    const auto size = bytes_in(line.substr(n.begin, 24));
    const bool here = n.after.starts_with("gb") || n.after.starts_with("gib") ||
                      n.after.starts_with("mb") || n.after.starts_with("mib");
    if (here && size) out.push_back(*size);
  }
  return out;
}

double bytes_per_token(const config::TextConfig& t, bool one_byte) {
  double full = 0;
  for (const config::LayerType type : t.layer_types) {
    full += type == config::LayerType::full_attention ? 1 : 0;
  }
  return 2 * full * static_cast<double>(t.num_key_value_heads) * static_cast<double>(t.head_dim) *
         (one_byte ? 1 : 2);
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->supported) return;
  std::vector<double> contexts;
  for (const repo::CardLine& line : in.card->lines) {
    const std::string_view p = line.plain;
    if (std::vector<double> found = contexts_in(p); found.size() > 1) contexts = std::move(found);
    if (p.find("kv cache (") == std::string_view::npos) continue;
    const std::vector<Bytes> sizes = sizes_in(p);
    const bool one_byte = p.find("fp8") != std::string_view::npos;
    const double sequences = number_before(p, "seq").value_or(1);
    for (std::size_t i = 0; i < sizes.size() && i < contexts.size(); ++i) {
      const double need = bytes_per_token(in.config->text, one_byte) * contexts[i] * sequences;
      if (need <= 2 * sizes[i].high && sizes[i].low <= 2 * need) continue;
      emit(contradiction(in, line.number,
                         fmt::format("the card says {} of KV cache, {} tokens x {} need {}",
                                     shown(sizes[i].quote, 20), contexts[i], sequences,
                                     bytes_text(static_cast<std::uint64_t>(std::min(need, 1e18)))),
                         "kv cache"));
      break;
    }
  }
}

}  // namespace crd006

extern const Rule kCRD006;
const Rule kCRD006{
    .code = "CRD006",
    .name = "card-kv-cache",
    .severity = results::Severity::warning,
    .what =
        "Key-value cache figures in the card's memory tables are within a factor of 2 of what "
        "the config gives.",
    .why =
        "The cache holds keys and values of the full-attention layers only: 2 x layers x "
        "key-value heads x head size x bytes x tokens x sequences. Figures that are off by a "
        "factor of 20 make a server run out of memory at the first long request.",
    .bad =
        "| FP8 KV cache (16 seqs) | ~2.1 GB | at 262k tokens, where 10 layers of 2 x 256 need "
        "43 GB",
    .good = "| FP8 KV cache (16 seqs) | ~43 GB |",
    .fix = "write the figure that `2 * layers * heads * size * bytes * tokens * sequences` gives",
    .sources = "card 004; architecture 7; loaders DOC003",
    .run = crd006::run,
};

}  // namespace ckpt::rules
