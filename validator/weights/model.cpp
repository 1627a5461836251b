#include "validator/weights/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

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
  const std::uint64_t n_rows = cut.row_end - cut.row_begin;
  const std::uint64_t row_bytes = (cut.col_end - cut.col_begin) * width;
  const std::uint64_t begin = cut.col_begin * width;
  Bytes out(cut.elements() * width);
  // A quarter of a row or less is read by itself: the rest would cost more than the calls.
  if (n_rows > 1 && row_bytes > 0 && row_bytes * 4 <= cut.cols * width) {
    const std::uint64_t stride = cut.cols * width;
    // A disk is asked for all of them before the first is waited for.
    const File& file = c.shards()[t.shard].file;
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      file.will_need(t.begin + first + r * stride + begin, row_bytes);
    }
    for (std::uint64_t r = 0; r < n_rows; ++r) {
      const std::span<std::byte> to(out.data() + r * row_bytes, row_bytes);
      CKPT_TRY_VOID(c.read(t, first + r * stride + begin, to), shown(t.name));
    }
    return out;
  }
  Bytes rows(n_rows * cut.cols * width);
  CKPT_TRY_VOID(c.read(t, first, rows), shown(t.name));
  if (cut.col_end - cut.col_begin == cut.cols) return rows;
  for (std::uint64_t r = 0; r < n_rows; ++r) {
    std::memcpy(out.data() + r * row_bytes, rows.data() + r * cut.cols * width + begin, row_bytes);
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

/// A stretch of one axis.
struct Span {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  [[nodiscard]] std::uint64_t count() const { return end - begin; }
};

/// `asked` widened to whole steps within [0, n).
Span widened(std::uint64_t begin, std::uint64_t end, std::uint64_t step, std::uint64_t n) {
  end = std::min(end, n);
  begin = std::min(begin, end) / step * step;
  return {begin, std::min((end + step - 1) / step * step, n)};
}

/// Codes after which a new word (byte) begins with a code.
std::uint64_t codes_per_turn(unsigned bits, unsigned unit) {
  return unit / std::gcd(unit, bits);
}

/// What is read of a packed weight, and the layout of that part.
struct Taken {
  Span rows;
  Span columns;
  Span groups;
  quant::Layout layout;
};

// `regular`: input k is of group k div group_size, so that the groups of some columns are known.
Result<Taken> taken_for(const quant::Layout& l, const Block& asked, bool regular) {
  if (l.bits < 1 || l.bits > 8 || l.group_size == 0 || l.rows_per_scale == 0) {
    return fail(ErrorKind::format, "a layout without groups or bits");
  }
  if (asked.row >= std::min(asked.row_end, l.n) ||
      asked.column >= std::min(asked.column_end, l.k)) {
    return fail(ErrorKind::internal, "an empty block");
  }
  const bool packed_zeros = l.has_zeros && !l.zeros_are_bytes;
  const bool packed_out = !l.words_row_is_out && l.pack_axis == quant::PackAxis::out;
  std::uint64_t row_step = packed_zeros || packed_out ? codes_per_turn(l.bits, 32) : 1;
  if (l.rows_per_scale < l.n) row_step = std::lcm(row_step, l.rows_per_scale);
  const std::uint64_t column_step =
      packed_out ? 1 : codes_per_turn(l.bits, l.words_row_is_out && l.rows_are_bytes ? 8 : 32);
  Taken t{widened(asked.row, asked.row_end, row_step, l.n),
          widened(asked.column, asked.column_end, column_step, l.k),
          {0, l.groups},
          l};
  t.layout.n = t.rows.count();
  t.layout.k = t.columns.count();
  if (l.rows_per_scale >= l.n) t.layout.rows_per_scale = t.layout.n;
  if (regular && t.columns.count() < l.k) {
    t.groups = {t.columns.begin / l.group_size,
                std::min((t.columns.end - 1) / l.group_size + 1, l.groups)};
    t.layout.groups = t.groups.count();
  }
  return t;
}

/// What to take of the two axes of a stored tensor, in its elements. Empty: all.
struct Axes {
  bool rows_are_out = false;
  std::optional<Span> rows;
  std::optional<Span> columns;
};

Axes axes_of(bool rows_are_out, const Span& out, const Span& in) {
  return {rows_are_out, rows_are_out ? out : in, rows_are_out ? in : out};
}

/// A stretch of codes in units that hold `unit` bits.
Span in_units(const Span& codes, unsigned bits, unsigned unit) {
  return {codes.begin * bits / unit, (codes.end * bits + unit - 1) / unit};
}

Axes word_axes(const quant::Layout& l, const Taken& t) {
  if (l.words_row_is_out)
    return axes_of(true, t.rows, in_units(t.columns, l.bits, l.rows_are_bytes ? 8 : 32));
  if (l.pack_axis == quant::PackAxis::in)
    return axes_of(false, t.rows, in_units(t.columns, l.bits, 32));
  return axes_of(false, in_units(t.rows, l.bits, 32), t.columns);
}

Axes scale_axes(const quant::Layout& l, const Taken& t) {
  const Span rows = l.rows_per_scale >= l.n
                        ? Span{0, l.scale_rows()}
                        : Span{t.rows.begin / l.rows_per_scale,
                               (t.rows.end + l.rows_per_scale - 1) / l.rows_per_scale};
  return axes_of(l.scales_row_is_out, rows, t.groups);
}

Axes zero_axes(const quant::Layout& l, const Taken& t) {
  if (l.zeros_are_bytes) return axes_of(true, t.rows, t.groups);
  return axes_of(l.zeros_row_is_out, in_units(t.rows, l.bits, 32), t.groups);
}

void narrow(Cut& cut, const Axes& axes) {
  // A single number stands for all of the weight.
  if (cut.rows * cut.cols == 1) return;
  const auto take = [](const std::optional<Span>& part, std::uint64_t& begin, std::uint64_t& end) {
    if (!part) return;
    end = std::min(end, begin + part->end);
    begin = std::min(end, begin + part->begin);
  };
  take(axes.rows, cut.row_begin, cut.row_end);
  take(axes.columns, cut.col_begin, cut.col_end);
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
  if (s.format != quant::Format::plain) {
    constexpr std::uint64_t kAll = ~std::uint64_t{0};
    CKPT_TRY(Part part, load_block(module, {0, kAll, 0, kAll}), "weights");
    return std::move(part.weight);
  }
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

// Where the inputs of a packed weight find their groups: [columns] I32, empty when k div group_size
// says it for the whole weight.
Result<Bytes> Model::load_groups(std::uint32_t module, const quant::Layout& layout) const {
  const arch::Module& m = blueprint_->modules()[module];
  const Tensor* g_idx = tensor(module, Member::g_idx);
  if (g_idx == nullptr) g_idx = tensor(module, Member::weight_g_idx);
  if (g_idx == nullptr) return Bytes{};
  const bool stacked =
      stored_->modules[module].spelling == Spelling::stacked && g_idx->shape.size() == 2;
  const std::uint64_t slices = stacked ? g_idx->shape[0] : 1;
  const std::uint64_t bytes = 4 * layout.k;
  if (g_idx->dtype != Dtype::i32 || g_idx->bytes() != slices * bytes ||
      (stacked && static_cast<std::uint64_t>(m.expert) >= slices)) {
    return fail(ErrorKind::format,
                fmt::format("{}: g_idx is {} {}, I32 [{}] expected", m.name,
                            dtype_name(g_idx->dtype), shape_text(g_idx->shape), layout.k));
  }
  Bytes out(bytes);
  const std::uint64_t first = stacked ? static_cast<std::uint64_t>(m.expert) * bytes : 0;
  CKPT_TRY_VOID(checkpoint_->read(*g_idx, first, out), m.name);
  if (trivial(out, layout.group_size) || unused(out)) out.clear();
  return out;
}

Result<Part> Model::load_block(std::uint32_t module, const Block& block) const {
  const arch::Module& m = blueprint_->modules()[module];
  const quant::Stored& s = stored_->modules[module];
  if (s.format == quant::Format::plain) {
    return fail(ErrorKind::unsupported, fmt::format("{}: a block of a plain weight", m.name));
  }
  CKPT_TRY(const quant::Codec codec, this->codec(module), "weights");
  const quant::Layout& whole = codec.layout;
  CKPT_TRY(Bytes g_idx, load_groups(module, whole), "weights");
  CKPT_TRY(const Taken taken, taken_for(whole, block, g_idx.empty()), m.name);
  Part part{{}, taken.rows.begin, taken.columns.begin, taken.groups.begin};
  Parameter& p = part.weight;
  p.name = m.name;
  p.shape = m.shape;
  p.packed = true;
  p.layout = taken.layout;
  const auto read = [&](Member member, const Axes& axes, Bytes& to) -> Result<void> {
    const Tensor* t = tensor(module, member);
    if (t == nullptr) return {};
    CKPT_TRY(Cut cut, cut_of(*t, s, m, axes.rows_are_out), "weights");
    narrow(cut, axes);
    CKPT_TRY(to, read_cut(*checkpoint_, *t, cut), "weights");
    return {};
  };
  CKPT_TRY_VOID(read(codec.words, word_axes(whole, taken), p.data), m.name);
  CKPT_TRY_VOID(read(codec.scales, scale_axes(whole, taken), p.scales), m.name);
  if (codec.zeros) CKPT_TRY_VOID(read(*codec.zeros, zero_axes(whole, taken), p.zeros), m.name);
  if (codec.factor) {
    Bytes factor;
    CKPT_TRY_VOID(read(*codec.factor, {.rows_are_out = true}, factor), m.name);
    if (factor.size() != sizeof(float)) {
      return fail(ErrorKind::format,
                  fmt::format("{}: a global scale of {} bytes, 4 expected", m.name, factor.size()));
    }
    p.layout.scale_factor = ckpt::load<float>(factor.data());
  }
  if (taken.rows.count() == whole.n && taken.columns.count() == whole.k) {
    p.g_idx = std::move(g_idx);
    return part;
  }
  p.shape = {taken.rows.count(), taken.columns.count()};
  p.g_idx.resize(4 * taken.columns.count());
  for (std::uint64_t c = 0; c < taken.columns.count(); ++c) {
    const std::uint64_t k = taken.columns.begin + c;
    const auto group = g_idx.empty()
                           ? static_cast<std::int32_t>(k / whole.group_size - taken.groups.begin)
                           : ckpt::load<std::int32_t>(g_idx.data() + 4 * k);
    std::memcpy(p.g_idx.data() + 4 * c, &group, sizeof group);
  }
  return part;
}

bool Model::by_columns(std::uint32_t module) const {
  if (is_plain(module)) return false;
  const auto c = codec(module);
  return c && !c->layout.words_row_is_out;
}

void Model::will_need(std::uint32_t module) const {
  for (const Member member : {Member::weight, Member::qweight, Member::weight_packed}) {
    if (const Tensor* t = tensor(module, member); t != nullptr) checkpoint_->will_need(*t);
  }
}

}  // namespace ckpt::weights
