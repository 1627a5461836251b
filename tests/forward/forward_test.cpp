#include <doctest/doctest.h>

#include <cmath>

#include "tests/forward/tiny_model.h"
#include "validator/forward/plan.h"
#include "validator/forward/rope.h"
#include "validator/pipeline/kl.h"

namespace ckpt::forward::test {

namespace {

constexpr std::uint64_t kHidden = 24;
constexpr std::uint64_t kInner = 20;
constexpr std::uint64_t kVocab = 50;

std::string config_of(bool moe) {
  return fmt::format(
      R"({{"architectures":["{0}"],"model_type":"{1}","hidden_size":24,"num_hidden_layers":2,)"
      R"("vocab_size":50,"num_attention_heads":3,"num_key_value_heads":1,"head_dim":8,)"
      R"("linear_num_key_heads":1,"linear_num_value_heads":3,"linear_key_head_dim":6,)"
      R"("linear_value_head_dim":10,"linear_conv_kernel_dim":4,"hidden_act":"silu",)"
      R"("rms_norm_eps":1e-6,"layer_types":["linear_attention","full_attention"],)"
      R"("tie_word_embeddings":{2},"dtype":"bfloat16",{3}"rope_parameters":)"
      R"({{"rope_type":"default","rope_theta":10000,"partial_rotary_factor":0.5,)"
      R"("mrope_section":[1,1,0]}},"max_position_embeddings":512}})",
      moe ? "Qwen3_5MoeForCausalLM" : "Qwen3_5ForCausalLM",
      moe ? "qwen3_5_moe_text" : "qwen3_5_text", moe ? "false" : "true",
      moe ? R"("num_experts":1,"num_experts_per_tok":1,"moe_intermediate_size":20,)"
            R"("shared_expert_intermediate_size":4,)"
          : R"("intermediate_size":20,)");
}

void add(TinyTensors& to, const std::string& name, std::vector<std::uint64_t> shape,
         float scale = 0.3F) {
  to[name] = tiny(name, std::move(shape), scale);
}

void add_mixer(TinyTensors& t, const std::string& p, bool attention) {
  if (attention) {
    add(t, p + "self_attn.q_proj.weight", {48, kHidden});
    add(t, p + "self_attn.k_proj.weight", {8, kHidden});
    add(t, p + "self_attn.v_proj.weight", {8, kHidden});
    add(t, p + "self_attn.o_proj.weight", {kHidden, 24});
    add(t, p + "self_attn.q_norm.weight", {8});
    add(t, p + "self_attn.k_norm.weight", {8});
    return;
  }
  add(t, p + "linear_attn.in_proj_qkv.weight", {42, kHidden});
  add(t, p + "linear_attn.in_proj_z.weight", {30, kHidden});
  add(t, p + "linear_attn.in_proj_b.weight", {3, kHidden});
  add(t, p + "linear_attn.in_proj_a.weight", {3, kHidden});
  add(t, p + "linear_attn.conv1d.weight", {42, 1, 4});
  add(t, p + "linear_attn.A_log", {3});
  add(t, p + "linear_attn.dt_bias", {3});
  add(t, p + "linear_attn.norm.weight", {10}, 1);
  add(t, p + "linear_attn.out_proj.weight", {kHidden, 30});
}

TinyTensor named(const std::string& source, std::vector<std::uint64_t> shape) {
  return tiny(source, std::move(shape), 0.3F);
}

// The same function twice: a dense model with a tied head, and a MoE model with one expert, a
// shared expert of zeros and a copy of the embedding as head.
TinyTensors tensors_of(bool moe) {
  TinyTensors t;
  add(t, "model.embed_tokens.weight", {kVocab, kHidden}, 1);
  add(t, "model.norm.weight", {kHidden});
  if (moe) t["lm_head.weight"] = t["model.embed_tokens.weight"];
  for (int layer = 0; layer < 2; ++layer) {
    const std::string p = fmt::format("model.layers.{}.", layer);
    add(t, p + "input_layernorm.weight", {kHidden});
    add(t, p + "post_attention_layernorm.weight", {kHidden});
    add_mixer(t, p, layer == 1);
    const std::string to = moe ? p + "mlp.experts.0." : p + "mlp.";
    t[to + "gate_proj.weight"] = named(p + "gate", {kInner, kHidden});
    t[to + "up_proj.weight"] = named(p + "up", {kInner, kHidden});
    t[to + "down_proj.weight"] = named(p + "down", {kHidden, kInner});
    if (!moe) continue;
    add(t, p + "mlp.gate.weight", {1, kHidden});
    add(t, p + "mlp.shared_expert.gate_proj.weight", {4, kHidden});
    add(t, p + "mlp.shared_expert.up_proj.weight", {4, kHidden});
    add(t, p + "mlp.shared_expert.down_proj.weight", {kHidden, 4}, 0);
    add(t, p + "mlp.shared_expert_gate.weight", {1, kHidden});
  }
  return t;
}

class Positions final : public Observer {
 public:
  std::vector<kernels::Divergence> all;

  void on_routing(int, const LayerRouting&) override {}

  void on_expert(int, int, const ExpertSquares&) override {}

  void on_layer(int, const LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence> p) override {
    all.insert(all.end(), p.begin(), p.end());
  }
};

const std::vector<std::vector<std::int32_t>> kTokens{{1, 2, 3, 4, 5, 6, 7}, {49}, {0, 9, 9, 30}};

struct Outcome {
  Result<results::Metrics> metrics = fail(ErrorKind::internal, "not run");
  std::vector<kernels::Divergence> positions;
};

Outcome run(const std::string& reference, const std::string& candidate,
            const std::vector<std::vector<std::int32_t>>& tokens = kTokens,
            std::stop_token stop = {}, Mode mode = Mode::fp32) {
  auto r = pipeline::open_target(reference);
  auto c = pipeline::open_target(candidate);
  REQUIRE(r);
  REQUIRE(c);
  ThreadPool pool(2);
  NoProgress progress;
  Positions positions;
  Outcome out;
  auto measured = pipeline::run_kl({.reference = **r,
                                    .candidate = **c,
                                    .sequences = tokens,
                                    .pool = pool,
                                    .progress = progress,
                                    .mode = mode,
                                    .stop = std::move(stop),
                                    .note = {},
                                    .observer = &positions});
  if (measured) {
    out.metrics = std::move(measured->metrics);
  } else {
    out.metrics = tl::make_unexpected(std::move(measured).error());
  }
  out.positions = positions.all;
  return out;
}

}  // namespace

TEST_CASE("a dense model with a tied head computes what one expert and a copied head compute") {
  const TemporaryFolder dense("dense");
  const TemporaryFolder moe("moe");
  write_model(dense.path(), config_of(false), tensors_of(false));
  write_model(moe.path(), config_of(true), tensors_of(true));
  const Outcome a = run(dense.path(), dense.path());
  const Outcome b = run(moe.path(), moe.path());
  if (!a.metrics) FAIL(a.metrics.error().message);
  if (!b.metrics) FAIL(b.metrics.error().message);
  CHECK(a.metrics->kl.max == 0);
  REQUIRE(a.positions.size() == 12);
  REQUIRE(b.positions.size() == 12);
  for (std::size_t i = 0; i < a.positions.size(); ++i) {
    CHECK(std::isfinite(a.positions[i].lse_reference));
    CHECK(a.positions[i].lse_reference == b.positions[i].lse_reference);
    CHECK(a.positions[i].argmax_reference == b.positions[i].argmax_reference);
  }
  CHECK(run(dense.path(), moe.path()).metrics.error().kind == ErrorKind::format);
}

TEST_CASE("sequences do not see each other") {
  const TemporaryFolder moe("moe");
  write_model(moe.path(), config_of(true), tensors_of(true));
  const Outcome together = run(moe.path(), moe.path());
  std::size_t at = 0;
  for (const auto& sequence : kTokens) {
    const Outcome alone = run(moe.path(), moe.path(), {sequence});
    for (const kernels::Divergence& d : alone.positions) {
      CHECK(d.lse_reference == together.positions[at++].lse_reference);
    }
  }
}

TEST_CASE("NaN in a weight is found at its layer and op, and no mean hides it") {
  const TemporaryFolder good("good");
  const TemporaryFolder bad("bad");
  TinyTensors tensors = tensors_of(true);
  write_model(good.path(), config_of(true), tensors);
  tensors["model.layers.1.mlp.experts.0.up_proj.weight"].values[3] =
      std::numeric_limits<float>::quiet_NaN();
  write_model(bad.path(), config_of(true), tensors);
  const Outcome out = run(good.path(), bad.path());
  REQUIRE(out.metrics);
  REQUIRE(out.metrics->nonfinite.size() == 1);
  const results::NonFinite& first = out.metrics->nonfinite[0];
  CHECK(first.stream == "candidate");
  CHECK(first.layer == 1);
  CHECK(first.op == "expert up");
  CHECK(first.sequence == 0);
  CHECK(first.position == 0);
  CHECK(out.metrics->kl.nonfinite == 12);
  CHECK(std::isnan(out.metrics->kl.mean));
}

TEST_CASE("fp16 shows where a float16 run overflows, and fp32 says it beforehand with the value") {
  const TemporaryFolder good("fits");
  const TemporaryFolder large("overflows");
  TinyTensors tensors = tensors_of(true);
  write_model(good.path(), config_of(true), tensors);
  for (float& w : tensors["model.layers.1.mlp.experts.0.up_proj.weight"].values) w *= 0x1p20F;
  write_model(large.path(), config_of(true), tensors);

  const Outcome half = run(good.path(), large.path(), kTokens, {}, Mode::fp16);
  REQUIRE(half.metrics);
  REQUIRE(half.metrics->nonfinite.size() == 1);
  const results::NonFinite& first = half.metrics->nonfinite[0];
  CHECK(first.stream == "candidate");
  CHECK(first.layer == 1);
  CHECK(first.op == "expert up");
  CHECK(first.sequence == 0);
  CHECK(first.position == 0);
  CHECK(std::isinf(first.value));
  CHECK(first.largest_finite > 0);
  CHECK(first.largest_finite <= 65504);

  const Outcome exact = run(good.path(), large.path());
  REQUIRE(exact.metrics);
  CHECK(exact.metrics->nonfinite.empty());
  bool said = false;
  for (const results::Headroom& h : exact.metrics->headroom) {
    if (h.layer != 1 || h.point != "expert up") continue;
    said = true;
    CHECK(h.max_abs_candidate > 65504);
    CHECK(h.above_f16_candidate > 0);
    CHECK(h.max_abs_reference < 65504);
    CHECK(h.above_f16_reference == 0);
  }
  CHECK(said);
  // BF16 has the range: the same model runs.
  const Outcome served = run(good.path(), large.path(), kTokens, {}, Mode::bf16);
  REQUIRE(served.metrics);
  CHECK(served.metrics->nonfinite.empty());
}

TEST_CASE("a missing module is named before anything is computed") {
  const TemporaryFolder folder("missing");
  TinyTensors tensors = tensors_of(true);
  tensors.erase("model.layers.1.self_attn.o_proj.weight");
  write_model(folder.path(), config_of(true), tensors);
  const Outcome out = run(folder.path(), folder.path());
  REQUIRE_FALSE(out.metrics);
  CHECK(out.metrics.error().kind == ErrorKind::not_found);
  CHECK(out.metrics.error().message.find("layers.1.self_attn.o_proj") != std::string::npos);
}

TEST_CASE("a token beyond the vocabulary, no tokens, and a stop are errors of their kinds") {
  const TemporaryFolder folder("tokens");
  write_model(folder.path(), config_of(true), tensors_of(true));
  CHECK(run(folder.path(), folder.path(), {{1, 50}}).metrics.error().kind == ErrorKind::format);
  CHECK(run(folder.path(), folder.path(), {}).metrics.error().kind == ErrorKind::usage);
  std::stop_source source;
  source.request_stop();
  CHECK(run(folder.path(), folder.path(), kTokens, source.get_token()).metrics.error().kind ==
        ErrorKind::cancelled);
}

TEST_CASE("rope: default frequencies, and YaRN as transformers scales them") {
  config::TextConfig config;
  config.head_dim = 16;
  config.rope.partial_rotary_factor = 0.5;
  config.rope.theta = 10000;
  auto plain = rope_scaling(config);
  REQUIRE(plain);
  REQUIRE(plain->inverse_frequency.size() == 4);
  CHECK(plain->inverse_frequency[0] == 1.0F);
  CHECK(plain->inverse_frequency[2] == doctest::Approx(0.01));
  CHECK(plain->attention_factor == 1.0F);
  config.rope.type = "yarn";
  config.rope.factor = 4;
  config.rope.original_max_position = 4096;
  auto yarn = rope_scaling(config);
  REQUIRE(yarn);
  CHECK(yarn->attention_factor == doctest::Approx(0.1 * std::log(4.0) + 1));
  // d = 8: corr(32) = 8 ln(4096 / 64 pi) / (2 ln 10000) = 1.31, corr(1) = 2.81: ramp from 1 to 3.
  CHECK(yarn->inverse_frequency[1] == plain->inverse_frequency[1]);
  CHECK(yarn->inverse_frequency[2] == doctest::Approx(0.01 * 0.5 + 0.0025 * 0.5));
  CHECK(yarn->inverse_frequency[3] == doctest::Approx(plain->inverse_frequency[3] / 4));
  config.rope.type = "longrope";
  CHECK(rope_scaling(config).error().kind == ErrorKind::unsupported);
}

}  // namespace ckpt::forward::test
