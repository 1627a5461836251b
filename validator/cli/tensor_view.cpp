#include "validator/cli/tensor_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "validator/base/text.h"
#include "validator/cli/terminal.h"

namespace ckpt::cli {
namespace {

using Json = nlohmann::ordered_json;
using pipeline::OpenedRepo;

std::string shape_text(ShapeView shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

std::string stored_words(const OpenedRepo& o, std::uint32_t module) {
  const quant::Stored& s = o.stored.modules[module];
  if (!quant::is_quantized(s.format)) return std::string(quant::format_name(s.format));
  std::string out = fmt::format("{} {} bits", quant::format_name(s.format), s.bits);
  if (s.group_size > 0) out += fmt::format(", groups of {}", s.group_size);
  if (s.group_size < 0) out += ", one group a row";
  return out;
}

std::string json_text(const Json& j) {
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// A bar of `width` characters at most; the largest bin fills it.
std::string bar(std::uint64_t count, std::uint64_t most, std::size_t width) {
  const auto length = most == 0 ? 0 : (count * width + most - 1) / most;
  return std::string(static_cast<std::size_t>(length), '#');
}

std::string histogram_text(const weights::WeightSummary& s) {
  constexpr std::size_t kWidth = 60;
  const std::uint64_t most = *std::ranges::max_element(s.histogram);
  std::string out;
  const double step = 2 * s.limit / static_cast<double>(weights::WeightSummary::kBins);
  for (std::size_t i = 0; i < s.histogram.size(); ++i) {
    const double middle = -s.limit + step * (static_cast<double>(i) + 0.5);
    out += fmt::format("  {:>11.4g} {:>12}  {}\n", middle, with_commas(s.histogram[i]),
                       bar(s.histogram[i], most, kWidth));
  }
  return out;
}

Result<std::string> values_text(const weights::Parameter& p, const pipeline::Slice& slice) {
  const std::uint64_t width = p.row_size();
  const std::uint64_t row_end = std::min(slice.row_end, p.rows());
  const std::uint64_t column_end = std::min(slice.column_end, width);
  if (slice.row_begin >= row_end || slice.column_begin >= column_end) {
    return fail(ErrorKind::usage, "--slice lies outside the weight");
  }
  std::string out;
  std::vector<float> row(width);
  for (std::uint64_t r = slice.row_begin; r < row_end; ++r) {
    CKPT_TRY_VOID(p.decode(r, r + 1, row), "values");
    out += fmt::format("  row {:<7}", r);
    for (std::uint64_t c = slice.column_begin; c < column_end; ++c) {
      out += fmt::format(" {:>10.4g}", row[c]);
    }
    out += '\n';
  }
  return out;
}

}  // namespace

std::string tensor_table(const OpenedRepo& o, std::span<const std::uint32_t> tensors,
                         std::size_t most) {
  std::string out;
  std::uint64_t bytes = 0;
  for (const std::uint32_t i : tensors) bytes += o.checkpoint.tensors()[i].bytes();
  const std::size_t width = screen_width();
  constexpr std::size_t kRest = 42;  // dtype, shape, bytes
  for (const std::uint32_t i : tensors.first(std::min(most, tensors.size()))) {
    const container::Tensor& t = o.checkpoint.tensors()[i];
    const std::size_t room = width > kRest + 20 ? width - kRest : 20;
    out += fmt::format("  {:<{}} {:<8} {:<18} {:>10}\n", shorten_middle(shown(t.name), room), room,
                       dtype_name(t.dtype), shape_text(t.shape), bytes_text(t.bytes()));
  }
  if (tensors.size() > most) {
    out += fmt::format("  and {} more (--show all)\n", with_commas(tensors.size() - most));
  }
  return out + fmt::format("\n  {} tensor{}, {}\n", with_commas(tensors.size()),
                           tensors.size() == 1 ? "" : "s", bytes_text(bytes));
}

std::string tensor_json(const OpenedRepo& o, std::span<const std::uint32_t> tensors) {
  Json rows = Json::array();
  for (const std::uint32_t i : tensors) {
    const container::Tensor& t = o.checkpoint.tensors()[i];
    rows.push_back({{"name", shown(t.name)},
                    {"dtype", dtype_name(t.dtype)},
                    {"shape", std::vector<std::uint64_t>(t.shape.begin(), t.shape.end())},
                    {"bytes", t.bytes()},
                    {"file", shown(o.checkpoint.shards()[t.shard].name)}});
  }
  return json_text(rows);
}

std::string weight_text(const OpenedRepo& o, std::uint32_t module,
                        const pipeline::InspectedWeight& w, const pipeline::Slice& slice) {
  const arch::Module& m = o.blueprint->modules()[module];
  const weights::WeightSummary& s = w.summary;
  std::string out = fmt::format("  {}\n\n", m.name);
  const auto row = [&](std::string_view label, const std::string& value) {
    out += fmt::format("  {:<12}{}\n", label, value);
  };
  row("class", fmt::format("{}{}{}", arch::class_name(m.cls),
                           m.layer < 0 ? "" : fmt::format(", layer {}", m.layer),
                           m.expert < 0 ? "" : fmt::format(", expert {}", m.expert)));
  row("stored", stored_words(o, module));
  row("shape", fmt::format("[{}], {} values, {}", fmt::join(w.parameter.shape, ", "),
                           with_commas(s.elements), bytes_text(w.parameter.bytes())));
  row("range", fmt::format("{:.6g} to {:.6g}, mean {:.4g}, deviation {:.4g}", s.min, s.max, s.mean,
                           s.deviation));
  row("special", fmt::format("{} NaN, {} Inf, {} zeros ({:.2f} %)", with_commas(s.nan),
                             with_commas(s.inf), with_commas(s.zeros),
                             100 * static_cast<double>(s.zeros) /
                                 static_cast<double>(std::max<std::uint64_t>(1, s.elements))));
  if (w.error) {
    row("error",
        fmt::format("{:.4g} % of the reference's norm, SQNR {:.2f} dB, cosine {:.6f}, "
                    "largest {:.4g}",
                    100 * w.error->rel_fro, w.error->sqnr_db, w.error->cosine, w.error->max_abs));
  }
  out += "\n" + histogram_text(s) + "\n";
  const auto values = values_text(w.parameter, slice);
  return out + (values ? *values : "  " + values.error().message + "\n");
}

std::string weight_json(const OpenedRepo& o, std::uint32_t module,
                        const pipeline::InspectedWeight& w) {
  const arch::Module& m = o.blueprint->modules()[module];
  const weights::WeightSummary& s = w.summary;
  Json j = {{"name", m.name},
            {"class", arch::class_name(m.cls)},
            {"layer", m.layer},
            {"expert", m.expert},
            {"stored", stored_words(o, module)},
            {"shape", w.parameter.shape},
            {"bytes", w.parameter.bytes()},
            {"elements", s.elements},
            {"nan", s.nan},
            {"inf", s.inf},
            {"zeros", s.zeros},
            {"min", s.min},
            {"max", s.max},
            {"mean", s.mean},
            {"deviation", s.deviation},
            {"histogram", {{"limit", s.limit}, {"counts", s.histogram}}}};
  if (w.error) {
    j["error"] = {{"relative", w.error->rel_fro},
                  {"sqnr_db", w.error->sqnr_db},
                  {"cosine", w.error->cosine},
                  {"max_abs", w.error->max_abs}};
  }
  return json_text(j);
}

}  // namespace ckpt::cli
