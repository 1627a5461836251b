// Streams, events, memory and blocks of the emulated device.

#include <sys/mman.h>
#include <ucontext.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include <cuda_runtime.h>

namespace ckpt::emulator {

Here here;

struct Event {
  std::uint64_t recorded = 0;  // records asked for
  std::uint64_t reached = 0;   // records that a stream has come to
  double at = 0;               // virtual time of the last record
};

struct Task {
  std::function<void()> run;
  Event* event = nullptr;  // waits for record `ticket`, or reaches it
  std::uint64_t ticket = 0;
  bool is_wait = false;
};

struct Stream {
  std::deque<Task> tasks;
  double end = 0;  // virtual time
  int device = 0;
};

struct Pool {};

namespace {

constexpr int kDevices = 2;  // they share their memory and engines

Machine machine;
thread_local int current_device = 0;
std::set<Stream*> streams;
std::map<void*, std::size_t> device_memory;
std::map<const char*, std::size_t> pinned_memory;
std::size_t in_use = 0;
std::size_t peak = 0;
std::uint64_t allocations = 0;  // asked for since use()
double now = 0;
double copy_engine = 0;
double compute_engine = 0;
std::uint64_t random_state = 1;

std::uint64_t random_bits() {
  random_state = random_state * 6364136223846793005ULL + 1442695040888963407ULL;
  return random_state >> 33;
}

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "emulator: %s (block %u %u, thread %u)\n", what, here.block.x, here.block.y,
               here.thread.x);
  std::abort();
}

// --- blocks
// ---------------------------------------------------------------------------------------

constexpr std::size_t kStack = 128 * 1024;
constexpr unsigned kWarpSize = 32;

struct Copy {
  void* to;
  const void* from;
  int bytes;
};

#if defined(__x86_64__)

// A switch of stacks without the system call that swapcontext makes for the signal mask, which
// would be most of the time.
struct Context {
  void* stack = nullptr;  // its top; what the callee must keep lies on it
};

extern "C" void ckpt_emulator_switch(Context* from, const Context* to);
asm(R"(
.text
.globl ckpt_emulator_switch
.type ckpt_emulator_switch, @function
ckpt_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq (%rsi), %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size ckpt_emulator_switch, .-ckpt_emulator_switch
)");

void switch_to(Context& from, const Context& to) {
  ckpt_emulator_switch(&from, &to);
}

void prepare(Context& context, void* memory, std::size_t bytes, void (*entry)()) {
  auto* top = reinterpret_cast<void**>(static_cast<char*>(memory) + bytes);
  *--top = nullptr;  // as after a call, the stack is off by 8 from 16 at the entry
  *--top = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--top = nullptr;
  context.stack = top;
}

#else

struct Context {
  ucontext_t state;
};

void switch_to(Context& from, const Context& to) {
  swapcontext(&from.state, &to.state);
}

void prepare(Context& context, void* memory, std::size_t bytes, void (*entry)()) {
  getcontext(&context.state);
  context.state.uc_stack.ss_sp = memory;
  context.state.uc_stack.ss_size = bytes;
  context.state.uc_link = nullptr;
  makecontext(&context.state, entry, 0);
}

#endif

struct Fiber {
  Context context;
  void* stack = nullptr;
  bool done = false;
  const std::uint64_t* waits_for = nullptr;  // a generation that must move on from `seen`
  std::uint64_t seen = 0;
  std::vector<Copy> open;
  std::deque<std::vector<Copy>> groups;
};

struct Barrier {
  unsigned arrived = 0;
  unsigned alive = 0;
  std::uint64_t generation = 0;
};

struct Warp {
  Barrier barrier;
  alignas(16) unsigned char slots[kWarpSize][16];
};

struct BlockState {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  Barrier barrier;
  bool any = false;
  bool any_result = false;
  std::vector<std::uint32_t> shared;
  const std::function<void()>* body = nullptr;
  Context scheduler;
  unsigned current = 0;
} state;

void release(Barrier& b) {
  b.arrived = 0;
  ++b.generation;
}

void leave(Barrier& b) {
  --b.alive;
  if (b.alive > 0 && b.arrived == b.alive) release(b);
}

void wait_at(Barrier& b) {
  Fiber& self = *state.fibers[state.current];
  if (++b.arrived == b.alive) return release(b);
  self.waits_for = &b.generation;
  self.seen = b.generation;
  switch_to(self.context, state.scheduler);
}

void fiber_main() {
  (*state.body)();
  Fiber& self = *state.fibers[state.current];
  if (!self.open.empty() || !self.groups.empty()) wait_copies(0);
  self.done = true;
  leave(state.warps[state.current / kWarpSize].barrier);
  leave(state.barrier);
  switch_to(self.context, state.scheduler);
}

void start(Fiber& fiber) {
  if (fiber.stack == nullptr) {
    fiber.stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  }
  fiber.done = false;
  fiber.waits_for = nullptr;
  fiber.open.clear();
  fiber.groups.clear();
  prepare(fiber.context, fiber.stack, kStack, fiber_main);
}

void run_block(unsigned threads, std::size_t shared) {
  while (state.fibers.size() < threads) state.fibers.push_back(std::make_unique<Fiber>());
  state.shared.assign(shared / 4 + 4, 0x7FC0DEADU);
  state.warps.assign((threads + kWarpSize - 1) / kWarpSize, {});
  for (std::size_t w = 0; w < state.warps.size(); ++w) {
    state.warps[w].barrier.alive =
        std::min(kWarpSize, threads - static_cast<unsigned>(w) * kWarpSize);
  }
  state.barrier = {0, threads, 0};
  state.any = false;
  for (unsigned i = 0; i < threads; ++i) start(*state.fibers[i]);
  unsigned left = threads;
  while (left > 0) {
    bool moved = false;
    const auto first = static_cast<unsigned>(random_bits() % threads);
    const bool down = random_bits() % 2 == 0;
    for (unsigned i = 0; i < threads; ++i) {
      const unsigned t = (first + (down ? threads - i : i)) % threads;
      Fiber& fiber = *state.fibers[t];
      if (fiber.done || (fiber.waits_for != nullptr && *fiber.waits_for == fiber.seen)) continue;
      fiber.waits_for = nullptr;
      state.current = t;
      here.thread.x = t;
      switch_to(state.scheduler, fiber.context);
      moved = true;
      if (fiber.done) --left;
    }
    if (!moved) broken("threads wait at different barriers");
  }
}

void run_grid(dim3 grid, dim3 block, std::size_t shared, const std::function<void()>& thread) {
  here.grid_size = grid;
  here.block_size = block;
  state.body = &thread;
  for (unsigned z = 0; z < grid.z; ++z) {
    for (unsigned y = 0; y < grid.y; ++y) {
      for (unsigned x = 0; x < grid.x; ++x) {
        here.block = {x, y, z};
        run_block(block.x, shared);
      }
    }
  }
}

// --- streams
// --------------------------------------------------------------------------------------

bool ready(const Stream& s) {
  if (s.tasks.empty()) return false;
  const Task& t = s.tasks.front();
  return !t.is_wait || t.event->reached >= t.ticket;
}

// Runs one task of a random stream that can go on.
void step() {
  std::vector<Stream*> open;
  for (Stream* s : streams) {
    if (ready(*s)) open.push_back(s);
  }
  if (open.empty()) broken("streams wait for each other");
  Stream& s = *open[random_bits() % open.size()];
  const Task task = std::move(s.tasks.front());
  s.tasks.pop_front();
  if (task.run) task.run();
  if (task.event != nullptr && !task.is_wait) task.event->reached = task.ticket;
}

void drain(const Stream& s) {
  while (!s.tasks.empty()) step();
}

void put(Stream& s, std::function<void()> run, double duration, double* engine) {
  if (s.device != current_device) broken("work for another device than the thread's");
  double from = std::max(now, s.end);
  if (engine != nullptr) from = std::max(from, *engine);
  s.end = from + duration;
  if (engine != nullptr) *engine = s.end;
  s.tasks.push_back({std::move(run), nullptr, 0, false});
}

double copy_time(std::size_t bytes) {
  return machine.copy_bytes_per_us > 0 ? static_cast<double>(bytes) / machine.copy_bytes_per_us : 0;
}

// Pinned memory is read when the copy happens, not when it is asked for.
bool pinned(const void* p) {
  const auto* at = static_cast<const char*>(p);
  auto after = pinned_memory.upper_bound(at);
  if (after == pinned_memory.begin()) return false;
  --after;
  return at < after->first + after->second;
}

}  // namespace

void use(const Machine& next) {
  for (Stream* s : streams) drain(*s);
  machine = next;
  random_state = next.order * 2654435761U + 1;
  now = copy_engine = compute_engine = 0;
  for (Stream* s : streams) s->end = 0;
  peak = in_use;
  allocations = 0;
}

double clock() {
  return now;
}

void advance(double us) {
  now += us;
}

std::size_t peak_memory() {
  return peak;
}

std::size_t live_allocations() {
  return device_memory.size() + pinned_memory.size();
}

cudaError_t launch(cudaStream_t stream, dim3 grid, dim3 block, std::size_t shared,
                   std::function<void()> thread) {
  if (block.x == 0 || block.x > 1024 || block.y != 1 || grid.x == 0 || grid.y == 0 ||
      grid.y > 65535 || shared > static_cast<std::size_t>(machine.shared_memory)) {
    broken("a launch that a device would refuse");
  }
  put(
      *stream,
      [grid, block, shared, thread = std::move(thread)] { run_grid(grid, block, shared, thread); },
      machine.kernel_us, &compute_engine);
  return cudaSuccess;
}

void* shared_memory() {
  return reinterpret_cast<void*>((reinterpret_cast<std::uintptr_t>(state.shared.data()) + 15) &
                                 ~std::uintptr_t{15});
}

void block_barrier() {
  wait_at(state.barrier);
}

void warp_barrier() {
  wait_at(state.warps[state.current / kWarpSize].barrier);
}

bool block_any(bool value) {
  state.any = state.any || value;
  block_barrier();
  const bool result = state.any;
  block_barrier();
  state.any = false;
  block_barrier();
  return result;
}

unsigned lane() {
  return state.current % kWarpSize;
}

void* lane_slot(unsigned index) {
  return state.warps[state.current / kWarpSize].slots[index];
}

void copy_later(void* to, const void* from, int bytes) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 ||
      (bytes > 0 && reinterpret_cast<std::uintptr_t>(from) % 16 != 0)) {
    broken("an asynchronous copy that is not aligned to 16 bytes");
  }
  state.fibers[state.current]->open.push_back({to, from, bytes});
}

void close_copies() {
  Fiber& self = *state.fibers[state.current];
  self.groups.push_back(std::move(self.open));
  self.open.clear();
}

void wait_copies(int open_groups) {
  Fiber& self = *state.fibers[state.current];
  while (self.groups.size() > static_cast<std::size_t>(open_groups)) {
    for (const Copy& c : self.groups.front()) {
      std::memset(c.to, 0, 16);
      if (c.bytes > 0) std::memcpy(c.to, c.from, static_cast<std::size_t>(c.bytes));
    }
    self.groups.pop_front();
  }
}

}  // namespace ckpt::emulator

using namespace ckpt::emulator;

const char* cudaGetErrorString(cudaError_t error) {
  return error == cudaErrorMemoryAllocation ? "out of memory" : "no error";
}

cudaError_t cudaGetLastError() {
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= kDevices) return cudaErrorNoDevice;
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
  *value = attribute == cudaDevAttrMultiProcessorCount ? machine.processors : machine.shared_memory;
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  *total = machine.memory;
  *free = machine.memory - std::min(in_use, machine.memory);
  return cudaSuccess;
}

cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int) {
  static Pool only;
  *pool = &only;
  return cudaSuccess;
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void*) {
  return cudaSuccess;
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, std::size_t) {
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  *stream = new Stream;
  (*stream)->device = current_device;
  streams.insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  drain(*stream);
  streams.erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  drain(*stream);
  now = std::max(now, stream->end);
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  stream->end = std::max(stream->end, event->at);
  stream->tasks.push_back({{}, event, event->recorded, true});
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new Event;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  // As on a device, what refers to it may still be under way.
  while (event->reached < event->recorded) step();
  for (Stream* s : streams) {
    for (Task& t : s->tasks) {
      if (t.event == event) t = {};
    }
  }
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  event->at = std::max(now, stream->end);
  stream->tasks.push_back({{}, event, ++event->recorded, false});
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  while (event->reached < event->recorded) step();
  now = std::max(now, event->at);
  return cudaSuccess;
}

cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t) {
  ++allocations;
  if (machine.refuse > 0 && allocations - machine.refuse < 2) return cudaErrorMemoryAllocation;
  if (in_use + bytes > machine.memory) return cudaErrorMemoryAllocation;
  const std::size_t rounded = (bytes + 255) / 256 * 256;
  *data = std::aligned_alloc(256, std::max<std::size_t>(rounded, 256));
  // Fresh memory is NaN up to the byte that was asked for; the rest is out of bounds to nobody.
  auto* words = static_cast<std::uint32_t*>(*data);
  std::fill_n(words, rounded / 4, 0x7FC0DEADU);
  device_memory[*data] = bytes;
  in_use += bytes;
  peak = std::max(peak, in_use);
  return cudaSuccess;
}

cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  if (!device_memory.contains(data)) broken("free of memory that is not allocated");
  put(
      *stream,
      [data] {
        in_use -= device_memory.at(data);
        device_memory.erase(data);
        std::free(data);
      },
      0, nullptr);
  return cudaSuccess;
}

cudaError_t cudaMallocHost(void** data, std::size_t bytes) {
  *data = std::malloc(std::max<std::size_t>(bytes, 1));
  pinned_memory[static_cast<char*>(*data)] = bytes;
  return cudaSuccess;
}

cudaError_t cudaFreeHost(void* data) {
  for (Stream* s : streams) drain(*s);
  pinned_memory.erase(static_cast<char*>(data));
  std::free(data);
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return cudaMemcpy2DAsync(to, bytes, from, bytes, bytes, 1, kind, stream);
}

cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from,
                              std::size_t from_pitch, std::size_t width, std::size_t height,
                              cudaMemcpyKind kind, cudaStream_t stream) {
  const auto copy = [=](const void* source, std::size_t pitch) {
    for (std::size_t r = 0; r < height; ++r) {
      std::memcpy(static_cast<char*>(to) + r * to_pitch,
                  static_cast<const char*>(source) + r * pitch, width);
    }
  };
  const double time = kind == cudaMemcpyDeviceToDevice ? 0 : copy_time(width * height);
  double* engine = kind == cudaMemcpyDeviceToDevice ? nullptr : &copy_engine;
  if (kind != cudaMemcpyHostToDevice || pinned(from)) {
    put(
        *stream, [=] { copy(from, from_pitch); }, time, engine);
    return cudaSuccess;
  }
  // Pageable memory is free to change once the call returns.
  auto staged = std::make_shared<std::vector<char>>(width * height);
  for (std::size_t r = 0; r < height; ++r) {
    std::memcpy(staged->data() + r * width, static_cast<const char*>(from) + r * from_pitch, width);
  }
  put(
      *stream, [=] { copy(staged->data(), width); }, time, engine);
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  put(
      *stream, [=] { std::memset(to, value, bytes); }, 0, nullptr);
  return cudaSuccess;
}
