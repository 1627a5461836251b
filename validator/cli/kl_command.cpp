#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "kernels/devices.h"
#include "validator/base/heap.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/kl_combinations.h"
#include "validator/cli/kl_machine.h"
#include "validator/cli/options.h"
#include "validator/metrics/collector.h"
#include "validator/metrics/compare.h"
#include "validator/pipeline/attribution.h"
#include "validator/pipeline/bundle.h"
#include "validator/pipeline/gates.h"
#include "validator/pipeline/journal.h"
#include "validator/pipeline/kl.h"
#include "validator/pipeline/part.h"
#include "validator/pipeline/prompts.h"
#include "validator/pipeline/shared_run.h"
#include "validator/pipeline/super_experts.h"
#include "validator/pipeline/token_names.h"
#include "validator/pipeline/tokens.h"

namespace ckpt::cli {
namespace {

using results::Results;

/// Keeps the results of a long run although no file was asked for; says where, or nothing.
void keep(Results& r) {
  const std::string base = state_folder();
  if (base.empty()) return;
  std::string name = r.run.started.empty() ? "run" : r.run.started.substr(0, 16);
  std::erase(name, ':');
  static int kept = 0;  // several candidates of one run
  const std::string again = kept == 0 ? "" : fmt::format("-{}", kept + 1);
  ++kept;
  const std::string folder = fmt::format("{}/{}-{:04x}{}", base, name, ::getpid() & 0xFFFF, again);
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = folder + "/results.json";
  const Result<void> written = error ? fail(ErrorKind::io, errno_text(error.value()))
                                     : write_file(path, results::to_json(r));
  if (written) {
    r.kept_in = shown(path, 1000);
  } else {
    r.notes.push_back(fmt::format("The results could not be kept: {}", written.error().message));
  }
}

forward::Mode mode_of(const std::string& text) {
  if (text == "bf16") return forward::Mode::bf16;
  return text == "fp16" ? forward::Mode::fp16 : forward::Mode::fp32;
}

pipeline::AttributionDetail detail_of(const std::string& text) {
  if (text == "class") return pipeline::AttributionDetail::cls;
  if (text == "both") return pipeline::AttributionDetail::both;
  return text == "expert" ? pipeline::AttributionDetail::expert
                          : pipeline::AttributionDetail::layer;
}

/// Parses the gates into the results. Errors: usage.
Result<void> add_gates(const std::vector<std::string>& texts, bool skip_local, Results& r) {
  for (const std::string& g : texts) {
    CKPT_TRY(results::Gate gate, pipeline::parse_gate(g), "--gate");
    if (skip_local && gate.code == "NUM004") {
      return fail(ErrorKind::usage, fmt::format("--gate {} needs the local errors that "
                                                "--skip-local leaves out",
                                                gate.name));
    }
    r.gates.push_back(std::move(gate));
  }
  return {};
}

/// Gates, severities, waivers, verdict.
void judge_run(Results& r, const policy::Settings& settings, const std::string& fail_on) {
  pipeline::judge_gates(r);
  policy::apply_severities(r, settings.severity);
  policy::apply_waivers(r, settings, policy::today());
  for (results::Gate& g : r.gates) {
    if (g.status.empty()) g.status = "missing";
  }
  r.run.fail_on = fail_on.empty() ? settings.fail_on.value_or("error") : fail_on;
  pipeline::judge(r, parse_fail_on(r.run.fail_on));
}

/// Only waivers of gates concern these commands; `check` judges the others.
policy::Settings gate_settings(policy::Settings settings) {
  std::erase_if(settings.waivers,
                [](const policy::Waiver& w) { return !w.code.starts_with("NUM"); });
  return settings;
}

/// What all candidates of a command share.
struct Common {
  const GlobalOptions& global;
  const KlArgs& args;
  Interrupt& interrupt;
  policy::Settings settings;
  std::uint64_t memory = 0;
  std::unique_ptr<pipeline::OpenedRepo> reference;  ///< null with a bundle
  std::unique_ptr<pipeline::Bundle> bundle;
  pipeline::TokenSet tokens;  ///< of all shards
  pipeline::Shard shard;
  std::vector<forward::Image> images;        ///< of all shards
  pipeline::Transport* transport = nullptr;  ///< to the processes that share the layers

  /// One process speaks for all.
  [[nodiscard]] bool speaks() const { return transport == nullptr || transport->rank() == 0; }
};

/// Opens a bundle, which brings its own tokens and mode.
Result<void> prepare_bundle(Common& c) {
  const KlArgs& a = c.args;
  for (const std::string& text : a.gates) {
    CKPT_TRY(const results::Gate gate, pipeline::parse_gate(text), "--gate");
    for (const std::string_view part : {"layers.", "experts.", "router."}) {
      if (!gate.name.starts_with(part)) continue;
      return fail(ErrorKind::usage, fmt::format("--gate {} needs the reference's weights: a bundle "
                                                "does not tell it",
                                                gate.name));
    }
  }
  CKPT_TRY(c.bundle, pipeline::Bundle::open(a.reference), "bundle");
  const pipeline::BundleFacts& f = c.bundle->facts();
  const KlArgs plain;
  if ((a.mode != plain.mode && a.mode != f.mode) || (a.text != plain.text && a.text != f.text)) {
    return fail(ErrorKind::usage, fmt::format("the bundle was made in mode {} on {}: mode and text "
                                              "are its own",
                                              f.mode, f.text));
  }
  c.tokens.sequences = c.bundle->sequences();
  c.tokens.label = f.text;
  c.tokens.sha256 = f.text_sha256;
  for (const auto& s : c.tokens.sequences) c.tokens.total += s.size();
  return {};
}

/// Files that a run leaves behind hold tokens and no images.
Result<void> check_prompts(const KlArgs& a) {
  if (a.prompts.empty()) return {};
  if (pipeline::Bundle::is_one(a.reference) || !a.save_bundle.empty() || !a.part.empty()) {
    return fail(ErrorKind::usage, "--prompts does not go with a bundle, --save-bundle or --part");
  }
  return {};
}

/// Opens the reference and reads the tokens, once for all candidates.
Result<void> prepare(Common& c) {
  CKPT_TRY(c.memory, memory_of(c.args.memory), "usage");
  CKPT_TRY_VOID(check_prompts(c.args), "usage");
  if (!c.args.shard.empty()) {
    CKPT_TRY(c.shard, pipeline::parse_shard(c.args.shard), "usage");
  }
  std::error_code error;
  if (!c.args.part.empty() && std::filesystem::exists(c.args.part, error)) {
    return fail(ErrorKind::usage,
                fmt::format("--part {}: there is such a file already", shown(c.args.part, 200)));
  }
  if (pipeline::Bundle::is_one(c.args.reference)) return prepare_bundle(c);
  if (std::filesystem::is_regular_file(c.args.reference, error) &&
      !c.args.reference.ends_with(".safetensors") && !c.args.reference.ends_with(".json")) {
    return fail(ErrorKind::format, fmt::format("{} is neither a checkpoint nor a whole bundle",
                                               shown(c.args.reference, 200)));
  }
  CKPT_TRY(c.reference, pipeline::open_target(c.args.reference), "reference");
  // Ids and prompts are all used unless --tokens was given; a text is cut to the default.
  const bool given = c.args.is_given("--tokens") || c.args.tokens != KlArgs{}.tokens;
  if (!c.args.prompts.empty()) {
    CKPT_TRY(auto prompts,
             pipeline::read_prompts(c.args.prompts, given ? c.args.tokens : 0, *c.reference),
             "input");
    c.tokens = std::move(prompts.tokens);
    c.images = std::move(prompts.images);
    return {};
  }
  const std::uint64_t asked = c.args.token_ids.empty() || given ? c.args.tokens : 0;
  CKPT_TRY(
      c.tokens,
      pipeline::read_tokens({c.args.text, c.args.token_ids, asked, c.args.context}, *c.reference),
      "input");
  return {};
}

class KlRun {
 public:
  KlRun(const Common& common, const std::string& target)
      : c_(common), args_(common.args), target_(target) {}

  /// The whole run; what went wrong is in the results.
  Results run(const Result<void>& prepared) {
    const auto begin = std::chrono::steady_clock::now();
    r_.run.command = "kl";
    r_.run.depth = "forward";
    r_.target.input = shown(target_, 1000);
    if (!c_.global.reproducible) r_.run.started = timestamp();
    Result<void> done = add_gates(args_.gates, args_.skip_local, r_);
    if (done) done = prepared;
    if (done) done = open();
    if (c_.transport != nullptr) done = pipeline::agree(*c_.transport, done);
    if (done) done = measure();
    if (!done) r_.run.incomplete.push_back({"kl", done.error().message});
    judge_run(r_, c_.settings, args_.fail_on);
    if (!c_.global.reproducible) {
      r_.run.duration_s =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    if (r_.metrics && c_.speaks()) keep(r_);
    return std::move(r_);
  }

  /// KL of every position, for the ranking; empty when the run failed.
  [[nodiscard]] const std::vector<double>& kl() const { return kl_; }

 private:
  const Common& c_;
  const KlArgs& args_;
  const std::string& target_;
  Results r_;
  std::vector<double> kl_;
  std::vector<forward::Image> images_;  ///< of this shard
  std::unique_ptr<pipeline::OpenedRepo> candidate_;

  Result<void> open() {
    CKPT_TRY(candidate_, pipeline::open_target(target_), "candidate");
    r_.target = pipeline::target_of(*candidate_);
    r_.checkpoint = pipeline::facts_of(*candidate_);
    if (!c_.reference) return {};
    note_roles();
    return pipeline::check_comparable(*c_.reference, *candidate_);
  }

  /// What looks like a mistake of the command line, and may be meant.
  void note_roles() {
    const pipeline::OpenedRepo& reference = *c_.reference;
    std::error_code error;
    if (std::filesystem::equivalent(reference.repo.folder(), candidate_->repo.folder(), error) &&
        reference.repo.single_file() == candidate_->repo.single_file()) {
      r_.notes.emplace_back("this is compared with itself: every distance is that of equal models");
    } else if (reference.config.quant && !candidate_->config.quant) {
      r_.notes.emplace_back(
          "the reference is quantized and this is not: are the two in the wrong order?");
    }
  }

  Result<void> measure() {
    const auto [first, last] = pipeline::shard_range(c_.shard, c_.tokens.sequences.size());
    if (first == last) {
      return fail(ErrorKind::usage, fmt::format("{} sequences do not fill {} shards",
                                                c_.tokens.sequences.size(), c_.shard.count));
    }
    pipeline::TokenSet tokens = c_.tokens;
    tokens.sequences.assign(c_.tokens.sequences.begin() + static_cast<std::ptrdiff_t>(first),
                            c_.tokens.sequences.begin() + static_cast<std::ptrdiff_t>(last));
    images_ = pipeline::images_of(c_.images, first, last);
    fill_how(tokens);
    return forward(*candidate_, tokens);
  }

  void fill_how(const pipeline::TokenSet& tokens) {
    r_.how.reference = c_.bundle ? fmt::format("{} (bundle of {})", shown(args_.reference, 500),
                                               c_.bundle->facts().reference)
                                 : shown(c_.reference->repo.input(), 1000);
    r_.how.text = tokens.label;
    r_.how.text_sha256 = tokens.sha256;
    r_.how.sequences = tokens.sequences.size();
    r_.how.context = args_.context;
    std::uint64_t longest = 0;
    for (const auto& s : tokens.sequences) {
      r_.how.tokens += s.size();
      if (!args_.token_ids.empty() || c_.bundle) r_.how.context = s.size();
      longest = std::max<std::uint64_t>(longest, s.size());
    }
    if (!args_.prompts.empty()) r_.how.context = longest;
    r_.how.images = images_.size();
    r_.how.mode = c_.bundle ? c_.bundle->facts().mode : args_.mode;
    r_.how.memory_budget_bytes = c_.memory;
    r_.how.seed = args_.seed;
    if (tokens.shorter_than_asked) {
      r_.notes.push_back(fmt::format("the text has {} tokens, fewer than the {} asked for",
                                     with_commas(tokens.total), with_commas(args_.tokens)));
    }
    if (c_.bundle) {
      r_.notes.push_back(
          "with a bundle, NaN, Inf and range are looked at in the logits only, and "
          "there are no local errors and no routing");
    }
    if (c_.shard.count > 1) {
      r_.notes.push_back(fmt::format("shard {} of {}: numbers of a part of the text",
                                     c_.shard.index, c_.shard.count));
    }
  }

  Result<void> forward(const pipeline::OpenedRepo& candidate, const pipeline::TokenSet& tokens) {
    constexpr std::size_t kHeapBytes = 1U << 30;  // address space; used as --memory allows
    prepare_heap(kHeapBytes);
    ThreadPool pool(c_.global.threads);
    CKPT_TRY(kernels::Backend backend, kernels::parse_backend(args_.backend), "--backend");
    r_.how.backend = backend.cuda() ? "cuda" : "cpu";
    if (c_.transport != nullptr && backend.cuda()) {  // a device for each process, in turn
      const auto turn = static_cast<std::size_t>(c_.transport->rank()) % backend.devices.size();
      backend.devices = {backend.devices[turn]};
    }
    auto ops = kernels::open_backend(backend, pool, c_.memory);
    Result<void> opened;
    if (!ops) opened = tl::make_unexpected(ops.error());
    if (c_.transport != nullptr) opened = pipeline::agree(*c_.transport, opened);
    CKPT_TRY_VOID(std::move(opened), "backend");
    std::vector<kernels::Ops*> devices;
    for (const auto& one : *ops) devices.push_back(one.get());
    const auto progress = make_progress(c_.global.progress_mode());
    const pipeline::OpenedRepo& named = c_.reference ? *c_.reference : candidate;
    pipeline::KlArgs run{.reference = named,
                         .candidate = candidate,
                         .sequences = tokens.sequences,
                         .pool = pool,
                         .progress = *progress,
                         .ops = devices.front(),
                         .devices = devices.size() > 1 ? std::span<kernels::Ops* const>(devices)
                                                       : std::span<kernels::Ops* const>(),
                         .images = images_,
                         .images_sha256 = tokens.sha256,
                         .mode = mode_of(r_.how.mode),
                         .local = !args_.skip_local,
                         .noise_floor = args_.noise_floor,
                         .seed = args_.seed,
                         .memory_bytes = c_.memory,
                         .journal = args_.resume.empty() ? args_.journal : args_.resume,
                         .journal_interval = std::chrono::seconds(args_.journal_interval),
                         .transport = c_.transport,
                         .must_resume = !args_.resume.empty(),
                         .stop = c_.interrupt.token(),
                         .note = [this](std::string_view text) {
                           if (c_.global.quiet == 0) complain(text);
                         }};
    if (backend.cuda()) {
      r_.notes.push_back(fmt::format("computed on {}", shown(pipeline::backend_name(run), 400)));
    }
    CKPT_TRY(pipeline::KlOutcome outcome, run_with(run), "forward");
    pipeline::name_tokens(named, tokens, outcome.metrics);
    r_.metrics = std::move(outcome.metrics);
    pipeline::judge_super_experts(candidate, r_);
    kl_ = metrics::kl_of(outcome.record);
    return args_.part.empty() || !c_.speaks() ? Result<void>{}
                                              : write_part(run, std::move(outcome.record));
  }

  Result<pipeline::KlOutcome> run_with(pipeline::KlArgs& run) const {
    if (c_.bundle) return pipeline::run_kl(run, *c_.bundle);
    if (args_.save_bundle.empty()) return run_whole(run);
    CKPT_TRY(pipeline::BundleFacts facts, bundle_facts(run), "bundle");
    CKPT_TRY(const auto writer,
             pipeline::BundleWriter::create(args_.save_bundle, std::move(facts), run.sequences),
             "bundle");
    run.observer = writer.get();
    CKPT_TRY(pipeline::KlOutcome outcome, run_whole(run), "forward");
    CKPT_TRY_VOID(writer->finish(), "bundle");
    return outcome;
  }

  Result<pipeline::BundleFacts> bundle_facts(const pipeline::KlArgs& run) const {
    pipeline::BundleFacts f;
    f.version = CKPT_VERSION;
    f.reference = r_.how.reference;
    f.mode = args_.mode;
    f.backend = std::string(run.ops->name());
    f.layers = args_.bundle_detail == "layers";
    CKPT_TRY(f.head_sha256, pipeline::head_digest(run.reference), "reference");
    f.text = r_.how.text;
    f.text_sha256 = r_.how.text_sha256;
    const config::TextConfig& text = run.reference.config.text;
    f.config_sha256 = pipeline::config_digest(text);
    f.hidden_size = text.hidden_size;
    f.num_hidden_layers = text.num_hidden_layers;
    f.vocab_size = text.vocab_size;
    return f;
  }

  Result<pipeline::KlOutcome> run_whole(const pipeline::KlArgs& run) const {
    if (args_.attribute == "none") return pipeline::run_kl(run);
    pipeline::AttributionArgs how{.detail = detail_of(args_.attribute),
                                  .top_experts = args_.top_experts,
                                  .limit = {},
                                  .confirm = args_.confirm};
    for (const results::Gate& g : r_.gates) {
      if (g.name == "kl.mean" && g.op.starts_with('<')) how.limit = g.limit;
    }
    return pipeline::run_attribution(run, how);
  }

  Result<void> write_part(pipeline::KlArgs run, metrics::Record record) const {
    pipeline::Part part;
    pipeline::KlArgs whole{.reference = run.reference,
                           .candidate = run.candidate,
                           .sequences = c_.tokens.sequences,
                           .pool = run.pool,
                           .progress = run.progress,
                           .ops = run.ops,
                           .mode = run.mode,
                           .local = run.local,
                           .noise_floor = run.noise_floor,
                           .stop = {},
                           .note = {}};
    part.key = pipeline::run_key(whole, "", r_.how.backend);
    part.shard = c_.shard;
    part.results = r_;
    part.layer_types = c_.reference->config.text.layer_types;
    part.record = std::move(record);
    for (const auto& sequence : run.sequences) {
      part.tokens.insert(part.tokens.end(), sequence.begin(), sequence.end());
    }
    return pipeline::save_part(args_.part, part);
  }
};

/// Options that were not given come from the configuration.
KlArgs with_settings(KlArgs args, const policy::Settings& s) {
  const KlArgs plain;
  if (args.reference.empty()) args.reference = s.reference.value_or("");
  if (args.text == plain.text && args.token_ids.empty()) args.text = s.text.value_or(args.text);
  if (!args.is_given("--tokens") && args.tokens == plain.tokens) {
    args.tokens = s.tokens.value_or(args.tokens);
  }
  if (args.context == plain.context) args.context = s.context.value_or(args.context);
  if (args.mode == plain.mode) args.mode = s.mode.value_or(args.mode);
  args.gates.insert(args.gates.end(), s.gates.begin(), s.gates.end());
  return args;
}

bool several_devices(const KlArgs& args) {
  const auto backend = kernels::parse_backend(args.backend);
  return backend && backend->devices.size() > 1;
}

/// Ranks the candidates that were measured, on the last one's results.
void add_ranking(std::vector<Results>& all, const std::vector<std::vector<double>>& kl,
                 const Common& c) {
  std::vector<metrics::Contender> contenders;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (kl[i].empty()) continue;
    contenders.push_back({all[i].target.input, all[i].checkpoint.bytes, kl[i]});
  }
  if (contenders.size() < 2) return;
  std::vector<std::uint64_t> lengths;
  const auto [first, last] = pipeline::shard_range(c.shard, c.tokens.sequences.size());
  for (std::size_t s = first; s < last; ++s) lengths.push_back(c.tokens.sequences[s].size());
  all.back().ranking = metrics::rank(contenders, lengths, c.args.seed);
}

}  // namespace

int run_kl_command(const GlobalOptions& given_global, const KlArgs& given, Interrupt& interrupt) {
  const auto transport = pipeline::open_transport();
  if (!transport) {
    complain(transport.error().message);
    return 2;
  }
  GlobalOptions global = given_global;
  if (*transport && (*transport)->rank() != 0) {
    global.quiet = 2;
    global.progress = "none";
    hush();
  }
  auto settings = load_settings(global);
  if (!settings) {
    complain(settings.error().message);
    return 2;
  }
  const KlArgs args = with_settings(given, *settings);
  if (args.reference.empty()) {
    complain("kl needs --reference, or `reference` under [kl] in ckpt-check.toml");
    return 2;
  }
  const bool bundle = pipeline::Bundle::is_one(args.reference);
  if (const Result<void> usable =
          check_combinations(args, {bundle, *transport != nullptr || several_devices(args)});
      !usable) {
    complain(usable.error().message);
    return 2;
  }
  Common common{.global = global,
                .args = args,
                .interrupt = interrupt,
                .settings = gate_settings(*std::move(settings)),
                .transport = transport->get()};
  const Result<void> prepared = prepare(common);
  std::vector<Results> all;
  std::vector<std::vector<double>> kl;
  for (const std::string& target : args.targets) {
    KlRun run(common, target);
    all.push_back(run.run(prepared));
    kl.push_back(run.kl());
    if (interrupt.exit_code() != 0) break;
  }
  if (!common.speaks()) return interrupt.exit_code();
  add_ranking(all, kl, common);
  const int code = deliver(all, global, parse_show(args.show).value_or(1));
  return interrupt.exit_code() != 0 ? interrupt.exit_code() : code;
}

namespace {

/// The texts of tokens, when the reference's tokenizer can still be read.
void name_merged_tokens(const pipeline::Part& whole, Results& r) {
  const auto reference = pipeline::open_target(r.how.reference);
  if (!reference) return;
  pipeline::TokenSet tokens;
  auto at = whole.tokens.begin();
  for (const std::uint64_t n : whole.record.lengths) {
    const auto end = at + static_cast<std::ptrdiff_t>(n);
    tokens.sequences.emplace_back(at, end);
    at = end;
  }
  pipeline::name_tokens(**reference, tokens, *r.metrics);
}

}  // namespace

int run_merge_command(const GlobalOptions& global, const MergeArgs& args) {
  auto settings = load_settings(global);
  if (!settings) {
    complain(settings.error().message);
    return 2;
  }
  std::vector<pipeline::Part> parts;
  for (const std::string& path : args.parts) {
    auto part = pipeline::load_part(path);
    if (!part) {
      complain(fmt::format("{}: {}; merge takes files of `kl --shard I/N --part FILE`",
                           shown(path, 200), part.error().message));
      return 2;
    }
    parts.push_back(*std::move(part));
  }
  auto whole = pipeline::merge_parts(std::move(parts));
  if (!whole) {
    complain(whole.error().message);
    return 2;
  }
  std::vector<Results> all;
  all.push_back(std::move(whole->results));
  Results& r = all.back();
  std::erase_if(r.notes, [](const std::string& n) { return n.starts_with("shard "); });
  r.gates.clear();
  r.findings.clear();
  name_merged_tokens(*whole, r);
  std::vector<std::string> gates = args.gates;
  gates.insert(gates.end(), settings->gates.begin(), settings->gates.end());
  if (const Result<void> added = add_gates(gates, false, r); !added) {
    complain(added.error().message);
    return 2;
  }
  judge_run(r, gate_settings(*std::move(settings)), args.fail_on);
  return deliver(all, global, parse_show(args.show).value_or(1));
}

}  // namespace ckpt::cli
