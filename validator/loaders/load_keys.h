#pragma once
// Which stored tensor fills which parameter of the model that transformers builds.

#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "validator/loaders/load_internal.h"

namespace ckpt::loaders {

/// What a parameter is; fused ones hold all experts of a layer.
enum class ParameterKind : std::uint8_t { plain, bias, packed, fused_gate_up, fused_down };

struct Parameter {
  std::uint32_t module = 0;  ///< for fused experts the first of them
  ParameterKind kind = ParameterKind::plain;
  std::string_view member;  ///< `weight`, `qweight`, ...; empty for bare parameters
  const container::Tensor* tensor = nullptr;
  bool filled = false;
};

/// Per-expert tensors of one layer that are joined into its fused parameters while loading.
struct Conversion {
  std::array<std::uint64_t, 3> experts{};  ///< gate, up, down
  const container::Tensor* packed = nullptr;
  const container::Tensor* scale = nullptr;
};

class KeyTable {
  static constexpr std::size_t kNone = ~std::size_t{0};

 public:
  KeyTable(const LoadInput& in, const VisibleShards& shards);

  /// In blueprint order, then the fused ones.
  [[nodiscard]] const std::vector<Parameter>& parameters() const { return parameters_; }

  /// transformers' name of a parameter. Names are made on demand: a model has a quarter million.
  [[nodiscard]] std::string name_of(const Parameter& parameter) const;
  /// The parameter of that name, or null.
  [[nodiscard]] const Parameter* find(std::string_view name) const;

  [[nodiscard]] const std::vector<Conversion>& conversions() const { return conversions_; }

  /// The first layer's conversion that cannot be done, or that leaves a wrong shape.
  [[nodiscard]] const std::optional<Failure>& conversion_failure() const { return failure_; }

  /// Parameters that nothing fills, in the order of parameters().
  [[nodiscard]] std::vector<const Parameter*> missing() const;

  /// Stored tensors that nothing takes.
  [[nodiscard]] const std::vector<const container::Tensor*>& unexpected() const {
    return unexpected_;
  }

  /// As transformers reports it: after the class's own renaming.
  [[nodiscard]] std::string reported_name(const container::Tensor& tensor) const;

  /// An F32 tensor reached its parameter renamed, or in the text class: rounded to its dtype.
  [[nodiscard]] bool rounded() const { return rounded_; }

  /// FP8 weights whose scale is missing, or stored under the per-tensor name.
  [[nodiscard]] bool scale_missing() const { return scale_missing_; }

  [[nodiscard]] bool scale_renamed() const { return scale_renamed_; }

 private:
  const LoadInput& in_;
  config::QuantMethod method_ = config::QuantMethod::unknown;
  std::vector<Parameter> parameters_;
  std::vector<std::uint32_t> first_;  ///< module -> its first parameter; one more at the end
  std::unordered_map<std::string, std::size_t> blocks_;  ///< expert prefix -> conversion
  std::size_t fused_at_ = 0;     ///< first fused parameter: two per conversion, gate_up before down
  std::size_t head_at_ = kNone;  ///< the tied head's own parameter
  std::vector<Conversion> conversions_;
  std::vector<const container::Tensor*> unexpected_;
  std::optional<Failure> failure_;
  bool tied_ = false;
  bool rounded_ = false;
  bool scale_missing_ = false;
  bool scale_renamed_ = false;

  [[nodiscard]] bool fused() const { return method_ != config::QuantMethod::auto_round; }

  void expect();
  void expect_module(std::uint32_t at);
  void expect_tied_head();
  [[nodiscard]] std::size_t slot(std::string_view name) const;
  void take(const container::Tensor& tensor);
  bool convert(std::string_view name, const container::Tensor& tensor);
  void finish_block(const arch::ExpertBlock& block, std::size_t conversion);
  [[nodiscard]] std::optional<Failure> packed_mismatch(const arch::ExpertBlock& block,
                                                       const Conversion& c) const;
};

}  // namespace ckpt::loaders
