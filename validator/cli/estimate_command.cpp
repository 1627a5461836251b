// `estimate`: will it fit?

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "validator/base/text.h"
#include "validator/cli/options.h"
#include "validator/pipeline/estimate.h"

namespace ckpt::cli {
namespace {

std::string gib(std::uint64_t bytes) {
  constexpr double kGib = 1024.0 * 1024.0 * 1024.0;
  return fmt::format("{:.2f} GiB", static_cast<double>(bytes) / kGib);
}

std::string line(std::string_view what, std::uint64_t bytes, std::string_view note) {
  return fmt::format("  {:<26}{:>14}  {}\n", what, gib(bytes), note);
}

std::string table(const pipeline::Estimate& e, const pipeline::EstimateArgs& a,
                  std::uint64_t memory) {
  std::string out = line("files on disk", e.disk, bytes_text(e.disk));
  out += line("weights on each GPU", e.weights_per_gpu,
              a.tensor_parallel > 1 ? fmt::format("of {} GPUs", a.tensor_parallel) : "");
  if (e.vision > 0) out += line("  of these, vision tower", e.vision, bytes_text(e.vision));
  if (e.draft_head > 0) {
    out += line("draft head, not counted", e.draft_head, "only with speculative decoding");
  }
  out += fmt::format("  {:<26}{:>14}  {} bits, full-attention layers only\n", "KV cache per token",
                     fmt::format("{} B", with_commas(e.kv_per_token)), a.kv_bits);
  out += line("recurrent state", e.conv_per_sequence + e.delta_per_sequence,
              "per sequence, whatever its length");
  out += line("activations", e.activations,
              fmt::format("about, for a prefill step of {} tokens", with_commas(a.batched_tokens)));
  out += fmt::format("\n  {:>10}{:>11}{:>14}{:>14}{:>14}", "context", "sequences", "KV cache",
                     "states", "each GPU");
  out += memory > 0 ? fmt::format("   of {}\n", gib(memory)) : "\n";
  for (const pipeline::EstimateRow& r : e.rows) {
    out += fmt::format("  {:>10}{:>11}{:>14}{:>14}{:>14}", with_commas(r.context), r.sequences,
                       gib(r.kv_cache), gib(r.recurrent), gib(r.total));
    if (memory > 0) out += r.total <= memory ? "   fits" : "   does not fit";
    out += "\n";
  }
  return out;
}

std::string json(const pipeline::Estimate& e, const pipeline::EstimateArgs& a,
                 std::uint64_t memory) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const pipeline::EstimateRow& r : e.rows) {
    rows.push_back({{"context", r.context},
                    {"sequences", r.sequences},
                    {"kv_cache_bytes", r.kv_cache},
                    {"recurrent_bytes", r.recurrent},
                    {"total_bytes_per_gpu", r.total}});
    if (memory > 0) rows.back()["fits"] = r.total <= memory;
  }
  const nlohmann::ordered_json all{{"tensor_parallel", a.tensor_parallel},
                                   {"kv_bits", a.kv_bits},
                                   {"disk_bytes", e.disk},
                                   {"tensor_bytes", e.tensor_bytes},
                                   {"weights_bytes_per_gpu", e.weights_per_gpu},
                                   {"vision_bytes", e.vision},
                                   {"draft_head_bytes", e.draft_head},
                                   {"kv_bytes_per_token", e.kv_per_token},
                                   {"conv_bytes_per_sequence", e.conv_per_sequence},
                                   {"delta_bytes_per_sequence", e.delta_per_sequence},
                                   {"activation_bytes", e.activations},
                                   {"rows", std::move(rows)}};
  return all.dump(2) + "\n";
}

}  // namespace

int run_estimate_command(const GlobalOptions& global, const EstimateOptions& o) {
  std::uint64_t memory = 0;
  if (!o.gpu_memory.empty() && (!parse_size(o.gpu_memory, memory) || memory < kSmallestMemory)) {
    complain(fmt::format("--gpu-memory `{}`: write a size such as 80Gi", shown(o.gpu_memory, 40)));
    return 2;
  }
  constexpr std::uint64_t kMost = 1ULL << 30;  // so that no product of the table can wrap
  for (const auto* list : {&o.contexts, &o.sequences}) {
    for (const std::uint64_t n : *list) {
      if (n > 0 && n <= kMost) continue;
      complain(
          fmt::format("--context and --sequences take numbers from 1 to {}", with_commas(kMost)));
      return 2;
    }
  }
  const auto opened = pipeline::open_target(o.target, global.hub());
  if (!opened) {
    complain(opened.error().message);
    return 2;
  }
  pipeline::EstimateArgs args{.contexts = o.contexts,
                              .sequences = o.sequences,
                              .kv_bits = o.kv_dtype == "fp8" ? 8U : 16U,
                              .tensor_parallel = o.tensor_parallel};
  if (args.contexts.empty()) {
    const auto longest = static_cast<std::uint64_t>((*opened)->config.text.max_position_embeddings);
    constexpr std::uint64_t kShort = 32'768;
    args.contexts = {std::min(kShort, longest)};
    if (longest > kShort) args.contexts.push_back(longest);
  }
  if (args.sequences.empty()) args.sequences = {1, 4, 16};
  const auto e = pipeline::estimate(**opened, args);
  if (!e) {
    complain(e.error().message);
    return 2;
  }
  return deliver_text(global.format == "json" ? json(*e, args, memory) : table(*e, args, memory),
                      global);
}

}  // namespace ckpt::cli
