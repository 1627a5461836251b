#include "validator/forward/embedding.h"

#include <fmt/format.h>

#include <map>

#include "validator/forward/modules.h"

namespace ckpt::forward {

Result<void> embed_tokens(const weights::Model& model,
                          std::span<const std::vector<std::int32_t>> sequences, kernels::Ops& ops,
                          const kernels::Rows& x) {
  CKPT_TRY(const std::uint32_t module, embedding_module(model), "embedding");
  CKPT_TRY_VOID(model.check(module), "embedding");
  const std::int64_t vocab = model.config().text.vocab_size;
  std::map<std::int32_t, std::vector<std::int64_t>> rows_of;  // in the order of the file
  std::int64_t row = 0;
  for (const auto& sequence : sequences) {
    for (const std::int32_t token : sequence) {
      if (token < 0 || token >= vocab) {
        return fail(ErrorKind::format,
                    fmt::format("token {} is outside the vocabulary of {}", token, vocab));
      }
      rows_of[token].push_back(row++);
    }
  }
  weights::Parameter whole;
  const bool plain = model.is_plain(module);
  if (!plain) {
    CKPT_TRY(whole, model.load(module), "embedding");
  }
  std::vector<float> values(static_cast<std::size_t>(x.cols));
  for (const auto& [token, rows] : rows_of) {
    const auto at = static_cast<std::uint64_t>(token);
    if (plain) {
      CKPT_TRY(const weights::Parameter one, model.load_rows(module, at, at + 1), "embedding");
      CKPT_TRY_VOID(one.decode(0, 1, values), "embedding");
    } else {
      CKPT_TRY_VOID(whole.decode(at, at + 1, values), "embedding");
    }
    for (const std::int64_t r : rows) {
      CKPT_TRY_VOID(ops.write(x.slice(r, 1), values), "embedding");
    }
  }
  return {};
}

}  // namespace ckpt::forward
