#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"

namespace ckpt::cli {

int run_kl_command(const GlobalOptions&, const KlArgs&, Interrupt&) {
  complain("kl is being connected");
  return 2;
}

}  // namespace ckpt::cli
