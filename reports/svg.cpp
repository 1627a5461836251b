// One figure as a file of its own, for a paper or a model card.

#include <fmt/format.h>

#include <algorithm>

#include "reports/figures.h"
#include "reports/formats.h"

namespace ckpt::reports {
namespace {

using results::Metrics;

std::string experts(const Metrics& m, ExpertValue value) {
  const auto grid = expert_grid(m, value);
  return grid ? experts_figure(*grid, value, SvgUse::file) : std::string{};
}

struct Figure {
  std::string_view name;
  std::string (*draw)(const Metrics& m);  ///< empty: the results do not hold it
};

constexpr Figure kFigures[] = {
    {"kl-by-token", [](const Metrics& m) { return tokens_figure(m, SvgUse::file); }},
    {"layers",
     [](const Metrics& m) {
       return m.layers.empty() ? std::string{} : layers_figure(m, SvgUse::file);
     }},
    {"costs", [](const Metrics& m) { return cost_figure(m, SvgUse::file); }},
    {"experts", [](const Metrics& m) { return experts(m, ExpertValue::error); }},
    {"histogram", [](const Metrics& m) { return histogram_figure(m, SvgUse::file); }},
    {"routing",
     [](const Metrics& m) {
       return m.experts.empty() ? std::string{} : routing_figure(m, SvgUse::file);
     }},
    {"tokens-routed", [](const Metrics& m) { return experts(m, ExpertValue::tokens); }},
    {"saliency", [](const Metrics& m) { return experts(m, ExpertValue::saliency); }},
};

}  // namespace

std::vector<std::string> figure_names() {
  std::vector<std::string> names;
  for (const Figure& f : kFigures) names.emplace_back(f.name);
  return names;
}

Result<std::string> render_svg(const ResultsList& all, const Options& options) {
  const auto* figure = std::ranges::find(kFigures, options.figure, &Figure::name);
  if (figure == std::end(kFigures)) {
    return fail(ErrorKind::usage, fmt::format("no figure `{}`; there are {}", options.figure,
                                              fmt::join(figure_names(), ", ")));
  }
  if (all.size() != 1) return fail(ErrorKind::usage, "a figure shows one target");
  std::string out = all[0].metrics ? figure->draw(*all[0].metrics) : std::string{};
  if (!out.empty()) return out;
  return fail(ErrorKind::not_found,
              fmt::format("the figure `{}` needs what `ckpt-check kl` measures, and the results do "
                          "not hold it",
                          figure->name));
}

}  // namespace ckpt::reports
