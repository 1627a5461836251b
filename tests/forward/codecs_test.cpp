// The vector decoders of every backend against the scalar one, on every packing of fixtures/codecs.

#include <doctest/doctest.h>

#include "kernels/cuda/matrix.h"
#include "kernels/ops.h"
#include "tests/kernels/backends.h"
#include "tests/weights/opened.h"
#include "validator/base/bits.h"
#include "validator/forward/linear.h"

namespace ckpt::forward {

namespace {

using kernels::Rounding;
using weights::test::open_model;

/// W as a backend sees it: the identity times W^T, rows of W.
std::vector<float> through_gemm(kernels::Ops& ops, const weights::Parameter& p, Rounding rounding) {
  const auto view = matrix_view(p, rounding);
  REQUIRE(view);
  const auto matrix = ops.matrix(*view);
  REQUIRE(matrix);
  const auto n = static_cast<std::int64_t>(p.rows());
  const auto k = static_cast<std::int64_t>(p.row_size());
  std::vector<float> eye(static_cast<std::size_t>(k * k));
  for (std::int64_t i = 0; i < k; ++i) eye[static_cast<std::size_t>(i * (k + 1))] = 1;
  std::vector<float> y(static_cast<std::size_t>(k * n));
  const kernels::GemmPart part{matrix->get(), kernels::test::rows_of(y, k, n)};
  REQUIRE(ops.gemm(
      {kernels::test::rows_of(eye, k, k), {&part, 1}, Rounding::none, rounding == Rounding::bf16}));
  std::vector<float> w(y.size());
  for (std::int64_t i = 0; i < k; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      w[static_cast<std::size_t>(j * k + i)] = y[static_cast<std::size_t>(i * n + j)];
    }
  }
  return w;
}

/// W as the device's decoder makes it, on the emulated device: the sum of its BF16 terms.
std::vector<float> through_terms(const weights::Parameter& p, Rounding rounding) {
  namespace cuda = kernels::cuda;
  const auto view = matrix_view(p, rounding);
  REQUIRE(view);
  cuda::Terms terms{nullptr, view->n, cuda::padded_depth(view->k), cuda::terms_of(*view)};
  std::vector<std::uint16_t> memory(
      static_cast<std::size_t>(terms.count * terms.rows * terms.depth));
  terms.data = memory.data();
  int nonfinite = 0;
  cudaStream_t stream = nullptr;
  REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
  CHECK(cuda::decode(stream, *view, terms, &nonfinite) == cudaSuccess);
  CHECK(cudaStreamDestroy(stream) == cudaSuccess);  // which ends its work
  CHECK(nonfinite == 0);
  std::vector<float> out;
  for (std::int64_t n = 0; n < terms.rows; ++n) {
    for (std::int64_t k = 0; k < view->k; ++k) {
      float sum = 0;
      for (int i = terms.count - 1; i >= 0; --i) {
        const std::int64_t at = (i * terms.rows + n) * terms.depth + k;
        sum += bf16_to_f32(memory[static_cast<std::size_t>(at)]);
      }
      out.push_back(sum);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("every backend decodes every packing like the scalar decoder") {
  const kernels::test::Backends backends(false);
  emulator::use({});
  for (const char* folder : {"plain", "v2"}) {
    config::ModelConfig config;
    const auto repo = open_model(std::string(CKPT_FIXTURES) + "/codecs/" + folder, config);
    REQUIRE(repo != nullptr);
    const auto experts = static_cast<int>(config.text.num_experts);
    CHECK(experts >= 24);
    for (int e = 0; e < experts; ++e) {
      CAPTURE(folder);
      CAPTURE(e);
      const auto p = repo->model.load(
          repo->at("model.layers.0.mlp.experts." + std::to_string(e) + ".down_proj"));
      REQUIRE(p);
      auto want = p->decode_all();
      REQUIRE(want);
      for (const auto& ops : backends.all) {
        CAPTURE(ops->name());
        CHECK(through_gemm(*ops, *p, Rounding::none) == *want);
      }
      CHECK(through_terms(*p, Rounding::none) == *want);
      for (float& w : *want) w = bf16_to_f32(f32_to_bf16(w));
      for (const auto& ops : backends.all) {
        CAPTURE(ops->name());
        CHECK(through_gemm(*ops, *p, Rounding::bf16) == *want);
      }
      CHECK(through_terms(*p, Rounding::bf16) == *want);
    }
  }
}

}  // namespace ckpt::forward
