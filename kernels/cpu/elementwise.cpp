// Norms, gates, rotary embedding and the short convolution: one row of work at a time.

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/cpu/cpu_ops.h"

namespace ckpt::kernels::cpu {

namespace {

float* head_at(const Heads& x, std::int64_t token, std::int64_t head) {
  return x.data + token * x.token_stride + head * x.head_stride;
}

float round_one(float x, Rounding rounding, const Level& level) {
  level.round(&x, 1, rounding);
  return x;
}

}  // namespace

Result<void> CpuOps::rms_norm(const NormArgs& args) {
  const Heads& x = args.x;
  if (!fits(args)) return bad_extents("rms_norm");
  over_rows(x.tokens, x.heads * x.dim, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t h = 0; h < x.heads; ++h) {
        level_.rms_norm(head_at(x, t, h), head_at(args.y, t, h), args.weight.data(), x.dim,
                        args.eps, args.weight_offset, args.rounding);
      }
    }
  });
  return {};
}

Result<void> CpuOps::layer_norm(const LayerNormArgs& args) {
  const Rows& x = args.x;
  if (!fits(args)) return bad_extents("layer_norm");
  const std::int64_t width = x.cols;
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      const float* from = x.data + t * x.stride;
      float* to = args.y.data + t * args.y.stride;
      double sum = 0;
      for (std::int64_t c = 0; c < width; ++c) sum += double{from[c]};
      const double mean = sum / static_cast<double>(width);
      double squares = 0;
      for (std::int64_t c = 0; c < width; ++c) {
        squares += (double{from[c]} - mean) * (double{from[c]} - mean);
      }
      const double factor = 1 / std::sqrt(squares / static_cast<double>(width) + double{args.eps});
      for (std::int64_t c = 0; c < width; ++c) {
        const auto i = static_cast<std::size_t>(c);
        to[c] = static_cast<float>((double{from[c]} - mean) * factor * double{args.weight[i]} +
                                   double{args.bias[i]});
      }
      level_.round(to, width, args.rounding);
    }
  });
  return {};
}

Result<void> CpuOps::gelu(const Rows& x, Gelu kind, Rounding rounding) {
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> gate(static_cast<std::size_t>(x.cols));
    for (std::int64_t t = begin; t < end; ++t) {
      float* row = x.data + t * x.stride;
      if (kind == Gelu::erf) {
        for (std::int64_t c = 0; c < x.cols; ++c) {
          row[c] *= 0.5F * (1 + std::erf(row[c] * std::numbers::sqrt2_v<float> / 2));
        }
        level_.round(row, x.cols, rounding);
        continue;
      }
      // (1 + tanh(u)) / 2 = sigmoid(2 u), which every level has as a vector loop.
      constexpr float kFactor = 2 * 0.7978845608028654F;  // 2 sqrt(2 / pi)
      for (std::int64_t c = 0; c < x.cols; ++c) {
        gate[static_cast<std::size_t>(c)] =
            kFactor * (row[c] + 0.044715F * row[c] * row[c] * row[c]);
      }
      level_.sigmoid_gate(row, gate.data(), x.cols, Rounding::none);
      level_.round(row, x.cols, rounding);
    }
  });
  return {};
}

Result<void> CpuOps::add_bias(const Rows& x, std::span<const float> bias, Rounding rounding) {
  if (static_cast<std::int64_t>(bias.size()) != x.cols) return bad_extents("add_bias");
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.add(x.data + t * x.stride, bias.data(), x.cols, rounding);
    }
  });
  return {};
}

Result<void> CpuOps::gated_norm(const GatedNormArgs& args) {
  const Heads& x = args.x;
  if (!fits(args)) return bad_extents("gated_norm");
  over_rows(x.tokens, x.heads * x.dim, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t h = 0; h < x.heads; ++h) {
        level_.gated_norm(head_at(x, t, h), head_at(args.z, t, h), args.weight.data(), x.dim,
                          args.eps, args.rounding);
      }
    }
  });
  return {};
}

Result<void> CpuOps::sigmoid_gate(const GateArgs& args) {
  const Heads& x = args.x;
  if (!fits(args)) return bad_extents("sigmoid_gate");
  over_rows(x.tokens, x.heads * x.dim, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      for (std::int64_t h = 0; h < x.heads; ++h) {
        level_.sigmoid_gate(head_at(x, t, h), head_at(args.gate, t, h), x.dim, args.rounding);
      }
    }
  });
  return {};
}

Result<void> CpuOps::silu(const Rows& x, Rounding rounding) {
  over_rows(x.rows, x.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.silu(x.data + t * x.stride, x.cols, rounding);
    }
  });
  return {};
}

Result<void> CpuOps::silu_mul(const Rows& gate, const Rows& up, Rounding r) {
  if (!fits(gate, up)) return bad_extents("silu_mul");
  over_rows(gate.rows, gate.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      level_.silu_mul(gate.data + t * gate.stride, up.data + t * up.stride, gate.cols, r);
    }
  });
  return {};
}

Result<void> CpuOps::moe_combine(const MoeCombineArgs& args) {
  const Rows& routed = args.routed;
  const Rows& shared = args.shared;
  if (!fits(args)) return bad_extents("moe_combine");
  over_rows(routed.rows, routed.cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t t = begin; t < end; ++t) {
      float one = 1;  // becomes rd(sigmoid(gate))
      level_.sigmoid_gate(&one, args.shared_gate.data + t * args.shared_gate.stride, 1,
                          args.rounding);
      float* y = routed.data + t * routed.stride;
      level_.round(y, routed.cols, args.rounding);
      level_.axpy_rounded(y, shared.data + t * shared.stride, one, routed.cols, args.rounding);
      level_.round(y, routed.cols, args.rounding);
    }
  });
  return {};
}

Result<void> CpuOps::rope(const RopeArgs& args) {
  const Heads& x = args.x;
  const std::int64_t half = args.cos.cols;
  if (!fits(args)) return bad_extents("rope");
  for (std::size_t s = 0; s + 1 < args.starts.size(); ++s) {
    const std::int64_t first = args.starts[s];
    const std::int64_t length = args.starts[s + 1] - first;
    over_rows(length, x.heads * x.dim, [&](std::int64_t begin, std::int64_t end) {
      const auto rd = [&](float v) { return round_one(v, args.rounding, level_); };
      for (std::int64_t t = begin; t < end; ++t) {
        const float* c = args.cos.data + t * args.cos.stride;
        const float* n = args.sin.data + t * args.sin.stride;
        for (std::int64_t h = 0; h < x.heads; ++h) {
          float* v = head_at(x, first + t, h);
          for (std::int64_t j = 0; j < half; ++j) {
            const float low = v[j];
            const float high = v[j + half];
            v[j] = rd(rd(low * c[j]) - rd(high * n[j]));
            v[j + half] = rd(rd(high * c[j]) + rd(low * n[j]));
          }
        }
      }
    });
  }
  return {};
}

Result<void> CpuOps::conv(const ConvArgs& args) {
  const Rows& x = args.x;
  const std::int64_t channels = x.cols;
  const auto size = static_cast<std::int64_t>(args.weight.size());
  if (!fits(args)) return bad_extents("conv");
  const std::int64_t width = size / channels;
  const Scratch taps = make_scratch(size);  // [W, C]
  if (taps == nullptr) return no_memory("conv", size);
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t j = 0; j < width; ++j) {
      taps[static_cast<std::size_t>(j * channels + c)] =
          args.weight[static_cast<std::size_t>(c * width + j)];
    }
  }
  for (std::size_t s = 0; s + 1 < args.starts.size(); ++s) {
    const std::int64_t first = args.starts[s];
    over_rows(args.starts[s + 1] - first, channels * width,
              [&](std::int64_t begin, std::int64_t end) {
                for (std::int64_t t = begin; t < end; ++t) {
                  float* y = args.y.data + (first + t) * args.y.stride;
                  std::fill_n(y, channels, 0.0F);
                  for (std::int64_t j = 0; j < width; ++j) {
                    const std::int64_t from = t - (width - 1) + j;
                    if (from < 0) continue;
                    level_.multiply_add(y, taps.get() + j * channels,
                                        x.data + (first + from) * x.stride, channels);
                  }
                  level_.round(y, channels, args.rounding);
                }
              });
  }
  return {};
}

}  // namespace ckpt::kernels::cpu
