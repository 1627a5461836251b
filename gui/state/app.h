#pragma once
// All that the viewer shows and how it answers, without a window.

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "gui/state/panes.h"
#include "gui/state/selection.h"
#include "gui/state/session.h"
#include "gui/state/tensor_list.h"

namespace ckpt::gui {

enum class Canvas : std::uint8_t {
  overview,
  heat_map,
  histogram,
  compare,
  experts,
  text,
  routing,
  layers,
};
inline constexpr std::size_t kCanvases = 8;
[[nodiscard]] std::string_view canvas_name(Canvas canvas);  ///< `Heat map`
[[nodiscard]] std::string_view canvas_id(Canvas canvas);    ///< `heat_map`

enum class ListTab : std::uint8_t { tensors, findings, layers, experts, tokens };
inline constexpr std::size_t kListTabs = 5;
[[nodiscard]] std::string_view tab_name(ListTab tab);

enum class ExpertValue : std::uint8_t { error, tokens, saliency, bits };
inline constexpr std::size_t kExpertValues = 4;
[[nodiscard]] std::string_view expert_value_name(ExpertValue value);

/// How one axis of the expert grid is ordered: by number, or the largest value first, of one line
/// of the other axis or of the mean over it.
enum class OrderBy : std::uint8_t { number, line, mean };

struct AxisOrder {
  OrderBy by = OrderBy::number;
  int line = -1;
  friend bool operator==(const AxisOrder&, const AxisOrder&) = default;
};

struct GridOrder {
  AxisOrder experts;
  AxisOrder layers;
  std::optional<ExpertValue> value;  ///< empty: the value on show
};

/// Pairs of a reference's and a candidate's values from some rows of a weight, and the RMS error of
/// each group of columns there.
struct Pairs {
  std::vector<double> reference;
  std::vector<double> candidate;
  std::vector<double> group_error;
};

/// How matrices are drawn.
struct Look {
  Source source = Source::decoded;
  Reduce reduce = Reduce::largest;
  ColorMap map = ColorMap::automatic;
  Scale scale = Scale::linear;
  bool groups = false;
  bool hold_reference = false;  ///< show the reference in place, while R is down
  bool locked = false;          ///< keep `high` while stepping through tensors
  float high = 0;               ///< 0: by the 99.9 % quantile
  Viewport view;
  bool fitted = true;  ///< follow the size of the canvas
  PixelSize size;      ///< of the heat map as it was drawn last
};

/// Panels that stand above the others while they are open.
struct Overlays {
  bool palette = false;
  bool help = false;
  bool settings = false;
  bool save = false;
  bool open = false;
  bool goto_cell = false;
  std::string text;  ///< what is typed into the open one
  std::size_t choice = 0;
};

struct AppOptions {
  OpenArgs open;
  std::uint64_t cache_bytes = 512ULL << 20;
  unsigned threads = 2;
  std::string runs;   ///< folder of kept runs, the newest of the target is shown; empty: none
  bool check = true;  ///< check, as the command does, what is opened with no check's results
  std::function<void()> wake;  ///< called from workers when there is something to poll
};

/// The state of the interface. One thread, that of the interface; workers deliver through poll().
class App {
 public:
  /// Opens what the options name; nothing when they name nothing.
  explicit App(AppOptions options);
  ~App();
  App(const App&) = delete;
  App& operator=(const App&) = delete;

  /// Takes in what workers have finished. True when anything arrived.
  bool poll();
  /// True when nothing is queued, runs, or waits to be taken in.
  [[nodiscard]] bool idle() const;
  void open(const OpenArgs& args);

  [[nodiscard]] const Session* session() const { return session_.get(); }

  [[nodiscard]] const Selection& selection() const { return history_.current(); }

  [[nodiscard]] const OpenArgs& opened() const { return options_.open; }

  /// Whether something is being opened that is not there yet.
  [[nodiscard]] bool opening() const { return opening_; }

  // Each makes one step in the history.
  void select_tensor(std::int32_t tensor);
  void select_module(std::int32_t module);
  void select_layer(int layer);
  void select_expert(int layer, int expert);
  /// Selects the tensor, cell or place that a finding points at and shows it.
  void select_finding(int finding);
  void select_token(int token);
  /// Moves within the matrix on show; part of the current step.
  void select_cell(const Cell& cell);
  void back();
  void forward();
  /// Selects by tensor name, finding fingerprint or code, `layer 3`, `expert 3 17`, or `token 1`,
  /// the position with the largest KL. False when nothing has that name.
  bool select_named(std::string_view name);

  /// The pane of a matrix, made and asked for when it is new.
  Pane& pane(Source source);
  /// The source that the heat map shows now.
  [[nodiscard]] Source shown_source() const;
  /// How the values of a pane become colours.
  [[nodiscard]] Coloring coloring(const Pane& pane) const;
  /// Draws a pane at the current view; asks for the tiles that it lacks.
  [[nodiscard]] Picture draw(Pane& pane, PixelSize size);
  /// The values of a small block from tiles that are there; false while one is missing.
  bool values_of(const Pane& pane, const Block& block, std::vector<float>& out);
  /// Pairs for the selected module; asked for when they are new, null until then.
  const Pairs* pairs();
  /// Facts of the cell under the pointer or selected; asked for when they are new, null until then.
  const CellFacts* cell_facts(const Cell& cell);

  /// Stops all work.
  void cancel();
  /// Runs a job whose end is told by a message.
  void save_later(std::string title, std::function<Result<std::string>(std::stop_token)> job);

  [[nodiscard]] Workers& workers() { return workers_; }

  [[nodiscard]] const TileStore& tiles() const { return panes_.tiles(); }

  /// Bytes of weights, counts and tiles that are kept; below the option `cache_bytes`.
  [[nodiscard]] std::uint64_t bytes() const { return panes_.bytes(); }

  [[nodiscard]] const History& history() const { return history_; }

  void say(std::string message);

  // What the views show and change directly.
  TensorList list;
  Look look;
  Overlays overlays;
  Canvas canvas = Canvas::overview;
  ListTab tab = ListTab::tensors;
  ExpertValue expert_value = ExpertValue::error;
  bool sort_experts = false;  ///< the list of experts by the value, worst first
  GridOrder grid_order;
  bool dark = true;
  float scale = 1;
  float list_width = 330;  ///< before scaling, as the next; the window clamps both
  float inspector_width = 290;
  bool quit = false;
  bool cell_keys = false;  ///< arrows move the cell on show, not the list, as it was chosen last
  bool focus_filter = false;
  std::vector<OpenArgs> recent;  ///< what was opened, the latest first; see remembered.h
  std::string message;           ///< the latest thing to tell, safe to show
  std::string error;             ///< why nothing is open, safe to show
  std::string copied;            ///< text for the clipboard, taken by the window
  std::string save_screen;       ///< file that gets the next frame as PNG, taken by the window
  std::function<std::string(const Picture&)> encode_png;  ///< set by the part that can
  std::string hovered;  ///< value under the pointer, for the bottom line
  bool scroll_to_selection = false;

 private:
  void deliver(std::function<void(App&)> what);
  void take_session(std::shared_ptr<const Session> session);
  void check_here();
  [[nodiscard]] int same_finding(const Session& before, int finding) const;
  void go(const Selection& next);

  AppOptions options_;
  bool opening_ = false;
  std::shared_ptr<const Session> session_;
  History history_;
  std::optional<CellFacts> cell_;
  std::optional<std::pair<std::int32_t, Cell>> cell_asked_;
  std::optional<Pairs> pairs_;
  std::int32_t pairs_asked_ = -1;

  mutable std::mutex mutex_;
  std::vector<std::function<void(App&)>> deliveries_;
  Panes panes_;
  Workers workers_;  ///< last: its threads end before what they deliver to
};

}  // namespace ckpt::gui
