// Weights decoded and multiplied with one row of activations, one thread: the rate at which packed
// weights can be used. Prints one line per routed expert: name of the case, weights, seconds.
//   bench_decode REPO   (as fixtures/codecs/make.py writes it)

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "kernels/ops.h"
#include "validator/base/thread_pool.h"
#include "validator/forward/linear.h"
#include "validator/pipeline/opened.h"

namespace {

using namespace ckpt;

double seconds_of(kernels::Ops& ops, const weights::Parameter& p) {
  const auto view = forward::matrix_view(p, kernels::Rounding::none);
  if (!view) return -1;
  const auto matrix = ops.matrix(*view);
  if (!matrix) return -1;
  std::vector<float> x(static_cast<std::size_t>(view->k), 0.5F);
  std::vector<float> y(static_cast<std::size_t>(view->n));
  const kernels::GemmPart part{matrix->get(), {y.data(), 1, view->n, view->n}};
  std::vector<double> times;
  for (int i = 0; i < 9; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    static_cast<void>(ops.gemm({{x.data(), 1, view->k, view->k}, {&part, 1}}));
    times.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::ranges::sort(times);
  return times[times.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto repo = pipeline::open_target(argv[1]);
  if (!repo || !(*repo)->blueprint) return 1;
  const weights::Model model((*repo)->checkpoint, (*repo)->config, *(*repo)->blueprint,
                             (*repo)->stored);
  ThreadPool pool(1);
  const auto ops = kernels::make_cpu_ops(pool);
  if (!ops) return 1;
  const auto& modules = model.blueprint().modules();
  for (std::uint32_t i = 0; i < modules.size(); ++i) {
    if (!modules[i].name.ends_with(".down_proj") || modules[i].expert < 0) continue;
    const auto p = model.load(i);
    if (!p) continue;
    fmt::print("{} {} {:.9f}\n", modules[i].expert, p->rows() * p->row_size(),
               seconds_of(**ops, *p));
  }
  return 0;
}
