// `doctor`: what this program finds on this machine, and whether it works here.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kernels/devices.h"
#include "kernels/ops.h"
#include "validator/base/environment.h"
#include "validator/base/file.h"
#include "validator/base/text.h"
#include "validator/cli/build_info.h"
#include "validator/cli/options.h"
#include "validator/policy/keys.h"
#include "validator/repo/hub.h"
#include "validator/repo/hub_cache.h"
#include "validator/rules/rule.h"

namespace ckpt::cli {
namespace {

using Json = nlohmann::ordered_json;

/// The CPU backend's levels that this machine has, the chosen one first.
Json cpu_levels() {
  using kernels::CpuLevel;
  ThreadPool pool(1);
  Json out = Json::array();
  for (const CpuLevel level :
       {CpuLevel::best, CpuLevel::avx512, CpuLevel::avx2, CpuLevel::portable}) {
    const auto ops = kernels::make_cpu_ops(pool, level);
    if (!ops) continue;
    std::string name((*ops)->name());
    if (std::ranges::find(out, Json(name)) == out.end()) out.push_back(std::move(name));
  }
  return out;
}

Json cuda_state() {
  const std::string plugin = kernels::cuda_plugin();
  Json devices = Json::array();
  for (const kernels::Device& d : kernels::cuda_devices()) {
    devices.push_back(
        {{"name", shown(d.name)},
         {"memory_bytes", d.memory_bytes},
         {"capability", fmt::format("{}.{}", d.capability_major, d.capability_minor)}});
  }
  const std::string why = !devices.empty() ? ""
                          : plugin.empty() ? "no plugin beside the program or in ../lib/ckpt-check"
                                           : "no driver, or no device that it shows";
  return {{"plugin", shown(plugin, 1000)},
          {"found", !plugin.empty()},
          {"devices", std::move(devices)},
          {"why_not", why}};
}

std::string folder(const char* variable, const char* below_home, const char* rest) {
  std::string base = env(variable);
  if (base.empty() && !env("HOME").empty()) base = env("HOME") + below_home;
  return base.empty() ? base : base + rest;
}

Json folders() {
  Json out = Json::array();
  const auto add = [&out](const char* what, const std::string& path) {
    std::error_code error;
    const bool there = !path.empty() && std::filesystem::is_directory(path, error);
    out.push_back({{"what", what}, {"path", shown(path, 1000)}, {"exists", there}});
  };
  add("hub cache", repo::hub_cache());
  add("headers of hf://", repo::header_cache());
  add("results of kl", folder("XDG_STATE_HOME", "/.local/state", "/ckpt-check/runs"));
  return out;
}

/// Text of a setting as the file gave it; nothing when the default holds.
std::optional<std::string> value_of(const policy::Settings& s, const policy::Key& key) {
  if (const auto* to = std::get_if<std::optional<std::string> policy::Settings::*>(&key.to)) {
    return s.**to;
  }
  if (const auto* to = std::get_if<std::optional<std::uint64_t> policy::Settings::*>(&key.to)) {
    const auto& number = s.**to;
    return number ? std::optional(std::to_string(*number)) : std::nullopt;
  }
  using Table = std::map<std::string, std::string>;
  if (const auto* to = std::get_if<Table policy::Settings::*>(&key.to)) {
    const auto at = (s.**to).find(std::string(key.name));
    return at == (s.**to).end() ? std::nullopt : std::optional(at->second);
  }
  const auto& list = s.*std::get<std::vector<std::string> policy::Settings::*>(key.to);
  return list.empty() ? std::nullopt : std::optional(fmt::format("{}", fmt::join(list, ",")));
}

/// Every key with its value and where that comes from, and the variables that options read.
Json configuration(const policy::Settings& s) {
  Json out = Json::array();
  for (const policy::Key& key : policy::setting_keys()) {
    const auto value = value_of(s, key);
    out.push_back({{"key", fmt::format("{}.{}", key.section, key.name)},
                   {"value", value ? Json(shown(*value, 200)) : Json(nullptr)},
                   {"from", value ? shown(s.file, 1000) : "default"}});
  }
  for (const auto& [what, n] :
       {std::pair{"severity", s.severity.size()}, std::pair{"gates", s.gates.size()},
        std::pair{"waiver", s.waivers.size()}}) {
    if (n == 0) continue;
    out.push_back(
        {{"key", what}, {"value", fmt::format("{} entries", n)}, {"from", shown(s.file, 1000)}});
  }
  for (const char* name :
       {"CKPT_CHECK_FORMAT", "CKPT_CHECK_COLOR", "CKPT_CHECK_PROGRESS", "CKPT_CHECK_THREADS",
        "CKPT_CHECK_CONFIG", "CKPT_CHECK_FAIL_ON", "CKPT_CHECK_TOKENS", "CKPT_CHECK_BASE",
        "CKPT_CHECK_GPU", "NO_COLOR", "SOURCE_DATE_EPOCH"}) {
    if (env(name).empty()) continue;
    out.push_back({{"key", name}, {"value", shown(env(name), 200)}, {"from", "environment"}});
  }
  return out;
}

/// One container of two tensors of eight bytes; `second` is where the second begins.
std::string tiny_file(int second) {
  std::string header = fmt::format(R"({{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},)"
                                   R"("b":{{"dtype":"F32","shape":[2],"data_offsets":[{},{}]}}}})",
                                   second, second + 8);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string out(8, '\0');
  out[0] = static_cast<char>(header.size() & 0xFFU);
  out[1] = static_cast<char>(header.size() >> 8U);
  return out + header + std::string(static_cast<std::size_t>(second) + 8, '\0');
}

/// Whether `check` of one file reports overlapping tensors.
Result<bool> finds_overlap(const std::string& path, int second) {
  CKPT_TRY_VOID(write_file(path, tiny_file(second)), "self-test");
  CKPT_TRY(const auto opened, pipeline::open_target(path), "self-test");
  ThreadPool pool(1);
  NoProgress quiet;
  const results::Results r = pipeline::run_check(*opened, {}, pool, quiet, {});
  return std::ranges::any_of(r.findings,
                             [](const results::Finding& f) { return f.code == "STF007"; });
}

/// "" or what does not work.
std::string self_test() {
  std::error_code error;
  std::string place = (std::filesystem::temp_directory_path(error) / "ckpt-check-XXXXXX").string();
  if (error || ::mkdtemp(place.data()) == nullptr) return "no folder for temporary files";
  const std::string path = place + "/tiny.safetensors";
  const auto sound = finds_overlap(path, 8);
  const auto broken = finds_overlap(path, 4);
  std::filesystem::remove_all(place, error);
  if (!sound || !broken) return (!sound ? sound : broken).error().message;
  if (*sound) return "a sound file is reported as overlapping";
  return *broken ? "" : "overlapping tensors are not found";
}

std::string text_of(const Json& j) {
  const auto word = [](const Json& v) { return v.is_null() ? "-" : v.get<std::string>(); };
  std::string out =
      fmt::format("ckpt-check {}, {} rules\n\n", word(j["version"]), j["rules"].get<std::size_t>());
  out += fmt::format("  {:<16}{}\n", "build", build_text());
  out += fmt::format("  {:<16}{}\n", "cpu", word(j["cpu"][0]));
  const Json& cuda = j["cuda"];
  if (cuda["devices"].empty()) {
    out += fmt::format("  {:<16}none: {}\n", "cuda", word(cuda["why_not"]));
  }
  for (const Json& d : cuda["devices"]) {
    out += fmt::format("  {:<16}{}, capability {}, {}\n", "cuda", word(d["name"]),
                       word(d["capability"]), bytes_text(d["memory_bytes"].get<std::uint64_t>()));
  }
  for (const Json& f : j["folders"]) {
    out += fmt::format("  {:<16}{}{}\n", word(f["what"]), word(f["path"]),
                       f["exists"].get<bool>() ? "" : " (not there)");
  }
  out += "\n  configuration\n";
  for (const Json& c : j["configuration"]) {
    out += fmt::format("    {:<26}{:<24} {}\n", word(c["key"]), word(c["value"]), word(c["from"]));
  }
  const std::string broken = word(j["self_test"]);
  return out + fmt::format("\n  self-test       {}\n", broken.empty() ? "works" : broken);
}

}  // namespace

int run_doctor_command(const GlobalOptions& global, bool clean_cache) {
  if (clean_cache && !repo::header_cache().empty()) {
    std::error_code error;
    std::filesystem::remove_all(repo::header_cache(), error);
    if (error) {
      complain(fmt::format("{}: {}", shown(repo::header_cache(), 1000), error.message()));
      return 2;
    }
  }
  const auto settings = load_settings(global);
  if (!settings) {
    complain(settings.error().message);
    return 2;
  }
  const std::string broken = self_test();
  const Json j{{"version", CKPT_VERSION},
               {"results_schema", results::kSchemaVersion},
               {"build", Json::parse(build_json())},
               {"rules", rules::all_rules().size()},
               {"cpu", cpu_levels()},
               {"cuda", cuda_state()},
               {"folders", folders()},
               {"configuration", configuration(*settings)},
               {"self_test", broken}};
  const bool json = global.format == "json";
  const std::string text =
      json ? j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n" : text_of(j);
  const int code = deliver_text(text, global);
  return broken.empty() ? code : 3;
}

}  // namespace ckpt::cli
