#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU004;
const Rule kPRU004{
    .code = "PRU004",
    .name = "tensor-changed-by-pruning",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what = "A tensor that is neither an expert nor a router is the base's, bit for bit.",
    .why =
        "Pruning experts changes nothing else. A difference means that the checkpoint was made "
        "from another base or was damaged.",
    .bad = "one bit of model.layers.0.input_layernorm.weight differs",
    .good = "equal bytes",
    .fix = "take the tensor from the base",
    .sources = "golden pair of pruned repos",
};

}  // namespace ckpt::rules
