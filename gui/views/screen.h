#pragma once
// One ImGui context with the viewer in it: takes input, makes frames. What shows them is elsewhere.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gui/views/ui.h"

namespace ckpt::gui {

/// Keys that have no character, and letters for shortcuts.
enum class Key : std::uint8_t {
  none,
  tab,
  left,
  right,
  up,
  down,
  page_up,
  page_down,
  home,
  end,
  insert,
  del,
  backspace,
  enter,
  escape,
  f1,
  f8,
  letter,
};

struct KeyEvent {
  Key key = Key::none;
  char symbol = 0;  ///< Key::letter: A to Z, a digit or a sign, without modifiers
  bool down = true;
  bool ctrl = false;
  bool shift = false;
  bool alt = false;
};

struct ScreenOptions {
  bool builtin_font = false;  ///< else a font of the system, when one is found
  float content_scale = 1;    ///< of the monitor
};

/// Owns the context and the fonts. One at a time, one thread.
class Screen {
 public:
  Screen(App& app, Textures& textures, const ScreenOptions& options);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  /// The font's picture, to be uploaded once before the first frame: RGBA rows.
  [[nodiscard]] Picture font_picture() const;
  void set_font_texture(void* texture);

  /// Draws one frame; what to render is then in ImGui's draw data.
  void frame(PixelSize size, float seconds);

  void mouse_move(float x, float y);
  void mouse_button(int button, bool down);
  void wheel(float by);
  /// A character that was typed.
  void type(std::uint32_t character);
  void key(const KeyEvent& event);
  /// A chord as the help shows it: `Ctrl+P`, `J`, `F8`, `?`; down and up. False when it is none.
  bool press(std::string_view chord);

  [[nodiscard]] const Registry& registry() const { return ui_->registry; }

  /// Whether a field takes what is typed, as of the last frame.
  [[nodiscard]] bool wants_text() const;

  [[nodiscard]] Registry& widgets() { return ui_->registry; }

 private:
  bool answer(const KeyEvent& event);

  App& app_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Ui> ui_;
  bool dark_ = true;
  // What went down since the latest frame, and what of it came up again: ImGui must see both.
  std::vector<int> fresh_keys_;
  std::vector<int> late_keys_;
  std::array<bool, 3> fresh_buttons_{};
  std::array<bool, 3> late_buttons_{};
};

/// Moves to the middle of a widget and clicks, over four frames. False when no widget of that label
/// was drawn.
bool click(Screen& screen, std::string_view label, PixelSize size);

}  // namespace ckpt::gui
