#include "validator/pipeline/part.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "validator/metrics/collector.h"
#include "validator/pipeline/blobs.h"

namespace ckpt::pipeline {

Result<Shard> parse_shard(std::string_view text) {
  Shard s;
  const std::size_t slash = text.find('/');
  const auto number = [](std::string_view digits, std::uint32_t& out) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
    return error == std::errc{} && end == digits.data() + digits.size();
  };
  const bool read = slash != std::string_view::npos && number(text.substr(0, slash), s.index) &&
                    number(text.substr(slash + 1), s.count);
  if (!read || s.index < 1 || s.index > s.count) {
    return fail(ErrorKind::usage, "--shard takes I/N with I from 1 to N, for example 2/8");
  }
  return s;
}

std::pair<std::size_t, std::size_t> shard_range(const Shard& s, std::size_t sequences) {
  const auto edge = [&](std::uint64_t i) {
    return static_cast<std::size_t>(sequences * i / s.count);
  };
  return {edge(s.index - 1), edge(s.index)};
}

Result<void> save_part(const std::string& path, const Part& part) {
  std::string layers;
  for (const config::LayerType t : part.layer_types) {
    layers += t == config::LayerType::full_attention ? 'f' : 'l';
  }
  std::string ids(part.tokens.size() * sizeof(std::int32_t), '\0');
  if (!ids.empty()) std::memcpy(ids.data(), part.tokens.data(), ids.size());
  return save_blobs(path, {{"key", part.key, {}},
                           {"shard", fmt::format("{}/{}", part.shard.index, part.shard.count), {}},
                           {"layers", layers, {}},
                           {"results", results::to_json(part.results), {}},
                           {"tokens", ids, {}},
                           {"record", part.record.save(), {}}});
}

Result<Part> load_part(const std::string& path) {
  CKPT_TRY(const BlobFile file, BlobFile::open(path), "part");
  Part part;
  CKPT_TRY(part.key, file.bytes("key"), "part");
  CKPT_TRY(const std::string shard, file.bytes("shard"), "part");
  CKPT_TRY(part.shard, parse_shard(shard), "part");
  CKPT_TRY(const std::string layers, file.bytes("layers"), "part");
  for (const char c : layers) {
    part.layer_types.push_back(c == 'f' ? config::LayerType::full_attention
                                        : config::LayerType::linear_attention);
  }
  CKPT_TRY(std::string text, file.bytes("results"), "part");
  CKPT_TRY(std::vector<results::Results> all, results::from_json(std::move(text)), "part");
  if (all.size() != 1) return fail(ErrorKind::format, "the part holds no single run");
  part.results = std::move(all.front());
  CKPT_TRY(const std::string record, file.bytes("record"), "part");
  CKPT_TRY(part.record, metrics::Record::load(record), "part");
  CKPT_TRY(const std::string ids, file.bytes("tokens"), "part");
  part.tokens.resize(ids.size() / sizeof(std::int32_t));
  if (!ids.empty()) {
    std::memcpy(part.tokens.data(), ids.data(), part.tokens.size() * sizeof(std::int32_t));
  }
  std::uint64_t count = 0;
  for (const std::uint64_t n : part.record.lengths) {
    if (n > part.tokens.size() - count) {
      return fail(ErrorKind::format, "the part's tokens do not fill its sequences");
    }
    count += n;
  }
  if (!part.record.complete(part.layer_types.size())) {
    return fail(ErrorKind::format, "the part's numbers do not cover its tokens and layers");
  }
  return part;
}

Result<Part> merge_parts(std::vector<Part> parts) {
  if (parts.empty()) return fail(ErrorKind::usage, "no parts to merge");
  std::ranges::sort(parts, {}, [](const Part& p) { return p.shard.index; });
  const std::uint32_t count = parts.front().shard.count;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].key != parts.front().key || parts[i].shard.count != count) {
      return fail(ErrorKind::usage,
                  "the parts come from different runs: other checkpoints, "
                  "tokens, options or version");
    }
    if (parts[i].shard.index != i + 1) {
      return fail(ErrorKind::usage, fmt::format("part {} of {} is missing or given twice",
                                                std::min<std::size_t>(i + 1, count), count));
    }
  }
  if (parts.size() != count) {
    return fail(ErrorKind::usage, fmt::format("part {} of {} is missing", parts.size() + 1, count));
  }
  Part whole = std::move(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    CKPT_TRY_VOID(whole.record.append(parts[i].record), "merge");
    whole.tokens.insert(whole.tokens.end(), parts[i].tokens.begin(), parts[i].tokens.end());
  }
  whole.shard = {};
  config::TextConfig text;
  text.layer_types = whole.layer_types;
  text.num_hidden_layers = static_cast<std::int64_t>(whole.layer_types.size());
  whole.results.metrics = metrics::metrics_of(whole.record, text, whole.results.how.seed);
  whole.results.how.sequences = whole.record.lengths.size();
  whole.results.how.tokens = whole.record.positions.size();
  return whole;
}

}  // namespace ckpt::pipeline
