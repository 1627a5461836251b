#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "validator/base/file.h"
#include "validator/base/heap.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/check.h"
#include "validator/rules/rule.h"

namespace ckpt::cli {
namespace {

results::Results unreadable(const std::string& target, const Error& error) {
  results::Results r;
  r.target.input = shown(target, 1000);
  r.run.verdict = "incomplete";
  r.run.exit_code = 2;
  r.run.incomplete.push_back({"target", error.message});
  return r;
}

/// The process is about to end: freeing a hundred thousand names would be for nothing.
void keep_open(std::unique_ptr<pipeline::OpenedRepo> opened) {
  static pipeline::OpenedRepo* last = nullptr;
  delete last;
  last = opened.release();
}

tl::unexpected<Error> unknown_gpu(const std::string& name) {
  const std::vector<std::string> names = loaders::gpu_names();
  const std::string_view near = nearest(name, names);
  return fail(
      ErrorKind::usage,
      fmt::format("--gpu `{}` is not known{}; write sm_NN, cpu or one of {}", shown(name, 40),
                  near.empty() ? "" : fmt::format(", did you mean `{}`?", near),
                  fmt::join(names, ", ")));
}

/// The device to serve on, when one is named.
Result<std::optional<loaders::Gpu>> gpu_of(const CheckArgs& args,
                                           const policy::Settings& settings) {
  const std::string name = args.gpu.empty() ? settings.gpu.value_or("") : args.gpu;
  const std::string memory =
      args.gpu_memory.empty() ? settings.gpu_memory.value_or("") : args.gpu_memory;
  std::optional<loaders::Gpu> gpu;
  if (!name.empty()) {
    gpu = loaders::find_gpu(name);
    if (!gpu) return unknown_gpu(name);
  }
  if (memory.empty()) return gpu;
  if (!gpu) return fail(ErrorKind::usage, "--gpu-memory needs --gpu, the device that has it");
  if (!parse_size(memory, gpu->memory_bytes) || gpu->memory_bytes < kSmallestMemory) {
    return fail(ErrorKind::usage,
                fmt::format("--gpu-memory `{}`: write a size such as 40Gi", shown(memory, 40)));
  }
  return gpu;
}

/// What options, then the configuration say.
Result<pipeline::CheckOptions> options_of(const CheckArgs& args, policy::Settings& settings) {
  pipeline::CheckOptions o;
  if (args.deep) o.values = true;
  if (args.headers_only) o.values = false;
  o.loaders = args.loaders.empty() ? settings.loaders : args.loaders;
  o.select = args.select.empty() ? settings.select : args.select;
  for (const std::vector<std::string>& more : {settings.extend_select, args.extend_select}) {
    // Without a selection everything runs already.
    if (!o.select.empty()) o.select.insert(o.select.end(), more.begin(), more.end());
  }
  o.tensor_parallel =
      args.tensor_parallel != 0 ? args.tensor_parallel : settings.tensor_parallel.value_or(0);
  o.expert_parallel =
      args.expert_parallel != 0 ? args.expert_parallel : settings.expert_parallel.value_or(0);
  o.preview = args.preview;
  CKPT_TRY(o.gpu, gpu_of(args, settings), "check");
  if (!settings.recipe.empty()) {
    CKPT_TRY(o.recipe, rules::read_recipe(settings.recipe), "configuration");
  }
  for (const auto* list : {&settings.select, &settings.extend_select, &settings.ignore}) {
    for (const std::string& code : *list) {
      const std::string wrong = no_such_code(code);
      if (!wrong.empty()) return fail(ErrorKind::usage, shown(settings.file, 1000) + ": " + wrong);
    }
  }
  o.ignore = settings.ignore;
  o.ignore.insert(o.ignore.end(), args.ignore.begin(), args.ignore.end());
  const std::string fail_on =
      args.fail_on.empty() ? settings.fail_on.value_or("error") : args.fail_on;
  o.fail_on = parse_fail_on(fail_on);
  settings.fail_on = fail_on;
  for (const std::string& s : args.severity) {
    const std::size_t eq = s.find('=');
    const std::string code = s.substr(0, eq);
    const std::string level = eq == std::string::npos ? "" : s.substr(eq + 1);
    if (rules::find_rule(code) == nullptr ||
        (level != "error" && level != "warning" && level != "info")) {
      return fail(ErrorKind::usage,
                  fmt::format("--severity `{}`: write CODE=error, CODE=warning or "
                              "CODE=info with the code of a rule",
                              shown(s, 60)));
    }
    settings.severity[code] = level == "error"     ? results::Severity::error
                              : level == "warning" ? results::Severity::warning
                                                   : results::Severity::info;
  }
  return o;
}

/// Leaves out the waivers of rules that this run does not look at: those of `kl` and prune-verify,
/// and those that were not selected.
void keep_relevant(std::vector<policy::Waiver>& waivers, const pipeline::CheckOptions& options) {
  const auto listed = [](const std::vector<std::string>& list, const std::string& code) {
    return std::ranges::any_of(list, [&code](const std::string& p) { return code.starts_with(p); });
  };
  std::erase_if(waivers, [&](const policy::Waiver& w) {
    return !rules::is_run(*rules::find_rule(w.code), options.preview) ||
           listed(options.ignore, w.code) ||
           (!options.select.empty() && !listed(options.select, w.code));
  });
}

/// Severities, waivers and the baseline, then the verdict anew.
Result<void> apply_policy(const policy::Settings& settings, const CheckArgs& args,
                          const pipeline::CheckOptions& options, results::Results& r) {
  policy::apply_severities(r, settings.severity);
  policy::apply_waivers(r, settings, policy::today());
  if (!args.baseline.empty()) {
    const std::string name = "--baseline " + shown(args.baseline, 1000);
    CKPT_TRY(const File file, open_file(args.baseline), name);
    CKPT_TRY(const std::string text, read_text(file, limits::kConfigBytes), name);
    CKPT_TRY_VOID(policy::apply_baseline(r, text), name);
  }
  note_unused_settings(settings, args.targets.empty() ? "" : r.target.input, r);
  pipeline::judge(r, options.fail_on);
  return {};
}

}  // namespace

int run_check_command(const GlobalOptions& global, const CheckArgs& args, Interrupt& interrupt) {
  constexpr std::size_t kTableBytes = 128U << 20;  // what the tables of 120,000 tensors take
  prepare_heap(kTableBytes);
  auto settings = load_settings(global);
  if (!settings) {
    complain(settings.error().message);
    return 2;
  }
  auto options = options_of(args, *settings);
  if (!options) {
    complain(options.error().message);
    return 2;
  }
  std::unique_ptr<pipeline::OpenedRepo> base;
  if (const std::string from = args.base.empty() ? settings->base.value_or("") : args.base;
      !from.empty()) {
    auto opened = pipeline::open_target(from, global.hub(interrupt.token()));
    if (!opened) {
      complain("--base: " + opened.error().message);
      return 2;
    }
    base = *std::move(opened);
    options->base = base.get();
  }
  keep_relevant(settings->waivers, *options);
  ThreadPool pool(global.threads);
  std::vector<results::Results> all;
  {
    const auto progress = make_progress(global.progress_mode());
    for (const std::string& target : args.targets) {
      const auto begin = std::chrono::steady_clock::now();
      auto opened = pipeline::open_target(target, global.hub(interrupt.token()));
      if (!opened) {
        all.push_back(unreadable(target, opened.error()));
        continue;
      }
      results::Results r =
          pipeline::run_check(**opened, *options, pool, *progress, interrupt.token());
      r.run.fail_on = *settings->fail_on;
      if (auto done = apply_policy(*settings, args, *options, r); !done) {
        complain(done.error().message);
        return 2;
      }
      r.run.started = timestamp();
      r.run.duration_s =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
      all.push_back(std::move(r));
      if (&target == &args.targets.back()) keep_open(*std::move(opened));
      if (interrupt.exit_code() != 0) break;
    }
  }
  const int code = deliver(all, global, parse_show(args.show).value_or(1));
  if (!args.write_baseline.empty() && all.size() == 1) {
    if (auto done = write_file(args.write_baseline, policy::write_baseline(all[0])); !done) {
      complain("cannot write the baseline: " + done.error().message);
      return 2;
    }
  } else if (!args.write_baseline.empty()) {
    complain("--write-baseline takes one target");
    return 2;
  }
  return interrupt.exit_code() != 0 ? interrupt.exit_code() : code;
}

}  // namespace ckpt::cli
