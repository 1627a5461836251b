#include "validator/quant/codec.h"

#include <fmt/format.h>

namespace ckpt::quant {

using container::Tensor;

const Tensor* PackedModule::tensor(Member member) const {
  const std::int32_t i = stored.at(member);
  return i < 0 ? nullptr : &checkpoint.tensors()[static_cast<std::size_t>(i)];
}

ShapeView PackedModule::shape(Member member) const {
  const Tensor* t = tensor(member);
  if (t == nullptr) return {};
  const bool stacked = stored.spelling == arch::Spelling::stacked && !t->shape.empty();
  return stacked ? ShapeView(t->shape.subspan(1)) : t->shape;
}

Result<std::uint64_t> PackedModule::group_size(std::uint64_t groups) const {
  const std::uint64_t k = module.shape[1];
  if (groups == 0 || groups > k) {
    return fail(ErrorKind::format,
                fmt::format("{}: {} groups over {} inputs", module.name, groups, k));
  }
  const auto cuts = [&](std::uint64_t size) { return size > 0 && (k + size - 1) / size == groups; };
  // ceil(K / g) has several solutions (48 inputs in 2 groups are 24 or 32): the config decides.
  if (quant != nullptr && quant->group_size && *quant->group_size > 0) {
    const auto g = static_cast<std::uint64_t>(*quant->group_size);
    if (g < k && cuts(g)) return g;
  }
  const std::uint64_t g = stored.group_size > 0 ? static_cast<std::uint64_t>(stored.group_size) : k;
  if (cuts(g)) return g;
  if (k % groups == 0) return k / groups;
  return fail(ErrorKind::format,
              fmt::format("{}: {} groups do not cut {} inputs evenly", module.name, groups, k));
}

bool stores_zero_plainly(const config::QuantConfig& q) {
  if (q.method == config::QuantMethod::gptq) return q.checkpoint_format == "gptq_v2";
  return q.packing_format == "auto_round" || q.packing_format == "auto_round:gptqmodel";
}

Result<Codec> codec_of(const PackedModule& p) {
  if (p.module.shape.size() != 2 || p.stored.bits < 1 || p.stored.bits > 8) {
    return fail(ErrorKind::format, fmt::format("{}: the stored shapes give no width from 1 to 8 "
                                               "bits",
                                               p.module.name));
  }
  switch (p.stored.format) {
    case Format::gptq:
      return gptq_codec(p);
    case Format::awq:
      return awq_codec(p);
    case Format::ct_packed:
      return pack_quantized_codec(p);
    case Format::ct_int:
      return int_quantized_codec(p);
    case Format::fp8:
    case Format::fp8_block:
      return float8_codec(p);
    case Format::nvfp4:
      return nvfp4_codec(p);
    case Format::mxfp4:
      return mxfp4_codec(p);
    case Format::absent:
    case Format::plain:
    case Format::unknown:
      break;
  }
  return fail(ErrorKind::unsupported, fmt::format("{}: format {} is not decoded", p.module.name,
                                                  format_name(p.stored.format)));
}

}  // namespace ckpt::quant
