#include "validator/rules/val/facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::rules {
namespace {

constexpr std::size_t kLeastSiblings = 6;
constexpr double kRobustDeviations = 20;

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

void report_facts(const RuleInput& in, const Emit& emit, const FactReport& report) {
  Draft draft;
  draft.count = 0;
  for (const ValueFact& f : in.values->facts) {
    if (!report.wrong(f)) continue;
    if (draft.count++ == 0) {
      draft.message = report.message(f);
      draft.subject = shown(in.checkpoint->tensors()[f.tensor].name);
    }
    if (draft.where.size() < limits::kFindingPlaces) add_place(draft, at_tensor(in, f.tensor));
  }
  if (draft.count == 0) return;
  if (draft.count > 1) {
    draft.message =
        fmt::format("{}, and {} more tensors", draft.message, with_commas(draft.count - 1));
  }
  draft.effects = report.effects;
  draft.fix = report.fix;
  emit(std::move(draft));
}

void report_not_finite(const RuleInput& in, const Emit& emit, bool scales, const std::string& fix) {
  report_facts(
      in, emit,
      {.wrong = [&](const ValueFact& f) { return f.nan + f.inf > 0 && is_scale(in, f) == scales; },
       .message =
           [scales](const ValueFact& f) {
             return fmt::format("{} NaN and {} infinite of {} {}, first at index {}", f.nan, f.inf,
                                with_commas(f.elements), scales ? "scales" : "values", f.first_bad);
           },
       .effects = every_loader(results::LoaderState::wrong_output,
                               "NaN or infinite output once this module is used"),
       .fix = fix});
}

const ValueFact* fact_of(const RuleInput& in, std::int32_t tensor) {
  if (tensor < 0) return nullptr;
  const auto& facts = in.values->facts;
  const auto it =
      std::ranges::lower_bound(facts, static_cast<std::uint32_t>(tensor), {}, &ValueFact::tensor);
  return it != facts.end() && it->tensor == static_cast<std::uint32_t>(tensor) ? &*it : nullptr;
}

std::optional<Sibling> scale_level(const RuleInput& in, std::uint32_t module) {
  const quant::Stored& s = in.stored->modules[module];
  for (const auto member : {quant::Member::scales, quant::Member::weight_scale}) {
    const ValueFact* f = fact_of(in, s.at(member));
    if (f == nullptr || f->elements == 0) continue;
    return Sibling{f->tensor, f->sum_of_magnitudes / static_cast<double>(f->elements)};
  }
  return std::nullopt;
}

bool is_words(const RuleInput& in, const ValueFact& fact) {
  const std::string_view name = in.checkpoint->tensors()[fact.tensor].name;
  return fact.code_bits != 0 && !name.ends_with("qzeros");
}

bool degenerate(const RuleInput& in, const ValueFact& fact) {
  return is_words(in, fact) && fact.code_bits > 1 && fact.code_entropy < 0.5 * fact.code_bits;
}

std::vector<Sibling> outliers(std::vector<Sibling> siblings, double factor) {
  std::erase_if(siblings, [](const Sibling& s) { return !(s.value > 0) || std::isinf(s.value); });
  if (siblings.size() < kLeastSiblings) return {};
  std::vector<double> logs;
  for (const Sibling& s : siblings) logs.push_back(std::log2(s.value));
  const double median = median_of(logs);
  for (double& l : logs) l = std::abs(l - median);
  const double deviation = 1.4826 * median_of(logs);
  const double limit = std::max(std::log2(factor), kRobustDeviations * deviation);
  std::erase_if(siblings, [median, limit](const Sibling& s) {
    return !(std::abs(std::log2(s.value) - median) > limit);
  });
  return siblings;
}

}  // namespace ckpt::rules
