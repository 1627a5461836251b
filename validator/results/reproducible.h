#pragma once

#include "validator/results/results.h"

namespace ckpt::results {

/// Takes out of `r` what another machine or another moment would write differently: times, the
/// memory of the host, the folders above the files that were named (their own names stay).
void make_reproducible(Results& r);

}  // namespace ckpt::results
