#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/cli/run.h"
#include "tests/pipeline/lint_repos.h"
#include "validator/policy/keys.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;

std::string lint(const TempDir& dir, const std::string& repo) {
  testing::lay_out_lint_repo(repo, dir);
  return dir.path();
}

}  // namespace

TEST_CASE("fix writes only when told to, and then the next check has nothing to repair") {
  const TempDir dir;
  lint(dir, "tokenizers-backend-class");
  const std::string before = testing::read_all(dir.path() + "/tokenizer_config.json");
  const std::string shown = run_program("fix " + dir.path()).out;
  CHECK(shown.find("\n- \"tokenizer_class\": \"TokenizersBackend\"") != std::string::npos);
  CHECK(shown.find("\n+ \"tokenizer_class\": \"Qwen2TokenizerFast\"") != std::string::npos);
  CHECK(testing::read_all(dir.path() + "/tokenizer_config.json") == before);
  CHECK(run_program("fix --write --backup " + dir.path()).code == 0);
  CHECK(testing::read_all(dir.path() + "/tokenizer_config.json.orig") == before);
  const auto again = nlohmann::json::parse(run_program("fix --json " + dir.path()).out);
  CHECK(again["changes"].empty());
  CHECK(run_program("check --select TOK003 --fail-on info " + dir.path()).code == 0);
}

TEST_CASE("exit codes: commands and situations") {
  const TempDir clean;
  lint(clean, "clean-autoround-causal");
  const TempDir broken;
  lint(broken, "router-quantized");
  const TempDir warned;
  lint(warned, "tokenizers-backend-class");
  const TempDir empty;
  const TempDir unreadable;
  unreadable.write("config.json", "{");
  const TempDir fifo;
  ::mkfifo((fifo.path() + "/config.json").c_str(), 0600);

  struct Row {
    std::string arguments;
    int code;
  };

  const Row rows[] = {
      {"", 2},
      {"--help", 0},
      {"-h", 0},
      {"--version", 0},
      {"check --help", 0},
      {"fix --help", 0},
      {"fix", 2},
      {"fix ./nowhere", 2},
      {"fix --diff --write " + warned.path(), 2},
      {"fix " + clean.path(), 0},
      {"fix --diff " + warned.path(), 1},
      {"fix " + warned.path(), 1},
      {"kl --help", 0},
      {"check", 2},
      {"nonsense", 2},
      {"check --nonsense x", 2},
      {"check " + clean.path(), 0},
      {clean.path(), 0},
      {clean.path() + "/model.safetensors", 0},  // a shard stands for its folder
      {"check " + broken.path(), 1},
      {"check " + broken.path() + " --fail-on never", 0},
      {"check " + warned.path(), 0},
      {"check " + warned.path() + " --fail-on warning", 1},
      {"check " + warned.path() + " --fail-on warning --ignore TOK", 0},
      {"check " + empty.path(), 2},
      {"check /does/not/exist", 2},
      {"check does-not-exist/at-all", 2},
      {"check " + clean.path() + " /does/not/exist", 2},
      {"check " + broken.path() + " /does/not/exist", 1},
      {"check " + unreadable.path(), 1},
      {"check " + fifo.path(), 1},
      {"check hf://org/name", 2},
      {"check " + clean.path() + " -f nonsense", 2},
      {"check " + clean.path() + " --report json", 2},
      {"check " + clean.path() + " --report json=/does/not/exist/x.json", 2},
      {"check " + clean.path() + " --json", 0},
      {"check " + clean.path() + " -qq", 0},
      {"explain QNT004", 0},
      {"explain QNT999", 2},
      {"explain", 2},
      {"rules", 0},
      {"schema", 0},
      {"schema nonsense", 2},
      {"kl " + clean.path(), 2},
      {"kl " + clean.path() + " --reference /does/not/exist", 2},
      {"kl " + clean.path() + " --reference " + clean.path() + " --gate nonsense", 2},
      {"kl " + clean.path() + " --reference " + clean.path() + " --memory lots", 2},
      {"kl " + clean.path() + " --reference " + clean.path() +
           " --skip-local --gate 'experts.max_error<=1'",
       2},
  };
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    const testing::Ran r = run_program(row.arguments);
    CHECK(r.code == row.code);
    CHECK(r.out.size() + r.err.size() < (1U << 20));
  }
}

TEST_CASE("standard output holds the document and nothing else, with progress on") {
  const TempDir dir;
  lint(dir, "extra-config-wrong-prefix");
  const testing::Ran r = run_program("check " + dir.path() + " --json --progress json");
  CHECK(r.code == 1);
  const auto j = nlohmann::json::parse(r.out, nullptr, false);
  REQUIRE_FALSE(j.is_discarded());
  CHECK(j["schema_version"] == "1.2");
  CHECK(j["run"]["verdict"] == "fail");
  CHECK(j["counts"]["error"] == 1);
  for (const auto& f : j["findings"]) {
    CHECK(f["fingerprint"].get<std::string>().size() == 16);
    if (f["code"] == "QNT004") CHECK(f["where"][0]["line"].get<int>() > 1);
  }
}

TEST_CASE("the same input gives the same bytes, with any number of threads and in any locale") {
  const TempDir dir;
  lint(dir, "vision-quantized");
  const std::string base = "check " + dir.path() + " --reproducible --json";
  const std::string one = run_program(base + " --threads 1").out;
  CHECK(one == run_program(base + " --threads 7").out);
  CHECK(one == run_program(base, "LC_ALL=tr_TR.UTF-8").out);
  CHECK(one.find("duration_s\": 0.0") != std::string::npos);
}

TEST_CASE("several targets: all are checked, and JSON is an array of them") {
  const TempDir a;
  lint(a, "clean-autoround-causal");
  const TempDir b;
  lint(b, "router-quantized");
  const auto j = nlohmann::json::parse(
      run_program("check " + a.path() + " " + b.path() + " --json").out, nullptr, false);
  REQUIRE(j.is_array());
  REQUIRE(j.size() == 2);
  CHECK(j[0]["run"]["exit_code"] == 0);
  CHECK(j[1]["run"]["exit_code"] == 1);
}

TEST_CASE("colour: never in a pipe, on demand, and off by NO_COLOR") {
  const TempDir dir;
  lint(dir, "router-quantized");
  const std::string esc = "\x1b[";
  CHECK(run_program("check " + dir.path()).out.find(esc) == std::string::npos);
  CHECK(run_program("check --color always " + dir.path()).out.find(esc) != std::string::npos);
  CHECK(run_program("check " + dir.path(), "FORCE_COLOR=1").out.find(esc) != std::string::npos);
  CHECK(run_program("check " + dir.path(), "FORCE_COLOR=1 NO_COLOR=1").out.find(esc) ==
        std::string::npos);
}

TEST_CASE("a report that cannot be written leaves no file and the old one whole") {
  const TempDir dir;
  lint(dir, "clean-autoround-causal");
  const TempDir out;
  out.write("r.json", "old");
  CHECK(run_program("check " + dir.path() + " --report json=" + out.path() + "/r.json").code == 0);
  CHECK(testing::read_all(out.path() + "/r.json").starts_with("{"));
  CHECK(std::distance(std::filesystem::directory_iterator(out.path()), {}) == 1);
}

TEST_CASE("standard output that cannot be written is exit 2; a closed descriptor is survived") {
  const TempDir dir;
  lint(dir, "clean-autoround-causal");
  CHECK(std::system((std::string(CKPT_BINARY) + " check " + dir.path() + " > /dev/full 2>/dev/null")
                        .c_str()) == 2 * 256);
  CHECK(std::system(
            (std::string(CKPT_BINARY) + " check " + dir.path() + " >&- 2>&- <&-").c_str()) == 0);
}

TEST_CASE("schema config has the keys that the reader takes and refuses any other") {
  const auto schema = nlohmann::json::parse(run_program("schema config").out);
  CHECK(schema["additionalProperties"] == false);
  for (const policy::Key& k : policy::setting_keys()) {
    const auto& section = schema["properties"][std::string(k.section)];
    CHECK(section["additionalProperties"] == false);
    CHECK(section["properties"].contains(std::string(k.name)));
  }
  const auto& waiver = schema["properties"]["waiver"]["items"];
  CHECK(waiver["required"] == std::vector<std::string>{"code", "reason", "expires"});
  CHECK(waiver["properties"].size() == policy::waiver_keys().size());
}

TEST_CASE("doctor shows where every value of the configuration comes from, and tests itself") {
  const TempDir dir;
  dir.write("mine.toml", "[check]\ngpu = \"t4\"\nloaders = [\"vllm\"]\n");
  const auto ran =
      run_program("doctor --json --config " + dir.path() + "/mine.toml", "CKPT_CHECK_THREADS=2");
  CHECK(ran.code == 0);
  const auto j = nlohmann::json::parse(ran.out);
  CHECK(j["self_test"] == "");
  CHECK(j["cpu"].size() >= 2);  // the best, and the portable one
  std::map<std::string, std::string> from;
  for (const auto& c : j["configuration"]) from[c["key"]] = c["from"];
  CHECK(from.at("check.gpu") == dir.path() + "/mine.toml");
  CHECK(from.at("check.fail_on") == "default");
  CHECK(from.at("CKPT_CHECK_THREADS") == "environment");
  CHECK(run_program("doctor").out.find("self-test       works") != std::string::npos);
  dir.write("mine.toml", "[chek]\n");
  CHECK(run_program("doctor --config " + dir.path() + "/mine.toml").code == 2);
}

TEST_CASE("--gpu by option and by configuration, and a name that nobody sells") {
  const TempDir dir;
  lint(dir, "clean-autoround-causal");
  CHECK(run_program("check " + dir.path() + " --gpu rtx4090").code == 0);
  const auto old = run_program("check " + dir.path() + " --gpu t4 --json");
  CHECK(old.code == 1);
  CHECK(old.out.find("LDR006") != std::string::npos);
  const TempDir settings;
  settings.write("t4.toml", "[check]\ngpu = \"t4\"\n");
  const std::string config = " --config " + settings.path() + "/t4.toml";
  CHECK(run_program("check " + dir.path() + config).code == 1);
  CHECK(run_program("check " + dir.path() + config + " --gpu a100").code == 0);
  const auto typo = run_program("check " + dir.path() + " --gpu rtx4091");
  CHECK(typo.code == 2);
  CHECK(typo.err.find("did you mean `rtx") != std::string::npos);
  CHECK(run_program("check " + dir.path() + " --gpu-memory 8G").code == 2);
}

TEST_CASE("a slip of the hand is refused before anything runs, and the likely word named") {
  const TempDir dir;
  lint(dir, "clean-autoround-causal");
  dir.write("typo.toml", "[check]\nselect = [\"qnt004\"]\n");
  const std::string repo = " " + dir.path();

  struct Row {
    std::string arguments;
    std::string named;
  };

  const Row rows[] = {
      {"check --select qnt004" + repo, "did you mean QNT004?"},
      {"check --ignore QNT9" + repo, "unknown rule `QNT9`"},
      {"check --extend-select '' --select QNT" + repo, "unknown rule ``"},
      {"check --config " + dir.path() + "/typo.toml" + repo, "did you mean QNT004?"},
      {"check --config ./nope.toml" + repo, "./nope.toml: no such file"},
      {"check --depp" + repo, "did you mean --deep?"},
      {"fix --select ZZZ" + repo, "unknown rule `ZZZ`"},
      {"rules --select ZZZ", "unknown rule `ZZZ`"},
      {"estimate --gpu-memory 80" + repo, "write a size such as 80Gi"},
      {"check --gpu t4 --gpu-memory 16" + repo, "write a size such as 40Gi"},
      {"kl a --reference b --report json=/absent/x.json", "there is no folder /absent"},
      {"check -o /absent/x.txt" + repo, "there is no folder /absent"},
      {"explain qnt004", "did you mean QNT004?"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.arguments);
    const auto ran = run_program(row.arguments);
    CHECK(ran.code == 2);
    CAPTURE(ran.err);
    CHECK(ran.err.find(row.named) != std::string::npos);
    CHECK(ran.out.empty());
  }
  CHECK(run_program("explain override-matches-no-module").out.starts_with("QNT004"));
}

TEST_CASE("kl notes what looks like a mistake of the command line") {
  const std::string models = std::string(CKPT_FIXTURES) + "/golden/models/A-causallm-";
  const auto kl = [&](const std::string& candidate, const std::string& reference) {
    return run_program("kl " + models + candidate + " --reference " + models + reference +
                       " --tokens 16 --skip-local")
        .out;
  };
  CHECK(kl("bf16", "bf16").find("compared with itself") != std::string::npos);
  CHECK(kl("bf16", "w4a16-autoround").find("in the wrong order?") != std::string::npos);
  const std::string meant = kl("w4a16-autoround", "bf16");
  CHECK(meant.find("compared with itself") == std::string::npos);
  CHECK(meant.find("in the wrong order?") == std::string::npos);
}

}  // namespace ckpt
