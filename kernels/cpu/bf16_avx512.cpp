#include "kernels/cpu/bf16.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

#define CKPT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,fma")))

// 64-byte vectors stay inside this file, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"
#pragma GCC diagnostic ignored "-Wunused-function"

namespace ckpt::kernels::cpu {

namespace {

// clang-format off
#include "kernels/cpu/vector.inc"
#include "kernels/cpu/panels.inc"

// clang-format on

CKPT_INLINE __m512bh words(const std::uint32_t* p) {
  __m512bh v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

CKPT_INLINE __m512bh spread(std::uint32_t x) {
  return __builtin_bit_cast(__m512bh, _mm512_set1_epi32(std::bit_cast<std::int32_t>(x)));
}

template <std::size_t R>
CKPT_TARGET void tile(const MultiplyPairs& t) {
  __m512 low[R];
  __m512 high[R];
#pragma GCC unroll 12
  for (std::size_t r = 0; r < R; ++r) low[r] = high[r] = _mm512_setzero_ps();
  const std::uint32_t* a = t.a;
  const std::uint32_t* b = t.b;
  for (std::int64_t k = 0; k < t.pairs; ++k) {
    const __m512bh b0 = words(b);
    const __m512bh b1 = words(b + kLanes);
#pragma GCC unroll 12
    for (std::size_t r = 0; r < R; ++r) {
      const __m512bh x = spread(a[r]);
      low[r] = _mm512_dpbf16_ps(low[r], x, b0);
      high[r] = _mm512_dpbf16_ps(high[r], x, b1);
    }
    a += t.a_col;
    b += kPanel;
  }
  const auto mask = static_cast<std::uint32_t>((1ULL << t.n) - 1);
  const auto mask0 = static_cast<__mmask16>(mask & 0xFFFFU);
  const auto mask1 = static_cast<__mmask16>(mask >> 16);
#pragma GCC unroll 12
  for (std::size_t r = 0; r < R; ++r) {
    float* c = t.c + static_cast<std::int64_t>(r) * t.c_row;
    if (t.accumulate) {
      low[r] = _mm512_add_ps(_mm512_maskz_loadu_ps(mask0, c), low[r]);
      high[r] = _mm512_add_ps(_mm512_maskz_loadu_ps(mask1, c + kLanes), high[r]);
    }
    if (t.round) {
      low[r] = __builtin_bit_cast(__m512, round_bf16(__builtin_bit_cast(vf, low[r])));
      high[r] = __builtin_bit_cast(__m512, round_bf16(__builtin_bit_cast(vf, high[r])));
    }
    _mm512_mask_storeu_ps(c, mask0, low[r]);
    _mm512_mask_storeu_ps(c + kLanes, mask1, high[r]);
  }
}

CKPT_TARGET void multiply_pairs(const MultiplyPairs& t) {
  switch (t.m) {
    case 1:
      return tile<1>(t);
    case 2:
      return tile<2>(t);
    case 3:
      return tile<3>(t);
    case 4:
      return tile<4>(t);
    case 5:
      return tile<5>(t);
    case 6:
      return tile<6>(t);
    case 7:
      return tile<7>(t);
    case 8:
      return tile<8>(t);
    case 9:
      return tile<9>(t);
    case 10:
      return tile<10>(t);
    case 11:
      return tile<11>(t);
    case 12:
      return tile<12>(t);
    default:
      return;
  }
}

CKPT_TARGET void transpose_pairs(const TransposeArgs& p, std::uint32_t* to) {
  for (std::int64_t half = 0; half < kPanel; half += kLanes) {
    for (std::int64_t k = 0; k < p.k; k += 2 * kLanes) {
      vu tile[16];
      load_pairs(p, half, k, tile);
      for (std::int64_t j = 0; j < kLanes && k + 2 * j < p.k; ++j) {
        __builtin_memcpy(to + (k / 2 + j) * kPanel + half, &tile[j], sizeof(vu));
      }
    }
  }
}

// Two numbers that are BF16 exactly, in one word per lane.
CKPT_INLINE vu pair_of(vf even, vf odd) {
  return (bits_of(even) >> 16) | (bits_of(odd) & 0xFFFF0000U);
}

template <Element E, int Bits>
CKPT_TARGET void decode_pairs_of(const DecodeArgs& p, std::uint32_t* to) {
  constexpr std::int64_t kCodes = 32 / Bits;
  constexpr int kMask = (1 << Bits) - 1;
  for (std::int64_t k = p.k_begin; k < p.k_end; k += kCodes) {
    const std::int64_t rows = p.k_end - k < kCodes ? p.k_end - k : kCodes;
    for (std::int64_t half = 0; half < kPanel; half += kLanes) {
      vi word;
      __builtin_memcpy(&word, p.words + (k - p.k_begin) / kCodes * p.row_bytes + half * 4,
                       sizeof(word));
      const Group g = group_at(p, k, half);
      for (std::int64_t j = 0; j < rows; j += 2) {
        const vf even = round_bf16(g.scale * number<E>(word & kMask, g.zero));
        word = word >> Bits;
        const vf odd = j + 1 < rows ? round_bf16(g.scale * number<E>(word & kMask, g.zero)) : vf{};
        word = word >> Bits;
        const vu pair = pair_of(even, odd);
        __builtin_memcpy(to + ((k - p.k_begin) + j) / 2 * kPanel + half, &pair, sizeof(pair));
      }
    }
  }
}

CKPT_TARGET void decode_pairs(const DecodeArgs& p, std::uint32_t* to) {
  switch (p.element) {
    case Element::code:
      if (p.bits == 2) return decode_pairs_of<Element::code, 2>(p, to);
      if (p.bits == 4) return decode_pairs_of<Element::code, 4>(p, to);
      return decode_pairs_of<Element::code, 8>(p, to);
    case Element::i8:
      return decode_pairs_of<Element::i8, 8>(p, to);
    case Element::e4m3:
      return decode_pairs_of<Element::e4m3, 8>(p, to);
    case Element::e5m2:
      return decode_pairs_of<Element::e5m2, 8>(p, to);
    case Element::e2m1:
      return decode_pairs_of<Element::e2m1, 4>(p, to);
  }
}

CKPT_TARGET void pack_panel(const float* from, std::int64_t k, std::uint32_t* to) {
  for (std::int64_t i = 0; i < k; i += 2) {
    for (std::int64_t half = 0; half < kPanel; half += kLanes) {
      const vf even = load(from + i * kPanel + half);
      const vf odd = i + 1 < k ? load(from + (i + 1) * kPanel + half) : vf{};
      const vu pair = pair_of(even, odd);
      __builtin_memcpy(to + i / 2 * kPanel + half, &pair, sizeof(pair));
    }
  }
}

constexpr Bf16Kernels kKernels = {multiply_pairs, transpose_pairs, decode_pairs, pack_panel};

}  // namespace

const Bf16Kernels* bf16_kernels() {
  const bool there = __builtin_cpu_supports("avx512bf16") != 0 && avx512_level() != nullptr;
  return there ? &kKernels : nullptr;
}

}  // namespace ckpt::kernels::cpu

#else

namespace ckpt::kernels::cpu {

const Bf16Kernels* bf16_kernels() {
  return nullptr;
}

}  // namespace ckpt::kernels::cpu

#endif
