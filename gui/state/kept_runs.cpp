#include "gui/state/kept_runs.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/limits.h"

namespace ckpt::gui {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRuns = 20;
constexpr std::uint64_t kMostBytes = 64ULL << 20;  // of one results file

/// Folders begin with the time of their run.
std::vector<std::string> newest_runs(const std::string& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  std::ranges::sort(names, std::ranges::greater{});
  if (names.size() > kMostRuns) names.resize(kMostRuns);
  return names;
}

bool written_since(const std::string& folder, const results::Target& target,
                   fs::file_time_type when) {
  return std::ranges::any_of(target.files, [&](const results::FileRecord& f) {
    std::error_code error;
    const auto time = fs::last_write_time(fs::path(folder) / f.path, error);
    return error || time > when;
  });
}

bool same_files(const results::Target& a, const results::Target& b) {
  return !a.files.empty() && std::ranges::equal(a.files, b.files, [](const auto& x, const auto& y) {
    return x.path == y.path && x.bytes == y.bytes;
  });
}

/// The worse one of two verdicts.
const results::Run& worse(const results::Run& a, const results::Run& b) {
  constexpr std::array<std::string_view, 4> kOrder{"fail", "incomplete", "inconclusive", "pass"};
  const auto rank = [&](const results::Run& r) { return std::ranges::find(kOrder, r.verdict); };
  return rank(b) < rank(a) ? b : a;
}

}  // namespace

std::string newest_results(const std::string& folder, const pipeline::OpenedRepo& repo) {
  const results::Target target = pipeline::target_of(repo);
  for (const std::string& name : newest_runs(folder)) {
    const std::string path = folder + "/" + name + "/results.json";
    std::error_code error;
    const auto when = fs::last_write_time(path, error);
    if (error || written_since(repo.repo.folder(), target, when)) continue;
    const auto file = open_file(path);
    if (!file) continue;
    auto text = read_text(*file, kMostBytes);
    const auto all = text ? results::from_json(*std::move(text))
                          : Result<std::vector<results::Results>>(std::vector<results::Results>{});
    if (all && all->size() == 1 && same_files(all->front().target, target)) return path;
  }
  return {};
}

results::Results joined(results::Results checked, const results::Results& measured) {
  const results::Run& worst = worse(checked.run, measured.run);
  const std::string verdict = worst.verdict;
  std::vector<results::Incomplete> incomplete = measured.run.incomplete;
  incomplete.insert(incomplete.end(), checked.run.incomplete.begin(), checked.run.incomplete.end());
  std::vector<results::Finding> findings = measured.findings;
  for (results::Finding& f : checked.findings) {
    const std::string print = f.fingerprint();
    if (std::ranges::find(measured.findings, print, &results::Finding::fingerprint) ==
        measured.findings.end()) {
      findings.push_back(std::move(f));
    }
  }
  checked.run = measured.run;
  checked.run.verdict = verdict;
  checked.run.incomplete = std::move(incomplete);
  checked.findings = std::move(findings);
  checked.gates = measured.gates;
  checked.metrics = measured.metrics;
  checked.ranking = measured.ranking;
  checked.how = measured.how;
  return checked;
}

}  // namespace ckpt::gui
