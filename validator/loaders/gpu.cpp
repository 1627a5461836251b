#include "validator/loaders/gpu.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

namespace ckpt::loaders {
namespace {

struct Known {
  std::string_view name;
  int capability;
  std::uint64_t memory_mib;  ///< as the driver reports it; 0: sold in several sizes
};

constexpr std::array kKnown{
    Known{"cpu", kNoGpu, 0},
    Known{"p100", 60, 16384},
    Known{"gtx1080ti", 61, 11264},
    Known{"v100", 70, 0},
    Known{"v100-16gb", 70, 16384},
    Known{"v100-32gb", 70, 32768},
    Known{"t4", 75, 15360},
    Known{"rtx2080ti", 75, 11264},
    Known{"a100", 80, 0},
    Known{"a100-40gb", 80, 40960},
    Known{"a100-80gb", 80, 81920},
    Known{"a10", 86, 23028},
    Known{"a10g", 86, 23028},
    Known{"a40", 86, 46068},
    Known{"a6000", 86, 49140},
    Known{"rtx3060", 86, 12288},
    Known{"rtx3080", 86, 10240},
    Known{"rtx3090", 86, 24576},
    Known{"rtx4080", 89, 16376},
    Known{"rtx4090", 89, 24564},
    Known{"rtx6000ada", 89, 49140},
    Known{"l4", 89, 23034},
    Known{"l40", 89, 46068},
    Known{"l40s", 89, 46068},
    Known{"h100", 90, 81559},
    Known{"h100nvl", 90, 95830},
    Known{"h200", 90, 143771},
    Known{"b200", 100, 183359},
    Known{"rtx5080", 120, 16303},
    Known{"rtx5090", 120, 32607},
    Known{"rtxpro6000", 120, 97887},
};

/// Lower case, without what people write or leave out at will.
std::string plain(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == ' ' || c == '-' || c == '_') continue;
    out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  for (const std::string_view prefix : {"nvidia", "geforce"}) {
    if (out.starts_with(prefix)) out.erase(0, prefix.size());
  }
  return out;
}

/// 89 of `sm89` or `sm90a`; nothing for other texts.
std::optional<int> capability_of(std::string_view text) {
  constexpr int kLeast = 30;
  constexpr int kMost = 200;
  if (!text.starts_with("sm")) return std::nullopt;
  text.remove_prefix(2);
  if (text.ends_with('a') || text.ends_with('f')) text.remove_suffix(1);
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (!whole || value < kLeast || value > kMost) return std::nullopt;
  return value;
}

}  // namespace

std::optional<Gpu> find_gpu(std::string_view name) {
  const std::string wanted = plain(name);
  const auto it =
      std::ranges::find_if(kKnown, [&wanted](const Known& k) { return plain(k.name) == wanted; });
  if (it != kKnown.end()) {
    return Gpu{std::string(it->name), it->capability, it->memory_mib << 20U};
  }
  if (const auto capability = capability_of(wanted)) {
    return Gpu{fmt::format("sm_{}", *capability), *capability, 0};
  }
  return std::nullopt;
}

std::vector<std::string> gpu_names() {
  std::vector<std::string> out;
  for (const Known& k : kKnown) out.emplace_back(k.name);
  return out;
}

std::string capability_text(int capability) {
  return fmt::format("{}.{}", capability / 10, capability % 10);
}

FormatNeeds needs_of(quant::Format format, config::QuantMethod method) {
  using quant::Format;
  constexpr int kPascal = 60;
  constexpr int kTuring = 75;
  constexpr int kAda = 89;
  constexpr int kBlackwell = 100;
  switch (format) {
    case Format::gptq:
    case Format::awq:
      // AutoRound's method lets older devices in, on kernels that are not Marlin.
      return {method == config::QuantMethod::auto_round ? kPascal : kTuring, kTuring};
    case Format::ct_packed:
    case Format::ct_int:
      return {kTuring, kTuring};
    case Format::fp8:
    case Format::fp8_block:
      return {kTuring, kAda};
    case Format::nvfp4:
    case Format::mxfp4:
      return {kTuring, kBlackwell};
    default:
      return {};
  }
}

}  // namespace ckpt::loaders
