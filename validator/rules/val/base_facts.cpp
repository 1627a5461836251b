#include "validator/rules/val/base_facts.h"

namespace ckpt::rules {

void report_base_facts(const RuleInput& in, const Emit& emit, const BaseReport& report) {
  std::vector<std::uint32_t> found;
  const BaseFact* first = nullptr;
  for (const BaseFact& f : in.base->facts) {
    if (!report.wrong(f)) continue;
    if (first == nullptr) first = &f;
    found.push_back(f.module);
  }
  if (first == nullptr) return;
  Draft draft;
  draft.message = report.message(*first, found.size());
  draft.subject = in.blueprint->modules()[first->module].name;
  draft.count = found.size();
  draft.severity = report.severity;
  add_modules(in, found, draft);
  draft.effects = report.effects;
  draft.fix = report.fix;
  emit(std::move(draft));
}

}  // namespace ckpt::rules
