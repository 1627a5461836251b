#pragma once
// What is open in the viewer: one checkpoint, perhaps its reference, perhaps results.

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/result.h"
#include "validator/pipeline/opened.h"
#include "validator/results/results.h"
#include "validator/weights/model.h"

namespace ckpt::gui {

struct OpenArgs {
  std::string target;     ///< folder, file or hub id; empty: the results alone
  std::string results;    ///< results JSON; empty: none
  std::string reference;  ///< the weights that the target was made from; empty: none
  friend bool operator==(const OpenArgs&, const OpenArgs&) = default;

  /// Whether there is nothing to open.
  [[nodiscard]] bool empty() const { return target.empty() && results.empty(); }
};

/// One stored tensor as the list shows it.
struct TensorRow {
  std::string_view name;  ///< as stored: not safe to show
  std::uint64_t bytes = 0;
  Dtype dtype = Dtype::u8;
  int layer = -1;
  int expert = -1;
  std::int32_t module = -1;  ///< the first blueprint module that is stored in it
  float bits = 0;            ///< bits of a weight of that module; the dtype's without a module
  float error = -1;          ///< local error of its expert or layer in the results, -1 unknown
};

/// One side of a comparison: a repo and, when its architecture is known, its weights.
struct Side {
  std::unique_ptr<pipeline::OpenedRepo> repo;
  std::optional<weights::Model> model;
};

/// An immutable snapshot that the interface and its workers share. const methods are thread-safe.
class Session {
 public:
  /// Without results those of the newest run of the target below the folder `runs`, if there are
  /// any. Errors: as open_target and results::from_json, each with what was being opened; usage
  /// when there is nothing to open.
  [[nodiscard]] static Result<std::shared_ptr<const Session>> open(const OpenArgs& args,
                                                                   const std::string& runs = {});
  /// The same session with other results, as a check of headers that was run here.
  [[nodiscard]] std::shared_ptr<const Session> with_results(results::Results results) const;

  [[nodiscard]] const pipeline::OpenedRepo* candidate() const {
    return side_->candidate.repo.get();
  }

  [[nodiscard]] const pipeline::OpenedRepo* reference() const {
    return side_->reference.repo.get();
  }

  [[nodiscard]] const weights::Model* model() const { return pointer(side_->candidate.model); }

  [[nodiscard]] const weights::Model* reference_model() const {
    return pointer(side_->reference.model);
  }

  [[nodiscard]] const results::Results* results() const { return results_ ? &*results_ : nullptr; }

  /// The file of the results that were opened, empty when there was none; not safe to show.
  [[nodiscard]] const std::string& results_path() const { return results_path_; }

  [[nodiscard]] const results::Metrics* metrics() const {
    return results_ && results_->metrics ? &*results_->metrics : nullptr;
  }

  /// In the order of the checkpoint, which is by name.
  [[nodiscard]] const std::vector<TensorRow>& rows() const { return rows_; }

  /// The tensor that holds the weight of a module, or -1.
  [[nodiscard]] std::int32_t tensor_of_module(std::int32_t module) const;
  /// Index of a tensor by its stored name, or -1.
  [[nodiscard]] std::int32_t find_tensor(std::string_view name) const;
  /// The module of the reference that stands where `module` stands here, or -1.
  [[nodiscard]] std::int32_t reference_module(std::int32_t module) const;
  /// The first routed-expert module of an expert (gate, up, down follow), or -1.
  [[nodiscard]] std::int32_t expert_module(int layer, int expert) const;
  /// Bits of a weight of a module, 0 when unknown.
  [[nodiscard]] float bits_of_module(std::int32_t module) const;
  /// Codes of findings that point at a tensor, sorted, each once.
  [[nodiscard]] const std::vector<std::string>& codes_of(std::int32_t tensor) const;
  /// The metrics of an expert, or null.
  [[nodiscard]] const results::ExpertMetrics* expert(int layer, int expert) const;

  [[nodiscard]] int layers() const { return layers_; }

  [[nodiscard]] int experts() const { return experts_; }

 private:
  struct Sides {
    Side candidate;
    Side reference;
  };

  static const weights::Model* pointer(const std::optional<weights::Model>& model) {
    return model ? &*model : nullptr;
  }

  void make_rows();
  void use_results();

  std::shared_ptr<const Sides> side_;
  std::optional<results::Results> results_;
  std::string results_path_;
  std::vector<TensorRow> rows_;
  std::vector<std::vector<std::string>> codes_;  ///< one per tensor, empty without findings
  std::vector<std::int32_t> expert_at_;          ///< [layers, experts] into metrics->experts
  int layers_ = 0;
  int experts_ = 0;
};

}  // namespace ckpt::gui
