// A results file of a stranger: whatever it says, it is refused or every report can be made of it,
// and what is written again reads the same.

#include "reports/card.h"
#include "reports/formats.h"
#include "tests/fuzz/input.h"
#include "validator/results/results.h"

using namespace ckpt;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto all = results::from_json(fuzz::text_of(data, size));
  if (!all) return 0;
  const std::string written = results::to_json(*all);
  const auto again = results::from_json(written);
  fuzz::must(again.has_value() && results::to_json(*again) == written);
  for (const reports::Format& format : reports::formats()) {
    reports::Options options;
    if (format.name != "svg") {
      (void)format.render(*all, options);
      continue;
    }
    for (const std::string& figure : reports::figure_names()) {
      options.figure = figure;
      (void)format.render(*all, options);
    }
  }
  if (all->size() == 1) (void)reports::update_front_matter("# x\n", all->front());
  return 0;
}
