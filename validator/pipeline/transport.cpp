#include "validator/pipeline/transport.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cstdlib>

#include "validator/base/program.h"

namespace ckpt::pipeline {

Result<std::unique_ptr<Transport>> open_transport() {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  if (size == nullptr || std::string_view(size) == "1") return nullptr;
  const auto refuse = [](std::string_view why) {
    return fail(ErrorKind::unsupported,
                fmt::format("started by mpirun, and this build cannot share the layers: {}", why));
  };
  const std::string path = beside_program("libckpt_mpi.so");
  if (path.empty()) return refuse("it was made without MPI (configure with -DCKPT_MPI=ON)");
  // Open MPI's own plugins look for its symbols. Never closed: it does not survive that.
  void* plugin = ::dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (plugin == nullptr) return refuse("the MPI library cannot be opened");
  using Open = Transport* (*)();
  const auto open = reinterpret_cast<Open>(::dlsym(plugin, "ckpt_mpi_open"));
  const auto* interface = static_cast<const char* const*>(::dlsym(plugin, "ckpt_mpi_interface"));
  if (open == nullptr || interface == nullptr ||
      std::string_view(*interface) != CKPT_MPI_INTERFACE) {
    return refuse("its MPI plugin is of another version");
  }
  return std::unique_ptr<Transport>(open());
}

}  // namespace ckpt::pipeline
