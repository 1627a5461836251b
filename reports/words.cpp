#include "reports/words.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "validator/base/text.h"

namespace ckpt::reports {

using results::Finding;
using results::Location;
using results::Results;
using results::Severity;

std::string verdict_word(const Results& r) {
  if (r.run.verdict == "pass") return "PASS";
  if (r.run.verdict == "fail") return "FAIL";
  return r.run.verdict == "inconclusive" ? "INCONCLUSIVE" : "INCOMPLETE";
}

std::string counts_text(const Results& r) {
  return fmt::format("{}, {}, {} info", plural(r.count(Severity::error), "error"),
                     plural(r.count(Severity::warning), "warning"), r.count(Severity::info));
}

std::string depth_text(const Results& r) {
  if (r.run.command == "kl") {
    if (r.how.tokens == 0) return {};
    const std::string images = r.how.images == 0 ? "" : " with " + plural(r.how.images, "image");
    return fmt::format("{} tokens of {}{}, {}, {}, {}", with_commas(r.how.tokens), r.how.text,
                       images, r.how.backend, r.how.mode, duration(r.run.duration_s));
  }
  return fmt::format("{} rules on {}, {}", r.rules_ran,
                     r.run.depth == "deep" ? "headers, configs and values" : "headers and configs",
                     duration(r.run.duration_s));
}

std::string plural(std::uint64_t n, std::string_view word) {
  return fmt::format("{} {}{}", with_commas(n), word, n == 1 ? "" : "s");
}

std::string duration(double seconds) {
  if (!(seconds >= 60)) return fmt::format("{:.1f} s", seconds);
  if (!(seconds < 1e9)) return "?";
  const auto whole = static_cast<long>(seconds + 0.5);
  return fmt::format("{} min {} s", whole / 60, whole % 60);
}

std::string number(double value) {
  return number_as("{:.3g}", value);
}

std::string percent(std::optional<double> value) {
  if (!value) return "-";
  return number_as("{:.2f} %", 100 * *value);
}

std::string parameters_text(std::uint64_t n) {
  const auto v = static_cast<double>(n);
  if (n >= 1'000'000'000) return fmt::format("{:.1f} B", v / 1e9);
  if (n >= 1'000'000) return fmt::format("{:.1f} M", v / 1e6);
  return with_commas(n);
}

std::string shape_text(const results::CheckpointFacts& c) {
  std::string out = fmt::format("{} layers ({} linear attention, {} full)", c.layers,
                                c.linear_layers, c.full_layers);
  if (c.experts != 0) {
    out += fmt::format(", {} experts, top {}{}", c.experts, c.top_k,
                       c.shared_expert ? ", 1 shared" : "");
  }
  return out;
}

std::string size_text(const results::CheckpointFacts& c) {
  return fmt::format("{} in {}, {} tensors, {} parameters", bytes_text(c.bytes),
                     plural(c.shards, "shard"), with_commas(c.tensors),
                     parameters_text(c.parameters));
}

std::string place_text(const Location& w) {
  if (w.line != 0) return fmt::format("{}:{}:{}", w.file, w.line, w.column);
  std::string out = w.file;
  if (w.byte_offset && w.tensor.empty()) {
    out += fmt::format(", byte {}", with_commas(*w.byte_offset));
  }
  return out.empty() ? w.module : out;
}

const Location* main_place(const Finding& f) {
  const auto with_line =
      std::ranges::find_if(f.where, [](const Location& w) { return w.line != 0; });
  if (with_line != f.where.end()) return &*with_line;
  const auto with_file =
      std::ranges::find_if(f.where, [](const Location& w) { return !w.file.empty(); });
  return with_file != f.where.end() ? &*with_file : nullptr;
}

std::string path_from_here(const results::Target& target, std::string_view file) {
  std::string_view folder = target.input;
  const bool is_path = target.kind == "folder" || target.kind == "file";
  if (!is_path || folder.starts_with('/') || folder.starts_with("..")) return std::string(file);
  while (folder.starts_with("./")) folder.remove_prefix(2);
  if (target.kind == "file") {
    const std::size_t slash = folder.rfind('/');
    folder = slash == std::string_view::npos ? "" : folder.substr(0, slash);
  }
  while (folder.ends_with('/')) folder.remove_suffix(1);
  if (folder.empty() || folder == ".") return std::string(file);
  return fmt::format("{}/{}", folder, file);
}

std::string repo_name(const results::Target& target) {
  if (!target.repo_id.empty()) return target.repo_id;
  std::string_view path = target.input;
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const std::string name(path.substr(path.rfind('/') + 1));
  return name.empty() ? "checkpoint" : name;
}

bool fails(const results::Run& run, const Finding& f) {
  if (f.status != "new" || run.fail_on == "never") return false;
  return f.severity >= results::severity_named(run.fail_on).value_or(Severity::error);
}

std::vector<std::string> effect_lines(const Finding& f) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < f.effects.size(); ++i) {
    if (i > 0 && f.effects[i - 1].text == f.effects[i].text) continue;
    std::string who = f.effects[i].loader;
    for (std::size_t j = i + 1; j < f.effects.size() && f.effects[j].text == f.effects[i].text;
         ++j) {
      who += ", " + f.effects[j].loader;
    }
    out.push_back(fmt::format("{}: {}", who, f.effects[i].text));
  }
  return out;
}

std::string set_aside_text(const Finding& f) {
  if (f.status == "new") return {};
  if (f.waiver) {
    const bool ends = f.waiver->until != "never";
    return fmt::format("waived{}: {}", ends ? " until " + f.waiver->until : " for good",
                       f.waiver->reason);
  }
  return f.status == "known" ? "in the baseline" : f.status;
}

std::string modality_words(const results::Modality& modality) {
  if (modality.name == "text") return "text before any image";
  if (modality.name == "image") return "inside an image";
  return modality.name == "text_after_image" ? "text after an image" : modality.name;
}

}  // namespace ckpt::reports
