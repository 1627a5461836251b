#include "kernels/cpu/level.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

#define CKPT_TARGET __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma")))
#define CKPT_LEVEL_NAME "avx512"
#define CKPT_MAX_ROWS 12

// 64-byte vectors stay inside this file, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace ckpt::kernels::cpu {

namespace {

#include "kernels/cpu/vector.inc"  // NOLINT

using GV = __m512;
constexpr std::int64_t kGv = 16;
constexpr std::int64_t kMaxRows = CKPT_MAX_ROWS;

CKPT_INLINE GV gv_zero() {
  return _mm512_setzero_ps();
}

CKPT_INLINE GV gv_load(const float* p) {
  return _mm512_loadu_ps(p);
}

CKPT_INLINE GV gv_set(float x) {
  return _mm512_set1_ps(x);
}

CKPT_INLINE GV gv_fma(GV a, GV b, GV c) {
  return _mm512_fmadd_ps(a, b, c);
}

CKPT_INLINE GV gv_add(GV a, GV b) {
  return _mm512_add_ps(a, b);
}

CKPT_INLINE void gv_store(float* p, GV v) {
  _mm512_storeu_ps(p, v);
}

#include "kernels/cpu/loops.inc"

}  // namespace

const Level* avx512_level() {
  return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
                 __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0
             ? &kLevel
             : nullptr;
}

}  // namespace ckpt::kernels::cpu

#else

namespace ckpt::kernels::cpu {

const Level* avx512_level() {
  return nullptr;
}

}  // namespace ckpt::kernels::cpu

#endif
