#include "gui/state/app.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "gui/state/kept_runs.h"
#include "gui/state/remembered.h"
#include "validator/base/text.h"
#include "validator/pipeline/check.h"

namespace ckpt::gui {
namespace {

/// Rows and pairs that a scatter takes: enough to see, few enough to draw in every frame.
constexpr std::uint64_t kPairRows = 16;
constexpr std::uint64_t kPairs = 2000;

Result<Pairs> take_pairs(const Matrix& candidate, const Matrix& reference, std::uint64_t group) {
  if (candidate.rows() != reference.rows() || candidate.columns() != reference.columns()) {
    return fail(ErrorKind::format, "candidate and reference have different shapes");
  }
  Pairs out;
  const std::uint64_t columns = candidate.columns();
  if (group == 0) group = std::max<std::uint64_t>(columns, 1);
  out.group_error.assign((columns + group - 1) / group, 0);
  const std::uint64_t rows = std::min(kPairRows, candidate.rows());
  const std::uint64_t stride = std::max<std::uint64_t>(rows * columns / kPairs, 1);
  std::vector<float> a(columns);
  std::vector<float> b(columns);
  std::uint64_t n = 0;
  for (std::uint64_t i = 0; i < rows; ++i) {
    const std::uint64_t r = i * candidate.rows() / rows;
    CKPT_TRY_VOID(candidate.read({r, r + 1, 0, columns}, a), "candidate");
    CKPT_TRY_VOID(reference.read({r, r + 1, 0, columns}, b), "reference");
    for (std::uint64_t c = 0; c < columns; ++c) {
      const double d = double{a[c]} - double{b[c]};
      out.group_error[c / group] += d * d;
      if (n++ % stride != 0) continue;
      out.reference.push_back(b[c]);
      out.candidate.push_back(a[c]);
    }
  }
  for (std::size_t g = 0; g < out.group_error.size(); ++g) {
    const std::uint64_t wide = std::min(group, columns - g * group);
    out.group_error[g] = std::sqrt(out.group_error[g] / static_cast<double>(rows * wide));
  }
  return out;
}

}  // namespace

std::string_view canvas_name(Canvas canvas) {
  constexpr std::array<std::string_view, kCanvases> kNames{"Overview", "Heat map", "Histogram",
                                                           "Compare",  "Experts",  "KL over text",
                                                           "Routing",  "Layers"};
  return kNames[static_cast<std::size_t>(canvas)];
}

std::string_view canvas_id(Canvas canvas) {
  constexpr std::array<std::string_view, kCanvases> kNames{
      "overview", "heat_map", "histogram", "compare", "experts", "text", "routing", "layers"};
  return kNames[static_cast<std::size_t>(canvas)];
}

std::string_view tab_name(ListTab tab) {
  constexpr std::array<std::string_view, kListTabs> kNames{"Tensors", "Findings", "Layers",
                                                           "Experts", "Tokens"};
  return kNames[static_cast<std::size_t>(tab)];
}

std::string_view expert_value_name(ExpertValue value) {
  constexpr std::array<std::string_view, kExpertValues> kNames{"error", "tokens", "saliency",
                                                               "bits"};
  return kNames[static_cast<std::size_t>(value)];
}

App::App(AppOptions options)
    : options_(std::move(options)),
      panes_(
          options_.cache_bytes, workers_,
          [this](std::function<void()> what) {
            deliver([what = std::move(what)](App&) { what(); });
          },
          options_.wake),
      workers_(options_.threads, options_.wake) {
  if (!options_.open.empty()) open(options_.open);
}

App::~App() {
  workers_.cancel_all();
}

void App::deliver(std::function<void(App&)> what) {
  const std::scoped_lock lock(mutex_);
  deliveries_.push_back(std::move(what));
}

bool App::poll() {
  std::vector<std::function<void(App&)>> taken;
  {
    const std::scoped_lock lock(mutex_);
    taken.swap(deliveries_);
  }
  for (const auto& what : taken) what(*this);
  return !taken.empty();
}

bool App::idle() const {
  if (workers_.busy()) return false;
  const std::scoped_lock lock(mutex_);
  return deliveries_.empty();
}

void App::say(std::string text) {
  message = std::move(text);
}

void App::open(const OpenArgs& args) {
  cancel();
  options_.open = args;
  opening_ = true;
  workers_.submit(Work::open,
                  "opening " + shown(args.target.empty() ? args.results : args.target, 60),
                  [this, args](const std::stop_token&) {
                    auto opened = Session::open(args, options_.runs);
                    deliver([args, opened = std::move(opened)](App& app) {
                      app.opening_ = false;
                      if (opened) {
                        add_recent(app.recent, anywhere(args));
                        app.take_session(*opened);
                      } else {
                        app.error = opened.error().message;
                        app.say(app.error);
                      }
                    });
                  });
}

void App::take_session(std::shared_ptr<const Session> session) {
  const auto before = std::exchange(session_, std::move(session));
  error.clear();
  list.set_session(session_.get());
  if (before != nullptr && before->candidate() != nullptr &&
      before->candidate() == session_->candidate()) {
    history_.update([&](Selection& step) { step.finding = same_finding(*before, step.finding); });
    return;
  }
  panes_.clear();
  history_ = {};
  // What `kl` measured says nothing of config and headers.
  if (options_.check && session_->candidate() != nullptr &&
      (session_->results() == nullptr || session_->results()->run.command == "kl")) {
    check_here();
  }
}

// Names of the earlier results' findings hold in the later ones, their numbers do not.
int App::same_finding(const Session& before, int finding) const {
  if (finding < 0 || before.results() == nullptr || session_->results() == nullptr) return -1;
  const auto& now = session_->results()->findings;
  const auto& was = before.results()->findings[static_cast<std::size_t>(finding)];
  const auto at = std::ranges::find(now, was.fingerprint(), &results::Finding::fingerprint);
  return at == now.end() ? -1 : static_cast<int>(at - now.begin());
}

void App::check_here() {
  std::uint64_t bytes = 0;
  for (const TensorRow& row : session_->rows()) bytes += row.bytes;
  const bool small = bytes <= pipeline::kSmallCheckpointBytes;
  workers_.submit(
      Work::check, "checking", [this, small, session = session_](const std::stop_token& stop) {
        ThreadPool pool(1);
        NoProgress progress;
        // What headers say is there at once; values are read where `check` would read them too.
        for (const bool values : {false, true}) {
          if (values && !small) return;
          pipeline::CheckOptions options;
          options.values = values;
          results::Results found =
              pipeline::run_check(*session->candidate(), options, pool, progress, stop);
          if (stop.stop_requested()) return;
          if (session->results() != nullptr) found = joined(std::move(found), *session->results());
          deliver([next = session->with_results(std::move(found))](App& app) {
            if (app.session_ != nullptr && app.session_->candidate() == next->candidate()) {
              app.take_session(next);
            }
          });
          if (options_.wake) options_.wake();
        }
      });
}

void App::go(const Selection& next) {
  if (next.tensor != selection().tensor || next.module != selection().module) {
    panes_.drop_unfinished();
    workers_.cancel(Work::cell);
    cell_asked_.reset();
    pairs_asked_ = -1;
    look.fitted = true;
    if (!look.locked) look.high = 0;
  }
  history_.go(next);
  scroll_to_selection = true;
  cell_keys = false;
}

void App::select_tensor(std::int32_t tensor) {
  if (session_ == nullptr || tensor < 0 ||
      static_cast<std::size_t>(tensor) >= session_->rows().size()) {
    return;
  }
  const TensorRow& row = session_->rows()[static_cast<std::size_t>(tensor)];
  Selection next;
  next.tensor = tensor;
  next.module = row.module;
  next.layer = row.layer;
  next.expert = row.expert;
  list.reveal(tensor);
  go(next);
  if (canvas != Canvas::histogram && canvas != Canvas::compare) canvas = Canvas::heat_map;
}

void App::select_module(std::int32_t module) {
  if (session_ == nullptr || session_->candidate() == nullptr || module < 0) return;
  const arch::Module& m =
      session_->candidate()->blueprint->modules()[static_cast<std::size_t>(module)];
  Selection next;
  next.module = module;
  next.tensor = session_->tensor_of_module(module);
  next.layer = m.layer;
  next.expert = m.expert;
  list.reveal(next.tensor);
  go(next);
}

void App::select_layer(int layer) {
  if (session_ == nullptr || layer < 0 || layer >= session_->layers()) return;
  Selection next;
  next.layer = layer;
  go(next);
}

void App::select_expert(int layer, int expert) {
  if (session_ == nullptr || layer < 0 || expert < 0 || layer >= session_->layers() ||
      expert >= session_->experts()) {
    return;
  }
  Selection next;
  next.layer = layer;
  next.expert = expert;
  next.module = session_->expert_module(layer, expert);
  next.tensor = session_->tensor_of_module(next.module);
  list.reveal(next.tensor);
  go(next);
}

void App::select_finding(int finding) {
  if (session_ == nullptr || session_->results() == nullptr || finding < 0 ||
      static_cast<std::size_t>(finding) >= session_->results()->findings.size()) {
    return;
  }
  const results::Finding& f = session_->results()->findings[static_cast<std::size_t>(finding)];
  Selection next;
  next.finding = finding;
  canvas = Canvas::overview;
  for (const results::Location& at : f.where) {
    next.layer = at.layer;
    next.expert = at.expert;
    next.tensor = at.tensor.empty() ? -1 : session_->find_tensor(at.tensor);
    if (next.tensor < 0 && at.expert >= 0) {
      next.module = session_->expert_module(at.layer, at.expert);
      next.tensor = session_->tensor_of_module(next.module);
      canvas = Canvas::experts;
      break;
    }
    if (next.tensor < 0) continue;
    const TensorRow& row = session_->rows()[static_cast<std::size_t>(next.tensor)];
    next.module = row.module;
    if (next.layer < 0) next.layer = row.layer;
    if (next.expert < 0) next.expert = row.expert;
    look.source = at.byte_offset ? Source::stored : Source::decoded;
    canvas = Canvas::heat_map;
    list.reveal(next.tensor);
    const container::Tensor& t =
        session_->candidate()->checkpoint.tensors()[static_cast<std::size_t>(next.tensor)];
    const std::uint64_t width = dtype_bits(t.dtype) / 8;
    if (at.byte_offset && width > 0 && !t.shape.empty() && t.shape.back() > 0 &&
        *at.byte_offset >= t.begin && *at.byte_offset < t.end) {
      const std::uint64_t element = (*at.byte_offset - t.begin) / width;
      next.cell = Cell{element / t.shape.back(), element % t.shape.back()};
    }
    break;
  }
  go(next);
}

void App::select_token(int token) {
  const results::Metrics* m = session_ == nullptr ? nullptr : session_->metrics();
  if (m == nullptr || !m->over_text || token < 0 ||
      static_cast<std::size_t>(token) >= m->over_text->positions.size()) {
    return;
  }
  Selection next;
  next.token = token;
  go(next);
  canvas = Canvas::text;
}

void App::select_cell(const Cell& cell) {
  Selection next = selection();
  next.cell = cell;
  history_.refine(next);
  cell_keys = true;
  const Pane& p = pane(shown_source());
  if (p.matrix != nullptr) {
    look.view = revealing(look.view, *p.matrix, look.size, cell.row, cell.column);
  }
}

void App::back() {
  if (!history_.back()) return;
  look.fitted = true;
  scroll_to_selection = true;
}

void App::forward() {
  if (!history_.forward()) return;
  look.fitted = true;
  scroll_to_selection = true;
}

bool App::select_named(std::string_view name) {
  if (session_ == nullptr) return false;
  if (const std::int32_t t = session_->find_tensor(name); t >= 0) {
    select_tensor(t);
    return true;
  }
  int layer = -1;
  int expert = -1;
  const auto number = [&](std::string_view text, int& to) {
    to = parse_index(text);
    return to >= 0;
  };
  if (name.starts_with("layer ") && number(name.substr(6), layer)) {
    select_layer(layer);
    return selection().layer == layer;
  }
  if (const std::size_t space = name.find(' ', 7);
      name.starts_with("expert ") && space != std::string_view::npos &&
      number(name.substr(7, space - 7), layer) && number(name.substr(space + 1), expert)) {
    select_expert(layer, expert);
    return selection().expert == expert;
  }
  if (int token = -1; name.starts_with("token ") && number(name.substr(6), token)) {
    select_token(token - 1);
    return token > 0 && selection().token == token - 1;
  }
  if (session_->results() == nullptr) return false;
  const auto& findings = session_->results()->findings;
  const auto at = std::ranges::find_if(findings, [&](const results::Finding& f) {
    return f.code == name || f.fingerprint() == name;
  });
  if (at == findings.end()) return false;
  select_finding(static_cast<int>(at - findings.begin()));
  return true;
}

Source App::shown_source() const {
  return look.hold_reference ? Source::reference : look.source;
}

Pane& App::pane(Source source) {
  return panes_.get(session_, {source, selection().tensor, selection().module});
}

Coloring App::coloring(const Pane& pane) const {
  Coloring c;
  c.map = look.map;
  c.scale = look.scale;
  if (pane.census != nullptr) {
    const Census& census = *pane.census;
    c.is_signed = census.low < 0;
    c.low = 0;
    c.high = look.high > 0 ? look.high : census.quantile_of_magnitude(0.999);
    if (!(c.high > 0)) c.high = std::max(std::abs(census.low), std::abs(census.high));
  }
  return c;
}

Picture App::draw(Pane& pane, PixelSize size) {
  if (pane.matrix == nullptr) return {};
  const Matrix& m = *pane.matrix;
  look.view = look.fitted ? fit(m, size) : kept_inside(look.view, m, size);
  return panes_.draw(pane, {look.view, size, look.reduce, coloring(pane)});
}

bool App::values_of(const Pane& pane, const Block& block, std::vector<float>& out) {
  out.clear();
  out.reserve(block.cells());
  for (std::uint64_t r = block.row; r < block.row_end; ++r) {
    for (std::uint64_t c = block.column; c < block.column_end; ++c) {
      const Tile* tile =
          panes_.tiles().find({pane.number, look.reduce, 0, 0, r / kTileSide, c / kTileSide});
      if (tile == nullptr) return false;
      out.push_back(tile->values[(r % kTileSide) * tile->columns + c % kTileSide]);
    }
  }
  return true;
}

const Pairs* App::pairs() {
  const std::int32_t module = selection().module;
  if (session_ == nullptr || module < 0) return nullptr;
  if (pairs_asked_ == module) return pairs_ ? &*pairs_ : nullptr;
  const auto candidate = pane(Source::decoded).matrix;
  const auto reference = pane(Source::reference).matrix;
  if (candidate == nullptr || reference == nullptr) return nullptr;
  pairs_asked_ = module;
  pairs_.reset();
  const std::uint64_t group = group_size_of(*session_, module);
  workers_.submit(Work::cell, "comparing",
                  [this, candidate, reference, group, module](const std::stop_token&) {
                    auto pairs = take_pairs(*candidate, *reference, group);
                    deliver([module, pairs = std::move(pairs)](App& app) {
                      if (app.pairs_asked_ != module) return;
                      if (pairs)
                        app.pairs_ = *pairs;
                      else
                        app.say(pairs.error().message);
                    });
                  });
  return nullptr;
}

const CellFacts* App::cell_facts(const Cell& cell) {
  const std::int32_t module = selection().module;
  if (session_ == nullptr || module < 0) return nullptr;
  const std::pair<std::int32_t, Cell> wanted{module, cell};
  if (cell_asked_ != wanted) {
    cell_asked_ = wanted;
    cell_.reset();
    workers_.cancel(Work::cell);
    workers_.submit(
        Work::cell, "one cell", [this, wanted, session = session_](const std::stop_token& stop) {
          if (stop.stop_requested()) return;
          auto facts = read_cell(*session, wanted.first, wanted.second.row, wanted.second.column);
          if (!facts) return;
          deliver([wanted, facts = *facts](App& app) {
            if (app.cell_asked_ == wanted) app.cell_ = facts;
          });
        });
  }
  return cell_ ? &*cell_ : nullptr;
}

void App::cancel() {
  workers_.cancel_all();
  panes_.cancel_tiles();
  cell_asked_.reset();
}

void App::save_later(std::string title, std::function<Result<std::string>(std::stop_token)> job) {
  workers_.submit(Work::save, std::move(title), [this, job = std::move(job)](std::stop_token stop) {
    const auto done = job(stop);
    deliver([text = done ? *done : done.error().message](App& app) { app.say(text); });
  });
}

}  // namespace ckpt::gui
