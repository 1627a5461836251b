// The gated delta rule in chunks, one task per (sequence, value head). Stage names follow the
// architecture's formulas: A, U, W, R, O, S.

#include <algorithm>
#include <atomic>
#include <cmath>

#include "kernels/cpu/cpu_ops.h"

namespace ckpt::kernels::cpu {

namespace {

constexpr std::int64_t kChunk = 64;
constexpr std::int64_t kSolve = 16;  // rows solved one by one; the rest goes through multiply

float softplus(float x) {
  return x > 20.0F ? x : std::log1p(std::exp(x));
}

class Scan {
 public:
  Scan(const DeltaRuleArgs& args, const Level& level, std::int64_t head)
      : args_(args),
        level_(level),
        head_(head),
        key_head_(head / (args.v.heads / args.k.heads)),
        dk_(args.k.dim),
        dv_(args.v.dim),
        width_(dv_ + dk_) {}

  bool allocate();
  void run(std::int64_t begin, std::int64_t end);

 private:
  void load_chunk(std::int64_t first);
  void load_key(const Heads& from, std::int64_t row, float scale, float* to) const;
  void gates(std::int64_t first);
  void products();
  void solve();
  void advance(std::int64_t first);
  void apply_scores();

  float* row(const Scratch& m, std::int64_t i, std::int64_t cols) const {
    return m.get() + i * cols;
  }

  const DeltaRuleArgs& args_;
  const Level& level_;
  std::int64_t head_;
  std::int64_t key_head_;
  std::int64_t dk_;
  std::int64_t dv_;
  std::int64_t width_;
  std::int64_t n_ = 0;  // tokens of this chunk
  float beta_[kChunk] = {};
  float decay_[kChunk] = {};  // G, the running sum of g
  Scratch q_, k_;             // [n, dk], normalised
  Scratch k_t_;               // panels [dk, 32] of k, transposed
  Scratch x_;                 // [n, dv + dk]: b V | b K exp(G), then U | W
  Scratch a_;                 // [n, n]: -A
  Scratch qk_;                // [n, n]: Q K^T * Gamma
  Scratch s_;                 // [dk, dv]
  Scratch o_;                 // [n, dv]
};

bool Scan::allocate() {
  q_ = make_scratch(kChunk * dk_);
  k_ = make_scratch(kChunk * dk_);
  k_t_ = make_scratch(kPanel * dk_);
  x_ = make_scratch(kChunk * width_);
  a_ = make_scratch(kChunk * kChunk);
  qk_ = make_scratch(kChunk * kChunk);
  s_ = make_scratch(dk_ * dv_);
  o_ = make_scratch(kChunk * dv_);
  return q_ && k_ && k_t_ && x_ && a_ && qk_ && s_ && o_;
}

void Scan::load_key(const Heads& from, std::int64_t row_index, float scale, float* to) const {
  const float* x = from.data + row_index * from.token_stride + key_head_ * from.head_stride;
  std::copy_n(x, dk_, to);
  level_.scale(to, 1.0F / std::sqrt(level_.sum_squares(x, dk_) + 1e-6F), dk_);
  if (scale != 1.0F) level_.scale(to, scale, dk_);
}

void Scan::gates(std::int64_t first) {
  const auto h = static_cast<std::size_t>(head_);
  const float rate = -std::exp(args_.a_log[h]);
  float sum = 0;
  for (std::int64_t i = 0; i < n_; ++i) {
    const float* b = args_.b.data + (first + i) * args_.b.stride + head_;
    beta_[i] = 1;
    level_.sigmoid_gate(&beta_[i], b, 1, args_.rounding);
    sum += rate * softplus(args_.a.data[(first + i) * args_.a.stride + head_] + args_.dt_bias[h]);
    decay_[i] = sum;
  }
}

void Scan::load_chunk(std::int64_t first) {
  gates(first);
  const float scale = 1.0F / std::sqrt(static_cast<float>(dk_));
  for (std::int64_t i = 0; i < n_; ++i) {
    load_key(args_.q, first + i, scale, row(q_, i, dk_));
    load_key(args_.k, first + i, 1, row(k_, i, dk_));
    float* x = row(x_, i, width_);
    std::copy_n(args_.v.data + (first + i) * args_.v.token_stride + head_ * args_.v.head_stride,
                dv_, x);
    std::copy_n(row(k_, i, dk_), dk_, x + dv_);
    level_.scale(x, beta_[i], width_);
    level_.scale(x + dv_, std::exp(decay_[i]), dk_);
  }
}

// -A (strictly lower) and Q K^T * Gamma (lower); what lies above would overflow and is not used.
void Scan::products() {
  for (std::int64_t j = 0; j < n_; j += kPanel) {
    const std::int64_t cols = std::min(kPanel, n_ - j);
    level_.transpose_f32({.from = std::as_bytes(std::span(row(k_, j, dk_), 1)).data(),
                          .row_bytes = dk_ * 4,
                          .n = cols,
                          .k = dk_,
                          .to = k_t_.get()});
    Multiply p{.m = n_,
               .n = cols,
               .k = dk_,
               .a = k_.get(),
               .a_row = dk_,
               .a_col = 1,
               .b = k_t_.get(),
               .b_row = kPanel,
               .c = a_.get() + j,
               .c_row = kChunk};
    level_.multiply(p);
    p.a = q_.get();
    p.c = qk_.get() + j;
    level_.multiply(p);
  }
  for (std::int64_t i = 0; i < n_; ++i) {
    for (std::int64_t j = 0; j < n_; ++j) {
      const float gamma = j <= i ? std::exp(decay_[i] - decay_[j]) : 0.0F;
      float& a = a_[static_cast<std::size_t>(i * kChunk + j)];
      float& qk = qk_[static_cast<std::size_t>(i * kChunk + j)];
      a = j < i ? -(beta_[i] * a * gamma) : 0.0F;
      qk = j <= i ? qk * gamma : 0.0F;
    }
  }
}

// x = (I + A)^-1 x by forward substitution: U in the first dv columns, W in the rest.
void Scan::solve() {
  for (std::int64_t i = 0; i < n_; i += kSolve) {
    const std::int64_t end = std::min(n_, i + kSolve);
    level_.multiply({.m = end - i,
                     .n = width_,
                     .k = i,
                     .a = row(a_, i, kChunk),
                     .a_row = kChunk,
                     .a_col = 1,
                     .b = x_.get(),
                     .b_row = width_,
                     .c = row(x_, i, width_),
                     .c_row = width_,
                     .accumulate = true});
    for (std::int64_t r = i; r < end; ++r) {
      for (std::int64_t j = i; j < r; ++j) {
        level_.axpy(row(x_, r, width_), row(x_, j, width_), row(a_, r, kChunk)[j], width_);
      }
    }
  }
}

// o += (Q K^T * Gamma) R. A 0 above the diagonal would still carry a NaN of a later token, so then
// each row takes only the rows it may see.
void Scan::apply_scores() {
  Range range;
  for (std::int64_t i = 0; i < n_; ++i) level_.probe(row(x_, i, width_), dv_, range);
  Multiply p{.m = n_,
             .n = dv_,
             .k = n_,
             .a = qk_.get(),
             .a_row = kChunk,
             .a_col = 1,
             .b = x_.get(),
             .b_row = width_,
             .c = o_.get(),
             .c_row = dv_,
             .accumulate = true};
  if (range.nonfinite == 0) return level_.multiply(p);
  for (std::int64_t i = 0; i < n_; ++i) {
    p.m = 1;
    p.k = i + 1;
    p.a = row(qk_, i, kChunk);
    p.c = row(o_, i, dv_);
    level_.multiply(p);
  }
}

// R = U - W S; O = (Q exp(G)) S + (Q K^T * Gamma) R; S = exp(G_n) S + (K exp(G_n - G))^T R.
void Scan::advance(std::int64_t first) {
  for (std::int64_t i = 0; i < n_; ++i) level_.scale(row(x_, i, width_) + dv_, -1, dk_);
  level_.multiply({.m = n_,
                   .n = dv_,
                   .k = dk_,
                   .a = x_.get() + dv_,
                   .a_row = width_,
                   .a_col = 1,
                   .b = s_.get(),
                   .b_row = dv_,
                   .c = x_.get(),
                   .c_row = width_,
                   .accumulate = true});
  for (std::int64_t i = 0; i < n_; ++i) {
    level_.scale(row(q_, i, dk_), std::exp(decay_[i]), dk_);
    level_.scale(row(k_, i, dk_), std::exp(decay_[n_ - 1] - decay_[i]), dk_);
  }
  level_.multiply({.m = n_,
                   .n = dv_,
                   .k = dk_,
                   .a = q_.get(),
                   .a_row = dk_,
                   .a_col = 1,
                   .b = s_.get(),
                   .b_row = dv_,
                   .c = o_.get(),
                   .c_row = dv_});
  apply_scores();
  level_.scale(s_.get(), std::exp(decay_[n_ - 1]), dk_ * dv_);
  level_.multiply({.m = dk_,
                   .n = dv_,
                   .k = n_,
                   .a = k_.get(),
                   .a_row = 1,
                   .a_col = dk_,
                   .b = x_.get(),
                   .b_row = width_,
                   .c = s_.get(),
                   .c_row = dv_,
                   .accumulate = true});
  for (std::int64_t i = 0; i < n_; ++i) {
    float* o = row(o_, i, dv_);
    level_.round(o, dv_, args_.rounding);
    std::copy_n(o, dv_,
                args_.o.data + (first + i) * args_.o.token_stride + head_ * args_.o.head_stride);
  }
}

void Scan::run(std::int64_t begin, std::int64_t end) {
  std::fill_n(s_.get(), dk_ * dv_, 0.0F);
  for (std::int64_t first = begin; first < end; first += kChunk) {
    n_ = std::min(kChunk, end - first);
    load_chunk(first);
    products();
    solve();
    advance(first);
  }
}

}  // namespace

Result<void> CpuOps::delta_rule(const DeltaRuleArgs& args) {
  const std::int64_t heads = args.v.heads;
  const auto count = static_cast<std::size_t>(heads);
  if (!fits(args)) return bad_extents("delta_rule");
  std::atomic<bool> ok = true;
  const std::size_t sequences = args.starts.size() - 1;
  pool_.parallel_for(sequences * count, [&](std::size_t i) {
    Scan scan(args, level_, static_cast<std::int64_t>(i % count));
    if (scan.allocate()) {
      scan.run(args.starts[i / count], args.starts[i / count + 1]);
    } else {
      ok = false;
    }
  });
  if (!ok) return no_memory("delta_rule", kChunk * args.v.dim);
  return {};
}

}  // namespace ckpt::kernels::cpu
