#include "validator/policy/keys.h"

#include "validator/rules/recipe.h"

namespace ckpt::policy {

const std::vector<std::string>& severity_words() {
  static const std::vector<std::string> kWords{"error", "warning", "info"};
  return kWords;
}

const std::vector<std::string>& loader_words() {
  static const std::vector<std::string> kWords{"vllm", "transformers", "sglang"};
  return kWords;
}

namespace {

std::vector<Key> all_keys() {
  std::vector<Key> keys{
      {"check",
       "fail_on",
       &Settings::fail_on,
       {"error", "warning", "info", "never"},
       "least severity that fails"},
      {"check", "loaders", &Settings::loaders, loader_words(),
       "loaders to predict; all when absent"},
      {"check", "select", &Settings::select, {}, "codes or prefixes to look at; all when absent"},
      {"check", "extend_select", &Settings::extend_select, {}, "codes or prefixes in addition"},
      {"check", "ignore", &Settings::ignore, {}, "codes or prefixes not to look at"},
      {"check", "gpu", &Settings::gpu, {}, "the device to serve on, such as rtx4090 or sm_89"},
      {"check", "gpu_memory", &Settings::gpu_memory, {}, "its memory, such as 40Gi"},
      {"check",
       "tensor_parallel",
       &Settings::tensor_parallel,
       {},
       "GPUs that will share every layer"},
      {"check",
       "expert_parallel",
       &Settings::expert_parallel,
       {},
       "GPUs that will share the experts"},
      {"check", "base", &Settings::base, {}, "the checkpoint that the target was made from"},
      {"kl", "reference", &Settings::reference, {}, "the BF16 original"},
      {"kl", "text", &Settings::text, {}, "builtin:NAME or a UTF-8 text file"},
      {"kl", "tokens", &Settings::tokens, {}, "tokens to evaluate; 0: the whole text"},
      {"kl", "context", &Settings::context, {}, "tokens of one sequence"},
      {"kl", "mode", &Settings::mode, {"fp32", "bf16", "fp16"}, "rounding of the activations"},
  };
  for (const rules::RecipeKey& k : rules::recipe_keys()) {
    const bool preset = k.name == "preset";
    keys.push_back({"recipe", k.name, &Settings::recipe,
                    preset ? rules::recipe_presets() : std::vector<std::string>{}, k.what});
  }
  return keys;
}

}  // namespace

std::span<const Key> setting_keys() {
  static const std::vector<Key> kKeys = all_keys();
  return kKeys;
}

std::span<const WaiverKey> waiver_keys() {
  static constexpr WaiverKey kKeys[] = {
      {"code", true, "exact code of the rule"},
      {"subject", false, "glob over the finding's subject, * when absent"},
      {"reason", true, "why the finding is accepted"},
      {"expires", true, "a date such as 2027-01-31, at most 400 days ahead, or never"},
  };
  return kKeys;
}

}  // namespace ckpt::policy
