// Which options of `kl` need, or exclude, which others: one table.

#include "validator/cli/kl_combinations.h"

#include <algorithm>
#include <span>

#include "validator/pipeline/gates.h"

namespace ckpt::cli {
namespace {

struct Row {
  bool broken;
  std::string_view message;
};

/// Whether some gate is a limit that an advice can aim at.
bool has_limit(const KlArgs& a) {
  return std::ranges::any_of(a.gates, [](const std::string& text) {
    const auto gate = pipeline::parse_gate(text);
    return gate && gate->name == "kl.mean" && gate->op.starts_with('<');
  });
}

Result<void> first_broken(std::span<const Row> rows) {
  const auto row = std::ranges::find_if(rows, &Row::broken);
  if (row == rows.end()) return {};
  return fail(ErrorKind::usage, std::string(row->message));
}

Result<void> check_partners(const KlArgs& a) {
  const bool expert = a.attribute == "expert";
  const bool advised = expert || a.attribute == "both";
  const bool journal = !a.journal.empty() || !a.resume.empty();
  const Row rows[] = {
      {a.confirm && !advised,
       "--confirm needs --attribute both or expert: it measures the advice that they give"},
      {a.confirm && !has_limit(a),
       "--confirm needs --gate 'kl.mean<=LIMIT': without a limit nothing is advised"},
      {a.is_given("--top-experts") && !expert, "--top-experts needs --attribute expert"},
      {a.skip_local && expert,
       "--skip-local does not go with --attribute expert: experts are chosen by local errors"},
      {a.is_given("--journal-interval") && !journal,
       "--journal-interval needs --journal or --resume"},
      {!a.journal.empty() && !a.resume.empty(),
       "--journal and --resume both name the folder: give one of them"},
      {a.is_given("--bundle-detail") && a.save_bundle.empty(),
       "--bundle-detail needs --save-bundle"},
      {!a.token_ids.empty() && a.is_given("--text"),
       "--text does not go with --token-ids: either is the input"},
      {!a.token_ids.empty() && a.is_given("--context"),
       "--context does not go with --token-ids: their sequences have a length already"},
      {!a.prompts.empty() && a.is_given("--context"),
       "--context does not go with --prompts: each is a sequence of its own"},
      {!a.part.empty() && (a.shard.empty() || a.attribute != "none" || a.noise_floor),
       "--part goes with --shard, and without --attribute and --noise-floor"},
      {!a.save_bundle.empty() && journal,
       "--save-bundle and --journal do not go together: a resumed run has not seen the states of "
       "its first half"},
      {a.targets.size() > 1 && (!a.part.empty() || journal || !a.save_bundle.empty()),
       "--part, --journal, --resume and --save-bundle take one TARGET at a time"},
  };
  return first_broken(rows);
}

Result<void> check_bundle(const KlArgs& a) {
  const Row rows[] = {
      {a.attribute != "none" || a.noise_floor || !a.journal.empty() || !a.resume.empty() ||
           !a.shard.empty() || !a.save_bundle.empty(),
       "with a bundle there is no --attribute, --noise-floor, --journal, --shard or "
       "--save-bundle: they need the reference's weights"},
      {a.is_given("--tokens") || a.is_given("--context") || !a.token_ids.empty(),
       "with a bundle there is no --tokens, --context or --token-ids: its token ids are fixed"},
      {a.skip_local, "with a bundle there is no --skip-local: it has no local errors"},
  };
  return first_broken(rows);
}

}  // namespace

Result<void> check_combinations(const KlArgs& args, const KlSituation& situation) {
  const bool states = !args.journal.empty() || !args.resume.empty() || !args.save_bundle.empty();
  if (situation.shared && (states || situation.bundle)) {
    return fail(ErrorKind::usage,
                "under mpirun, and on several devices, there is no --journal, --resume, "
                "--save-bundle or bundle: nobody has all the states");
  }
  const Result<void> alone = check_partners(args);
  return alone && situation.bundle ? check_bundle(args) : alone;
}

}  // namespace ckpt::cli
