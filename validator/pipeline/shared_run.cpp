#include "validator/pipeline/shared_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>

#include "validator/pipeline/states.h"

namespace ckpt::pipeline {

namespace {

using kernels::Rows;

constexpr std::int64_t kRowsInMessage = 4096;  // of states in one message

// Messages of this machine's own, between processes of the same program: numbers as they lie.
class Message {
 public:
  Message() = default;

  explicit Message(std::string bytes) : bytes_(std::move(bytes)) {}

  void number(std::uint64_t n) { bytes_.append(reinterpret_cast<const char*>(&n), sizeof(n)); }

  void text(std::string_view t) {
    number(t.size());
    bytes_ += t;
  }

  std::uint64_t number() {
    std::uint64_t n = 0;
    if (bytes_.size() - at_ < sizeof(n)) return whole_ = false;
    std::memcpy(&n, bytes_.data() + at_, sizeof(n));
    at_ += sizeof(n);
    return n;
  }

  std::string text() {
    const std::uint64_t size = number();
    if (size > bytes_.size() - at_) {
      whole_ = false;
      return {};
    }
    std::string out = bytes_.substr(at_, size);
    at_ += size;
    return out;
  }

  /// Nothing was missing and nothing is left.
  [[nodiscard]] Result<void> ended() const {
    if (whole_ && at_ == bytes_.size()) return {};
    return fail(ErrorKind::format, "a message of another process is damaged");
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
  bool whole_ = true;
};

// How a process fared: by itself, or by what it heard from another.
enum Fared : std::uint64_t { kWell, kFailed, kHeard };

// Whether it went well, and if not, how: then the rest of the message is not there.
void put(Message& m, const Result<void>& done, Fared failed = kFailed) {
  m.number(done ? kWell : failed);
  if (done) return;
  m.number(static_cast<std::uint64_t>(done.error().kind));
  m.text(done.error().message);
}

Result<void> take(Message& m) {
  if (m.number() == kWell) return {};
  const auto kind =
      std::min<std::uint64_t>(m.number(), static_cast<std::uint64_t>(ErrorKind::internal));
  return fail(static_cast<ErrorKind>(kind), m.text());
}

std::uint64_t parts_of(const Rows& rows) {
  return static_cast<std::uint64_t>((rows.rows + kRowsInMessage - 1) / kRowsInMessage);
}

}  // namespace

std::vector<int> split_layers(std::span<const std::uint64_t> bytes, int parts) {
  const auto layers = static_cast<int>(bytes.size());
  if (parts < 1 || layers < parts) return {};
  const double whole =
      static_cast<double>(std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0}));
  std::vector<int> out{0};
  double sum = 0;
  int layer = 0;
  for (int part = 1; part < parts; ++part) {
    const double target = whole * part / parts;
    const int latest = layers - (parts - part);  // each of the rest needs one
    const auto size = [&](int l) {
      return static_cast<double>(bytes[static_cast<std::size_t>(l)]);
    };
    do {
      sum += size(layer++);
    } while (layer < latest && sum + size(layer) / 2 <= target);
    out.push_back(layer);
  }
  out.push_back(layers);
  return out;
}

std::vector<int> deal_layers(std::size_t layers, int parts) {
  std::vector<int> owners(layers);
  for (std::size_t i = 0; i < layers; ++i) owners[i] = static_cast<int>(i) % parts;
  return owners;
}

std::vector<int> owners_of(std::span<const int> bounds) {
  std::vector<int> owners;
  for (std::size_t part = 0; part + 1 < bounds.size(); ++part) {
    owners.resize(static_cast<std::size_t>(bounds[part + 1]), static_cast<int>(part));
  }
  return owners;
}

Result<std::vector<std::string>> exchange(Transport& transport, std::string mine) {
  if (transport.rank() != 0) {
    CKPT_TRY_VOID(transport.send(0, mine), "processes");
    CKPT_TRY(std::string bytes, transport.receive(0), "processes");
    Message all(std::move(bytes));
    std::vector<std::string> out;
    for (int r = 0; r < transport.size(); ++r) out.push_back(all.text());
    CKPT_TRY_VOID(all.ended(), "processes");
    return out;
  }
  std::vector<std::string> out{std::move(mine)};
  for (int r = 1; r < transport.size(); ++r) {
    CKPT_TRY(std::string bytes, transport.receive(r), "processes");
    out.push_back(std::move(bytes));
  }
  Message all;
  for (const std::string& one : out) all.text(one);
  for (int r = 1; r < transport.size(); ++r) {
    CKPT_TRY_VOID(transport.send(r, all.bytes()), "processes");
  }
  return out;
}

Result<void> agree(Transport& transport, const Result<void>& mine) {
  CKPT_TRY([[maybe_unused]] const auto memory, agree_on_run(transport, mine, {}, 0), "processes");
  return {};
}

Result<std::uint64_t> agree_on_run(Transport& transport, const Result<void>& ready,
                                   const std::string& key, std::uint64_t memory) {
  Message mine;
  put(mine, ready);
  mine.text(key);
  mine.number(memory);
  CKPT_TRY(const std::vector<std::string> all, exchange(transport, mine.bytes()), "processes");
  for (std::size_t r = 0; r < all.size(); ++r) {
    Message one(all[r]);
    CKPT_TRY_VOID(take(one), fmt::format("{} {}", transport.member(), r));
    if (one.text() != key) {
      return fail(ErrorKind::usage,
                  fmt::format("{} {} has another run before it: other checkpoints, tokens, "
                              "options, version or processor",
                              transport.member(), r));
    }
    memory = std::min(memory, one.number());
    CKPT_TRY_VOID(one.ended(), fmt::format("{} {}", transport.member(), r));
  }
  return memory;
}

PipelineShare::PipelineShare(Transport& transport, std::vector<int> owners, std::size_t passes)
    : transport_(transport), owners_(std::move(owners)), passes_(passes) {
  for (std::size_t layer = 1; layer < owners_.size(); ++layer) {
    const int from = owners_[layer - 1];
    const int to = owners_[layer];
    if (from == to) continue;
    if (to == transport.rank()) hops_.push_back({static_cast<int>(layer), from, true});
    if (from == transport.rank()) hops_.push_back({static_cast<int>(layer), to, false});
  }
}

Result<const PipelineShare::Hop*> PipelineShare::next_hop(int layer, bool in) {
  if (at_ < hops_.size() * passes_) {
    const Hop& hop = hops_[at_++ % hops_.size()];
    if (hop.layer == layer && hop.in == in) return &hop;
  }
  return fail(ErrorKind::internal, "states of a layer that was not expected");
}

Result<void> PipelineShare::send_rows(int to, kernels::Ops& ops, const Rows& rows,
                                      std::uint64_t& left) {
  std::string bytes;
  std::vector<float> host;
  for (std::int64_t row = 0; row < rows.rows; row += kRowsInMessage) {
    const Rows part = rows.slice(row, std::min(kRowsInMessage, rows.rows - row));
    host.resize(static_cast<std::size_t>(part.rows * part.cols));
    CKPT_TRY_VOID(ops.read(part, host), "states");
    bytes.assign(reinterpret_cast<const char*>(host.data()), host.size() * sizeof(float));
    CKPT_TRY_VOID(transport_.send(to, bytes), "states");
    --left;
  }
  return {};
}

// A message that says how many follow, then the states.
Result<void> PipelineShare::send(int layer, const forward::StateView& states) {
  CKPT_TRY(const Hop* hop, next_hop(layer, false), "states");
  const auto kept = kept_states(states);
  Message head;
  put(head, {});
  std::uint64_t left = 0;
  for (const auto& [name, rows] : kept) left += parts_of(rows);
  head.number(left);
  for (std::size_t v = 0; v < states.variants.size(); ++v) {
    head.number(states.variants.alive(v) ? 1 : 0);
  }
  CKPT_TRY_VOID(transport_.send(hop->other, head.bytes()), "states");
  Result<void> done;
  for (const auto& [name, rows] : kept) {
    if (done) done = send_rows(hop->other, states.ops, rows, left);
  }
  // Who waits for them must not wait for ever; empty ones are no states.
  for (; !done && left > 0; --left) {
    CKPT_TRY_VOID(transport_.send(hop->other, {}), "states");
  }
  return done;
}

Result<void> PipelineShare::receive_rows(int from, kernels::Ops& ops, const Rows& rows) {
  std::vector<float> host;
  for (std::int64_t row = 0; row < rows.rows; row += kRowsInMessage) {
    const Rows part = rows.slice(row, std::min(kRowsInMessage, rows.rows - row));
    host.resize(static_cast<std::size_t>(part.rows * part.cols));
    CKPT_TRY(const std::string bytes, transport_.receive(from), "states");
    --to_come_;
    if (bytes.size() != host.size() * sizeof(float)) {
      return fail(ErrorKind::format, "states of another extent");
    }
    std::memcpy(host.data(), bytes.data(), bytes.size());
    CKPT_TRY_VOID(ops.write(part, host), "states");
  }
  return {};
}

Result<void> PipelineShare::receive(int layer, const forward::StateView& states) {
  CKPT_TRY(const Hop* hop, next_hop(layer, true), "states");
  CKPT_TRY(std::string bytes, transport_.receive(hop->other), "states");
  Message head(std::move(bytes));
  if (Result<void> well = take(head); !well) {
    heard_ = true;
    return well;
  }
  to_come_ = head.number();
  const Rows& x = states.hidden.x_reference;
  for (std::size_t v = 0; v < states.variants.size(); ++v) {
    if (head.number() == 0 || states.variants.alive(v)) continue;
    CKPT_TRY_VOID(states.variants.revive(v, x.rows, x.cols), "states");
  }
  CKPT_TRY_VOID(head.ended(), "states");
  for (const auto& [name, rows] : kept_states(states)) {
    CKPT_TRY_VOID(receive_rows(hop->other, states.ops, rows), name);
  }
  return {};
}

Result<void> PipelineShare::drop_rows(int from) {
  for (; to_come_ > 0; --to_come_) {
    CKPT_TRY([[maybe_unused]] const auto bytes, transport_.receive(from), "processes");
  }
  return {};
}

// All take their hops in the order of the layers, so that nobody waits for who waits for him.
Result<void> PipelineShare::drain(const Result<void>& done) {
  if (at_ > 0 && to_come_ > 0) {
    CKPT_TRY_VOID(drop_rows(hops_[(at_ - 1) % hops_.size()].other), "processes");
  }
  for (; at_ < hops_.size() * passes_; ++at_) {
    const Hop& hop = hops_[at_ % hops_.size()];
    if (!hop.in) {
      Message head;
      put(head, done);
      CKPT_TRY_VOID(transport_.send(hop.other, head.bytes()), "processes");
      continue;
    }
    CKPT_TRY(std::string bytes, transport_.receive(hop.other), "processes");
    Message head(std::move(bytes));
    if (!take(head)) continue;
    to_come_ = head.number();
    CKPT_TRY_VOID(drop_rows(hop.other), "processes");
  }
  return {};
}

Result<void> PipelineShare::finish(const Result<void>& done, metrics::Record& record) {
  CKPT_TRY_VOID(drain(done), "processes");
  Message mine;
  put(mine, done, heard_ ? kHeard : kFailed);
  if (done) mine.text(record.save());
  CKPT_TRY(const std::vector<std::string> all, exchange(transport_, mine.bytes()), "processes");
  for (const Fared bad : {kFailed, kHeard}) {
    for (std::size_t r = 0; r < all.size(); ++r) {
      if (Message(all[r]).number() != bad) continue;
      Message one(all[r]);
      CKPT_TRY_VOID(take(one), fmt::format("{} {}", transport_.member(), r));
    }
  }
  std::optional<metrics::Record> whole;
  for (std::size_t r = 0; r < all.size(); ++r) {
    Message one(all[r]);
    CKPT_TRY_VOID(take(one), fmt::format("{} {}", transport_.member(), r));
    CKPT_TRY(metrics::Record part, metrics::Record::load(one.text()),
             fmt::format("{} {}", transport_.member(), r));
    if (!whole) {
      whole = std::move(part);
    } else {
      CKPT_TRY_VOID(whole->add_layers(part), fmt::format("{} {}", transport_.member(), r));
    }
  }
  record = *std::move(whole);
  return {};
}

}  // namespace ckpt::pipeline
