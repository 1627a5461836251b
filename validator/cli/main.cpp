#include "validator/cli/app.h"

int main(int argc, char** argv) {
  return ckpt::cli::run(argc, argv);
}
