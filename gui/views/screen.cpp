#include "gui/views/screen.h"

#include <imgui/imgui.h>

#include <algorithm>
#include <filesystem>

#include "gui/state/actions.h"
#include "gui/views/style.h"
#include "gui/views/views.h"

namespace ckpt::gui {
namespace {

constexpr float kFontSize = 15;

void add_font(const ScreenOptions& options) {
  ImGuiIO& io = ImGui::GetIO();
  static constexpr std::array<const char*, 3> kFonts{
      "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
      "/usr/share/fonts/truetype/noto/NotoSans-Regular.ttf",
      "/usr/share/fonts/truetype/liberation/LiberationSans-Regular.ttf"};
  static constexpr std::array<ImWchar, 7> kRanges{0x20, 0x17F, 0x370, 0x52F, 0x2010, 0x2027, 0};
  if (!options.builtin_font) {
    for (const char* font : kFonts) {
      std::error_code ignored;
      if (!std::filesystem::is_regular_file(font, ignored)) continue;
      if (io.Fonts->AddFontFromFileTTF(font, kFontSize * options.content_scale, nullptr,
                                       kRanges.data()) != nullptr) {
        return;
      }
    }
  }
  io.Fonts->AddFontDefault();
}

/// ImGui 1.86 wants its keys by number: ours, shifted past the ASCII codes of letters.
constexpr int kKeyBase = 256;

int number_of(Key key) {
  return kKeyBase + static_cast<int>(key);
}

void map_keys() {
  ImGuiIO& io = ImGui::GetIO();
  const std::array<std::pair<ImGuiKey, Key>, 14> keys{{{ImGuiKey_Tab, Key::tab},
                                                       {ImGuiKey_LeftArrow, Key::left},
                                                       {ImGuiKey_RightArrow, Key::right},
                                                       {ImGuiKey_UpArrow, Key::up},
                                                       {ImGuiKey_DownArrow, Key::down},
                                                       {ImGuiKey_PageUp, Key::page_up},
                                                       {ImGuiKey_PageDown, Key::page_down},
                                                       {ImGuiKey_Home, Key::home},
                                                       {ImGuiKey_End, Key::end},
                                                       {ImGuiKey_Insert, Key::insert},
                                                       {ImGuiKey_Delete, Key::del},
                                                       {ImGuiKey_Backspace, Key::backspace},
                                                       {ImGuiKey_Enter, Key::enter},
                                                       {ImGuiKey_Escape, Key::escape}}};
  for (const auto& [theirs, ours] : keys) io.KeyMap[theirs] = number_of(ours);
  for (const auto& [theirs, letter] :
       {std::pair{ImGuiKey_A, 'A'}, std::pair{ImGuiKey_C, 'C'}, std::pair{ImGuiKey_V, 'V'},
        std::pair{ImGuiKey_X, 'X'}, std::pair{ImGuiKey_Y, 'Y'}, std::pair{ImGuiKey_Z, 'Z'}}) {
    io.KeyMap[theirs] = letter;
  }
}

struct NamedKey {
  std::string_view name;
  Key key;
};

constexpr std::array<NamedKey, 16> kNames{{{"Tab", Key::tab},
                                           {"Left", Key::left},
                                           {"Right", Key::right},
                                           {"Up", Key::up},
                                           {"Down", Key::down},
                                           {"PgUp", Key::page_up},
                                           {"PgDn", Key::page_down},
                                           {"Home", Key::home},
                                           {"End", Key::end},
                                           {"Insert", Key::insert},
                                           {"Del", Key::del},
                                           {"Backspace", Key::backspace},
                                           {"Enter", Key::enter},
                                           {"Esc", Key::escape},
                                           {"F1", Key::f1},
                                           {"F8", Key::f8}}};

bool is_letter(char c) {
  return c >= 'A' && c <= 'Z';
}

/// The chord of an event as the table of actions writes it; empty when it can be none. Signs and
/// digits without Ctrl are told by type(), as their keys differ between keyboards.
std::string chord_of(const KeyEvent& e) {
  std::string name;
  if (e.key == Key::letter) {
    if (!is_letter(e.symbol) && !e.ctrl) return {};
    name = e.symbol == '=' ? '+' : e.symbol;
  } else {
    const auto at = std::ranges::find(kNames, e.key, &NamedKey::key);
    if (at == kNames.end()) return {};
    name = at->name;
  }
  return std::string(e.ctrl ? "Ctrl+" : "") + (e.alt ? "Alt+" : "") + (e.shift ? "Shift+" : "") +
         name;
}

/// What an arrow does to the cell; null for other keys.
const Action* action_of_arrow(Key key) {
  switch (key) {
    case Key::left:
      return find_action("cell.left");
    case Key::right:
      return find_action("cell.right");
    case Key::up:
      return find_action("cell.up");
    case Key::down:
      return find_action("cell.down");
    default:
      return nullptr;
  }
}

}  // namespace

Screen::Screen(App& app, Textures& textures, const ScreenOptions& options) : app_(app) {
  IMGUI_CHECKVERSION();
  ImGui::CreateContext();
  ImGuiIO& io = ImGui::GetIO();
  io.IniFilename = nullptr;
  io.LogFilename = nullptr;
  io.BackendFlags |= ImGuiBackendFlags_RendererHasVtxOffset;
  io.ConfigInputTextCursorBlink = false;
  add_font(options);
  map_keys();
  registry_ = std::make_unique<Registry>();
  ui_ = std::make_unique<Ui>(Ui{app, *registry_, textures});
  io.Fonts->Build();
  apply_style(app.dark);
  dark_ = app.dark;
}

Screen::~Screen() {
  ImGui::DestroyContext();
}

Picture Screen::font_picture() const {
  unsigned char* pixels = nullptr;
  Picture picture;
  ImGui::GetIO().Fonts->GetTexDataAsRGBA32(&pixels, &picture.size.width, &picture.size.height);
  const auto n =
      static_cast<std::size_t>(picture.size.width) * static_cast<std::size_t>(picture.size.height);
  picture.pixels.reserve(n);
  for (std::size_t i = 0; i < n; ++i) {
    const unsigned char* p = pixels + 4 * i;
    picture.pixels.push_back({p[0], p[1], p[2], p[3]});
  }
  return picture;
}

void Screen::set_font_texture(void* texture) {
  ImGui::GetIO().Fonts->SetTexID(texture);
}

void Screen::frame(PixelSize size, float seconds) {
  if (dark_ != app_.dark) {
    dark_ = app_.dark;
    apply_style(dark_);
  }
  ImGuiIO& io = ImGui::GetIO();
  io.DisplaySize = {static_cast<float>(std::max(size.width, 1)),
                    static_cast<float>(std::max(size.height, 1))};
  io.DeltaTime = std::max(seconds, 1e-4F);
  io.FontGlobalScale = app_.scale;
  ui_->registry.begin_frame();
  ImGui::NewFrame();
  draw_shell(*ui_, size);
  ImGui::Render();
  ++ui_->frames;
  for (const int key : late_keys_) io.KeysDown[key] = false;
  for (std::size_t i = 0; i < late_buttons_.size(); ++i) {
    if (late_buttons_[i]) io.MouseDown[i] = false;
  }
  fresh_keys_.clear();
  late_keys_.clear();
  fresh_buttons_ = {};
  late_buttons_ = {};
  if (!app_.copied.empty()) {
    ImGui::SetClipboardText(app_.copied.c_str());
    app_.say("copied");
    app_.copied.clear();
  }
}

void Screen::mouse_move(float x, float y) {
  ImGui::GetIO().MousePos = {x, y};
}

void Screen::mouse_button(int button, bool down) {
  if (button < 0 || button >= 3) return;
  const auto i = static_cast<std::size_t>(button);
  if (down) fresh_buttons_[i] = true;
  late_buttons_[i] = !down && fresh_buttons_[i];
  if (!late_buttons_[i]) ImGui::GetIO().MouseDown[button] = down;
}

void Screen::wheel(float by) {
  ImGui::GetIO().MouseWheel += by;
}

bool Screen::wants_text() const {
  return ImGui::GetIO().WantTextInput;
}

void Screen::type(std::uint32_t character) {
  ImGuiIO& io = ImGui::GetIO();
  if (io.WantTextInput) {
    io.AddInputCharacter(character);
    return;
  }
  if (character <= ' ' || character > '~' || is_letter(static_cast<char>(character)) ||
      (character >= 'a' && character <= 'z')) {
    return;
  }
  const std::string chord(1, static_cast<char>(character));
  if (const Action* action = action_of_key(chord)) action->run(app_);
}

void Screen::key(const KeyEvent& event) {
  ImGuiIO& io = ImGui::GetIO();
  io.KeyCtrl = event.ctrl;
  io.KeyShift = event.shift;
  io.KeyAlt = event.alt;
  const int number =
      event.key == Key::letter ? static_cast<int>(event.symbol) : number_of(event.key);
  const bool taken = event.down && answer(event);
  if (number > 0 && number < static_cast<int>(IM_ARRAYSIZE(io.KeysDown))) {
    if (event.down && !taken) {
      io.KeysDown[number] = true;
      fresh_keys_.push_back(number);
    } else if (std::ranges::find(fresh_keys_, number) != fresh_keys_.end()) {
      late_keys_.push_back(number);
    } else {
      io.KeysDown[number] = false;
    }
  }
  if (!event.down && event.key == Key::letter && event.symbol == 'R')
    app_.look.hold_reference = false;
}

// True when the event was an action and ImGui must not see it.
bool Screen::answer(const KeyEvent& event) {
  Overlays& o = app_.overlays;
  const bool panel = o.palette || o.open || o.goto_cell || o.save || o.help || o.settings;
  if (o.palette && (event.key == Key::down || event.key == Key::up)) {
    if (event.key == Key::down)
      ++o.choice;
    else if (o.choice > 0)
      --o.choice;
    return true;
  }
  if (panel && event.key == Key::enter) return false;
  // A field with the focus keeps letters, arrows and its own Ctrl keys.
  const bool editing = wants_text();
  const bool own =
      event.key == Key::letter
          ? !event.ctrl || std::string_view("ACVXYZ").find(event.symbol) != std::string_view::npos
          : event.key != Key::escape && event.key != Key::f1 && event.key != Key::f8;
  if (editing && own && !event.alt) {
    // From the filter one steps into the list.
    const bool into_list = !panel && (event.key == Key::down || event.key == Key::up);
    if (!into_list) return false;
  }
  if (!event.ctrl && !event.shift && !event.alt && event.key == Key::letter &&
      event.symbol == 'R') {
    app_.look.hold_reference = true;
    return true;
  }
  const bool on_cells = app_.cell_keys && !panel && !event.ctrl && !event.alt &&
                        (app_.canvas == Canvas::heat_map || app_.canvas == Canvas::compare);
  const Action* action = on_cells ? action_of_arrow(event.key) : nullptr;
  if (action == nullptr) action = action_of_key(chord_of(event));
  if (action == nullptr) return false;
  if (event.key == Key::escape && editing) ImGui::SetWindowFocus(nullptr);
  action->run(app_);
  return true;
}

bool Screen::press(std::string_view chord) {
  KeyEvent e;
  const auto take = [&](std::string_view prefix, bool& flag) {
    if (!chord.starts_with(prefix) || chord.size() == prefix.size()) return;
    flag = true;
    chord.remove_prefix(prefix.size());
  };
  take("Ctrl+", e.ctrl);
  take("Alt+", e.alt);
  take("Shift+", e.shift);
  if (const auto at = std::ranges::find(kNames, chord, &NamedKey::name); at != kNames.end()) {
    e.key = at->key;
  } else if (chord.size() == 1) {
    e.key = Key::letter;
    e.symbol = chord[0];
  } else {
    return false;
  }
  key(e);
  if (e.key == Key::letter && !e.ctrl && !e.alt) {
    const char c = e.symbol;
    type(static_cast<std::uint32_t>(is_letter(c) && !e.shift ? c - 'A' + 'a' : c));
  }
  e.down = false;
  e.ctrl = e.shift = e.alt = false;
  key(e);
  return true;
}

bool click(Screen& screen, std::string_view label, PixelSize size) {
  const Box* box = screen.registry().find(label);
  if (box == nullptr) return false;
  screen.mouse_move(box->x(), box->y());
  screen.frame(size, 0.02F);
  screen.mouse_button(0, true);
  screen.frame(size, 0.02F);
  screen.mouse_button(0, false);
  screen.frame(size, 0.02F);
  screen.frame(size, 0.02F);
  return true;
}

}  // namespace ckpt::gui
