#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU001;
const Rule kPRU001{
    .code = "PRU001",
    .name = "pruned-expert-differs",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what =
        "Every expert of the pruned checkpoint is one expert of the base: bit for bit when both "
        "store plain weights, within quantization error otherwise.",
    .why =
        "An expert that comes from another place answers for tokens the router meant for its "
        "neighbour. No loader can notice: names and shapes are right.",
    .bad = "slot 3 of layer 1 holds base expert 8 in gate_up_proj and base expert 3 in down_proj",
    .good = "slot i of every tensor is the i-th kept expert",
    .fix = "cut the experts again from the base, all three projections by one list",
    .sources = "REAP; golden pair of pruned repos",
};

}  // namespace ckpt::rules
