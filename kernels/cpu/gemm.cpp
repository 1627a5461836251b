// y = x W^T. x is packed once per block of rows; each task decodes a few panels of W into its cache
// and multiplies. Task shapes are fixed, so the thread count cannot change a bit.

#include <algorithm>
#include <atomic>

#include "kernels/cpu/cpu_ops.h"
#include "validator/base/bits.h"

namespace ckpt::kernels::cpu {

namespace {

constexpr std::int64_t kTaskCols = 64;  // columns of y per task: two panels
constexpr std::int64_t kTaskRows = 32 * kRowBlock;
constexpr std::int64_t kPackFloats = 4 << 20;  // of packed x at a time: 16 MiB
static_assert(kTaskCols % kPanel == 0 && kDepth % 8 == 0);

// Rows of x as [block][k][rows per block], zero beyond the last row.
struct PackedRows {
  Scratch data;
  std::int64_t rows = 0;
  std::int64_t block = 0;  // rows per block
  std::int64_t blocks = 0;
};

struct Task {
  const GemmPart* part;
  std::int64_t n_begin;
  std::int64_t block_begin;
  std::int64_t block_end;
};

void pack_block(const Rows& x, std::int64_t first, std::int64_t block, float* to) {
  for (std::int64_t r = 0; r < block; ++r) {
    const bool inside = first + r < x.rows;
    const float* from = x.data + (first + r) * x.stride;
    for (std::int64_t k = 0; k < x.cols; ++k) to[k * block + r] = inside ? from[k] : 0.0F;
  }
}

std::vector<Task> make_tasks(const GemmArgs& args, const PackedRows& packed) {
  std::vector<Task> tasks;
  const std::int64_t step = std::max<std::int64_t>(1, kTaskRows / packed.block);
  for (const GemmPart& part : args.parts) {
    for (std::int64_t n = 0; n < part.w->n(); n += kTaskCols) {
      for (std::int64_t b = 0; b < packed.blocks; b += step) {
        tasks.push_back({&part, n, b, std::min(packed.blocks, b + step)});
      }
    }
  }
  return tasks;
}

// Rows [first_row, ...) of y, columns of one task.
bool run_task(const Level& level, const Task& task, const PackedRows& packed,
              std::int64_t first_row, Rounding rounding) {
  const MatrixView& view = static_cast<const CpuMatrix*>(task.part->w)->view();
  const Rows& y = task.part->y;
  const std::int64_t cols = std::min(kTaskCols, view.n - task.n_begin);
  const Scratch panel = make_scratch(kDepth * kPanel);
  if (panel == nullptr) return false;
  for (std::int64_t n = 0; n < cols; n += kPanel) {
    const PanelReader reader(level, view, task.n_begin + n);
    if (!reader.ok()) return false;
    for (std::int64_t k = 0; k < view.k; k += kDepth) {
      const std::int64_t depth = std::min(kDepth, view.k - k);
      reader.read(k, k + depth, panel.get());
      for (std::int64_t b = task.block_begin; b < task.block_end; ++b) {
        const std::int64_t row = b * packed.block;
        level.multiply({.m = std::min(packed.block, packed.rows - row),
                        .n = std::min(kPanel, cols - n),
                        .k = depth,
                        .a = packed.data.get() + (b * view.k + k) * packed.block,
                        .a_row = 1,
                        .a_col = packed.block,
                        .b = panel.get(),
                        .b_row = kPanel,
                        .c = y.data + (first_row + row) * y.stride + task.n_begin + n,
                        .c_row = y.stride,
                        .accumulate = k > 0});
      }
    }
  }
  if (rounding == Rounding::none) return true;
  const std::int64_t end = std::min(packed.rows, task.block_end * packed.block);
  for (std::int64_t r = task.block_begin * packed.block; r < end; ++r) {
    level.round(y.data + (first_row + r) * y.stride + task.n_begin, cols, rounding);
  }
  return true;
}

std::int64_t packed_words(std::int64_t codes, unsigned bits) {
  return (codes * static_cast<std::int64_t>(bits) + 31) / 32;
}

// Bytes that the words, zeros and scales of a packed view must have at least.
bool packed_sizes_fit(const MatrixView& v) {
  const PackedLayout& p = v.packed;
  if (p.bits < 1 || p.bits > 8 || p.groups < 1 || p.group_size < 1) return false;
  if (p.scale_storage == Storage::packed || (p.awq_order && p.bits != 4)) return false;
  const std::int64_t words = p.pack_axis == PackAxis::out ? v.k * packed_words(v.n, p.bits)
                                                          : v.n * packed_words(v.k, p.bits);
  const std::int64_t zeros = p.groups * packed_words(v.n, p.bits);
  const std::int64_t scale_bytes = p.scale_storage == Storage::f32 ? 4 : 2;
  const auto bytes = [](const auto& span) { return static_cast<std::int64_t>(span.size()); };
  if (bytes(v.data) < words * 4 || bytes(v.scales) < p.groups * v.n * scale_bytes) return false;
  if (p.has_zeros && bytes(v.zeros) < zeros * 4) return false;
  if (v.group_of_k.empty()) return (v.k + p.group_size - 1) / p.group_size <= p.groups;
  if (bytes(v.group_of_k) != v.k * 4) return false;
  for (std::int64_t k = 0; k < v.k; ++k) {
    const auto g = load<std::int32_t>(v.group_of_k.data() + k * 4);
    if (g < 0 || g >= p.groups) return false;
  }
  return true;
}

}  // namespace

Result<std::unique_ptr<Matrix>> CpuOps::matrix(const MatrixView& view) {
  if (view.n < 0 || view.k < 1) return bad_extents("matrix");
  if (view.storage == Storage::packed) {
    if (!packed_sizes_fit(view)) return bad_extents("matrix");
    return std::make_unique<CpuMatrix>(view);
  }
  const std::int64_t stride = view.row_stride == 0 ? view.k : view.row_stride;
  const std::int64_t width = view.storage == Storage::f32 ? 4 : 2;
  const std::int64_t need = view.n == 0 ? 0 : ((view.n - 1) * stride + view.k) * width;
  if (stride < view.k || static_cast<std::int64_t>(view.data.size()) < need) {
    return bad_extents("matrix");
  }
  return std::make_unique<CpuMatrix>(view);
}

Result<void> CpuOps::gemm(const GemmArgs& args) {
  const Rows& x = args.x;
  for (const GemmPart& part : args.parts) {
    if (part.w->k() != x.cols || part.y.rows != x.rows || part.y.cols != part.w->n()) {
      return bad_extents("gemm");
    }
  }
  const std::int64_t limit = std::max(kRowBlock, kPackFloats / x.cols / kRowBlock * kRowBlock);
  std::atomic<bool> ok = true;
  for (std::int64_t first = 0; first < x.rows; first += limit) {
    const Rows part_x = x.slice(first, std::min(limit, x.rows - first));
    PackedRows packed;
    packed.rows = part_x.rows;
    packed.blocks = (packed.rows + kRowBlock - 1) / kRowBlock;
    packed.block = (packed.rows + packed.blocks - 1) / packed.blocks;
    packed.blocks = (packed.rows + packed.block - 1) / packed.block;
    const std::int64_t block_floats = packed.block * x.cols;
    packed.data = make_scratch(packed.blocks * block_floats);
    if (packed.data == nullptr) return no_memory("gemm", packed.blocks * block_floats);
    over_rows(packed.blocks, block_floats, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        pack_block(part_x, b * packed.block, packed.block, packed.data.get() + b * block_floats);
      }
    });
    const std::vector<Task> tasks = make_tasks(args, packed);
    pool_.parallel_for(tasks.size(), [&](std::size_t i) {
      if (!run_task(level_, tasks[i], packed, first, args.rounding)) ok = false;
    });
  }
  if (!ok) return no_memory("gemm", kDepth * kPanel);
  return {};
}

}  // namespace ckpt::kernels::cpu
