#include <algorithm>
#include <memory>
#include <optional>

#include "reports/reports.h"
#include "validator/base/text.h"
#include "validator/cli/options.h"
#include "validator/cli/plan_view.h"
#include "validator/cli/summary_view.h"
#include "validator/cli/tensor_view.h"
#include "validator/pipeline/check.h"
#include "validator/pipeline/opened.h"

namespace ckpt::cli {
namespace {

/// A plan needs no weights, so the architecture is described although nothing on disk backs it; the
/// largest known model has 93,000 modules.
constexpr std::uint64_t kMostModules = 250'000;

/// What a plan is made from: the opened blueprint, or one built from the config alone.
struct PlanSource {
  std::optional<arch::Blueprint> own;
  const arch::Blueprint* blueprint = nullptr;
  const quant::StoredModel* stored = nullptr;
};

Result<PlanSource> plan_source(const pipeline::OpenedRepo& opened) {
  PlanSource source;
  const bool tensors = !opened.checkpoint.tensors().empty();
  if (opened.blueprint) {
    source.blueprint = &*opened.blueprint;
    if (tensors) source.stored = &opened.stored;
    return source;
  }
  CKPT_TRY(arch::Blueprint built, arch::build_blueprint(opened.config, kMostModules),
           "no load plan");
  source.own.emplace(std::move(built));
  return source;
}

std::string plans_text(const pipeline::OpenedRepo& opened, const PlanSource& source,
                       const std::string& which, bool json) {
  const arch::Blueprint& blueprint = source.own ? *source.own : *source.blueprint;
  const auto headers = loaders::stored_names(opened.config, opened.checkpoint);
  std::string out;
  for (const auto loader :
       {loaders::Loader::vllm, loaders::Loader::transformers, loaders::Loader::sglang}) {
    if (which != "all" && which != loaders::loader_name(loader)) continue;
    const loaders::LoadPlan plan =
        loaders::make_plan(loader, opened.config, blueprint, headers ? &*headers : nullptr);
    // Only transformers' own report is predicted; without a tensor there is nothing to report on.
    std::optional<loaders::LoadReport> load;
    if (loader == loaders::Loader::transformers && source.stored != nullptr) {
      load = pipeline::load_report(opened, &plan, nullptr);
    }
    const PlanView view{opened.config, blueprint, source.stored, plan, load ? &*load : nullptr};
    if (!out.empty()) out += json ? ",\n" : "\n";
    out += json ? plan_json(view) : plan_text(view);
  }
  if (!json) return out;
  return which == "all" ? "[" + out + "]\n" : out + "\n";
}

/// The identity block that `check` shows.
std::string identity_text(const pipeline::OpenedRepo& opened) {
  results::Results r;
  r.target = pipeline::target_of(opened);
  r.checkpoint = pipeline::facts_of(opened);
  return reports::identity_text(r, {.width = screen_width()});
}

/// One module's weight: read, decoded, compared, shown or saved.
int show_module(const pipeline::OpenedRepo& o, std::uint32_t module, const GlobalOptions& global,
                const InspectArgs& args) {
  std::unique_ptr<pipeline::OpenedRepo> reference;
  if (!args.reference.empty()) {
    auto opened = pipeline::open_target(args.reference, global.hub());
    if (!opened || !(*opened)->blueprint) {
      complain("the reference cannot be opened: " +
               (opened ? (*opened)->blueprint_error.message : opened.error().message));
      return 2;
    }
    reference = *std::move(opened);
  }
  const auto slice = pipeline::parse_slice(args.slice);
  const auto weight = slice ? pipeline::inspect_weight(o, module, reference.get())
                            : Result<pipeline::InspectedWeight>(tl::make_unexpected(slice.error()));
  if (!weight) {
    complain(weight.error().message);
    return 2;
  }
  if (!args.save.empty()) {
    if (const auto saved = pipeline::save_weight(weight->parameter, args.save); !saved) {
      complain(saved.error().message);
      return 2;
    }
  }
  return deliver_text(global.format == "json" ? weight_json(o, module, *weight)
                                              : weight_text(o, module, *weight, *slice),
                      global);
}

int show_pattern(const pipeline::OpenedRepo& o, const GlobalOptions& global,
                 const InspectArgs& args) {
  if (const auto module = pipeline::find_module(o, args.pattern)) {
    return show_module(o, *module, global, args);
  }
  if (!args.save.empty() || !args.reference.empty()) {
    complain("--save and --reference need the whole name of one module");
    return 2;
  }
  std::vector<std::uint32_t> tensors = pipeline::find_tensors(o, args.pattern);
  if (tensors.empty()) {
    complain("no tensor and no module of that name; `ckpt-check inspect TARGET '*'` lists all");
    return 2;
  }
  if (args.sort == "bytes") {
    const auto& all = o.checkpoint.tensors();
    std::ranges::stable_sort(
        tensors, [&](std::uint32_t a, std::uint32_t b) { return all[a].bytes() > all[b].bytes(); });
  }
  const std::uint64_t most = parse_show(args.show).value_or(40);
  return deliver_text(
      global.format == "json" ? tensor_json(o, tensors) : tensor_table(o, tensors, most), global);
}

}  // namespace

int run_inspect_command(const GlobalOptions& global, const InspectArgs& args) {
  const auto opened = pipeline::open_target(args.target, global.hub());
  if (!opened) {
    complain(opened.error().message);
    return 2;
  }
  const pipeline::OpenedRepo& o = **opened;
  const bool json = global.format == "json";
  if (!args.pattern.empty()) return show_pattern(o, global, args);
  if (!args.save.empty() || !args.reference.empty()) {
    complain("--save and --reference need the name of a module");
    return 2;
  }
  if (args.plan.empty()) {
    if (o.config.document == nullptr && o.checkpoint.tensors().empty()) {
      complain("nothing to inspect: no config.json and no safetensors");
      return 2;
    }
    return deliver_text(json ? summary_json(o) : identity_text(o) + summary_text(o), global);
  }
  if (o.config.document == nullptr) {
    complain("no load plan: config.json is missing or cannot be read");
    return 2;
  }
  const auto source = plan_source(o);
  if (!source) {
    complain(source.error().message);
    return 2;
  }
  return deliver_text(plans_text(o, *source, args.plan, json), global);
}

}  // namespace ckpt::cli
