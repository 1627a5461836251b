#pragma once
// Text that tries to be markup in every format at once.

#include <string>
#include <string_view>

#include "tests/reports/sample.h"
#include "validator/base/text.h"

namespace ckpt::testing {

inline constexpr std::string_view kHostile =
    "=1+1,\"\x1b[2J\x07\xff\xe2\x80\xae\r\n::error file=a,line=1::boo%0A\n"
    "</script><script>alert('x')</script>]]>&amp;|`|``|[a](javascript:b)![i](http://evil.test/p) "
    "@everyone www.evil.test <!-- ckpt-check:end -->\n---\n# head {0} {{1}} $(id) \\ \\x41";

/// Results whose every text is hostile, as a reader of a repo hands it on.
inline results::Results hostile_results() {
  return sample_results([](std::string_view name) {
    const bool raw = name == "source_line" || name == "edit";  // escaped by who shows them
    const std::string text = std::string(kHostile) + std::string(name);
    return raw ? text : shown(text, 1000);
  });
}

/// The same with nothing escaped on the way: every sink must hold by itself.
inline results::Results raw_results() {
  return sample_results(
      [](std::string_view name) { return std::string(kHostile) + std::string(name); });
}

}  // namespace ckpt::testing
