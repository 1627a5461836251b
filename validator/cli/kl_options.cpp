// Option parsing of `kl` and `merge`.

#include <CLI/CLI.hpp>
#include <cstdlib>

#include "kernels/devices.h"
#include "validator/cli/options.h"

namespace ckpt::cli {

void findings_options(CLI::App& c, std::string& fail_on, std::string& show) {
  c.add_option("--fail-on", fail_on, "Least severity that fails: error, warning, info, never")
      ->check(CLI::IsMember({"error", "warning", "info", "never"}))
      ->envname("CKPT_CHECK_FAIL_ON");
  c.add_option("--show", show, "Places shown per finding: a number or all")
      ->check(CLI::Validator(
          [](const std::string& s) { return parse_show(s) ? "" : std::string("a number or all"); },
          "N|all"));
}

namespace {

/// Names of the options that the command line gave; what comes from the environment is a default.
std::set<std::string> given_options(const CLI::App& command) {
  std::set<std::string> out;
  for (const CLI::Option* option : command.get_options()) {
    if (option->count() == 0) continue;
    const char* value = option->get_envname().empty() ? nullptr
                                                      : std::getenv(  // NOLINT
                                                            option->get_envname().c_str());
    if (value != nullptr && option->results() == std::vector<std::string>{value}) continue;
    out.insert(option->get_name());
  }
  return out;
}

}  // namespace

CLI::App* add_kl_command(CLI::App& app, KlArgs& args) {
  CLI::App* kl = app.add_subcommand(
      "kl", "How far is it from its BF16 reference? KL, perplexity, layers, experts, advice");
  kl->add_option("TARGET", args.targets, "The quantized checkpoint; several are ranked")
      ->required();
  kl->add_option("--reference", args.reference,
                 "The BF16 original or a bundle of it (or [kl] in ckpt-check.toml)");
  kl->add_option("--text", args.text, "builtin:NAME or a UTF-8 text file");
  kl->add_option("--token-ids", args.token_ids,
                 "Token ids instead of text: .json (list of lists) or .npy [sequences, length]");
  kl->add_option("--prompts", args.prompts,
                 "Prompts with images instead of text: JSON lines {\"images\": [\"a.png\"], "
                 "\"text\": \"...\"}")
      ->excludes("--text")
      ->excludes("--token-ids");
  kl->add_option("--tokens", args.tokens, "Tokens to evaluate; 0: the whole text")
      ->check(CLI::Range(0.0, 1e15))
      ->envname("CKPT_CHECK_TOKENS");
  kl->add_option("--context", args.context, "Tokens per sequence")->check(CLI::Range(2U, 1U << 20));
  kl->add_option("--seed", args.seed, "Seed of the bootstrap")->check(CLI::Range(0.0, 1e15));
  kl->add_option("--mode", args.mode,
                 "fp32: exact; bf16: rounded as served; fp16: shows where float16 overflows")
      ->check(CLI::IsMember({"fp32", "bf16", "fp16"}));
  kl->add_option("--backend", args.backend,
                 "auto, cpu, cuda[:N] or, for layers in turn, cuda:N,M; auto is the CPU for now")
      ->check(CLI::Validator(
          [](const std::string& s) {
            const auto backend = kernels::parse_backend(s);
            return backend ? std::string() : backend.error().message;
          },
          "auto|cpu|cuda[:N[,M...]]"));
  kl->add_option("--memory", args.memory,
                 "Memory to use, such as 8G or 16Gi (default: three quarters of what is free)");
  kl->add_flag("--skip-local", args.skip_local,
               "Leave out local errors of layers and experts, to save time");
  kl->add_option("--attribute", args.attribute,
                 "What costs how much: layer, class, both (with advice below a kl.mean gate) or "
                 "expert")
      ->check(CLI::IsMember({"none", "layer", "class", "both", "expert"}));
  kl->add_option("--top-experts", args.top_experts,
                 "With --attribute expert: how many are measured one by one")
      ->check(CLI::Range(1U, 256U));
  kl->add_flag("--confirm", args.confirm, "Measure the advised promotions in a further pass");
  kl->add_flag("--noise-floor", args.noise_floor,
               "Also measure what BF16 rounding alone would do to the reference");
  kl->add_option("--save-bundle", args.save_bundle,
                 "Keep what later runs need of the reference in this file");
  kl->add_option("--bundle-detail", args.bundle_detail,
                 "head: KL; layers: also each layer's propagated error, as many times larger")
      ->check(CLI::IsMember({"head", "layers"}));
  kl->add_option("--journal", args.journal,
                 "Folder for the state of the run; goes on when it holds one of the same run");
  kl->add_option("--resume", args.resume, "As --journal, and an error when there is no state");
  kl->add_option("--journal-interval", args.journal_interval,
                 "Seconds between two states; 0: after every layer")
      ->check(CLI::Range(0.0, 1e9));
  kl->add_option("--shard", args.shard, "I/N: only the I-th of N parts of the sequences");
  kl->add_option("--part", args.part, "With --shard: write what `merge` needs to this file");
  kl->add_option("--gate", args.gates, "Fail unless it holds, e.g. 'kl.mean<=0.014'; repeatable");
  findings_options(*kl, args.fail_on, args.show);
  kl->parse_complete_callback([kl, &args] { args.given = given_options(*kl); });
  kl->footer(
      "\nGates name a number of the results below `metrics`: kl.mean, kl.median, kl.max, kl.p99,\n"
      "agreement.top1, agreement.confident_flips, perplexity.ratio, delta_p.rms, nonfinite.count,\n"
      "layers.max_local_error, experts.max_error, router.overlap.\n"
      "\nCosts of classes count the norm before a mixer with the mixer. Under mpirun the "
      "processes\n"
      "share the layers: every weight is read once in all, the results are those of one process.\n"
      "\nExamples:\n"
      "  ckpt-check kl ./MyModel-W4A16 --reference ./MyModel\n"
      "  ckpt-check kl ./MyModel-W4A16 --reference ./MyModel --gate 'kl.mean<=0.014' --json\n"
      "  ckpt-check kl ./W4 --reference ./BF16 --attribute both --gate 'kl.mean<=0.01' --confirm\n"
      "  ckpt-check kl ./W4 --reference ./BF16 --prompts prompts.jsonl\n"
      "  ckpt-check kl ./A ./B ./C --reference ./BF16      which one is closest?\n"
      "  ckpt-check kl ./A --reference ./BF16 --save-bundle bf16.bundle\n"
      "  ckpt-check kl ./B --reference bf16.bundle         without the reference's weights\n"
      "  ckpt-check kl ./A --reference ./BF16 --journal run --tokens 65536 --context 1024\n"
      "  ckpt-check kl ./A --reference ./BF16 --shard 2/8 --part part.2\n"
      "  mpirun -n 4 ckpt-check kl ./A --reference ./BF16\n" +
      std::string(kExitCodes));
  return kl;
}

CLI::App* add_merge_command(CLI::App& app, MergeArgs& args) {
  CLI::App* merge = app.add_subcommand(
      "merge", "Put the parts of a sharded kl run together: the results of one run, to the bit");
  merge->add_option("PART", args.parts, "Files that `kl --shard I/N --part FILE` wrote")
      ->required();
  merge->add_option("--gate", args.gates,
                    "Fail unless it holds, e.g. 'kl.mean<=0.014'; repeatable");
  findings_options(*merge, args.fail_on, args.show);
  merge->footer(
      "\nExample, on one machine or on three:\n"
      "  ckpt-check kl ./W4 --reference ./BF16 --shard 1/3 --part part.1\n"
      "  ...\n"
      "  ckpt-check merge part.1 part.2 part.3 --gate 'kl.mean<=0.014'\n" +
      std::string(kExitCodes));
  return merge;
}

}  // namespace ckpt::cli
