#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU002;
const Rule kPRU002{
    .code = "PRU002",
    .name = "pruned-router-rows-differ",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what = "Row i of a pruned router is the base router's row of the expert in slot i.",
    .why =
        "The router sends tokens by row number: rows in another order than the experts send every "
        "token to the wrong expert, and the model talks nonsense without any error.",
    .bad = "rows 2 and 3 of layer 0's router are exchanged",
    .good = "the rows stand in the order of the kept experts",
    .fix = "cut the router rows by the same list as the experts",
    .sources = "golden pair of pruned repos",
};

}  // namespace ckpt::rules
