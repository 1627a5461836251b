#include "validator/cli/gui_command.h"

#include <CLI/CLI.hpp>

#include "gui/window/run.h"
#include "validator/base/text.h"
#include "validator/cli/kl_machine.h"

namespace ckpt::cli {
namespace {

bool is_results(const std::string& path) {
  return path.ends_with(".json") && !path.ends_with(".index.json");
}

}  // namespace

CLI::App* add_gui_command(CLI::App& app, GuiOptions& o) {
  CLI::App* c = app.add_subcommand("gui", "Look at tensors and results: heat maps, experts, text");
  c->add_option(
       "TARGET", o.open,
       "Checkpoint, and results.json of a run; the results alone are enough for some views. "
       "Without one the viewer shows what was opened before")
      ->expected(0, 2);
  c->add_option("--reference", o.reference, "The weights that the target was made from");
  c->add_option(
      "--open", o.select,
      "Tensor, finding (fingerprint or code), 'layer 3', 'expert 3 17' or 'token 1' to begin "
      "with");
  c->add_option("--view", o.view,
                "overview, heat_map, histogram, compare, experts, text, routing or layers");
  c->add_option("--screenshot", o.screenshot, "Write a PNG and end; needs no display");
  c->add_option("--size", o.size, "WIDTHxHEIGHT of the window or the picture");
  c->add_option("--script", o.script, "Run the commands of a file and end; needs no display");
  c->add_option("--theme", o.theme, "dark or light")->check(CLI::IsMember({"dark", "light"}));
  c->add_option("--cache", o.cache, "Memory for tiles, such as 512M or 2Gi");
  c->add_option("--font", o.font, "auto or builtin")->check(CLI::IsMember({"auto", "builtin"}));
  c->add_flag("--no-state", o.no_state,
              "Neither read nor write the state file, nor look for kept runs");
  c->footer(
      "\nScript commands, one a line: action ID, click LABEL, hover LABEL, expect LABEL, key "
      "CHORD,\n"
      "type TEXT, select NAME, filter TEXT, wheel N, size WxH, wait, screenshot FILE. F1 in the\n"
      "viewer lists actions with their ids and keys.\n"
      "\nExamples:\n"
      "  ckpt-check gui ./MyModel-W4A16\n"
      "  ckpt-check gui ./MyModel-W4A16 results.json --reference ./MyModel\n"
      "  ckpt-check gui ./MyModel-W4A16 --open lm_head.weight --screenshot head.png\n");
  return c;
}

int run_gui_command(const GlobalOptions& global, const GuiOptions& o) {
  gui::RunArgs args;
  for (const std::string& path : o.open) {
    std::string& to = is_results(path) ? args.open.results : args.open.target;
    if (!to.empty()) {
      complain("give one checkpoint and one results file, not two of a kind");
      return 2;
    }
    to = path;
  }
  if (!parse_size(o.cache, args.cache_bytes) || args.cache_bytes < (16U << 20)) {
    complain("--cache " + shown(o.cache, 40) + ": a size of at least 16Mi");
    return 2;
  }
  args.open.reference = o.reference;
  args.select = o.select;
  args.view = o.view;
  args.screenshot = o.screenshot;
  args.size = o.size;
  args.script = o.script;
  args.theme = o.theme;
  args.runs = state_folder();
  args.builtin_font = o.font == "builtin";
  args.no_state = o.no_state;
  args.timing = global.verbose;
  args.threads = global.threads;
  const auto done = gui::run_viewer(args);
  if (!done) complain(done.error().message);
  return done ? 0 : 2;
}

}  // namespace ckpt::cli
