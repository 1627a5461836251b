#include <fmt/format.h>

#include <array>

#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace tok008 {

struct Named {
  const char* name;
  const SideFile* file;
};

void run(const RuleInput& in, const Emit& emit) {
  for (const Named& f : {Named{"tokenizer_config.json", &in.tokenizer_config},
                         Named{"preprocessor_config.json", &in.preprocessor_config},
                         Named{"video_preprocessor_config.json", &in.video_preprocessor_config},
                         Named{"processor_config.json", &in.processor_config}}) {
    const json::Value map =
        f.file->document ? f.file->document->root().find("auto_map") : json::Value{};
    if (!map.is(json::Kind::object) || map.size() == 0) continue;
    Draft draft;
    draft.message = fmt::format("`auto_map` of {} names code of the repo", f.name);
    draft.subject = f.name;
    draft.where.push_back(at_json(f.name, "/auto_map", map));
    draft.effects =
        every_loader(results::LoaderState::does_not_load, "stops unless remote code is trusted");
    draft.fix = "remove `auto_map`";
    emit(std::move(draft));
  }
}

}  // namespace tok008

extern const Rule kTOK008;
const Rule kTOK008{
    .code = "TOK008",
    .name = "tokenizer-asks-for-code",
    .severity = results::Severity::warning,
    .what = "Neither tokenizer nor processors name code of the repo (`auto_map`).",
    .why =
        "transformers then asks to run the code before it can even split a text into tokens; "
        "engines refuse without `--trust-remote-code`. This family needs no such code.",
    .bad =
        "\"auto_map\": {\"AutoTokenizer\": [\"tokenization_custom.Tok\", null]} in "
        "tokenizer_config.json",
    .good = "no auto_map",
    .fix = "remove `auto_map`, use the tokenizer class of the base model",
    .sources = "loaders TK008",
    .run = tok008::run,
};

}  // namespace ckpt::rules
