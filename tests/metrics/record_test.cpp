#include "validator/metrics/record.h"

#include <doctest/doctest.h>

#include "validator/metrics/collector.h"
#include "validator/results/results.h"

namespace ckpt::metrics {

namespace {

/// What a run over two sequences of two tokens reports; `first` and `count` cut out some of it.
Record record_of(std::size_t first, std::size_t count) {
  Record record;
  Collector collector(record, nullptr);
  std::vector<double> values;
  std::vector<kernels::Divergence> positions;
  std::vector<std::int64_t> tokens;
  std::vector<float> gates;
  for (std::size_t t = 2 * first; t < 2 * (first + count); ++t) {
    values.push_back(0.1 / static_cast<double>(3 * t + 1));
    kernels::Divergence d;
    d.kl = 0.3 / static_cast<double>(t + 1);
    d.label_reference = 1;
    positions.push_back(d);
    tokens.push_back(static_cast<std::int64_t>(t - 2 * first));
    gates.push_back(0.25F);
  }
  record.lengths.assign(count, 2);
  collector.on_expert(3, 7, {tokens, gates, values, values});
  collector.on_layer(3, {values, values, values, values, values});
  collector.on_positions(0, positions);
  for (std::size_t i = 0; i < positions.size(); ++i) record.tops.push_back({i, {}, {}});
  collector.on_variant(0, positions);
  kernels::Range range;
  range.max_abs = static_cast<float>(first + count);
  range.nonfinite = count;
  record.taps.merge({3, forward::Point::residual}, forward::Stream::candidate, range, 1);
  return record;
}

std::string numbers(const Record& record) {
  config::TextConfig config;
  config.num_hidden_layers = 4;
  config.layer_types.assign(4, config::LayerType::full_attention);
  results::Results all;
  all.metrics = metrics_of(record, config);
  return results::to_json(all);
}

}  // namespace

TEST_CASE("two parts put together are the whole, to the bit") {
  Record parts = record_of(0, 1);
  REQUIRE(parts.append(record_of(1, 1)));
  Record whole = record_of(0, 2);
  // The tap of the second part saw its token 1, which is token 3 of the whole.
  CHECK(parts.taps.records().begin()->second.first_token[1] == 1);
  CHECK(parts.taps.records().begin()->second.range[1].nonfinite == 2);
  CHECK(numbers(parts) == numbers(whole));
  CHECK(parts.variant_kl == whole.variant_kl);
  REQUIRE(parts.tops.size() == whole.tops.size());
  for (std::size_t i = 0; i < whole.tops.size(); ++i) {
    CHECK(parts.tops[i].index == whole.tops[i].index);
  }

  Record late = record_of(1, 1);
  REQUIRE(late.append(record_of(0, 1)));
  CHECK(late.taps.records().begin()->second.first_token[1] == 1);
}

TEST_CASE("a record survives a file, and damaged bytes are refused") {
  const Record record = record_of(0, 2);
  const std::string bytes = record.save();
  const auto again = Record::load(bytes);
  REQUIRE(again);
  CHECK(again->save() == bytes);
  CHECK(numbers(*again) == numbers(record));
  for (std::size_t n = 0; n < bytes.size(); n += 7) {
    CHECK_FALSE(Record::load(std::string_view(bytes).substr(0, n)));
  }
  CHECK_FALSE(Record::load(bytes + "x"));
  Record beyond = record;
  beyond.tops.front().index = record.positions.size();
  CHECK_FALSE(Record::load(beyond.save()));
  std::string huge = bytes;
  for (std::size_t i = 14; i < 22; ++i) huge[i] = '\xff';  // the length of the first list
  CHECK_FALSE(Record::load(huge));
}

TEST_CASE("a record that lacks a position or names a layer too many is not complete") {
  const Record whole = record_of(0, 2);
  CHECK(whole.complete(4));
  CHECK_FALSE(whole.complete(3));  // it has layer 3
  Record fewer = whole;
  fewer.positions.pop_back();
  CHECK_FALSE(fewer.complete(4));
  Record more = whole;
  more.positions.push_back(more.positions.back());
  CHECK_FALSE(more.complete(4));
  Record lists = whole;
  lists.variant_kl[0].pop_back();
  CHECK_FALSE(lists.complete(4));
  Record long_lengths = whole;
  long_lengths.lengths = {~0ULL, 5};
  CHECK_FALSE(long_lengths.complete(4));
}

TEST_CASE("parts with other variants do not go together") {
  Record a = record_of(0, 1);
  Record b = record_of(1, 1);
  b.variant_kl.emplace_back(2, 0.0);
  CHECK_FALSE(a.append(b));
}

}  // namespace ckpt::metrics
