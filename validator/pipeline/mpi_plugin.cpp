// The one file that knows MPI, a library of its own: the program opens it when mpirun started it.

#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <thread>

#include "validator/pipeline/transport.h"

namespace ckpt::pipeline {
namespace {

constexpr std::size_t kPart = std::size_t{1} << 30;  // MPI counts in int
constexpr int kTag = 7;

Result<void> checked(int code) {
  if (code == MPI_SUCCESS) return {};
  return fail(ErrorKind::io, "MPI: a message did not get through");
}

class MpiTransport final : public Transport {
 public:
  MpiTransport() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
  }

  ~MpiTransport() override { MPI_Finalize(); }

  MpiTransport(const MpiTransport&) = delete;
  MpiTransport& operator=(const MpiTransport&) = delete;

  int rank() const override { return rank_; }

  int size() const override { return size_; }

  Result<void> send(int to, std::string_view message) override {
    const auto length = static_cast<std::uint64_t>(message.size());
    CKPT_TRY_VOID(send_part(to, &length, sizeof(length)), "send");
    for (std::size_t at = 0; at < message.size(); at += kPart) {
      CKPT_TRY_VOID(send_part(to, message.data() + at, std::min(kPart, message.size() - at)),
                    "send");
    }
    return {};
  }

  Result<std::string> receive(int from) override {
    std::uint64_t length = 0;
    CKPT_TRY_VOID(receive_part(from, &length, sizeof(length)), "receive");
    std::string out(length, '\0');
    for (std::size_t at = 0; at < out.size(); at += kPart) {
      CKPT_TRY_VOID(receive_part(from, out.data() + at, std::min(kPart, out.size() - at)),
                    "receive");
    }
    return out;
  }

 private:
  int rank_ = 0;
  int size_ = 1;

  // The library's own waiting takes a whole processor, which the reader of weights could use.
  static Result<void> wait(MPI_Request& request) {
    auto pause = std::chrono::microseconds(20);
    constexpr auto kLongest = std::chrono::microseconds(2000);
    for (int done = 0;;) {
      CKPT_TRY_VOID(checked(MPI_Test(&request, &done, MPI_STATUS_IGNORE)), "wait");
      if (done != 0) return {};
      std::this_thread::sleep_for(pause);
      pause = std::min(2 * pause, kLongest);
    }
  }

  static Result<void> send_part(int to, const void* bytes, std::size_t size) {
    MPI_Request request{};
    CKPT_TRY_VOID(checked(MPI_Isend(bytes, static_cast<int>(size), MPI_BYTE, to, kTag,
                                    MPI_COMM_WORLD, &request)),
                  "start");
    return wait(request);
  }

  static Result<void> receive_part(int from, void* bytes, std::size_t size) {
    MPI_Request request{};
    CKPT_TRY_VOID(checked(MPI_Irecv(bytes, static_cast<int>(size), MPI_BYTE, from, kTag,
                                    MPI_COMM_WORLD, &request)),
                  "start");
    return wait(request);
  }
};

}  // namespace
}  // namespace ckpt::pipeline

extern "C" __attribute__((visibility("default"))) const char* const ckpt_mpi_interface =
    CKPT_MPI_INTERFACE;

extern "C" __attribute__((visibility("default"))) ckpt::pipeline::Transport* ckpt_mpi_open() {
  return new ckpt::pipeline::MpiTransport();
}
