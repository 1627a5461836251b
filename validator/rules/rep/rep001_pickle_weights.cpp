#include "validator/rules/places.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace rep001 {

void run(const RuleInput& in, const Emit& emit) {
  Draft draft;
  draft.count = 0;
  for (const repo::Entry& e : in.repo->entries()) {
    const bool named =
        std::ranges::any_of(std::array{".bin", ".pt", ".pth", ".ckpt", ".pkl", ".joblib"},
                            [&e](const char* s) { return e.name.ends_with(s); });
    if (!named) continue;
    if (draft.count++ == 0) draft.subject = shown(e.name);
    results::Location w;
    w.file = shown(e.name);
    add_place(draft, std::move(w));
  }
  if (draft.count == 0) return;
  draft.message = fmt::format("{} pickle file{} in the repo, first `{}`", draft.count,
                              draft.count == 1 ? "" : "s", draft.subject);
  draft.fix = "remove the file, or convert it to safetensors";
  emit(std::move(draft));
}

}  // namespace rep001

extern const Rule kREP001;
const Rule kREP001{
    .code = "REP001",
    .name = "pickle-weights",
    .severity = results::Severity::warning,
    .what =
        "No pickle stands in the repo under a name that tools load (`.bin`, `.pt`, `.pth`, "
        "`.ckpt`, `.pkl`).",
    .why =
        "Some tools load them when they are there, and loading a pickle runs whatever code "
        "it holds.",
    .bad = "pytorch_model.bin beside model.safetensors",
    .good = "safetensors only",
    .fix = "remove the file, or convert it to safetensors",
    .sources = "hostile-inputs 4.10",
    .run = rep001::run,
};

}  // namespace ckpt::rules
