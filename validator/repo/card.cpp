#include "validator/repo/card.h"

#include <algorithm>

namespace ckpt::repo {
namespace {

constexpr std::size_t kLongestLabel = 80;
constexpr std::size_t kMostCells = 16;
constexpr std::size_t kMostLines = 20'000;  // no card is longer; what is behind is not read
constexpr std::size_t kMostRows = 2'000;

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
    text.remove_suffix(1);
  }
  return text;
}

/// Lower case (ASCII), without `*` and backticks.
std::string plain(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (c == '*' || c == '`') continue;
    out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  return out;
}

std::vector<std::string> cells_of(std::string_view line) {
  std::vector<std::string> cells;
  line = trimmed(line);
  if (line.starts_with('|')) line.remove_prefix(1);
  while (cells.size() < kMostCells) {
    const std::size_t bar = line.find('|');
    cells.emplace_back(trimmed(line.substr(0, bar)));
    if (bar == std::string_view::npos) break;
    line.remove_prefix(bar + 1);
  }
  if (cells.size() > 1 && cells.back().empty()) cells.pop_back();
  return cells;
}

bool is_rule(const std::vector<std::string>& cells) {
  return std::ranges::all_of(
      cells, [](const std::string& c) { return c.find_first_not_of("-: ") == std::string::npos; });
}

bool is_this_model(const std::string& header) {
  return header.find("this") != std::string::npos || header.find("quantized") != std::string::npos;
}

std::string value_of(const CardRow& row, const std::vector<std::string>& header) {
  if (row.cells.size() == 2) return row.cells[1];
  for (std::size_t i = 1; i < row.cells.size() && i < header.size(); ++i) {
    if (is_this_model(header[i])) return row.cells[i];
  }
  const bool same = std::ranges::all_of(row.cells.begin() + 1, row.cells.end(),
                                        [&row](const std::string& c) { return c == row.cells[1]; });
  return same ? row.cells[1] : std::string();
}

class Parser {
 public:
  explicit Parser(ModelCard& card) : card_(card) {}

  void run() {
    std::string_view rest = card_.text;
    for (std::uint32_t number = 1; !rest.empty(); ++number) {
      const std::size_t end = rest.find('\n');
      line(number, rest.substr(0, end));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
  }

 private:
  ModelCard& card_;
  bool fenced_ = false;
  bool front_ = false;
  std::int32_t header_ = -1;

  void line(std::uint32_t number, std::string_view text) {
    const std::string_view t = trimmed(text);
    if (number == 1 && t == "---") {
      front_ = true;
      return;
    }
    if (front_) return front_matter(text);
    if (card_.lines.size() >= kMostLines) return;
    const bool fence = t.starts_with("```");
    if (fence) fenced_ = !fenced_;
    card_.lines.push_back({number, text, plain(t), fenced_ || fence});
    if (fenced_ || fence || card_.rows.size() >= kMostRows) return;
    if (t.find('|') != std::string_view::npos) return table(number, card_.lines.back().plain);
    header_ = -1;
    item(number, card_.lines.back().plain);
  }

  void front_matter(std::string_view text) {
    if (trimmed(text) == "---") {
      front_ = false;
      return;
    }
    const std::size_t colon = text.find(':');
    if (text.starts_with(' ') || text.starts_with('-') || colon == std::string_view::npos) return;
    card_.front_matter.emplace_back(text.substr(0, colon), trimmed(text.substr(colon + 1)));
  }

  void table(std::uint32_t number, std::string_view text) {
    CardRow row{number, {}, {}, cells_of(text), header_};
    if (row.cells.size() < 2 || is_rule(row.cells)) return;
    if (header_ >= 0) {
      row.label = row.cells[0];
      row.value = value_of(row, card_.rows[static_cast<std::size_t>(header_)].cells);
    } else {
      header_ = static_cast<std::int32_t>(card_.rows.size());
    }
    card_.rows.push_back(std::move(row));
  }

  /// `Max context 1,048,576 tokens`: a table that lost its bars. Only a line that is short counts.
  void loose(std::uint32_t number, std::string_view text) {
    const std::size_t value = text.find_first_of("~0123456789");
    if (text.size() > kLongestLabel || value == std::string_view::npos || value == 0) return;
    card_.rows.push_back({number,
                          std::string(trimmed(text.substr(0, value))),
                          std::string(text.substr(value)),
                          {},
                          -1,
                          true});
  }

  void item(std::uint32_t number, std::string_view text) {
    const bool bullet = text.starts_with("- ") || text.starts_with("\xE2\x80\xA2");
    if (bullet) text.remove_prefix(text.starts_with("- ") ? 2 : 3);
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon > kLongestLabel) return loose(number, text);
    card_.rows.push_back({number,
                          std::string(trimmed(text.substr(0, colon))),
                          std::string(trimmed(text.substr(colon + 1))),
                          {},
                          -1});
  }
};

}  // namespace

void parse_card(ModelCard& card) {
  Parser(card).run();
}

}  // namespace ckpt::repo
