#include "validator/weights/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "validator/base/bits.h"
#include "validator/base/text.h"

namespace ckpt::weights {

namespace {

using arch::ExpertPart;
using arch::Spelling;
using container::Tensor;
using quant::Member;

// A stored tensor seen as `slices` matrices of [rows, cols] elements; a module is one slice, and
// of it perhaps one half of the rows or of the columns.
struct Cut {
  std::uint64_t rows = 1;  // of one slice as stored
  std::uint64_t cols = 1;
  std::uint64_t slice = 0;
  std::uint64_t row_begin = 0;
  std::uint64_t row_end = 0;
  std::uint64_t col_begin = 0;
  std::uint64_t col_end = 0;

  [[nodiscard]] std::uint64_t elements() const {
    return (row_end - row_begin) * (col_end - col_begin);
  }
};

bool joined(const quant::Stored& s, const arch::Module& m) {
  return (m.part == ExpertPart::gate || m.part == ExpertPart::up) &&
         s.spelling != Spelling::per_expert && s.spelling != Spelling::plain;
}

// `rows_are_out`: whether the output axis, which joined spellings share, is the row axis.
Result<Cut> cut_of(const Tensor& t, const quant::Stored& s, const arch::Module& m,
                   bool rows_are_out) {
  Shape shape = t.shape.copy();
  Cut cut;
  if (s.spelling == Spelling::stacked && !shape.empty()) {
    cut.slice = static_cast<std::uint64_t>(m.expert);
    if (cut.slice >= shape[0]) {
      return fail(ErrorKind::format,
                  fmt::format("{}: {} has {} slices", m.name, shown(t.name), shape[0]));
    }
    shape.erase(shape.begin());
  }
  if (!shape.empty()) cut.rows = shape[0];
  for (std::size_t i = 1; i < shape.size(); ++i) cut.cols *= shape[i];
  cut.row_end = cut.rows;
  cut.col_end = cut.cols;
  // One scale for both halves of a joined weight is not cut.
  if (!joined(s, m) || cut.rows * cut.cols == 1) return cut;
  std::uint64_t& begin = rows_are_out ? cut.row_begin : cut.col_begin;
  std::uint64_t& end = rows_are_out ? cut.row_end : cut.col_end;
  if (end % 2 != 0) {
    return fail(ErrorKind::format,
                fmt::format("{}: {} does not split into two halves", m.name, shown(t.name)));
  }
  (m.part == ExpertPart::gate ? end : begin) = end / 2;
  return cut;
}

Result<Bytes> read_cut(const container::Checkpoint& c, const Tensor& t, const Cut& cut) {
  const std::uint64_t width = dtype_bits(t.dtype) / 8;
  const std::uint64_t first = (cut.slice * cut.rows + cut.row_begin) * cut.cols * width;
  Bytes rows((cut.row_end - cut.row_begin) * cut.cols * width);
  CKPT_TRY_VOID(c.read(t, first, rows), shown(t.name));
  if (cut.col_end - cut.col_begin == cut.cols) return rows;
  Bytes out(cut.elements() * width);
  const std::uint64_t row_bytes = (cut.col_end - cut.col_begin) * width;
  for (std::uint64_t r = 0; r < cut.row_end - cut.row_begin; ++r) {
    std::memcpy(out.data() + r * row_bytes, rows.data() + (r * cut.cols + cut.col_begin) * width,
                row_bytes);
  }
  return out;
}

bool plain_dtype(Dtype d) {
  return d == Dtype::f32 || d == Dtype::bf16 || d == Dtype::f16;
}

std::string shape_text(ShapeView shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::uint64_t product(std::span<const std::uint64_t> dims) {
  std::uint64_t out = 1;
  for (const std::uint64_t d : dims) out *= d;
  return out;
}

// The cut of a plain weight, checked against the module's shape.
Result<Cut> plain_cut(const Tensor* t, const quant::Stored& s, const arch::Module& m) {
  if (t == nullptr) return fail(ErrorKind::not_found, fmt::format("{}: not stored", m.name));
  if (!plain_dtype(t->dtype)) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: weights of dtype {}", m.name, dtype_name(t->dtype)));
  }
  CKPT_TRY(const Cut cut, cut_of(*t, s, m, true), "weight");
  const std::uint64_t rows = m.shape.empty() ? 1 : m.shape[0];
  const std::uint64_t cols = m.shape.empty() ? 1 : product(std::span(m.shape).subspan(1));
  if (cut.row_end - cut.row_begin != rows || cut.cols != cols) {
    return fail(ErrorKind::format, fmt::format("{}: {} is {}, {} asked for", m.name, shown(t->name),
                                               shape_text(t->shape), shape_text(m.shape)));
  }
  return cut;
}

bool trivial(std::span<const std::byte> g_idx, std::uint64_t group_size) {
  for (std::uint64_t k = 0; k < g_idx.size() / 4; ++k) {
    if (load<std::uint32_t>(g_idx.data() + 4 * k) != k / group_size) return false;
  }
  return true;
}

// compressed-tensors writes -1 everywhere when no order was used.
bool unused(std::span<const std::byte> g_idx) {
  for (std::uint64_t k = 0; k < g_idx.size() / 4; ++k) {
    if (load<std::int32_t>(g_idx.data() + 4 * k) != -1) return false;
  }
  return true;
}

}  // namespace

const Tensor* Model::tensor(std::uint32_t module, Member member) const {
  const std::int32_t i = stored_->modules[module].at(member);
  return i < 0 ? nullptr : &checkpoint_->tensors()[static_cast<std::size_t>(i)];
}

Result<quant::Codec> Model::codec(std::uint32_t module) const {
  const auto& quant = config_->quant;
  return quant::codec_of({stored_->modules[module], blueprint_->modules()[module], *checkpoint_,
                          quant ? &*quant : nullptr});
}

Result<void> Model::check(std::uint32_t module) const {
  const arch::Module& m = blueprint_->modules()[module];
  const quant::Stored& s = stored_->modules[module];
  if (s.format == quant::Format::absent) {
    return fail(ErrorKind::not_found, fmt::format("{}: not stored", m.name));
  }
  // The tower's biases are asked for with load_bias.
  if (m.bias && m.cls != arch::ModuleClass::vision && tensor(module, Member::bias) != nullptr) {
    return fail(ErrorKind::unsupported, fmt::format("{}: a bias is not computed", m.name));
  }
  if (s.format != quant::Format::plain) {
    CKPT_TRY([[maybe_unused]] const auto c, codec(module), "weights");
    return {};
  }
  CKPT_TRY([[maybe_unused]] const Cut cut, plain_cut(tensor(module, Member::weight), s, m),
           "weights");
  return {};
}

std::uint64_t Model::bytes(std::uint32_t module) const {
  const quant::Stored& s = stored_->modules[module];
  const arch::Module& m = blueprint_->modules()[module];
  std::uint64_t total = 0;
  for (const Member member : {Member::weight, Member::qweight, Member::qzeros, Member::scales,
                              Member::g_idx, Member::weight_packed, Member::weight_scale,
                              Member::weight_scale_inv, Member::weight_zero_point}) {
    const Tensor* t = tensor(module, member);
    if (t == nullptr) continue;
    std::uint64_t size = t->bytes();
    if (s.spelling == Spelling::stacked && !t->shape.empty() && t->shape[0] > 0) {
      size /= t->shape[0];
    }
    total += joined(s, m) ? size / 2 : size;
  }
  return total;
}

Result<Parameter> Model::load(std::uint32_t module) const {
  const arch::Module& m = blueprint_->modules()[module];
  const quant::Stored& s = stored_->modules[module];
  CKPT_TRY_VOID(check(module), "weights");
  if (s.format != quant::Format::plain) return load_packed(module);
  return load_rows(module, 0, m.shape.empty() ? 1 : m.shape[0]);
}

Result<std::vector<float>> Model::load_bias(std::uint32_t module) const {
  const arch::Module& m = blueprint_->modules()[module];
  const Tensor* t = tensor(module, Member::bias);
  if (t == nullptr) return fail(ErrorKind::not_found, fmt::format("{}.bias: not stored", m.name));
  if (!plain_dtype(t->dtype)) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}.bias: dtype {}", m.name, dtype_name(t->dtype)));
  }
  const Shape asked{m.shape.empty() ? 1 : m.shape[0]};
  if (!std::ranges::equal(t->shape, asked)) {
    return fail(ErrorKind::format, fmt::format("{}.bias: {} is stored, {} asked for", m.name,
                                               shape_text(t->shape), shape_text(asked)));
  }
  Parameter p;
  p.name = m.name;
  p.shape = asked;
  p.dtype = t->dtype;
  p.data = Bytes(asked[0] * dtype_bits(t->dtype) / 8);
  CKPT_TRY_VOID(checkpoint_->read(*t, 0, p.data), shown(t->name));
  return p.decode_all();
}

Result<Parameter> Model::load_rows(std::uint32_t module, std::uint64_t begin,
                                   std::uint64_t end) const {
  const arch::Module& m = blueprint_->modules()[module];
  const quant::Stored& s = stored_->modules[module];
  if (s.format != quant::Format::plain) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: rows of format {}", m.name, quant::format_name(s.format)));
  }
  const Tensor* t = tensor(module, Member::weight);
  CKPT_TRY(Cut cut, plain_cut(t, s, m), "weights");
  if (begin > end || cut.row_begin + end > cut.row_end) {
    return fail(ErrorKind::internal,
                fmt::format("{}: rows {} to {} asked for", m.name, begin, end));
  }
  cut.row_end = cut.row_begin + end;
  cut.row_begin += begin;
  Parameter p;
  p.name = m.name;
  p.shape = m.shape;
  if (!p.shape.empty()) p.shape[0] = end - begin;
  p.dtype = t->dtype;
  CKPT_TRY(p.data, read_cut(*checkpoint_, *t, cut), "weights");
  return p;
}

Result<Parameter> Model::load_packed(std::uint32_t module) const {
  const arch::Module& m = blueprint_->modules()[module];
  const quant::Stored& s = stored_->modules[module];
  Parameter p;
  p.name = m.name;
  p.shape = m.shape;
  p.packed = true;
  CKPT_TRY(const quant::Codec codec, this->codec(module), "weights");
  p.layout = codec.layout;
  const auto read = [&](Member member, bool rows_are_out, Bytes& to) -> Result<void> {
    const Tensor* t = tensor(module, member);
    if (t == nullptr) return {};
    CKPT_TRY(const Cut cut, cut_of(*t, s, m, rows_are_out), "weights");
    CKPT_TRY(to, read_cut(*checkpoint_, *t, cut), "weights");
    return {};
  };
  CKPT_TRY_VOID(read(codec.words, p.layout.words_row_is_out, p.data), m.name);
  CKPT_TRY_VOID(read(codec.scales, p.layout.scales_row_is_out, p.scales), m.name);
  if (codec.zeros) {
    const bool rows = p.layout.zeros_row_is_out || p.layout.zeros_are_bytes;
    CKPT_TRY_VOID(read(*codec.zeros, rows, p.zeros), m.name);
  }
  if (codec.factor) {
    Bytes factor;
    CKPT_TRY_VOID(read(*codec.factor, true, factor), m.name);
    if (factor.size() != sizeof(float)) {
      return fail(ErrorKind::format,
                  fmt::format("{}: a global scale of {} bytes, 4 expected", m.name, factor.size()));
    }
    p.layout.scale_factor = ckpt::load<float>(factor.data());
  }
  const Tensor* g_idx = tensor(module, Member::g_idx);
  if (g_idx == nullptr) g_idx = tensor(module, Member::weight_g_idx);
  if (g_idx == nullptr) return p;
  const bool stacked = s.spelling == Spelling::stacked && g_idx->shape.size() == 2;
  const std::uint64_t slices = stacked ? g_idx->shape[0] : 1;
  const std::uint64_t bytes = 4 * p.layout.k;
  if (g_idx->dtype != Dtype::i32 || g_idx->bytes() != slices * bytes ||
      (stacked && static_cast<std::uint64_t>(m.expert) >= slices)) {
    return fail(ErrorKind::format,
                fmt::format("{}: g_idx is {} {}, I32 [{}] expected", m.name,
                            dtype_name(g_idx->dtype), shape_text(g_idx->shape), p.layout.k));
  }
  p.g_idx.resize(bytes);
  const std::uint64_t first = stacked ? static_cast<std::uint64_t>(m.expert) * bytes : 0;
  CKPT_TRY_VOID(checkpoint_->read(*g_idx, first, p.g_idx), m.name);
  if (trivial(p.g_idx, p.layout.group_size) || unused(p.g_idx)) p.g_idx.clear();
  return p;
}

void Model::will_need(std::uint32_t module) const {
  for (const Member member : {Member::weight, Member::qweight, Member::weight_packed}) {
    if (const Tensor* t = tensor(module, member); t != nullptr) checkpoint_->will_need(*t);
  }
}

}  // namespace ckpt::weights
