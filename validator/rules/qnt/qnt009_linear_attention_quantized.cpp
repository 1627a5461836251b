#include "validator/rules/shared_runs.h"

namespace ckpt::rules {
namespace {

void run(const RuleInput& in, const Emit& emit) {
  report_quantized_class(in, emit, arch::ModuleClass::linear_attention, false,
                         "keep them at 16 bits, or measure the cost with `ckpt-check kl`");
}

}  // namespace

extern const Rule kQNT009;
const Rule kQNT009{
    .code = "QNT009",
    .name = "linear-attention-quantized",
    .severity = results::Severity::warning,
    .what = "No Gated DeltaNet projection is stored quantized.",
    .why =
        "Errors accumulate in the recurrent state; publishers and vLLM #40252 advise "
        "against it. auto-round quantizes in_proj_qkv, in_proj_z and out_proj by default, "
        "and such repos load and work: a matter of policy, measure it with `kl`.",
    .bad = "linear_attn.in_proj_qkv.weight_packed",
    .good = "linear_attn.in_proj_qkv.weight",
    .fix = "keep them at 16 bits, or measure the cost with `ckpt-check kl`",
    .sources = "card 004; vllm #40252; golden pairs A and B",
    .run = run,
};

}  // namespace ckpt::rules
