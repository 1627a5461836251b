#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "validator/base/result.h"

/// Changes with every release; the trailing number with every change of Transport in between.
#define CKPT_MPI_INTERFACE CKPT_VERSION " 2"

namespace ckpt::pipeline {

/// Carries messages between the processes, or the threads of several devices, that share a run.
/// Messages of one sender arrive in order. Used from one thread.
class Transport {
 public:
  virtual ~Transport() = default;
  [[nodiscard]] virtual int rank() const = 0;  ///< of this process, from 0
  [[nodiscard]] virtual int size() const = 0;  ///< how many there are

  /// What messages of errors call who has a rank.
  [[nodiscard]] virtual std::string_view member() const { return "process"; }

  [[nodiscard]] virtual std::string_view members() const { return "processes"; }

  /// Errors: io.
  [[nodiscard]] virtual Result<void> send(int to, std::string_view message) = 0;
  /// Waits for the next message of `from`. Errors: io.
  [[nodiscard]] virtual Result<std::string> receive(int from) = 0;
};

/// The processes that `mpirun` started; null when there is this one only. The MPI library is opened
/// then and not before. Errors: unsupported (started by mpirun, and built without MPI or without
/// its library at hand).
[[nodiscard]] Result<std::unique_ptr<Transport>> open_transport();

}  // namespace ckpt::pipeline
