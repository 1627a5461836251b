// y = x W^T. x is packed once per block of rows; each task decodes a few panels of W into its cache
// and multiplies. Task shapes are fixed, so the thread count cannot change a bit.

#include <algorithm>
#include <atomic>
#include <bit>

#include "kernels/cpu/cpu_ops.h"

namespace ckpt::kernels::cpu {

namespace {

constexpr std::int64_t kTaskCols = 64;               // columns of y per task: two panels
constexpr std::int64_t kTaskRows = 172 * kRowBlock;  // a panel is decoded once for 2,064 rows

constexpr std::int64_t pairs_of(std::int64_t k) {
  return (k + 1) / 2;
}

constexpr std::int64_t kPackFloats = 4 << 20;  // of packed x at a time: 16 MiB
static_assert(kTaskCols % kPanel == 0 && kDepth % 8 == 0);

// Rows of x as [block][k][rows per block], zero beyond the last row.
struct PackedRows {
  Scratch data;                            // f32
  std::unique_ptr<std::uint32_t[]> pairs;  // or pairs of BF16: [block][ceil(k / 2)][rows]
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

// x holds BF16 numbers, so the high halves are all there is.
void pack_block_pairs(const Rows& x, std::int64_t first, std::int64_t block, std::uint32_t* to) {
  const std::int64_t whole = x.cols / 2;
  for (std::int64_t r = 0; r < block; ++r) {
    const bool inside = first + r < x.rows;
    const float* from = x.data + (first + r) * x.stride;
    for (std::int64_t k = 0; k < pairs_of(x.cols); ++k) {
      std::uint32_t pair = 0;
      if (inside) pair = std::bit_cast<std::uint32_t>(from[2 * k]) >> 16;
      if (inside && k < whole) pair |= std::bit_cast<std::uint32_t>(from[2 * k + 1]) & 0xFFFF0000U;
      to[k * block + r] = pair;
    }
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

// Memory of one worker for the panels of its task.
struct PanelMemory {
  Scratch panel = make_scratch(kDepth * kPanel);
  std::unique_ptr<std::uint32_t[]> pairs{new (std::nothrow) std::uint32_t[kDepth / 2 * kPanel]};

  [[nodiscard]] bool ok() const { return panel != nullptr && pairs != nullptr; }
};

class TaskRun {
 public:
  TaskRun(const Level& level, const Bf16Kernels* bf16, const Task& task, const PackedRows& packed,
          std::int64_t first_row)
      : level_(level),
        bf16_(bf16),
        task_(task),
        packed_(packed),
        first_row_(first_row),
        view_(static_cast<const CpuMatrix*>(task.part->w)->view()) {}

  // Rows [first_row, ...) of y, columns of the task. False when memory is short.
  bool run(Rounding rounding) {
    if (!memory_.ok()) return false;
    const std::int64_t cols = std::min(kTaskCols, view_.n - task_.n_begin);
    for (std::int64_t n = 0; n < cols; n += kPanel) {
      const PanelReader reader(level_, view_, task_.n_begin + n);
      if (!reader.ok()) return false;
      for (std::int64_t k = 0; k < view_.k; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, view_.k - k);
        const std::int64_t width = std::min(kPanel, cols - n);
        if (bf16_ != nullptr) {
          reader.read_pairs(*bf16_, k, k + depth, memory_.panel.get(), memory_.pairs.get());
          multiply_pairs(task_.n_begin + n, width, k, depth, rounding);
        } else {
          reader.read(k, k + depth, memory_.panel.get());
          multiply(task_.n_begin + n, width, k, depth);
        }
      }
    }
    const bool rounded = bf16_ != nullptr && rounding == Rounding::bf16;
    if (rounded || rounding == Rounding::none) return true;
    const std::int64_t end = std::min(packed_.rows, task_.block_end * packed_.block);
    for (std::int64_t r = task_.block_begin * packed_.block; r < end; ++r) {
      level_.round(at(r, task_.n_begin), cols, rounding);
    }
    return true;
  }

 private:
  [[nodiscard]] float* at(std::int64_t row, std::int64_t col) const {
    return task_.part->y.data + (first_row_ + row) * task_.part->y.stride + col;
  }

  void multiply(std::int64_t col, std::int64_t width, std::int64_t k, std::int64_t depth) const {
    for (std::int64_t b = task_.block_begin; b < task_.block_end; ++b) {
      const std::int64_t row = b * packed_.block;
      level_.multiply({.m = std::min(packed_.block, packed_.rows - row),
                       .n = width,
                       .k = depth,
                       .a = packed_.data.get() + (b * view_.k + k) * packed_.block,
                       .a_row = 1,
                       .a_col = packed_.block,
                       .b = memory_.panel.get(),
                       .b_row = kPanel,
                       .c = at(row, col),
                       .c_row = task_.part->y.stride,
                       .accumulate = k > 0});
    }
  }

  void multiply_pairs(std::int64_t col, std::int64_t width, std::int64_t k, std::int64_t depth,
                      Rounding rounding) const {
    const bool last = k + depth == view_.k;
    for (std::int64_t b = task_.block_begin; b < task_.block_end; ++b) {
      const std::int64_t row = b * packed_.block;
      bf16_->multiply({.m = std::min(packed_.block, packed_.rows - row),
                       .n = width,
                       .pairs = (depth + 1) / 2,
                       .a = packed_.pairs.get() + (b * pairs_of(view_.k) + k / 2) * packed_.block,
                       .a_col = packed_.block,
                       .b = memory_.pairs.get(),
                       .c = at(row, col),
                       .c_row = task_.part->y.stride,
                       .accumulate = k > 0,
                       .round = last && rounding == Rounding::bf16});
    }
  }

  const Level& level_;
  const Bf16Kernels* bf16_;
  const Task& task_;
  const PackedRows& packed_;
  std::int64_t first_row_;
  const MatrixView& view_;
  PanelMemory memory_;
};

// Whether every weight decodes to BF16 numbers.
bool weights_are_bf16(const GemmArgs& args) {
  return std::all_of(args.parts.begin(), args.parts.end(), [](const GemmPart& part) {
    const MatrixView& view = static_cast<const CpuMatrix*>(part.w)->view();
    return view.storage == Storage::bf16 ||
           (view.storage == Storage::packed && view.packed.rounding == Rounding::bf16);
  });
}

}  // namespace

Result<std::unique_ptr<Matrix>> CpuOps::matrix(const MatrixView& view) {
  if (!fits(view)) return bad_extents("matrix");
  return std::make_unique<CpuMatrix>(view);
}

Result<void> CpuOps::gemm(const GemmArgs& args) {
  const Rows& x = args.x;
  if (!fits(args)) return bad_extents("gemm");
  const std::int64_t limit = std::max(kRowBlock, kPackFloats / x.cols / kRowBlock * kRowBlock);
  const Bf16Kernels* bf16 = args.x_is_bf16 && weights_are_bf16(args) ? bf16_ : nullptr;
  std::atomic<bool> ok = true;
  for (std::int64_t first = 0; first < x.rows; first += limit) {
    const Rows part_x = x.slice(first, std::min(limit, x.rows - first));
    PackedRows packed;
    packed.rows = part_x.rows;
    packed.blocks = (packed.rows + kRowBlock - 1) / kRowBlock;
    packed.block = (packed.rows + packed.blocks - 1) / packed.blocks;
    packed.blocks = (packed.rows + packed.block - 1) / packed.block;
    const std::int64_t block_words = packed.block * (bf16 != nullptr ? pairs_of(x.cols) : x.cols);
    const std::int64_t words = packed.blocks * block_words;
    if (bf16 != nullptr) {
      packed.pairs.reset(new (std::nothrow) std::uint32_t[static_cast<std::size_t>(words)]);
    } else {
      packed.data = make_scratch(words);
    }
    if (packed.data == nullptr && packed.pairs == nullptr) return no_memory("gemm", words);
    over_rows(packed.blocks, block_words, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = begin; b < end; ++b) {
        const std::int64_t row = b * packed.block;
        if (bf16 != nullptr) {
          pack_block_pairs(part_x, row, packed.block, packed.pairs.get() + b * block_words);
        } else {
          pack_block(part_x, row, packed.block, packed.data.get() + b * block_words);
        }
      }
    });
    const std::vector<Task> tasks = make_tasks(args, packed);
    pool_.parallel_for(tasks.size(), [&](std::size_t i) {
      if (!TaskRun(level_, bf16, tasks[i], packed, first).run(args.rounding)) ok = false;
    });
  }
  if (!ok) return no_memory("gemm", kDepth * kPanel);
  return {};
}

}  // namespace ckpt::kernels::cpu
