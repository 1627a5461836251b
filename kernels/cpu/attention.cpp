// Attention, causal or over the whole sequence, one task per (sequence, kv head, block of queries):
// the query heads that share a kv head are stacked, keys come in tiles, softmax is updated tile by
// tile.

#include <algorithm>
#include <atomic>
#include <limits>

#include "kernels/cpu/cpu_ops.h"

namespace ckpt::kernels::cpu {

namespace {

constexpr std::int64_t kKeyTile = 128;
constexpr std::int64_t kStackedRows = 72;  // six row blocks

struct Task {
  std::int64_t first;  // of the sequence
  std::int64_t begin;  // queries [begin, end) of the sequence
  std::int64_t end;
  std::int64_t kv_head;
  std::int64_t keys;  // of the sequence, those that some query here sees
};

class Block {
 public:
  Block(const AttentionArgs& args, const Level& level, const Task& task, bool causal)
      : causal_(causal),
        args_(args),
        level_(level),
        task_(task),
        share_(args.q.heads / args.k.heads),
        rows_((task.end - task.begin) * share_),
        dim_(args.q.dim) {}

  bool allocate();
  void run();

 private:
  // Row r is query begin + r / share of head kv_head * share + r % share.
  float* place(const Heads& x, std::int64_t r) const {
    return x.data + (task_.first + task_.begin + r / share_) * x.token_stride +
           (task_.kv_head * share_ + r % share_) * x.head_stride;
  }

  // How many of the keys [key, key + count) row r sees.
  std::int64_t seen(std::int64_t r, std::int64_t key, std::int64_t count) const {
    if (!causal_) return count;
    return std::clamp<std::int64_t>(task_.begin + r / share_ + 1 - key, 0, count);
  }

  void tile(std::int64_t key, std::int64_t count);
  void soften(std::int64_t key, std::int64_t count);
  void weigh(std::int64_t key, std::int64_t count);

  bool causal_;
  const AttentionArgs& args_;
  const Level& level_;
  const Task& task_;
  std::int64_t share_;
  std::int64_t rows_;
  std::int64_t dim_;
  Scratch q_;       // [rows, dim]
  Scratch o_;       // [rows, dim]
  Scratch scores_;  // [rows, kKeyTile]
  Scratch keys_;    // [dim, kPanel] per panel of the tile
  Scratch peaks_;   // [rows]
  Scratch sums_;    // [rows]
};

bool Block::allocate() {
  q_ = make_scratch(rows_ * dim_);
  o_ = make_scratch(rows_ * dim_);
  scores_ = make_scratch(rows_ * kKeyTile);
  keys_ = make_scratch(kKeyTile * dim_);
  peaks_ = make_scratch(rows_);
  sums_ = make_scratch(rows_);
  return q_ && o_ && scores_ && keys_ && peaks_ && sums_;
}

// scores = q k^T for keys [key, key + count), by panels of transposed keys.
void Block::tile(std::int64_t key, std::int64_t count) {
  const Heads& k = args_.k;
  for (std::int64_t j = 0; j < count; j += kPanel) {
    float* panel = keys_.get();
    const float* from =
        k.data + (task_.first + key + j) * k.token_stride + task_.kv_head * k.head_stride;
    level_.transpose_f32({.from = std::as_bytes(std::span(from, 1)).data(),
                          .row_bytes = k.token_stride * 4,
                          .n = std::min(kPanel, count - j),
                          .k = dim_,
                          .to = panel});
    level_.multiply({.m = rows_,
                     .n = kPanel,
                     .k = dim_,
                     .a = q_.get(),
                     .a_row = dim_,
                     .a_col = 1,
                     .b = panel,
                     .b_row = kPanel,
                     .c = scores_.get() + j,
                     .c_row = kKeyTile});
  }
}

// Scales and masks the scores, turns them into weights against the running maximum.
void Block::soften(std::int64_t key, std::int64_t count) {
  for (std::int64_t r = 0; r < rows_; ++r) {
    const auto i = static_cast<std::size_t>(r);
    float* row = scores_.get() + r * kKeyTile;
    const std::int64_t visible = seen(r, key, count);
    std::fill(row + visible, row + count, 0.0F);
    if (visible == 0) continue;
    level_.scale(row, args_.scale, visible);
    const float peak = std::max(peaks_[i], level_.max(row, visible));
    const float sum = level_.exp_sum(row, peak, visible);
    float keep = peaks_[i] - peak;
    keep = level_.exp_sum(&keep, 0, 1);
    sums_[i] = sums_[i] * keep + sum;
    peaks_[i] = peak;
    if (keep != 1.0F) level_.scale(o_.get() + r * dim_, keep, dim_);
  }
}

// o += weights * v. A weight of 0 would still carry a NaN of a later token, so then each row takes
// only the keys it may see.
void Block::weigh(std::int64_t key, std::int64_t count) {
  const Heads& v = args_.v;
  const float* values =
      v.data + (task_.first + key) * v.token_stride + task_.kv_head * v.head_stride;
  Range range;
  const std::int64_t hidden = causal_ ? std::max<std::int64_t>(0, task_.begin - key) : count;
  for (std::int64_t j = hidden; j < count; ++j) {
    level_.probe(values + j * v.token_stride, dim_, range);
  }
  Multiply p{.m = rows_,
             .n = dim_,
             .k = count,
             .a = scores_.get(),
             .a_row = kKeyTile,
             .a_col = 1,
             .b = values,
             .b_row = v.token_stride,
             .c = o_.get(),
             .c_row = dim_,
             .accumulate = true};
  if (range.nonfinite == 0) return level_.multiply(p);
  for (std::int64_t r = 0; r < rows_; ++r) {
    p.m = 1;
    p.k = seen(r, key, count);
    p.a = scores_.get() + r * kKeyTile;
    p.c = o_.get() + r * dim_;
    level_.multiply(p);
  }
}

void Block::run() {
  for (std::int64_t r = 0; r < rows_; ++r) {
    std::copy_n(place(args_.q, r), dim_, q_.get() + r * dim_);
    std::fill_n(o_.get() + r * dim_, dim_, 0.0F);
    peaks_[static_cast<std::size_t>(r)] = -std::numeric_limits<float>::infinity();
    sums_[static_cast<std::size_t>(r)] = 0;
  }
  for (std::int64_t key = 0; key < task_.keys; key += kKeyTile) {
    const std::int64_t count = std::min(kKeyTile, task_.keys - key);
    tile(key, count);
    soften(key, count);
    weigh(key, count);
  }
  for (std::int64_t r = 0; r < rows_; ++r) {
    float* o = o_.get() + r * dim_;
    level_.scale(o, 1.0F / sums_[static_cast<std::size_t>(r)], dim_);
    level_.round(o, dim_, args_.rounding);
    std::copy_n(o, dim_, place(args_.o, r));
  }
}

std::vector<Task> make_tasks(const AttentionArgs& args, bool causal) {
  const std::int64_t share = args.q.heads / args.k.heads;
  const std::int64_t step = std::max<std::int64_t>(1, kStackedRows / share);
  std::vector<Task> tasks;
  for (std::size_t s = 0; s + 1 < args.starts.size(); ++s) {
    const std::int64_t length = args.starts[s + 1] - args.starts[s];
    for (std::int64_t h = 0; h < args.k.heads; ++h) {
      for (std::int64_t t = 0; t < length; t += step) {
        const std::int64_t end = std::min(length, t + step);
        tasks.push_back({args.starts[s], t, end, h, causal ? end : length});
      }
    }
  }
  return tasks;
}

}  // namespace

Result<void> CpuOps::attention(const AttentionArgs& args) {
  return attend(args, true);
}

Result<void> CpuOps::full_attention(const AttentionArgs& args) {
  return attend(args, false);
}

Result<void> CpuOps::attend(const AttentionArgs& args, bool causal) {
  const Heads& q = args.q;
  if (!fits(args)) return bad_extents("attention");
  const std::vector<Task> tasks = make_tasks(args, causal);
  std::atomic<bool> ok = true;
  pool_.parallel_for(tasks.size(), [&](std::size_t i) {
    Block block(args, level_, tasks[i], causal);
    if (block.allocate()) {
      block.run();
    } else {
      ok = false;
    }
  });
  if (!ok) return no_memory("attention", kStackedRows * q.dim);
  return {};
}

}  // namespace ckpt::kernels::cpu
