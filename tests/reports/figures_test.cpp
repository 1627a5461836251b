// Figures hold the values they were made of; a picture is a valid PNG.

#include "reports/figures.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "reports/formats.h"
#include "reports/png.h"
#include "tests/reports/hostile.h"

namespace ckpt::reports {
namespace {

results::Results plain(int layers, int experts) {
  return testing::sample_results([](std::string_view name) { return std::string(name); }, layers,
                                 experts);
}

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) ++n;
  return n;
}

}  // namespace

TEST_CASE("every figure can be drawn from full results, as a file with its namespace") {
  for (const std::string& name : figure_names()) {
    CAPTURE(name);
    Options o;
    o.figure = name;
    const auto svg = render_svg({plain(6, 8)}, o);
    REQUIRE(svg.has_value());
    CHECK(svg->find("xmlns=\"http://www.w3.org/2000/svg\"") != std::string::npos);
    CHECK(svg->find("nan") == std::string::npos);
    results::Results none = plain(0, 0);
    none.metrics->over_text.reset();
    none.metrics->attribution.reset();
    CHECK(render_svg({none}, o).error().kind == ErrorKind::not_found);
  }
  Options o;
  o.figure = "pie";
  CHECK(render_svg({plain(6, 8)}, o).error().kind == ErrorKind::usage);
}

TEST_CASE(
    "the layer curve has a titled mark for each layer and line, shaded where attention is full") {
  const std::string svg = layers_figure(*plain(6, 8).metrics, SvgUse::page);
  CHECK(count_of(svg, "<circle") == 12);
  CHECK(svg.find("<title>layer 4: local 5.00 %</title>") != std::string::npos);
  CHECK(count_of(svg, "class=\"band\"") == 1);
}

TEST_CASE("what is no number leaves a gap in a line") {
  results::Results r = plain(5, 2);
  r.metrics->layers[2].local_error = std::nan("");
  const std::string svg = layers_figure(*r.metrics, SvgUse::page);
  CHECK(count_of(svg, "<circle class=\"f1\"") == 4);
  const std::size_t path = svg.find("<path class=\"line s1\" d=\"");
  CHECK(count_of(svg.substr(path, svg.find("\"/>", path) - path), "M") == 2);
}

TEST_CASE("the grid: rows and columns are those that occur, empty where nothing was routed") {
  results::Metrics m;
  m.experts.push_back({.layer = 7, .expert = 2'000'000'000, .tokens = 5, .error = 0.25});
  m.experts.push_back({.layer = -3, .expert = 4});
  const auto grid = expert_grid(m, ExpertValue::error);
  REQUIRE(grid.has_value());
  CHECK(grid->layers == std::vector<int>{-3, 7});
  CHECK(grid->experts == std::vector<int>{4, 2'000'000'000});
  CHECK_FALSE(grid->values[0].has_value());
  CHECK(grid->values[3] == 0.25);
  CHECK(grid->top == 0.25);
  CHECK_FALSE(expert_grid(results::Metrics{}, ExpertValue::error).has_value());
}

TEST_CASE("a grid beyond any model is not drawn") {
  results::Metrics m;
  for (int i = 0; i < 2100; ++i)
    m.experts.push_back({.layer = i, .expert = i, .tokens = 1, .error = 0.1});
  CHECK_FALSE(expert_grid(m, ExpertValue::error).has_value());
}

TEST_CASE("2,000 experts are rectangles, one more makes a picture") {
  const auto svg = [](int layers, int experts) {
    return experts_figure(*expert_grid(*plain(layers, experts).metrics, ExpertValue::error),
                          ExpertValue::error, SvgUse::page);
  };
  CHECK(count_of(svg(20, 100), "<title>layer") == 2000);
  CHECK(count_of(svg(3, 667), "<title>layer") == 0);
  CHECK(count_of(svg(3, 667), "<image ") == 1);
}

TEST_CASE("png: signature, header, lengths and checksums are those of a known file") {
  const std::vector<std::uint8_t> pixels{0, 1, 1, 0};
  const std::vector<Color> palette{{0, 0, 0}, {255, 0, 0}};
  const std::string file = png(2, 2, pixels, palette);
  // Written by hand after the standard, the checksums by zlib's crc32 and adler32.
  const std::string head("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x02\0\0\0\x02\x08\x03\0\0\0", 29);
  CHECK(file.substr(0, 29) == head);
  CHECK(file.substr(29, 4) == "\x45\x68\xfd\x16");
  CHECK(file.substr(file.size() - 12) == std::string("\0\0\0\0IEND\xae\x42\x60\x82", 12));
  CHECK(file.find(std::string("\x78\x01\x01\x06\0\xf9\xff\0\0\x01\0\x01\0", 13)) !=
        std::string::npos);
}

TEST_CASE(
    "float16: zero, one, the largest, halfway cases to even, subnormals, what is not finite") {
  struct Row {
    float value;
    std::uint16_t bits;
  };

  for (const Row& row : {Row{0.0F, 0x0000},
                         {-0.0F, 0x8000},
                         {1.0F, 0x3C00},
                         {-2.0F, 0xC000},
                         {65504.0F, 0x7BFF},
                         {65519.0F, 0x7BFF},
                         {65520.0F, 0x7C00},
                         {1e30F, 0x7C00},
                         {0.333251953125F, 0x3555},
                         {1.00048828125F, 0x3C00},
                         {1.00146484375F, 0x3C02},
                         {6.103515625e-05F, 0x0400},
                         {5.9604644775390625e-08F, 0x0001},
                         {2.98023223876953125e-08F, 0x0000},
                         {4.470348358154296875e-08F, 0x0001},
                         {6.097555160522461e-05F, 0x03FF}}) {
    CAPTURE(row.value);
    CHECK(float16_bits(row.value) == row.bits);
  }
  CHECK(float16_bits(HUGE_VALF) == 0x7C00);
  CHECK(float16_bits(std::nanf("")) == 0x7E00);
}

}  // namespace ckpt::reports
