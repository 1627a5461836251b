#include <fmt/format.h>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd014 {

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !quantized_by(in, config::QuantMethod::auto_round)) return;
  const json::Value block = in.config->quant->block.value;
  const auto compare = [&](const repo::CardRow& row, const char* key) {
    const auto actual = block.find(key).integer();
    const auto numbers = stated(row);
    if (!actual || !numbers || *numbers == static_cast<double>(*actual)) return;
    emit(contradiction(
        in, row.line,
        fmt::format("the card says {} {}, the config `{}` {}", row.label, *numbers, key, *actual),
        key));
  };
  for (const repo::CardRow& row : in.card->rows) {
    if (row.label == "calibration samples" || row.label == "nsamples") compare(row, "nsamples");
    if (row.label == "seqlen") compare(row, "seqlen");
  }
}

}  // namespace crd014

extern const Rule kCRD014;
const Rule kCRD014{
    .code = "CRD014",
    .name = "card-calibration-differs",
    .severity = results::Severity::info,
    .what =
        "Calibration samples and sequence length that the card states for the quantization are "
        "those in the quantization config, where the tool wrote them.",
    .why =
        "auto-round leaves out values equal to its defaults (128 samples, 2,048 tokens) and "
        "writes the others: a difference means another run than the one described.",
    .bad = "| Calibration Samples | 64 | with \"nsamples\": 512",
    .good = "the same number in both",
    .fix = "write what the config says",
    .sources = "formats 3.6; cards 000 to 003; loaders DOC011",
    .run = crd014::run,
};

}  // namespace ckpt::rules
