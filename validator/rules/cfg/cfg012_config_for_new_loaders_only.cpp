#include "validator/rules/documents.h"
#include "validator/rules/edits.h"

namespace ckpt::rules {
namespace cfg012 {

void run(const RuleInput& in, const Emit& emit) {
  if (!in.config->supported) return;
  const json::Value text = text_object(in);
  const json::Value root = config_root(in);
  const bool dtype = root.find("dtype") && !root.find("torch_dtype");
  const bool rope = text.find("rope_parameters").find("rope_theta") && !text.find("rope_theta");
  if (!dtype && !rope) return;
  Draft draft;
  draft.message = !rope ? "`dtype` stands without `torch_dtype`"
                  : !dtype
                      ? "`rope_theta` stands in `rope_parameters` only"
                      : "`dtype` without `torch_dtype`, `rope_theta` in `rope_parameters` only";
  draft.subject = dtype ? "dtype" : "rope_theta";
  draft.where.push_back(dtype ? at_json("config.json", "/dtype", root.find("dtype"))
                              : at_text_field(in, "rope_parameters"));
  draft.effects.push_back({"transformers 4 and older engines", results::LoaderState::wrong_output,
                           "take float32, or a rotary base of 10000"});
  if (dtype) {
    draft.edits.push_back(
        set_member("config.json", root, "torch_dtype", std::string(root.find("dtype").raw())));
  }
  if (rope) {
    const json::Value theta = text.find("rope_parameters").find("rope_theta");
    draft.edits.push_back(set_member("config.json", text, "rope_theta", std::string(theta.raw())));
  }
  draft.fix = "write both spellings when older loaders matter";
  emit(std::move(draft));
}

}  // namespace cfg012

extern const Rule kCFG012;
const Rule kCFG012{
    .code = "CFG012",
    .name = "config-for-new-loaders-only",
    .severity = results::Severity::info,
    .repairable = true,
    .what =
        "`torch_dtype` stands beside `dtype`, and a flat `rope_theta` beside `rope_parameters`.",
    .why =
        "transformers 4 reads only `torch_dtype` (else it loads float32), and loaders older "
        "than `rope_parameters` take a flat `rope_theta` or 10000 without a word (vllm #42624, "
        "#44158). Current versions read the new fields alone.",
    .bad = "\"dtype\": \"bfloat16\" alone",
    .good = "\"dtype\" and \"torch_dtype\", and \"rope_theta\" twice",
    .fix = "write both spellings, when older loaders matter",
    .sources = "loaders 3.4, CFG004, CFG008",
    .run = cfg012::run,
};

}  // namespace ckpt::rules
