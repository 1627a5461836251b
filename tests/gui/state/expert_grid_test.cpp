#include "gui/state/expert_grid.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "gui/state/actions.h"
#include "gui/state/save.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {

using testing::OpenPair;

TEST_CASE("expert grid: experts by one layer, layers by one expert, either by the mean") {
  const OpenPair pair;
  App& app = *pair.app;
  const Grid plain = expert_grid(app, ExpertValue::error);
  CHECK(plain.layers.front() == 0);
  CHECK(plain.experts.back() == 11);
  CHECK(experts_order_text(app) == "by number");

  // In layer 4 expert 2 is worst by far; elsewhere the error grows with the number.
  app.select_layer(4);
  (void)act(app, "expert.order");
  CHECK(experts_order_text(app) == "by error of layer 4");
  Grid g = expert_grid(app, ExpertValue::error);
  CHECK(g.experts == std::vector<int>{2, 11, 10, 9, 8, 7, 6, 5, 4, 3, 1, 0});
  for (int r = 0; r < g.rows; ++r) {
    for (int c = 0; c < g.columns; ++c) {
      CHECK(g.at(r, c) == plain.at(r, g.experts[static_cast<std::size_t>(c)]));
    }
  }
  // Another selection does not move what one looks at.
  app.select_layer(0);
  CHECK(expert_grid(app, ExpertValue::error).experts == g.experts);

  app.select_expert(0, 2);
  (void)act(app, "layer.order");
  CHECK(layers_order_text(app) == "by error of expert 2");
  CHECK(expert_grid(app, ExpertValue::error).layers == std::vector<int>{4, 0, 1, 2, 3, 5, 6, 7});
  (void)act(app, "layer.order");
  CHECK(layers_order_text(app) == "by error, mean of all experts");
  CHECK(expert_grid(app, ExpertValue::error).layers.front() == 4);
  (void)act(app, "layer.order");
  CHECK(layers_order_text(app) == "by number");
  (void)act(app, "expert.order");
  CHECK(experts_order_text(app) == "by error, mean of all layers");
  CHECK(expert_grid(app, ExpertValue::error).experts.front() == 2);  // 0.02 and an eighth of 1
}

TEST_CASE("expert grid: the order may take another value than the one on show") {
  const OpenPair pair;
  App& app = *pair.app;
  order_experts_by(app, 4);
  std::vector<std::string> seen;
  for (std::size_t i = 0; i <= kExpertValues; ++i) {
    seen.push_back(experts_order_text(app));
    (void)act(app, "expert.order_value");
  }
  CHECK(seen == std::vector<std::string>{"by error of layer 4", "by error of layer 4",
                                         "by tokens of layer 4", "by saliency of layer 4",
                                         "by bits of layer 4"});
  app.grid_order.value = ExpertValue::tokens;
  const Grid g = expert_grid(app, ExpertValue::error);
  CHECK(g.experts.front() == 11);  // most tokens, and its error is shown
  CHECK(g.at(4, 0) == doctest::Approx(0.11));
  order_experts_by(app, 4);  // the second time: by number again
  CHECK(expert_grid(app, ExpertValue::error).experts.front() == 0);
}

TEST_CASE("expert grid: what is saved has the order on show") {
  const OpenPair pair;
  App& app = *pair.app;
  order_experts_by(app, 4);
  order_layers_by(app, 2);
  const Grid g = expert_grid(app, ExpertValue::error);
  CHECK(csv_of(g).starts_with("layer,expert,value\n4,2,1.02\n4,11,0.11\n"));
  CHECK(svg_of(g).find("<title>layer 4 expert 2: 1.02</title>") <
        svg_of(g).find("<title>layer 4 expert 11: 0.11</title>"));
}

TEST_CASE("expert grid: places without a value come last, and no order needs a selection") {
  testing::TempDir dir;
  results::Results r = testing::golden_results();
  r.metrics->experts[0].error.reset();  // layer 0 expert 0
  r.metrics->experts[5].error = std::nan("");
  dir.write("results.json", results::to_json(r));
  App app({.open = {.target = {}, .results = dir.path() + "/results.json", .reference = {}}});
  OpenPair::settle(app);
  REQUIRE(app.session() != nullptr);
  order_experts_by(app, 0);
  const Grid g = expert_grid(app, ExpertValue::error);
  CHECK(g.experts[10] == 0);
  CHECK(g.experts[11] == 5);
  order_experts_by(app, 99'999);  // no such layer: every value is unknown
  CHECK(expert_grid(app, ExpertValue::error).experts.back() == 11);
  app.grid_order = {};
  (void)act(app, "expert.order");
  CHECK(experts_order_text(app) == "by error, mean of all layers");
}

}  // namespace ckpt::gui
