#pragma once
// The parts of a model card (README.md) that can be compared with the files. The text comes from
// strangers: everything here is linear in it, and nothing of it is interpreted.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ckpt::repo {

/// One line without its end. `plain` is it in lower case, without Markdown's emphasis and code
/// marks.
struct CardLine {
  std::uint32_t number = 1;
  std::string_view text;
  std::string plain;
  bool fenced = false;  ///< inside a code block
};

/// A statement `label: value`: a table row or a list item, both as `CardLine::plain` is written. Of
/// a table with several columns `value` is the one of this model (its header says "this" or
/// "quantized"), or the one that all columns agree on, else empty.
struct CardRow {
  std::uint32_t line = 1;
  std::string label;
  std::string value;
  std::vector<std::string> cells;  ///< of a table row, the label first
  std::int32_t header = -1;        ///< index of the table's first row
  bool loose = false;              ///< neither table nor list: the label ends at the first number
};

/// The card. `lines` point into `text`: it must not move after parse. Lines and rows beyond what
/// any card has are left out.
struct ModelCard {
  std::string text;
  std::vector<CardLine> lines;
  std::vector<CardRow> rows;
  std::vector<std::pair<std::string, std::string>> front_matter;  ///< top-level `key: value`
};

/// Reads `card.text` into the other fields.
void parse_card(ModelCard& card);

}  // namespace ckpt::repo
