#include "gui/state/save.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "validator/base/file.h"
#include "validator/base/text.h"

namespace ckpt::gui {
namespace {

constexpr double kWidth = 800;
constexpr double kHeight = 400;
constexpr double kMargin = 50;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string svg_page(std::string_view title, const std::string& body) {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<title>{2}</title>\n"
      "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n{3}</svg>\n",
      kWidth, kHeight, escaped(title), body);
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  void add(double v) {
    if (!std::isfinite(v)) return;
    low = std::min(low, v);
    high = std::max(high, v);
  }

  [[nodiscard]] double part(double v) const { return high > low ? (v - low) / (high - low) : 0.5; }
};

/// Figures of canvases that are charts; empty for the others.
std::optional<Figure> figure_of(App& app) {
  switch (app.canvas) {
    case Canvas::histogram:
      return histogram_figure(app, false);
    case Canvas::compare:
      return histogram_figure(app, true);
    case Canvas::text:
      return text_figure(app);
    case Canvas::routing:
      return app.selection().layer < 0 ? routing_figure(app) : routed_figure(app);
    case Canvas::layers:
      return layers_figure(app);
    default:
      return std::nullopt;
  }
}

/// Cells of the view, at most a million.
Block seen_block(const App& app, const Matrix& m) {
  const Viewport& v = app.look.view;
  Block b;
  b.row = static_cast<std::uint64_t>(std::max(v.row, 0.0));
  b.column = static_cast<std::uint64_t>(std::max(v.column, 0.0));
  b.row_end =
      std::min(m.rows(),
               static_cast<std::uint64_t>(std::ceil(v.row + app.look.size.height / v.cell_height)));
  b.column_end = std::min(
      m.columns(),
      static_cast<std::uint64_t>(std::ceil(v.column + app.look.size.width / v.cell_width)));
  constexpr std::uint64_t kMost = 1000;
  b.row_end = std::min(b.row_end, b.row + kMost);
  b.column_end = std::min(b.column_end, b.column + kMost);
  return b;
}

Result<std::string> written(const std::string& path, const std::string& content) {
  CKPT_TRY_VOID(write_file(path, content), shown(path, 200));
  return fmt::format("saved {} ({})", shown(path, 200), bytes_text(content.size()));
}

/// The matrix behind the heat map or the comparison.
std::shared_ptr<const Matrix> matrix_of(App& app) {
  return app.session() == nullptr ? nullptr : app.pane(app.shown_source()).matrix;
}

void save_matrix(App& app, const std::string& path, bool npy) {
  const auto matrix = matrix_of(app);
  if (matrix == nullptr) {
    app.say("no matrix is on show");
    return;
  }
  app.save_later("saving " + shown(path, 60),
                 [matrix, path, npy,
                  block = seen_block(app, *matrix)](std::stop_token stop) -> Result<std::string> {
                   CKPT_TRY(const std::string content,
                            npy ? npy_of(*matrix, stop) : csv_of(*matrix, block), "save");
                   return written(path, content);
                 });
}

void save_text(App& app, const std::string& path, const std::string& content) {
  const auto done = written(path, content);
  app.say(done ? *done : done.error().message);
}

void save_picture(App& app, const std::string& path) {
  if (app.encode_png == nullptr || app.canvas != Canvas::heat_map || app.session() == nullptr) {
    app.save_screen = path;  // taken from the window with the next frame
    return;
  }
  const Picture picture = app.draw(app.pane(app.shown_source()), app.look.size);
  if (picture.pixels.empty())
    app.say("no matrix is on show");
  else
    save_text(app, path, app.encode_png(picture));
}

}  // namespace

std::string default_save_name(const App& app) {
  const bool picture = app.canvas == Canvas::heat_map || app.canvas == Canvas::compare;
  return fmt::format("ckpt-check-{}.{}", canvas_id(app.canvas), picture ? "png" : "svg");
}

void save_canvas(App& app, const std::string& path) {
  const std::size_t dot = path.rfind('.');
  const std::string kind = dot == std::string::npos ? "" : path.substr(dot + 1);
  if (kind == "png") return save_picture(app, path);
  if (kind == "npy") return save_matrix(app, path, true);
  if (kind == "csv" && app.canvas == Canvas::heat_map) return save_matrix(app, path, false);
  if (kind != "csv" && kind != "svg") {
    app.say("the name must end in .png, .csv, .npy or .svg");
    return;
  }
  if (app.canvas == Canvas::experts) {
    const Grid g = expert_grid(app, app.expert_value);
    return save_text(app, path, kind == "csv" ? csv_of(g) : svg_of(g));
  }
  const auto figure = figure_of(app);
  if (!figure || figure->empty()) {
    app.say(fmt::format("{} has nothing to save as {}", canvas_name(app.canvas), kind));
    return;
  }
  save_text(app, path, kind == "csv" ? csv_of(*figure) : svg_of(*figure));
}

Result<std::string> npy_of(const Matrix& matrix, std::stop_token stop) {
  constexpr std::uint64_t kMost = 1ULL << 28;
  if (matrix.columns() != 0 && matrix.rows() > kMost / matrix.columns()) {
    return fail(ErrorKind::limit, fmt::format("{} x {} cells, at most {} are saved", matrix.rows(),
                                              matrix.columns(), with_commas(kMost)));
  }
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", matrix.rows(),
                  matrix.columns());
  // Magic, version and length take 10 bytes; the whole header is a multiple of 64 and ends a line.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string out = "\x93NUMPY";
  out += '\x01';
  out += '\0';
  out += static_cast<char>(header.size() & 0xFFU);
  out += static_cast<char>(header.size() >> 8);
  out += header;
  const std::size_t begin = out.size();
  out.resize(begin + matrix.rows() * matrix.columns() * sizeof(float));
  std::vector<float> values;
  const std::uint64_t step = matrix.rows_at_a_time(matrix.columns());
  std::size_t at = begin;
  for (std::uint64_t r = 0; r < matrix.rows(); r += step) {
    if (stop.stop_requested()) return fail(ErrorKind::cancelled, "stopped");
    const Block block{r, std::min(r + step, matrix.rows()), 0, matrix.columns()};
    values.resize(block.cells());
    CKPT_TRY_VOID(matrix.read(block, values), "values");
    if (!values.empty()) std::memcpy(out.data() + at, values.data(), values.size() * sizeof(float));
    at += values.size() * sizeof(float);
  }
  return out;
}

std::string csv_of(const Figure& figure) {
  std::map<double, std::vector<std::string>> rows;
  std::string out = figure.x_label.empty() ? "x" : figure.x_label;
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const Series& s = figure.series[i];
    out += "," + s.name;
    for (std::size_t k = 0; k < std::min(s.x.size(), s.y.size()); ++k) {
      auto& row = rows[s.x[k]];
      row.resize(figure.series.size());
      row[i] = fmt::format("{}", s.y[k]);
    }
  }
  out += '\n';
  for (const auto& [x, row] : rows) out += fmt::format("{},{}\n", x, fmt::join(row, ","));
  return out;
}

std::string csv_of(const Grid& grid) {
  std::string out = "layer,expert,value\n";
  for (int r = 0; r < grid.rows; ++r) {
    for (int c = 0; c < grid.columns; ++c) {
      if (!std::isfinite(grid.at(r, c))) continue;
      out += fmt::format("{},{},{}\n", grid.layers[static_cast<std::size_t>(r)],
                         grid.experts[static_cast<std::size_t>(c)], grid.at(r, c));
    }
  }
  return out;
}

Result<std::string> csv_of(const Matrix& matrix, const Block& block) {
  std::vector<float> values(block.cells());
  CKPT_TRY_VOID(matrix.read(block, values), "values");
  std::string out = "row";
  for (std::uint64_t c = block.column; c < block.column_end; ++c) out += fmt::format(",{}", c);
  out += '\n';
  std::size_t at = 0;
  for (std::uint64_t r = block.row; r < block.row_end; ++r) {
    out += fmt::format("{}", r);
    for (std::uint64_t c = block.column; c < block.column_end; ++c) {
      out += fmt::format(",{}", values[at++]);
    }
    out += '\n';
  }
  return out;
}

std::string svg_of(const Figure& figure) {
  static constexpr std::array<std::string_view, 4> kColors{"#1b6ca8", "#c0392b", "#2e8b57",
                                                           "#8e44ad"};
  Range x;
  Range y;
  const auto up = [&](double v) { return figure.log_y ? std::log10(std::max(v, 1e-12)) : v; };
  for (const Series& s : figure.series) {
    for (const double v : s.x) x.add(v);
    for (const double v : s.y) y.add(up(v));
    if (s.mark == Mark::bars && !figure.log_y) y.add(0);
  }
  const auto at_x = [&](double v) { return kMargin + x.part(v) * (kWidth - 2 * kMargin); };
  const auto at_y = [&](double v) {
    return kHeight - kMargin - y.part(up(v)) * (kHeight - 2 * kMargin);
  };
  std::string body = fmt::format(
      "<text x=\"{}\" y=\"20\">{}</text>\n<text x=\"{}\" y=\"{}\">{}: {:.4g} to {:.4g}</text>\n"
      "<text x=\"{}\" y=\"40\">{}: {:.4g} to {:.4g}{}</text>\n",
      kMargin, escaped(figure.title), kMargin, kHeight - 15, escaped(figure.x_label), x.low, x.high,
      kMargin, escaped(figure.y_label), y.low, y.high, figure.log_y ? " (log10)" : "");
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const Series& s = figure.series[i];
    const std::string_view color = kColors[i % kColors.size()];
    body += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"{}\">{}</text>\n", kWidth - 260,
                        20 + 15 * i, color, escaped(s.name));
    std::string points;
    for (std::size_t k = 0; k < std::min(s.x.size(), s.y.size()); ++k) {
      if (!std::isfinite(s.y[k])) continue;
      if (s.mark == Mark::line) points += fmt::format("{:.1f},{:.1f} ", at_x(s.x[k]), at_y(s.y[k]));
      if (s.mark == Mark::bars && s.y[k] != 0) {
        const double left = at_x(s.x[k] - s.width / 2);
        const double top = at_y(s.y[k]);
        body += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
            "fill=\"{}\"><title>{:.6g}: {:.6g}</title></rect>\n",
            left, top, std::max(at_x(s.x[k] + s.width / 2) - left, 0.5), kHeight - kMargin - top,
            color, s.x[k], s.y[k]);
      }
      if (s.mark == Mark::points) {
        body += fmt::format(
            "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.5\" fill=\"{}\"><title>{:.6g}: "
            "{:.6g}</title></circle>\n",
            at_x(s.x[k]), at_y(s.y[k]), color, s.x[k], s.y[k]);
      }
    }
    if (!points.empty()) {
      body += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\"/>\n", points, color);
    }
  }
  return svg_page(figure.title, body);
}

std::string svg_of(const Grid& grid) {
  std::string body = fmt::format("<text x=\"{}\" y=\"20\">{} (0 to {:.4g})</text>\n", kMargin,
                                 escaped(grid.title), grid.high());
  const double wide = (kWidth - 2 * kMargin) / std::max(grid.columns, 1);
  const double high = (kHeight - 2 * kMargin) / std::max(grid.rows, 1);
  Coloring coloring{.is_signed = false, .low = 0, .high = static_cast<float>(grid.high())};
  for (int r = 0; r < grid.rows; ++r) {
    for (int c = 0; c < grid.columns; ++c) {
      const double v = grid.at(r, c);
      if (!std::isfinite(v)) continue;
      const Rgba color = color_of(static_cast<float>(v), coloring);
      body += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
          "fill=\"#{:02x}{:02x}{:02x}\"><title>layer {} expert {}: {:.6g}</title></rect>\n",
          kMargin + c * wide, kMargin + r * high, wide, high, color.r, color.g, color.b,
          grid.layers[static_cast<std::size_t>(r)], grid.experts[static_cast<std::size_t>(c)], v);
    }
  }
  return svg_page(grid.title, body);
}

}  // namespace ckpt::gui
