#include "validator/pipeline/relay.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "validator/base/text.h"

namespace ckpt::pipeline {
namespace {

using arch::ExpertPart;
using arch::Member;
using arch::ModuleClass;
using arch::Spelling;
using container::Tensor;
using quant::Format;

/// The part of a tensor that one half of a joined module takes.
struct Half {
  bool along_rows = false;   ///< the output axis is the first one
  bool whole = false;        ///< both halves take all of it (g_idx)
  bool shape_value = false;  ///< the tensor holds the shape itself
};

Half half_of(Member member, Format format) {
  switch (member) {
    case Member::g_idx:
    case Member::weight_g_idx:
    case Member::weight_global_scale:
    case Member::input_scale:
    case Member::input_global_scale:
    case Member::input_zero_point:
      return {.whole = true};
    case Member::weight_shape:
      return {.whole = true, .shape_value = true};
    case Member::qweight:
    case Member::qzeros:
    case Member::scales:
      // GPTQ and AWQ keep outputs along the columns.
      return {.along_rows = format != Format::gptq && format != Format::awq};
    default:
      return {.along_rows = true};
  }
}

class RelayPlanner {
 public:
  RelayPlanner(const OpenedRepo& opened, const OpenedRepo* base, std::uint64_t shard_bytes)
      : o_(opened), base_(base), shard_bytes_(shard_bytes) {}

  RelayPlan run() {
    from_base();
    const auto& tensors = o_.checkpoint.tensors();
    for (std::uint32_t i = 0; i < tensors.size(); ++i) place(i);
    pack();
    return std::move(plan_);
  }

 private:
  const OpenedRepo& o_;
  const OpenedRepo* base_;
  std::uint64_t shard_bytes_;
  RelayPlan plan_;
  std::vector<std::pair<std::uint32_t, RelaidTensor>> all_;  ///< with the module, for the order
  std::map<std::uint32_t, bool> replaced_;                   ///< modules taken from the base

  [[nodiscard]] static StoredSlice whole(const Tensor& t, std::uint32_t index) {
    return {.tensor = index, .row_bytes = t.bytes(), .row_end = 1, .byte_end = t.bytes()};
  }

  [[nodiscard]] std::string name_of(std::uint32_t module, std::optional<Member> member) const {
    const std::string& name = o_.blueprint->modules()[module].name;
    return member ? fmt::format("{}.{}", name, arch::member_name(*member)) : name;
  }

  /// Routers and shared-expert gates that were packed by mistake, as the base has them.
  void from_base() {
    const auto& modules = o_.blueprint->modules();
    for (std::uint32_t i = 0; i < modules.size(); ++i) {
      const arch::Module& m = modules[i];
      const bool kept = m.cls == ModuleClass::router || m.cls == ModuleClass::shared_expert_gate;
      if (!kept || !quant::is_quantized(o_.stored.modules[i].format)) continue;
      const Tensor* t = nullptr;
      if (base_ != nullptr && base_->blueprint) {
        std::string_view tail = m.name;
        if (tail.starts_with(o_.blueprint->text_prefix())) {
          tail.remove_prefix(o_.blueprint->text_prefix().size());
        }
        const std::int32_t there =
            base_->blueprint->find(base_->blueprint->text_prefix() + std::string(tail));
        const std::int32_t at =
            there < 0 ? -1
                      : base_->stored.modules[static_cast<std::size_t>(there)].at(Member::weight);
        if (at >= 0) t = &base_->checkpoint.tensors()[static_cast<std::size_t>(at)];
      }
      if (t == nullptr || !(t->shape == ShapeView(m.shape)) || !is_float(t->dtype)) {
        plan_.refused.push_back(
            fmt::format("{}: packed, and no base has it unquantized in shape [{}]", m.name,
                        fmt::join(m.shape, ", ")));
        continue;
      }
      replaced_[i] = true;
      StoredSlice s = whole(*t, static_cast<std::uint32_t>(t - base_->checkpoint.tensors().data()));
      s.from_base = true;
      add(i, {name_of(i, Member::weight), t->dtype, t->shape.copy()}, std::move(s));
      ++plan_.from_base;
    }
  }

  void add(std::uint32_t module, container::NewTensor tensor, StoredSlice from) {
    all_.push_back({module, {std::move(tensor), std::move(from)}});
  }

  void keep(std::uint32_t module, std::uint32_t index, std::string name) {
    const Tensor& t = o_.checkpoint.tensors()[index];
    if (name != t.name) ++plan_.renamed;
    add(module, {std::move(name), t.dtype, t.shape.copy()}, whole(t, index));
  }

  void place(std::uint32_t index) {
    const Tensor& t = o_.checkpoint.tensors()[index];
    const arch::Placement p = o_.blueprint->locate(t.name);
    constexpr std::uint32_t kLast = UINT32_MAX;
    if (p.module < 0) {
      ++plan_.strangers;
      return keep(kLast, index, std::string(t.name));
    }
    const auto module = static_cast<std::uint32_t>(p.module);
    if (replaced_.contains(module)) return;
    if (p.spelling == Spelling::stacked) return keep(module, index, stacked_name(p));
    if (!p.joined) return keep(module, index, name_of(module, p.member));
    if (!cut(module, index, p)) {
      plan_.refused.push_back(fmt::format("{}: gate and up cannot be told apart", shown(t.name)));
      keep(module, index, std::string(t.name));
    }
  }

  /// Stacked experts keep their spelling: all loaders read it. The prefix is the class's.
  [[nodiscard]] std::string stacked_name(const arch::Placement& p) const {
    const arch::Module& m = o_.blueprint->modules()[static_cast<std::size_t>(p.module)];
    const std::string block = m.name.substr(0, m.name.find(".experts.") + 9);
    const char* part = p.joined                   ? "gate_up_proj"
                       : p.down                   ? "down_proj"
                       : m.part == ExpertPart::up ? "up_proj"
                                                  : "gate_proj";
    if (p.member == Member::weight_scale_inv) return block + part + "_scale_inv";
    return p.member ? fmt::format("{}{}.{}", block, part, arch::member_name(*p.member))
                    : block + part;
  }

  /// Cuts a joined tensor into gate, which stands first, and up.
  bool cut(std::uint32_t gate, std::uint32_t index, const arch::Placement& p) {
    const Tensor& t = o_.checkpoint.tensors()[index];
    const Member member = p.member.value_or(Member::weight);
    const Half half = half_of(member, o_.stored.modules[gate].format);
    if (!half.whole) {
      const std::size_t axis = half.along_rows ? 0 : t.shape.size() - 1;
      if (t.shape.empty() || t.shape.size() > 2 || t.shape[axis] % 2 != 0) return false;
      if (dtype_bits(t.dtype) % 8 != 0) return false;
    }
    for (std::uint32_t part = 0; part < 2; ++part) {
      StoredSlice s = whole(t, index);
      Shape shape = t.shape.copy();
      if (half.shape_value) {
        if (!shape_bytes(o_.blueprint->modules()[gate + part].shape, t, s.instead)) return false;
      } else if (!half.whole && half.along_rows) {
        shape[0] /= 2;
        s.row_bytes = t.bytes() / t.shape[0];
        s.row_begin = part * shape[0];
        s.row_end = s.row_begin + shape[0];
        s.byte_end = s.row_bytes;
      } else if (!half.whole) {
        const std::size_t last = shape.size() - 1;
        shape[last] /= 2;
        const std::uint64_t rows = shape.size() == 2 ? shape[0] : 1;
        s.row_bytes = t.bytes() / std::max<std::uint64_t>(rows, 1);
        s.row_end = rows;
        s.byte_begin = part * s.row_bytes / 2;
        s.byte_end = s.byte_begin + s.row_bytes / 2;
      }
      add(gate + part, {name_of(gate + part, member), t.dtype, std::move(shape)}, std::move(s));
    }
    ++plan_.split;
    return true;
  }

  /// The bytes of a `weight_shape` tensor for a module of this shape.
  static bool shape_bytes(const Shape& shape, const Tensor& t, std::vector<std::byte>& out) {
    const std::size_t width = dtype_bits(t.dtype) / 8;
    if ((t.dtype != Dtype::i64 && t.dtype != Dtype::i32) || t.bytes() != shape.size() * width) {
      return false;
    }
    out.resize(shape.size() * width);
    for (std::size_t i = 0; i < shape.size(); ++i) {
      std::memcpy(out.data() + i * width, &shape[i], width);  // little endian
    }
    return true;
  }

  /// Blueprint order, so that a shard holds whole layers; files of at most shard_bytes.
  void pack() {
    std::ranges::stable_sort(all_, {}, [](const auto& e) { return e.first; });
    for (auto& [module, t] : all_) {
      const std::uint64_t bytes = byte_count(t.tensor.dtype, t.tensor.shape).value_or(0);
      if (plan_.shards.empty() ||
          (plan_.shards.back().bytes + bytes > shard_bytes_ && plan_.shards.back().bytes > 0)) {
        plan_.shards.emplace_back();
      }
      plan_.shards.back().bytes += bytes;
      plan_.shards.back().tensors.push_back(std::move(t));
    }
    const std::size_t n = plan_.shards.size();
    for (std::size_t i = 0; i < n; ++i) {
      RelaidShard& s = plan_.shards[i];
      s.name = n == 1 ? std::string("model.safetensors")
                      : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, n);
      // Wide types first, as the library writes, so that every tensor is aligned to its type.
      std::ranges::stable_sort(s.tensors, std::ranges::greater{},
                               [](const RelaidTensor& t) { return dtype_bits(t.tensor.dtype); });
    }
  }
};

}  // namespace

Result<RelayPlan> plan_relay(const OpenedRepo& opened, const OpenedRepo* base,
                             std::uint64_t shard_bytes) {
  if (!opened.blueprint) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: no architecture known here, so no names are known either",
                            shown(opened.repo.input())));
  }
  if (opened.checkpoint.incomplete()) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: files are missing or damaged, see `ckpt-check check`",
                            shown(opened.repo.input())));
  }
  return RelayPlanner(opened, base, shard_bytes).run();
}

}  // namespace ckpt::pipeline
