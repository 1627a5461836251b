#pragma once
// What the command line said; one struct per command, filled by app.cpp.

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "validator/cli/progress_line.h"
#include "validator/cli/terminal.h"
#include "validator/pipeline/check.h"
#include "validator/policy/apply.h"
#include "validator/repo/hub.h"
#include "validator/results/results.h"

namespace ckpt::reports {
struct Options;
}

namespace CLI {
class App;
}

namespace ckpt::cli {

class Interrupt;

/// Bytes below which the memory of a GPU is a number whose unit was forgotten.
inline constexpr std::uint64_t kSmallestMemory = 1U << 20;

struct GlobalOptions {
  std::string format = "text";       ///< one of reports::formats()
  std::string output;                ///< file instead of standard output
  std::vector<std::string> reports;  ///< F=PATH, or F alone for standard output
  int quiet = 0;
  bool verbose = false;
  std::string color = "auto";
  std::string progress = "auto";
  unsigned threads = 0;
  bool reproducible = false;
  std::string config;  ///< file, `none`, or empty: looked for from the working directory up
  bool offline = false;
  bool remote = false;
  std::string token_file;

  [[nodiscard]] ColorMode color_mode() const;
  [[nodiscard]] ProgressMode progress_mode() const;
  /// Why a report could not be written when a long run has ended; empty when nothing is in the way.
  [[nodiscard]] std::string outputs_flaw() const;
  /// How repos on the hub are read; says on standard error what it asks for.
  [[nodiscard]] repo::HubOptions hub(std::stop_token stop = {}) const;
};

/// What is wrong with a code or the beginning of codes that a person wrote; empty when a rule has
/// it.
[[nodiscard]] std::string no_such_code(const std::string& text);

struct CheckArgs {
  std::vector<std::string> targets;
  bool deep = false;
  bool headers_only = false;
  std::vector<std::string> loaders;
  std::vector<std::string> select;
  std::vector<std::string> extend_select;
  std::vector<std::string> ignore;
  std::vector<std::string> severity;  ///< CODE=LEVEL
  std::uint64_t tensor_parallel = 0;
  std::uint64_t expert_parallel = 0;
  std::string gpu;         ///< the device to serve on, as the user named it
  std::string gpu_memory;  ///< its memory, where the name leaves it open
  std::string base;        ///< checkpoint that the target was made from
  bool preview = false;
  std::string baseline;
  std::string write_baseline;
  std::string fail_on;  ///< empty: the configuration's, else error
  std::string show = "1";
};

struct InspectArgs {
  std::string target;
  std::string plan;     ///< loader whose plan is shown, `all`, or empty: the summary
  std::string pattern;  ///< tensors, or one module; empty: the summary
  std::string reference;
  std::string slice = "0:8,0:8";
  std::string save;
  std::string sort = "name";
  std::string show = "40";
};

struct KlArgs {
  std::vector<std::string> targets;
  std::set<std::string> given;  ///< options on the command line, as `--tokens`
  std::string reference;
  std::string text = "builtin:mixed-v1";
  std::string token_ids;
  std::string prompts;  ///< JSON lines with text and images
  std::uint64_t tokens = 4096;
  std::uint64_t context = 512;
  std::uint64_t seed = 0;
  std::string mode = "fp32";
  std::string backend = "auto";
  std::string memory;
  bool skip_local = false;
  std::string attribute = "none";
  std::size_t top_experts = 8;
  bool confirm = false;
  bool noise_floor = false;
  std::string save_bundle;
  std::string bundle_detail = "head";
  std::string journal;
  std::string resume;
  std::uint64_t journal_interval = 20;
  std::string shard;  ///< `2/8`; empty: all sequences
  std::string part;
  std::vector<std::string> gates;
  std::string fail_on;  ///< empty: the configuration's, else error
  std::string show = "1";

  [[nodiscard]] bool is_given(const std::string& option) const { return given.contains(option); }
};

[[nodiscard]] CLI::App* add_kl_command(CLI::App& app, KlArgs& args);

struct MergeArgs {
  std::vector<std::string> parts;
  std::vector<std::string> gates;
  std::string fail_on;
  std::string show = "1";
};

[[nodiscard]] CLI::App* add_merge_command(CLI::App& app, MergeArgs& args);
[[nodiscard]] int run_merge_command(const GlobalOptions& global, const MergeArgs& args);

/// `--fail-on` and `--show`, the same in every command that has findings.
void findings_options(CLI::App& app, std::string& fail_on, std::string& show);

/// The last lines of every `--help`.
inline constexpr std::string_view kExitCodes =
    "\nExit codes:\n"
    "  0  pass          everything asked for was looked at, nothing found at or above --fail-on\n"
    "  1  fail          at least one such finding, gates included\n"
    "  2  incomplete    wrong usage, something could not be read, nothing to check\n"
    "  3  -             internal error\n"
    "  4  inconclusive  a gate's interval contains its limit\n"
    "  130, 143         interrupted, terminated\n";

struct PruneVerifyArgs {
  std::string target;
  std::string base;
  std::string fail_on = "error";
};

[[nodiscard]] CLI::App* add_prune_command(CLI::App& app, PruneVerifyArgs& args);
[[nodiscard]] int run_prune_command(const GlobalOptions& global, const PruneVerifyArgs& args,
                                    Interrupt& interrupt);

struct ReportArgs {
  std::string results;
  std::string to;  ///< the same as --format
  std::string table = "findings";
  std::string figure = "layers";
  std::string show = "1";
  std::string update;  ///< model card whose block is replaced
  bool front_matter = false;
  bool diff = false;
};

[[nodiscard]] CLI::App* add_report_command(CLI::App& app, ReportArgs& args);
[[nodiscard]] int run_report_command(GlobalOptions global, const ReportArgs& args);

struct EstimateOptions {
  std::string target;
  std::vector<std::uint64_t> contexts;   ///< empty: 32,768 and the config's longest
  std::vector<std::uint64_t> sequences;  ///< empty: 1, 4, 16
  std::string kv_dtype = "bf16";
  std::uint64_t tensor_parallel = 1;
  std::string gpu_memory;
};

[[nodiscard]] CLI::App* add_estimate_command(CLI::App& app, EstimateOptions& options);
[[nodiscard]] int run_estimate_command(const GlobalOptions& global, const EstimateOptions& options);

struct DiffOptions {
  std::string a;
  std::string b;
  bool deep = false;
  std::vector<std::string> only;
  bool ignore_dtype = false;
};

[[nodiscard]] CLI::App* add_diff_command(CLI::App& app, DiffOptions& options);
[[nodiscard]] int run_diff_command(const GlobalOptions& global, const DiffOptions& options,
                                   Interrupt& interrupt);

struct FixArgs {
  std::string target;
  std::string base;
  std::vector<std::string> select;
  bool diff = false;
  bool write = false;
  bool backup = false;
  std::string output;  ///< folder for a repo whose weights are laid out anew
  std::string shard_size = "5G";
};

[[nodiscard]] CLI::App* add_fix_command(CLI::App& app, FixArgs& args);
[[nodiscard]] int run_fix_command(const GlobalOptions& global, const FixArgs& args,
                                  Interrupt& interrupt);

/// The options of `check` that say what it was made from and where it is to be served.
void add_target_options(CLI::App& check, CheckArgs& args);

/// JSON Schema (2020-12) of ckpt-check.toml, two-space indentation.
[[nodiscard]] std::string settings_schema();

[[nodiscard]] CLI::App* add_doctor_command(CLI::App& app, bool& clean_cache);
/// Prints environment, effective configuration and a self-test; 3 when the self-test fails.
[[nodiscard]] int run_doctor_command(const GlobalOptions& global, bool clean_cache);

[[nodiscard]] int run_check_command(const GlobalOptions& global, const CheckArgs& args,
                                    Interrupt& interrupt);
[[nodiscard]] int run_inspect_command(const GlobalOptions& global, const InspectArgs& args);
[[nodiscard]] int run_kl_command(const GlobalOptions& global, const KlArgs& args,
                                 Interrupt& interrupt);
[[nodiscard]] int run_explain_command(const std::vector<std::string>& codes, bool json);
[[nodiscard]] int run_rules_command(const std::vector<std::string>& select, bool json,
                                    bool markdown);

/// What the reports of this run need to know beside the results.
[[nodiscard]] reports::Options report_options(const GlobalOptions& global, std::uint64_t show);

/// Writes every report asked for; false when one could not be rendered or written, which has been
/// said.
[[nodiscard]] bool deliver_reports(const std::vector<results::Results>& results,
                                   const GlobalOptions& global, reports::Options options);

/// Renders `results` in every format asked for. Returns the exit code: the largest one of the
/// results, or 2 when something could not be written.
[[nodiscard]] int deliver(const std::vector<results::Results>& results, const GlobalOptions& global,
                          std::uint64_t show);

/// Writes to --output or standard output. Returns the exit code, 0 or 2.
[[nodiscard]] int deliver_text(const std::string& content, const GlobalOptions& global);

/// `N` or `all`; empty when it is neither.
[[nodiscard]] std::optional<std::uint64_t> parse_show(const std::string& text);

/// The configuration of this run; options have not been applied. Errors: io, usage.
[[nodiscard]] Result<policy::Settings> load_settings(const GlobalOptions& global);

/// Adds a note when the target brings a configuration of its own, which is not used.
void note_unused_settings(const policy::Settings& settings, const std::string& target,
                          results::Results& results);

[[nodiscard]] pipeline::FailOn parse_fail_on(const std::string& text);

/// Now, as `2026-11-21T09:00:00Z`; SOURCE_DATE_EPOCH when it is set.
[[nodiscard]] std::string timestamp();

}  // namespace ckpt::cli
