#pragma once
// Figures as SVG with a title on each mark, so that a pointer shows its value without any script.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::reports {

struct Axis {
  double low = 0;
  double high = 1;
  bool log = false;
  std::string label;
  std::function<std::string(double)> tick;  ///< text of a tick; empty: three digits
};

/// Where an SVG stands: inside a page that styles it, or alone in a file, with a style of its own.
enum class SvgUse : std::uint8_t { page, file };

/// One chart with two axes. Marks are drawn in the order in which they are added; values that are
/// not finite, or not positive on a logarithmic axis, are left out.
class Plot {
 public:
  Plot(std::string title, Axis x, Axis y);

  struct Point {
    double x = 0;
    double y = 0;
    std::string tip;
  };

  /// A line named in the legend. `series` 1 to 4 chooses its colour and dash.
  void line(std::string_view name, int series, const std::vector<Point>& points);
  /// Only the marks, named in the legend.
  void dots(std::string_view name, int series, const std::vector<Point>& points);
  /// A bar from `left` to `right` on the x axis.
  void bar(double left, double right, double y, int series, std::string_view tip);
  /// A shaded strip over the whole height.
  void band(double left, double right);
  /// A vertical line with a name, which stands `row` lines down.
  void marker(double x, std::string_view name, int row = 0);

  [[nodiscard]] std::string svg(SvgUse use) const;

 private:
  std::string title_;
  Axis x_, y_;
  std::string back_, body_;
  std::vector<std::pair<std::string, int>> legend_;

  [[nodiscard]] double at_x(double value) const;
  [[nodiscard]] double at_y(double value) const;
  [[nodiscard]] std::string axes() const;
};

/// The SVG element with its style when it stands alone. `body` is markup.
[[nodiscard]] std::string svg_element(double width, double height, std::string_view title,
                                      std::string_view body, SvgUse use);

}  // namespace ckpt::reports
