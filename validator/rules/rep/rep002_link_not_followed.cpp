#include "validator/rules/places.h"

#include <fmt/format.h>

#include "validator/base/text.h"

namespace ckpt::rules {
namespace rep002 {

void run(const RuleInput& in, const Emit& emit) {
  for (const repo::Entry& e : in.repo->entries()) {
    if (e.kind == repo::EntryKind::regular) continue;
    Draft draft;
    const std::string_view what =
        e.kind == repo::EntryKind::dangling_link  ? "is a link that leads nowhere"
        : e.kind == repo::EntryKind::link_outside ? "is a link that leaves the repo"
                                                  : "is not a regular file";
    draft.message = fmt::format("`{}` {}", shown(e.name, 60), what);
    draft.subject = shown(e.name);
    results::Location w;
    w.file = shown(e.name);
    draft.where.push_back(std::move(w));
    draft.fix = "put the file itself into the repo";
    emit(std::move(draft));
  }
}

}  // namespace rep002

extern const Rule kREP002;
const Rule kREP002{
    .code = "REP002",
    .name = "link-not-followed",
    .severity = results::Severity::error,
    .unwaivable = true,
    .what =
        "No link in the repo leads out of it or to nothing, and no special file stands in "
        "it.",
    .why =
        "A link out of the repo is content that will not be uploaded, or somebody else's "
        "file. It is named, never opened.",
    .bad = "config.json -> ../../etc/passwd",
    .good = "a regular file",
    .fix = "put the file itself into the repo",
    .sources = "hostile-inputs 4.9",
    .run = rep002::run,
};

}  // namespace ckpt::rules
