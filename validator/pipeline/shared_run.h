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

/// Whose each of `layers` layers is when `parts` take turns.
[[nodiscard]] std::vector<int> deal_layers(std::size_t layers, int parts);

/// Whose each layer is when neighbours belong together; see split_layers.
[[nodiscard]] std::vector<int> owners_of(std::span<const int> bounds);

/// The layers of this process, and whom their states come from and go to.
class PipelineShare final : public forward::LayerShare {
 public:
  /// `owners`: the rank that has each layer. `passes`: how often the states go through all.
  PipelineShare(Transport& transport, std::vector<int> owners, std::size_t passes);

  [[nodiscard]] bool has(int layer) const override {
    return owners_[static_cast<std::size_t>(layer)] == transport_.rank();
  }

  [[nodiscard]] Result<void> receive(int layer, const forward::StateView& states) override;
  [[nodiscard]] Result<void> send(int layer, const forward::StateView& states) override;

  /// After the run, well or not: takes what is still to come, tells who waits for states what went
  /// wrong, and puts the records of all together. Every process gets the whole. Errors: the first
  /// process' that failed, named by its rank.
  [[nodiscard]] Result<void> finish(const Result<void>& done, metrics::Record& record);

 private:
  /// States that come or go before a layer.
  struct Hop {
    int layer;
    int other;  // rank
    bool in;
  };

  Transport& transport_;
  std::vector<int> owners_;
  std::size_t passes_;
  std::vector<Hop> hops_;      // of this process in one pass, in order
  std::size_t at_ = 0;         // hops that were begun, over all passes
  std::uint64_t to_come_ = 0;  // messages that belong to the states being received
  bool heard_ = false;         // what went wrong, went wrong elsewhere

  [[nodiscard]] Result<const Hop*> next_hop(int layer, bool in);
  [[nodiscard]] Result<void> send_rows(int to, kernels::Ops& ops, const kernels::Rows& rows,
                                       std::uint64_t& left);
  [[nodiscard]] Result<void> receive_rows(int from, kernels::Ops& ops, const kernels::Rows& rows);
  [[nodiscard]] Result<void> drop_rows(int from);
  [[nodiscard]] Result<void> drain(const Result<void>& done);
};

}  // namespace ckpt::pipeline
