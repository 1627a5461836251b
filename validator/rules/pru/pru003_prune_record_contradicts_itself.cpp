#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU003;
const Rule kPRU003{
    .code = "PRU003",
    .name = "prune-record-contradicts-itself",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what =
        "`reap_metadata.json` names, for each layer, as many different experts of the base as the "
        "config has.",
    .why =
        "Tools that read the record later (to prune again, to quantize with the same list) follow "
        "it to the wrong experts.",
    .bad = "\"kept_experts\": [0, 1, 1, 3]",
    .good = "\"kept_experts\": [0, 1, 2, 3]",
    .fix = "write the list that the weights show",
    .sources = "golden pair of pruned repos",
};

}  // namespace ckpt::rules
