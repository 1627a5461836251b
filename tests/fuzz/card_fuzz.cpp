// The model card: lines, rows and claims are read from any text, linear in it, and point into it.

#include "tests/fuzz/input.h"
#include "validator/repo/card.h"
#include "validator/rules/crd/claims.h"

using namespace ckpt;

namespace {

bool inside(std::string_view part, const std::string& text) {
  return part.data() >= text.data() && part.data() + part.size() <= text.data() + text.size();
}

void claims(std::string_view text) {
  for (const rules::Number& n : rules::numbers_in(text)) {
    fuzz::must(!(n.low > n.high) && n.begin < text.size());
  }
  if (const auto bytes = rules::bytes_in(text)) fuzz::must(!(bytes->low > bytes->high));
  (void)rules::number_before(text, "experts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  repo::ModelCard card;
  card.text = fuzz::text_of(data, size);
  repo::parse_card(card);
  std::uint32_t before = 0;
  for (const repo::CardLine& l : card.lines) {
    fuzz::must(l.number > before && inside(l.text, card.text));
    before = l.number;
    claims(l.plain);
  }
  for (const repo::CardRow& r : card.rows) {
    fuzz::must(r.header < static_cast<std::int32_t>(card.rows.size()));
    (void)rules::stated(r);
    claims(r.value);
  }
  return 0;
}
