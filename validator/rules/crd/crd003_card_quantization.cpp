#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "validator/base/text.h"
#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd003 {

struct Schemes {
  std::vector<std::int64_t> bits;
  std::vector<std::int64_t> groups;
  bool symmetric = true;
};

Schemes schemes_of(const config::QuantConfig& q) {
  Schemes s;
  if (q.bits) s.bits.push_back(*q.bits);
  if (q.group_size) s.groups.push_back(*q.group_size);
  s.symmetric = q.sym.value_or(true);
  for (const config::ConfigGroup& g : q.groups) {
    if (!g.weights) continue;
    s.bits.push_back(g.weights->num_bits);
    s.groups.push_back(g.weights->group_size);
  }
  return s;
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.config->quant) return;
  const Schemes s = schemes_of(*in.config->quant);
  const auto compare = [&](const repo::CardRow& row, double claimed,
                           const std::vector<std::int64_t>& actual, const char* what) {
    const bool known = std::ranges::any_of(
        actual, [claimed](std::int64_t a) { return static_cast<double>(a) == claimed; });
    if (actual.empty() || known) return;
    emit(contradiction(in, row.line,
                       fmt::format("the card says {} {}, the quantization config {}", what, claimed,
                                   actual.front()),
                       what));
  };
  for (const repo::CardRow& row : in.card->rows) {
    const auto numbers = stated(row);
    if (row.label == "bits" && numbers) compare(row, *numbers, s.bits, "bits");
    if ((row.label == "group size" || row.label == "group_size") && numbers)
      compare(row, *numbers, s.groups, "group size");
    if (row.label == "quantization" || row.label == "bits") {
      for (const char* word : {"w4a16", "w8a16", "int4 ", "int8 "}) {
        if (row.value.find(word) == std::string::npos) continue;
        compare(row, word[0] == 'w' ? word[1] - '0' : word[3] - '0', s.bits, "bits");
        break;
      }
    }
    const bool yes = row.value.starts_with("yes") || row.value.starts_with("true");
    const bool no = row.value.starts_with("no") || row.value.starts_with("false");
    if ((row.label == "symmetric" || row.label == "sym") && (yes || no) && yes != s.symmetric) {
      emit(contradiction(
          in, row.line,
          fmt::format("the card says symmetric: {}, the quantization config {}", yes, s.symmetric),
          "symmetric"));
    }
  }
}

}  // namespace crd003

extern const Rule kCRD003;
const Rule kCRD003{
    .code = "CRD003",
    .name = "card-quantization",
    .severity = results::Severity::warning,
    .what =
        "Bits, group size and symmetry that the card states are those of the quantization "
        "config.",
    .why = "Users choose kernels, and other tools their import, by these numbers.",
    .bad = "| Group size | 64 | over \"group_size\": 128",
    .good = "| Group size | 128 |",
    .fix = "correct the card",
    .sources = "cards 000 to 003; loaders DOC001",
    .run = crd003::run,
};

}  // namespace ckpt::rules
