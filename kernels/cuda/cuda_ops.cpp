#include "kernels/cuda/cuda_ops.h"

#include <algorithm>

#include "kernels/cuda/matrix.h"
#include "kernels/extents.h"

namespace ckpt::kernels::cuda {

namespace {

// A wider head would need another tile shape; no model here has one.
tl::unexpected<Error> too_wide(std::string_view op) {
  return fail(ErrorKind::unsupported, std::string(op) + ": heads wider than the kernel holds");
}

}  // namespace

Result<std::unique_ptr<Ops>> CudaOps::open(int index, std::uint64_t memory, std::string name) {
  CKPT_TRY(auto device, Device::open(index, memory), "cuda");
  return std::make_unique<CudaOps>(std::move(device), std::move(name));
}

CudaOps::~CudaOps() {
  static_cast<void>(device_->select());  // the thread that ends them may have used others
  sequences_ = {};
}

template <class T>
Result<void> CudaOps::fetch(const Block& from, std::span<T> to) {
  return device_->download(from.as<T>(), to.size_bytes(), to.size_bytes(), 1, to.data());
}

Result<const CudaOps::Sequences*> CudaOps::sequences(std::span<const std::int64_t> starts,
                                                     std::int64_t rows, std::string_view op) {
  if (starts.empty() || starts.back() != rows) return bad_extents(op);
  if (std::ranges::equal(starts, sequences_.starts)) return &sequences_;
  Sequences next;
  next.starts.assign(starts.begin(), starts.end());
  std::vector<std::int32_t> positions;
  std::vector<QueryTile> tiles;
  for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
    const std::int64_t length = starts[s + 1] - starts[s];
    for (std::int64_t t = 0; t < length; ++t) positions.push_back(static_cast<std::int32_t>(t));
    for (std::int64_t t = 0; t < length; t += kQueries) {
      tiles.push_back({starts[s], starts[s + 1], t});
    }
  }
  next.tile_count = static_cast<std::int64_t>(tiles.size());
  CKPT_TRY(next.on_device, device_->upload_small(starts), op);
  CKPT_TRY(next.positions, device_->upload_small(std::span<const std::int32_t>(positions)), op);
  CKPT_TRY(next.tiles, device_->upload_small(std::span<const QueryTile>(tiles)), op);
  sequences_ = std::move(next);
  return &sequences_;
}

std::uint64_t CudaOps::matrices_ahead() const {
  constexpr std::uint64_t kMost = std::uint64_t{512} << 20;
  return std::min(kMost, device_->budget() / 16);
}

Result<Buffer> CudaOps::allocate(std::int64_t floats) {
  if (floats < 0) return bad_extents("allocate");
  const auto bytes = static_cast<std::size_t>(floats) * sizeof(float);
  CKPT_TRY(Block block, device_->allocate(bytes), "activations");
  Device* device = device_.get();
  auto* data = static_cast<float*>(block.detach());
  return Buffer(data, floats, [device, bytes](float* p) { device->release(p, bytes); });
}

Result<void> CudaOps::write(const Rows& to, std::span<const float> from) {
  if (static_cast<std::int64_t>(from.size()) != to.rows * to.cols) return bad_extents("write");
  if (from.empty()) return {};
  const auto width = static_cast<std::size_t>(to.cols) * sizeof(float);
  return check(cudaMemcpy2DAsync(to.data, static_cast<std::size_t>(to.stride) * sizeof(float),
                                 from.data(), width, width, static_cast<std::size_t>(to.rows),
                                 cudaMemcpyHostToDevice, device_->compute()),
               "write");
}

Result<void> CudaOps::read(const Rows& from, std::span<float> to) {
  if (static_cast<std::int64_t>(to.size()) != from.rows * from.cols) return bad_extents("read");
  return device_->download(from.data, static_cast<std::size_t>(from.stride) * sizeof(float),
                           static_cast<std::size_t>(from.cols) * sizeof(float),
                           static_cast<std::size_t>(from.rows), to.data());
}

Result<std::unique_ptr<Matrix>> CudaOps::matrix(const MatrixView& view) {
  CKPT_TRY(std::unique_ptr<CudaMatrix> matrix, CudaMatrix::make(*device_, view), "matrix");
  return matrix;
}

std::uint64_t CudaOps::group_bytes() const {
  return matrices_ahead() / 2;
}

Result<CudaOps::SplitRows> CudaOps::split_rows(const Rows& x, bool is_bf16) {
  SplitRows out;
  out.terms = {nullptr, x.rows, padded_depth(x.cols), is_bf16 ? 1 : kMostTerms};
  const auto numbers = static_cast<std::size_t>(out.terms.count * x.rows * out.terms.depth);
  CKPT_TRY(out.memory, device_->allocate(numbers * sizeof(std::uint16_t)), "split");
  CKPT_TRY(out.flags, device_->allocate(static_cast<std::size_t>(x.rows) * sizeof(int)), "split");
  out.terms.data = out.memory.as<std::uint16_t>();
  CKPT_TRY_VOID(check(split(device_->compute(), x, out.terms, out.flags.as<int>()), "split"),
                "split");
  return out;
}

namespace {

/// A matrix is prepared when first used; it belongs to this backend.
Result<Product> product_of(const Matrix& matrix, std::int64_t first, const Rows& y) {
  auto& w = const_cast<CudaMatrix&>(static_cast<const CudaMatrix&>(matrix));
  CKPT_TRY_VOID(w.prepare(), "weight");
  return Product{w.terms(), w.nonfinite(), first, y};
}

}  // namespace

Result<void> CudaOps::gemm(const GemmArgs& args) {
  if (!fits(args)) return bad_extents("gemm");
  if (args.x.rows == 0) return {};
  CKPT_TRY(const SplitRows x, split_rows(args.x, args.x_is_bf16), "gemm");
  for (const GemmPart& part : args.parts) {
    CKPT_TRY(const Product product, product_of(*part.w, 0, part.y), "gemm");
    CKPT_TRY_VOID(
        check(multiply(device_->compute(), x.terms, x.flags.as<int>(), product, args.rounding),
              "multiply"),
        "gemm");
  }
  return {};
}

Result<void> CudaOps::grouped_gemm(const GroupedGemmArgs& args) {
  if (!fits(args)) return bad_extents("grouped_gemm");
  if (args.x.rows == 0) return {};
  CKPT_TRY(const SplitRows x, split_rows(args.x, args.x_is_bf16), "grouped_gemm");
  std::vector<Product> products[kMostTerms];
  for (const GemmGroup& g : args.groups) {
    if (g.y.rows == 0) continue;
    CKPT_TRY(const Product product, product_of(*g.w, g.first, g.y), "grouped_gemm");
    products[product.w.count - 1].push_back(product);
  }
  for (const std::vector<Product>& some : products) {
    CKPT_TRY_VOID(multiply_many(x, some, args.rounding), "grouped_gemm");
  }
  return {};
}

// Products whose weights have equally many terms.
Result<void> CudaOps::multiply_many(const SplitRows& x, std::span<const Product> products,
                                    Rounding rounding) {
  if (products.empty()) return {};
  Products p{.w_terms = products.front().w.count};
  for (const Product& one : products) {
    p.most = std::max(p.most, one.y.rows);
    p.columns = std::max(p.columns, one.y.cols);
  }
  std::vector<RowTile> tiles;
  for (std::size_t i = 0; i < products.size(); ++i) {
    for (std::int64_t row = 0; row < products[i].y.rows; row += tile_rows(p.most)) {
      tiles.push_back({static_cast<std::int64_t>(i), row});
    }
  }
  CKPT_TRY(const Block all, device_->upload_small(products), "products");
  CKPT_TRY(const Block cut, device_->upload_small(std::span<const RowTile>(tiles)), "tiles");
  p.all = all.as<Product>();
  p.tiles = cut.as<RowTile>();
  p.tile_count = static_cast<std::int64_t>(tiles.size());
  return check(multiply_grouped(device_->compute(), x.terms, x.flags.as<int>(), p, rounding),
               "multiply");
}

Result<void> CudaOps::rms_norm(const NormArgs& args) {
  if (!fits(args)) return bad_extents("rms_norm");
  CKPT_TRY(const Block weight, device_->upload_small(args.weight), "rms_norm");
  return check(cuda::rms_norm(device_->compute(), args.x, args.y, weight.as<float>(), args.eps,
                              args.weight_offset, args.rounding),
               "rms_norm");
}

Result<void> CudaOps::gated_norm(const GatedNormArgs& args) {
  if (!fits(args)) return bad_extents("gated_norm");
  CKPT_TRY(const Block weight, device_->upload_small(args.weight), "gated_norm");
  return check(cuda::gated_norm(device_->compute(), args.x, args.z, weight.as<float>(), args.eps,
                                args.rounding),
               "gated_norm");
}

Result<void> CudaOps::rope(const RopeArgs& args) {
  if (!fits(args)) return bad_extents("rope");
  CKPT_TRY(const Sequences* of, sequences(args.starts, args.x.tokens, "rope"), "rope");
  return check(cuda::rope(device_->compute(), args.x, args.cos, args.sin,
                          of->positions.as<std::int32_t>(), args.rounding),
               "rope");
}

Result<void> CudaOps::attend(const AttentionArgs& args, bool causal, std::string_view op) {
  if (!fits(args)) return bad_extents(op);
  if (args.q.dim > kLargestHead) return too_wide(op);
  CKPT_TRY(const Sequences* of, sequences(args.starts, args.q.tokens, op), op);
  return check(cuda::attention(device_->compute(), args.q, args.k, args.v, args.o, args.scale,
                               of->tiles.as<QueryTile>(), of->tile_count, causal, args.rounding),
               "attention");
}

Result<void> CudaOps::attention(const AttentionArgs& args) {
  return attend(args, true, "attention");
}

Result<void> CudaOps::full_attention(const AttentionArgs& args) {
  return attend(args, false, "full_attention");
}

Result<void> CudaOps::layer_norm(const LayerNormArgs& args) {
  if (!fits(args)) return bad_extents("layer_norm");
  CKPT_TRY(const Block weight, device_->upload_small(args.weight), "layer_norm");
  CKPT_TRY(const Block bias, device_->upload_small(args.bias), "layer_norm");
  return check(cuda::layer_norm(device_->compute(), args.x, args.y, weight.as<float>(),
                                bias.as<float>(), args.eps, args.rounding),
               "layer_norm");
}

Result<void> CudaOps::gelu(const Rows& x, Gelu kind, Rounding rounding) {
  return check(cuda::gelu(device_->compute(), x, kind == Gelu::erf, rounding), "gelu");
}

Result<void> CudaOps::add_bias(const Rows& x, std::span<const float> bias, Rounding rounding) {
  if (static_cast<std::int64_t>(bias.size()) != x.cols) return bad_extents("add_bias");
  CKPT_TRY(const Block there, device_->upload_small(bias), "add_bias");
  return check(cuda::add_bias(device_->compute(), x, there.as<float>(), rounding), "add_bias");
}

Result<void> CudaOps::sigmoid_gate(const GateArgs& args) {
  if (!fits(args)) return bad_extents("sigmoid_gate");
  return check(cuda::sigmoid_gate(device_->compute(), args.x, args.gate, args.rounding), "gate");
}

Result<void> CudaOps::conv(const ConvArgs& args) {
  if (!fits(args)) return bad_extents("conv");
  CKPT_TRY(const Sequences* of, sequences(args.starts, args.x.rows, "conv"), "conv");
  CKPT_TRY(const Block weight, device_->upload_small(args.weight), "conv");
  const auto width = static_cast<int>(static_cast<std::int64_t>(args.weight.size()) / args.x.cols);
  return check(cuda::conv(device_->compute(), args.x, args.y, weight.as<float>(), width,
                          of->positions.as<std::int32_t>(), args.rounding),
               "conv");
}

Result<void> CudaOps::silu(const Rows& x, Rounding rounding) {
  return check(cuda::silu(device_->compute(), x, rounding), "silu");
}

Result<void> CudaOps::delta_rule(const DeltaRuleArgs& args) {
  if (!fits(args)) return bad_extents("delta_rule");
  CKPT_TRY(const Sequences* of, sequences(args.starts, args.v.tokens, "delta_rule"), "delta_rule");
  CKPT_TRY(const Block a_log, device_->upload_small(args.a_log), "delta_rule");
  CKPT_TRY(const Block dt_bias, device_->upload_small(args.dt_bias), "delta_rule");
  const DeltaRule call{.q = args.q,
                       .k = args.k,
                       .v = args.v,
                       .b = args.b,
                       .a = args.a,
                       .a_log = a_log.as<float>(),
                       .dt_bias = dt_bias.as<float>(),
                       .o = args.o,
                       .starts = of->on_device.as<std::int64_t>(),
                       .sequences = static_cast<std::int64_t>(of->starts.size()) - 1,
                       .rounding = args.rounding};
  const std::int64_t limit = device_->shared_limit();
  const cudaError_t done = cuda::delta_rule(device_->compute(), call, limit);
  if (done == cudaErrorMemoryAllocation) return too_wide("delta_rule");
  return check(done, "delta_rule");
}

Result<void> CudaOps::route(const RouteArgs& args) {
  if (!fits(args)) return bad_extents("route");
  if (args.logits.rows == 0) return {};
  CKPT_TRY(const Block ids, device_->allocate(args.ids.size_bytes()), "route");
  CKPT_TRY(const Block weights, device_->allocate(args.weights.size_bytes()), "route");
  CKPT_TRY(const Block margins, device_->allocate(args.margins.size_bytes()), "route");
  CKPT_TRY_VOID(check(cuda::route(device_->compute(), args.logits, static_cast<int>(args.top_k),
                                  ids.as<std::int32_t>(), weights.as<float>(), margins.as<float>(),
                                  args.rounding),
                      "route"),
                "route");
  CKPT_TRY_VOID(fetch(ids, args.ids), "route");
  CKPT_TRY_VOID(fetch(weights, args.weights), "route");
  return fetch(margins, args.margins);
}

Result<void> CudaOps::silu_mul(const Rows& gate, const Rows& up, Rounding rounding) {
  if (!fits(gate, up)) return bad_extents("silu_mul");
  return check(cuda::silu_mul(device_->compute(), gate, up, rounding), "silu_mul");
}

Result<void> CudaOps::fill(const Rows& x, float value) {
  return check(cuda::fill(device_->compute(), x, value), "fill");
}

Result<void> CudaOps::gather(const Rows& from, std::span<const std::int64_t> index,
                             const Rows& to) {
  if (static_cast<std::int64_t>(index.size()) != to.rows || from.cols != to.cols) {
    return bad_extents("gather");
  }
  CKPT_TRY(const Block rows, device_->upload_small(index), "gather");
  return check(cuda::gather(device_->compute(), from, rows.as<std::int64_t>(), to), "gather");
}

Result<void> CudaOps::scatter_add(const Rows& from, std::span<const float> weight,
                                  std::span<const std::int64_t> index, const Rows& to,
                                  Rounding rounding) {
  if (static_cast<std::int64_t>(index.size()) != from.rows || weight.size() != index.size() ||
      from.cols != to.cols) {
    return bad_extents("scatter_add");
  }
  CKPT_TRY(const Block rows, device_->upload_small(index), "scatter_add");
  CKPT_TRY(const Block weights, device_->upload_small(weight), "scatter_add");
  return check(cuda::scatter_add(device_->compute(), from, weights.as<float>(),
                                 rows.as<std::int64_t>(), to, rounding),
               "scatter_add");
}

Result<void> CudaOps::add(const Rows& x, const Rows& y, Rounding rounding) {
  if (!fits(x, y)) return bad_extents("add");
  return check(cuda::add(device_->compute(), x, y, rounding), "add");
}

Result<void> CudaOps::subtract(const Rows& x, const Rows& y) {
  if (!fits(x, y)) return bad_extents("subtract");
  return check(cuda::subtract(device_->compute(), x, y), "subtract");
}

Result<void> CudaOps::moe_combine(const MoeCombineArgs& args) {
  if (!fits(args)) return bad_extents("moe_combine");
  return check(cuda::moe_combine(device_->compute(), args.routed, args.shared, args.shared_gate,
                                 args.rounding),
               "moe_combine");
}

Result<void> CudaOps::row_squares(const Rows& x, const Rows& y, std::span<double> out) {
  if (static_cast<std::int64_t>(out.size()) != x.rows || (y.data != nullptr && !fits(x, y))) {
    return bad_extents("row_squares");
  }
  if (out.empty()) return {};
  CKPT_TRY(const Block sums, device_->allocate(out.size_bytes()), "row_squares");
  CKPT_TRY_VOID(check(cuda::row_squares(device_->compute(), x, y, sums.as<double>()), "sums"),
                "row_squares");
  return fetch(sums, out);
}

Result<Range> CudaOps::probe(const Rows& x) {
  Range range;
  if (x.rows == 0 || x.cols == 0) return range;
  range.first_nonfinite = x.rows;
  CKPT_TRY(const Block out, device_->upload_small(std::span<const Range>(&range, 1)), "probe");
  CKPT_TRY_VOID(check(cuda::probe(device_->compute(), x, out.as<Range>()), "probe"), "probe");
  CKPT_TRY_VOID(fetch(out, std::span(&range, 1)), "probe");
  if (range.nonfinite == 0) range.first_nonfinite = -1;
  return range;
}

Result<void> CudaOps::divergence(const DivergenceArgs& args) {
  if (!fits(args)) return bad_extents("divergence");
  if (args.out.empty()) return {};
  CKPT_TRY(const Block labels, device_->upload_small(args.labels), "divergence");
  CKPT_TRY(const Block out, device_->allocate(args.out.size_bytes()), "divergence");
  CKPT_TRY_VOID(check(cuda::divergence(device_->compute(), args.reference, args.candidate,
                                       labels.as<std::int64_t>(), out.as<Divergence>()),
                      "divergence"),
                "divergence");
  return fetch(out, args.out);
}

}  // namespace ckpt::kernels::cuda
