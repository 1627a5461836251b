#include "validator/metrics/record.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

namespace ckpt::metrics {

namespace {

constexpr std::string_view kMagic = "ckpt-record 3\n";

/// Plain numbers, one after the other.
class Writer {
 public:
  template <class T>
  void number(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* p = reinterpret_cast<const char*>(&value);
    out.append(p, sizeof(T));
  }

  template <class T>
  void list(const std::vector<T>& values) {
    static_assert(std::is_trivially_copyable_v<T>);
    number(static_cast<std::uint64_t>(values.size()));
    out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }

  void sum(const ExactSum& s) {
    for (const std::int64_t w : s.words()) number(w);
  }

  std::string out{kMagic};
};

/// Reads them back; after the first thing that does not fit, everything is zero and ok() false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}

  template <class T>
  T number() {
    T value{};
    if (left_.size() < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof(T));
    left_.remove_prefix(sizeof(T));
    return value;
  }

  /// How many of something that takes at least `least` bytes each may follow.
  std::uint64_t count(std::size_t least) {
    const auto n = number<std::uint64_t>();
    if (n > left_.size() / least) ok_ = false;
    return ok_ ? n : 0;
  }

  template <class T>
  std::vector<T> list() {
    std::vector<T> out(count(sizeof(T)));
    if (!out.empty()) std::memcpy(out.data(), left_.data(), out.size() * sizeof(T));
    left_.remove_prefix(out.size() * sizeof(T));
    return out;
  }

  ExactSum sum() {
    std::array<std::int64_t, ExactSum::kWords> words{};
    for (std::int64_t& w : words) w = number<std::int64_t>();
    return ExactSum::from_words(words);
  }

  [[nodiscard]] bool ok() const { return ok_; }

  [[nodiscard]] bool done() const { return ok_ && left_.empty(); }

 private:
  std::string_view left_;
  bool ok_ = true;
};

void merge(LayerSums& to, const LayerSums& from) {
  to.hidden_reference.merge(from.hidden_reference);
  to.difference.merge(from.difference);
  to.update.merge(from.update);
  to.local.merge(from.local);
  to.overlap_local += from.overlap_local;
  to.overlap += from.overlap;
  to.same_set += from.same_set;
  to.tokens += from.tokens;
  to.ties += from.ties;
  to.gate_tv.merge(from.gate_tv);
  to.top_k = from.top_k;
}

void merge(ExpertSums& to, const ExpertSums& from) {
  to.output.merge(from.output);
  to.difference.merge(from.difference);
  to.gated.merge(from.gated);
  to.saliency.merge(from.saliency);
  to.norm.merge(from.norm);
  to.gate.merge(from.gate);
  to.tokens += from.tokens;
  to.tokens_candidate += from.tokens_candidate;
}

void write(Writer& w, const LayerSums& s) {
  for (const ExactSum* x : {&s.hidden_reference, &s.difference, &s.update, &s.local, &s.gate_tv}) {
    w.sum(*x);
  }
  for (const std::uint64_t n : {s.overlap_local, s.overlap, s.same_set, s.tokens, s.ties}) {
    w.number(n);
  }
  w.number(s.top_k);
}

LayerSums read_layer(Reader& r) {
  LayerSums s;
  for (ExactSum* x : {&s.hidden_reference, &s.difference, &s.update, &s.local, &s.gate_tv}) {
    *x = r.sum();
  }
  for (std::uint64_t* n : {&s.overlap_local, &s.overlap, &s.same_set, &s.tokens, &s.ties}) {
    *n = r.number<std::uint64_t>();
  }
  s.top_k = r.number<std::int64_t>();
  return s;
}

void write(Writer& w, const ExpertSums& s) {
  for (const ExactSum* x : {&s.output, &s.difference, &s.gated, &s.saliency, &s.norm, &s.gate}) {
    w.sum(*x);
  }
  w.number(s.tokens);
  w.number(s.tokens_candidate);
}

ExpertSums read_expert(Reader& r) {
  ExpertSums s;
  for (ExactSum* x : {&s.output, &s.difference, &s.gated, &s.saliency, &s.norm, &s.gate}) {
    *x = r.sum();
  }
  s.tokens = r.number<std::uint64_t>();
  s.tokens_candidate = r.number<std::uint64_t>();
  return s;
}

void write(Writer& w, const forward::Taps& taps) {
  w.number(static_cast<std::uint64_t>(taps.records().size()));
  for (const auto& [key, record] : taps.records()) {
    w.number(key.first);
    w.number(key.second);
    for (std::size_t s = 0; s < record.range.size(); ++s) {
      w.number(record.range[s].max_abs);
      w.number(record.range[s].above_f16);
      w.number(record.range[s].nonfinite);
      w.number(record.first_token[s]);
      w.number(record.first_value[s]);
    }
  }
}

void read_taps(Reader& r, forward::Taps& taps) {
  constexpr std::size_t kLeast = 16;
  for (std::uint64_t n = r.count(kLeast); n > 0 && r.ok(); --n) {
    const auto layer = r.number<int>();
    const auto point = r.number<forward::Point>();
    if (point > forward::Point::logits) continue;
    for (const auto stream : {forward::Stream::reference, forward::Stream::candidate}) {
      kernels::Range range;
      range.max_abs = r.number<float>();
      range.above_f16 = r.number<std::uint64_t>();
      range.nonfinite = r.number<std::uint64_t>();
      const auto token = r.number<std::int64_t>();
      taps.merge({layer, point}, stream, range, token, r.number<float>());
    }
  }
}

}  // namespace

Result<void> Record::append(const Record& next) {
  if (!positions.empty() && variant_kl.size() != next.variant_kl.size()) {
    return fail(ErrorKind::format, "the parts carry different variants");
  }
  std::int64_t tokens = 0;
  for (const std::uint64_t n : lengths) tokens += static_cast<std::int64_t>(n);
  const std::uint64_t before = positions.size();
  lengths.insert(lengths.end(), next.lengths.begin(), next.lengths.end());
  positions.insert(positions.end(), next.positions.begin(), next.positions.end());
  for (TopPair pair : next.tops) {
    pair.index += before;
    tops.push_back(pair);
  }
  keep_worst(tops, positions);
  variant_kl.resize(next.variant_kl.size());
  for (std::size_t v = 0; v < variant_kl.size(); ++v) {
    const auto& more = next.variant_kl[v];
    variant_kl[v].insert(variant_kl[v].end(), more.begin(), more.end());
  }
  for (const auto& [layer, s] : next.layers) merge(layers[layer], s);
  for (const auto& [key, s] : next.experts) merge(experts[key], s);
  for (const auto& [key, record] : next.taps.records()) {
    for (std::size_t s = 0; s < record.range.size(); ++s) {
      const std::int64_t first = record.first_token[s];
      taps.merge(key, static_cast<forward::Stream>(s), record.range[s],
                 first < 0 ? -1 : first + tokens, record.first_value[s]);
    }
  }
  return {};
}

Result<void> Record::add_layers(const Record& other) {
  if (lengths != other.lengths) return fail(ErrorKind::format, "the parts are of other tokens");
  if (!other.positions.empty()) {
    if (!positions.empty()) return fail(ErrorKind::format, "two parts have the positions");
    positions = other.positions;
    tops = other.tops;
    variant_kl = other.variant_kl;
  }
  for (const auto& [layer, s] : other.layers) merge(layers[layer], s);
  for (const auto& [key, s] : other.experts) merge(experts[key], s);
  for (const auto& [key, record] : other.taps.records()) {
    for (std::size_t s = 0; s < record.range.size(); ++s) {
      taps.merge(key, static_cast<forward::Stream>(s), record.range[s], record.first_token[s],
                 record.first_value[s]);
    }
  }
  return {};
}

bool Record::complete(std::size_t count) const {
  std::uint64_t left = positions.size();
  for (const std::uint64_t n : lengths) {
    if (n > left) return false;
    left -= n;
  }
  const auto within = [&](int layer) {
    return layer >= 0 && static_cast<std::size_t>(layer) < count;
  };
  return left == 0 &&
         std::ranges::all_of(variant_kl,
                             [&](const auto& list) { return list.size() == positions.size(); }) &&
         std::ranges::all_of(layers, [&](const auto& l) { return within(l.first); }) &&
         std::ranges::all_of(experts, [&](const auto& e) { return within(e.first.first); });
}

std::string Record::save() const {
  Writer w;
  w.list(lengths);
  w.list(positions);
  w.list(tops);
  w.number(static_cast<std::uint64_t>(variant_kl.size()));
  for (const auto& list : variant_kl) w.list(list);
  w.number(static_cast<std::uint64_t>(layers.size()));
  for (const auto& [layer, s] : layers) {
    w.number(layer);
    write(w, s);
  }
  w.number(static_cast<std::uint64_t>(experts.size()));
  for (const auto& [key, s] : experts) {
    w.number(key.first);
    w.number(key.second);
    write(w, s);
  }
  write(w, taps);
  return std::move(w.out);
}

Result<Record> Record::load(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return fail(ErrorKind::format, "not a record of a run");
  Reader r(bytes.substr(kMagic.size()));
  Record out;
  out.lengths = r.list<std::uint64_t>();
  out.positions = r.list<kernels::Divergence>();
  out.tops = r.list<TopPair>();
  constexpr std::size_t kLeast = 8;
  for (std::uint64_t n = r.count(kLeast); n > 0 && r.ok(); --n) {
    out.variant_kl.push_back(r.list<double>());
  }
  for (std::uint64_t n = r.count(kLeast); n > 0 && r.ok(); --n) {
    const auto layer = r.number<int>();
    out.layers[layer] = read_layer(r);
  }
  for (std::uint64_t n = r.count(kLeast); n > 0 && r.ok(); --n) {
    const auto layer = r.number<int>();
    const auto expert = r.number<int>();
    out.experts[{layer, expert}] = read_expert(r);
  }
  read_taps(r, out.taps);
  const bool placed = std::ranges::all_of(
      out.tops, [&](const TopPair& p) { return p.index < out.positions.size(); });
  if (!r.done() || !placed)
    return fail(ErrorKind::format, "the record of the run is cut short or damaged");
  return out;
}

}  // namespace ckpt::metrics
