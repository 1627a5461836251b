#include "validator/quant/stored.h"

#include <algorithm>

namespace ckpt::quant {
namespace {

using arch::Spelling;
using container::Tensor;

/// Facts about one module's stored tensors, with the joined axes taken apart.
class Deriver {
 public:
  Deriver(const arch::Module& module, const container::Checkpoint& checkpoint, Stored& stored)
      : c_(checkpoint), s_(stored) {
    n_ = module.shape.empty() ? 0 : module.shape[0];
    k_ = module.shape.size() < 2 ? 0 : module.shape[1];
    if (stored.joined) n_ *= 2;
  }

  void run() {
    const bool packed = has(Member::qweight) || has(Member::weight_packed);
    const Tensor* weight = tensor(Member::weight);
    s_.both = packed && weight != nullptr;
    if (has(Member::qweight)) return qweight();
    if (has(Member::weight_packed)) return weight_packed();
    if (weight == nullptr) {
      // Leftovers without their main tensor: still quantized, in no layout that can be read.
      const bool any = std::ranges::any_of(s_.tensor, [](std::int32_t t) { return t >= 0; });
      s_.format = any ? Format::unknown : Format::absent;
      return;
    }
    plain_or_float8(*weight);
  }

 private:
  const container::Checkpoint& c_;
  Stored& s_;
  std::uint64_t n_ = 0;
  std::uint64_t k_ = 0;

  bool has(Member m) const { return s_.at(m) >= 0; }

  const Tensor* tensor(Member m) const {
    return has(m) ? &c_.tensors()[static_cast<std::size_t>(s_.at(m))] : nullptr;
  }

  /// Shape of a member without the leading expert axis of the stacked spelling.
  ShapeView shape(Member m) const {
    const Tensor* t = tensor(m);
    if (t == nullptr) return {};
    const bool stacked = s_.spelling == Spelling::stacked && t->shape.size() == 3;
    return stacked ? ShapeView(t->shape.subspan(1)) : t->shape;
  }

  /// Group size of K inputs cut into `groups`: -1 for one group, 0 when it is no whole number.
  std::int64_t group_of(std::uint64_t groups) const {
    if (groups == 0 || k_ == 0) return 0;
    if (groups == 1) return -1;
    // ceil(K/g) = groups has several solutions; quantizers use multiples of 8, the largest fits.
    for (std::uint64_t g = (k_ / (groups - 1) / 8) * 8; g >= 8; g -= 8) {
      if ((k_ + g - 1) / g == groups) {
        return static_cast<std::int64_t>(k_ % groups == 0 ? k_ / groups : g);
      }
      if ((k_ + g - 1) / g > groups) break;
    }
    return k_ % groups == 0 ? static_cast<std::int64_t>(k_ / groups) : 0;
  }

  void set_groups(std::uint64_t groups) {
    s_.groups = groups;
    s_.group_size = group_of(groups);
  }

  void qweight() {
    const ShapeView q = shape(Member::qweight);
    const ShapeView scales = shape(Member::scales);
    s_.format = Format::gptq;
    if (q.size() != 2 || k_ == 0) return;
    const std::uint64_t columns = scales.size() == 2 ? scales[1] : n_;
    if (q[1] != columns && q[1] * 8 == columns) {
      s_.format = Format::awq;
      s_.bits = 4;
    } else if (q[0] * 32 % k_ == 0 && q[0] > 0) {
      s_.bits = static_cast<int>(std::min<std::uint64_t>(q[0] * 32 / k_, 64));
    }
    if (scales.size() == 2) set_groups(scales[0]);
  }

  void weight_packed() {
    const Tensor& packed = *tensor(Member::weight_packed);
    const ShapeView p = shape(Member::weight_packed);
    const Tensor* scale = tensor(Member::weight_scale);
    const ShapeView scales = shape(Member::weight_scale);
    if (packed.dtype == Dtype::u8) {
      s_.format = has(Member::weight_global_scale) ? Format::nvfp4 : Format::mxfp4;
      s_.bits = 4;
    } else {
      s_.format = Format::ct_packed;
      if (p.size() == 2 && k_ > 0 && p[1] > 0) {
        // The smallest width whose words hold K codes.
        for (int b = 1; b <= 8; ++b) {
          if ((k_ * static_cast<std::uint64_t>(b) + 31) / 32 == p[1]) s_.bits = b;
        }
      }
    }
    if (scale != nullptr) set_groups(scales.size() == 2 ? scales[1] : 1);
  }

  void plain_or_float8(const Tensor& weight) {
    if (weight.dtype == Dtype::f8_e4m3 || weight.dtype == Dtype::f8_e5m2) {
      s_.format = has(Member::weight_scale_inv) ? Format::fp8_block : Format::fp8;
      s_.bits = 8;
      return;
    }
    if (weight.dtype == Dtype::i8) {
      s_.format = Format::ct_int;
      s_.bits = 8;
      return;
    }
    if (weight.dtype == Dtype::u8 && has(Member::weight_scale_2)) {  // ModelOpt
      s_.format = Format::nvfp4;
      s_.bits = 4;
      const ShapeView scales = shape(Member::weight_scale);
      if (scales.size() == 2) set_groups(scales[1]);
      return;
    }
    s_.format = is_float(weight.dtype) ? Format::plain : Format::unknown;
    s_.bits = static_cast<int>(dtype_bits(weight.dtype));
  }
};

/// The modules a placed tensor belongs to: one, or all those its spelling joins.
template <class Visit>
void for_each_module(const arch::Blueprint& blueprint, const arch::Placement& p, Visit&& visit) {
  const auto first = static_cast<std::size_t>(p.module);
  const auto one_expert = [&](std::size_t at) {
    visit(at);
    if (p.joined) visit(at + 1);
  };
  if (p.spelling != Spelling::stacked) return one_expert(first);
  const auto& modules = blueprint.modules();
  const arch::Module& m = modules[first];
  for (std::size_t at = first; at < modules.size() && modules[at].part == m.part &&
                               modules[at].layer == m.layer && modules[at].cls == m.cls;
       at += 3) {
    one_expert(at);
  }
}

}  // namespace

std::string_view format_name(Format format) {
  constexpr std::string_view kNames[] = {"absent",         "plain",         "gptq",      "awq",
                                         "pack-quantized", "int-quantized", "fp8-block", "fp8",
                                         "nvfp4",          "mxfp4",         "unknown"};
  return kNames[static_cast<std::size_t>(format)];
}

StoredModel match_stored(const arch::Blueprint& blueprint,
                         const container::Checkpoint& checkpoint) {
  StoredModel out;
  out.modules.resize(blueprint.modules().size());
  const auto& tensors = checkpoint.tensors();
  for (std::uint32_t i = 0; i < tensors.size(); ++i) {
    const arch::Placement p = blueprint.locate(tensors[i].name);
    if (p.text) ++out.prefixes[static_cast<std::size_t>(p.prefix)];
    if (p.spelling != Spelling::plain) ++out.spellings[static_cast<std::size_t>(p.spelling)];
    if (p.module < 0) {
      out.strangers.push_back({i, p});
      continue;
    }
    const auto member = static_cast<std::size_t>(p.member.value_or(Member::weight));
    for_each_module(blueprint, p, [&](std::size_t at) {
      Stored& s = out.modules[at];
      // Two spellings of one module: the first keeps the place, the second is a stranger.
      if (s.tensor[member] >= 0) {
        if (out.strangers.empty() || out.strangers.back().tensor != i) {
          out.strangers.push_back({i, p});
        }
        return;
      }
      s.tensor[member] = static_cast<std::int32_t>(i);
      if (p.spelling != Spelling::plain) s.spelling = p.spelling;
      s.joined = p.joined;
    });
  }
  for (std::size_t i = 0; i < out.modules.size(); ++i) {
    Deriver(blueprint.modules()[i], checkpoint, out.modules[i]).run();
  }
  return out;
}

}  // namespace ckpt::quant
