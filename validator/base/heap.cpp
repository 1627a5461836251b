#include "validator/base/heap.h"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace ckpt {

void prepare_heap([[maybe_unused]] std::size_t bytes) {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr std::uintptr_t kPage = 2U << 20;
  constexpr int kNever = 1 << 30;
  const auto pad = static_cast<int>(bytes);
  ::mallopt(M_ARENA_MAX, 1);  // what one thread frees, another can use
  if (::mallopt(M_MMAP_MAX, 0) == 0 || ::mallopt(M_TRIM_THRESHOLD, kNever) == 0 ||
      ::mallopt(M_TOP_PAD, pad) == 0) {
    return;
  }
  // The heap grows by the pad when it has no room left; only then is there something to advise.
  const auto before = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  void* volatile grown = std::malloc(kPage);  // NOLINT(cppcoreguidelines-no-malloc)
  std::free(grown);                           // NOLINT(cppcoreguidelines-no-malloc)
  const auto after = reinterpret_cast<std::uintptr_t>(::sbrk(0));
  const std::uintptr_t begin = (before + kPage - 1) / kPage * kPage;
  if (after <= begin || after - begin < kPage) return;
  ::madvise(reinterpret_cast<void*>(begin), (after - begin) / kPage * kPage, MADV_HUGEPAGE);
#endif
}

}  // namespace ckpt
