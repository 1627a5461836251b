#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU006;
const Rule kPRU006{
    .code = "PRU006",
    .name = "pruned-part-without-base",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what =
        "Every layer, expert and tensor of the pruned checkpoint has a counterpart of the same "
        "shape in the base.",
    .why = "Without a counterpart nothing is proved: the base may be another model.",
    .bad = "the pruned model has 41 layers, the base 40",
    .good = "same layers and sizes, fewer experts",
    .fix = "name the model that was pruned with --base",
    .sources = "architecture, section 1",
};

}  // namespace ckpt::rules
