#include "gui/state/matrix.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "gui/state/census.h"
#include "gui/state/save.h"
#include "gui/state/tiles.h"
#include "gui/state/viewport.h"
#include "tests/gui/golden_pair.h"

namespace ckpt::gui {
namespace {

/// A matrix of made-up values.
class Made final : public Matrix {
 public:
  Made(std::uint64_t rows, std::uint64_t columns,
       std::function<float(std::uint64_t, std::uint64_t)> f, bool by_columns = false)
      : Matrix(rows, columns), f_(std::move(f)), by_columns_(by_columns) {}

  [[nodiscard]] bool by_columns() const override { return by_columns_; }

 protected:
  Result<void> fill(const Block& b, std::span<float> out) const override {
    std::size_t at = 0;
    for (std::uint64_t r = b.row; r < b.row_end; ++r) {
      for (std::uint64_t c = b.column; c < b.column_end; ++c) out[at++] = f_(r, c);
    }
    return {};
  }

 private:
  std::function<float(std::uint64_t, std::uint64_t)> f_;
  bool by_columns_;
};

float ramp(std::uint64_t r, std::uint64_t c) {
  return static_cast<float>(r) - static_cast<float>(c) / 4;
}

const float kNan = std::numeric_limits<float>::quiet_NaN();
const float kInf = std::numeric_limits<float>::infinity();

}  // namespace

TEST_CASE("census: counts, ends, moments and quantiles of known values") {
  const Made m(4, 250, [](std::uint64_t r, std::uint64_t c) {
    if (r == 2 && c == 7) return kNan;
    if (r == 3 && c == 1) return -kInf;
    return r == 0 ? 0.F : static_cast<float>(c % 2 == 0 ? 1 : -1);
  });
  const auto census = take_census(m, {});
  REQUIRE(census.has_value());
  CHECK(census->count == 1000);
  CHECK(census->nan == 1);
  CHECK(census->minus_inf == 1);
  CHECK(census->finite() == 998);
  CHECK(census->zero == 250);
  CHECK(census->low == -1);
  CHECK(census->high == 1);
  REQUIRE(census->specials.size() == 2);
  CHECK(census->specials[0] == Cell{2, 7});
  CHECK(census->specials[1] == Cell{3, 1});
  CHECK(census->quantile_of_magnitude(0.2) < 0.01F);
  CHECK(census->quantile_of_magnitude(0.999) == 1);
  CHECK(census->rms() == doctest::Approx(std::sqrt(748.0 / 998)));
  double sum = 0;
  for (const double n : census->histogram(-1, 1, 10)) sum += n;
  CHECK(sum == 998);
}

TEST_CASE("census: the largest magnitudes in order, the earlier first among equals") {
  const Made m(20, 50, [](std::uint64_t r, std::uint64_t c) {
    if (r == 7 && c == 3) return -9.F;
    if (r == 2 && c == 49) return 8.F;
    return r == 5 && c == 5 ? kInf : c < 10 ? 2.F : -1.F;
  });
  const auto census = take_census(m, {});
  REQUIRE(census.has_value());
  REQUIRE(census->outliers.size() == Census::kOutliers);
  CHECK(census->outliers[0].second == Cell{7, 3});
  CHECK(census->outliers[0].first == 9);
  CHECK(census->outliers[1].second == Cell{2, 49});
  CHECK(census->outliers[2].second == Cell{0, 0});
  CHECK(census->outliers[15].second == Cell{1, 3});
}

TEST_CASE("census: an empty matrix and one of nothing finite have no ends") {
  const Made empty(0, 5, ramp);
  CHECK(take_census(empty, {})->finite() == 0);
  const Made nans(3, 3, [](std::uint64_t, std::uint64_t) { return kNan; });
  const auto census = take_census(nans, {});
  CHECK(census->finite() == 0);
  CHECK(census->low == 0);
  CHECK(census->quantile_of_magnitude(0.5) == 0);
}

TEST_CASE("tiles: each reduction against the slow way, at odd sizes") {
  const Made m(300, 1001, ramp);
  for (const Reduce reduce : {Reduce::largest, Reduce::mean, Reduce::maximum, Reduce::minimum}) {
    const auto tile = make_tile(m, {1, reduce, 1, 2, 0, 0}, {});
    REQUIRE(tile.has_value());
    CHECK(tile->rows == 150);
    CHECK(tile->columns == 251);
    for (const auto& [y, x] : {std::pair{0U, 0U}, {149U, 250U}, {77U, 13U}}) {
      double sum = 0;
      int n = 0;
      float best = ramp(2 * y, 4 * x);
      for (std::uint64_t r = 2 * y; r < std::min<std::uint64_t>(2 * y + 2, 300); ++r) {
        for (std::uint64_t c = 4 * x; c < std::min<std::uint64_t>(4 * x + 4, 1001); ++c) {
          const float v = ramp(r, c);
          sum += double{v};
          ++n;
          if (reduce == Reduce::largest && std::abs(v) > std::abs(best)) best = v;
          if (reduce == Reduce::maximum) best = std::max(best, v);
          if (reduce == Reduce::minimum) best = std::min(best, v);
        }
      }
      if (reduce == Reduce::mean) best = static_cast<float>(sum / n);
      CHECK(tile->values[y * 251 + x] == doctest::Approx(double{best}).epsilon(1e-6));
    }
  }
}

TEST_CASE("tiles: one NaN in 65,536 cells stays visible from far out") {
  const Made m(4096, 4096,
               [](std::uint64_t r, std::uint64_t c) { return r == 3000 && c == 100 ? kNan : 1.F; });
  for (const Reduce reduce : {Reduce::largest, Reduce::mean, Reduce::maximum, Reduce::minimum}) {
    const auto tile = make_tile(m, {1, reduce, 8, 8, 0, 0}, {});
    REQUIRE(tile->values.size() == 256);
    for (std::size_t i = 0; i < 256; ++i) {
      CHECK(std::isnan(tile->values[i]) == (i == (3000 / 256) * 16));
    }
  }
}

TEST_CASE("tiles: the store keeps below its limit and drops what is longest unused") {
  const Made m(1024, 1024, ramp);
  TileStore store(3 * (256 * 256 * 4 + 200));
  const auto key = [](std::uint64_t x) { return TileKey{1, Reduce::largest, 0, 0, 0, x}; };
  for (std::uint64_t x = 0; x < 3; ++x) store.put(key(x), *make_tile(m, key(x), {}));
  CHECK(store.find(key(0)) != nullptr);
  store.put(key(3), *make_tile(m, key(3), {}));
  CHECK(store.find(key(1)) == nullptr);
  CHECK(store.find(key(0)) != nullptr);
  CHECK(store.bytes() <= store.limit());
}

TEST_CASE("tiles and census stop when they are asked to") {
  const Made m(100, 100, ramp);
  std::stop_source source;
  source.request_stop();
  CHECK(make_tile(m, {}, source.get_token()).error().kind == ErrorKind::cancelled);
  CHECK(take_census(m, source.get_token()).error().kind == ErrorKind::cancelled);
}

TEST_CASE("compose: cells stand where the viewport says, absent tiles come from coarser ones") {
  const Made m(512, 512, [](std::uint64_t r, std::uint64_t) { return r < 256 ? -1.F : 1.F; });
  TileStore tiles(16 << 20);
  std::vector<TileKey> asked;
  Viewport view{.row = 200, .column = 0, .cell_height = 1, .cell_width = 1};
  const Coloring coloring{.high = 1};
  const auto draw = [&] {
    asked.clear();
    return compose(
        {m, 1, view, {100, 112}, Reduce::largest, coloring, tiles, [&](const TileKey& key, bool) {
           asked.push_back(key);
         }});
  };
  Picture picture = draw();
  CHECK_FALSE(picture.complete);
  CHECK(asked.size() == 2);
  CHECK(picture.at(5, 5) == kNotReadyColor);
  const TileKey coarse{1, Reduce::largest, 1, 1, 0, 0};
  tiles.put(coarse, *make_tile(m, coarse, {}));
  picture = draw();
  CHECK_FALSE(picture.complete);
  CHECK(picture.at(5, 55) == color_of(-1, coloring));
  CHECK(picture.at(5, 56) == color_of(1, coloring));
  for (const TileKey& key : std::vector(asked)) tiles.put(key, *make_tile(m, key, {}));
  picture = draw();
  CHECK(picture.complete);
  CHECK(asked.empty());
  CHECK(picture.at(5, 55) == color_of(-1, coloring));
  CHECK(picture.at(5, 56) == color_of(1, coloring));
}

TEST_CASE("viewport: zooming keeps the cell under the pointer") {
  const Viewport view{.row = 10, .column = 20, .cell_height = 2, .cell_width = 3};
  const Viewport in = zoomed(view, 4, 30, 50);
  CHECK(in.row + 50 / in.cell_height == doctest::Approx(10 + 25));
  CHECK(in.column + 30 / in.cell_width == doctest::Approx(20 + 10));
  CHECK(in.cell_width == 12);
  CHECK(level_of(1) == 0);
  CHECK(level_of(0.5) == 1);
  CHECK(level_of(0.26) == 1);
  CHECK(level_of(1.0 / 1024) == 10);
}

TEST_CASE("colours: NaN and infinities are none of a map, zero is neutral, ends are the ends") {
  const Coloring coloring{.high = 2};
  CHECK(color_of(kNan, coloring) == kNanColor);
  CHECK(color_of(kInf, coloring) == kPlusInfColor);
  CHECK(color_of(-kInf, coloring) == kMinusInfColor);
  CHECK(color_of(0, coloring) == Rgba{247, 247, 247, 255});
  for (const Scale scale : {Scale::linear, Scale::log, Scale::symlog}) {
    const Coloring c{.scale = scale, .high = 2};
    CHECK(position_of(0, c) == 0.5F);
    CHECK(position_of(2, c) == 1);
    CHECK(position_of(-2, c) == 0);
    CHECK(position_of(-50, c) == 0);
    CHECK(position_of(1, c) > 0.5F);
  }
  const Coloring positive{.is_signed = false, .high = 4};
  CHECK(color_of(0, positive) == Rgba{68, 1, 84, 255});
  CHECK(color_of(9, positive) == Rgba{253, 231, 37, 255});
}

TEST_CASE(
    "matrix: every source of a packed weight, and each cell's code, zero, scale and reference") {
  const testing::OpenPair pair;
  const auto session = Session::open(pair.options.open);
  REQUIRE(session.has_value());
  const Session& s = **session;
  const std::int32_t module = s.expert_module(1, 3);
  const std::int32_t tensor = s.tensor_of_module(module);
  REQUIRE(tensor >= 0);
  const auto read = [&](Source source) {
    const auto m = open_matrix(*session, {source, tensor, module}, 1 << 20);
    REQUIRE_MESSAGE(m.has_value(), source_name(source));
    std::vector<float> out(10);
    CHECK((*m)->read({5, 6, 40, 50}, out).has_value());
    return out;
  };
  const auto decoded = read(Source::decoded);
  const auto reference = read(Source::reference);
  const auto difference = read(Source::difference);
  const auto relative = read(Source::relative);
  const auto scale = read(Source::scale);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(difference[i] == decoded[i] - reference[i]);
    if (difference[i] != 0) CHECK(relative[i] == difference[i] / std::abs(reference[i]));
    const auto facts = read_cell(s, module, 5, 40 + i);
    REQUIRE(facts.has_value());
    CHECK(facts->value == decoded[i]);
    CHECK(facts->reference.value() == reference[i]);
    CHECK(facts->scale.value() == scale[i]);
    REQUIRE(facts->code.has_value());
    CHECK(*facts->code >= 0);
    CHECK(*facts->code < 16);
    CHECK(static_cast<float>(*facts->code) * scale[i] - facts->zero.value() * scale[i] ==
          doctest::Approx(double{decoded[i]}).epsilon(1e-3));
  }
  CHECK_FALSE(read_cell(s, module, 1U << 20, 0).has_value());
}

TEST_CASE("matrix: a packed weight that is not held gives the same cells, in blocks and in steps") {
  const testing::OpenPair pair;
  const auto session = Session::open(pair.options.open);
  REQUIRE(session.has_value());
  const std::int32_t module = (*session)->expert_module(2, 5);
  const MatrixId id{Source::decoded, (*session)->tensor_of_module(module), module};
  const auto held = open_matrix(*session, id, 1 << 20);
  const auto read = open_matrix(*session, id, 0);
  REQUIRE(held.has_value());
  REQUIRE(read.has_value());
  CHECK((*held)->held_bytes() > 0);
  CHECK((*read)->held_bytes() == 0);
  CHECK((*read)->by_columns());
  const std::uint64_t rows = (*held)->rows();
  const std::uint64_t columns = (*held)->columns();
  for (const Block& b : {Block{0, rows, 0, columns}, Block{3, 17, 9, 10},
                         Block{rows - 1, rows, columns - 1, columns}}) {
    for (const std::uint64_t step : {1U, 5U}) {
      std::vector<float> one((b.row_end - b.row + step - 1) / step * (b.column_end - b.column));
      std::vector<float> other(one.size());
      REQUIRE((*held)->read_some(b, step, one).has_value());
      REQUIRE((*read)->read_some(b, step, other).has_value());
      CHECK(one == other);
    }
  }
}

TEST_CASE("tiles: a sample shows cells of its own pixels, by rows or by columns") {
  for (const bool by_columns : {false, true}) {
    CAPTURE(by_columns);
    // Every cell says where it is.
    const Made m(
        100'000, 700,
        [](std::uint64_t r, std::uint64_t c) { return static_cast<float>(1 + r / 512 * 700 + c); },
        by_columns);
    const auto tile = sample_tile(m, {1, Reduce::largest, 9, 2, 0, 0}, {});
    REQUIRE(tile.has_value());
    CHECK(tile->sampled);
    CHECK(tile->rows == 196);
    CHECK(tile->columns == 175);
    for (const auto& [y, x] : {std::pair{0U, 0U}, {195U, 174U}, {77U, 13U}}) {
      const float v = tile->values[y * 175 + x] - 1;
      const auto row = static_cast<unsigned>(v) / 700;
      const auto column = static_cast<unsigned>(v) % 700;
      CHECK(row == y);
      // One of 20 columns of cells stands for up to 9 of the 175 columns of pixels.
      CHECK(column / 4 <= x);
      CHECK(column / 4 + (by_columns ? 8 : 0) >= x);
    }
  }
}

TEST_CASE("census: a sample has its cells from where it says") {
  for (const bool by_columns : {false, true}) {
    CAPTURE(by_columns);
    const auto value = [](std::uint64_t r, std::uint64_t c) {
      return static_cast<float>(r) * 1e-3F + static_cast<float>(c);
    };
    const Made m(300'000, 40, value, by_columns);
    const auto census = take_sample(m, {});
    REQUIRE(census.has_value());
    CHECK(census->sampled);
    CHECK(census->count > 1000);
    CHECK(census->count < m.rows() * m.columns() / 10);
    REQUIRE(!census->outliers.empty());
    const Cell& largest = census->outliers.front().second;
    CHECK(census->high == value(largest.row, largest.column));
    const Made small(3, 5, value, by_columns);
    CHECK(take_sample(small, {})->count == 15);
    const Made none(0, 5, value, by_columns);
    CHECK(take_sample(none, {})->count == 0);
  }
}

TEST_CASE("npy: magic, header of a multiple of 64 bytes, values in C order") {
  const Made m(3, 2, ramp);
  const auto npy = npy_of(m, {});
  REQUIRE(npy.has_value());
  CHECK(npy->substr(0, 6) == "\x93NUMPY");
  CHECK(npy->find("'shape': (3, 2)") != std::string::npos);
  REQUIRE((npy->size() - 24) % 64 == 0);
  float last = 0;
  std::memcpy(&last, npy->data() + npy->size() - 4, 4);
  CHECK(last == ramp(2, 1));
}

TEST_CASE("borders: groups along a weight's columns, joined experts along the rows") {
  const auto joined = Session::open(
      {.target = testing::golden_model("A-causallm-bf16"), .results = {}, .reference = {}});
  REQUIRE(joined.has_value());
  const std::int32_t t = (*joined)->find_tensor("model.layers.0.mlp.experts.gate_up_proj");
  REQUIRE(t >= 0);
  CHECK(borders_of(**joined, {Source::stored, t, -1}).rows == 256);
  CHECK(borders_of(**joined, {Source::stored, (*joined)->find_tensor("lm_head.weight"), -1}).rows ==
        0);
  const auto packed = Session::open({.target = testing::golden_model("M-vl-mtp-w4a16-autoround"),
                                     .results = {},
                                     .reference = {}});
  REQUIRE(packed.has_value());
  const std::int32_t module = (*packed)->expert_module(0, 1);
  REQUIRE(module >= 0);
  CHECK(borders_of(**packed, {Source::decoded, -1, module}).columns == 32);
  CHECK(borders_of(**packed, {Source::stored, -1, module}).columns == 0);
}

}  // namespace ckpt::gui
