// The vision tower and prompts with images against transformers in f32 (make_vision_golden.py).

#include <doctest/doctest.h>

#include <cmath>
#include <map>

#include "tests/forward/tiny_model.h"
#include "tests/kernels/device.h"
#include "tests/support.h"
#include "validator/base/file.h"
#include "validator/container/safetensors.h"
#include "validator/forward/vision.h"
#include "validator/images/processor.h"
#include "validator/pipeline/kl.h"

namespace ckpt::forward::test {

namespace {

constexpr double kLogit = 1e-4;  // the goldens' tolerances for f32 (fixtures/README.md)

images::Picture formula(std::int64_t width, std::int64_t height) {
  images::Picture p{width, height, {}};
  for (std::int64_t y = 0; y < height; ++y) {
    for (std::int64_t x = 0; x < width; ++x) {
      for (std::int64_t c = 0; c < 3; ++c) {
        p.rgb.push_back(
            static_cast<std::uint8_t>((x * 7 + y * 13 + c * 50 + (x * y) % 31 * 5) % 256));
      }
    }
  }
  return p;
}

std::vector<double> numbers(const json::Value& list) {
  std::vector<double> out;
  list.each([&](const json::Value& v) {
    if (v.is(json::Kind::array)) {
      v.each([&](const json::Value& w) { out.push_back(w.number().value_or(NAN)); });
    } else {
      out.push_back(v.number().value_or(NAN));
    }
  });
  return out;
}

/// The golden file, the checkpoint, and a copy of it with one bias of the tower set to 0.5.
class Case {
 public:
  Case() : copy_("vision") {
    golden = testing::read_json(std::string(CKPT_SOURCE) + "/tests/forward/vision_golden.json");
    REQUIRE(golden != nullptr);
    const std::string from = std::string(CKPT_FIXTURES) + "/golden/models/M-vl-mtp-bf16";
    auto opened = pipeline::open_target(from);
    REQUIRE(opened);
    reference = *std::move(opened);
    std::filesystem::copy(from, copy_.path(), std::filesystem::copy_options::recursive);
    change(copy_.path() + "/model.safetensors");
    auto other = pipeline::open_target(copy_.path());
    REQUIRE(other);
    changed = *std::move(other);
    for (const double id : numbers(golden->root().find("ids"))) {
      ids.push_back(static_cast<std::int32_t>(id));
    }
    find_images();
  }

  std::shared_ptr<const json::Document> golden;
  std::unique_ptr<pipeline::OpenedRepo> reference;
  std::unique_ptr<pipeline::OpenedRepo> changed;
  std::vector<std::int32_t> ids;
  std::vector<Image> images;

  [[nodiscard]] std::vector<double> of(std::string_view name) const {
    return numbers(golden->root().find(name));
  }

 private:
  TemporaryFolder copy_;

  void change(const std::string& path) const {
    const auto file = open_file(path);
    REQUIRE(file);
    const container::Header header = container::read_header(*file, "copy");
    for (const container::Tensor& t : header.tensors) {
      if (t.name != golden->root().find("changed").string()) continue;
      REQUIRE(t.dtype == Dtype::bf16);
      std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
      out.seekp(static_cast<std::streamoff>(t.begin));
      for (std::uint64_t i = 0; i < t.bytes() / 2; ++i) out.write("\x00\x3F", 2);
      return;
    }
    FAIL("the tensor is not there");
  }

  void find_images() {
    const config::VisionConfig& vision = *reference->config.vision;
    const auto config = images::read_processor(reference->repo, vision);
    REQUIRE(config);
    std::int64_t at = 0;
    golden->root().find("sizes").each([&](const json::Value& v) {
      const std::vector<double> size = numbers(v);
      auto prepared = images::Prepared::make(
          formula(static_cast<std::int64_t>(size[0]), static_cast<std::int64_t>(size[1])), *config);
      REQUIRE(prepared);
      const auto shared = std::make_shared<const images::Prepared>(*std::move(prepared));
      while (ids[static_cast<std::size_t>(at)] != vision.image_token_id) ++at;
      images.push_back({0, at, shared->grid_height(), shared->grid_width(),
                        [shared] { return shared->patches(); }});
      at += images.back().tokens(vision);
    });
  }
};

/// Keeps the divergences and the logits.
class Kept final : public Observer {
 public:
  std::vector<kernels::Divergence> positions;
  std::map<std::int64_t, std::vector<float>> logits;
  std::map<std::size_t, std::vector<double>> variants;

  void on_routing(int, const LayerRouting&) override {}

  void on_expert(int, int, const ExpertSquares&) override {}

  void on_layer(int, const LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence> some) override {
    positions.insert(positions.end(), some.begin(), some.end());
  }

  void on_variant(std::size_t v, std::span<const kernels::Divergence> some) override {
    for (const kernels::Divergence& d : some) variants[v].push_back(d.kl);
  }

  Result<void> on_logits(std::int64_t first, kernels::Ops& ops, const kernels::Rows& reference,
                         const kernels::Rows&) override {
    for (std::int64_t i = 0; i < reference.rows; ++i) {
      std::vector<float>& row = logits[first + i];
      row.resize(static_cast<std::size_t>(reference.cols));
      CKPT_TRY_VOID(ops.read(reference.slice(i, 1), row), "logits");
    }
    return {};
  }
};

pipeline::KlOutcome run(const pipeline::OpenedRepo& reference,
                        const pipeline::OpenedRepo& candidate,
                        const std::vector<std::vector<std::int32_t>>& sequences,
                        std::span<const Image> images, Kept& kept,
                        std::span<const Variant> variants = {}) {
  ThreadPool pool(2);
  NoProgress progress;
  const auto outcome = pipeline::run_kl({.reference = reference,
                                         .candidate = candidate,
                                         .sequences = sequences,
                                         .pool = pool,
                                         .progress = progress,
                                         .images = images,
                                         .variants = variants,
                                         .observer = &kept});
  if (!outcome) FAIL(outcome.error().message);
  return *outcome;
}

}  // namespace

TEST_CASE("places of text and images are those of transformers, exactly") {
  const Case c;
  const std::vector<double> want = c.of("places");
  const std::vector<Place3> got =
      places_of(static_cast<std::int64_t>(c.ids.size()), c.images, *c.reference->config.vision);
  REQUIRE(want.size() == 3 * got.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    CAPTURE(i);
    CHECK(static_cast<double>(got[i].time) == want[i]);
    CHECK(static_cast<double>(got[i].height) == want[got.size() + i]);
    CHECK(static_cast<double>(got[i].width) == want[2 * got.size() + i]);
  }
}

namespace {

void check_rows(const Case& c, kernels::Ops& ops) {
  const auto model = [](const pipeline::OpenedRepo& r) {
    return weights::Model(r.checkpoint, r.config, *r.blueprint, r.stored);
  };
  const weights::Model reference = model(*c.reference);
  const weights::Model changed = model(*c.changed);
  const config::VisionConfig& vision = *c.reference->config.vision;
  const auto rows =
      run_vision({.pair = {reference, changed}, .vision = vision, .ops = ops}, c.images);
  REQUIRE(rows);
  const auto width = static_cast<std::size_t>(vision.out_hidden_size);
  const std::vector<double> first = c.of("rows");  // eight of each row
  const std::vector<double> l2 = c.of("rows_l2");
  const std::vector<double> changed_l2 = c.of("changed_rows_l2");
  REQUIRE(rows->reference.size() == width * l2.size());
  for (std::size_t t = 0; t < l2.size(); ++t) {
    CAPTURE(t);
    double squares[2] = {0, 0};
    for (std::size_t i = 0; i < width; ++i) {
      const double r = rows->reference[t * width + i];
      squares[0] += r * r;
      squares[1] += std::pow(double{rows->candidate[t * width + i]}, 2);
      if (i < 8) CHECK(std::abs(r - first[8 * t + i]) <= 1e-6);
    }
    CHECK(std::abs(std::sqrt(squares[0]) - l2[t]) <= 1e-5 * l2[t]);
    CHECK(std::abs(std::sqrt(squares[1]) - changed_l2[t]) <= 1e-5 * changed_l2[t]);
  }
}

}  // namespace

TEST_CASE("the tower's rows agree with transformers on both sides, on every backend") {
  const Case c;
  ThreadPool pool(2);
  const auto cpu = kernels::make_cpu_ops(pool);
  const auto cuda = kernels::test::open_device(7);
  REQUIRE(cpu);
  REQUIRE(cuda);
  for (kernels::Ops* ops : {cpu->get(), cuda->get()}) {
    CAPTURE(ops->name());
    check_rows(c, *ops);
  }
}

TEST_CASE("in BF16 the tower rounds about as much as that of transformers does") {
  const Case c;
  const weights::Model model(c.reference->checkpoint, c.reference->config, *c.reference->blueprint,
                             c.reference->stored);
  ThreadPool pool(2);
  const auto ops = kernels::make_cpu_ops(pool);
  REQUIRE(ops);
  const config::VisionConfig& vision = *c.reference->config.vision;
  const auto rows = run_vision(
      {.pair = {model, model}, .vision = vision, .ops = **ops, .mode = Mode::bf16}, c.images);
  REQUIRE(rows);
  const std::vector<double> exact = c.of("rows");  // eight of each row
  const std::vector<double> theirs = c.of("rows_bf16");
  REQUIRE(theirs.size() == exact.size());
  double squares[2] = {0, 0};
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const auto width = static_cast<std::size_t>(vision.out_hidden_size);
    const double ours = rows->reference[i / 8 * width + i % 8];
    squares[0] += std::pow(theirs[i] - exact[i], 2);
    squares[1] += std::pow(ours - exact[i], 2);
  }
  // Two roundings of one computation err alike from the exact one; one missing or doubled would
  // not.
  CHECK(squares[1] <= 1.5 * 1.5 * squares[0]);
  CHECK(squares[1] >= squares[0] / (1.5 * 1.5));
  for (const float v : rows->reference) CHECK(bf16_to_f32(f32_to_bf16(v)) == v);
}

TEST_CASE("logits and KL of a prompt with two images agree with transformers") {
  const Case c;
  Kept kept;
  const auto outcome = run(*c.reference, *c.changed, {c.ids}, c.images, kept);
  REQUIRE(kept.positions.size() == c.ids.size());
  int compared = 0;
  for (const char* position : {"3", "12", "20", "57"}) {
    const std::vector<double> want = numbers(c.golden->root().find("logits").find(position));
    const std::vector<float>& got = kept.logits[std::stoi(position)];
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < want.size(); ++i) {
      CHECK(std::abs(double{got[i]} - want[i]) <= kLogit);
      ++compared;
    }
  }
  CHECK(compared == 4 * 96);
  const std::vector<double> lse = c.of("logsumexp");
  const std::vector<double> kl = c.of("kl");
  for (std::size_t i = 0; i < kl.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(kept.positions[i].lse_reference - lse[i]) <= kLogit);
    CHECK(std::abs(kept.positions[i].kl - kl[i]) <= 2e-6 + 2e-4 * kl[i]);
  }
  // Image tokens are nobody's label; the first text token after an image is one again.
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    const bool inside = (i >= 4 && i <= 18) || (i >= 24 && i <= 47) || i + 1 == c.ids.size();
    CHECK(std::isnan(kept.positions[i].label_reference) == inside);
  }
  const auto& kinds = outcome.metrics.modalities;
  REQUIRE(kinds.size() == 3);
  CHECK(kinds[0].name == "text");
  CHECK(kinds[0].positions == 5);  // four tokens and the start of the first image
  CHECK(kinds[0].kl == 0);
  CHECK(kinds[1].name == "image");
  CHECK(kinds[1].positions == 15 + 24);
  CHECK(kinds[2].name == "text_after_image");
  CHECK(kinds[2].positions == c.ids.size() - 44);
  double sum = 0;
  for (std::size_t i = 5; i < 20; ++i) sum += kl[i];
  for (std::size_t i = 25; i < 49; ++i) sum += kl[i];
  CHECK(std::abs(kinds[1].kl - sum / 39) <= 1e-6);
}

TEST_CASE("a checkpoint against itself is exactly 0 with images") {
  const Case c;
  Kept kept;
  const auto outcome = run(*c.reference, *c.reference, {c.ids}, c.images, kept);
  CHECK(outcome.metrics.kl.max == 0);
  CHECK(outcome.metrics.kl.nonfinite == 0);
}

TEST_CASE("a prompt with images gives the same bits alone and between others") {
  const Case c;
  Kept alone;
  run(*c.reference, *c.changed, {c.ids}, c.images, alone);
  std::vector<Image> later = c.images;
  for (Image& image : later) image.sequence = 1;
  Kept among;
  run(*c.reference, *c.changed, {{3, 4, 5, 6, 7}, c.ids, {9, 8, 7}}, later, among);
  REQUIRE(among.positions.size() == c.ids.size() + 8);
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    CHECK(among.positions[5 + i].kl == alone.positions[i].kl);
  }
  CHECK(among.positions[0].kl == 0);
}

TEST_CASE("variants take the images of the side whose tower they take") {
  const Case c;
  const std::vector<Variant> variants{
      {Stream::reference, {}},
      {Stream::reference, {{.any_class = false, .cls = arch::ModuleClass::vision}}},
      {Stream::candidate, {{.any_class = false, .cls = arch::ModuleClass::vision}}}};
  Kept kept;
  run(*c.reference, *c.changed, {c.ids}, c.images, kept, variants);
  REQUIRE(kept.variants.size() == 3);
  for (std::size_t i = 0; i < c.ids.size(); ++i) {
    CHECK(kept.variants[0][i] == 0);
    CHECK(kept.variants[1][i] == kept.positions[i].kl);  // nothing else differs
    CHECK(kept.variants[2][i] == 0);
  }
}

}  // namespace ckpt::forward::test
