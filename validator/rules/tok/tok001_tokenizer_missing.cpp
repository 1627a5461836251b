#include "validator/rules/edits.h"
#include "validator/rules/places.h"

#include <fmt/format.h>

namespace ckpt::rules {
namespace tok001 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty()) return;

  struct Item {
    const char* name;
    const SideFile* file;
  };

  for (const Item& i : {Item{"tokenizer.json", &in.tokenizer},
                        Item{"tokenizer_config.json", &in.tokenizer_config}}) {
    if (i.file->present && i.file->error.empty()) continue;
    Draft draft;
    draft.subject = i.name;
    draft.message = i.file->present ? fmt::format("`{}` cannot be read: {}", i.name, i.file->error)
                                    : fmt::format("`{}` is missing", i.name);
    if (i.file->present) draft.severity = results::Severity::error;
    results::Location w;
    w.file = i.name;
    draft.where.push_back(std::move(w));
    draft.effects =
        every_loader(results::LoaderState::slow_path, "the tokenizer does not load from this repo");
    for (results::Effect& e : draft.effects) e.state = results::LoaderState::does_not_load;
    draft.fix = "copy the file from the base model";
    draft.edits.push_back(copy_from_base(i.name));
    emit(std::move(draft));
  }
}

}  // namespace tok001

extern const Rule kTOK001;
const Rule kTOK001{
    .code = "TOK001",
    .name = "tokenizer-missing",
    .severity = results::Severity::warning,
    .repairable = true,
    .what = "The repo has tokenizer.json and tokenizer_config.json, both readable.",
    .why = "Without them the model cannot be served from this repo.",
    .bad = "no tokenizer.json",
    .good = "tokenizer.json of the base model",
    .fix = "copy the tokenizer files from the base model",
    .sources = "loaders, section 6",
    .run = tok001::run,
};

}  // namespace ckpt::rules
