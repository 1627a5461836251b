#include <fmt/format.h>

#include "validator/base/text.h"
#include "validator/rules/places.h"

namespace ckpt::rules {
namespace idx014 {

void run(const RuleInput& in, const Emit& emit) {
  if (in.stored == nullptr || in.checkpoint->shards().size() < 2) return;
  std::vector<std::uint32_t> spread;
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const quant::Stored& s = in.stored->modules[i];
    if (!quant::is_quantized(s.format)) continue;
    std::int64_t shard = -1;
    for (const std::int32_t t : s.tensor) {
      if (t < 0) continue;
      const auto at =
          static_cast<std::int64_t>(in.checkpoint->tensors()[static_cast<std::size_t>(t)].shard);
      if (shard >= 0 && at != shard) {
        spread.push_back(i);
        break;
      }
      shard = at;
    }
  }
  // Writers that fill shards by size cut one module at each border.
  if (spread.size() < in.checkpoint->shards().size()) return;
  Draft draft;
  draft.message =
      fmt::format("{} quantized modules have parts in several shards", with_commas(spread.size()));
  draft.subject = in.blueprint->modules()[spread[0]].name;
  draft.count = spread.size();
  add_modules(in, spread, draft);
  draft.fix = "write the shards again in module order";
  emit(std::move(draft));
}

}  // namespace idx014

extern const Rule kIDX014;
const Rule kIDX014{
    .code = "IDX014",
    .name = "module-spread-over-shards",
    .severity = results::Severity::info,
    .what =
        "The parts of a quantized module (words, scales, zeros) lie in one shard, but for the "
        "modules at shard borders.",
    .why =
        "Streaming loaders must hold the parts until the last arrives, and a partial download "
        "leaves modules that cannot be used. Nothing fails.",
    .bad = "all .scales in a shard of their own",
    .good = ".qweight, .qzeros and .scales side by side",
    .fix = "write the shards again in module order",
    .sources = "loaders IX012",
    .run = idx014::run,
};

}  // namespace ckpt::rules
