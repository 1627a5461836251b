// `fix`: shows what would change as a diff, asks, writes.

#include <fmt/format.h>
#include <unistd.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <set>

#include "validator/base/line_diff.h"
#include "validator/base/text.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/options.h"
#include "validator/pipeline/relay.h"
#include "validator/pipeline/repair.h"

namespace ckpt::cli {
namespace {

/// A diff for the terminal: the lines come from strangers' files.
std::string safe_diff(const pipeline::FileChange& c, bool color) {
  const std::string diff = unified_diff(shown(c.name), c.before, c.after);
  std::string out;
  for (std::string_view rest = diff; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    std::string text;
    for (const char ch : line) text += ch == '\t' ? ' ' : ch;
    text = shown(text, 1000);
    const char* paint = line.starts_with('+')   ? "\x1b[32m"
                        : line.starts_with('-') ? "\x1b[31m"
                                                : "";
    out += color && *paint != '\0' ? fmt::format("{}{}\x1b[0m\n", paint, text) : text + "\n";
  }
  return out;
}

std::string plural(std::size_t n, std::string_view word) {
  return fmt::format("{} {}{}", n, word, n == 1 ? "" : "s");
}

std::string plan_text(const pipeline::RepairPlan& plan, bool color, bool new_repo) {
  std::string out;
  for (const pipeline::FileChange& c : plan.changes) out += safe_diff(c, color) + "\n";
  for (const results::Finding& f : plan.repaired) {
    out += fmt::format("  repairs {}  {}\n", f.code, f.fix);
  }
  for (const pipeline::Unrepaired& u : plan.refused) {
    out += fmt::format("  leaves  {}  {}: {}\n", u.finding.code, u.finding.message, u.why);
  }
  std::set<std::string> asked;  // right for every loader of today: rewritten when selected
  for (const results::Finding& f : plan.after.findings) {
    if (f.severity == results::Severity::info && !f.edits.empty()) asked.insert(f.code);
  }
  if (!asked.empty()) {
    out += fmt::format("  also    {}: information only, repaired with --select {}\n",
                       fmt::join(asked, ", "), fmt::join(asked, ","));
  }
  for (const std::string& note : plan.after.notes) out += fmt::format("  note    {}\n", note);
  if (plan.changes.empty()) {
    out += plan.refused.empty() ? "  nothing to repair in configs and index\n"
                                : "  nothing can be repaired\n";
  } else {
    out += fmt::format("\n  {} in {}; afterwards {}, {}\n", plural(plan.repaired.size(), "repair"),
                       plural(plan.changes.size(), "file"),
                       plural(plan.after.count(results::Severity::error), "error"),
                       plural(plan.after.count(results::Severity::warning), "warning"));
  }
  if (const auto left = plan.after.count(results::Severity::error); left > 0 && !new_repo) {
    out += fmt::format(
        "  {} left, shown by `ckpt-check check`; --output DIR writes a new repo with\n"
        "  tensors renamed and split as loaders read them, and the index made anew\n",
        plural(left, "error"));
  }
  return out;
}

std::string plan_json(const pipeline::RepairPlan& plan, bool written) {
  using Json = nlohmann::ordered_json;
  const auto brief = [](const results::Finding& f) {
    return Json{{"code", f.code}, {"subject", f.subject}, {"fix", f.fix}};
  };
  Json changes = Json::array();
  for (const pipeline::FileChange& c : plan.changes) {
    changes.push_back({{"file", c.name},
                       {"new", c.is_new},
                       {"sha256_before", c.is_new ? "" : results::sha256_hex(c.before)},
                       {"sha256_after", results::sha256_hex(c.after)},
                       {"diff", unified_diff(c.name, c.before, c.after)}});
  }
  Json repaired = Json::array();
  for (const results::Finding& f : plan.repaired) repaired.push_back(brief(f));
  Json refused = Json::array();
  for (const pipeline::Unrepaired& u : plan.refused) {
    Json j = brief(u.finding);
    j["why"] = u.why;
    refused.push_back(std::move(j));
  }
  const Json all{{"written", written},
                 {"changes", std::move(changes)},
                 {"repaired", std::move(repaired)},
                 {"refused", std::move(refused)},
                 {"errors_after", plan.after.count(results::Severity::error)},
                 {"warnings_after", plan.after.count(results::Severity::warning)}};
  return all.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool agreed() {
  std::cerr << "ckpt-check: write these changes? [y/N] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "Y" || answer == "yes");
}

std::string relay_text(const pipeline::RelayPlan& p) {
  std::string out = fmt::format("  weights: {} renamed, {} cut in two, {} from the base, in {}\n",
                                plural(p.renamed, "tensor"), p.split, p.from_base,
                                plural(p.shards.size(), "file"));
  for (std::size_t i = 0; i < std::min<std::size_t>(p.refused.size(), 5); ++i) {
    out += fmt::format("  leaves  {}\n", p.refused[i]);
  }
  if (p.refused.size() > 5) out += fmt::format("  and {} more\n", p.refused.size() - 5);
  return out;
}

/// `fix --output`: a new repo beside the old one.
int write_new_repo(const GlobalOptions& global, const FixArgs& args,
                   const pipeline::RepairPlan& repairs, Interrupt& interrupt) {
  const auto failed = [&interrupt](const Error& error) {
    complain(error.message);
    return interrupt.exit_code() != 0 ? interrupt.exit_code() : 2;
  };
  std::uint64_t shard_bytes = 0;
  if (!parse_size(args.shard_size, shard_bytes) || shard_bytes == 0) {
    complain(fmt::format("--shard-size `{}`: write a size such as 5G", shown(args.shard_size, 40)));
    return 2;
  }
  // Names follow the repaired config.
  auto repo = repo::Repo::open(args.target);
  if (!repo) return failed(repo.error());
  for (const pipeline::FileChange& c : repairs.changes) repo->overlay(c.name, c.after);
  const pipeline::OpenedRepo opened(*std::move(repo));
  std::unique_ptr<pipeline::OpenedRepo> base;
  if (!args.base.empty()) {
    auto there = pipeline::open_target(args.base);
    if (!there) return failed(there.error());
    base = *std::move(there);
  }
  const auto plan = pipeline::plan_relay(opened, base.get(), shard_bytes);
  if (!plan) return failed(plan.error());
  if (global.format != "json") (void)write_stdout(relay_text(*plan));
  {
    const auto progress = make_progress(global.progress_mode());
    const auto done = pipeline::write_relay(
        {opened, base.get(), *plan, repairs.changes, args.output, *progress, interrupt.token()});
    if (!done) return failed(done.error());
  }
  const auto written = pipeline::open_target(args.output);
  if (!written) return failed(written.error());
  ThreadPool pool(global.threads);
  NoProgress quiet;
  pipeline::CheckOptions options;
  options.values = false;
  results::Results after = pipeline::run_check(**written, options, pool, quiet, interrupt.token());
  constexpr std::uint64_t kPlaces = 1;
  return deliver({std::move(after)}, global, kPlaces);
}

}  // namespace

int run_fix_command(const GlobalOptions& global, const FixArgs& args, Interrupt& interrupt) {
  pipeline::RepairArgs repair{.target = args.target, .base = args.base};
  repair.check.select = args.select;
  ThreadPool pool(global.threads);
  auto plan = pipeline::plan_repairs(repair, pool, interrupt.token());
  if (!plan) {
    complain(plan.error().message);
    return 2;
  }
  if (interrupt.exit_code() != 0) return interrupt.exit_code();
  if (!args.output.empty() && (args.write || args.backup)) {
    complain("--output writes a new repo: --write and --backup are for the old one");
    return 2;
  }
  const bool json = global.format == "json";
  const std::string& kind = plan->before.target.kind;
  const bool shared = kind == "hf_cache";
  if (shared && args.write) {
    complain("the files of the hub cache are shared: write a new repo with --output DIR");
    return 2;
  }
  const bool color = use_color(global.color_mode(), STDOUT_FILENO);
  if (!json) {
    if (auto out = write_stdout(plan_text(*plan, color, !args.output.empty())); !out) {
      complain(out.error().message);
      return 2;
    }
  }
  if (!args.output.empty()) return write_new_repo(global, args, *plan, interrupt);
  const bool may_ask = !json && !args.diff && !args.write && !shared && is_terminal(STDIN_FILENO) &&
                       is_terminal(STDERR_FILENO);
  const bool write = !plan->changes.empty() && (args.write || (may_ask && agreed()));
  if (write) {
    if (auto done = pipeline::write_changes(plan->changes, plan->folder, args.backup); !done) {
      complain(done.error().message);
      return 2;
    }
    if (!json && global.quiet == 0)
      complain(fmt::format("wrote {}", plural(plan->changes.size(), "file")));
  }
  if (json) {
    if (auto out = write_stdout(plan_json(*plan, write)); !out) return 2;
  }
  if (plan->changes.empty()) return plan->refused.empty() ? 0 : 1;
  return write && plan->refused.empty() ? 0 : 1;
}

}  // namespace ckpt::cli
