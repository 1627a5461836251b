#include "validator/cli/summary_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "validator/base/text.h"

namespace ckpt::cli {
namespace {

struct ClassRow {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;
  std::map<std::string_view, std::uint64_t> dtypes;  ///< tensors per dtype
};

/// Class name -> row, in the order of the blueprint's classes; unplaced tensors last.
std::vector<std::pair<std::string, ClassRow>> rows_of(const pipeline::OpenedRepo& o) {
  constexpr int kNoPlace = 1 << 16;
  std::map<int, ClassRow> rows;
  for (const container::Tensor& t : o.checkpoint.tensors()) {
    int key = kNoPlace;
    if (o.blueprint) {
      const std::int32_t at = o.blueprint->locate(t.name).module;
      if (at >= 0) {
        key = static_cast<int>(o.blueprint->modules()[static_cast<std::size_t>(at)].cls);
      }
    }
    ClassRow& row = rows[key];
    ++row.tensors;
    row.bytes += t.bytes();
    ++row.dtypes[dtype_name(t.dtype)];
  }
  std::vector<std::pair<std::string, ClassRow>> out;
  for (auto& [key, row] : rows) {
    std::string name = key != kNoPlace
                           ? std::string(arch::class_name(static_cast<arch::ModuleClass>(key)))
                       : o.blueprint ? std::string("no place in the architecture")
                                     : std::string("all tensors");
    out.emplace_back(std::move(name), std::move(row));
  }
  return out;
}

std::string dtypes_text(const ClassRow& row) {
  std::string out;
  for (const auto& [dtype, n] : row.dtypes) {
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", with_commas(n), dtype);
  }
  return out;
}

}  // namespace

std::string summary_json(const pipeline::OpenedRepo& opened) {
  const results::CheckpointFacts f = pipeline::facts_of(opened);
  nlohmann::ordered_json out{{"architecture", f.architecture},
                             {"layers", f.layers},
                             {"linear_attention_layers", f.linear_layers},
                             {"full_attention_layers", f.full_layers},
                             {"experts", f.experts},
                             {"experts_per_token", f.top_k},
                             {"scheme", f.scheme},
                             {"kept_at_16_bits", f.kept},
                             {"tensors", f.tensors},
                             {"parameters", f.parameters},
                             {"bytes", f.bytes}};
  out["files"] = nlohmann::ordered_json::array();
  for (const container::Shard& s : opened.checkpoint.shards()) {
    out["files"].push_back({{"name", shown(s.name)}, {"tensors", s.tensors}, {"usable", s.usable}});
  }
  out["classes"] = nlohmann::ordered_json::array();
  for (const auto& [name, row] : rows_of(opened)) {
    nlohmann::ordered_json dtypes = nlohmann::ordered_json::object();
    for (const auto& [dtype, n] : row.dtypes) dtypes[std::string(dtype)] = n;
    out["classes"].push_back(
        {{"class", name}, {"tensors", row.tensors}, {"bytes", row.bytes}, {"dtypes", dtypes}});
  }
  return out.dump(2) + "\n";
}

std::string summary_text(const pipeline::OpenedRepo& opened) {
  std::string out;
  const auto rows = rows_of(opened);
  std::size_t width = 0;
  for (const auto& [name, row] : rows) width = std::max(width, name.size());
  for (const auto& [name, row] : rows) {
    out += fmt::format("  {:<{}}  {:>8}  {:>10}   {}\n", name, width,
                       fmt::format("{} t", with_commas(row.tensors)), bytes_text(row.bytes),
                       dtypes_text(row));
  }
  if (!rows.empty()) out += "\n";
  for (const container::Shard& s : opened.checkpoint.shards()) {
    out += fmt::format("  {}   {} tensors{}\n", shown(s.name, 60), with_commas(s.tensors),
                       s.usable ? "" : ", header unreadable");
  }
  return out;
}

}  // namespace ckpt::cli
