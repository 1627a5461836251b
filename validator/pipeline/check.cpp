#include "validator/pipeline/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/loaders/plan.h"
#include "validator/pipeline/base_scan.h"
#include "validator/pipeline/estimate.h"
#include "validator/pipeline/value_scan.h"
#include "validator/repo/card.h"
#include "validator/rules/recipe.h"
#include "validator/rules/rule.h"

namespace ckpt::pipeline {
namespace {

using results::Finding;
using results::LoaderState;
using results::Results;
using results::Severity;

rules::SideFile side_file(const repo::Repo& repo, std::string_view name) {
  rules::SideFile f;
  f.present = repo.find(name) != nullptr;
  if (!f.present) return f;
  const std::uint64_t limit =
      name == "tokenizer.json" ? limits::kLargeJsonBytes : limits::kConfigBytes;
  auto document = repo.read_json(name, limit);
  if (!document) {
    f.error = document.error().message;
  } else if (!(*document)->root().is(json::Kind::object)) {
    f.error = "not a JSON object";
  } else {
    f.document = *document;
  }
  return f;
}

/// A text of at most kTextBytes, or nothing.
std::optional<std::string> text_file(const repo::Repo& repo, std::string_view name) {
  if (repo.find(name) == nullptr) return std::nullopt;
  const auto file = repo.open_file(name);
  if (!file || file->size() > limits::kTextBytes) return std::nullopt;
  std::string text(file->size(), '\0');
  if (!file->read(0, std::as_writable_bytes(std::span(text)))) return std::nullopt;
  return text;
}

bool has_prefix(const std::vector<std::string>& list, std::string_view code) {
  return std::ranges::any_of(list, [code](const std::string& p) { return code.starts_with(p); });
}

int rank(LoaderState s) {
  switch (s) {
    case LoaderState::does_not_load:
      return 4;
    case LoaderState::wrong_weights:
      return 3;
    case LoaderState::wrong_output:
      return 2;
    case LoaderState::slow_path:
      return 1;
    default:
      return 0;
  }
}

/// State of one loader: the worst effect that a finding gives it, with the codes responsible.
results::LoaderOutcome outcome(const loaders::LoadPlan* plan, loaders::Loader loader,
                               const std::vector<Finding>& findings) {
  results::LoaderOutcome o;
  o.name = std::string(loaders::loader_name(loader));
  o.version = std::string(loaders::loader_version(loader));
  for (const Finding& f : findings) {
    bool named = false;
    for (const results::Effect& e : f.effects) {
      if (e.loader != o.name || rank(e.state) == 0) continue;
      named = true;
      if (rank(e.state) > rank(o.state)) o.state = e.state;
    }
    if (named && std::ranges::find(o.codes, f.code) == o.codes.end()) o.codes.push_back(f.code);
  }
  if (o.state == LoaderState::loads_as_meant && (plan == nullptr || !plan->predicted)) {
    o.state = LoaderState::not_predicted;
    o.note = plan == nullptr ? "the architecture is not known here" : plan->why_not;
  }
  std::ranges::sort(o.codes);
  return o;
}

LoaderState state_of(loaders::LoadVerdict verdict) {
  using loaders::LoadVerdict;
  switch (verdict) {
    case LoadVerdict::fails_load:
    case LoadVerdict::fails_forward:
      return LoaderState::does_not_load;
    case LoadVerdict::random:
    case LoadVerdict::random_nonfinite:
      return LoaderState::wrong_weights;
    case LoadVerdict::nonfinite:
      return LoaderState::wrong_output;
    default:
      // `exits` hangs on the packages of a CPU, and a difference may be the publisher's will.
      return LoaderState::loads_as_meant;
  }
}

/// What the whole load of transformers comes to, where that is worse than the findings say.
void add_load_report(const OpenedRepo& opened, const rules::RuleInput& in,
                     const loaders::LoadPlan& plan, results::LoaderOutcome& o) {
  // AWQ needs a package that is no part of transformers.
  const auto& quant = opened.config.quant;
  if (!plan.predicted || (quant && quant->method == config::QuantMethod::awq)) return;
  const loaders::LoadReport report = load_report(opened, &plan, in.values, {.list_keys = false});
  const LoaderState state = state_of(report.verdict);
  if (rank(state) <= rank(o.state)) return;
  o.state = state;
  o.note = shown(report.why);
}

void sort_findings(std::vector<Finding>& findings) {
  std::ranges::stable_sort(findings, [](const Finding& a, const Finding& b) {
    const auto key = [](const Finding& f) {
      static const results::Location kNone;
      const results::Location& w = f.where.empty() ? kNone : f.where.front();
      return std::tie(w.file, w.line, f.code, f.subject);
    };
    return key(a) < key(b);
  });
}

/// Weights, cache, states and activations of one sequence, on each of the GPUs named.
std::optional<rules::ServedBytes> served_bytes(const OpenedRepo& o, const CheckOptions& options) {
  constexpr std::uint64_t kContext = 32'768;
  if (!options.gpu || options.gpu->memory_bytes == 0 || !o.blueprint) return std::nullopt;
  const auto longest =
      static_cast<std::uint64_t>(std::max<std::int64_t>(o.config.text.max_position_embeddings, 1));
  const std::uint64_t context = std::min(kContext, longest);
  const auto sizes =
      estimate(o, {.contexts = {context},
                   .sequences = {1},
                   .tensor_parallel = std::max<std::uint64_t>(options.tensor_parallel, 1)});
  if (!sizes) return std::nullopt;  // heads that the GPUs cannot share: LDR002 says so
  const std::uint64_t all = sizes->rows.front().total;
  return rules::ServedBytes{sizes->weights_per_gpu, all - sizes->weights_per_gpu, context};
}

rules::RuleInput rule_input(const OpenedRepo& o, const CheckOptions& options,
                            loaders::LoadPlan& intent, repo::ModelCard& card) {
  rules::RuleInput in;
  in.repo = &o.repo;
  in.tensor_parallel = options.tensor_parallel;
  in.expert_parallel = options.expert_parallel;
  in.gpu = options.gpu;
  in.recipe = options.recipe ? &*options.recipe : nullptr;
  in.served = served_bytes(o, options);
  in.preview = options.preview;
  in.checkpoint = &o.checkpoint;
  in.config = &o.config;
  in.tokenizer = side_file(o.repo, "tokenizer.json");
  in.tokenizer_config = side_file(o.repo, "tokenizer_config.json");
  in.generation_config = side_file(o.repo, "generation_config.json");
  in.preprocessor_config = side_file(o.repo, "preprocessor_config.json");
  in.video_preprocessor_config = side_file(o.repo, "video_preprocessor_config.json");
  in.processor_config = side_file(o.repo, "processor_config.json");
  in.quantization_config = side_file(o.repo, "quantization_config.json");
  in.chat_template = text_file(o.repo, "chat_template.jinja");
  if (auto text = text_file(o.repo, "README.md")) {
    card.text = *std::move(text);
    repo::parse_card(card);
    in.card = &card;
  }
  if (!o.blueprint) {
    if (o.blueprint_error.kind == ErrorKind::limit) in.blueprint_error = o.blueprint_error.message;
    return in;
  }
  in.blueprint = &*o.blueprint;
  in.stored = &o.stored;
  intent = loaders::read_intent(o.config, *o.blueprint);
  in.intent = &intent;
  const auto stored = loaders::stored_names(o.config, o.checkpoint);
  for (const auto loader :
       {loaders::Loader::vllm, loaders::Loader::transformers, loaders::Loader::sglang}) {
    if (!options.loaders.empty() &&
        std::ranges::find(options.loaders, loaders::loader_name(loader)) == options.loaders.end()) {
      continue;
    }
    in.plans.push_back(
        loaders::make_plan(loader, o.config, *o.blueprint, stored ? &*stored : nullptr));
  }
  return in;
}

void add_loaders(const OpenedRepo& o, const rules::RuleInput& in, const CheckOptions& options,
                 Results& r) {
  if (in.blueprint == nullptr) {
    for (const auto loader :
         {loaders::Loader::vllm, loaders::Loader::transformers, loaders::Loader::sglang}) {
      if (options.loaders.empty() ||
          std::ranges::find(options.loaders, loaders::loader_name(loader)) !=
              options.loaders.end()) {
        r.loaders.push_back(outcome(nullptr, loader, r.findings));
      }
    }
    return;
  }
  for (const loaders::LoadPlan& plan : in.plans) {
    r.loaders.push_back(outcome(&plan, plan.loader, r.findings));
    if (plan.loader == loaders::Loader::transformers) {
      add_load_report(o, in, plan, r.loaders.back());
    }
  }
}

/// A recipe that cannot be meant for this model is an error of the configuration, and not used.
void check_recipe(const OpenedRepo& o, rules::RuleInput& in, Results& r) {
  if (in.recipe == nullptr || !o.blueprint) return;
  const Result<void> fits = rules::check_recipe(*in.recipe, o.config.text);
  if (fits) return;
  r.run.incomplete.push_back({"configuration", fits.error().message});
  in.recipe = nullptr;
}

void note_incomplete(const OpenedRepo& o, Results& r) {
  const bool nothing = o.config.document == nullptr && o.checkpoint.shards().empty() &&
                       o.repo.find("config.json") == nullptr;
  if (nothing) {
    r.run.incomplete.push_back({"target", "nothing to check: no config.json and no safetensors"});
    r.findings.clear();
  }
  if (o.config.document != nullptr && !o.config.supported) {
    r.run.incomplete.push_back(
        {"architecture", "no blueprint: tensors, scheme and loaders were not judged"});
  }
  if (o.repo.walk_stopped()) {
    r.run.incomplete.push_back({"files", "the folder has more files or levels than are listed"});
  }
}

bool counts(Severity s, FailOn fail_on) {
  switch (fail_on) {
    case FailOn::error:
      return s == Severity::error;
    case FailOn::warning:
      return s != Severity::info;
    case FailOn::info:
      return true;
    case FailOn::never:
      return false;
  }
  return true;
}

}  // namespace

void judge(Results& r, FailOn fail_on) {
  const bool failed = std::ranges::any_of(r.findings, [fail_on](const Finding& f) {
    return f.status == "new" && counts(f.severity, fail_on);
  });
  const bool inconclusive = std::ranges::any_of(
      r.gates, [](const results::Gate& g) { return g.status == "inconclusive"; });
  if (failed) {
    r.run.verdict = "fail";
    r.run.exit_code = 1;
  } else if (!r.run.incomplete.empty()) {
    r.run.verdict = "incomplete";
    r.run.exit_code = 2;
  } else if (inconclusive) {
    r.run.verdict = "inconclusive";
    r.run.exit_code = fail_on == FailOn::never ? 0 : 4;
  } else {
    r.run.verdict = "pass";
    r.run.exit_code = 0;
  }
}

Results run_check(const OpenedRepo& o, const CheckOptions& options, ThreadPool& pool,
                  Progress& progress, std::stop_token stop) {
  Results r;
  r.run.command = "check";
  r.target = target_of(o);
  r.checkpoint = facts_of(o);
  loaders::LoadPlan intent;
  repo::ModelCard card;
  rules::RuleInput in = rule_input(o, options, intent, card);
  check_recipe(o, in, r);
  rules::ValueFacts values;
  const bool small = r.checkpoint.bytes <= kSmallCheckpointBytes && !o.repo.headers_only();
  if (options.values.value_or(small)) {
    auto scanned = scan_values(o, pool, progress, stop);
    if (scanned) {
      values = *std::move(scanned);
      in.values = &values;
      r.run.depth = "deep";
    } else {
      r.run.incomplete.push_back({"values", scanned.error().message});
    }
  }
  rules::BaseFacts base;
  if (options.base != nullptr) {
    std::uint64_t left_out = 0;
    auto scanned = scan_base({o, *options.base, pool, progress, stop}, left_out);
    if (scanned) {
      base = *std::move(scanned);
      in.base = &base;
      r.how.reference = shown(options.base->repo.input(), 1000);
      r.notes.push_back(fmt::format("{} modules compared with the base, {} left out",
                                    with_commas(base.facts.size()), with_commas(left_out)));
    } else {
      r.run.incomplete.push_back({"base", scanned.error().message});
    }
  }
  r.findings = rules::run_rules(in, r.rules_skipped, r.rule_codes);
  r.rules_ran = r.rule_codes.size();
  // What loaders do does not depend on which findings are shown.
  add_loaders(o, in, options, r);
  const auto left_out = [&options](std::string_view code) {
    return has_prefix(options.ignore, code) ||
           (!options.select.empty() && !has_prefix(options.select, code));
  };
  std::erase_if(r.findings, [&left_out](const Finding& f) { return left_out(f.code); });
  std::erase_if(r.rule_codes, left_out);
  sort_findings(r.findings);
  note_incomplete(o, r);
  if (stop.stop_requested()) r.run.incomplete.push_back({"run", "interrupted"});
  judge(r, options.fail_on);
  return r;
}

loaders::LoadReport load_report(const OpenedRepo& opened, const loaders::LoadPlan* plan,
                                const rules::ValueFacts* values, const LoadOptions& options) {
  loaders::LoadValues read;
  if (values != nullptr) read = load_values(opened, *values);
  const arch::Blueprint* blueprint = opened.blueprint ? &*opened.blueprint : nullptr;
  return loaders::predict_load({opened.config, blueprint, opened.checkpoint, plan,
                                values != nullptr ? &read : nullptr,
                                options.ignore_mismatched_sizes, options.list_keys});
}

}  // namespace ckpt::pipeline
