#include "validator/loaders/pattern.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "validator/base/limits.h"

namespace ckpt::loaders {
namespace {

re2::RE2::Options options() {
  re2::RE2::Options o;
  o.set_log_errors(false);
  o.set_max_mem(limits::kPatternMemory);
  return o;
}

re2::RE2::Anchor re2_anchor(Anchor a) {
  switch (a) {
    case Anchor::search:
      return re2::RE2::UNANCHORED;
    case Anchor::start:
      return re2::RE2::ANCHOR_START;
    default:
      return re2::RE2::ANCHOR_BOTH;
  }
}

/// Look-around and back references are valid Python that RE2 refuses.
bool python_only(std::string_view p) {
  for (const std::string_view s : {"(?=", "(?!", "(?<=", "(?<!", "(?P="}) {
    if (p.find(s) != std::string_view::npos) return true;
  }
  for (std::size_t i = 0; i + 1 < p.size(); ++i) {
    if (p[i] != '\\') continue;
    if (p[i + 1] >= '1' && p[i + 1] <= '9') return true;
    ++i;
  }
  return false;
}

/// A pattern of literals, `.` and `.*`, searched for anywhere: what people write into configs. Nine
/// names of ten are turned away by it before an automaton runs.
class SimplePattern {
 public:
  /// Empty when `p` holds anything else.
  static std::optional<SimplePattern> of(std::string_view p) {
    constexpr std::size_t kMost = 256;
    if (p.size() > kMost) return std::nullopt;
    SimplePattern out;
    out.tokens_.push_back(kRun);
    for (std::size_t i = 0; i < p.size(); ++i) {
      const char c = p[i];
      const bool repeated = i + 1 < p.size() && p[i + 1] == '*';
      if (c == '.') {
        out.tokens_.push_back(repeated ? kRun : kAny);
        i += repeated ? 1 : 0;
      } else if (c == '\\' && i + 1 < p.size() &&
                 std::string_view(".-_/").find(p[i + 1]) != std::string_view::npos) {
        out.tokens_.push_back(p[++i]);
      } else if ((std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '_' && c != '-') ||
                 repeated) {
        return std::nullopt;
      } else {
        out.tokens_.push_back(c);
      }
      // A quantifier of another kind after this one: not simple, seen in the next turn.
    }
    out.tokens_.push_back(kRun);
    return out;
  }

  /// `name` is printable ASCII.
  [[nodiscard]] bool matches(std::string_view name) const {
    std::size_t t = 0;
    std::size_t n = 0;
    std::size_t run = kNone;  // the last run, and how far it reaches
    std::size_t reach = 0;
    while (n < name.size()) {
      if (t < tokens_.size() && tokens_[t] == kRun) {
        run = t++;
        reach = n;
      } else if (t < tokens_.size() && (tokens_[t] == kAny || tokens_[t] == name[n])) {
        ++t;
        ++n;
      } else if (run != kNone) {
        t = run + 1;
        n = ++reach;
      } else {
        return false;
      }
      if (t == tokens_.size() - 1) return true;  // the run at the end takes the rest
    }
    while (t < tokens_.size() && tokens_[t] == kRun) ++t;
    return t == tokens_.size();
  }

 private:
  static constexpr int kAny = -1;
  static constexpr int kRun = -2;
  static constexpr std::size_t kNone = ~std::size_t{0};
  std::vector<int> tokens_;
};

bool printable_ascii(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= 0x20 && c < 0x7F; });
}

}  // namespace

struct PatternSet::Impl {
  std::vector<PatternProblem> problems;
  std::vector<int> original;  ///< index in the set -> index given
  std::unique_ptr<re2::RE2::Set> set;
  std::unique_ptr<re2::RE2> any;                  ///< all patterns as one: the cheap first question
  std::vector<std::unique_ptr<re2::RE2>> single;  ///< used when the set's automaton is too large
  std::vector<SimplePattern> simple;              ///< one per pattern, or none at all
  Anchor anchor = Anchor::search;

  /// False only when no pattern can match.
  [[nodiscard]] bool maybe(const re2::StringPiece& text) const {
    const std::string_view name(text.data(), text.size());
    if (!simple.empty() && printable_ascii(name)) {
      return std::ranges::any_of(simple,
                                 [name](const SimplePattern& p) { return p.matches(name); });
    }
    return any == nullptr || any->Match(text, 0, text.size(), re2_anchor(anchor), nullptr, 0);
  }
};

PatternSet::PatternSet(const std::vector<std::string>& patterns, Anchor anchor)
    : impl_(std::make_unique<Impl>()) {
  impl_->anchor = anchor;
  impl_->problems.assign(patterns.size(), PatternProblem::none);
  re2::RE2::Options set_options = options();
  // The budget is per pattern; a set of many gets room for all, within reason.
  set_options.set_max_mem(limits::kPatternMemory * 8);
  impl_->set = std::make_unique<re2::RE2::Set>(set_options, re2_anchor(anchor));
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    const std::string& p = patterns[i];
    auto compiled = std::make_unique<re2::RE2>(p, options());
    if (p.size() > limits::kPatternBytes || !compiled->ok()) {
      const bool valid_elsewhere = p.size() > limits::kPatternBytes || python_only(p) ||
                                   compiled->error_code() == re2::RE2::ErrorPatternTooLarge;
      impl_->problems[i] =
          valid_elsewhere ? PatternProblem::not_evaluated : PatternProblem::invalid;
      continue;
    }
    if (impl_->set->Add(p, nullptr) < 0) continue;
    impl_->original.push_back(static_cast<int>(i));
    impl_->single.push_back(std::move(compiled));
  }
  if (impl_->original.empty() || !impl_->set->Compile()) impl_->set.reset();
  constexpr std::size_t kFew = 8;  // more of them are slower than one automaton
  for (const int i : impl_->original) {
    auto simple = SimplePattern::of(patterns[static_cast<std::size_t>(i)]);
    if (!simple || anchor != Anchor::search || impl_->original.size() > kFew) break;
    impl_->simple.push_back(*std::move(simple));
  }
  if (impl_->simple.size() != impl_->original.size()) impl_->simple.clear();
  std::string all;
  for (const int i : impl_->original) {
    all += (all.empty() ? "(?:" : "|(?:") + patterns[static_cast<std::size_t>(i)] + ")";
  }
  re2::RE2::Options any_options = set_options;
  any_options.set_never_capture(true);
  impl_->any = std::make_unique<re2::RE2>(all, any_options);
  if (all.empty() || !impl_->any->ok()) impl_->any.reset();
}

PatternSet::~PatternSet() = default;
PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;

int PatternSet::first_match(std::string_view name) const {
  if (impl_->original.empty()) return -1;
  const re2::StringPiece text(name.data(), name.size());
  if (!impl_->maybe(text)) return -1;
  if (impl_->set != nullptr) {
    std::vector<int> hits;
    re2::RE2::Set::ErrorInfo error{};
    const bool any = impl_->set->Match(text, &hits, &error);
    if (any) return impl_->original[static_cast<std::size_t>(*std::ranges::min_element(hits))];
    if (error.kind == re2::RE2::Set::kNoError) return -1;
  }
  for (std::size_t i = 0; i < impl_->single.size(); ++i) {
    if (impl_->single[i]->Match(text, 0, name.size(), re2_anchor(impl_->anchor), nullptr, 0)) {
      return impl_->original[i];
    }
  }
  return -1;
}

void PatternSet::mark_matches(std::string_view name, std::vector<bool>& matched) const {
  const re2::StringPiece text(name.data(), name.size());
  if (!impl_->maybe(text)) return;
  std::vector<int> hits;
  re2::RE2::Set::ErrorInfo error{};
  if (impl_->set != nullptr) {
    if (impl_->set->Match(text, &hits, &error)) {
      for (const int h : hits) {
        matched[static_cast<std::size_t>(impl_->original[static_cast<std::size_t>(h)])] = true;
      }
      return;
    }
    if (error.kind == re2::RE2::Set::kNoError) return;
  }
  for (std::size_t i = 0; i < impl_->single.size(); ++i) {
    const auto at = static_cast<std::size_t>(impl_->original[i]);
    if (!matched[at] &&
        impl_->single[i]->Match(text, 0, name.size(), re2_anchor(impl_->anchor), nullptr, 0)) {
      matched[at] = true;
    }
  }
}

PatternProblem PatternSet::problem(std::size_t index) const {
  return impl_->problems[index];
}

bool looks_like_regex(std::string_view key) {
  return key.find_first_of("*+?^$()[]{}|\\") != std::string_view::npos;
}

}  // namespace ckpt::loaders
