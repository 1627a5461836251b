#include "validator/pipeline/value_codes.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "validator/base/bits.h"

namespace ckpt::pipeline {

void CodeCounter::add(std::span<const std::byte> bytes) {
  // Two tables: equal neighbours would otherwise wait for each other's store.
  std::array<std::array<std::uint32_t, 256>, 2> part{};
  std::size_t i = 0;
  for (; i + 1 < bytes.size(); i += 2) {
    ++part[0][static_cast<std::size_t>(bytes[i])];
    ++part[1][static_cast<std::size_t>(bytes[i + 1])];
  }
  if (i < bytes.size()) ++part[0][static_cast<std::size_t>(bytes[i])];
  for (std::size_t b = 0; b < 256; ++b) bytes_[b] += part[0][b] + part[1][b];
}

void CodeCounter::finish(rules::ValueFact& fact) const {
  const std::size_t n = std::size_t{1} << bits_;
  std::vector<std::uint64_t> codes(n);
  std::uint64_t total = 0;
  for (std::size_t b = 0; b < 256; ++b) {
    for (unsigned shift = 0; shift < 8; shift += bits_) codes[(b >> shift) & (n - 1)] += bytes_[b];
    total += bytes_[b] * (8 / bits_);
  }
  if (total == 0) return;
  fact.code_bits = bits_;
  for (const std::uint64_t c : codes) {
    if (c == 0) continue;
    ++fact.codes_used;
    const double p = static_cast<double>(c) / static_cast<double>(total);
    fact.code_entropy -= p * std::log2(p);
  }
  fact.extreme_codes =
      static_cast<double>(codes.front() + codes.back()) / static_cast<double>(total);
  fact.highest_code = codes.back();
}

void DeadGroups::add(std::span<const std::byte> bytes) {
  if (layout_.words_per_group == 0) return;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    const bool live = load<std::uint32_t>(bytes.data() + i) != layout_.zero_word;
    live_[column_] = static_cast<std::uint8_t>(live_[column_] | static_cast<std::uint8_t>(live));
    if (++column_ < layout_.columns) continue;
    column_ = 0;
    if (++row_ % layout_.words_per_group != 0) continue;
    groups_ += live_.size();
    dead_ += static_cast<std::uint64_t>(std::ranges::count(live_, std::uint8_t{0}));
    std::ranges::fill(live_, std::uint8_t{0});
  }
}

void DeadGroups::finish(rules::ValueFact& fact) const {
  fact.code_groups = groups_;
  fact.dead_groups = dead_;
}

void ContentHasher::add(std::span<const std::byte> bytes) {
  const auto mix = [this](std::uint64_t word) {
    state_ = (state_ ^ word) * 0xFF51AFD7ED558CCDULL;
    state_ ^= state_ >> 32;
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) mix(load<std::uint64_t>(bytes.data() + i));
  std::array<std::byte, 8> rest{};
  std::ranges::copy(bytes.subspan(i), rest.begin());
  if (i < bytes.size()) mix(load<std::uint64_t>(rest.data()));
}

}  // namespace ckpt::pipeline
