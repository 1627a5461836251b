#pragma once
// From what is stored for a module to how it is decoded. One file per family under formats/.

#include <optional>

#include "validator/config/quant_config.h"
#include "validator/quant/layout.h"
#include "validator/quant/stored.h"

namespace ckpt::quant {

/// How one stored module is decoded: its layout, and which tensors hold what. The global scale is
/// a value, so `layout.scale_factor` stays 1 until somebody reads it from `factor`.
struct Codec {
  Layout layout;
  Member words = Member::qweight;
  Member scales = Member::scales;
  std::optional<Member> zeros;
  std::optional<Member> factor;  ///< F32 [1] or scalar
};

/// One packed module as headers and config describe it.
struct PackedModule {
  const Stored& stored;
  const arch::Module& module;
  const container::Checkpoint& checkpoint;
  const config::QuantConfig* quant = nullptr;  ///< null: no quantization block

  /// The stored tensor, null when absent.
  [[nodiscard]] const container::Tensor* tensor(Member member) const;
  /// Its shape for this module alone, without the expert axis of stacked tensors.
  [[nodiscard]] ShapeView shape(Member member) const;
  /// Group size that cuts K inputs into `groups`: the config's where it does, else the shapes'.
  [[nodiscard]] Result<std::uint64_t> group_size(std::uint64_t groups) const;
};

/// The codec of a stored module, from its shapes plus the config's conventions (v1 or v2 zeros,
/// block size). Reads no tensor. Errors: unsupported (a layout not decoded here), format (shapes
/// that contradict each other); each names the module.
[[nodiscard]] Result<Codec> codec_of(const PackedModule& packed);

/// Whether a config's packing stores z itself (v2) rather than z - 1 (formats, 3.3).
[[nodiscard]] bool stores_zero_plainly(const config::QuantConfig& quant);

/// The families; `codec_of` picks by Stored::format.
[[nodiscard]] Result<Codec> gptq_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> awq_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> pack_quantized_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> int_quantized_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> float8_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> nvfp4_codec(const PackedModule& packed);
[[nodiscard]] Result<Codec> mxfp4_codec(const PackedModule& packed);

}  // namespace ckpt::quant
