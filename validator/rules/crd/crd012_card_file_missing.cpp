#include <fmt/format.h>

#include <array>

#include "validator/base/text.h"
#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd012 {

/// The file name a line of the list begins with, or empty.
std::string_view file_name(std::string_view text) {
  while (!text.empty() &&
         (text.front() == ' ' || text.front() == '-' || text.front() == '*' || text.front() == '`'))
    text.remove_prefix(1);
  const std::string_view name = text.substr(0, text.find_first_of(" \t`|#,:"));
  for (const char* end : {".json", ".safetensors", ".py", ".jinja", ".txt"}) {
    if (name.size() > 5 && name.ends_with(end) &&
        name.find_first_of("/*{}<>") == std::string_view::npos)
      return name;
  }
  return {};
}

constexpr std::size_t kMostTold = 20;

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || !in.repo->single_file().empty()) return;
  bool listed = false;
  std::size_t told = 0;
  for (const repo::CardLine& line : in.card->lines) {
    const std::string_view p = line.plain;
    const bool heading =
        !line.fenced && (p.starts_with("#") || p == "file structure" || p == "files");
    if (heading)
      listed =
          p.find("file structure") != std::string_view::npos || p == "files" || p == "## files";
    if (!listed || heading) continue;
    const std::string_view name = file_name(line.text);
    if (name.empty()) {
      // Without marks a list ends where lines of another kind begin.
      if (!line.fenced && !p.empty() && !p.starts_with("-") && !p.starts_with("|")) listed = false;
      continue;
    }
    if (in.repo->find(name) != nullptr || ++told > kMostTold) continue;
    emit(contradiction(
        in, line.number,
        fmt::format("the card lists `{}`, the repo has no such file", shown(name, 40)),
        shown(name)));
  }
}

}  // namespace crd012

extern const Rule kCRD012;
const Rule kCRD012{
    .code = "CRD012",
    .name = "card-file-missing",
    .severity = results::Severity::warning,
    .what = "Every file that the card's \"File structure\" section lists is in the repo.",
    .why =
        "An upload that stopped early, or a patch script that users are told to mount and "
        "cannot find.",
    .bad = "patch_vllm.py in the list, not in the repo",
    .good = "the list as the repo is",
    .fix = "upload the file, or take it from the list",
    .sources = "card 002; loaders DOC009",
    .run = crd012::run,
};

}  // namespace ckpt::rules
