#include "validator/pipeline/bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "validator/base/bits.h"
#include "validator/base/json.h"
#include "validator/base/text.h"
#include "validator/metrics/collector.h"

namespace ckpt::pipeline {

namespace {

constexpr std::int64_t kStatesAtOnce = 256;
constexpr std::size_t kFirstStates = 2;  // after the facts and the tokens

std::string states_name(int layer, const BundleFacts& facts) {
  return layer == facts.num_hidden_layers ? "final" : fmt::format("layer.{}", layer);
}

Dtype states_dtype(const BundleFacts& facts) {
  return facts.mode == "fp32" ? Dtype::f32 : facts.mode == "bf16" ? Dtype::bf16 : Dtype::f16;
}

std::string facts_json(const BundleFacts& f) {
  return fmt::format(
      R"({{"version":{},"reference":{},"mode":{},"backend":{},"exact_router":{},"layers":{},)"
      R"("head_sha256":{},"config_sha256":{},"text":{},"text_sha256":{},"hidden_size":{},"num_hidden_layers":{},)"
      R"("vocab_size":{},"lengths":[{}]}})",
      json::quoted(f.version), json::quoted(f.reference), json::quoted(f.mode),
      json::quoted(f.backend), f.exact_router, f.layers, json::quoted(f.head_sha256),
      json::quoted(f.config_sha256), json::quoted(f.text), json::quoted(f.text_sha256),
      f.hidden_size, f.num_hidden_layers, f.vocab_size, fmt::join(f.lengths, ","));
}

Result<BundleFacts> read_facts(std::string text) {
  CKPT_TRY(const auto document, json::parse(std::move(text)), "bundle");
  const json::Value root = document->root();
  const auto words = [&](std::string_view key) {
    return std::string(root.find(key).string().value_or(""));
  };
  BundleFacts f;
  f.version = words("version");
  f.reference = shown(words("reference"), 1000);
  f.mode = words("mode");
  f.backend = words("backend");
  f.exact_router = root.find("exact_router").boolean().value_or(true);
  f.layers = root.find("layers").boolean().value_or(false);
  f.head_sha256 = words("head_sha256");
  f.config_sha256 = words("config_sha256");
  f.text = shown(words("text"), 200);
  f.text_sha256 = words("text_sha256");
  f.hidden_size = root.find("hidden_size").integer().value_or(0);
  f.num_hidden_layers = root.find("num_hidden_layers").integer().value_or(0);
  f.vocab_size = root.find("vocab_size").integer().value_or(0);
  root.find("lengths").each(
      [&](const json::Value& v) { f.lengths.push_back(v.unsigned_integer().value_or(0)); });
  const bool mode = f.mode == "fp32" || f.mode == "bf16" || f.mode == "fp16";
  if (!mode || f.hidden_size < 1 || f.num_hidden_layers < 1 || f.vocab_size < 1) {
    return fail(ErrorKind::format, "the bundle's description is damaged");
  }
  return f;
}

std::string packed(std::span<const float> values, Dtype dtype) {
  if (dtype == Dtype::f32) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
  }
  std::string out(2 * values.size(), '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint16_t bits =
        dtype == Dtype::bf16 ? f32_to_bf16(values[i]) : f32_to_f16(values[i]);
    std::memcpy(out.data() + 2 * i, &bits, sizeof(bits));
  }
  return out;
}

Result<void> fits(const BundleFacts& b, const OpenedRepo& candidate) {
  const config::TextConfig& t = candidate.config.text;
  const auto differ = [](std::string_view what, std::int64_t of_bundle, std::int64_t here) {
    return fail(ErrorKind::usage,
                fmt::format("the bundle does not fit: {} is {} there and {} in the candidate", what,
                            of_bundle, here));
  };
  if (b.hidden_size != t.hidden_size) return differ("hidden_size", b.hidden_size, t.hidden_size);
  if (b.num_hidden_layers != t.num_hidden_layers) {
    return differ("num_hidden_layers", b.num_hidden_layers, t.num_hidden_layers);
  }
  if (b.vocab_size != t.vocab_size) return differ("vocab_size", b.vocab_size, t.vocab_size);
  if (b.version != CKPT_VERSION) {
    return fail(ErrorKind::usage,
                fmt::format("the bundle was written by version {} and this is {}: numbers may "
                            "differ, write it anew",
                            shown(b.version, 20), CKPT_VERSION));
  }
  if (b.config_sha256 != config_digest(t)) {
    return fail(ErrorKind::usage,
                "the bundle does not fit: heads, experts, layer types, rotary "
                "embedding or norm differ between the configs");
  }
  CKPT_TRY(const std::string head, head_digest(candidate), "candidate");
  if (head == b.head_sha256) return {};
  return fail(ErrorKind::usage,
              "the bundle does not fit: the candidate's lm_head is not the reference's, byte for "
              "byte, and the bundle holds states, not logits; use the reference itself");
}

}  // namespace

std::string config_digest(const config::TextConfig& t) {
  std::string text;
  for (const config::LayerType type : t.layer_types) {
    text += type == config::LayerType::full_attention ? 'f' : 'l';
  }
  text += fmt::format(" {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", t.num_attention_heads,
                      t.num_key_value_heads, t.head_dim, t.linear_num_key_heads,
                      t.linear_num_value_heads, t.linear_key_head_dim, t.linear_value_head_dim,
                      t.linear_conv_kernel_dim, t.moe, t.num_experts, t.num_experts_per_tok,
                      t.rms_norm_eps, t.rope.theta, t.rope.partial_rotary_factor, t.rope.type,
                      t.rope.factor, t.rope.original_max_position);
  return results::sha256_hex(text);
}

Result<std::string> head_digest(const OpenedRepo& repo) {
  const weights::Model model(repo.checkpoint, repo.config, *repo.blueprint, repo.stored);
  CKPT_TRY(const std::uint32_t head, forward::head_module(model), "head");
  CKPT_TRY_VOID(model.check(head), "head");
  const auto bytes_of = [](const weights::Parameter& p) {
    std::string out;
    for (const Bytes* b : {&p.data, &p.zeros, &p.scales, &p.g_idx}) {
      out.append(reinterpret_cast<const char*>(b->data()), b->size());
    }
    return out;
  };
  std::string digests;
  if (!model.is_plain(head)) {
    CKPT_TRY(const weights::Parameter whole, model.load(head), "head");
    digests = "packed " + results::sha256_hex(bytes_of(whole));
    return results::sha256_hex(digests);
  }
  constexpr std::uint64_t kBlock = 4096;
  const std::uint64_t rows = repo.blueprint->modules()[head].shape.front();
  for (std::uint64_t row = 0; row < rows; row += kBlock) {
    CKPT_TRY(const weights::Parameter part,
             model.load_rows(head, row, std::min(rows, row + kBlock)), "head");
    digests += fmt::format("{} {}\n", dtype_name(part.dtype), results::sha256_hex(bytes_of(part)));
  }
  return results::sha256_hex(digests);
}

BundleWriter::BundleWriter(std::string path, container::Writer writer, BundleFacts facts)
    : path_(std::move(path)), writer_(std::move(writer)), facts_(std::move(facts)) {}

BundleWriter::~BundleWriter() {
  std::error_code error;
  std::filesystem::remove(path_ + ".new", error);  // nothing is there after finish()
}

Result<std::unique_ptr<BundleWriter>> BundleWriter::create(
    const std::string& path, BundleFacts facts,
    const std::vector<std::vector<std::int32_t>>& sequences) {
  if (std::filesystem::exists(path)) {
    return fail(ErrorKind::usage, fmt::format("{} is there already", shown(path, 200)));
  }
  facts.lengths.clear();
  std::string tokens;
  std::uint64_t count = 0;
  for (const auto& sequence : sequences) {
    facts.lengths.push_back(sequence.size());
    count += sequence.size();
    tokens.append(reinterpret_cast<const char*>(sequence.data()),
                  sequence.size() * sizeof(std::int32_t));
  }
  const std::string text = facts_json(facts);
  std::vector<container::NewTensor> tensors{{"bundle", Dtype::u8, {text.size()}},
                                            {"tokens", Dtype::i32, {count}}};
  const auto width = static_cast<std::uint64_t>(facts.hidden_size);
  const auto layers = static_cast<int>(facts.num_hidden_layers);
  for (int layer = facts.layers ? 0 : layers; layer <= layers; ++layer) {
    tensors.push_back({states_name(layer, facts), states_dtype(facts), {count, width}});
  }
  std::error_code error;
  std::filesystem::remove(path + ".new", error);
  CKPT_TRY(container::Writer writer, container::Writer::create(path + ".new", tensors), "bundle");
  CKPT_TRY_VOID(writer.write_at(0, 0, std::as_bytes(std::span(text))), "bundle");
  CKPT_TRY_VOID(writer.write_at(1, 0, std::as_bytes(std::span(tokens))), "bundle");
  return std::unique_ptr<BundleWriter>(new BundleWriter(path, std::move(writer), std::move(facts)));
}

Result<void> BundleWriter::on_reference(int layer, std::int64_t first, kernels::Ops& ops,
                                        const kernels::Rows& states) {
  const auto layers = static_cast<int>(facts_.num_hidden_layers);
  if (layer != layers && !facts_.layers) return {};
  const std::size_t tensor = kFirstStates + static_cast<std::size_t>(facts_.layers ? layer : 0);
  const Dtype dtype = states_dtype(facts_);
  std::vector<float> host;
  for (std::int64_t row = 0; row < states.rows; row += kStatesAtOnce) {
    const std::int64_t count = std::min(kStatesAtOnce, states.rows - row);
    host.resize(static_cast<std::size_t>(count * states.cols));
    CKPT_TRY_VOID(ops.read(states.slice(row, count), host), "bundle");
    const std::string bytes = packed(host, dtype);
    const auto at = static_cast<std::uint64_t>((first + row) * states.cols) * dtype_bits(dtype) / 8;
    CKPT_TRY_VOID(writer_.write_at(tensor, at, std::as_bytes(std::span(bytes))), "bundle");
  }
  return {};
}

Result<void> BundleWriter::finish() {
  CKPT_TRY_VOID(writer_.finish(), "bundle");
  std::error_code error;
  std::filesystem::rename(path_ + ".new", path_, error);
  if (!error) return {};
  return fail(ErrorKind::io, fmt::format("{}: {}", shown(path_, 1000), error.message()));
}

bool Bundle::is_one(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return false;
  const auto file = BlobFile::open(path);
  return file && file->find("bundle") != nullptr;
}

Result<std::unique_ptr<Bundle>> Bundle::open(const std::string& path) {
  auto out = std::make_unique<Bundle>();
  CKPT_TRY(out->file_, BlobFile::open(path), "bundle");
  CKPT_TRY(std::string text, out->file_.bytes("bundle"), "bundle");
  CKPT_TRY(out->facts_, read_facts(std::move(text)), "bundle");
  CKPT_TRY(const std::string ids, out->file_.bytes("tokens"), "bundle");
  std::size_t at = 0;
  for (const std::uint64_t length : out->facts_.lengths) {
    if (length == 0 || length > (ids.size() - at) / sizeof(std::int32_t)) {
      return fail(ErrorKind::format, "the bundle's tokens do not fill its sequences");
    }
    auto& sequence = out->sequences_.emplace_back(length);
    std::memcpy(sequence.data(), ids.data() + at, length * sizeof(std::int32_t));
    at += length * sizeof(std::int32_t);
  }
  return out;
}

Result<void> Bundle::read(int layer, std::int64_t first, kernels::Ops& ops,
                          const kernels::Rows& to) const {
  return file_.rows(states_name(layer, facts_), first, ops, to);
}

Result<KlOutcome> run_kl(const KlArgs& given, const Bundle& bundle) {
  KlArgs args = given;
  CKPT_TRY(const auto own, supply_ops(args), "kl");
  CKPT_TRY_VOID(check_comparable(args.candidate, args.candidate), "candidate");
  CKPT_TRY_VOID(fits(bundle.facts(), args.candidate), "bundle");
  const weights::Model model(args.candidate.checkpoint, args.candidate.config,
                             *args.candidate.blueprint, args.candidate.stored);
  const forward::Pair pair{model, model};
  const config::TextConfig& text = args.candidate.config.text;
  CKPT_TRY(const forward::Plan plan,
           forward::make_plan(pair, text, bundle.sequences(), plan_memory(args)), "kl");
  if (args.note) args.note(fmt::format("memory: {}", plan.text()));
  if (args.note && bundle.facts().backend != args.ops->name()) {
    args.note(fmt::format("the bundle was computed by {}, this is {}: last bits may differ",
                          shown(bundle.facts().backend, 40), args.ops->name()));
  }
  metrics::Record record;
  record.lengths = bundle.facts().lengths;
  metrics::Collector collector(record, args.observer);
  CKPT_TRY_VOID(forward::run_solo({.pair = pair,
                                   .config = text,
                                   .sequences = bundle.sequences(),
                                   .plan = plan,
                                   .ops = *args.ops,
                                   .taps = record.taps,
                                   .observer = collector,
                                   .progress = args.progress,
                                   .mode = args.mode,
                                   .exact_router = bundle.facts().exact_router,
                                   .variants = {},
                                   .local = false,
                                   .weight_rounding = weight_rounding(args),
                                   .stop = args.stop},
                                  bundle),
                "forward");
  results::Metrics metrics = metrics::metrics_of(record, text, args.seed);
  return KlOutcome{std::move(metrics), std::move(record)};
}

}  // namespace ckpt::pipeline
