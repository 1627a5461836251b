#include "reports/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "reports/escape.h"
#include "reports/words.h"

namespace ckpt::reports {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 280;
constexpr double kLeft = 62;
constexpr double kRight = 14;
constexpr double kTop = 30;
constexpr double kBottom = 46;
constexpr std::size_t kMarks = 2000;

// The same classes as in page.css, in colours for white paper.
constexpr std::string_view kStyle =
    "text{font:12px sans-serif;fill:#333}.grid{stroke:#ddd;stroke-width:1}"
    ".axis{stroke:#777;stroke-width:1}.band{fill:#f1f1f4}.line{fill:none;stroke-width:1.8}"
    ".s1{stroke:#1d5fd1}.s2{stroke:#c2570c;stroke-dasharray:6 3}.s3{stroke:#7a3fc4;"
    "stroke-dasharray:2 3}.s4{stroke:#2a7f62}.f1{fill:#1d5fd1}.f2{fill:#c2570c}.f3{fill:#7a3fc4}"
    ".f4{fill:#2a7f62}.mark{stroke:#333;stroke-dasharray:3 3}.none{fill:#e4e4e8}";

double scaled(const Axis& a, double value) {
  const auto f = [&a](double v) { return a.log ? std::log10(v) : v; };
  const double width = f(a.high) - f(a.low);
  return width == 0 ? 0.5 : (f(value) - f(a.low)) / width;
}

bool drawable(const Axis& a, double value) {
  return std::isfinite(value) && (!a.log || value > 0);
}

/// Round numbers inside the axis, about `wanted` of them.
std::vector<double> ticks(const Axis& a, double wanted) {
  std::vector<double> out;
  if (a.log) {
    const double first = std::ceil(std::log10(a.low) - 1e-9);
    const double last = std::floor(std::log10(a.high) + 1e-9);
    const double step = std::max(1.0, std::ceil((last - first) / wanted));
    for (double e = first; e <= last && out.size() < 40; e += step) {
      out.push_back(std::pow(10.0, e));
    }
    return out;
  }
  const double raw = (a.high - a.low) / wanted;
  if (!(raw > 0) || !std::isfinite(raw)) return {a.low};
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double lead = raw / power;
  const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  for (double v = std::ceil(a.low / step) * step; v <= a.high + step * 1e-6 && out.size() < 40;
       v += step) {
    out.push_back(std::abs(v) < step * 1e-6 ? 0 : v);
  }
  return out;
}

std::string tick_text(const Axis& a, double value) {
  return a.tick ? a.tick(value) : number(value);
}

}  // namespace

Plot::Plot(std::string title, Axis x, Axis y)
    : title_(std::move(title)), x_(std::move(x)), y_(std::move(y)) {}

double Plot::at_x(double value) const {
  return kLeft + std::clamp(scaled(x_, value), 0.0, 1.0) * (kWidth - kLeft - kRight);
}

double Plot::at_y(double value) const {
  return kHeight - kBottom - std::clamp(scaled(y_, value), 0.0, 1.0) * (kHeight - kTop - kBottom);
}

void Plot::line(std::string_view name, int series, const std::vector<Point>& points) {
  std::string path;
  bool pen_down = false;
  for (const Point& p : points) {
    const bool good = drawable(x_, p.x) && drawable(y_, p.y);
    if (good) path += fmt::format("{}{:.1f} {:.1f}", pen_down ? "L" : "M", at_x(p.x), at_y(p.y));
    pen_down = good;
  }
  if (path.empty()) return;
  body_ += fmt::format("<path class=\"line s{}\" d=\"{}\"/>", series, path);
  dots(name, series, points);
}

void Plot::dots(std::string_view name, int series, const std::vector<Point>& points) {
  if (!name.empty()) legend_.emplace_back(name, series);
  if (points.size() > kMarks) return;
  const double radius = points.size() > 300 ? 1.6 : 3;
  for (const Point& p : points) {
    if (!drawable(x_, p.x) || !drawable(y_, p.y)) continue;
    body_ += fmt::format(
        "<circle class=\"f{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}</title></circle>",
        series, at_x(p.x), at_y(p.y), radius, xml(p.tip));
  }
}

void Plot::bar(double left, double right, double y, int series, std::string_view tip) {
  if (!drawable(x_, left) || !drawable(x_, right) || !drawable(y_, y)) return;
  const double a = at_x(left);
  const double top = at_y(y);
  body_ += fmt::format(
      "<rect class=\"f{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\">"
      "<title>{}</title></rect>",
      series, a, top, std::max(at_x(right) - a - 1, 0.5), kHeight - kBottom - top, xml(tip));
}

void Plot::band(double left, double right) {
  const double a = at_x(left);
  back_ +=
      fmt::format("<rect class=\"band\" x=\"{:.1f}\" y=\"{}\" width=\"{:.1f}\" height=\"{}\"/>", a,
                  kTop, at_x(right) - a, kHeight - kTop - kBottom);
}

void Plot::marker(double x, std::string_view name, int row) {
  if (!drawable(x_, x)) return;
  const double a = at_x(x);
  const bool left = a > kWidth * 0.8;
  body_ += fmt::format(
      "<line class=\"mark\" x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/>"
      "<text x=\"{3:.1f}\" y=\"{4}\"{5}>{6}</text>",
      a, kTop, kHeight - kBottom, left ? a - 4 : a + 4, kTop + 12 + 15 * row,
      left ? " text-anchor=\"end\"" : "", xml(name));
}

std::string Plot::axes() const {
  std::string out;
  for (const double v : ticks(y_, 5)) {
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/>"
        "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>",
        kLeft, kWidth - kRight, at_y(v), kLeft - 6, at_y(v) + 4, xml(tick_text(y_, v)));
  }
  for (const double v : ticks(x_, 10)) {
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", at_x(v),
                       kHeight - kBottom + 17, xml(tick_text(x_, v)));
  }
  out += fmt::format("<line class=\"axis\" x1=\"{0}\" x2=\"{1}\" y1=\"{2}\" y2=\"{2}\"/>", kLeft,
                     kWidth - kRight, kHeight - kBottom);
  out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                     (kLeft + kWidth - kRight) / 2, kHeight - 8, xml(x_.label));
  out += fmt::format("<text x=\"4\" y=\"16\">{}</text>", xml(y_.label));
  double x = kWidth - kRight;
  for (auto it = legend_.rbegin(); it != legend_.rend(); ++it) {
    x -= 7.0 * static_cast<double>(it->first.size()) + 34;
    out += fmt::format(
        "<line class=\"line s{}\" x1=\"{:.1f}\" x2=\"{:.1f}\" y1=\"12\" y2=\"12\"/>"
        "<text x=\"{:.1f}\" y=\"16\">{}</text>",
        it->second, x, x + 20, x + 25, xml(it->first));
  }
  return out;
}

std::string Plot::svg(SvgUse use) const {
  return svg_element(kWidth, kHeight, title_, back_ + axes() + body_, use);
}

std::string svg_element(double width, double height, std::string_view title, std::string_view body,
                        SvgUse use) {
  const bool file = use == SvgUse::file;
  return fmt::format(
      "{}<svg{} viewBox=\"0 0 {} {}\"{} role=\"img\" "
      "aria-label=\"{}\">{}{}</svg>\n",
      file ? "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" : "",
      file ? " xmlns=\"http://www.w3.org/2000/svg\"" : "", width, height,
      file ? fmt::format(" width=\"{}\" height=\"{}\"", width, height) : "", xml(title),
      file ? fmt::format("<title>{}</title><style>{}</style><rect width=\"100%\" height=\"100%\" "
                         "fill=\"#fff\"/>",
                         xml(title), kStyle)
           : "",
      body);
}

}  // namespace ckpt::reports
