#include "kernels/extents.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/bits.h"

namespace ckpt::kernels {

namespace {

std::int64_t size_of(const auto& span) {
  return static_cast<std::int64_t>(span.size());
}

bool same(const Heads& a, const Heads& b) {
  return a.tokens == b.tokens && a.heads == b.heads && a.dim == b.dim;
}

// `starts` must rise from 0 to the row count.
bool good_starts(std::span<const std::int64_t> starts, std::int64_t rows) {
  return !starts.empty() && starts.front() == 0 && starts.back() == rows &&
         std::is_sorted(starts.begin(), starts.end());
}

// Widths that an element can have.
bool width_fits(const PackedLayout& p) {
  if (p.element == Element::code) return p.bits >= 1 && p.bits <= 8;
  return p.bits == (p.element == Element::e2m1 ? 4U : 8U);
}

bool packed_fits(const MatrixView& v) {
  const PackedLayout& p = v.packed;
  if (!width_fits(p) || p.groups < 1 || p.group_size < 1 || p.rows_per_scale < 1) return false;
  if (p.awq_order && (p.bits != 4 || p.pack_axis != PackAxis::out)) return false;
  std::int64_t data = 4 * v.n * words_of(v.k, p.bits);
  if (p.words_row_is_out) data = v.n * packed_row_bytes(v);
  if (!p.words_row_is_out && p.pack_axis == PackAxis::out) data = 4 * v.k * words_of(v.n, p.bits);
  const std::int64_t zeros = p.groups * (p.zeros_are_bytes ? v.n : 4 * words_of(v.n, p.bits));
  const std::int64_t scale_rows = (v.n + p.rows_per_scale - 1) / p.rows_per_scale;
  const std::int64_t scales = p.groups * scale_rows * scale_bytes(p.scale_type);
  if (size_of(v.data) < data || size_of(v.scales) < scales) return false;
  if (p.has_zeros && size_of(v.zeros) < zeros) return false;
  if (v.group_of_k.empty()) return (v.k + p.group_size - 1) / p.group_size <= p.groups;
  if (size_of(v.group_of_k) != v.k * 4) return false;
  for (std::int64_t k = 0; k < v.k; ++k) {
    const auto g = load<std::int32_t>(v.group_of_k.data() + k * 4);
    if (g < 0 || g >= p.groups) return false;
  }
  return true;
}

}  // namespace

bool fits(const MatrixView& v) {
  if (v.n < 0 || v.k < 1) return false;
  if (v.storage == Storage::packed) return packed_fits(v);
  const std::int64_t stride = v.row_stride == 0 ? v.k : v.row_stride;
  const std::int64_t width = v.storage == Storage::f32 ? 4 : 2;
  const std::int64_t need = v.n == 0 ? 0 : ((v.n - 1) * stride + v.k) * width;
  return stride >= v.k && size_of(v.data) >= need;
}

bool fits(const GemmArgs& args) {
  return std::all_of(args.parts.begin(), args.parts.end(), [&](const GemmPart& part) {
    return part.w->k() == args.x.cols && part.y.rows == args.x.rows && part.y.cols == part.w->n();
  });
}

bool fits(const GroupedGemmArgs& args) {
  return std::all_of(args.groups.begin(), args.groups.end(), [&](const GemmGroup& g) {
    return g.w->k() == args.x.cols && g.first >= 0 && g.y.rows >= 0 &&
           g.first + g.y.rows <= args.x.rows && g.y.cols == g.w->n();
  });
}

bool fits(const NormArgs& args) {
  return same(args.x, args.y) && size_of(args.weight) == args.x.dim;
}

bool fits(const LayerNormArgs& args) {
  return fits(args.x, args.y) && size_of(args.weight) == args.x.cols &&
         size_of(args.bias) == args.x.cols;
}

bool fits(const RopeArgs& args) {
  const std::int64_t half = args.cos.cols;
  if (args.sin.cols != half || 2 * half > args.x.dim) return false;
  if (!good_starts(args.starts, args.x.tokens)) return false;
  for (std::size_t s = 0; s + 1 < args.starts.size(); ++s) {
    const std::int64_t length = args.starts[s + 1] - args.starts[s];
    if (length > args.cos.rows || length > args.sin.rows) return false;
  }
  return true;
}

bool fits(const AttentionArgs& args) {
  const Heads& q = args.q;
  const Heads& k = args.k;
  return k.heads > 0 && q.heads % k.heads == 0 && k.dim == q.dim && q.dim > 0 &&
         k.tokens == q.tokens && same(args.v, k) && same(args.o, q) &&
         good_starts(args.starts, q.tokens);
}

bool fits(const GateArgs& args) {
  return same(args.x, args.gate);
}

bool fits(const ConvArgs& args) {
  const std::int64_t channels = args.x.cols;
  return fits(args.x, args.y) && channels > 0 && !args.weight.empty() &&
         size_of(args.weight) % channels == 0 && good_starts(args.starts, args.x.rows);
}

bool fits(const DeltaRuleArgs& args) {
  const std::int64_t heads = args.v.heads;
  const std::int64_t tokens = args.v.tokens;
  return args.k.heads > 0 && heads % args.k.heads == 0 && same(args.q, args.k) && args.k.dim > 0 &&
         args.v.dim > 0 && same(args.o, args.v) && args.k.tokens == tokens &&
         args.a.rows == tokens && args.a.cols == heads && fits(args.a, args.b) &&
         size_of(args.a_log) == heads && size_of(args.dt_bias) == heads &&
         good_starts(args.starts, tokens);
}

bool fits(const GatedNormArgs& args) {
  return same(args.x, args.z) && size_of(args.weight) == args.x.dim;
}

bool fits(const RouteArgs& args) {
  const std::int64_t tokens = args.logits.rows;
  const std::int64_t slots = tokens * args.top_k;
  return args.top_k >= 1 && args.top_k <= args.logits.cols && size_of(args.ids) == slots &&
         size_of(args.weights) == slots && size_of(args.margins) == tokens;
}

bool fits(const MoeCombineArgs& args) {
  return fits(args.routed, args.shared) && args.shared_gate.rows == args.routed.rows &&
         args.shared_gate.cols == 1;
}

bool fits(const DivergenceArgs& args) {
  const std::int64_t rows = args.reference.rows;
  const std::int64_t cols = args.reference.cols;
  return fits(args.reference, args.candidate) && size_of(args.labels) == rows &&
         size_of(args.out) == rows && cols > 0 &&
         std::all_of(args.labels.begin(), args.labels.end(),
                     [&](std::int64_t label) { return label < cols; });
}

bool fits(const Rows& a, const Rows& b) {
  return a.rows == b.rows && a.cols == b.cols;
}

tl::unexpected<Error> bad_extents(std::string_view op) {
  return fail(ErrorKind::internal, fmt::format("{}: extents do not fit", op));
}

}  // namespace ckpt::kernels
