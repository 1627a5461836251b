#pragma once
// The parts of the HTML page. Each returns markup in which all text is escaped; one that has
// nothing to show returns an empty string.

#include <string>
#include <string_view>

#include "reports/formats.h"
#include "validator/results/results.h"

namespace ckpt::reports {

[[nodiscard]] std::string_view page_style();   ///< page.css
[[nodiscard]] std::string_view page_script();  ///< page.js

/// What the parts of one target share. `prefix` makes anchors of further targets unique.
struct PageInput {
  const results::Results& results;
  const Options& options;
  std::string prefix;
};

/// `<h2 id=...>` with a title of ours.
[[nodiscard]] std::string page_heading(const PageInput& in, std::string_view id,
                                       std::string_view title);

/// A row of a list of facts; nothing when the value is empty.
[[nodiscard]] std::string page_fact(std::string_view label, const std::string& value);
/// A cell of a table that holds a number. `text` is escaped already.
[[nodiscard]] std::string page_cell(const std::string& text);
/// Prose in which parts between backticks are code.
[[nodiscard]] std::string page_prose(std::string_view text);

[[nodiscard]] std::string page_findings(const PageInput& in);
[[nodiscard]] std::string page_distance(const PageInput& in);   ///< KL, agreement, gates
[[nodiscard]] std::string page_layers(const PageInput& in);     ///< curve and table, range
[[nodiscard]] std::string page_recipe(const PageInput& in);     ///< cost of each part, advice
[[nodiscard]] std::string page_experts(const PageInput& in);    ///< heat maps, routing, saliency
[[nodiscard]] std::string page_over_text(const PageInput& in);  ///< curve, histogram, worst tokens
[[nodiscard]] std::string page_how(const PageInput& in);        ///< how each number was obtained

}  // namespace ckpt::reports
