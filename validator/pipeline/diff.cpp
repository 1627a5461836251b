#include "validator/pipeline/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "validator/base/bytes.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::pipeline {
namespace {

using container::Tensor;

/// Every run of digits between dots or slashes becomes `*`.
std::string pattern_of(std::string_view name) {
  std::string out;
  for (std::size_t i = 0; i < name.size();) {
    const std::size_t end = std::min(name.find_first_of("./", i), name.size());
    const std::string_view part = name.substr(i, end - i);
    const bool digits = !part.empty() && part.find_first_not_of("0123456789") == part.npos;
    out += digits ? std::string_view("*") : part;
    if (end < name.size()) out += name[end];
    i = end + 1;
  }
  return out;
}

/// Collects differences; those of one pattern and one pair of contents are one.
class Collector {
 public:
  void add(DiffKind kind, std::string_view name, std::string a, std::string b) {
    auto [it, fresh] = found_.try_emplace({kind, pattern_of(name), a, b});
    if (fresh) {
      it->second = {kind, shown(pattern_of(name)), shown(name), 0, std::move(a), std::move(b)};
    }
    ++it->second.count;
  }

  std::vector<Difference> take() {
    std::vector<Difference> out;
    for (auto& [key, d] : found_) out.push_back(std::move(d));
    return out;
  }

 private:
  std::map<std::tuple<DiffKind, std::string, std::string, std::string>, Difference> found_;
};

std::string brief(const json::Value& v) {
  constexpr std::size_t kWidth = 60;
  return v ? shown(v.raw(), kWidth) : std::string{};
}

/// Equal as JSON: members in any order, numbers as written.
bool equal(const json::Value& a, const json::Value& b) {
  if (!a || !b || a.kind() != b.kind()) return !a && !b;
  if (a.is(json::Kind::string)) return a.string() == b.string();
  if (a.is(json::Kind::object) || a.is(json::Kind::array)) return false;
  return a.raw() == b.raw() || (a.number() && a.number() == b.number());
}

class JsonDiff {
 public:
  JsonDiff(std::string file, Collector& out) : file_(std::move(file)), out_(out) {}

  void compare(const json::Value& a, const json::Value& b, const std::string& pointer) {
    if (a.is(json::Kind::object) && b.is(json::Kind::object)) return objects(a, b, pointer);
    if (a.is(json::Kind::array) && b.is(json::Kind::array) && a.size() == b.size()) {
      return arrays(a, b, pointer);
    }
    if (!equal(a, b)) {
      out_.add(DiffKind::config, fmt::format("{} {}", file_, pointer.empty() ? "/" : pointer),
               brief(a), brief(b));
    }
  }

 private:
  std::string file_;
  Collector& out_;

  void objects(const json::Value& a, const json::Value& b, const std::string& pointer) {
    // A sorted table of the other side: objects with many keys are compared in n log n.
    std::map<std::string_view, json::Value> others;
    b.each_member([&](const json::Member& m) { others[m.name] = m.value; });
    std::map<std::string_view, bool> seen;
    a.each_member([&](const json::Member& m) {
      seen[m.name] = true;
      const auto it = others.find(m.name);
      compare(m.value, it == others.end() ? json::Value{} : it->second,
              json::pointer_append(pointer, m.name));
    });
    for (const auto& [name, value] : others) {
      if (!seen.contains(name)) compare({}, value, json::pointer_append(pointer, name));
    }
  }

  void arrays(const json::Value& a, const json::Value& b, const std::string& pointer) {
    std::vector<json::Value> others;
    others.reserve(b.size());
    b.each([&](const json::Value& v) { others.push_back(v); });
    std::size_t i = 0;
    a.each([&](const json::Value& v) {
      compare(v, others[i], fmt::format("{}/{}", pointer, i));
      ++i;
    });
  }
};

std::string scheme_words(const quant::Stored& s) {
  if (s.format == quant::Format::absent) return {};
  if (s.format == quant::Format::plain) return fmt::format("{} bits", s.bits);
  std::string out = fmt::format("{} {} bits", quant::format_name(s.format), s.bits);
  if (s.group_size > 0) out += fmt::format(" g{}", s.group_size);
  if (s.group_size < 0) out += " per channel";
  return out;
}

std::string tensor_words(const Tensor& t) {
  return fmt::format("{} [{}]", dtype_name(t.dtype), fmt::join(t.shape, ", "));
}

class RepoComparison {
 public:
  explicit RepoComparison(const DiffArgs& args) : a_(args) {}

  Result<DiffReport> run() {
    if (a_.config) configs();
    if (a_.scheme) schemes();
    if (a_.tensors || a_.values) CKPT_TRY_VOID(tensors(), "tensors");
    out_.differences = found_.take();
    return std::move(out_);
  }

 private:
  const DiffArgs& a_;
  DiffReport out_;
  Collector found_;
  Bytes left_;
  Bytes right_;

  void configs() {
    for (const char* name : {"config.json", "generation_config.json", "quantization_config.json",
                             "tokenizer_config.json"}) {
      const auto read = [name](const OpenedRepo& o) {
        auto document = o.repo.read_json(name, limits::kConfigBytes);
        return document ? *document : nullptr;
      };
      const auto x = read(a_.a);
      const auto y = read(a_.b);
      if (x == nullptr && y == nullptr) continue;
      if (x == nullptr || y == nullptr) {
        found_.add(DiffKind::config, name, x != nullptr ? "present" : "",
                   y != nullptr ? "present" : "");
        continue;
      }
      JsonDiff(name, found_).compare(x->root(), y->root(), "");
    }
  }

  void schemes() {
    if (!a_.a.blueprint || !a_.b.blueprint) return;
    const auto& modules = a_.a.blueprint->modules();
    for (std::size_t i = 0; i < modules.size(); ++i) {
      if (!modules[i].linear) continue;
      const std::int32_t other = a_.b.blueprint->find(modules[i].name);
      if (other < 0) continue;  // tensors say so
      const std::string x = scheme_words(a_.a.stored.modules[i]);
      const std::string y = scheme_words(a_.b.stored.modules[static_cast<std::size_t>(other)]);
      if (x != y) found_.add(DiffKind::scheme, modules[i].name, x, y);
    }
  }

  Result<void> tensors() {
    const auto& x = a_.a.checkpoint.tensors();
    const auto& y = a_.b.checkpoint.tensors();
    std::uint64_t total = 0;
    for (const Tensor& t : x) total += t.bytes();
    // Both lists are sorted by name.
    for (auto i = x.begin(), j = y.begin(); i != x.end() || j != y.end();) {
      const bool only_a = j == y.end() || (i != x.end() && i->name < j->name);
      const bool only_b = !only_a && (i == x.end() || j->name < i->name);
      if (only_a || only_b) {
        const Tensor& t = only_a ? *i++ : *j++;
        if (!a_.tensors) continue;
        const std::string words = tensor_words(t);
        found_.add(DiffKind::tensors, t.name, only_a ? words : "", only_b ? words : "");
        continue;
      }
      CKPT_TRY_VOID(both(*i++, *j++, total), "values");
    }
    return {};
  }

  Result<void> both(const Tensor& x, const Tensor& y, std::uint64_t total) {
    ++out_.tensors_compared;
    const bool shapes = x.shape == y.shape;
    const bool dtypes = x.dtype == y.dtype;
    if (a_.tensors && (!shapes || (!dtypes && !a_.ignore_dtype))) {
      found_.add(DiffKind::tensors, x.name, tensor_words(x), tensor_words(y));
    }
    if (!a_.values || !shapes || !dtypes) return {};
    return bytes(x, y, total);
  }

  Result<void> bytes(const Tensor& x, const Tensor& y, std::uint64_t total) {
    constexpr std::uint64_t kChunk = 4ULL << 20;
    ++out_.values_compared;
    std::uint64_t different = 0;  // elements, counted by whole bytes
    const std::uint64_t width = std::max<std::uint64_t>(1, dtype_bits(x.dtype) / 8);
    for (std::uint64_t at = 0; at < x.bytes(); at += kChunk) {
      if (a_.stop.stop_requested()) return fail(ErrorKind::cancelled, "interrupted");
      const std::uint64_t n = std::min(kChunk, x.bytes() - at);
      left_.resize(n);
      right_.resize(n);
      CKPT_TRY_VOID(a_.a.checkpoint.read(x, at, left_), "first");
      CKPT_TRY_VOID(a_.b.checkpoint.read(y, at, right_), "second");
      out_.bytes_compared += n;
      a_.progress.update("values", out_.bytes_compared, total, out_.bytes_compared);
      if (std::memcmp(left_.data(), right_.data(), n) == 0) continue;
      for (std::uint64_t e = 0; e + width <= n; e += width) {
        different += std::memcmp(left_.data() + e, right_.data() + e, width) != 0 ? 1U : 0U;
      }
    }
    if (different > 0) {
      // The share, not the number: so that layers alike stay one line.
      const double share = static_cast<double>(different * width) / static_cast<double>(x.bytes());
      found_.add(DiffKind::values, x.name, "",
                 share < 0.001  ? "under 0.1 % of the elements differ"
                 : share < 0.01 ? "under 1 % of the elements differ"
                 : share < 0.5  ? "under half of the elements differ"
                                : "most elements differ");
    }
    return {};
  }
};

}  // namespace

std::string_view diff_kind_name(DiffKind kind) {
  constexpr std::string_view kNames[] = {"config", "scheme", "tensors", "values"};
  return kNames[static_cast<std::size_t>(kind)];
}

Result<DiffReport> diff(const DiffArgs& args) {
  return RepoComparison(args).run();
}

}  // namespace ckpt::pipeline
