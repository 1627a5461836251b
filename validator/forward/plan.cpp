#include "validator/forward/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "validator/base/text.h"
#include "validator/forward/mixer.h"
#include "validator/forward/mlp.h"

namespace ckpt::forward {

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::int64_t kStates = 8;          // struct Hidden
constexpr std::int64_t kTokenBytes = 512;    // routing and results per token, at least
constexpr std::uint64_t kFixed = 64 * kMiB;  // packed rows, panels, the program itself

struct Sizes {
  std::uint64_t mixer = 0;   // weights of the largest mixer, both models
  std::uint64_t mlp = 0;     // largest second half without routed experts, or one expert
  std::uint64_t head = 0;    // both heads
  std::uint64_t module = 0;  // largest single module of a layer
};

// Bytes of the largest sum over both models of `names` in one layer.
Result<std::uint64_t> both_bytes(const Pair& pair, int layer,
                                 std::span<const std::string_view> names, std::uint64_t& largest) {
  std::uint64_t sum = 0;
  for (const weights::Model* model : {&pair.reference, &pair.candidate}) {
    for (const std::string_view name : names) {
      CKPT_TRY(const std::uint32_t i, layer_module(*model, layer, name), "plan");
      sum += model->bytes(i);
      largest = std::max(largest, model->bytes(i));
    }
  }
  return sum;
}

Result<Sizes> sizes_of(const Pair& pair, const config::TextConfig& config) {
  Sizes s;
  for (int layer = 0; layer < static_cast<int>(config.num_hidden_layers); ++layer) {
    const auto type = config.layer_types[static_cast<std::size_t>(layer)];
    CKPT_TRY(const std::uint64_t mixer, both_bytes(pair, layer, mixer_modules(type), s.module),
             "mixer");
    CKPT_TRY(std::uint64_t mlp,
             both_bytes(pair, layer, config.moe ? moe_modules() : dense_modules(), s.module),
             "mlp");
    if (config.moe) {
      for (const weights::Model* model : {&pair.reference, &pair.candidate}) {
        const arch::ExpertBlock* block = model->blueprint().experts_of_layer(layer);
        for (std::uint32_t part = 0; block != nullptr && part < 3; ++part) {
          mlp += model->bytes(block->first + part);
        }
      }
    }
    s.mixer = std::max(s.mixer, mixer);
    s.mlp = std::max(s.mlp, mlp);
  }
  for (const weights::Model* model : {&pair.reference, &pair.candidate}) {
    CKPT_TRY(const std::uint32_t head, head_module(*model), "head");
    s.head += model->bytes(head);
  }
  return s;
}

// Bytes of the hidden states and the routing of one token, two of them for each variant.
std::uint64_t token_bytes(const config::TextConfig& config, std::size_t variants) {
  const auto extra = static_cast<std::int64_t>(variants);
  const std::int64_t slots = config.moe ? (3 + extra) * config.num_experts_per_tok * 24 : 0;
  return static_cast<std::uint64_t>((kStates + 2 * extra) * config.hidden_size * 4 + kTokenBytes +
                                    slots);
}

std::uint64_t bytes_of_floats(std::int64_t rows, std::int64_t cols) {
  return static_cast<std::uint64_t>(rows * cols) * 4;
}

// Sequences in order, as many in a pass as `room` bytes of hidden states hold.
void cut_passes(Plan& plan, std::uint64_t per_token,
                const std::vector<std::vector<std::int32_t>>& sequences, std::uint64_t room) {
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const auto length = static_cast<std::int64_t>(sequences[s].size());
    const bool fits =
        !plan.passes.empty() &&
        static_cast<std::uint64_t>(plan.passes.back().tokens + length) * per_token <= room;
    if (!fits) plan.passes.push_back({.first_sequence = s});
    ++plan.passes.back().sequences;
    plan.passes.back().tokens += length;
  }
}

}  // namespace

std::string Plan::text() const {
  std::int64_t tokens = 0;
  for (const Pass& pass : passes) tokens = std::max(tokens, pass.tokens);
  return fmt::format(
      "{} pass{} of up to {} tokens, about {} in all: {} of weights at a time, {} read ahead, "
      "{} positions of logits, head {}",
      passes.size(), passes.size() == 1 ? "" : "es",
      with_commas(static_cast<std::uint64_t>(tokens)), bytes_text(peak_bytes),
      bytes_text(weights_bytes), bytes_text(read_ahead_bytes), head_positions,
      head_resident ? "in memory" : "read again for every block");
}

Result<Plan> make_plan(const Pair& pair, const config::TextConfig& config,
                       const std::vector<std::vector<std::int32_t>>& sequences,
                       std::uint64_t budget, std::size_t variants,
                       std::uint64_t extra_token_bytes) {
  CKPT_TRY(const Sizes sizes, sizes_of(pair, config), "memory plan");
  std::int64_t longest = 1;
  std::int64_t total = 0;
  for (const auto& sequence : sequences) {
    longest = std::max(longest, static_cast<std::int64_t>(sequence.size()));
    total += static_cast<std::int64_t>(sequence.size());
  }
  const std::uint64_t per_token = token_bytes(config, variants) + extra_token_bytes;
  const auto state_bytes = [&](std::int64_t tokens) {
    return static_cast<std::uint64_t>(tokens) * per_token;
  };
  Plan plan;
  plan.read_ahead_bytes = std::clamp<std::uint64_t>(budget / 16, 8 * kMiB, 512 * kMiB);
  plan.weights_bytes = std::max(sizes.mixer, sizes.mlp);
  // Blocks shrink from comfortable sizes until an eighth of the budget holds them.
  const std::int64_t mixer_row = mixer_floats(config) + 2 * config.hidden_size;
  plan.mixer_tokens = std::min<std::int64_t>(total, 4096);
  while (plan.mixer_tokens > 256 && bytes_of_floats(plan.mixer_tokens, mixer_row) > budget / 8) {
    plan.mixer_tokens /= 2;
  }
  plan.mixer_tokens = std::max(plan.mixer_tokens, longest);
  plan.expert_rows = 2048;
  while (plan.expert_rows > 128 &&
         bytes_of_floats(plan.expert_rows, mlp_floats(config)) > budget / 8) {
    plan.expert_rows /= 2;
  }
  plan.expert_rows = std::min(plan.expert_rows, total);
  const std::uint64_t blocks = std::max(bytes_of_floats(plan.mixer_tokens, mixer_row),
                                        bytes_of_floats(plan.expert_rows, mlp_floats(config)));
  const std::uint64_t fixed = kFixed + plan.weights_bytes + plan.read_ahead_bytes + blocks;
  if (fixed + state_bytes(longest) > budget) {
    return fail(ErrorKind::memory,
                fmt::format("{} is too little: one sequence of {} tokens takes {}",
                            bytes_text(budget), longest, bytes_text(fixed + state_bytes(longest))));
  }
  cut_passes(plan, per_token, sequences, budget - fixed);
  std::int64_t most = 0;
  for (const Plan::Pass& pass : plan.passes) most = std::max(most, pass.tokens);

  // At the head the layers' memory is free; two states of the pass remain.
  const std::uint64_t kept =
      kFixed + plan.read_ahead_bytes +
      bytes_of_floats(most * (2 + 2 * static_cast<std::int64_t>(variants)), config.hidden_size);
  const std::uint64_t room = budget > kept ? budget - kept : 0;
  plan.head_resident = sizes.head <= room / 2;
  const std::uint64_t logits_room = plan.head_resident ? room - sizes.head : room / 2;
  plan.head_positions = 16;
  while (plan.head_positions < 256 &&
         bytes_of_floats(4 * plan.head_positions, config.vocab_size) <= logits_room) {
    plan.head_positions *= 2;
  }
  plan.head_positions = std::min(plan.head_positions, std::max<std::int64_t>(most, 1));
  // The same memory holds the logits of every stream.
  const auto streams = static_cast<std::int64_t>(variants) + 2;
  plan.head_positions = std::max<std::int64_t>(1, 2 * plan.head_positions / streams);
  const std::uint64_t at_head = kept + (plan.head_resident ? sizes.head : 0) +
                                bytes_of_floats(streams * plan.head_positions, config.vocab_size);
  plan.peak_bytes = std::max(fixed + state_bytes(most), at_head);
  return plan;
}

}  // namespace ckpt::forward
