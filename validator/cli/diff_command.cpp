// `diff`: two checkpoints side by side.

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/diff.h"

namespace ckpt::cli {
namespace {

std::string text_of(const pipeline::DiffReport& r, const pipeline::DiffArgs& args) {
  std::string out;
  std::string_view section;
  for (const pipeline::Difference& d : r.differences) {
    if (pipeline::diff_kind_name(d.kind) != section) {
      section = pipeline::diff_kind_name(d.kind);
      out += fmt::format("{}{}\n", out.empty() ? "" : "\n", section);
    }
    out += fmt::format("  {}{}\n", d.count == 1 ? d.first : d.where,
                       d.count == 1 ? "" : fmt::format("   ({})", with_commas(d.count)));
    if (d.kind == pipeline::DiffKind::values) {
      out += fmt::format("      {}\n", d.b);
      continue;
    }
    if (!d.a.empty()) out += fmt::format("    - {}\n", d.a);
    if (!d.b.empty()) out += fmt::format("    + {}\n", d.b);
  }
  if (!out.empty()) out += "\n";
  out += r.differences.empty() ? "  no difference"
                               : fmt::format("  {} differences", r.differences.size());
  out += fmt::format("; {} tensors in both", with_commas(r.tensors_compared));
  out += args.values ? fmt::format(", the values of {} compared, {}\n",
                                   with_commas(r.values_compared), bytes_text(r.bytes_compared))
                     : std::string(", values not compared (--deep)\n");
  return out;
}

std::string json_of(const pipeline::DiffReport& r) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const pipeline::Difference& d : r.differences) {
    list.push_back({{"kind", pipeline::diff_kind_name(d.kind)},
                    {"where", d.where},
                    {"first", d.first},
                    {"count", d.count},
                    {"a", d.a},
                    {"b", d.b}});
  }
  const nlohmann::ordered_json all{{"differences", std::move(list)},
                                   {"tensors_compared", r.tensors_compared},
                                   {"values_compared", r.values_compared},
                                   {"bytes_compared", r.bytes_compared}};
  return all.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace

int run_diff_command(const GlobalOptions& global, const DiffOptions& o, Interrupt& interrupt) {
  const auto a = pipeline::open_target(o.a, global.hub(interrupt.token()));
  const auto b = pipeline::open_target(o.b, global.hub(interrupt.token()));
  for (const auto* opened : {&a, &b}) {
    if (*opened) continue;
    complain(opened->error().message);
    return 2;
  }
  const auto wanted = [&o](const char* kind) {
    return o.only.empty() || std::ranges::find(o.only, kind) != o.only.end();
  };
  const auto progress = make_progress(global.progress_mode());
  const bool values = o.deep || (!o.only.empty() && wanted("values"));
  const pipeline::DiffArgs args{.a = **a,
                                .b = **b,
                                .config = wanted("config"),
                                .scheme = wanted("scheme"),
                                .tensors = wanted("tensors"),
                                .values = values,
                                .ignore_dtype = o.ignore_dtype,
                                .progress = *progress,
                                .stop = interrupt.token()};
  const auto report = pipeline::diff(args);
  if (!report) {
    complain(report.error().message);
    return interrupt.exit_code() != 0 ? interrupt.exit_code() : 2;
  }
  const bool json = global.format == "json";
  const int written = deliver_text(json ? json_of(*report) : text_of(*report, args), global);
  if (written != 0) return written;
  const bool damaged = (*a)->checkpoint.incomplete() || (*b)->checkpoint.incomplete();
  return !report->differences.empty() ? 1 : damaged ? 2 : 0;
}

}  // namespace ckpt::cli
