#include "validator/rules/rule.h"

namespace ckpt::rules {

extern const Rule kNUM005;
const Rule kNUM005{
    .code = "NUM005",
    .name = "router-overlap-below-gate",
    .severity = results::Severity::error,
    .needs = Needs::forward,
    .what = "The routers choose as many of the reference's experts as the gate asks for.",
    .why =
        "The share |top-k of both| / k, averaged over tokens and layers, on the hidden states that "
        "the quantized model computes itself. Routers are hardly ever quantized, so a low overlap "
        "says that the layers before them moved the states: experts then see tokens that they "
        "were not trained on.",
    .bad = "router.overlap 0.91 with --gate 'router.overlap>=0.95'",
    .good = "0.983",
    .fix = "keep the attention of the costliest layers at more bits",
    .sources = "metrics, sections 1 and 4; loaders NUM024",
};

}  // namespace ckpt::rules
