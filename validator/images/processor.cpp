#include "validator/images/processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/config/reader.h"
#include "validator/images/resize.h"

namespace ckpt::images {

namespace {

constexpr double kMaxRatio = 200;
constexpr std::int64_t kBicubic = 3;  // Pillow's number
constexpr std::string_view kKnown[] = {"Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast",
                                       "Qwen2VLImageProcessorPil"};

/// The object with the processor's fields, and the document it lives in.
struct Found {
  std::shared_ptr<const json::Document> document;
  std::string file;
  json::Value object;
};

Result<Found> find_processor(const repo::Repo& repo) {
  if (repo.find("processor_config.json") != nullptr) {
    CKPT_TRY(auto document, repo.read_json("processor_config.json", limits::kConfigBytes),
             "processor_config.json");
    const json::Value inner = document->root().find("image_processor");
    if (inner.is(json::Kind::object)) {
      return Found{std::move(document), "processor_config.json", inner};
    }
  }
  CKPT_TRY(auto document, repo.read_json("preprocessor_config.json", limits::kConfigBytes),
           "preprocessor_config.json");
  const json::Value root = document->root();
  if (!root.is(json::Kind::object)) {
    return fail(ErrorKind::format, "preprocessor_config.json: the document must be an object");
  }
  return Found{std::move(document), "preprocessor_config.json", root};
}

Result<void> read_three(const json::Value& object, std::string_view name,
                        std::array<double, 3>& to) {
  const json::Value list = object.find(name);
  if (!list || list.is(json::Kind::null)) return {};
  std::size_t n = 0;
  bool good = list.is(json::Kind::array);
  list.each([&](const json::Value& v) {
    const auto d = v.number();
    good = good && d.has_value() && n < to.size();
    if (good) to[n++] = *d;
  });
  if (good && n == to.size()) return {};
  return fail(ErrorKind::format, fmt::format("`{}` must be a list of three numbers", name));
}

Result<void> agree(std::string_view name, std::int64_t processor, std::int64_t model) {
  if (processor == model) return {};
  return fail(ErrorKind::format,
              fmt::format("`{}` is {}, in the model's vision_config {}", name, processor, model));
}

}  // namespace

Result<ProcessorConfig> read_processor(const repo::Repo& repo, const config::VisionConfig& vision) {
  CKPT_TRY(const Found found, find_processor(repo), "image processor");
  std::vector<config::Defect> defects;
  const config::Reader r(found.file, found.object, "", defects);
  const config::Reader size(found.file, found.object.find("size"), "/size", defects);
  ProcessorConfig c;
  constexpr auto kMost = static_cast<std::int64_t>(limits::kImagePixels);
  r.integer("min_pixels", 1, kMost, c.min_pixels);
  r.integer("max_pixels", 1, kMost, c.max_pixels);
  size.integer("shortest_edge", 1, kMost, c.min_pixels);
  size.integer("longest_edge", 1, kMost, c.max_pixels);
  r.integer("patch_size", 1, 4096, c.patch_size);
  r.integer("temporal_patch_size", 1, 4096, c.temporal_patch_size);
  r.integer("merge_size", 1, 4096, c.merge_size);
  r.boolean("do_resize", c.do_resize);
  r.boolean("do_rescale", c.do_rescale);
  r.boolean("do_normalize", c.do_normalize);
  r.number("rescale_factor", 1e-9, 1e9, c.rescale_factor);
  std::int64_t resample = kBicubic;
  r.integer("resample", 0, 10, resample);
  std::string type{kKnown[0]};
  r.text("image_processor_type", type);
  if (!defects.empty()) {
    return fail(ErrorKind::format, fmt::format("{}: {}", found.file, defects.front().message));
  }
  if (std::ranges::find(kKnown, type) == std::end(kKnown)) {
    return fail(ErrorKind::unsupported,
                fmt::format("{}: image processor `{}`", found.file, shown(type, 80)));
  }
  if (resample != kBicubic && c.do_resize) {
    return fail(ErrorKind::unsupported, fmt::format("{}: `resample` {}", found.file, resample));
  }
  CKPT_TRY_VOID(read_three(found.object, "image_mean", c.mean), found.file);
  CKPT_TRY_VOID(read_three(found.object, "image_std", c.std), found.file);
  CKPT_TRY_VOID(agree("patch_size", c.patch_size, vision.patch_size), found.file);
  CKPT_TRY_VOID(agree("temporal_patch_size", c.temporal_patch_size, vision.temporal_patch_size),
                found.file);
  CKPT_TRY_VOID(agree("merge_size", c.merge_size, vision.spatial_merge_size), found.file);
  CKPT_TRY_VOID(agree("channels", 3, vision.in_channels), found.file);
  return c;
}

Result<std::pair<std::int64_t, std::int64_t>> smart_resize(std::int64_t height, std::int64_t width,
                                                           std::int64_t factor,
                                                           const ProcessorConfig& config) {
  const auto h = static_cast<double>(height);
  const auto w = static_cast<double>(width);
  const auto f = static_cast<double>(factor);
  const double ratio = std::max(h, w) / std::min(h, w);
  if (!(ratio <= kMaxRatio)) {
    return fail(ErrorKind::format,
                fmt::format("{} x {} pixels: one side is more than {} times the other", width,
                            height, kMaxRatio));
  }
  const auto least = static_cast<double>(config.min_pixels);
  const auto most = static_cast<double>(config.max_pixels);
  double out_h = std::nearbyint(h / f) * f;  // halves to even, as in the reference
  double out_w = std::nearbyint(w / f) * f;
  if (out_h * out_w > most) {
    const double beta = std::sqrt(h * w / most);
    out_h = std::max(f, std::floor(h / beta / f) * f);
    out_w = std::max(f, std::floor(w / beta / f) * f);
  } else if (out_h * out_w < least) {
    const double beta = std::sqrt(least / (h * w));
    out_h = std::ceil(h * beta / f) * f;
    out_w = std::ceil(w * beta / f) * f;
  }
  if (out_h < f || out_w < f || out_h * out_w > static_cast<double>(limits::kImagePixels)) {
    return fail(ErrorKind::limit,
                fmt::format("{} x {} pixels would become {} x {}", width, height, out_w, out_h));
  }
  return std::pair{static_cast<std::int64_t>(out_h), static_cast<std::int64_t>(out_w)};
}

Result<Prepared> Prepared::make(const Picture& picture, const ProcessorConfig& config) {
  const std::int64_t factor = config.patch_size * config.merge_size;
  if (!config.do_resize) {
    if (picture.width % factor != 0 || picture.height % factor != 0) {
      return fail(ErrorKind::format,
                  fmt::format("{} x {} pixels are no multiples of {}, and the processor does not "
                              "resize",
                              picture.width, picture.height, factor));
    }
    return Prepared(picture, config);
  }
  CKPT_TRY(const auto size, smart_resize(picture.height, picture.width, factor, config), "size");
  CKPT_TRY(Picture small, resized(picture, size.second, size.first), "size");
  return Prepared(std::move(small), config);
}

std::vector<float> Prepared::patches() const {
  // Both steps in one, as the processor does it: (x - mean) / std with both times 255.
  std::array<float, 3> mean{0, 0, 0};
  std::array<float, 3> deviation{1, 1, 1};
  const auto undo = static_cast<float>(config_.do_rescale ? 1.0 / config_.rescale_factor : 1.0);
  for (std::size_t c = 0; c < 3 && config_.do_normalize; ++c) {
    mean[c] = static_cast<float>(config_.mean[c]) * undo;
    deviation[c] = static_cast<float>(config_.std[c]) * undo;
  }
  const float factor =
      config_.do_rescale && !config_.do_normalize ? static_cast<float>(config_.rescale_factor) : 1;
  const std::int64_t patch = config_.patch_size;
  const std::int64_t merge = config_.merge_size;
  std::vector<float> out;
  out.reserve(
      static_cast<std::size_t>(picture_.width * picture_.height * 3 * config_.temporal_patch_size));
  const auto add_patch = [&](std::int64_t row, std::int64_t column) {
    for (std::size_t c = 0; c < 3; ++c) {
      for (std::int64_t t = 0; t < config_.temporal_patch_size; ++t) {
        for (std::int64_t y = 0; y < patch; ++y) {
          const std::uint8_t* from = picture_.at(column * patch, row * patch + y) + c;
          for (std::int64_t x = 0; x < patch; ++x) {
            out.push_back((static_cast<float>(from[3 * x]) - mean[c]) / deviation[c] * factor);
          }
        }
      }
    }
  };
  for (std::int64_t r = 0; r < grid_height(); r += merge) {
    for (std::int64_t c = 0; c < grid_width(); c += merge) {
      for (std::int64_t i = 0; i < merge * merge; ++i) add_patch(r + i / merge, c + i % merge);
    }
  }
  return out;
}

}  // namespace ckpt::images
