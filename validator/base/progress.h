#pragma once

#include <cstdint>
#include <string_view>

namespace ckpt {

/// Receives how far long work has come. Called from one thread; must return quickly.
class Progress {
 public:
  virtual ~Progress() = default;
  /// `stage` such as `layers`; `done` of `total` units; `bytes` read so far.
  virtual void update(std::string_view stage, std::uint64_t done, std::uint64_t total,
                      std::uint64_t bytes) = 0;
};

/// A sink that shows nothing.
class NoProgress final : public Progress {
 public:
  void update(std::string_view, std::uint64_t, std::uint64_t, std::uint64_t) override {}
};

}  // namespace ckpt
