#pragma once

#include <cstddef>

namespace ckpt {

/// Prepares the C heap for a short run over large tables, to be called once at the start of the
/// process: the next `bytes` (below 2 GiB) of it lie in huge pages where the system has them, all
/// threads share it, and freed memory is kept for reuse. Page faults are otherwise a third of the
/// time of a check and a tenth of that of a forward pass. Does nothing where
/// the allocator is not glibc's.
void prepare_heap(std::size_t bytes);

}  // namespace ckpt
