#include <doctest/doctest.h>

#include <set>
#include <sstream>

#include "tests/cli/run.h"

namespace ckpt {
namespace {

using testing::run_program;
using testing::TempDir;

/// Every `--name` before the text of an option in the help of `command` (empty: the program).
std::set<std::string> options_in_help(const std::string& command) {
  std::set<std::string> out;
  std::istringstream help(run_program(command + " --help").out);
  for (std::string line; std::getline(help, line);) {
    if (!line.starts_with("  -")) continue;
    std::istringstream names(line.substr(2, line.find(' ', 2) - 2));  // `-f,--format`
    for (std::string name; std::getline(names, name, ',');) {
      const std::size_t end = name.find_first_not_of("-abcdefghijklmnopqrstuvwxyz");
      if (name.starts_with("--")) out.insert(name.substr(0, end));
    }
  }
  return out;
}

std::vector<std::string> commands() {
  const std::string help = run_program("").out;
  const std::size_t begin = help.find("Commands: ") + 10;
  std::istringstream list(help.substr(begin, help.find(".\n", begin) - begin));
  std::vector<std::string> out;
  for (std::string word; std::getline(list >> std::ws, word, ',');) out.push_back(word);
  return out;
}

bool has_shell(const std::string& shell) {
  return std::system(("command -v " + shell + " > /dev/null").c_str()) == 0;
}

/// What bash offers after these words; the last one is being typed.
std::set<std::string> offered(const std::string& words) {
  const TempDir dir;
  dir.write("complete", run_program("completions bash").out);
  dir.write("ask", "cd " + dir.path() + "; . ./complete\nCOMP_WORDS=(" + words +
                       ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_ckpt_check\n"
                       "printf '%s\\n' \"${COMPREPLY[@]}\" > offered\n");
  REQUIRE(std::system(("bash " + dir.path() + "/ask").c_str()) == 0);
  std::istringstream lines(testing::read_all(dir.path() + "/offered"));
  std::set<std::string> out;
  for (std::string line; std::getline(lines, line);) out.insert(line);
  return out;
}

}  // namespace

TEST_CASE("completions: bash offers every option that the help of a command lists, and no other") {
  if (!has_shell("bash")) return;
  const std::vector<std::string> all = commands();
  CHECK(all.size() >= 14);
  const std::set<std::string> global = options_in_help("");
  for (const std::string& command : all) {
    CAPTURE(command);
    std::set<std::string> expected = options_in_help(command);
    CHECK(expected.contains("--help"));
    expected.insert(global.begin(), global.end());
    CHECK(offered("ckpt-check " + command + " --") == expected);
  }
}

TEST_CASE("completions: bash offers commands, the values of an option, and codes") {
  if (!has_shell("bash")) return;
  using Set = std::set<std::string>;
  CHECK(offered("ckpt-check expl") == Set{"explain"});
  CHECK(offered("ckpt-check kl --mode ''") == Set{"bf16", "fp16", "fp32"});
  CHECK(offered("ckpt-check kl --mode = b") == Set{"bf16"});
  CHECK(offered("ckpt-check check -f js") == Set{"json", "jsonl"});
  CHECK(offered("ckpt-check schema con") == Set{"config"});
  CHECK(offered("ckpt-check explain QNT004") == Set{"QNT004"});
  CHECK(offered("ckpt-check check ./comp") == Set{"./complete"});
}

TEST_CASE("completions: the shells that are installed can read their script") {
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const auto script = run_program("completions " + shell);
    CHECK(script.code == 0);
    CHECK(script.out.find("prune-verify") != std::string::npos);
    if (!has_shell(shell)) continue;
    const TempDir dir;
    dir.write("script", script.out);
    CHECK(std::system((shell + " -n " + dir.path() + "/script").c_str()) == 0);
  }
  CHECK(run_program("completions tcsh").code == 2);
}

TEST_CASE("man: the page names every command and option, and roff has nothing to complain about") {
  const std::string page = run_program("man").out;
  CHECK(page.starts_with(".TH CKPT\\-CHECK 1 "));
  for (const std::string& command : commands()) {
    for (std::string option : options_in_help(command)) {
      if (option == "--help") continue;
      CAPTURE(command + " " + option);
      for (std::size_t at = 0; (at = option.find('-', at)) != std::string::npos; at += 2) {
        option.insert(at, 1, '\\');
      }
      CHECK(page.find("\\fB" + option + "\\fR") != std::string::npos);
    }
  }
  for (const char* section : {"NAME", "SYNOPSIS", "OPTIONS", "COMMANDS", "EXIT STATUS", "FILES"}) {
    CHECK(page.find(std::string(".SH ") + section + "\n") != std::string::npos);
  }
  if (!has_shell("groff")) return;
  const TempDir dir;
  dir.write("page.1", page);
  const std::string groff = "groff -man -ww -Tutf8 " + dir.path() + "/page.1 > /dev/null 2> ";
  CHECK(std::system((groff + dir.path() + "/said").c_str()) == 0);
  CHECK(testing::read_all(dir.path() + "/said").empty());
}

}  // namespace ckpt
