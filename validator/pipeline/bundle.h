#pragma once
// What a run keeps of its reference, so that other candidates can be measured without the
// reference's weights: the states that its head sees, over a hundred times smaller than logits.

#include <memory>
#include <string>
#include <vector>

#include "validator/container/writer.h"
#include "validator/forward/solo.h"
#include "validator/pipeline/blobs.h"
#include "validator/pipeline/kl.h"
#include "validator/pipeline/tokens.h"

namespace ckpt::pipeline {

/// What a bundle says of itself; everything that decides whether a candidate fits.
struct BundleFacts {
  std::string version;    ///< of the program that wrote it
  std::string reference;  ///< as the user named it
  std::string mode;       ///< fp32, bf16, fp16
  std::string backend;
  bool exact_router = true;
  bool layers = false;  ///< the residuals after every layer are there too
  std::string head_sha256;
  std::string config_sha256;  ///< of the fields that decide the computation
  std::string text;
  std::string text_sha256;
  std::int64_t hidden_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t vocab_size = 0;
  std::vector<std::uint64_t> lengths;  ///< tokens of each sequence
};

/// SHA-256 over the fields of a config that decide the computation, sizes of the weights aside.
[[nodiscard]] std::string config_digest(const config::TextConfig& config);

/// SHA-256 over the stored bytes of a model's head, block by block. Errors: those of the weights.
[[nodiscard]] Result<std::string> head_digest(const OpenedRepo& repo);

/// Listens to a run and writes the bundle as its layers go by: F32 states in fp32, 16-bit ones in
/// the 16-bit modes, where they are exact. Call finish() after the run; without it nothing stays.
class BundleWriter final : public forward::Observer {
 public:
  /// Errors: io, usage (the file exists).
  [[nodiscard]] static Result<std::unique_ptr<BundleWriter>> create(
      const std::string& path, BundleFacts facts,
      const std::vector<std::vector<std::int32_t>>& sequences);
  ~BundleWriter() override;

  void on_routing(int, const forward::LayerRouting&) override {}

  void on_expert(int, int, const forward::ExpertSquares&) override {}

  void on_layer(int, const forward::LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence>) override {}

  Result<void> on_reference(int layer, std::int64_t first, kernels::Ops& ops,
                            const kernels::Rows& states) override;

  [[nodiscard]] Result<void> finish();

 private:
  BundleWriter(std::string path, container::Writer writer, BundleFacts facts);

  std::string path_;
  container::Writer writer_;
  BundleFacts facts_;
};

/// An opened bundle.
class Bundle final : public forward::ReferenceStates {
 public:
  /// Whether a file is one, by its name of a tensor; reads its header only.
  [[nodiscard]] static bool is_one(const std::string& path);
  /// Errors: io, format.
  [[nodiscard]] static Result<std::unique_ptr<Bundle>> open(const std::string& path);

  [[nodiscard]] const BundleFacts& facts() const { return facts_; }

  [[nodiscard]] const std::vector<std::vector<std::int32_t>>& sequences() const {
    return sequences_;
  }

  [[nodiscard]] bool has_layers() const override { return facts_.layers; }

  [[nodiscard]] Result<void> read(int layer, std::int64_t first, kernels::Ops& ops,
                                  const kernels::Rows& to) const override;

 private:
  BlobFile file_;
  BundleFacts facts_;
  std::vector<std::vector<std::int32_t>> sequences_;
};

/// Measures args.candidate against a bundle; args.reference is not used and may be the candidate.
/// Mode, sequences and router are the bundle's. KL is that of a run with the whole reference, to
/// the bit; local errors, routing and per-expert numbers need the reference and are absent, the
/// propagated error is there when the bundle has the layers. Errors: usage (the bundle does not
/// fit: says what differs), and as run_kl.
[[nodiscard]] Result<KlOutcome> run_kl(const KlArgs& args, const Bundle& bundle);

}  // namespace ckpt::pipeline
