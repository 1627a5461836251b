#pragma once
// A run whose layers several processes share (performance, section C): each reads the weights of
// its own layers only, and hands the hidden states on.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "validator/forward/share.h"
#include "validator/metrics/record.h"
#include "validator/pipeline/kl.h"
#include "validator/pipeline/transport.h"

namespace ckpt::pipeline {

/// Cuts layers of these sizes into `parts` rows of neighbours of about the same size, none empty:
/// the first layer of each, then the number of layers. Empty when there are fewer layers than
/// parts.
[[nodiscard]] std::vector<int> split_layers(std::span<const std::uint64_t> bytes, int parts);

/// Gives every process the messages of all, by rank; through the first one. Errors: io.
[[nodiscard]] Result<std::vector<std::string>> exchange(Transport& transport, std::string mine);

/// Whether every process is ready: the error of the first that is not. All must call it.
[[nodiscard]] Result<void> agree(Transport& transport, const Result<void>& mine);

/// Whether all processes have the same run before them, as `key` says; gives the memory that all
/// have. All must call it, with what went wrong before if something did. Errors: those of `ready`
/// of any process, usage (other checkpoints, options or processors).
[[nodiscard]] Result<std::uint64_t> agree_on_run(Transport& transport, const Result<void>& ready,
                                                 const std::string& key, std::uint64_t memory);

/// The layers of this process and its neighbours.
class PipelineShare final : public forward::LayerShare {
 public:
  /// `bounds`: see split_layers. `passes`: how often states will come and go.
  PipelineShare(Transport& transport, std::vector<int> bounds, std::size_t passes)
      : transport_(transport), bounds_(std::move(bounds)), passes_(passes) {}

  [[nodiscard]] int first() const override { return bounds_[rank()]; }

  [[nodiscard]] int end() const override { return bounds_[rank() + 1]; }

  [[nodiscard]] Result<void> receive(const forward::StateView& states) override;
  [[nodiscard]] Result<void> send(const forward::StateView& states) override;

  /// After the run, well or not: takes what is still to come, tells who has the layers after what
  /// went wrong, and puts the records of all together. Every process gets the whole. Errors: the
  /// first process' that failed, named by its rank.
  [[nodiscard]] Result<void> finish(const Result<void>& done, metrics::Record& record);

 private:
  Transport& transport_;
  std::vector<int> bounds_;
  std::size_t passes_;
  std::size_t received_ = 0;
  std::size_t sent_ = 0;
  std::uint64_t to_come_ = 0;  // messages that belong to the states being received

  [[nodiscard]] std::size_t rank() const { return static_cast<std::size_t>(transport_.rank()); }

  [[nodiscard]] Result<void> send_rows(kernels::Ops& ops, const kernels::Rows& rows,
                                       std::uint64_t& left);
  [[nodiscard]] Result<void> receive_rows(kernels::Ops& ops, const kernels::Rows& rows);
  [[nodiscard]] Result<void> drain(const Result<void>& done);
};

}  // namespace ckpt::pipeline
