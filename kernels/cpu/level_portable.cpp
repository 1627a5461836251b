#include <bit>

#include "kernels/cpu/level.h"

#define CKPT_TARGET
#define CKPT_LEVEL_NAME "portable"
#define CKPT_MAX_ROWS 4

// 64-byte vectors stay inside this file, so their calling convention does not matter.
#pragma GCC diagnostic ignored "-Wpsabi"

namespace ckpt::kernels::cpu {

namespace {

#include "kernels/cpu/vector.inc"  // NOLINT

using GV = float __attribute__((vector_size(16)));
constexpr std::int64_t kGv = 4;
constexpr std::int64_t kMaxRows = CKPT_MAX_ROWS;

CKPT_INLINE GV gv_zero() {
  return GV{};
}

CKPT_INLINE GV gv_load(const float* p) {
  GV v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}

CKPT_INLINE GV gv_set(float x) {
  return GV{} + x;
}

CKPT_INLINE GV gv_fma(GV a, GV b, GV c) {
  return c + a * b;
}

CKPT_INLINE GV gv_add(GV a, GV b) {
  return a + b;
}

CKPT_INLINE void gv_store(float* p, GV v) {
  __builtin_memcpy(p, &v, sizeof(v));
}

#include "kernels/cpu/loops.inc"

}  // namespace

const Level& portable_level() {
  return kLevel;
}

}  // namespace ckpt::kernels::cpu
