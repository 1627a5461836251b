#include <fmt/format.h>

#include <map>
#include <set>

#include "validator/base/text.h"
#include "validator/rules/documents.h"

namespace ckpt::rules {
namespace idx013 {

struct Numbered {
  std::string family;  // what stands before the number, and the total
  int number = -1;
  int total = -1;
};

/// `model-00002-of-00003.safetensors` in its parts; number -1 when it is not numbered.
Numbered parse(std::string_view name) {
  constexpr std::string_view kEnd = ".safetensors";
  if (!name.ends_with(kEnd)) return {};
  name.remove_suffix(kEnd.size());
  const std::size_t of = name.rfind("-of-");
  if (of == std::string_view::npos || of < 6 || name[of - 6] != '-') return {};
  const auto digits = [](std::string_view text) {
    int value = 0;
    for (const char c : text) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return text.size() == 5 ? value : -1;
  };
  return {std::string(name.substr(0, of - 6)) + std::string(name.substr(of)),
          digits(name.substr(of - 5, 5)), digits(name.substr(of + 4))};
}

void run(const RuleInput& in, const Emit& emit) {
  if (!in.repo->single_file().empty()) return;
  std::map<std::string, std::set<int>> families;
  std::map<std::string, int> totals;
  const auto note = [&](std::string_view name) {
    Numbered n = parse(name);
    if (n.number < 1 || n.total < 1) return;
    totals[n.family] = n.total;
    families[std::move(n.family)].insert(n.number);
  };
  for (const repo::Entry& e : in.repo->entries()) note(e.name);
  // A shard that the index names has a finding of its own when it is missing.
  if (in.checkpoint->index()) {
    std::string_view last;
    for (const container::IndexEntry& e : in.checkpoint->index()->entries) {
      if (e.file != last) note(e.file);
      last = e.file;
    }
  }
  for (const auto& [family, numbers] : families) {
    const int total = totals[family];
    const auto have = static_cast<int>(std::distance(numbers.begin(), numbers.upper_bound(total)));
    if (have >= total) continue;
    int missing = 1;
    while (numbers.contains(missing)) ++missing;
    Draft draft;
    draft.message = fmt::format("{} of {} numbered shards are there, the first gap is {}", have,
                                total, missing);
    draft.subject = shown(family);
    draft.where.push_back(
        at_file(fmt::format("{:05}{}", missing, family.substr(family.rfind("-of-")))));
    draft.fix = "upload the missing shards, or number them anew";
    emit(std::move(draft));
  }
}

}  // namespace idx013

extern const Rule kIDX013;
const Rule kIDX013{
    .code = "IDX013",
    .name = "shard-numbering-gap",
    .severity = results::Severity::warning,
    .what = "Shards numbered -000NN-of-000MM are all there.",
    .why =
        "A gap means an interrupted upload or a shard that was dropped. Without an index a "
        "loader takes what lies there and says nothing of the rest.",
    .bad = "model-00001-of-00003.safetensors and model-00003-of-00003.safetensors only",
    .good = "1, 2 and 3 of 3",
    .fix = "upload the missing shards, or number anew",
    .sources = "loaders IX010",
    .run = idx013::run,
};

}  // namespace ckpt::rules
