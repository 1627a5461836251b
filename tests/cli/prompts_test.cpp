// `kl --prompts`: prompts with images from the command line to the reports.

#include <doctest/doctest.h>

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tests/cli/run.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;

constexpr std::string_view kModels = CKPT_FIXTURES "/golden/models/";

/// Arguments that compare a small model with itself quantized.
std::string kl() {
  return fmt::format("kl {0}M-vl-mtp-w4a16-autoround --reference {0}M-vl-mtp-bf16", kModels);
}

/// A picture of tests/images and two prompts, one of them with it.
void write_prompts(const TempDir& dir) {
  const auto golden = nlohmann::json::parse(
      testing::read_all(std::string(CKPT_SOURCE) + "/tests/images/golden.json"));
  const std::string hex = golden["decoded"][0]["hex"];
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  dir.write("a.png", bytes);
  dir.write("prompts.jsonl",
            "{\"content\":[{\"ids\":[1,2,3]},{\"image\":\"a.png\"},{\"ids\":[4,5,6,7]}]}\n"
            "{\"content\":[{\"ids\":[9,8,7,6,5]}]}\n");
}

bool lacks_decoders(const testing::Ran& r) {
  if (r.out.find("built without libpng") == std::string::npos) return false;
  MESSAGE("built without libpng and libjpeg");
  return true;
}

}  // namespace

TEST_CASE("prompts with images: every report has the KL by kind of position") {
  const TempDir dir;
  write_prompts(dir);
  const std::string run = kl() + " --reproducible --prompts " + dir.path() + "/prompts.jsonl";
  const auto r = run_program(run + " --json");
  if (lacks_decoders(r)) return;
  REQUIRE(r.code == 0);
  const auto json = nlohmann::json::parse(r.out);
  const auto& metrics = json["metrics"];
  CHECK(metrics["how"]["images"] == 1);
  CHECK(metrics["how"]["tokens"] == 3 + 4 + 4 + 5);
  REQUIRE(metrics["modalities"].size() == 3);
  CHECK(metrics["modalities"][0]["name"] == "text");
  CHECK(metrics["modalities"][0]["positions"] == 4 + 5);
  CHECK(metrics["modalities"][1]["name"] == "image");
  CHECK(metrics["modalities"][1]["positions"] == 2);
  CHECK(metrics["modalities"][2]["positions"] == 1 + 4);
  double sum = 0;
  for (const auto& kind : metrics["modalities"]) {
    sum += kind["positions"].get<double>() * kind["kl"].get<double>();
  }
  const double mean = metrics["kl"]["mean"];
  CHECK(std::abs(sum / 16 - mean) <= 1e-9);
  CHECK(run_program(run + " --json --threads 1").out ==
        run_program(run + " --json --threads 3").out);
  for (const char* format : {"text", "markdown", "html"}) {
    CAPTURE(format);
    const auto report = run_program(run + " -f " + format);
    CHECK(report.out.find("inside an image") != std::string::npos);
    CHECK(report.out.find("text after an image") != std::string::npos);
  }
}

TEST_CASE("prompts: what does not go together, and what cannot be read, exits 2") {
  const TempDir dir;
  write_prompts(dir);
  const std::string prompts = " --prompts " + dir.path() + "/prompts.jsonl";
  CHECK(run_program(kl() + prompts + " --text builtin:mixed-v1").code == 2);
  CHECK(run_program(kl() + prompts + " --token-ids x.json").code == 2);
  for (const char* other : {" --save-bundle b", " --shard 1/2 --part p"}) {
    const auto r = run_program(kl() + prompts + other);
    CHECK(r.code == 2);
    CHECK(r.out.find("--prompts does not go with") != std::string::npos);
  }
  CHECK(run_program(kl() + " --prompts absent.jsonl").code == 2);
  dir.write("a.png", "no picture");
  const auto r = run_program(kl() + prompts);
  CHECK(r.code == 2);
  CHECK(r.out.find("line 1") != std::string::npos);
  CHECK(r.out.find("a.png") != std::string::npos);
}

}  // namespace ckpt
