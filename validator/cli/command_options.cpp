// The options of the smaller commands. In one file because the parser's headers take ten seconds to
// compile.

#include <CLI/CLI.hpp>

#include "reports/formats.h"
#include "validator/cli/options.h"

namespace ckpt::cli {

void add_target_options(CLI::App& check, CheckArgs& args) {
  check
      .add_option("--base", args.base,
                  "The checkpoint it was made from: compare every module with it")
      ->envname("CKPT_CHECK_BASE");
  check.add_option("--gpu", args.gpu, "The device to serve on: rtx4090, h100, t4, sm_89, cpu, ...")
      ->envname("CKPT_CHECK_GPU");
  check.add_option("--gpu-memory", args.gpu_memory,
                   "Memory of one GPU, such as 40Gi, where the name does not say it");
  check
      .add_option("--tensor-parallel", args.tensor_parallel,
                  "GPUs that will share every layer: judge the sizes for that number")
      ->check(CLI::Range(1U, 1024U));
  check
      .add_option("--expert-parallel", args.expert_parallel,
                  "GPUs that will share the experts: judge their number for it")
      ->check(CLI::Range(1U, 1024U));
  check.add_flag("--preview", args.preview, "Run rules in preview, too (see `rules`)");
}

CLI::App* add_doctor_command(CLI::App& app, bool& clean_cache) {
  CLI::App* c = app.add_subcommand("doctor", "Environment, effective configuration, self-test");
  c->add_flag("--clean-cache", clean_cache, "Delete what was kept of repos on the hub");
  c->footer(
      "\nShows the CPU level and the CUDA devices that would be used, and why not where there are\n"
      "none; the folders that are read and written; every key of the configuration with its value\n"
      "and where that comes from. Then checks two files of its own making.\n"
      "\nExamples:\n"
      "  ckpt-check doctor\n"
      "  ckpt-check doctor --json\n"
      "  ckpt-check doctor --clean-cache\n"
      "\nExit codes: 0 it works; 2 the configuration cannot be read; 3 the self-test fails.\n");
  return c;
}

CLI::App* add_fix_command(CLI::App& app, FixArgs& args) {
  CLI::App* fix = app.add_subcommand("fix", "Repair configs and the index, never a weight");
  fix->add_option("TARGET", args.target, "Folder to repair")->required();
  auto* diff = fix->add_flag("--diff", args.diff, "Show the changes, never write");
  fix->add_flag("--write", args.write, "Write without asking")->excludes(diff);
  fix->add_option("--select", args.select, "Repair only these codes or prefixes (QNT, QNT00)")
      ->delimiter(',')
      ->check(CLI::Validator(no_such_code, "CODE"));
  fix->add_flag("--backup", args.backup, "Keep the old content as NAME.orig");
  fix->add_option("--base", args.base,
                  "Base model: missing tokenizer and processor files are copied from it, with "
                  "--output unquantized routers too");
  auto* output = fix->add_option("--output", args.output,
                                 "Write a repaired repo here, its tensors renamed and cut as all "
                                 "loaders read them")
                     ->excludes(diff);
  fix->add_option("--shard-size", args.shard_size, "Largest file that --output writes")
      ->needs(output);
  fix->footer(
      "\nEvery repair is tried in memory first: it is shown only when the check of the repaired\n"
      "repo no longer has the finding and has no new error. Files are written whole or not at "
      "all.\n"
      "\nExamples:\n"
      "  ckpt-check fix ./MyModel-W4A16              show the changes, then ask\n"
      "  ckpt-check fix ./MyModel-W4A16 --diff       for a review or a CI log\n"
      "  ckpt-check fix ./MyModel-W4A16 --write --backup --base ./MyModel\n"
      "  ckpt-check fix ./MyModel-W4A16 --output ./MyModel-W4A16-fixed\n"
      "\nExit codes: 0 nothing left to repair; 1 something left to repair (also with --diff);\n"
      "2 the target cannot be read or written.\n");
  return fix;
}

CLI::App* add_estimate_command(CLI::App& app, EstimateOptions& o) {
  CLI::App* c = app.add_subcommand("estimate", "Will it fit: disk, weights, KV cache, states");
  c->add_option("TARGET", o.target,
                "Folder, .safetensors file, org/name in the hub cache, or hf://org/name")
      ->required();
  c->add_option("--context", o.contexts, "Tokens per sequence, a list")->delimiter(',');
  c->add_option("--sequences", o.sequences, "Sequences at the same time, a list")->delimiter(',');
  c->add_option("--kv-dtype", o.kv_dtype, "bf16 or fp8")->check(CLI::IsMember({"bf16", "fp8"}));
  c->add_option("--tensor-parallel", o.tensor_parallel, "GPUs that share every layer")
      ->check(CLI::Range(1U, 1024U));
  c->add_option("--gpu-memory", o.gpu_memory, "Memory of one GPU, such as 80Gi: says what fits");
  c->footer(
      "\nOnly full-attention layers have a KV cache; linear attention keeps a state of fixed "
      "size.\n"
      "Activations are an estimate: engines differ, and leave some memory unused on top.\n"
      "\nExamples:\n"
      "  ckpt-check estimate ./MyModel-W4A16 --gpu-memory 80Gi\n"
      "  ckpt-check estimate ./MyModel-W4A16 --context 32768,262144 --kv-dtype fp8\n"
      "  ckpt-check estimate ./MyModel-W4A16 --sequences 1,16 --tensor-parallel 4\n");
  return c;
}

CLI::App* add_diff_command(CLI::App& app, DiffOptions& o) {
  CLI::App* c = app.add_subcommand("diff", "What differs between two checkpoints");
  c->add_option("A", o.a, "The one")->required();
  c->add_option("B", o.b, "The other")->required();
  c->add_flag("--deep", o.deep, "Compare the values of tensors that both hold, too");
  c->add_option("--only", o.only, "Some of config, scheme, tensors, values")
      ->delimiter(',')
      ->check(CLI::IsMember({"config", "scheme", "tensors", "values"}));
  c->add_flag("--ignore-dtype", o.ignore_dtype, "Two dtypes of one tensor are no difference");
  c->footer(
      "\nLines with - are what A holds, lines with + what B holds. Names that differ in their\n"
      "numbers only are counted together.\n"
      "\nExamples:\n"
      "  ckpt-check diff ./MyModel-v1 ./MyModel-v2\n"
      "  ckpt-check diff ./MyModel-W4A16 ./MyModel-W4A16-fixed --deep --only tensors,values\n"
      "\nExit codes: 0 no difference; 1 differences; 2 one of them cannot be read.\n");
  return c;
}

CLI::App* add_report_command(CLI::App& app, ReportArgs& args) {
  CLI::App* c = app.add_subcommand("report", "Convert a results file (JSON) to another report");
  c->add_option("RESULTS", args.results, "What --json or `--report json=FILE` wrote")->required();
  c->add_option("--to", args.to, "The same as --format")
      ->check(CLI::Validator(
          [](const std::string& s) {
            return reports::find_format(s) != nullptr ? "" : "one of " + reports::format_names();
          },
          "FORMAT"));
  c->add_option("--table", args.table, "Table of the csv format")
      ->check(CLI::IsMember(reports::table_names()));
  c->add_option("--figure", args.figure, "Figure of the svg format")
      ->check(CLI::IsMember(reports::figure_names()));
  c->add_option("--show", args.show, "Places shown per finding: a number or all");
  auto* update = c->add_option("--update", args.update,
                               "Model card whose block (see -f card) is replaced, or added");
  c->add_flag("--front-matter,--metadata", args.front_matter,
              "With --update: our entry of model-index in the front matter, too")
      ->needs(update);
  c->add_flag("--diff", args.diff, "With --update: show the change, do not write")->needs(update);
  std::string formats;
  for (const reports::Format& f : reports::formats()) {
    std::string name(f.name);
    name.resize(13, ' ');
    formats += "  " + name + std::string(f.purpose) + "\n";
  }
  c->footer("\nFormats:\n" + formats +
            "\nExamples:\n"
            "  ckpt-check report results.json -f sarif -o results.sarif\n"
            "  ckpt-check report results.json -f csv --table experts -o experts.csv\n"
            "  ckpt-check report results.json -f svg --figure layers -o layers.svg\n"
            "  ckpt-check report results.json --update README.md --front-matter\n"
            "\nExit codes: 0 written; 2 not a results file, or it does not hold what is asked "
            "for.\n");
  return c;
}

CLI::App* add_prune_command(CLI::App& app, PruneVerifyArgs& args) {
  CLI::App* c = app.add_subcommand("prune-verify",
                                   "Is a pruned checkpoint exactly the kept experts of its base?");
  c->add_option("TARGET", args.target, "The pruned checkpoint, quantized or not")->required();
  c->add_option("--base", args.base, "The checkpoint it was pruned from")->required();
  c->add_option("--fail-on", args.fail_on, "Least severity that fails: error, warning, info, never")
      ->check(CLI::IsMember({"error", "warning", "info", "never"}));
  c->footer(
      "\nThe kept experts are recovered from the router's rows, for each layer. Then every expert\n"
      "must be the base's expert in that place, whatever the spelling (stacked or per expert), "
      "and\n"
      "everything else must be unchanged, bit for bit. Quantized experts are decoded and must lie\n"
      "within quantization error of the base's. `reap_metadata.json` is compared when it is "
      "there.\n"
      "\nExamples:\n"
      "  ckpt-check prune-verify ./MyModel-REAP-262B --base ./MyModel-397B\n"
      "  ckpt-check prune-verify ./MyModel-REAP-W4A16 --base ./MyModel-397B --json\n");
  return c;
}

}  // namespace ckpt::cli
