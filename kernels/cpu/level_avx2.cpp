#include "kernels/cpu/level.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <bit>

#define CKPT_TARGET __attribute__((target("avx2,fma,f16c")))
#define CKPT_LEVEL_NAME "avx2"
#define CKPT_MAX_ROWS 6

// 64-byte vectors stay inside this file, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace ckpt::kernels::cpu {

namespace {

#include "kernels/cpu/vector.inc"  // NOLINT

using GV = __m256;
constexpr std::int64_t kGv = 8;
constexpr std::int64_t kMaxRows = CKPT_MAX_ROWS;

CKPT_INLINE GV gv_zero() {
  return _mm256_setzero_ps();
}

CKPT_INLINE GV gv_load(const float* p) {
  return _mm256_loadu_ps(p);
}

CKPT_INLINE GV gv_set(float x) {
  return _mm256_set1_ps(x);
}

CKPT_INLINE GV gv_fma(GV a, GV b, GV c) {
  return _mm256_fmadd_ps(a, b, c);
}

CKPT_INLINE GV gv_add(GV a, GV b) {
  return _mm256_add_ps(a, b);
}

CKPT_INLINE void gv_store(float* p, GV v) {
  _mm256_storeu_ps(p, v);
}

#include "kernels/cpu/loops.inc"

}  // namespace

const Level* avx2_level() {
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 ? &kLevel
                                                                                   : nullptr;
}

}  // namespace ckpt::kernels::cpu

#else

namespace ckpt::kernels::cpu {

const Level* avx2_level() {
  return nullptr;
}

}  // namespace ckpt::kernels::cpu

#endif
