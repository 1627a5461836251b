#include "validator/pipeline/kl.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <thread>

#include "kernels/ops.h"
#include "validator/forward/executor.h"
#include "validator/metrics/collector.h"
#include "validator/metrics/distribution.h"
#include "validator/metrics/modality.h"
#include "validator/pipeline/journal.h"
#include "validator/pipeline/local_transport.h"
#include "validator/pipeline/overflow.h"
#include "validator/pipeline/shared_run.h"

namespace ckpt::pipeline {

namespace {

using config::TextConfig;

Result<void> check_supported(const OpenedRepo& repo, std::string_view side) {
  if (!repo.blueprint) {
    Error error = repo.blueprint_error;
    if (error.message.empty()) error = {ErrorKind::unsupported, "config.json cannot be used"};
    return tl::make_unexpected(std::move(error).in(side));
  }
  const TextConfig& t = repo.config.text;
  if (!repo.config.supported) {
    return fail(ErrorKind::unsupported, fmt::format("{}: architecture is not computed", side));
  }
  if (t.attention_bias) {
    return fail(ErrorKind::unsupported, fmt::format("{}: attention_bias is not computed", side));
  }
  return {};
}

// Fields that decide the computation; layer types and the rotary embedding are compared apart.
struct Field {
  std::string_view name;
  std::int64_t TextConfig::*value;
};

constexpr Field kFields[] = {
    {"vocab_size", &TextConfig::vocab_size},
    {"hidden_size", &TextConfig::hidden_size},
    {"num_hidden_layers", &TextConfig::num_hidden_layers},
    {"num_attention_heads", &TextConfig::num_attention_heads},
    {"num_key_value_heads", &TextConfig::num_key_value_heads},
    {"head_dim", &TextConfig::head_dim},
    {"linear_num_key_heads", &TextConfig::linear_num_key_heads},
    {"linear_num_value_heads", &TextConfig::linear_num_value_heads},
    {"linear_key_head_dim", &TextConfig::linear_key_head_dim},
    {"linear_value_head_dim", &TextConfig::linear_value_head_dim},
    {"linear_conv_kernel_dim", &TextConfig::linear_conv_kernel_dim},
};

constexpr Field kMoeFields[] = {
    {"num_experts", &TextConfig::num_experts},
    {"num_experts_per_tok", &TextConfig::num_experts_per_tok},
    {"moe_intermediate_size", &TextConfig::moe_intermediate_size},
    {"shared_expert_intermediate_size", &TextConfig::shared_expert_intermediate_size},
};

constexpr Field kDenseFields[] = {{"intermediate_size", &TextConfig::intermediate_size}};

template <class T>
Result<void> equal(std::string_view name, const T& reference, const T& candidate) {
  if (reference == candidate) return {};
  return fail(ErrorKind::format, fmt::format("the models differ: {} is {} in the reference, {} in "
                                             "the candidate",
                                             name, reference, candidate));
}

Result<void> compare_fields(std::span<const Field> fields, const TextConfig& r,
                            const TextConfig& c) {
  for (const Field& f : fields) {
    CKPT_TRY_VOID(equal(f.name, r.*f.value, c.*f.value), "config.json");
  }
  return {};
}

Result<void> compare_rope(const config::RopeConfig& r, const config::RopeConfig& c) {
  CKPT_TRY_VOID(equal("rope_theta", r.theta, c.theta), "config.json");
  CKPT_TRY_VOID(equal("partial_rotary_factor", r.partial_rotary_factor, c.partial_rotary_factor),
                "config.json");
  if (r.type != c.type) return fail(ErrorKind::format, "the models differ: rope_type");
  if (r.type == "default") return {};
  CKPT_TRY_VOID(equal("rope factor", r.factor, c.factor), "config.json");
  return equal("original_max_position_embeddings", r.original_max_position,
               c.original_max_position);
}

/// What the towers compute must be the same too when images are fed.
Result<void> check_images(const KlArgs& args) {
  if (args.images.empty()) return {};
  using config::VisionConfig;
  constexpr std::pair<std::string_view, std::int64_t VisionConfig::*> kVision[] = {
      {"depth", &VisionConfig::depth},
      {"hidden_size", &VisionConfig::hidden_size},
      {"num_heads", &VisionConfig::num_heads},
      {"intermediate_size", &VisionConfig::intermediate_size},
      {"patch_size", &VisionConfig::patch_size},
      {"temporal_patch_size", &VisionConfig::temporal_patch_size},
      {"spatial_merge_size", &VisionConfig::spatial_merge_size},
      {"num_position_embeddings", &VisionConfig::num_position_embeddings},
      {"out_hidden_size", &VisionConfig::out_hidden_size},
  };
  const auto& r = args.reference.config.vision;
  const auto& c = args.candidate.config.vision;
  if (!r) return fail(ErrorKind::unsupported, "images: the reference has no vision tower");
  if (!c) return fail(ErrorKind::unsupported, "images: the candidate has no vision tower");
  for (const auto& [name, field] : kVision) {
    CKPT_TRY_VOID(equal(name, (*r).*field, (*c).*field), "vision_config");
  }
  CKPT_TRY_VOID(equal("vision rope_theta", r->rope_theta, c->rope_theta), "vision_config");
  CKPT_TRY_VOID(
      equal("out_hidden_size", r->out_hidden_size, args.reference.config.text.hidden_size),
      "vision_config");
  const auto& sections = args.reference.config.text.rope.mrope_section;
  if (sections != args.candidate.config.text.rope.mrope_section) {
    return fail(ErrorKind::format, "the models differ: mrope_section");
  }
  CKPT_TRY_VOID(forward::check_vision(*r), "reference");
  return forward::check_vision(*c);
}

/// What every position of the run is.
std::vector<metrics::Kind> kinds_of(const KlArgs& args) {
  std::vector<metrics::Kind> out;
  auto image = args.images.begin();
  for (std::size_t s = 0; s < args.sequences.size(); ++s) {
    const std::size_t first = out.size();
    out.resize(first + args.sequences[s].size(), metrics::Kind::text);
    for (; image != args.images.end() && image->sequence == s; ++image) {
      const auto at = static_cast<std::ptrdiff_t>(first) + image->position;
      const auto end = at + image->tokens(*args.reference.config.vision);
      std::fill(out.begin() + at, out.end(), metrics::Kind::text_after_image);
      std::fill(out.begin() + at, out.begin() + end, metrics::Kind::image);
    }
  }
  return out;
}

Result<void> check_tokens(const KlArgs& args) {
  if (args.sequences.empty()) return fail(ErrorKind::usage, "no tokens to compare on");
  for (const auto& sequence : args.sequences) {
    if (sequence.empty()) return fail(ErrorKind::usage, "a sequence without tokens");
  }
  return {};
}

}  // namespace

kernels::Rounding weight_rounding(const KlArgs& args) {
  const bool rounded = args.bf16_weights.value_or(args.mode != forward::Mode::fp32);
  return rounded ? kernels::Rounding::bf16 : kernels::Rounding::none;
}

Result<void> check_comparable(const OpenedRepo& reference, const OpenedRepo& candidate) {
  CKPT_TRY_VOID(check_supported(reference, "reference"), "kl");
  CKPT_TRY_VOID(check_supported(candidate, "candidate"), "kl");
  const TextConfig& r = reference.config.text;
  const TextConfig& c = candidate.config.text;
  CKPT_TRY_VOID(equal("experts or dense", r.moe ? 1 : 0, c.moe ? 1 : 0), "kl");
  CKPT_TRY_VOID(compare_fields(kFields, r, c), "kl");
  if (r.moe) {
    CKPT_TRY_VOID(compare_fields(kMoeFields, r, c), "kl");
  } else {
    CKPT_TRY_VOID(compare_fields(kDenseFields, r, c), "kl");
  }
  CKPT_TRY_VOID(equal("rms_norm_eps", r.rms_norm_eps, c.rms_norm_eps), "kl");
  if (r.layer_types != c.layer_types) {
    return fail(ErrorKind::format, "kl: the models differ: layer_types");
  }
  CKPT_TRY_VOID(compare_rope(r.rope, c.rope), "kl");
  return {};
}

namespace {

/// Bytes of each layer on both sides.
std::vector<std::uint64_t> layer_bytes(const forward::Pair& pair) {
  std::vector<std::uint64_t> out;
  for (const weights::Model* model : {&pair.reference, &pair.candidate}) {
    out.resize(static_cast<std::size_t>(model->config().text.num_hidden_layers));
    const auto& modules = model->blueprint().modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      const arch::Module& m = modules[i];
      if (m.layer < 0 || m.cls == arch::ModuleClass::vision || m.cls == arch::ModuleClass::mtp) {
        continue;
      }
      out[static_cast<std::size_t>(m.layer)] += model->bytes(i);
    }
  }
  return out;
}

/// Takes the disturbed reference, the last variant, out of the record and says what it comes to.
results::NoiseFloor take_noise_floor(metrics::Record& record, std::uint64_t seed) {
  const std::vector<double> noise = std::move(record.variant_kl.back());
  record.variant_kl.pop_back();
  const std::vector<double> kl = metrics::kl_of(record);
  std::vector<double> excess(kl.size());
  std::ranges::transform(kl, noise, excess.begin(), std::minus<>());
  const results::Distribution d = metrics::summarize(excess, record.lengths, seed);
  return {metrics::summarize(noise, record.lengths).mean, d.mean, d.ci95};
}

Result<std::unique_ptr<FileJournal>> open_journal(const KlArgs& args, const std::string& key,
                                                  std::size_t passes, metrics::Record& record) {
  std::unique_ptr<FileJournal> journal;
  if (args.journal.empty()) return journal;
  CKPT_TRY(journal, FileJournal::open(args.journal, key, record, args.journal_interval), "journal");
  const auto start = journal->start();
  if (!start && args.must_resume) {
    return fail(ErrorKind::not_found, "there is no state to resume in the folder");
  }
  if (start && (static_cast<std::size_t>(start->pass) > passes ||
                start->layer > args.reference.config.text.num_hidden_layers)) {
    return fail(ErrorKind::format, "the journal names a place beyond the run: remove it");
  }
  if (start && args.note) {
    args.note(
        fmt::format("going on from the journal: pass {}, layer {}", start->pass + 1, start->layer));
  }
  return journal;
}

Result<forward::Plan> plan_of(const KlArgs& args, const forward::Pair& pair, std::uint64_t budget) {
  const std::uint64_t extra =
      args.images.empty() ? 0 : forward::vision_token_bytes(*args.reference.config.vision);
  return forward::make_plan(pair, args.reference.config.text, args.sequences, budget,
                            args.variants.size(), extra);
}

/// Whose each layer is. In a single pass they take turns, so that all read while one computes; when
/// there are several, neighbours stay together and the passes follow each other through them.
/// Errors: usage (more processes than layers).
Result<std::vector<int>> share_layers(const KlArgs& args, const forward::Pair& pair,
                                      std::size_t passes) {
  const int parts = args.transport->size();
  const std::vector<std::uint64_t> bytes = layer_bytes(pair);
  const std::vector<int> bounds = split_layers(bytes, parts);
  if (bounds.empty()) {
    return fail(ErrorKind::usage, fmt::format("{} {} for {} layers: use fewer", parts,
                                              args.transport->members(), bytes.size()));
  }
  if (args.note)
    args.note(fmt::format("{} {} share {} layers", parts, args.transport->members(), bytes.size()));
  return passes == 1 ? deal_layers(bytes.size(), parts) : owners_of(bounds);
}

/// Of those that share a run, one speaks for all.
bool reports(const KlArgs& args) {
  return args.transport == nullptr || args.transport->rank() == 0;
}

/// The forward pass, alone or with others, into the record.
Result<void> stream(const KlArgs& args, const forward::Pair& pair, forward::Plan plan,
                    metrics::Record& record) {
  const TextConfig& text = args.reference.config.text;
  CKPT_TRY(const auto journal,
           open_journal(args, run_key(args, plan.text(), backend_name(args)), plan.passes.size(),
                        record),
           "journal");
  std::optional<PipelineShare> share;
  if (args.transport != nullptr) {
    const std::size_t passes = plan.passes.size();
    CKPT_TRY(std::vector<int> owners, share_layers(args, pair, passes), "kl");
    share.emplace(*args.transport, std::move(owners), passes);
    // The others' turns are time to read in.
    plan.read_ahead_bytes += args.memory_bytes - std::min(args.memory_bytes, plan.peak_bytes);
  }
  NoProgress silent;
  metrics::Collector collector(record, args.observer);
  const Result<void> done =
      forward::run_forward({.pair = pair,
                            .config = text,
                            .sequences = args.sequences,
                            .plan = plan,
                            .ops = *args.ops,
                            .taps = record.taps,
                            .observer = collector,
                            .progress = reports(args) ? args.progress : silent,
                            .mode = args.mode,
                            .exact_router = args.exact_router,
                            .variants = args.variants,
                            .local = args.local,
                            .weight_rounding = weight_rounding(args),
                            .journal = journal.get(),
                            .share = share ? &*share : nullptr,
                            .images = args.images,
                            .stop = args.stop});
  return share ? share->finish(done, record) : done;
}

/// What every process must find before any of them begins; the memory that all have.
Result<std::uint64_t> meet(const KlArgs& args) {
  Result<void> ready = check_tokens(args);
  if (ready) ready = check_comparable(args.reference, args.candidate);
  if (ready) ready = check_images(args);
  if (args.transport == nullptr) {
    CKPT_TRY_VOID(std::move(ready), "comparison");
    return plan_memory(args);
  }
  const std::string key = ready ? run_key(args, {}, backend_name(args)) : std::string{};
  return agree_on_run(*args.transport, ready, key, plan_memory(args));
}

// One attempt with a plan.
Result<KlOutcome> run_planned(const KlArgs& args, const forward::Pair& pair,
                              const forward::Plan& plan) {
  const TextConfig& text = args.reference.config.text;
  if (args.note) args.note(fmt::format("memory: {}", plan.text()));
  metrics::Record record;
  for (const auto& sequence : args.sequences) record.lengths.push_back(sequence.size());
  CKPT_TRY_VOID(stream(args, pair, plan, record), "forward");
  if (!record.complete(text.layer_types.size())) {
    return fail(ErrorKind::format, args.journal.empty()
                                       ? "the numbers do not fit the run"
                                       : "the journal's numbers do not fit the run: remove it");
  }
  std::optional<results::NoiseFloor> noise;
  if (args.noise_floor) noise = take_noise_floor(record, args.seed);
  results::Metrics metrics = metrics::metrics_of(record, text, args.seed);
  metrics.noise_floor = noise;
  if (!args.images.empty()) metrics.modalities = metrics::by_modality(record, kinds_of(args));
  // A sequence that is cut at the place may lack a part of an image.
  const bool again = args.explain_overflow && args.images.empty();
  if (args.mode == forward::Mode::fp16 && again && reports(args)) {
    CKPT_TRY_VOID(add_fp32_values(args, pair, *args.ops, metrics), "overflow");
  }
  return KlOutcome{std::move(metrics), std::move(record)};
}

/// One attempt of all devices, with a part of the memory for each; the first one's outcome.
Result<KlOutcome> attempt_on_devices(const KlArgs& args, std::uint64_t memory) {
  const auto size = static_cast<int>(args.devices.size());
  Post post(size);
  const auto run = [&](int rank) {
    LocalTransport transport(post, rank);
    KlArgs mine = args;
    mine.ops = args.devices[static_cast<std::size_t>(rank)];
    mine.transport = &transport;
    mine.memory_bytes = memory;
    if (rank > 0) mine.note = {};
    return run_kl(mine);
  };
  std::vector<std::jthread> others;  // what they come to, the first one hears
  for (int rank = 1; rank < size; ++rank) {
    others.emplace_back([&run, rank] { static_cast<void>(run(rank)); });
  }
  return run(0);
}

/// As run_planned() on one device: what the devices refuse is tried again in smaller pieces.
Result<KlOutcome> run_on_devices(const KlArgs& args) {
  constexpr int kTries = 6;
  std::uint64_t memory = args.memory_bytes / args.devices.size();
  Result<KlOutcome> first = attempt_on_devices(args, memory);
  for (int i = 1; i < kTries && !first && first.error().kind == ErrorKind::memory; ++i) {
    memory /= 2;
    Result<KlOutcome> next = attempt_on_devices(args, memory);
    if (next || next.error().kind != ErrorKind::memory) return next;
  }
  return first;
}

}  // namespace

Result<std::unique_ptr<kernels::Ops>> supply_ops(KlArgs& args) {
  std::unique_ptr<kernels::Ops> made;
  if (args.ops != nullptr) return made;
  CKPT_TRY(made, kernels::make_cpu_ops(args.pool), "backend");
  args.ops = made.get();
  return made;
}

std::uint64_t plan_memory(const KlArgs& args) {
  const std::uint64_t device = args.ops->memory();
  return device == 0 ? args.memory_bytes : std::min(args.memory_bytes, device);
}

std::string backend_name(const KlArgs& args) {
  if (args.devices.empty()) return std::string(args.ops->name());
  std::string name;
  for (const kernels::Ops* ops : args.devices) {
    name += fmt::format("{}{}", name.empty() ? "" : " + ", ops->name());
  }
  return name;
}

Result<KlOutcome> run_kl(const KlArgs& given) {
  KlArgs args = given;
  CKPT_TRY(const auto own, supply_ops(args), "kl");
  if (!args.devices.empty() && args.transport == nullptr) return run_on_devices(args);
  CKPT_TRY_VOID(args.ops->enter(), "backend");
  std::vector<forward::Variant> variants(given.variants.begin(), given.variants.end());
  if (args.noise_floor) variants.push_back({forward::Stream::reference, {}, true});
  args.variants = variants;
  CKPT_TRY(std::uint64_t budget, meet(args), "kl");
  const weights::Model reference(args.reference.checkpoint, args.reference.config,
                                 *args.reference.blueprint, args.reference.stored);
  const weights::Model candidate(args.candidate.checkpoint, args.candidate.config,
                                 *args.candidate.blueprint, args.candidate.stored);
  const forward::Pair pair{reference, candidate};
  CKPT_TRY(forward::Plan plan, plan_of(args, pair, budget), "kl");
  if (args.note) {
    args.note(fmt::format("backend {}, {} thread{}", backend_name(args), args.pool.size(),
                          args.pool.size() == 1 ? "" : "s"));
  }
  for (;;) {
    Result<KlOutcome> outcome = run_planned(args, pair, plan);
    // A plan knows what weights take on the host; decoded on a device they take more.
    const bool short_of = !outcome && outcome.error().kind == ErrorKind::memory;
    if (!short_of || args.ops->memory() == 0 || args.transport != nullptr) return outcome;
    budget /= 2;
    auto smaller = plan_of(args, pair, budget);
    if (!smaller) return outcome;
    plan = *std::move(smaller);
    if (args.note) {
      args.note(fmt::format("{}: again in smaller pieces", outcome.error().message));
    }
  }
}

}  // namespace ckpt::pipeline
