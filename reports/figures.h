#pragma once
// The figures of a kl run, for the page and as files of their own.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reports/plot.h"
#include "validator/results/results.h"

namespace ckpt::reports {

/// Local and propagated error of each layer; full-attention layers are shaded.
[[nodiscard]] std::string layers_figure(const results::Metrics& m, SvgUse use);

/// KL with only one layer quantized, by layer. Empty when costs were not measured.
[[nodiscard]] std::string cost_figure(const results::Metrics& m, SvgUse use);

/// Share of routed experts that are the reference's, by layer.
[[nodiscard]] std::string routing_figure(const results::Metrics& m, SvgUse use);

/// Positions by KL, on a logarithmic axis. Empty when the results hold no histogram.
[[nodiscard]] std::string histogram_figure(const results::Metrics& m, SvgUse use);

/// KL over the evaluated text. Empty when the results hold no curve.
[[nodiscard]] std::string tokens_figure(const results::Metrics& m, SvgUse use);

/// One number of every expert.
enum class ExpertValue : std::uint8_t { error, tokens, saliency };

/// Layers down, experts across. Layers and experts are those that occur, in order.
struct ExpertGrid {
  std::vector<int> layers;
  std::vector<int> experts;
  std::vector<std::optional<double>> values;  ///< [layers, experts]; empty: never routed to
  double top = 0;                             ///< where the colours end: the 99.9 % quantile
};

/// Empty when there is nothing to draw, or more than any model has.
[[nodiscard]] std::optional<ExpertGrid> expert_grid(const results::Metrics& m, ExpertValue value);

[[nodiscard]] std::string_view expert_value_name(ExpertValue value);
[[nodiscard]] std::string expert_value_text(ExpertValue value, std::optional<double> v);

/// The grid as SVG: a rectangle with a title for each expert, or above 2,000 of them one image.
[[nodiscard]] std::string experts_figure(const ExpertGrid& grid, ExpertValue value, SvgUse use);

/// The grid as a PNG data URI of one pixel a cell.
[[nodiscard]] std::string grid_image(const ExpertGrid& grid);

inline constexpr std::size_t kGridMarks = 2000;  ///< more cells than this are drawn as an image

}  // namespace ckpt::reports
