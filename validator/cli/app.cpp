#include "validator/cli/app.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <new>
#include <span>

#include "reports/formats.h"
#include "reports/screen.h"
#include "validator/base/text.h"
#include "validator/cli/build_info.h"
#include "validator/cli/gui_command.h"
#include "validator/cli/help_format.h"
#include "validator/cli/interrupt.h"
#include "validator/cli/option_table.h"
#include "validator/cli/options.h"

namespace ckpt::cli {
namespace {

constexpr std::string_view kExamples =
    "ckpt-check: is this quantized checkpoint sound, and how far is it from its BF16 original?\n"
    "\n"
    "  ckpt-check ./MyModel-W4A16                             check a repo before publishing it\n"
    "  ckpt-check kl ./MyModel-W4A16 --reference ./MyModel    KL divergence, layer by layer\n"
    "  ckpt-check explain QNT004                              what a finding means, how to fix it\n"
    "  ckpt-check inspect ./MyModel-W4A16 --plan vllm         what a loader will build, module by "
    "module\n"
    "\n";

bool looks_like_path(std::string_view s) {
  return s == "." || s == ".." || s.find('/') != std::string_view::npos || s.starts_with("hf://");
}

/// `ckpt-check ./repo` means `check ./repo`.
std::vector<std::string> arguments(int argc, char** argv) {
  std::vector<std::string> args(argv + 1, argv + argc);
  if (!args.empty() && looks_like_path(args[0]) && !args[0].starts_with('-')) {
    args.insert(args.begin(), "check");
  }
  std::ranges::reverse(args);  // CLI11 takes them from the back
  return args;
}

std::string check_report(const std::string& value) {
  const std::size_t eq = value.find('=');
  const std::string format = value.substr(0, eq);
  if (reports::find_format(format) == nullptr) {
    return fmt::format("no format `{}`; there are {}", shown(format, 40), reports::format_names());
  }
  const bool complete = eq == std::string::npos ? format == "github" : eq + 1 < value.size();
  return complete ? "" : "give FORMAT=PATH; PATH may be - for standard output";
}

std::string check_format(const std::string& value) {
  if (reports::find_format(value) != nullptr) return {};
  return fmt::format("no format `{}`; there are {}", shown(value, 40), reports::format_names());
}

class Program {
 public:
  Program() {
    app_.formatter(help_format());  // that of every command
    app_.name("ckpt-check");
    app_.set_help_flag("-h,--help", "Show this help");
    app_.footer(std::string(kExitCodes));
    app_.fallthrough();
    app_.require_subcommand(0, 1);
    global();
    check();
    kl_ = add_kl_command(app_, kl_args_);
    merge_ = add_merge_command(app_, merge_args_);
    inspect();
    fix_ = add_fix_command(app_, fix_args_);
    diff_ = add_diff_command(app_, diff_args_);
    estimate_ = add_estimate_command(app_, estimate_args_);
    prune_ = add_prune_command(app_, prune_args_);
    report_ = add_report_command(app_, report_args_);
    gui_ = add_gui_command(app_, gui_args_);
    doctor_ = add_doctor_command(app_, clean_cache_);
    explain();
    generated();
  }

  int run(int argc, char** argv) {
    if (argc < 2) {
      (void)print(examples());
      return 2;
    }
    if (const auto complaint = unknown_command(argc, argv)) {
      complain(*complaint);
      return 2;
    }
    try {
      app_.parse(arguments(argc, argv));
    } catch (const CLI::CallForHelp&) {
      const auto chosen = app_.get_subcommands();
      return print(chosen.empty() ? examples() + "\n" + app_.help() : chosen[0]->help());
    } catch (const CLI::ParseError& e) {
      const auto chosen = app_.get_subcommands();
      complain(e.what() + near_option(argc, argv, chosen.empty() ? app_ : *chosen[0]));
      complain(fmt::format("`ckpt-check {}--help` shows what there is",
                           chosen.empty() ? "" : chosen[0]->get_name() + " "));
      return 2;
    }
    if (version_) {
      return print(version_text());
    }
    return dispatch();
  }

 private:
  CLI::App app_{"Inspection and validation of quantized checkpoints"};
  GlobalOptions global_;
  CheckArgs check_args_;
  KlArgs kl_args_;
  MergeArgs merge_args_;
  InspectArgs inspect_args_;
  DiffOptions diff_args_;
  FixArgs fix_args_;
  EstimateOptions estimate_args_;
  PruneVerifyArgs prune_args_;
  ReportArgs report_args_;
  GuiOptions gui_args_;
  std::vector<std::string> codes_;
  std::vector<std::string> rule_select_;
  std::string schema_name_ = "results";
  bool json_ = false;
  bool rule_markdown_ = false;
  bool version_ = false;
  CLI::App* check_ = nullptr;
  CLI::App* kl_ = nullptr;
  CLI::App* merge_ = nullptr;
  CLI::App* inspect_ = nullptr;
  CLI::App* diff_ = nullptr;
  CLI::App* fix_ = nullptr;
  CLI::App* estimate_ = nullptr;
  CLI::App* prune_ = nullptr;
  CLI::App* report_ = nullptr;
  CLI::App* gui_ = nullptr;
  CLI::App* doctor_ = nullptr;
  bool clean_cache_ = false;
  CLI::App* explain_ = nullptr;
  CLI::App* rules_ = nullptr;
  CLI::App* schema_ = nullptr;
  CLI::App* completions_ = nullptr;
  CLI::App* man_ = nullptr;
  std::string shell_;

  static int print(const std::string& text) {
    const auto written = write_stdout(text);
    if (!written) complain(written.error().message);
    return written ? 0 : 2;
  }

  std::string version_text() const {
    if (!json_) return fmt::format("ckpt-check {} ({})\n", CKPT_VERSION, build_text());
    return fmt::format(
        "{{\"name\":\"ckpt-check\",\"version\":\"{}\",\"results_schema\":\"{}\",\"build\":{}}}\n",
        CKPT_VERSION, results::kSchemaVersion, build_json());
  }

  void global() {
    app_.add_option("-f,--format", global_.format,
                    "Format on standard output: " + reports::format_names())
        ->check(CLI::Validator(check_format, "FORMAT"))
        ->envname("CKPT_CHECK_FORMAT");
    app_.add_flag("--json", json_, "The same as --format json");
    app_.add_option("-o,--output", global_.output, "Write that format to FILE instead");
    app_.add_option(
            "--report", global_.reports,
            "Also write FORMAT=PATH; repeatable, - is standard output; github needs no PATH")
        ->check(CLI::Validator(check_report, "FORMAT=PATH"));
    app_.add_flag("-q,--quiet", global_.quiet,
                  "Findings and verdict only; -qq: the exit code only");
    app_.add_flag("-v,--verbose", global_.verbose, "More detail");
    app_.add_option("--color", global_.color, "auto, always or never")
        ->check(CLI::IsMember({"auto", "always", "never"}))
        ->envname("CKPT_CHECK_COLOR");
    app_.add_option("--progress", global_.progress, "auto, bar, plain, json or none")
        ->check(CLI::IsMember({"auto", "bar", "plain", "json", "none"}))
        ->envname("CKPT_CHECK_PROGRESS");
    app_.add_option("--threads", global_.threads, "Workers; 0: one per processor")
        ->check(CLI::Range(0U, 1024U))
        ->envname("CKPT_CHECK_THREADS");
    app_.add_option("--config", global_.config,
                    "ckpt-check.toml to use, or none; else looked for from here up")
        ->envname("CKPT_CHECK_CONFIG");
    auto* offline = app_.add_flag("--offline", global_.offline, "Never use the network");
    app_.add_flag("--remote", global_.remote,
                  "Ask the hub for an org/name that is not in the cache; hf://org/name always does")
        ->excludes(offline);
    app_.add_option("--token-file", global_.token_file,
                    "File with the hub token; else HF_TOKEN, then what `hf auth login` keeps");
    app_.add_flag("--reproducible", global_.reproducible,
                  "Leave times, host and paths out of reports");
    app_.add_flag("--version", version_, "Show the version and how the program was built");
  }

  void check() {
    check_ =
        app_.add_subcommand("check", "Is the checkpoint sound, and will loaders load it as meant?");
    check_
        ->add_option("TARGET", check_args_.targets,
                     "Folder, .safetensors or .index.json file, org/name in the hub cache, or "
                     "hf://org/name")
        ->required();
    auto* deep = check_->add_flag("--deep", check_args_.deep,
                                  "Read the values too (checkpoints up to 256 MiB: always)");
    check_->add_flag("--headers-only", check_args_.headers_only, "Never read values")
        ->excludes(deep);
    check_
        ->add_option("--loaders", check_args_.loaders,
                     "Loaders to predict: vllm, transformers, sglang")
        ->delimiter(',')
        ->check(CLI::IsMember({"vllm", "transformers", "sglang"}));
    const CLI::Validator codes(no_such_code, "CODE");
    check_->add_option("--select", check_args_.select, "Only these codes or prefixes (QNT, QNT00)")
        ->delimiter(',')
        ->check(codes);
    check_
        ->add_option("--extend-select", check_args_.extend_select,
                     "These codes or prefixes in addition")
        ->delimiter(',')
        ->check(codes);
    check_->add_option("--ignore", check_args_.ignore, "Not these codes or prefixes")
        ->delimiter(',')
        ->check(codes);
    check_->add_option("--severity", check_args_.severity,
                       "CODE=error, warning or info; repeatable");
    add_target_options(*check_, check_args_);
    check_->add_option("--baseline", check_args_.baseline,
                       "Findings of this file are known and do not count");
    check_->add_option("--write-baseline", check_args_.write_baseline,
                       "Write the findings of this run as a baseline");
    findings_options(*check_, check_args_.fail_on, check_args_.show);
    check_->footer(
        "\nExamples:\n"
        "  ckpt-check check ./MyModel-W4A16\n"
        "  ckpt-check check ./A ./B --format concise --fail-on warning\n"
        "  ckpt-check check org/name --deep --report json=results.json\n"
        "  ckpt-check check hf://org/name@main     reads configs and headers, no weights\n" +
        std::string(kExitCodes));
  }

  void inspect() {
    inspect_ = app_.add_subcommand(
        "inspect",
        "What is in here, and what will a loader build from it? Config and headers only");
    inspect_
        ->add_option("TARGET", inspect_args_.target,
                     "Folder, .safetensors or .index.json file, org/name in the hub cache, or "
                     "hf://org/name")
        ->required();
    inspect_->add_option("PATTERN", inspect_args_.pattern,
                         "Part of tensor names, * for anything: a table; one module's name: its "
                         "values");
    inspect_->add_option("--reference", inspect_args_.reference,
                         "Show the error of the module against this checkpoint");
    inspect_->add_option("--slice", inspect_args_.slice, "Rows and columns to show, as 0:8,0:8");
    inspect_->add_option("--save", inspect_args_.save,
                         "Write the decoded module as .npy or .safetensors (f32)");
    inspect_->add_option("--sort", inspect_args_.sort, "Order of the table: name or bytes")
        ->check(CLI::IsMember({"name", "bytes"}));
    inspect_->add_option("--show", inspect_args_.show, "Rows of the table: a number or all");
    inspect_
        ->add_option("--plan", inspect_args_.plan,
                     "Show the load plan of vllm, transformers or sglang, or of all three")
        ->check(CLI::IsMember({"vllm", "transformers", "sglang", "all"}));
    inspect_->footer(
        "\nWithout --plan: architecture, scheme, and per class of module the tensors, bytes and "
        "dtypes.\n"
        "With --plan: for every module the loader builds, fused ones as it fuses them, the scheme "
        "it\n"
        "resolves, which entry of the config decided, the parameters it asks for, and whether the\n"
        "files hold them. A module at which the loader raises shows the exception; a config that "
        "it\n"
        "refuses as a whole is said so. The weights may be missing; values are never read.\n"
        "\n"
        "As JSON a plan is {loader, version, modules: [{name, members, quantized, bits, "
        "group_size,\n"
        "sym, strategy, format, source, expected, outcome, ...}]}, with {name, members, error, "
        "message}\n"
        "where the loader raises; --plan all gives a list of plans. group_size -1: per channel.\n"
        "\nExamples:\n"
        "  ckpt-check inspect ./MyModel-W4A16\n"
        "  ckpt-check inspect ./MyModel-W4A16 'layers.3.*scales'\n"
        "  ckpt-check inspect ./MyModel-W4A16 model.layers.3.self_attn.q_proj --reference ./BF16\n"
        "  ckpt-check inspect ./MyModel-W4A16 --plan sglang\n"
        "  ckpt-check inspect ./MyModel-W4A16 --plan all --format json\n" +
        std::string(kExitCodes));
  }

  void explain() {
    explain_ = app_.add_subcommand("explain", "What a code means, why it matters, how to fix it");
    explain_->add_option("CODE", codes_, "Codes such as QNT004")->required();
    rules_ = app_.add_subcommand("rules", "The catalogue of rules");
    rules_->add_flag("--markdown", rule_markdown_, "All of it as one Markdown page");
    rules_->add_option("--select", rule_select_, "Only these codes or prefixes")
        ->delimiter(',')
        ->check(CLI::Validator(no_such_code, "CODE"));
    schema_ = app_.add_subcommand("schema", "JSON Schema of the results, or of ckpt-check.toml");
    schema_->add_option("NAME", schema_name_, "results or config")
        ->check(CLI::IsMember({"results", "config"}));
  }

  void generated() {
    completions_ = app_.add_subcommand("completions", "Completion script for a shell");
    completions_->add_option("SHELL", shell_, "bash, zsh or fish")
        ->check(CLI::IsMember({"bash", "zsh", "fish"}))
        ->required();
    completions_->footer(
        "\nExamples:\n"
        "  source <(ckpt-check completions bash)\n"
        "  ckpt-check completions zsh > ~/.zfunc/_ckpt-check\n"
        "  ckpt-check completions fish > ~/.config/fish/completions/ckpt-check.fish\n");
    man_ = app_.add_subcommand("man", "The manual page, in roff");
    man_->footer("\nExample:\n  ckpt-check man | man -l -\n");
  }

  int dispatch() {
    if (json_) global_.format = "json";
    if (const std::string flaw = global_.outputs_flaw(); !flaw.empty()) {
      complain(flaw);
      return 2;
    }
    if (completions_->parsed()) {
      return deliver_text(completions(option_table(app_), shell_), global_);
    }
    if (man_->parsed()) return deliver_text(man_page(option_table(app_), kExitCodes), global_);
    if (explain_->parsed()) return run_explain_command(codes_, json_);
    if (rules_->parsed()) return run_rules_command(rule_select_, json_, rule_markdown_);
    if (schema_->parsed()) {
      return print(schema_name_ == "config" ? settings_schema()
                                            : std::string(reports::results_schema()));
    }
    if (doctor_->parsed()) return run_doctor_command(global_, clean_cache_);
    if (inspect_->parsed()) return run_inspect_command(global_, inspect_args_);
    if (report_->parsed()) return run_report_command(global_, report_args_);
    if (gui_->parsed()) return run_gui_command(global_, gui_args_);
    Interrupt interrupt;
    if (check_->parsed()) return run_check_command(global_, check_args_, interrupt);
    if (fix_->parsed()) return run_fix_command(global_, fix_args_, interrupt);
    if (estimate_->parsed()) return run_estimate_command(global_, estimate_args_);
    if (diff_->parsed()) return run_diff_command(global_, diff_args_, interrupt);
    if (prune_->parsed()) return run_prune_command(global_, prune_args_, interrupt);
    if (kl_->parsed()) return run_kl_command(global_, kl_args_, interrupt);
    if (merge_->parsed()) return run_merge_command(global_, merge_args_);
    (void)print(examples());
    return 2;
  }

  [[nodiscard]] std::vector<std::string> commands() const {
    std::vector<std::string> out;
    for (const CommandEntry& c : option_table(app_).commands) out.push_back(c.name);
    return out;
  }

  /// The help of one screen.
  [[nodiscard]] std::string examples() const {
    const std::string names = fmt::format("Commands: {}.", fmt::join(commands(), ", "));
    return fmt::format("{}{}\n`ckpt-check COMMAND --help` tells more.\n", kExamples,
                       reports::wrap(names, 0, 0, kHelpWidth));
  }

  /// Of the options on the command line the first that `command` does not know, with the likely
  /// one; "" when there is none.
  [[nodiscard]] std::string near_option(int argc, char** argv, const CLI::App& command) const {
    std::vector<std::string> known;
    for (const CLI::App* app : {&command, static_cast<const CLI::App*>(&app_)}) {
      for (const CLI::Option* option : app->get_options()) {
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
      }
    }
    for (const std::string word : std::span(argv, static_cast<std::size_t>(argc))) {
      const std::string name = word.substr(0, word.find('='));
      if (!name.starts_with("--") || std::ranges::find(known, name) != known.end()) continue;
      const std::string_view near = nearest(name, known);
      return near.empty() ? "" : fmt::format("; did you mean {}?", near);
    }
    return {};
  }

  /// A bare first word that is no command: name the likely one.
  [[nodiscard]] std::optional<std::string> unknown_command(int argc, char** argv) const {
    if (argc < 2 || argv[1][0] == '-' || looks_like_path(argv[1])) return std::nullopt;
    const std::string word = argv[1];
    const std::vector<std::string> known = commands();
    if (std::ranges::find(known, word) != known.end()) return std::nullopt;
    const std::string_view near = nearest(word, known);
    return fmt::format("unknown command `{}`{}; for a folder write ./{}", shown(word, 60),
                       near.empty() ? "" : fmt::format(", did you mean `{}`?", near),
                       shown(word, 60));
  }
};

}  // namespace

int run(int argc, char** argv) {
  open_standard_streams();
  try {
    return Program().run(argc, argv);
  } catch (const std::bad_alloc&) {
    complain("out of memory; a smaller --memory or fewer --tokens needs less");
    return 2;
  } catch (const std::exception& e) {
    complain(
        fmt::format("internal error: {}; please report it with the command you ran", e.what()));
    return 3;
  }
}

}  // namespace ckpt::cli
