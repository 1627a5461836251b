#include "validator/tokenizer/splitter.h"

#include <fmt/format.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "validator/base/text.h"

namespace ckpt::tokenizer {
namespace {

constexpr std::size_t kPatternBytes = 16 << 10;
constexpr std::uint32_t kHeapKiB = 64 << 10;

// A match first gets few steps. Only a match that needs more is tried again with more, and what it
// used is charged to the whole text: so patterns that backtrack a lot everywhere are stopped, while
// one long run of spaces is not.
constexpr std::array<std::uint32_t, 5> kSteps{256, 1 << 12, 1 << 16, 1 << 20, 1 << 24};
constexpr std::uint64_t kFreeSteps = 1 << 26;
constexpr std::uint64_t kStepsPerByte = 64;

struct Free {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }

  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }

  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }

  void operator()(pcre2_compile_context* p) const { pcre2_compile_context_free(p); }
};

PCRE2_SPTR units(std::string_view text) {
  return static_cast<PCRE2_SPTR>(static_cast<const void*>(text.data()));
}

tl::unexpected<Error> evaluation_failed(int code) {
  std::array<PCRE2_UCHAR, 160> buffer{};
  const int n = pcre2_get_error_message(code, buffer.data(), buffer.size());
  std::string why;
  for (int i = 0; i < n; ++i) why.push_back(static_cast<char>(buffer[static_cast<std::size_t>(i)]));
  return fail(ErrorKind::limit, fmt::format("split pattern cannot be evaluated: {}", why));
}

bool hit_limit(int code) {
  return code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_DEPTHLIMIT;
}

/// Matches of one pattern in one text.
class Matcher {
 public:
  Matcher(const pcre2_code* code, std::string_view text)
      : code_(code),
        text_(text),
        budget_(kFreeSteps + kStepsPerByte * text.size()),
        data_(pcre2_match_data_create_from_pattern(code, nullptr)),
        context_(pcre2_match_context_create(nullptr)) {
    if (context_) pcre2_set_heap_limit(context_.get(), kHeapKiB);
  }

  [[nodiscard]] bool ready() const { return data_ && context_; }

  /// End of the match that begins at `begin`, or npos when there is none.
  [[nodiscard]] Result<std::size_t> match_end(std::size_t begin) {
    int code = PCRE2_ERROR_MATCHLIMIT;
    for (const std::uint32_t steps : kSteps) {
      pcre2_set_match_limit(context_.get(), steps);
      code = pcre2_match(code_, units(text_), text_.size(), begin,
                         PCRE2_ANCHORED | PCRE2_NO_UTF_CHECK, data_.get(), context_.get());
      if (steps != kSteps.front()) {
        if (budget_ < steps) return evaluation_failed(PCRE2_ERROR_MATCHLIMIT);
        budget_ -= steps;
      }
      if (!hit_limit(code)) break;
    }
    if (code == PCRE2_ERROR_NOMATCH) return std::string_view::npos;
    if (code < 0) return evaluation_failed(code);
    return pcre2_get_ovector_pointer(data_.get())[1];
  }

 private:
  const pcre2_code* code_;
  std::string_view text_;
  std::uint64_t budget_;
  std::unique_ptr<pcre2_match_data, Free> data_;
  std::unique_ptr<pcre2_match_context, Free> context_;
};

}  // namespace

struct Splitter::Code {
  std::unique_ptr<pcre2_code, Free> code;
};

Splitter::Splitter(std::unique_ptr<Code> code) : code_(std::move(code)) {}

Splitter::Splitter(Splitter&&) noexcept = default;
Splitter& Splitter::operator=(Splitter&&) noexcept = default;
Splitter::~Splitter() = default;

Result<Splitter> Splitter::compile(std::string_view pattern) {
  if (pattern.size() > kPatternBytes) {
    return fail(ErrorKind::limit, fmt::format("pattern cannot be evaluated: {} bytes, limit {}",
                                              pattern.size(), kPatternBytes));
  }
  // Ruby syntax: `^` and `$` match at each line. `\C` would cut characters apart.
  constexpr std::uint32_t kOptions =
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_START_OPTIMIZE;
  int error = 0;
  PCRE2_SIZE at = 0;
  auto code = std::make_unique<Code>();
  code->code.reset(pcre2_compile(units(pattern), pattern.size(), kOptions, &error, &at, nullptr));
  if (!code->code) {
    std::array<PCRE2_UCHAR, 160> buffer{};
    const int n = pcre2_get_error_message(error, buffer.data(), buffer.size());
    std::string why;
    for (int i = 0; i < n; ++i)
      why.push_back(static_cast<char>(buffer[static_cast<std::size_t>(i)]));
    return fail(ErrorKind::unsupported, fmt::format("pattern cannot be evaluated: {}", why));
  }
  return Splitter(std::move(code));
}

Result<void> Splitter::split(std::string_view text, std::vector<std::string_view>& pieces) const {
  Matcher matcher(code_->code.get(), text);
  if (!matcher.ready()) return fail(ErrorKind::memory, "no memory to evaluate the split pattern");
  std::size_t begin = 0;  // of the piece that is growing
  const auto cut = [&](std::size_t end) {
    if (end > begin) pieces.push_back(text.substr(begin, end - begin));
    begin = end;
  };
  for (std::size_t at = 0; at < text.size();) {
    CKPT_TRY(const std::size_t end, matcher.match_end(at), "split");
    if (end != std::string_view::npos) cut(at);
    if (end != std::string_view::npos && end > at) {
      cut(end);
      at = end;
      continue;
    }
    do {
      ++at;
    } while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
  }
  cut(text.size());
  return {};
}

}  // namespace ckpt::tokenizer
