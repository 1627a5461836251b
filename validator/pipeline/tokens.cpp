#include "validator/pipeline/tokens.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "validator/base/bits.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/tokenizer/builtin_text.h"

namespace ckpt::pipeline {
namespace {

using Rows = std::vector<std::vector<std::int64_t>>;

constexpr std::string_view kBuiltin = "builtin:";
constexpr std::uint64_t kMaxFileBytes = 1ULL << 30;

Result<Rows> parse_json_ids(std::string text) {
  CKPT_TRY(const auto document, json::parse(std::move(text)), "token ids");
  if (!document->root().is(json::Kind::array)) {
    return fail(ErrorKind::format, "token ids: a list of lists of whole numbers is needed");
  }
  Rows rows;
  std::string problem;
  document->root().each([&](const json::Value& row) {
    if (!row.is(json::Kind::array) && problem.empty()) {
      problem = fmt::format("sequence {} is {}, it must be a list", rows.size(),
                            json::kind_name(row.kind()));
    }
    std::vector<std::int64_t> ids;
    row.each([&](const json::Value& id) {
      const auto n = id.integer();
      if (!n && problem.empty()) {
        problem = fmt::format("sequence {} item {} is {}, it must be a whole number", rows.size(),
                              ids.size(), shown(id.raw(), 40));
      }
      ids.push_back(n.value_or(-1));
    });
    rows.push_back(std::move(ids));
  });
  if (!problem.empty()) return fail(ErrorKind::format, "token ids: " + problem);
  return rows;
}

/// Text between the quotes after `'descr':` and the like in a .npy header.
std::string_view npy_field(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos) return {};
  std::string_view rest = header.substr(at + key.size());
  while (!rest.empty() && (rest[0] == ' ' || rest[0] == ':')) rest.remove_prefix(1);
  return rest;
}

Result<std::vector<std::vector<std::int32_t>>> narrow(const Rows& rows, std::int64_t vocab) {
  std::vector<std::vector<std::int32_t>> out;
  for (std::size_t s = 0; s < rows.size(); ++s) {
    if (rows[s].empty()) continue;
    std::vector<std::int32_t> ids;
    ids.reserve(rows[s].size());
    for (std::size_t i = 0; i < rows[s].size(); ++i) {
      if (rows[s][i] < 0 || rows[s][i] >= vocab) {
        return fail(ErrorKind::format,
                    fmt::format("sequence {} position {}: token id {} is outside 0 ... {}", s, i,
                                rows[s][i], vocab - 1));
      }
      ids.push_back(static_cast<std::int32_t>(rows[s][i]));
    }
    out.push_back(std::move(ids));
  }
  return out;
}

/// Cuts one long run of ids into sequences of `context`; a tail shorter than two is left out.
Rows cut(const std::vector<std::uint32_t>& ids, std::uint64_t tokens, std::uint64_t context) {
  Rows rows;
  const std::uint64_t n = tokens == 0 ? ids.size() : std::min<std::uint64_t>(tokens, ids.size());
  for (std::uint64_t at = 0; at + 1 < n; at += context) {
    const std::uint64_t end = std::min(n, at + context);
    rows.emplace_back(ids.begin() + static_cast<std::ptrdiff_t>(at),
                      ids.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return rows;
}

Rows limit(Rows rows, std::uint64_t tokens) {
  if (tokens == 0) return rows;
  std::uint64_t left = tokens;
  Rows out;
  for (std::vector<std::int64_t>& row : rows) {
    if (left == 0) break;
    row.resize(std::min<std::uint64_t>(row.size(), left));
    left -= row.size();
    out.push_back(std::move(row));
  }
  return out;
}

Result<std::string> read_user_file(const std::string& path) {
  CKPT_TRY(const File file, open_file(path), shown(path));
  return read_text(file, kMaxFileBytes);
}

Result<Rows> text_rows(const TokenSource& source, const OpenedRepo& reference, TokenSet& set) {
  std::string text;
  if (source.text.starts_with(kBuiltin)) {
    const std::string name = source.text.substr(kBuiltin.size());
    text = std::string(tokenizer::builtin_text(name));
    if (text.empty()) {
      return fail(ErrorKind::usage, fmt::format("no built-in text `{}`; there is: {}", shown(name),
                                                fmt::join(tokenizer::builtin_text_names(), ", ")));
    }
  } else {
    CKPT_TRY(text, read_user_file(source.text), "text");
  }
  set.sha256 = results::sha256_hex(text);
  CKPT_TRY(const tokenizer::Tokenizer tokenizer, read_tokenizer(reference),
           shown(reference.repo.input(), 1000));
  CKPT_TRY(const std::vector<std::uint32_t> ids, tokenizer.encode(text), "text");
  set.shorter_than_asked = source.tokens > ids.size();
  return cut(ids, source.tokens, source.context);
}

}  // namespace

Result<Rows> parse_npy(std::string_view bytes) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (!bytes.starts_with(kMagic) || bytes.size() < 12) {
    return fail(ErrorKind::format, "not a NumPy .npy file");
  }
  const auto* raw = reinterpret_cast<const std::byte*>(bytes.data());
  const bool wide = bytes[6] >= 2;
  const std::uint64_t length = wide ? load<std::uint32_t>(raw + 8) : load<std::uint16_t>(raw + 8);
  const std::uint64_t begin = wide ? 12 : 10;
  if (length > bytes.size() - begin) return fail(ErrorKind::format, ".npy: the header is cut off");
  const std::string_view header = bytes.substr(begin, length);
  const std::string_view type = npy_field(header, "'descr'");
  const bool is32 = type.starts_with("'<i4'");
  if (!is32 && !type.starts_with("'<i8'")) {
    return fail(ErrorKind::format, ".npy: dtype must be little-endian int32 or int64");
  }
  if (!npy_field(header, "'fortran_order'").starts_with("False")) {
    return fail(ErrorKind::format, ".npy: the array must be in C order");
  }
  std::string_view shape = npy_field(header, "'shape'");
  std::uint64_t dims[2] = {0, 0};
  std::size_t at = 1;
  for (std::uint64_t& d : dims) {
    while (at < shape.size() && (shape[at] == ' ' || shape[at] == ',')) ++at;
    const auto [end, error] = std::from_chars(shape.data() + at, shape.data() + shape.size(), d);
    if (!shape.starts_with('(') || error != std::errc{}) {
      return fail(ErrorKind::format, ".npy: the shape must be (sequences, length)");
    }
    at = static_cast<std::size_t>(end - shape.data());
  }
  std::uint64_t need = 0;
  if (__builtin_mul_overflow(dims[0], dims[1], &need) ||
      __builtin_mul_overflow(need, is32 ? 4U : 8U, &need) ||
      need != bytes.size() - begin - length) {
    return fail(ErrorKind::format, fmt::format(".npy: shape ({}, {}) does not fit {} bytes of data",
                                               dims[0], dims[1], bytes.size() - begin - length));
  }
  Rows rows(dims[1] == 0 ? 0 : dims[0]);
  const std::byte* data = raw + begin + length;
  for (std::vector<std::int64_t>& row : rows) {
    row.resize(dims[1]);
    for (std::int64_t& id : row) {
      id = is32 ? load<std::int32_t>(data) : load<std::int64_t>(data);
      data += is32 ? 4 : 8;
    }
  }
  return rows;
}

Result<tokenizer::Tokenizer> read_tokenizer(const OpenedRepo& opened) {
  CKPT_TRY(auto document, opened.repo.read_json("tokenizer.json", limits::kLargeJsonBytes),
           "tokenizer.json");
  return tokenizer::Tokenizer::parse(std::move(document));
}

Result<TokenSet> read_tokens(const TokenSource& source, const OpenedRepo& reference) {
  TokenSet set;
  Rows rows;
  if (source.token_ids.empty()) {
    set.label = shown(source.text);
    CKPT_TRY(rows, text_rows(source, reference, set), shown(source.text));
  } else {
    set.label = shown(source.token_ids);
    CKPT_TRY(std::string bytes, read_user_file(source.token_ids), "token ids");
    set.sha256 = results::sha256_hex(bytes);
    const bool npy = source.token_ids.ends_with(".npy");
    CKPT_TRY(rows, npy ? parse_npy(bytes) : parse_json_ids(std::move(bytes)),
             shown(source.token_ids));
    rows = limit(std::move(rows), source.tokens);
  }
  CKPT_TRY(set.sequences, narrow(rows, reference.config.text.vocab_size), set.label);
  for (const auto& s : set.sequences) set.total += s.size();
  if (set.total == 0) return fail(ErrorKind::usage, set.label + ": nothing to evaluate");
  return set;
}

}  // namespace ckpt::pipeline
