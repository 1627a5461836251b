#pragma once
// Reading golden numbers and running pairs, for the end-to-end tests.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/container/safetensors.h"
#include "validator/pipeline/kl.h"

namespace ckpt::e2e {

/// A reference, a candidate and the tokens; `root` holds models/, goldens/ and tokens_*/.
struct PairCase {
  std::string root;
  std::string reference;
  std::string candidate;
  std::string tokens;

  [[nodiscard]] std::string golden(const std::string& repo, const std::string& file) const {
    return root + "/goldens/" + repo + "/" + file;
  }
};

/// The fixtures of the source tree, or a golden tree beside it; empty when it is not there.
/// Where the goldens are; the variable CKPT_TEST_FIXTURES tells a program that was moved.
inline std::string fixture_root() {
  const char* moved = std::getenv("CKPT_TEST_FIXTURES");
  return std::string(moved != nullptr ? moved : CKPT_FIXTURES) + "/golden";
}

inline std::optional<std::string> shared_root() {
  std::string root = std::string(CKPT_SOURCE) + "/../shared/golden";
  if (!std::filesystem::exists(root + "/models")) return std::nullopt;
  return root;
}

inline std::shared_ptr<const json::Document> read_golden(const std::string& path) {
  auto file = open_file(path);
  if (!file) return nullptr;
  auto text = read_text(*file, 16U << 20);
  if (!text) return nullptr;
  auto document = json::parse(*std::move(text));
  return document ? *document : nullptr;
}

inline double number(const json::Value& value) {
  return value.number().value_or(std::numeric_limits<double>::quiet_NaN());
}

/// Numbers of an array of arrays, one after the other.
inline std::vector<double> flat(const json::Value& rows) {
  std::vector<double> out;
  rows.each([&](const json::Value& row) {
    if (row.is(json::Kind::array)) {
      row.each([&](const json::Value& v) { out.push_back(number(v)); });
    } else {
      out.push_back(number(row));
    }
  });
  return out;
}

inline std::vector<std::vector<std::int32_t>> read_tokens(const PairCase& c) {
  std::vector<std::vector<std::int32_t>> out;
  const auto document = read_golden(c.root + "/" + c.tokens + "/tokens.json");
  if (document == nullptr) return out;
  document->root().find("ids").each([&](const json::Value& row) {
    std::vector<std::int32_t> ids;
    row.each([&](const json::Value& v) {
      ids.push_back(static_cast<std::int32_t>(v.integer().value_or(-1)));
    });
    out.push_back(std::move(ids));
  });
  return out;
}

/// The tensor `logits` of a golden safetensors file, F32 [P, V].
struct Logits {
  std::int64_t positions = 0;
  std::int64_t vocab = 0;
  std::vector<float> values;
};

inline std::optional<Logits> read_logits(const std::string& path) {
  auto file = open_file(path);
  if (!file) return std::nullopt;
  const container::Header header = container::read_header(*file, "golden");
  for (const container::Tensor& t : header.tensors) {
    if (t.name != "logits" || t.dtype != Dtype::f32 || t.shape.size() != 2) continue;
    Logits out;
    out.positions = static_cast<std::int64_t>(t.shape[0]);
    out.vocab = static_cast<std::int64_t>(t.shape[1]);
    out.values.resize(t.bytes() / 4);
    if (!file->read(t.begin, std::as_writable_bytes(std::span(out.values)))) return std::nullopt;
    return out;
  }
  return std::nullopt;
}

/// Largest absolute difference and relative L2 of logits against a golden prefix.
struct LogitError {
  double max_abs = 0;
  double difference = 0;  ///< squares
  double norm = 0;
  std::int64_t positions = 0;
  double kl = 0;  ///< sum of KL(want || got) over the positions

  void add(std::span<const float> got, std::span<const float> want) {
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double d = double{got[i]} - double{want[i]};
      if (!(std::abs(d) <= max_abs)) max_abs = std::abs(d);
      difference += d * d;
      norm += double{want[i]} * double{want[i]};
    }
    ++positions;
    double z_want = 0, z_got = 0, a = 0;
    for (const float w : want) z_want += std::exp(double{w});
    for (const float g : got) z_got += std::exp(double{g});
    for (std::size_t i = 0; i < got.size(); ++i) {
      a += std::exp(double{want[i]}) / z_want * (double{want[i]} - double{got[i]});
    }
    kl += a - std::log(z_want) + std::log(z_got);
  }

  [[nodiscard]] double relative() const { return std::sqrt(difference / norm); }
};

/// Keeps what the goldens are compared with.
class Recorder final : public forward::Observer {
 public:
  struct Routing {
    std::int64_t top_k = 0;
    std::vector<std::int32_t> reference, candidate;
    std::vector<float> weights_reference, weights_candidate;
  };

  std::optional<Logits> reference_golden, candidate_golden;
  LogitError reference_error, candidate_error;
  std::vector<kernels::Divergence> positions;
  std::map<int, Routing> routing;

  /// The five likeliest tokens of each position with their log-probabilities, by sorting whole
  /// rows.
  using Top = std::vector<std::pair<std::int64_t, double>>;
  std::vector<Top> top_reference, top_candidate;

  void on_routing(int layer, const forward::LayerRouting& r) override {
    Routing& to = routing[layer];
    to.top_k = r.top_k;
    to.reference.insert(to.reference.end(), r.ids_reference.begin(), r.ids_reference.end());
    to.candidate.insert(to.candidate.end(), r.ids_candidate.begin(), r.ids_candidate.end());
    to.weights_reference.insert(to.weights_reference.end(), r.weights_reference.begin(),
                                r.weights_reference.end());
    to.weights_candidate.insert(to.weights_candidate.end(), r.weights_candidate.begin(),
                                r.weights_candidate.end());
  }

  void on_expert(int, int, const forward::ExpertSquares&) override {}

  void on_layer(int, const forward::LayerSquares&) override {}

  void on_positions(std::int64_t, std::span<const kernels::Divergence> p) override {
    positions.insert(positions.end(), p.begin(), p.end());
  }

  Result<void> on_logits(std::int64_t first, kernels::Ops& ops, const kernels::Rows& reference,
                         const kernels::Rows& candidate) override {
    CKPT_TRY_VOID(rank(ops, reference, top_reference), "reference");
    CKPT_TRY_VOID(rank(ops, candidate, top_candidate), "candidate");
    CKPT_TRY_VOID(compare(first, ops, reference, reference_golden, reference_error), "reference");
    return compare(first, ops, candidate, candidate_golden, candidate_error);
  }

 private:
  static Result<void> rank(kernels::Ops& ops, const kernels::Rows& rows, std::vector<Top>& to) {
    std::vector<float> z(static_cast<std::size_t>(rows.cols));
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      CKPT_TRY_VOID(ops.read(rows.slice(r, 1), z), "logits");
      Top all;
      double sum = 0;
      for (const float v : z) {
        sum += std::exp(double{v});
        all.emplace_back(static_cast<std::int64_t>(all.size()), double{v});
      }
      std::ranges::stable_sort(all, std::ranges::greater{}, [](const auto& t) { return t.second; });
      all.resize(std::min<std::size_t>(all.size(), 5));
      for (auto& t : all) t.second -= std::log(sum);
      to.push_back(std::move(all));
    }
    return {};
  }

  static Result<void> compare(std::int64_t first, kernels::Ops& ops, const kernels::Rows& rows,
                              const std::optional<Logits>& golden, LogitError& error) {
    if (!golden) return {};
    std::vector<float> got(static_cast<std::size_t>(rows.cols));
    for (std::int64_t r = 0; r < rows.rows && first + r < golden->positions; ++r) {
      CKPT_TRY_VOID(ops.read(rows.slice(r, 1), got), "logits");
      error.add(got,
                std::span(golden->values)
                    .subspan(static_cast<std::size_t>((first + r) * golden->vocab), got.size()));
    }
    return {};
  }
};

}  // namespace ckpt::e2e
