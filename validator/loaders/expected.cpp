#include "validator/loaders/expected.h"

#include "validator/loaders/outcome.h"

namespace ckpt::loaders {
namespace {

using arch::ExpertPart;
using arch::Module;
using arch::Spelling;

constexpr std::uint64_t kFloatBytes = 2;
constexpr std::uint64_t kWordBytes = 4;

void add_packed(const Decision& d, const Shape& shape, bool compressed_tensors, ExpectedSize& out) {
  const std::uint64_t n = shape[0];
  const std::uint64_t k = shape[1];
  const std::uint64_t groups = group_count(d.group_size, k);
  const std::uint64_t scales = kFloatBytes * groups * n;
  if (compressed_tensors) {
    constexpr std::uint64_t kShapeBytes = 16;  // weight_shape: two I64
    const std::uint64_t zeros = d.sym ? 0 : kWordBytes * word_count(n, d.bits) * groups;
    out.tensors += d.sym ? 3 : 4;
    out.bytes += kWordBytes * n * word_count(k, d.bits) + scales + kShapeBytes + zeros;
    return;
  }
  out.tensors += 3;
  out.bytes +=
      kWordBytes * word_count(k, d.bits) * n + kWordBytes * groups * word_count(n, d.bits) + scales;
}

}  // namespace

std::vector<std::string_view> expected_members(config::QuantMethod method,
                                               const Decision& decision) {
  if (!decision.quantized) return {"weight"};
  if (method == config::QuantMethod::fp8 || decision.format == "auto_round:fp8") {
    return {"weight", decision.block[0] != 0 ? "weight_scale_inv" : "weight_scale"};
  }
  if (method != config::QuantMethod::compressed_tensors) return {"qweight", "qzeros", "scales"};
  const bool packed = decision.format == "pack-quantized";
  std::vector<std::string_view> out{packed ? "weight_packed" : "weight", "weight_scale"};
  if (packed) out.emplace_back("weight_shape");
  if (!decision.sym) out.emplace_back("weight_zero_point");
  return out;
}

ExpectedSize expected_size(const arch::Blueprint& blueprint, const LoadPlan& plan,
                           ExpertSpellings spellings) {
  const config::ModelConfig& config = blueprint.config();
  const bool ct = config.quant && config.quant->method == config::QuantMethod::compressed_tensors;
  ExpectedSize out;
  for (std::uint32_t i = 0; i < blueprint.modules().size(); ++i) {
    const Module& m = blueprint.modules()[i];
    const bool mtp = m.cls == arch::ModuleClass::mtp;
    if (mtp && !spellings.mtp) continue;
    const Spelling spelling = mtp ? *spellings.mtp : spellings.trunk;
    const bool joined = spelling != Spelling::per_expert && spelling != Spelling::plain;
    if (joined && m.part == ExpertPart::up) continue;  // stored with its gate
    Shape shape = m.shape;
    if (joined && m.part == ExpertPart::gate) shape[0] *= 2;
    const Decision* d = plan.decision(i);
    if (d != nullptr && d->quantized) {
      add_packed(*d, shape, ct, out);
      continue;
    }
    // Stacked experts are one tensor a layer; its bytes are counted expert by expert.
    const bool counted = spelling != Spelling::stacked || m.expert <= 0;
    out.tensors += (counted ? 1 : 0) + (m.bias ? 1U : 0U);
    out.bytes += kFloatBytes * (*element_count(shape) + (m.bias ? m.shape[0] : 0));
  }
  return out;
}

}  // namespace ckpt::loaders
