#pragma once
// What every view gets: the state, where widgets are recorded, and where pictures go.

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {

struct Box {
  float left = 0, top = 0, right = 0, bottom = 0;

  [[nodiscard]] float x() const { return (left + right) / 2; }

  [[nodiscard]] float y() const { return (top + bottom) / 2; }
};

/// Where each widget of the latest frame stands, by a label such as `list/tensors/lm_head.weight`,
/// so that tests and scripts can say `click`.
class Registry {
 public:
  void begin_frame() { boxes_.clear(); }

  void add(std::string label, const Box& box) { boxes_.insert_or_assign(std::move(label), box); }

  [[nodiscard]] const Box* find(std::string_view label) const {
    const auto at = boxes_.find(label);
    return at == boxes_.end() ? nullptr : &at->second;
  }

  [[nodiscard]] const std::map<std::string, Box, std::less<>>& all() const { return boxes_; }

 private:
  std::map<std::string, Box, std::less<>> boxes_;
};

/// Keeps one texture per slot; implemented by the window, and by nothing in tests.
class Textures {
 public:
  virtual ~Textures() = default;
  /// Uploads `picture` into `slot` and returns what ImGui calls its texture.
  virtual void* upload(std::size_t slot, const Picture& picture) = 0;
};

/// A picture that is drawn again only when what it shows has changed.
struct CachedPicture {
  std::uint64_t key = 0;
  void* texture = nullptr;
};

inline constexpr std::size_t kSlots = 4;

struct Ui {
  App& app;
  Registry& registry;
  Textures& textures;
  std::array<CachedPicture, kSlots> pictures{};
  std::string filter;          ///< as it is being typed
  std::string filter_error;    ///< safe to show
  std::vector<float> numbers;  ///< values of the cells in view, when they show numbers
  std::uint64_t frames = 0;
};

}  // namespace ckpt::gui
