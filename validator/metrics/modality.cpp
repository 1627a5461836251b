#include "validator/metrics/modality.h"

#include <cmath>
#include <string_view>
#include <utility>

#include "validator/metrics/distribution.h"

namespace ckpt::metrics {

namespace {

constexpr std::pair<Kind, std::string_view> kNames[] = {
    {Kind::text, "text"}, {Kind::image, "image"}, {Kind::text_after_image, "text_after_image"}};

results::Modality one_kind(const Record& record, std::span<const Kind> kinds, Kind kind) {
  std::vector<double> kl;
  std::vector<std::uint64_t> lengths;  // of the sequences, this kind only
  std::uint64_t compared = 0;
  std::uint64_t same = 0;
  std::size_t at = 0;
  for (const std::uint64_t length : record.lengths) {
    lengths.push_back(0);
    for (const std::size_t end = at + length; at < end; ++at) {
      if (kinds[at] != kind) continue;
      const kernels::Divergence& d = record.positions[at];
      kl.push_back(d.kl);
      ++lengths.back();
      if (!std::isfinite(d.kl)) continue;
      ++compared;
      same += d.argmax_reference == d.argmax_candidate ? 1U : 0U;
    }
  }
  results::Modality out;
  out.positions = kl.size();
  if (kl.empty()) return out;
  const results::Distribution d = summarize(kl, lengths);
  out.kl = d.mean;
  out.se = d.se;
  out.ci95 = d.ci95;
  out.top1 = static_cast<double>(same) / static_cast<double>(compared);
  return out;
}

}  // namespace

std::vector<results::Modality> by_modality(const Record& record, std::span<const Kind> kinds) {
  std::vector<results::Modality> out;
  for (const auto& [kind, name] : kNames) {
    results::Modality m = one_kind(record, kinds, kind);
    if (m.positions == 0) continue;
    m.name = name;
    out.push_back(std::move(m));
  }
  return out;
}

}  // namespace ckpt::metrics
