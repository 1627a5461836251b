#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kPRU005;
const Rule kPRU005{
    .code = "PRU005",
    .name = "prune-record-contradicts-weights",
    .severity = results::Severity::error,
    .needs = Needs::base,
    .what =
        "The kept experts that `reap_metadata.json` names are those whose router rows are stored.",
    .why = "Whoever trusts the record compares or quantizes the wrong experts.",
    .bad = "the record says expert 4 was kept in layer 2, the weights hold expert 5",
    .good = "record and weights agree",
    .fix = "write the list that the weights show",
    .sources = "golden pair of pruned repos",
};

}  // namespace ckpt::rules
