#include "validator/rules/places.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::rules {

using loaders::Loader;
using loaders::Outcome;
using results::Effect;
using results::LoaderState;
using results::Location;

Location at_json(const std::string& file, const std::string& pointer, const json::Value& value) {
  Location w;
  w.file = file;
  w.pointer = pointer;
  if (!value) return w;
  const json::Position begin = value.position();
  w.line = begin.line;
  w.column = begin.column;
  // Containers are pointed at by their opening bracket only.
  const bool container = value.is(json::Kind::object) || value.is(json::Kind::array);
  const json::Position end = container ? json::Position{begin.line, begin.column + 1}
                                       : value.document()->position(value.end_offset());
  w.end_line = end.line;
  w.end_column = end.column;
  w.source_line = std::string(value.document()->line(begin.line));
  return w;
}

Location at_tensor(const RuleInput& in, std::uint32_t tensor) {
  const container::Tensor& t = in.checkpoint->tensors()[tensor];
  Location w;
  w.file = shown(in.checkpoint->shards()[t.shard].name);
  w.tensor = shown(t.name);
  w.byte_offset = t.begin;
  w.dtype = std::string(dtype_name(t.dtype));
  w.shape = t.shape.copy();
  return w;
}

Location at_module(const RuleInput& in, std::uint32_t module) {
  const arch::Module& m = in.blueprint->modules()[module];
  const quant::Stored& s = in.stored->modules[module];
  Location w;
  for (const std::int32_t t : s.tensor) {
    if (t < 0) continue;
    w = at_tensor(in, static_cast<std::uint32_t>(t));
    break;
  }
  w.module = m.name;
  w.layer = m.layer;
  w.expert = m.expert;
  return w;
}

void add_place(Draft& draft, Location place) {
  if (draft.where.size() < limits::kFindingPlaces) draft.where.push_back(std::move(place));
}

void add_modules(const RuleInput& in, const std::vector<std::uint32_t>& modules, Draft& draft) {
  for (const std::uint32_t m : modules) {
    if (draft.where.size() >= limits::kFindingPlaces) return;
    draft.where.push_back(at_module(in, m));
  }
}

void add_tensors(const RuleInput& in, const std::vector<std::uint32_t>& tensors, Draft& draft) {
  for (const std::uint32_t t : tensors) {
    if (draft.where.size() >= limits::kFindingPlaces) return;
    draft.where.push_back(at_tensor(in, t));
  }
}

std::string counted(std::uint64_t n, arch::ModuleClass cls) {
  constexpr std::string_view kNames[] = {"embedding",
                                         "output head",
                                         "norm",
                                         "router",
                                         "routed expert linear",
                                         "shared expert linear",
                                         "shared-expert gate",
                                         "full-attention linear",
                                         "linear-attention linear",
                                         "dense MLP linear",
                                         "vision module",
                                         "MTP module"};
  const std::string_view name = kNames[static_cast<std::size_t>(cls)];
  return fmt::format("{} {}{}", with_commas(n), name, n == 1 ? "" : "s");
}

void emit_defects(const RuleInput& in, const Emit& emit, container::DefectKind kind,
                  const std::function<void(const container::Defect&, Draft&)>& complete) {
  std::map<std::string, Draft> by_file;
  for (const container::Defect& d : in.checkpoint->defects()) {
    if (d.kind != kind) continue;
    auto [it, fresh] = by_file.try_emplace(d.file);
    Draft& draft = it->second;
    if (fresh) {
      draft.message = d.message;
      draft.subject = d.tensor.empty() ? shown(d.file) : shown(d.tensor);
      draft.count = 0;
      complete(d, draft);
    }
    ++draft.count;
    Location w;
    const bool index = in.checkpoint->index() && d.file == in.checkpoint->index()->name;
    if (index && draft.where.size() < limits::kFindingPlaces) {
      const std::string_view text = in.checkpoint->index()->text.view();
      const json::Position p = json::position_in(text, d.offset);
      w.line = p.line;
      w.column = p.column;
      w.end_line = p.line;
      w.end_column = p.column + 1;
      w.source_line = std::string(json::line_in(text, p.line));
    } else if (!index && d.offset != 0) {
      w.byte_offset = d.offset;
    }
    w.file = shown(d.file);
    w.pointer = shown(d.pointer);
    if (!index) w.tensor = shown(d.tensor);
    w.note = draft.count == 1 ? "" : d.message;
    add_place(draft, std::move(w));
  }
  for (auto& [file, draft] : by_file) {
    if (draft.count > 1) {
      draft.message = fmt::format("{}, and {} more", draft.message, with_commas(draft.count - 1));
    }
    emit(std::move(draft));
  }
}

void emit_config_defects(const RuleInput& in, const Emit& emit, config::DefectKind kind,
                         const std::string& effect, const std::string& fix) {
  std::vector<Draft> drafts;
  std::map<std::string, std::size_t> by_message;  // sixty overrides with one slip are one defect
  for (const config::Defect& d : in.config->defects) {
    if (d.kind != kind) continue;
    const auto [it, fresh] = by_message.try_emplace(d.file + d.message, drafts.size());
    if (fresh) {
      Draft draft;
      draft.message = d.message;
      draft.subject = d.pointer.empty() ? d.file : shown(d.pointer);
      draft.count = 0;
      if (!effect.empty()) draft.effects = every_loader(LoaderState::does_not_load, effect);
      draft.fix = fix;
      drafts.push_back(std::move(draft));
    }
    Draft& draft = drafts[it->second];
    ++draft.count;
    if (draft.where.size() < limits::kFindingPlaces) {
      add_place(draft, at_json(d.file, shown(d.pointer), d.place));
    }
  }
  for (Draft& draft : drafts) {
    if (draft.count > 1) {
      draft.message += fmt::format(", and in {} more places", with_commas(draft.count - 1));
    }
    emit(std::move(draft));
  }
}

std::vector<Effect> every_loader(LoaderState state, const std::string& text) {
  return {{"vllm", state, text}, {"transformers", state, text}, {"sglang", state, text}};
}

LoaderState state_of(Loader loader, Outcome outcome, const arch::Module& module,
                     const loaders::Decision* decision) {
  const bool hf = loader == Loader::transformers;
  // SGLang drops a tensor it has no parameter for with a line in the log, and goes on.
  const bool silent = hf || loader == Loader::sglang;
  switch (outcome) {
    case Outcome::as_meant:
    case Outcome::not_built:
      return LoaderState::loads_as_meant;
    case Outcome::raises:
      return LoaderState::does_not_load;
    case Outcome::absent:
      return LoaderState::wrong_weights;
    case Outcome::asks_packed_has_plain: {
      // A linear whose sizes no kernel takes ends the process while it is built.
      const bool odd = hf && decision != nullptr && module.shape.size() == 2 &&
                       (module.shape[0] % 32 != 0 || module.shape[1] % 32 != 0);
      return silent && !odd ? LoaderState::wrong_weights : LoaderState::does_not_load;
    }
    case Outcome::asks_plain_has_packed:
    case Outcome::unnameable:
      return silent ? LoaderState::wrong_weights : LoaderState::does_not_load;
    case Outcome::width_differs:
    case Outcome::group_differs:
      return hf ? LoaderState::wrong_output : LoaderState::does_not_load;
  }
  return LoaderState::loads_as_meant;
}

namespace {

std::string outcome_text(Loader loader, Outcome outcome, const loaders::Decision* d,
                         std::uint64_t n) {
  const bool hf = loader == Loader::transformers;
  const std::string_view s = n == 1 ? "" : "s";
  switch (outcome) {
    case Outcome::asks_packed_has_plain:
      return fmt::format(
          "makes {} module{} {}-bit and asks for packed tensors, stored is `.weight`",
          with_commas(n), s, d->bits);
    case Outcome::asks_plain_has_packed:
      return fmt::format(
          "builds {} module{} at 16 bits and has no parameter for the packed tensors",
          with_commas(n), s);
    case Outcome::width_differs:
    case Outcome::group_differs:
      return fmt::format("asks for {} bits in groups of {}, the stored shapes do not fit{}",
                         d->bits, d->group_size, hf ? ", seen in the forward pass" : "");
    case Outcome::raises:
      return fmt::format("{}: {}", d->error, d->error_text);
    case Outcome::absent:
      return hf ? "leaves the parameters newly initialised, with a warning only"
                : "leaves the parameters uninitialised, without a word";
    case Outcome::unnameable:
      return hf ? "does not map this spelling: random weights, with a warning only"
                : "has no parameter of this name";
    default:
      return {};
  }
}

int badness(LoaderState s) {
  switch (s) {
    case LoaderState::loads_as_meant:
    case LoaderState::not_predicted:
      return 0;
    case LoaderState::slow_path:
      return 1;
    case LoaderState::wrong_output:
      return 2;
    case LoaderState::wrong_weights:
      return 3;
    case LoaderState::does_not_load:
      return 4;
  }
  return 0;
}

}  // namespace

std::vector<Effect> effects_on(const RuleInput& in, const std::vector<std::uint32_t>& modules) {
  std::vector<Effect> out;
  for (const loaders::LoadPlan& plan : in.plans) {
    if (!plan.predicted || !plan.refused.empty()) continue;
    LoaderState worst = LoaderState::loads_as_meant;
    Outcome worst_outcome = Outcome::as_meant;
    const loaders::Decision* decision = nullptr;
    std::uint64_t n = 0;
    for (const std::uint32_t m : modules) {
      const Outcome o = loaders::outcome_of(plan, *in.blueprint, m, in.stored->modules[m]);
      const loaders::Decision* d = plan.decision(m);
      const LoaderState s = state_of(plan.loader, o, in.blueprint->modules()[m], d);
      if (badness(s) == 0) continue;
      ++n;
      if (badness(s) <= badness(worst)) continue;
      worst = s;
      worst_outcome = o;
      decision = d;
    }
    if (n == 0) continue;
    out.push_back({std::string(loaders::loader_name(plan.loader)), worst,
                   outcome_text(plan.loader, worst_outcome, decision, n)});
  }
  return out;
}

bool is_scale_name(std::string_view name) {
  return name.ends_with("scales") || name.ends_with("_scale") || name.ends_with("_scale_inv");
}

bool is_scale(const RuleInput& in, const ValueFact& fact) {
  return is_scale_name(in.checkpoint->tensors()[fact.tensor].name);
}

bool quantized_by(const RuleInput& in, config::QuantMethod method) {
  return in.stored != nullptr && in.config->quant && in.config->quant->method == method;
}

std::map<int, std::uint64_t> experts_on_disk(const RuleInput& in) {
  std::map<int, std::uint64_t> out;
  const auto note = [&out](int layer, std::uint64_t n) {
    std::uint64_t& at = out[layer];
    at = std::max(at, n);
  };
  for (const arch::ExpertBlock& b : in.blueprint->expert_blocks()) {
    if (b.mtp) continue;
    const auto& modules = in.blueprint->modules();
    std::uint64_t most = 0;
    for (std::uint32_t i = b.first;
         i < modules.size() && modules[i].expert >= 0 && modules[i].layer == b.layer; ++i) {
      const quant::Stored& s = in.stored->modules[i];
      if (s.format == quant::Format::absent) continue;
      if (s.spelling != arch::Spelling::stacked) {
        most = std::max(most, static_cast<std::uint64_t>(modules[i].expert) + 1);
        continue;
      }
      const auto t = std::ranges::find_if(s.tensor, [](std::int32_t x) { return x >= 0; });
      note(b.layer, in.checkpoint->tensors()[static_cast<std::size_t>(*t)].shape.empty()
                        ? 0
                        : in.checkpoint->tensors()[static_cast<std::size_t>(*t)].shape[0]);
    }
    if (most > 0) note(b.layer, most);
  }
  for (const quant::Stranger& s : in.stored->strangers) {
    const arch::Placement& p = s.placement;
    if (p.text && p.spelling != arch::Spelling::plain && p.layer >= 0 && p.expert >= 0) {
      note(p.layer, static_cast<std::uint64_t>(p.expert) + 1);
    }
  }
  return out;
}

bool expert_count_differs(const RuleInput& in, std::uint64_t& on_disk) {
  if (in.stored == nullptr || !in.config->text.moe || in.checkpoint->incomplete()) return false;
  const auto want = static_cast<std::uint64_t>(in.config->text.num_experts);
  const std::map<int, std::uint64_t> found = experts_on_disk(in);
  if (found.empty()) return false;
  std::set<std::uint64_t> counts;
  for (const auto& [layer, n] : found) counts.insert(n);
  if (counts.contains(want) || counts.size() != 1) return false;
  on_disk = *counts.begin();
  return true;
}

}  // namespace ckpt::rules
