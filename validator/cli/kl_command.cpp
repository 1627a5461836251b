#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "kernels/devices.h"
#include "validator/base/heap.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/gates.h"
#include "validator/pipeline/kl.h"
#include "validator/pipeline/token_names.h"
#include "validator/pipeline/tokens.h"

namespace ckpt::cli {
namespace {

using results::Results;

constexpr std::uint64_t kLeastMemory = 256ULL << 20;

std::uint64_t number_in(const std::string& path, std::string_view key) {
  std::ifstream in(path);
  std::string word;
  while (in >> word) {
    if (!key.empty() && word != key) continue;
    if (!key.empty() && !(in >> word)) break;
    return std::strtoull(word.c_str(), nullptr, 10);
  }
  return 0;
}

/// Three quarters of what is free, and never more than a control group allows.
std::uint64_t default_memory() {
  constexpr std::uint64_t kKilo = 1024;
  std::uint64_t free_bytes = number_in("/proc/meminfo", "MemAvailable:") * kKilo;
  for (const char* file :
       {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    const std::uint64_t limit = number_in(file, "");
    if (limit != 0 && (free_bytes == 0 || limit < free_bytes)) free_bytes = limit;
  }
  return free_bytes == 0 ? 4ULL << 30 : std::max(kLeastMemory, free_bytes / 4 * 3);
}

Result<std::uint64_t> memory_of(const KlArgs& args) {
  if (args.memory.empty()) return default_memory();
  std::uint64_t bytes = 0;
  if (!parse_size(args.memory, bytes) || bytes == 0) {
    return fail(ErrorKind::usage, fmt::format("--memory `{}`: write a size such as 8G or 16Gi",
                                              shown(args.memory, 40)));
  }
  return bytes;
}

std::string state_folder() {
  const auto env = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string{} : std::string(value);
  };
  std::string base = env("XDG_STATE_HOME");
  if (base.empty() && !env("HOME").empty()) base = env("HOME") + "/.local/state";
  return base.empty() ? base : base + "/ckpt-check/runs";
}

/// Keeps the results of a long run although no file was asked for; says where, or nothing.
void keep(Results& r) {
  const std::string base = state_folder();
  if (base.empty()) return;
  std::string name = r.run.started.empty() ? "run" : r.run.started.substr(0, 16);
  std::erase(name, ':');
  const std::string folder = fmt::format("{}/{}-{:04x}", base, name, ::getpid() & 0xFFFF);
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

class KlRun {
 public:
  KlRun(const GlobalOptions& global, const KlArgs& args, Interrupt& interrupt,
        policy::Settings settings)
      : global_(global), args_(args), interrupt_(interrupt), settings_(std::move(settings)) {
    // Only waivers of gates concern this command; `check` judges the others.
    std::erase_if(settings_.waivers,
                  [](const policy::Waiver& w) { return !w.code.starts_with("NUM"); });
  }

  /// The whole run; what went wrong is in the results.
  Results run() {
    const auto begin = std::chrono::steady_clock::now();
    r_.run.command = "kl";
    r_.run.depth = "forward";
    r_.target.input = shown(args_.target, 1000);
    if (!global_.reproducible) r_.run.started = timestamp();
    const Result<void> done = measure();
    if (!done) r_.run.incomplete.push_back({"kl", done.error().message});
    pipeline::judge_gates(r_);
    policy::apply_severities(r_, settings_.severity);
    policy::apply_waivers(r_, settings_, policy::today());
    for (results::Gate& g : r_.gates) {
      if (g.status.empty()) g.status = "missing";
    }
    if (!global_.reproducible) {
      r_.run.duration_s =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }
    r_.run.fail_on = args_.fail_on.empty() ? settings_.fail_on.value_or("error") : args_.fail_on;
    pipeline::judge(r_, parse_fail_on(r_.run.fail_on));
    if (r_.metrics) keep(r_);
    return std::move(r_);
  }

 private:
  const GlobalOptions& global_;
  const KlArgs& args_;
  Interrupt& interrupt_;
  policy::Settings settings_;
  Results r_;

  Result<void> measure() {
    for (const std::string& g : args_.gates) {
      CKPT_TRY(results::Gate gate, pipeline::parse_gate(g), "--gate");
      if (args_.skip_local && gate.code == "NUM004") {
        return fail(ErrorKind::usage, fmt::format("--gate {} needs the local errors that "
                                                  "--skip-local leaves out",
                                                  gate.name));
      }
      r_.gates.push_back(std::move(gate));
    }
    CKPT_TRY(const std::uint64_t memory, memory_of(args_), "usage");
    CKPT_TRY(const auto candidate, pipeline::open_target(args_.target), "candidate");
    r_.target = pipeline::target_of(*candidate);
    r_.checkpoint = pipeline::facts_of(*candidate);
    CKPT_TRY(const auto reference, pipeline::open_target(args_.reference), "reference");
    CKPT_TRY_VOID(pipeline::check_comparable(*reference, *candidate), "cannot compare");
    CKPT_TRY(const pipeline::TokenSet tokens,
             pipeline::read_tokens({args_.text, args_.token_ids, asked_tokens(), args_.context},
                                   *reference),
             "input");
    fill_how(*reference, tokens, memory);
    return forward(*reference, *candidate, tokens, memory);
  }

  /// Ids from a file are all used unless --tokens was given; a text is cut to the default.
  std::uint64_t asked_tokens() const {
    const bool given = args_.tokens != KlArgs{}.tokens;
    return args_.token_ids.empty() || given ? args_.tokens : 0;
  }

  void fill_how(const pipeline::OpenedRepo& reference, const pipeline::TokenSet& tokens,
                std::uint64_t memory) {
    r_.how.reference = shown(reference.repo.input(), 1000);
    r_.how.text = tokens.label;
    r_.how.text_sha256 = tokens.sha256;
    r_.how.tokens = tokens.total;
    r_.how.sequences = tokens.sequences.size();
    r_.how.context = args_.context;
    for (const auto& s : tokens.sequences) {
      if (!args_.token_ids.empty()) r_.how.context = std::max<std::uint64_t>(s.size(), 1);
    }
    r_.how.mode = args_.mode;
    r_.how.backend = "cpu";
    r_.how.memory_budget_bytes = memory;
    r_.how.seed = args_.seed;
    if (tokens.shorter_than_asked) {
      r_.notes.push_back(fmt::format("the text has {} tokens, fewer than the {} asked for",
                                     with_commas(tokens.total), with_commas(args_.tokens)));
    }
  }

  Result<void> forward(const pipeline::OpenedRepo& reference, const pipeline::OpenedRepo& candidate,
                       const pipeline::TokenSet& tokens, std::uint64_t memory) {
    for (const kernels::Device& d : kernels::cuda_devices()) {
      r_.notes.push_back(
          fmt::format("{} is present; this version computes on the CPU", shown(d.name, 80)));
    }
    constexpr std::size_t kHeapBytes = 1U << 30;  // address space; used as --memory allows
    prepare_heap(kHeapBytes);
    ThreadPool pool(global_.threads);
    const auto progress = make_progress(global_.progress_mode());
    pipeline::KlArgs run{.reference = reference,
                         .candidate = candidate,
                         .sequences = tokens.sequences,
                         .pool = pool,
                         .progress = *progress,
                         .mode = mode_of(args_.mode),
                         .local = !args_.skip_local,
                         .memory_bytes = memory,
                         .stop = interrupt_.token(),
                         .note = [this](std::string_view text) {
                           if (global_.quiet == 0) complain(text);
                         }};
    CKPT_TRY(pipeline::KlOutcome outcome, pipeline::run_kl(run), "forward");
    pipeline::name_tokens(reference, tokens, outcome.metrics);
    r_.metrics = std::move(outcome.metrics);
    return {};
  }
};

/// Options that were not given come from the configuration.
KlArgs with_settings(KlArgs args, const policy::Settings& s) {
  const KlArgs plain;
  if (args.reference.empty()) args.reference = s.reference.value_or("");
  if (args.text == plain.text && args.token_ids.empty()) args.text = s.text.value_or(args.text);
  if (args.tokens == plain.tokens) args.tokens = s.tokens.value_or(args.tokens);
  if (args.context == plain.context) args.context = s.context.value_or(args.context);
  if (args.mode == plain.mode) args.mode = s.mode.value_or(args.mode);
  args.gates.insert(args.gates.end(), s.gates.begin(), s.gates.end());
  return args;
}

}  // namespace

int run_kl_command(const GlobalOptions& global, const KlArgs& given, Interrupt& interrupt) {
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
  std::vector<Results> all;
  all.push_back(KlRun(global, args, interrupt, *std::move(settings)).run());
  const int code = deliver(all, global, parse_show(args.show).value_or(1));
  return interrupt.exit_code() != 0 ? interrupt.exit_code() : code;
}

}  // namespace ckpt::cli
