#pragma once
// The struct tree that every report and the viewer read, and nothing else (results JSON 1.2).

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/result.h"

namespace ckpt::results {

inline constexpr std::string_view kSchemaVersion = "1.2";

enum class Severity : std::uint8_t { info, warning, error };
[[nodiscard]] std::string_view severity_name(Severity severity);
/// The inverse of severity_name; empty when `name` is none.
[[nodiscard]] std::optional<Severity> severity_named(std::string_view name);

/// Place of a finding. Text: file, pointer, line, column (1-based, code points, end exclusive).
/// Weights: file, tensor and, when known, bytes, dtype, shape. Model: module, layer, expert.
struct Location {
  std::string file;
  std::string pointer;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t end_line = 0;
  std::uint32_t end_column = 0;
  std::string source_line;  ///< the text line itself as it is in the file; JSON: up to 4,000 bytes
  std::string tensor;
  std::optional<std::uint64_t> byte_offset;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string module;
  int layer = -1;
  int expert = -1;
  std::string note;
};

/// What one loader does with the checkpoint because of a finding.
enum class LoaderState : std::uint8_t {
  loads_as_meant,
  slow_path,
  wrong_weights,
  wrong_output,
  does_not_load,
  not_predicted,
};
[[nodiscard]] std::string_view loader_state_name(LoaderState state);   ///< `does_not_load`
[[nodiscard]] std::string_view loader_state_words(LoaderState state);  ///< `does not load`
/// The inverse of loader_state_name; empty when `name` is none.
[[nodiscard]] std::optional<LoaderState> loader_state_named(std::string_view name);

struct Effect {
  std::string loader;  ///< `vllm`, `transformers`, `sglang`, or a remark such as `transformers 4`
  LoaderState state = LoaderState::does_not_load;
  std::string text;
};

/// One step of a repair: bytes [begin, end) of a text file become `text` (an insertion when begin
/// is end). With `from_base` the whole file is taken from the base model instead.
struct Edit {
  std::string file;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::string text;
  bool from_base = false;
};

/// Why a finding does not count, and until when.
struct Waived {
  std::string reason;
  std::string until;  ///< `2027-01-31` or `never`
};

struct Finding {
  std::string code;
  std::string name;
  Severity severity = Severity::error;
  std::string status = "new";  ///< new, known (in the baseline), waived; only new ones count
  std::optional<Waived> waiver;
  std::string message;  ///< a fact, lower case, at most 80 characters, no full stop
  std::string subject;
  std::uint64_t count = 1;
  std::vector<Location> where;  ///< at most limits::kFindingPlaces
  std::vector<Effect> effects;
  std::string fix;
  bool repairable = false;
  std::vector<Edit> edits;  ///< what `fix` does; JSON: up to 100 of them
  /// First 16 hex digits of SHA-256 over `v1`, code, file, subject, each followed by a newline.
  [[nodiscard]] std::string fingerprint() const;
};

struct LoaderOutcome {
  std::string name;
  std::string version;
  LoaderState state = LoaderState::loads_as_meant;
  std::vector<std::string> codes;
  std::string note;  ///< why it was not predicted
};

struct FileRecord {
  std::string path;
  std::uint64_t bytes = 0;
};

struct Target {
  std::string input;
  std::string kind = "folder";
  std::string repo_id;
  std::string revision;
  std::vector<FileRecord> files;
};

/// The identity block: what this checkpoint is.
struct CheckpointFacts {
  std::string architecture;
  std::uint64_t layers = 0;
  std::uint64_t linear_layers = 0;
  std::uint64_t full_layers = 0;
  std::uint64_t experts = 0;
  std::uint64_t top_k = 0;
  bool shared_expert = false;
  std::uint64_t tensors = 0;
  std::uint64_t parameters = 0;  ///< logical weights: packed words count as the weights they hold
  std::uint64_t bytes = 0;       ///< tensor bytes
  std::uint64_t shards = 0;
  std::string scheme;
  std::string kept;  ///< module classes kept at 16 bits, in words
};

struct Incomplete {
  std::string what;
  std::string why;
};

struct Gate {
  std::string name;  ///< dotted path below `metrics`, for example `kl.mean`
  std::string op;    ///< `<=`, `<`, `>=`, `>`, `==`
  double limit = 0;
  std::optional<double> value;
  std::optional<double> lower;
  std::optional<double> upper;
  std::string status;  ///< pass, fail, inconclusive, missing
  std::string code;
};

/// Summary of one per-position quantity (nats for KL). Percentiles are numpy's default, linear.
struct Distribution {
  std::uint64_t positions = 0;
  std::uint64_t nonfinite = 0;  ///< left out of mean and percentiles, never hidden
  double mean = 0;
  double se = 0;  ///< standard error, clustered by sequence
  std::array<double, 2> ci95{0, 0};
  double deff = 1;  ///< variance against independent positions
  double median = 0;
  double max = 0;
  std::map<std::string, double> percentiles;  ///< `0.1` ... `99.9`
  std::uint64_t max_sequence = 0;
  std::uint64_t max_position = 0;
  std::string max_token;
};

struct LayerMetrics {
  int layer = 0;
  std::string kind;                 ///< `linear_attention`, `full_attention`
  double local_error = 0;           ///< ||cand(x_ref) - ref(x_ref)|| / ||ref(x_ref) - x_ref||
  double local_error_residual = 0;  ///< the same difference over ||ref(x_ref)||
  double propagated_error = 0;      ///< ||h_cand - h_ref|| / ||h_ref|| after the layer
  double hidden_norm = 0;           ///< ||h_ref|| after the layer
  double router_overlap_local = 1;  ///< mean |top-k of both| / k, on the reference's inputs
  double router_overlap = 1;        ///< the same along the way
  double router_set_agreement = 1;  ///< share of tokens with the same set, along the way
  std::uint64_t boundary_ties = 0;  ///< tokens whose k-th and next router logits are equal
  /// Mean of 0.5 * sum over experts |g_ref - g_cand|, along the way; empty in files before 1.2.
  std::optional<double> router_gate_tv;
};

struct ExpertMetrics {
  int layer = 0;
  int expert = 0;
  std::uint64_t tokens = 0;  ///< that the reference sent to it
  /// Tokens that the candidate sent to it, along the way; empty in files before 1.2.
  std::optional<std::uint64_t> tokens_candidate;
  std::optional<double> error;  ///< local relative error; empty when no token was routed
  double saliency = 0;          ///< REAP S_j = mean g * ||E(x)||
  double output_norm = 0;       ///< super-expert score, mean ||E(x)||
  double mean_gate = 0;
  bool super_expert = false;  ///< among the top 0.05 % by output_norm
  /// Share of the layer's squared error of the routed sum, ||g (E_cand(x) - E_ref(x))||^2, that is
  /// this expert's; 0 without local errors.
  double error_share = 0;
};

struct NonFinite {
  std::uint64_t count = 0;
  std::string stream;  ///< `reference` or `candidate`
  int layer = -1;
  std::string op;
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
  double value = 0;            ///< the first one: NaN or an infinity
  double largest_finite = 0;   ///< magnitude at the same op of the layer, over all tokens
  std::optional<double> fp32;  ///< magnitude there in a run without rounding, where that was made
};

/// Largest magnitudes at one named rounding point of one layer.
struct Headroom {
  int layer = 0;
  std::string point;
  double max_abs_reference = 0;
  double max_abs_candidate = 0;
  std::uint64_t above_f16_reference = 0;  ///< values above 65504
  std::uint64_t above_f16_candidate = 0;
};

/// What one layer, class of modules or expert costs and would give back, in nats of mean KL.
struct Cost {
  std::string kind;  ///< `layer`, `class`, `expert`
  int layer = -1;
  int expert = -1;
  std::string module_class;    ///< empty for a layer
  double kl = 0;               ///< the reference with only this from the candidate
  double se = 0;               ///< clustered by sequence
  std::optional<double> gain;  ///< by which the candidate's mean falls with this from the reference
  std::optional<double> guess;  ///< experts: what the local errors let expect for `kl`
  std::uint64_t bytes_reference = 0;
  std::uint64_t bytes_candidate = 0;
};

/// Modules of one class of one layer that should stay as the reference has them.
struct Promotion {
  int layer = 0;
  std::string module_class;
  double gain = 0;
  std::uint64_t extra_bytes = 0;
  double predicted_kl = 0;  ///< after this one and those before it
};

/// The cheapest set of promotions that is expected to bring the mean KL below a limit.
struct Advice {
  double limit = 0;
  std::vector<Promotion> promotions;
  std::uint64_t extra_bytes = 0;
  double predicted = 0;
  std::optional<double> measured;  ///< of exactly this set, when it was confirmed
  bool reaches = false;            ///< predicted, or measured when there is one, below the limit
  std::string setting;             ///< `extra_config`, `ignore`, ...: where the fragment goes
  std::string fragment;            ///< JSON to paste into the quantization config
};

/// Where the divergence comes from.
struct Attribution {
  double control = 0;                      ///< KL of a variant that changes nothing: exactly 0
  std::optional<double> layer_additivity;  ///< KL over the sum of the layers' costs
  std::optional<double> class_additivity;
  std::vector<Cost> costs;
  std::optional<Advice> advice;
};

/// One token of the evaluated text, with the KL of the prediction that is made after it.
struct TokenKl {
  std::string text;
  double kl = 0;
};

/// One of the likeliest next tokens.
struct TokenChance {
  std::int64_t id = 0;
  std::string token;
  double log_p = 0;  ///< natural logarithm of its probability
};

/// A position with one of the largest KL values: what both models predict there.
struct WorstPosition {
  std::uint64_t sequence = 0;
  std::uint64_t position = 0;
  double kl = 0;
  std::int64_t reference_id = 0;  ///< most likely next token of the reference ...
  std::string reference_token;
  double reference_p = 0;
  std::int64_t candidate_id = 0;  ///< ... and of the candidate
  std::string candidate_token;
  double candidate_p = 0;
  /// The five likeliest of each, the likeliest first; empty in files before 1.2.
  std::vector<TokenChance> reference_top;
  std::vector<TokenChance> candidate_top;
  std::string next_token;        ///< what the text goes on with; empty at the end of a sequence
  std::vector<TokenKl> context;  ///< the tokens up to this position, the last is the position's own
};

/// KL(reference || candidate) over the evaluated text, small enough for a report.
struct OverText {
  std::uint64_t stride = 1;               ///< positions per point of the two curves
  std::vector<double> mean;               ///< of each run of `stride` positions, in token order
  std::vector<double> worst;              ///< the largest of each run
  std::vector<double> bin_edges;          ///< of the histogram, ascending, in nats
  std::vector<std::uint64_t> bin_counts;  ///< one less than edges; below the first: in the first
  std::vector<WorstPosition> positions;   ///< the largest first
};

/// What rounding alone does: the reference with its hidden states disturbed by a share of 2^-9, one
/// BF16 step, after every layer.
struct NoiseFloor {
  double kl = 0;      ///< mean, nats
  double excess = 0;  ///< mean of KL minus that of the disturbed reference, position by position
  std::array<double, 2> excess_ci95{0, 0};
};

/// KL(reference || candidate) over the positions of one kind, in runs with images.
struct Modality {
  std::string name;  ///< `text` (no image before it), `image`, `text_after_image`
  std::uint64_t positions = 0;
  double kl = 0;  ///< mean, nats
  double se = 0;  ///< clustered by sequence
  std::array<double, 2> ci95{0, 0};
  double top1 = 0;
};

struct Metrics {
  Distribution kl;          ///< KL(reference || candidate)
  Distribution kl_reverse;  ///< KL(candidate || reference)
  Distribution js;
  Distribution tv;
  double top1 = 0;
  double confident_flips = 0;  ///< share with another argmax and reference confidence >= 0.95
  double perplexity_reference = 0;
  double perplexity_candidate = 0;
  double nll_correlation = 0;
  double delta_p_mean = 0;
  double delta_p_rms = 0;
  std::vector<NonFinite> nonfinite;  ///< first place per stream; empty when all finite
  std::uint64_t nonfinite_count = 0;
  std::vector<LayerMetrics> layers;
  std::vector<ExpertMetrics> experts;
  std::vector<Headroom> headroom;
  std::optional<Attribution> attribution;
  std::optional<NoiseFloor> noise_floor;
  std::optional<OverText> over_text;
  std::vector<Modality> modalities;  ///< empty without images
};

/// One of several candidates measured on the same positions, best first.
struct Ranked {
  std::string target;
  double kl = 0;  ///< mean, nats
  std::array<double, 2> ci95{0, 0};
  std::uint64_t bytes = 0;    ///< of its tensors
  std::optional<double> gap;  ///< mean KL minus that of the one before
  std::array<double, 2> gap_ci95{0, 0};
  bool apart = true;  ///< from the one before: the gap's interval does not hold 0
};

/// How the numbers were obtained.
struct How {
  std::string reference;
  std::string text;
  std::string text_sha256;
  std::uint64_t tokens = 0;
  std::uint64_t sequences = 0;
  std::uint64_t context = 0;
  std::string mode;
  std::string backend;
  std::uint64_t memory_budget_bytes = 0;
  std::uint64_t seed = 0;
  std::uint64_t images = 0;  ///< fed between the text
};

struct Run {
  std::string command = "check";
  std::string depth = "headers";  ///< headers, deep, forward
  std::string fail_on = "error";
  std::string started;
  double duration_s = 0;
  std::string verdict = "pass";  ///< pass, fail, incomplete, inconclusive
  int exit_code = 0;
  std::vector<Incomplete> incomplete;
};

struct Results {
  std::string tool_version = CKPT_VERSION;
  Run run;
  Target target;
  CheckpointFacts checkpoint;
  std::vector<LoaderOutcome> loaders;
  std::uint64_t rules_ran = 0;
  std::vector<std::string> rule_codes;  ///< those that ran and were selected
  std::vector<Incomplete> rules_skipped;
  std::vector<Finding> findings;
  std::vector<Gate> gates;
  std::optional<Metrics> metrics;
  std::vector<Ranked> ranking;  ///< of all candidates of a run, on the last one's results
  How how;
  std::vector<std::string> notes;
  std::string kept_in;  ///< where a long run was kept; for the screen alone, a path is private

  [[nodiscard]] std::uint64_t count(Severity severity) const;  ///< of the new findings
  [[nodiscard]] std::uint64_t count(std::string_view status) const;
};

/// Results JSON 1.2: UTF-8, two-space indentation, keys in schema order, non-finite numbers as the
/// strings "NaN", "Infinity", "-Infinity".
[[nodiscard]] std::string to_json(const Results& results);

/// Several of them: one as it is, more as an array.
[[nodiscard]] std::string to_json(const std::vector<Results>& results);

/// One finding a line, each with its target.
[[nodiscard]] std::string to_json_lines(const std::vector<Results>& results);

/// Reads what to_json wrote, one document or an array of them; nothing that to_json writes is lost.
/// Fields that are not known are ignored, absent ones keep their defaults, and control characters
/// are escaped as shown() does. Errors: format (not JSON, or a value of the wrong kind, with its
/// place), limit (nesting), unsupported (another major schema version).
[[nodiscard]] Result<std::vector<Results>> from_json(std::string text);

/// `layer 3 expert up`; embedding and head have no layer.
[[nodiscard]] std::string op_text(const NonFinite& place);

/// `1.31e+05 in float32, Inf here`: what the first value was, or is known to have been.
[[nodiscard]] std::string value_text(const NonFinite& place);

/// SHA-256 of `data` in lower-case hex.
[[nodiscard]] std::string sha256_hex(std::string_view data);

}  // namespace ckpt::results
