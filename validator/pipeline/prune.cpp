#include "validator/pipeline/prune.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/pipeline/counterpart.h"
#include "validator/rules/rule.h"
#include "validator/weights/model.h"

namespace ckpt::pipeline {
namespace {

using arch::ModuleClass;
using results::Location;
using rules::Draft;
using weights::Parameter;

constexpr const char* kRecord = "reap_metadata.json";

/// Findings of one kind, collected so that a hundred places are one finding.
class Collected {
 public:
  void add(const std::string& subject, const std::string& message, Location where) {
    if (draft_.count++ == 0 || draft_.subject.empty()) {
      draft_.subject = subject;
      draft_.message = message;
    }
    if (draft_.where.size() < limits::kFindingPlaces) draft_.where.push_back(std::move(where));
  }

  void emit(std::string_view code, results::Results& r) {
    if (draft_.count == 0) return;
    draft_.fix = std::string(rules::find_rule(code)->fix);
    r.findings.push_back(rules::make_finding(code, std::move(draft_)));
  }

 private:
  Draft draft_ = [] {
    Draft d;
    d.count = 0;
    return d;
  }();
};

Location place(const arch::Module& m, std::string note = {}) {
  Location w;
  w.module = shown(m.name);
  w.layer = m.layer;
  w.expert = m.expert;
  w.note = std::move(note);
  return w;
}

bool same_plain(const Parameter& a, const Parameter& b) {
  return !a.packed && !b.packed && a.dtype == b.dtype && a.shape == b.shape && a.data == b.data;
}

/// How a plain tensor that differs in its bytes relates to the base's.
enum class Relation : std::uint8_t { same_values, rounded, round_trip, other };

/// F32 in one and BF16 in the other: releases store a few parameters in F32 that others round.
/// `norm`: the tensor is the weight of a norm.
Relation relation_of(const Parameter& mine, const Parameter& theirs, bool norm) {
  const auto x = mine.decode_all();
  const auto y = theirs.decode_all();
  if (mine.packed || theirs.packed || !x || !y || mine.shape != theirs.shape) {
    return Relation::other;
  }
  bool same = true;
  bool rounded = true;
  bool trip = norm;
  for (std::size_t i = 0; i < x->size(); ++i) {
    const auto is = [mine = (*x)[i]](float f) { return mine == f || (mine != mine && f != f); };
    same = same && is((*y)[i]);
    rounded = rounded && is(rounded_to((*y)[i], mine.dtype));
    trip = trip && is(offset_norm_round_trip((*y)[i]));
  }
  if (same) return Relation::same_values;
  if (rounded && theirs.dtype == Dtype::f32 && mine.dtype == Dtype::bf16) return Relation::rounded;
  return trip ? Relation::round_trip : Relation::other;
}

/// ||a - b||_F / ||b||_F over decoded weights; infinite when one cannot be decoded.
double distance(const Parameter& a, const Parameter& b) {
  const auto x = a.decode_all();
  const auto y = b.decode_all();
  if (!x || !y || x->size() != y->size()) return INFINITY;
  double difference = 0;
  double norm = 0;
  for (std::size_t i = 0; i < x->size(); ++i) {
    const double d = static_cast<double>((*x)[i]) - static_cast<double>((*y)[i]);
    difference += d * d;
    norm += static_cast<double>((*y)[i]) * static_cast<double>((*y)[i]);
  }
  return norm == 0 ? (difference == 0 ? 0 : INFINITY) : std::sqrt(difference / norm);
}

class Verifier {
 public:
  explicit Verifier(const PruneArgs& args)
      : a_(args),
        candidate_(args.candidate.checkpoint, args.candidate.config, *args.candidate.blueprint,
                   args.candidate.stored),
        base_(args.base.checkpoint, args.base.config, *args.base.blueprint, args.base.stored) {
    const auto& modules = base_.blueprint().modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      if (modules[i].expert < 0) base_by_tail_[name_tail(base_.blueprint(), modules[i])] = i;
    }
  }

  Result<PruneReport> run();

 private:
  Result<void> layer(const arch::ExpertBlock& block);
  Result<LayerMap> map_of(const arch::ExpertBlock& block, int base_experts);
  Result<void> expert(const arch::ExpertBlock& block, const arch::ExpertBlock& base_block, int slot,
                      int kept);
  Result<void> others();
  void record();
  std::string holder(const Parameter& have, const arch::ExpertBlock& base_block,
                     std::uint32_t part);
  const arch::ExpertBlock* base_block(const arch::ExpertBlock& block) const;
  static int experts_of(const arch::ExpertBlock& block, const arch::Blueprint& blueprint);

  const PruneArgs& a_;
  weights::Model candidate_;
  weights::Model base_;
  std::map<std::string_view, std::uint32_t> base_by_tail_;
  PruneReport out_;
  std::map<int, std::vector<int>> recorded_;  ///< kept experts per layer, from the record
  Collected experts_;
  Collected routers_;
  Collected tensors_;
  Collected strangers_;
  Collected record_flaws_;
  Collected record_differs_;
};

int Verifier::experts_of(const arch::ExpertBlock& block, const arch::Blueprint& blueprint) {
  int n = 0;
  for (std::size_t at = block.first; at < blueprint.modules().size(); at += 3, ++n) {
    const arch::Module& m = blueprint.modules()[at];
    if (m.expert != n || m.layer != block.layer) break;
  }
  return n;
}

const arch::ExpertBlock* Verifier::base_block(const arch::ExpertBlock& block) const {
  for (const arch::ExpertBlock& b : base_.blueprint().expert_blocks()) {
    if (b.layer == block.layer && b.mtp == block.mtp) return &b;
  }
  return nullptr;
}

/// Router rows of both as bytes: which base row is each of the candidate's?
Result<LayerMap> Verifier::map_of(const arch::ExpertBlock& block, int base_experts) {
  LayerMap map{.layer = block.layer};
  const std::string router =
      block.prefix.substr(0, block.prefix.size() - std::string_view("experts").size()) + "gate";
  const std::int32_t module = candidate_.blueprint().find(router);
  const auto there = module < 0
                         ? base_by_tail_.end()
                         : base_by_tail_.find(name_tail(
                               candidate_.blueprint(),
                               candidate_.blueprint().modules()[static_cast<std::size_t>(module)]));
  if (there == base_by_tail_.end()) return fail(ErrorKind::not_found, router + ": not in the base");
  CKPT_TRY(const Parameter mine, candidate_.load(static_cast<std::uint32_t>(module)), "router");
  CKPT_TRY(const Parameter theirs, base_.load(there->second), "router of the base");
  if (mine.packed || theirs.packed || mine.dtype != theirs.dtype ||
      mine.row_size() != theirs.row_size()) {
    return fail(ErrorKind::unsupported, router + ": stored in other formats, rows cannot be told");
  }
  const std::uint64_t width = mine.row_size() * dtype_bits(mine.dtype) / 8;
  const auto row = [width](const Parameter& p, std::uint64_t i) {
    return std::string_view(reinterpret_cast<const char*>(p.data.data()) + i * width, width);
  };
  std::multimap<std::string_view, int> rows;
  for (int e = 0; e < base_experts; ++e)
    rows.emplace(row(theirs, static_cast<std::uint64_t>(e)), e);
  for (std::uint64_t i = 0; i < mine.rows(); ++i) {
    const auto it = rows.find(row(mine, i));
    map.kept.push_back(it == rows.end() ? -1 : it->second);
    if (it != rows.end()) rows.erase(it);  // equal rows stand for their experts in order
  }
  return map;
}

/// Which base expert a part really is, in words.
std::string Verifier::holder(const Parameter& have, const arch::ExpertBlock& base_block,
                             std::uint32_t part) {
  const int n = experts_of(base_block, base_.blueprint());
  for (int e = 0; e < n; ++e) {
    const auto theirs = base_.load(base_block.first + 3 * static_cast<std::uint32_t>(e) + part);
    if (!theirs) continue;
    if (have.packed ? distance(have, *theirs) < kOtherWeight : same_plain(have, *theirs)) {
      return fmt::format("it holds base expert {}", e);
    }
  }
  return "it is none of the base's experts";
}

Result<void> Verifier::expert(const arch::ExpertBlock& block, const arch::ExpertBlock& base_block,
                              int slot, int kept) {
  for (std::uint32_t part = 0; part < 3; ++part) {
    const std::uint32_t at = block.first + 3 * static_cast<std::uint32_t>(slot) + part;
    const arch::Module& m = candidate_.blueprint().modules()[at];
    CKPT_TRY(const Parameter mine, candidate_.load(at), "expert");
    CKPT_TRY(const Parameter theirs,
             base_.load(base_block.first + 3 * static_cast<std::uint32_t>(kept) + part),
             "expert of the base");
    if (same_plain(mine, theirs)) {
      ++out_.experts_exact;
      continue;
    }
    if (mine.shape != theirs.shape) {
      strangers_.add(m.name, fmt::format("`{}` has another shape than in the base", m.name),
                     place(m));
      continue;
    }
    const bool exact = !mine.packed && mine.dtype == theirs.dtype;
    const double error = exact ? INFINITY : distance(mine, theirs);
    if (error < kOtherWeight) {
      ++out_.experts_close;
      out_.largest_error = std::max(out_.largest_error, error);
      continue;
    }
    const std::string why = holder(mine, base_block, part);
    experts_.add(
        m.name, fmt::format("layer {} slot {} is not base expert {}: {}", m.layer, slot, kept, why),
        place(m, why));
  }
  return {};
}

Result<void> Verifier::layer(const arch::ExpertBlock& block) {
  const arch::ExpertBlock* other = base_block(block);
  const arch::Module& first = candidate_.blueprint().modules()[block.first];
  if (other == nullptr) {
    strangers_.add(first.name, fmt::format("layer {} is not in the base", block.layer),
                   place(first));
    return {};
  }
  const int base_experts = experts_of(*other, base_.blueprint());
  CKPT_TRY(LayerMap map, map_of(block, base_experts), "router");
  std::vector<int> kept = map.kept;
  // A record, where it is sound, says what was meant; rows that differ from it are wrong.
  const auto meant = recorded_.find(block.layer);
  const bool told = !block.mtp && meant != recorded_.end() && meant->second.size() == kept.size();
  if (told && meant->second != kept) {
    auto sorted = kept;
    std::ranges::sort(sorted);
    auto wanted = meant->second;
    std::ranges::sort(wanted);
    if (sorted == wanted || std::ranges::count(kept, -1) > 0) {
      const auto at = std::ranges::mismatch(kept, meant->second).in1 - kept.begin();
      Location w = place(first);
      w.module = block.prefix.substr(0, block.prefix.size() - 7) + "gate";
      w.expert = static_cast<int>(at);
      routers_.add(w.module,
                   fmt::format("layer {}: router row {} is base row {}, expert {} was kept there",
                               block.layer, at, kept[static_cast<std::size_t>(at)],
                               meant->second[static_cast<std::size_t>(at)]),
                   std::move(w));
      kept = meant->second;
    } else {
      Location w;
      w.file = kRecord;
      w.pointer = fmt::format("/layers/{}/kept_experts", block.layer);
      w.layer = block.layer;
      record_differs_.add(w.pointer,
                          fmt::format("layer {}: the record keeps {}, the weights hold {}",
                                      block.layer, ranges_text(meant->second), ranges_text(kept)),
                          std::move(w));
    }
  } else if (const auto bad = std::ranges::find(kept, -1); bad != kept.end()) {
    Location w = place(first);
    w.module = block.prefix.substr(0, block.prefix.size() - 7) + "gate";
    routers_.add(w.module,
                 fmt::format("layer {}: router row {} is no row of the base's router", block.layer,
                             bad - kept.begin()),
                 std::move(w));
  }
  const int slots = experts_of(block, candidate_.blueprint());
  for (int slot = 0; slot < slots && static_cast<std::size_t>(slot) < kept.size(); ++slot) {
    if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
    const int e = kept[static_cast<std::size_t>(slot)];
    if (e >= 0 && e < base_experts) {
      CKPT_TRY_VOID(expert(block, *other, slot, e), "expert");
    }
  }
  out_.layers.push_back(std::move(map));
  return {};
}

Result<void> Verifier::others() {
  const auto& modules = candidate_.blueprint().modules();
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    const arch::Module& m = modules[i];
    if (m.expert >= 0 || m.cls == ModuleClass::router) continue;
    // The draft head's router is pruned with its experts.
    if (m.cls == ModuleClass::mtp && m.name.ends_with("mlp.gate")) continue;
    if (!candidate_.check(i)) continue;  // not stored: `check` says so
    if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
    const auto there = base_by_tail_.find(name_tail(candidate_.blueprint(), m));
    if (there == base_by_tail_.end() || !base_.check(there->second)) {
      strangers_.add(m.name, fmt::format("`{}` is not in the base", m.name), place(m));
      continue;
    }
    CKPT_TRY(const Parameter mine, candidate_.load(i), "tensor");
    CKPT_TRY(const Parameter theirs, base_.load(there->second), "tensor of the base");
    if (same_plain(mine, theirs)) {
      ++out_.others_exact;
      continue;
    }
    if (mine.packed || theirs.packed) {
      ++out_.not_comparable;
      continue;
    }
    const bool norm = m.cls == ModuleClass::norm || m.name.ends_with("norm");
    switch (relation_of(mine, theirs, norm)) {
      case Relation::same_values:
        ++out_.others_widened;
        break;
      case Relation::rounded:
        ++out_.others_rounded;
        break;
      case Relation::round_trip:
        ++out_.norms_round_trip;
        break;
      case Relation::other:
        tensors_.add(m.name, fmt::format("`{}` differs from the base", m.name), place(m));
    }
  }
  return {};
}

/// Reads and judges reap_metadata.json, if there is one.
void Verifier::record() {
  const repo::Repo& repo = a_.candidate.repo;
  if (repo.find(kRecord) == nullptr) return;
  const auto document = repo.read_json(kRecord, limits::kConfigBytes);
  const auto flaw = [this](const std::string& pointer, const std::string& message, int layer) {
    Location w;
    w.file = kRecord;
    w.pointer = pointer;
    w.layer = layer;
    record_flaws_.add(pointer.empty() ? kRecord : pointer, message, std::move(w));
  };
  if (!document) {
    flaw("", document.error().message, -1);
    return;
  }
  const std::int64_t base_experts = a_.base.config.text.num_experts;
  (*document)->root().find("layers").each_member([&](const json::Member& m) {
    const int layer = parse_index(m.name);
    const json::Value list = m.value.find("kept_experts");
    const std::string pointer = fmt::format("/layers/{}/kept_experts", shown(m.name, 20));
    if (layer < 0 || !list.is(json::Kind::array)) return;
    std::vector<int> kept;
    std::set<int> seen;
    bool good = true;
    list.each([&](const json::Value& v) {
      const std::int64_t e = v.integer().value_or(-1);
      good = good && e >= 0 && e < base_experts && seen.insert(static_cast<int>(e)).second;
      kept.push_back(static_cast<int>(e));
    });
    const auto slots = static_cast<std::size_t>(a_.candidate.config.text.num_experts);
    if (!good) {
      flaw(pointer,
           fmt::format("layer {}: the kept experts are not different experts of the base", layer),
           layer);
    } else if (kept.size() != slots) {
      flaw(pointer,
           fmt::format("layer {}: {} kept experts, the config has {}", layer, kept.size(), slots),
           layer);
    } else {
      recorded_[layer] = std::move(kept);
    }
  });
}

Result<PruneReport> Verifier::run() {
  record();
  const auto& blocks = candidate_.blueprint().expert_blocks();
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    a_.progress.update("layers", i, blocks.size(), 0);
    if (auto done = layer(blocks[i]); !done) {
      if (done.error().kind == ErrorKind::cancelled) return tl::make_unexpected(done.error());
      out_.results.run.incomplete.push_back(
          {fmt::format("layer {}", blocks[i].layer), done.error().message});
    }
  }
  a_.progress.update("other tensors", 0, 1, 0);
  if (auto done = others(); !done) {
    if (done.error().kind == ErrorKind::cancelled) return tl::make_unexpected(done.error());
    out_.results.run.incomplete.push_back({"other tensors", done.error().message});
  }
  experts_.emit("PRU001", out_.results);
  routers_.emit("PRU002", out_.results);
  record_flaws_.emit("PRU003", out_.results);
  tensors_.emit("PRU004", out_.results);
  record_differs_.emit("PRU005", out_.results);
  strangers_.emit("PRU006", out_.results);
  return std::move(out_);
}

}  // namespace

std::string ranges_text(const std::vector<int>& numbers) {
  std::string out;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[i] >= 0 && numbers[end] == numbers[end - 1] + 1) ++end;
    if (!out.empty()) out += ", ";
    if (numbers[i] < 0) {
      out += "?";
      end = i + 1;
    } else if (end - i >= 3) {
      out += fmt::format("{}-{}", numbers[i], numbers[end - 1]);
    } else {
      end = i + 1;
      out += std::to_string(numbers[i]);
    }
    i = end;
  }
  return out;
}

Result<PruneReport> verify_prune(const PruneArgs& args) {
  for (const OpenedRepo* o : {&args.candidate, &args.base}) {
    if (!o->blueprint || o->blueprint->expert_blocks().empty()) {
      return fail(ErrorKind::unsupported,
                  fmt::format("{}: no mixture of experts of an architecture known here",
                              shown(o->repo.input())));
    }
  }
  CKPT_TRY(PruneReport report, Verifier(args).run(), "prune-verify");
  results::Results& r = report.results;
  r.run.command = "prune-verify";
  r.run.depth = "deep";
  r.target = target_of(args.candidate);
  r.checkpoint = facts_of(args.candidate);
  r.how.reference = shown(args.base.repo.input(), 1000);
  // What `check` says about the number of experts belongs to the question as well.
  NoProgress quiet;
  CheckOptions options;
  options.values = false;
  options.select = {"MAP006", "MAP001", "MAP003"};
  const results::Results checked = run_check(args.candidate, options, args.pool, quiet, args.stop);
  r.findings.insert(r.findings.end(), checked.findings.begin(), checked.findings.end());
  for (const LayerMap& l : report.layers) {
    r.notes.push_back(fmt::format("layer {}: {} of {} experts kept: {}", l.layer, l.kept.size(),
                                  args.base.config.text.num_experts, ranges_text(l.kept)));
  }
  r.notes.push_back(
      fmt::format("{} expert linears and {} other modules equal to the base bit for bit",
                  with_commas(report.experts_exact), with_commas(report.others_exact)));
  if (report.experts_close > 0) {
    r.notes.push_back(fmt::format(
        "{} quantized expert linears are the base's within quantization error, at most {:.3f}",
        with_commas(report.experts_close), report.largest_error));
  }
  if (report.others_widened > 0) {
    r.notes.push_back(fmt::format("{} other modules hold the base's values in another dtype",
                                  with_commas(report.others_widened)));
  }
  if (report.others_rounded > 0) {
    r.notes.push_back(fmt::format("{} other modules are F32 in the base and its BF16 rounding here",
                                  with_commas(report.others_rounded)));
  }
  if (report.norms_round_trip > 0) {
    r.notes.push_back(
        fmt::format("{} norms are the base's after BF16(1 + w) and back, as llm-compressor "
                    "writes them: scales move by up to 0.39 %",
                    with_commas(report.norms_round_trip)));
  }
  if (report.not_comparable > 0) {
    r.notes.push_back(
        fmt::format("{} other modules are stored in another format and were not "
                    "compared bit for bit",
                    with_commas(report.not_comparable)));
  }
  judge(r, args.fail_on);
  return report;
}

}  // namespace ckpt::pipeline
