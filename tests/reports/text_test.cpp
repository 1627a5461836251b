#include <doctest/doctest.h>

#include <sstream>

#include "reports/reports.h"
#include "validator/base/text.h"

namespace ckpt::reports {
namespace {

using results::Finding;
using results::LoaderState;
using results::Results;
using results::Severity;

Results sample() {
  Results r;
  r.target.input = "./repo";
  r.checkpoint.architecture = "Qwen3_5MoeForCausalLM";
  r.checkpoint.layers = 4;
  r.checkpoint.linear_layers = 3;
  r.checkpoint.full_layers = 1;
  r.checkpoint.experts = 8;
  r.checkpoint.top_k = 2;
  r.checkpoint.shared_expert = true;
  r.checkpoint.tensors = 122'061;
  r.checkpoint.parameters = 262'000'000'000;
  r.checkpoint.bytes = 138'800'000'000;
  r.checkpoint.shards = 2;
  r.checkpoint.scheme = "auto-round W4 g128 symmetric";
  Finding f;
  f.code = "CFG011";
  f.name = "float16-with-linear-attention";
  f.message = "the declared dtype is float16";
  f.subject = "/torch_dtype";
  results::Location w;
  w.file = "config.json";
  w.line = 6;
  w.column = 18;
  w.end_line = 6;
  w.end_column = 27;
  w.source_line = R"(  "torch_dtype": "float16",)";
  w.note = "linear-attention states exceed 65504";
  f.where.push_back(w);
  f.effects = {{"vllm", LoaderState::wrong_output, "NaN"},
               {"transformers", LoaderState::wrong_output, "NaN"}};
  f.fix = "write \"bfloat16\"";
  f.repairable = true;
  r.findings.push_back(f);
  Finding info;
  info.code = "MAP015";
  info.name = "tensor-count-differs";
  info.severity = Severity::info;
  info.message = "1 tensor more";
  info.count = 3;
  r.findings.push_back(info);
  r.loaders = {{"vllm", "0.33", LoaderState::wrong_output, {"CFG011"}, ""},
               {"transformers", "5.17", LoaderState::loads_as_meant, {}, ""}};
  r.run.verdict = "fail";
  r.run.exit_code = 1;
  r.rules_ran = 81;
  return r;
}

}  // namespace

TEST_CASE("the screen: identity, findings with errors last, loaders, verdict") {
  const std::string want =
      "ckpt-check " CKPT_VERSION
      "   ./repo\n"
      "\n"
      "  model       Qwen3_5MoeForCausalLM\n"
      "              4 layers (3 linear attention, 1 full), 8 experts, top 2, 1 shared\n"
      "  scheme      auto-round W4 g128 symmetric\n"
      "  size        138.8 GB in 2 shards, 122,061 tensors, 262.0 B parameters\n"
      "\n"
      "info[MAP015] tensor-count-differs: 1 tensor more\n"
      "\n"
      "error[CFG011] float16-with-linear-attention: the declared dtype is float16\n"
      "  --> config.json:6:18\n"
      "  |\n"
      "6 |   \"torch_dtype\": \"float16\",\n"
      "  |                  ^^^^^^^^^ linear-attention states exceed 65504\n"
      "    = effect  vllm, transformers: NaN\n"
      "    = fix     write \"bfloat16\"   [repairable]\n"
      "\n"
      "  vllm          wrong output    CFG011\n"
      "  transformers  loads as meant\n"
      "\n"
      "  FAIL   1 error, 0 warnings, 1 info         81 rules on headers and configs, 0.0 s\n"
      "\n"
      "  1 of 2 can be repaired without touching a weight: see `ckpt-check fix`\n"
      "  What a code means:  ckpt-check explain CFG011\n";
  CHECK(text(sample(), {}) == want);
}

TEST_CASE("no line is wider than the screen, and colour changes nothing but colour") {
  Results r = sample();
  r.findings[0].message =
      std::string(30, 'w') + " and " + std::string(40, 'x') + " then more words";
  r.findings[0].where[0].source_line = std::string(300, ' ') + R"("torch_dtype": "float16")";
  r.findings[0].where[0].column = 316;
  r.findings[0].where[0].end_column = 325;
  for (const std::size_t width : {60U, 80U, 100U}) {
    CAPTURE(width);
    TextOptions o;
    o.width = width;
    const std::string plain = text(r, o);
    std::istringstream lines(plain);
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      CHECK(display_length(line) <= width);
    }
    o.color = true;
    std::string colored = text(r, o);
    for (std::size_t at = colored.find('\x1b'); at != std::string::npos;
         at = colored.find('\x1b')) {
      colored.erase(at, colored.find('m', at) - at + 1);
    }
    CHECK(colored == plain);
  }
}

TEST_CASE("concise: one line a finding, then the verdict") {
  CHECK(concise(sample()) ==
        "config.json:6:18: error CFG011 float16-with-linear-attention: the declared dtype is "
        "float16 [*]\n"
        "./repo: info MAP015 tensor-count-differs: 1 tensor more\n"
        "fail: 1 error, 0 warnings, 1 info\n");
}

TEST_CASE("concise: a finding in the weights names its tensor") {
  Results r = sample();
  r.findings[0].where = {results::Location{.file = "a.safetensors", .tensor = "up.scales"}};
  CHECK(concise(r).find("a.safetensors: error CFG011 ") == 0);
  CHECK(concise(r).find("float16 [up.scales] [*]\n") != std::string::npos);
}

TEST_CASE("a run that was kept says how to look at it") {
  Results r = sample();
  CHECK(text(r, {}).find("ckpt-check gui") == std::string::npos);
  r.kept_in = "/home/ada/runs/1/results.json";
  CHECK(text(r, {}).find("\n    ckpt-check gui ./repo /home/ada/runs/1/results.json\n") !=
        std::string::npos);
}

TEST_CASE("quiet leaves findings and verdict") {
  TextOptions o;
  o.quiet = true;
  const std::string t = text(sample(), o);
  CHECK(t.find("model ") == std::string::npos);
  CHECK(t.find("FAIL") != std::string::npos);
}

}  // namespace ckpt::reports
