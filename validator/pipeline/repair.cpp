#include "validator/pipeline/repair.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::pipeline {
namespace {

using results::Edit;
using results::Finding;
using results::Results;
using results::Severity;

constexpr std::string_view kSideFile = "quantization_config.json";

using Files = std::map<std::string, std::string>;

/// What identifies a finding across two checks; places move when a file is edited.
std::pair<std::string, std::string> identity(const Finding& f) {
  return {f.code, f.subject};
}

/// Repo and base as they are, and the content of files as they would be.
class RepairPlanner {
 public:
  RepairPlanner(const RepairArgs& args, ThreadPool& pool, std::stop_token stop)
      : args_(args), pool_(pool), stop_(std::move(stop)) {
    args_.check.values = false;
  }

  Result<RepairPlan> run();

 private:
  Result<Results> check(const Files& files);
  Result<std::string> text_of(const std::string& name);
  Result<void> apply(const std::vector<const Finding*>& findings, Files& files);
  Result<void> round(const Results& found, RepairPlan& plan, bool& progress);
  bool better(const Results& before, const Results& after, const Finding& f,
              std::string& why) const;
  Result<void> side_file(RepairPlan& plan);
  Result<std::string> without_block(const std::string& config) const;

  RepairArgs args_;
  ThreadPool& pool_;
  std::stop_token stop_;
  NoProgress progress_;
  std::optional<repo::Repo> repo_;
  std::optional<repo::Repo> base_;
  Files files_;
  std::set<std::pair<std::string, std::string>> tried_;
};

Result<Results> RepairPlanner::check(const Files& files) {
  CKPT_TRY(repo::Repo repo, repo::Repo::open(args_.target), "target");
  for (const auto& [name, text] : files) repo.overlay(name, text);
  const OpenedRepo opened(std::move(repo));
  return run_check(opened, args_.check, pool_, progress_, stop_);
}

Result<std::string> RepairPlanner::text_of(const std::string& name) {
  if (const auto it = files_.find(name); it != files_.end()) return it->second;
  CKPT_TRY(const File file, repo_->open_file(name), "open");
  return read_text(file, limits::kLargeJsonBytes);
}

/// Applies the edits of `findings`, file by file from the end, so that offsets stay true.
Result<void> RepairPlanner::apply(const std::vector<const Finding*>& findings, Files& files) {
  std::map<std::string, std::vector<const Edit*>> by_file;
  for (const Finding* f : findings) {
    for (const Edit& e : f->edits) by_file[e.file].push_back(&e);
  }
  for (auto& [name, edits] : by_file) {
    if (name.find('/') != std::string::npos) {
      return fail(ErrorKind::internal, fmt::format("{}: not a file of the repo", shown(name)));
    }
    if (edits.front()->from_base) {
      if (!base_) return fail(ErrorKind::usage, "needs --base, a repo to copy the file from");
      CKPT_TRY(const File file, base_->open_file(name), "base");
      CKPT_TRY(files[name], read_text(file, limits::kLargeJsonBytes), "base");
      continue;
    }
    std::string text;
    if (const auto it = files.find(name); it != files.end()) {
      text = it->second;
    } else {
      CKPT_TRY(text, text_of(name), "repair");
    }
    std::ranges::stable_sort(edits, {}, [](const Edit* e) { return e->begin; });
    std::uint64_t free_until = text.size();
    for (auto it = edits.rbegin(); it != edits.rend(); ++it) {
      const Edit& e = **it;
      if (e.begin > e.end || e.end > free_until) {
        return fail(ErrorKind::usage, "two repairs of the same place");
      }
      text.replace(e.begin, e.end - e.begin, e.text);
      free_until = e.begin;
    }
    files[name] = std::move(text);
  }
  return {};
}

/// Whether `f` is gone and nothing that fails has come instead.
bool RepairPlanner::better(const Results& before, const Results& after, const Finding& f,
                           std::string& why) const {
  std::set<std::pair<std::string, std::string>> known;
  for (const Finding& b : before.findings) known.insert(identity(b));
  for (const Finding& a : after.findings) {
    if (identity(a) == identity(f) && a.count >= f.count) {
      why = "the finding would stay";
      return false;
    }
    if (a.severity == Severity::error && !known.contains(identity(a))) {
      why = fmt::format("it would bring {}: {}", a.code, a.message);
      return false;
    }
  }
  return true;
}

/// Tries the repairs of one check, first all at once, then one by one.
Result<void> RepairPlanner::round(const Results& found, RepairPlan& plan, bool& progress) {
  std::vector<const Finding*> open;
  for (const Finding& f : found.findings) {
    // What is right for every loader of today is rewritten only when its code is asked for.
    const bool wanted = f.severity != Severity::info || !args_.check.select.empty();
    if (wanted && !f.edits.empty() && tried_.insert(identity(f)).second) open.push_back(&f);
  }
  if (open.empty()) return {};
  Files all = files_;
  std::string why;
  if (apply(open, all)) {
    CKPT_TRY(const Results after, check(all), "check");
    if (std::ranges::all_of(open,
                            [&](const Finding* f) { return better(found, after, *f, why); })) {
      files_ = std::move(all);
      progress = true;
      return {};
    }
  }
  for (const Finding* f : open) {
    Files one = files_;
    // The offsets of this check hold only until the first file has changed.
    CKPT_TRY(const Results now, check(files_), "check");
    const auto same = std::ranges::find_if(
        now.findings, [&](const Finding& n) { return identity(n) == identity(*f); });
    if (same == now.findings.end()) continue;
    if (auto applied = apply({&*same}, one); !applied) {
      plan.refused.push_back({*f, applied.error().message});
      continue;
    }
    CKPT_TRY(const Results after, check(one), "check");
    if (!better(now, after, *same, why)) {
      plan.refused.push_back({*f, why});
      continue;
    }
    files_ = std::move(one);
    progress = true;
  }
  return {};
}

/// config.json without its quantization block, so that loaders and rules read the side file.
Result<std::string> RepairPlanner::without_block(const std::string& config) const {
  CKPT_TRY(const auto document, json::parse(config), "config.json");
  const json::Value block = document->root().find("quantization_config");
  if (!block.is(json::Kind::object)) return fail(ErrorKind::not_found, "no block");
  std::string text = config;
  return text.replace(block.offset(), block.end_offset() - block.offset(), "null");
}

/// quantization_config.json says the same as the block in config.json: repairs it the same way.
Result<void> RepairPlanner::side_file(RepairPlan& plan) {
  if (repo_->find(kSideFile) == nullptr) return {};
  CKPT_TRY(const std::string config, text_of("config.json"), "config");
  const auto without = without_block(config);
  if (!without) return {};
  Files as_if = files_;
  as_if["config.json"] = *without;
  CKPT_TRY(const Results found, check(as_if), "check");
  std::vector<const Finding*> open;
  for (const Finding& f : found.findings) {
    const bool here = !f.edits.empty() && std::ranges::all_of(f.edits, [](const Edit& e) {
      return e.file == kSideFile;
    });
    if (here) open.push_back(&f);
  }
  Files changed = as_if;
  if (open.empty() || !apply(open, changed)) return {};
  CKPT_TRY(const Results after, check(changed), "check");
  std::string why;
  const bool good =
      std::ranges::all_of(open, [&](const Finding* f) { return better(found, after, *f, why); });
  if (good) {
    files_[std::string(kSideFile)] = changed[std::string(kSideFile)];
  } else {
    plan.after.notes.push_back(fmt::format("{} was left as it is: {}", kSideFile, why));
  }
  return {};
}

Result<RepairPlan> RepairPlanner::run() {
  CKPT_TRY(repo_, repo::Repo::open(args_.target), "target");
  if (!args_.base.empty()) {
    CKPT_TRY(base_, repo::Repo::open(args_.base), "base");
  }
  RepairPlan plan;
  plan.folder = repo_->folder();
  CKPT_TRY(plan.before, check({}), "check");
  plan.after = plan.before;
  // A repair can uncover the next one; each finding is tried once, so this ends.
  for (bool progress = true; progress && !stop_.stop_requested();) {
    progress = false;
    CKPT_TRY_VOID(round(plan.after, plan, progress), "repair");
    if (!progress) break;
    CKPT_TRY(plan.after, check(files_), "check");
  }
  CKPT_TRY_VOID(side_file(plan), "repair");
  std::set<std::pair<std::string, std::string>> left;
  for (const Finding& f : plan.after.findings) left.insert(identity(f));
  for (const Finding& f : plan.before.findings) {
    if (!f.edits.empty() && !left.contains(identity(f))) plan.repaired.push_back(f);
  }
  for (auto& [name, after] : files_) {
    FileChange c{.name = name, .after = after, .is_new = repo_->find(name) == nullptr};
    if (!c.is_new) {
      CKPT_TRY(const File file, repo_->open_file(name), "open");
      CKPT_TRY(c.before, read_text(file, limits::kLargeJsonBytes), "read");
    }
    if (c.is_new || c.before != c.after) plan.changes.push_back(std::move(c));
  }
  return plan;
}

}  // namespace

Result<RepairPlan> plan_repairs(const RepairArgs& args, ThreadPool& pool, std::stop_token stop) {
  return RepairPlanner(args, pool, std::move(stop)).run();
}

Result<void> write_changes(const std::vector<FileChange>& changes, const std::string& folder,
                           bool backup) {
  for (const FileChange& c : changes) {
    const std::string path = folder + "/" + c.name;
    if (c.is_new) continue;
    CKPT_TRY(const File file, open_file(path), "open");
    CKPT_TRY(const std::string now, read_text(file, limits::kLargeJsonBytes), "read");
    if (now != c.before) {
      return fail(ErrorKind::usage,
                  fmt::format("{} has changed meanwhile, nothing was written", shown(c.name)));
    }
  }
  for (const FileChange& c : changes) {
    const std::string path = folder + "/" + c.name;
    if (backup && !c.is_new) CKPT_TRY_VOID(write_file(path + ".orig", c.before), "backup");
    CKPT_TRY_VOID(write_file(path, c.after), "write");
  }
  return {};
}

}  // namespace ckpt::pipeline
