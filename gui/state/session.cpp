#include "gui/state/session.h"

#include <algorithm>

#include "gui/state/kept_runs.h"
#include "validator/base/file.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/pipeline/counterpart.h"

namespace ckpt::gui {
namespace {

/// A grid larger than any model is not drawn, whatever the results claim.
constexpr int kMostLayers = 1024;
constexpr int kMostExperts = 4096;

Result<Side> open_side(const std::string& target) {
  Side side;
  CKPT_TRY(side.repo, pipeline::open_target(target), shown(target, 1000));
  const pipeline::OpenedRepo& o = *side.repo;
  if (o.blueprint) side.model.emplace(o.checkpoint, o.config, *o.blueprint, o.stored);
  return side;
}

Result<results::Results> read_results(const std::string& path) {
  CKPT_TRY(const File file, open_file(path), shown(path, 1000));
  CKPT_TRY(std::string text, read_text(file, limits::kLargeJsonBytes), shown(path, 1000));
  CKPT_TRY(auto all, results::from_json(std::move(text)), shown(path, 1000));
  if (all.empty()) return fail(ErrorKind::format, shown(path, 1000) + ": no results in it");
  return std::move(all.front());
}

}  // namespace

Result<std::shared_ptr<const Session>> Session::open(const OpenArgs& args,
                                                     const std::string& runs) {
  if (args.target.empty() && args.results.empty()) {
    return fail(ErrorKind::usage, "nothing to open: give a checkpoint or results");
  }
  auto session = std::make_shared<Session>();
  auto sides = std::make_shared<Sides>();
  if (!args.target.empty()) {
    CKPT_TRY(sides->candidate, open_side(args.target), "target");
  }
  if (!args.reference.empty()) {
    CKPT_TRY(sides->reference, open_side(args.reference), "reference");
  }
  session->side_ = std::move(sides);
  session->results_path_ = args.results;
  if (args.results.empty() && !runs.empty()) {
    session->results_path_ = newest_results(runs, *session->candidate());
  }
  if (!session->results_path_.empty()) {
    CKPT_TRY(session->results_, read_results(session->results_path_), "results");
  }
  session->make_rows();
  session->use_results();
  return std::shared_ptr<const Session>(std::move(session));
}

std::shared_ptr<const Session> Session::with_results(results::Results results) const {
  auto session = std::make_shared<Session>(*this);
  session->results_ = std::move(results);
  session->use_results();
  return session;
}

void Session::make_rows() {
  const pipeline::OpenedRepo* o = candidate();
  if (o == nullptr) return;
  const auto& tensors = o->checkpoint.tensors();
  rows_.resize(tensors.size());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const container::Tensor& t = tensors[i];
    rows_[i].name = t.name;
    rows_[i].bytes = t.bytes();
    rows_[i].dtype = t.dtype;
    rows_[i].bits = static_cast<float>(dtype_bits(t.dtype));
  }
  if (!o->blueprint) return;
  const auto& modules = o->blueprint->modules();
  for (std::size_t m = 0; m < modules.size(); ++m) {
    if (modules[m].cls != arch::ModuleClass::vision && modules[m].layer < kMostLayers) {
      layers_ = std::max(layers_, modules[m].layer + 1);
    }
    if (modules[m].expert < kMostExperts) experts_ = std::max(experts_, modules[m].expert + 1);
    for (const std::int32_t t : o->stored.modules[m].tensor) {
      if (t < 0 || rows_[static_cast<std::size_t>(t)].module >= 0) continue;
      TensorRow& row = rows_[static_cast<std::size_t>(t)];
      row.module = static_cast<std::int32_t>(m);
      row.layer = modules[m].layer;
      const bool stacked = o->stored.modules[m].spelling == arch::Spelling::stacked;
      row.expert = stacked ? -1 : modules[m].expert;
      row.bits = bits_of_module(row.module);
    }
  }
}

void Session::use_results() {
  codes_.assign(rows_.size(), {});
  if (!results_) return;
  for (const results::Finding& f : results_->findings) {
    for (const results::Location& at : f.where) {
      const std::int32_t t = at.tensor.empty() ? -1 : find_tensor(at.tensor);
      if (t < 0) continue;
      auto& codes = codes_[static_cast<std::size_t>(t)];
      if (std::ranges::find(codes, f.code) == codes.end()) codes.push_back(f.code);
    }
  }
  for (auto& codes : codes_) std::ranges::sort(codes);
  const results::Metrics* m = metrics();
  if (m == nullptr) return;
  for (const auto& l : m->layers) {
    if (l.layer < kMostLayers) layers_ = std::max(layers_, l.layer + 1);
  }
  for (const auto& e : m->experts) {
    if (e.layer < kMostLayers) layers_ = std::max(layers_, e.layer + 1);
    if (e.expert < kMostExperts) experts_ = std::max(experts_, e.expert + 1);
  }
  expert_at_.assign(static_cast<std::size_t>(layers_) * static_cast<std::size_t>(experts_), -1);
  for (std::size_t i = 0; i < m->experts.size(); ++i) {
    const auto& e = m->experts[i];
    if (e.layer < 0 || e.expert < 0 || e.layer >= layers_ || e.expert >= experts_) continue;
    expert_at_[static_cast<std::size_t>(e.layer) * static_cast<std::size_t>(experts_) +
               static_cast<std::size_t>(e.expert)] = static_cast<std::int32_t>(i);
  }
  for (TensorRow& row : rows_) {
    if (const auto* e = expert(row.layer, row.expert); e != nullptr && e->error) {
      row.error = static_cast<float>(*e->error);
    }
  }
}

std::int32_t Session::tensor_of_module(std::int32_t module) const {
  const pipeline::OpenedRepo* o = candidate();
  if (o == nullptr || module < 0) return -1;
  const quant::Stored& s = o->stored.modules[static_cast<std::size_t>(module)];
  for (const auto member :
       {quant::Member::weight, quant::Member::qweight, quant::Member::weight_packed}) {
    if (s.at(member) >= 0) return s.at(member);
  }
  const auto any = std::ranges::find_if(s.tensor, [](std::int32_t t) { return t >= 0; });
  return any == s.tensor.end() ? -1 : *any;
}

std::int32_t Session::find_tensor(std::string_view name) const {
  const auto at = std::ranges::lower_bound(rows_, name, {}, &TensorRow::name);
  if (at == rows_.end() || at->name != name) return -1;
  return static_cast<std::int32_t>(at - rows_.begin());
}

std::int32_t Session::reference_module(std::int32_t module) const {
  const pipeline::OpenedRepo* c = candidate();
  const pipeline::OpenedRepo* r = reference();
  if (c == nullptr || r == nullptr || !c->blueprint || !r->blueprint || module < 0) return -1;
  const arch::Module& m = c->blueprint->modules()[static_cast<std::size_t>(module)];
  const auto placed = r->blueprint->locate(r->blueprint->text_prefix() +
                                           std::string(pipeline::name_tail(*c->blueprint, m)) +
                                           (m.bare ? "" : ".weight"));
  if (placed.module >= 0) return placed.module;
  return r->blueprint->find(m.name);
}

std::int32_t Session::expert_module(int layer, int expert) const {
  const pipeline::OpenedRepo* o = candidate();
  if (o == nullptr || !o->blueprint || layer < 0 || expert < 0) return -1;
  const arch::ExpertBlock* block = o->blueprint->experts_of_layer(layer);
  if (block == nullptr) return -1;
  const std::size_t at = block->first + 3 * static_cast<std::size_t>(expert);
  const auto& modules = o->blueprint->modules();
  if (at >= modules.size() || modules[at].expert != expert || modules[at].layer != layer) return -1;
  return static_cast<std::int32_t>(at);
}

float Session::bits_of_module(std::int32_t module) const {
  const pipeline::OpenedRepo* o = candidate();
  if (o == nullptr || module < 0) return 0;
  const quant::Stored& s = o->stored.modules[static_cast<std::size_t>(module)];
  if (s.bits > 0) return static_cast<float>(s.bits);
  const std::int32_t t = s.at(quant::Member::weight);
  return t < 0 ? 0.F
               : static_cast<float>(
                     dtype_bits(o->checkpoint.tensors()[static_cast<std::size_t>(t)].dtype));
}

const std::vector<std::string>& Session::codes_of(std::int32_t tensor) const {
  static const std::vector<std::string> kNone;
  const auto at = static_cast<std::size_t>(tensor);
  return tensor < 0 || at >= codes_.size() ? kNone : codes_[at];
}

const results::ExpertMetrics* Session::expert(int layer, int expert) const {
  if (layer < 0 || expert < 0 || layer >= layers_ || expert >= experts_ || expert_at_.empty()) {
    return nullptr;
  }
  const std::int32_t i =
      expert_at_[static_cast<std::size_t>(layer) * static_cast<std::size_t>(experts_) +
                 static_cast<std::size_t>(expert)];
  return i < 0 ? nullptr : &metrics()->experts[static_cast<std::size_t>(i)];
}

}  // namespace ckpt::gui
