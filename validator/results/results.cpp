#include "validator/results/results.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cmath>

#include "validator/base/text.h"

namespace ckpt::results {
namespace {

template <class Enum>
std::optional<Enum> named(std::string_view name, Enum last, std::string_view (*name_of)(Enum)) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(last); ++i) {
    if (name_of(static_cast<Enum>(i)) == name) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view severity_name(Severity severity) {
  constexpr std::string_view kNames[] = {"info", "warning", "error"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::string_view loader_state_name(LoaderState state) {
  constexpr std::string_view kNames[] = {"loads_as_meant", "slow_path",     "wrong_weights",
                                         "wrong_output",   "does_not_load", "not_predicted"};
  return kNames[static_cast<std::size_t>(state)];
}

std::string_view loader_state_words(LoaderState state) {
  constexpr std::string_view kWords[] = {"loads as meant", "slow path",     "wrong weights",
                                         "wrong output",   "does not load", "not predicted"};
  return kWords[static_cast<std::size_t>(state)];
}

std::optional<Severity> severity_named(std::string_view name) {
  return named(name, Severity::error, severity_name);
}

std::optional<LoaderState> loader_state_named(std::string_view name) {
  return named(name, LoaderState::not_predicted, loader_state_name);
}

std::string op_text(const NonFinite& place) {
  return place.layer < 0 ? place.op : fmt::format("layer {} {}", place.layer, place.op);
}

std::string value_text(const NonFinite& place) {
  std::string seen = "not finite";
  if (std::isnan(place.value)) seen = "NaN";
  if (std::isinf(place.value)) seen = place.value > 0 ? "Inf" : "-Inf";
  if (place.fp32)
    return fmt::format("{} in float32, {} here", number_as("{:.4g}", *place.fp32), seen);
  return fmt::format("{}, the largest finite value there is {:.4g}", seen, place.largest_finite);
}

std::string sha256_hex(std::string_view data) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  if (EVP_Digest(data.data(), data.size(), digest, &length, EVP_sha256(), nullptr) != 1) return {};
  std::string hex;
  for (unsigned int i = 0; i < length; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

std::string Finding::fingerprint() const {
  const std::string file = where.empty() ? std::string{} : where.front().file;
  return sha256_hex(fmt::format("v1\n{}\n{}\n{}\n", code, file, subject)).substr(0, 16);
}

std::uint64_t Results::count(Severity severity) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(findings, [severity](const Finding& f) {
    return f.severity == severity && f.status == "new";
  }));
}

std::uint64_t Results::count(std::string_view status) const {
  return static_cast<std::uint64_t>(std::ranges::count(findings, status, &Finding::status));
}

}  // namespace ckpt::results
