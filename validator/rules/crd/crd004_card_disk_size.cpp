#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd004 {

void compare(const RuleInput& in, const Emit& emit, std::uint32_t line, std::string_view text,
             double actual, const std::string& what) {
  const auto claim = bytes_in(text);
  if (!claim || agrees(*claim, actual)) return;
  emit(contradiction(in, line,
                     fmt::format("the card says {} for {}, it is {}", shown(claim->quote, 20), what,
                                 bytes_text(static_cast<std::uint64_t>(actual))),
                     what));
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || in.checkpoint->incomplete()) return;
  double total = 0;
  for (const container::Tensor& t : in.checkpoint->tensors())
    total += static_cast<double>(t.bytes());
  for (const repo::CardRow& row : in.card->rows) {
    const bool whole = row.label == "disk size" || row.label == "size on disk" ||
                       row.label == "model size" || row.label == "disk";
    if (whole && (!row.loose || stated(row)))
      compare(in, emit, row.line, row.value, total, "the weights");
  }
  for (const repo::CardLine& line : in.card->lines) {
    const std::size_t at = line.plain.find("model is ");
    if (at != std::string::npos)
      compare(in, emit, line.number, std::string_view(line.plain).substr(at, 40), total,
              "the weights");
    const std::size_t end = line.plain.find(".safetensors");
    if (end == std::string::npos) continue;
    const std::size_t begin = line.plain.find_last_of(" |(/\t", end);
    const std::string name =
        line.plain.substr(begin == std::string::npos ? 0 : begin + 1,
                          end + 12 - (begin == std::string::npos ? 0 : begin + 1));
    const repo::Entry* file = in.repo->find(name);
    if (file != nullptr)
      compare(in, emit, line.number, std::string_view(line.plain).substr(end),
              static_cast<double>(file->bytes), "`" + shown(name, 40) + "`");
  }
}

}  // namespace crd004

extern const Rule kCRD004;
const Rule kCRD004{
    .code = "CRD004",
    .name = "card-disk-size",
    .severity = results::Severity::warning,
    .what =
        "Sizes that the card gives for the repo or for one of its weight files are within a "
        "tenth of the real ones, in GB or GiB.",
    .why = "People choose their disk and their card by this number.",
    .bad = "| Disk size | ~28 GB | over 41 GB of shards",
    .good = "| Disk size | ~41 GB |",
    .fix = "write the size of the files",
    .sources = "cards 001, 002, 004; loaders DOC003",
    .run = crd004::run,
};

}  // namespace ckpt::rules
