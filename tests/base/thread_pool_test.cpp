#include "validator/base/thread_pool.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <vector>

using namespace ckpt;

TEST_CASE("thread pool: each index runs once, with any number of workers") {
  for (const unsigned threads : {1U, 2U, 3U, 8U}) {
    ThreadPool pool(threads);
    CHECK(pool.size() == threads);
    for (const std::size_t n :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{1000}}) {
      std::vector<std::atomic<int>> runs(n);
      pool.parallel_for(n, [&](std::size_t i) { ++runs[i]; });
      CHECK(std::ranges::all_of(runs, [](const std::atomic<int>& r) { return r == 1; }));
    }
  }
}

TEST_CASE("thread pool: zero threads means the hardware's number") {
  CHECK(ThreadPool(0).size() >= 1);
}

TEST_CASE("thread pool: a loop has returned only when its last index has") {
  ThreadPool pool(4);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> out(7);
    pool.parallel_for(out.size(), [&](std::size_t i) {
      std::uint64_t sum = 0;
      for (std::uint64_t k = 0; k < 100 * i; ++k) sum += k;
      out[i] = sum + 1;
    });
    REQUIRE(std::ranges::none_of(out, [](std::uint64_t v) { return v == 0; }));
  }
}

// A worker that wakes late must take the body of the loop that runs now, not of the one before.
TEST_CASE("thread pool: short loops one after another never run each other's body") {
  ThreadPool pool(4);
  std::atomic<std::uint64_t> wrong = 0;
  for (std::uint64_t round = 0; round < 20000; ++round) {
    std::atomic<std::uint64_t> hits = 0;
    std::atomic<std::uint64_t> current = round;
    const auto body = [&hits, &current, &wrong, round](std::size_t) {
      if (current != round) ++wrong;
      ++hits;
    };
    pool.parallel_for(3, body);
    REQUIRE(hits == 3);
    current = ~std::uint64_t{0};
  }
  CHECK(wrong == 0);
}
