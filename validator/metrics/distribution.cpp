#include "validator/metrics/distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace ckpt::metrics {

namespace {

constexpr std::uint64_t kBlock = 256;

// What one sequence adds to a mean.
struct Cluster {
  double sum = 0;
  double count = 0;
};

constexpr std::pair<std::string_view, double> kPercentiles[] = {
    {"0.1", 0.001}, {"1", 0.01}, {"5", 0.05},  {"10", 0.1},  {"25", 0.25},   {"50", 0.5},
    {"75", 0.75},   {"90", 0.9}, {"95", 0.95}, {"99", 0.99}, {"99.9", 0.999}};

// Counter-based generator (splitmix64 of the counter): draw i is the same wherever it is made.
std::uint64_t draw(std::uint64_t seed, std::uint64_t counter) {
  std::uint64_t z = kBootstrapSeed + seed * 0xD6E8FEB86659FD93ULL + counter * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

std::vector<std::uint64_t> cluster_lengths(std::span<const std::uint64_t> lengths) {
  std::vector<std::uint64_t> out;
  for (const std::uint64_t length : lengths) {
    if (length > 0) out.push_back(length);
  }
  if (out.size() != 1) return out;
  const std::uint64_t total = out[0];
  const std::uint64_t step = std::max<std::uint64_t>(1, std::min(kBlock, (total + 7) / 8));
  out.clear();
  for (std::uint64_t at = 0; at < total; at += step) out.push_back(std::min(step, total - at));
  return out;
}

std::vector<Cluster> clusters_of(std::span<const double> values,
                                 std::span<const std::uint64_t> lengths) {
  std::vector<Cluster> out;
  std::size_t at = 0;
  for (const std::uint64_t length : cluster_lengths(lengths)) {
    Cluster c;
    for (const double v : values.subspan(at, length)) {
      if (!std::isfinite(v)) continue;
      c.sum += v;
      ++c.count;
    }
    at += length;
    if (c.count > 0) out.push_back(c);
  }
  return out;
}

void standard_error(std::span<const double> sorted, const std::vector<Cluster>& clusters,
                    results::Distribution& d) {
  const auto n = static_cast<double>(sorted.size());
  const auto s = static_cast<double>(clusters.size());
  if (s < 2) {
    d.se = std::numeric_limits<double>::quiet_NaN();
    d.deff = d.se;
    return;
  }
  double between = 0;
  for (const Cluster& c : clusters) between += std::pow(c.sum - c.count * d.mean, 2);
  const double variance = s / (s - 1) * between / (n * n);
  double within = 0;
  for (const double v : sorted) within += std::pow(v - d.mean, 2);
  const double naive = n > 1 ? within / (n - 1) / n : 0;
  d.se = std::sqrt(variance);
  d.deff = naive > 0 ? variance / naive : 1;
}

void bootstrap(const std::vector<Cluster>& clusters, std::uint64_t seed, results::Distribution& d) {
  std::vector<double> means;
  std::uint64_t counter = 0;
  for (int i = 0; i < kBootstrapResamples; ++i) {
    Cluster all;
    for (std::size_t j = 0; j < clusters.size(); ++j) {
      const Cluster& c = clusters[draw(seed, counter++) % clusters.size()];
      all.sum += c.sum;
      all.count += c.count;
    }
    means.push_back(all.sum / all.count);
  }
  std::sort(means.begin(), means.end());
  d.ci95 = {percentile(means, 0.025), percentile(means, 0.975)};
}

}  // namespace

double percentile(std::span<const double> sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const std::size_t high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - std::floor(at));
}

results::Distribution summarize(std::span<const double> values,
                                std::span<const std::uint64_t> lengths, std::uint64_t seed) {
  results::Distribution d;
  d.positions = values.size();
  std::vector<double> sorted;
  double sum = 0;
  std::size_t largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      ++d.nonfinite;
      continue;
    }
    if (sorted.empty() || values[i] > values[largest]) largest = i;
    sorted.push_back(values[i]);
    sum += values[i];
  }
  if (sorted.empty()) {
    d.mean = d.median = d.max = d.se = d.deff = std::numeric_limits<double>::quiet_NaN();
    d.ci95 = {d.mean, d.mean};
    return d;
  }
  d.mean = sum / static_cast<double>(sorted.size());
  d.max = values[largest];
  d.max_position = largest;
  while (d.max_sequence + 1 < lengths.size() && d.max_position >= lengths[d.max_sequence]) {
    d.max_position -= lengths[d.max_sequence++];
  }
  std::sort(sorted.begin(), sorted.end());
  d.median = percentile(sorted, 0.5);
  for (const auto& [name, share] : kPercentiles) {
    d.percentiles[std::string(name)] = percentile(sorted, share);
  }
  const std::vector<Cluster> clusters = clusters_of(values, lengths);
  standard_error(sorted, clusters, d);
  bootstrap(clusters, seed, d);
  return d;
}

}  // namespace ckpt::metrics
