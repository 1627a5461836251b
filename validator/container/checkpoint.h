#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "validator/container/safetensors.h"
#include "validator/container/scan.h"
#include "validator/repo/repo.h"

namespace ckpt::container {

struct Shard {
  std::string name;
  File file;
  std::uint64_t header_bytes = 0;
  std::uint64_t tensors = 0;
  bool usable = false;  ///< its header could be read
};

/// `model.safetensors.index.json`. Views point into its text.
struct Index {
  std::string name;
  TextBuffer text;
  std::shared_ptr<const json::Document> document;  ///< only when the text was judged as a tree
  std::vector<IndexEntry> entries;                 ///< in file order
  std::optional<std::uint64_t> total_size;
  std::uint64_t total_size_offset = 0;  ///< byte of `total_size`
};

/// All tensors of a repo, from headers only: what a loader that follows the index would see. Owns
/// the open shards. Immutable after open, so const methods are thread-safe.
class Checkpoint {
 public:
  /// Never fails: what cannot be read is in defects().
  [[nodiscard]] static Checkpoint open(const repo::Repo& repo);

  [[nodiscard]] const std::vector<Shard>& shards() const { return shards_; }

  [[nodiscard]] const std::optional<Index>& index() const { return index_; }

  /// Sorted by name, each name once.
  [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }

  [[nodiscard]] const std::vector<Defect>& defects() const { return defects_; }

  [[nodiscard]] const Tensor* find(std::string_view name) const;

  /// True when a shard is missing or unreadable, so that an absent tensor proves nothing.
  [[nodiscard]] bool incomplete() const { return incomplete_; }

  /// True when model.safetensors stands beside an index: transformers 5.17 then reads only it.
  [[nodiscard]] bool shadowed() const { return shadowed_; }

  /// Reads `out.size()` bytes of a tensor from byte `offset` within it. Errors: io; internal when
  /// the range is outside the tensor.
  [[nodiscard]] Result<void> read(const Tensor& tensor, std::uint64_t offset,
                                  std::span<std::byte> out) const;
  /// Hint that the bytes of `tensor` will be read soon.
  void will_need(const Tensor& tensor) const;

 private:
  std::vector<Shard> shards_;
  std::optional<Index> index_;
  std::vector<Tensor> tensors_;
  std::vector<std::shared_ptr<const HeaderText>> texts_;  ///< what the tensors point into
  std::vector<Defect> defects_;
  bool incomplete_ = false;
  bool shadowed_ = false;
};

}  // namespace ckpt::container
