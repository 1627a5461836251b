#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/dtype.h"
#include "validator/base/file.h"
#include "validator/base/json.h"

namespace ckpt::container {

/// What can be wrong with a container or an index. The rules turn each into a finding.
enum class DefectKind : std::uint8_t {
  unreadable,       ///< cannot be opened or read
  not_safetensors,  ///< another kind of file under this name (LFS pointer, pickle, HTML, ...)
  header_length,    ///< prefix missing, beyond the file or above the limit
  truncated,        ///< shorter than the header says
  header_text,      ///< not UTF-8, not JSON, not an object, nested too deep
  duplicate_name,   ///< two tensors of one name
  entry,            ///< an entry without dtype, shape, offsets of the right types
  unknown_dtype,
  size_mismatch,  ///< shape x dtype is not the byte length
  overlap,
  hole,          ///< bytes that belong to no tensor, trailing ones included
  metadata,      ///< `__metadata__` is not string -> string
  irregular,     ///< accepted by the library, but odd
  name_odd,      ///< control characters, very long
  header_large,  ///< above what hub tools read
  index_text,    ///< index unreadable as JSON, or no weight_map
  index_value,   ///< a weight_map value that is not a plain file name
  index_missing_shard,
  index_absent_tensor,  ///< listed, but not in its shard
  index_unlisted_tensor,
  index_duplicate_key,
  index_total_size,
  index_no_metadata,
  tensor_in_two_shards,
  orphan_shard,     ///< a safetensors file no index entry names
  shadowed_index,   ///< model.safetensors beside an index that names other files
  weights_missing,  ///< no safetensors file at all
};

/// One fact about a broken file. `message` is safe to show and says what was found and expected.
struct Defect {
  DefectKind kind = DefectKind::unreadable;
  std::string file;
  std::string tensor;        ///< as stored, not yet safe to show
  std::string pointer;       ///< for JSON files
  std::uint64_t offset = 0;  ///< byte in the file
  std::string message;
};

/// The memory that the tensors of one header point into.
struct HeaderText {
  TextBuffer text;
  std::vector<std::uint64_t> dims;
  std::shared_ptr<const json::Document> document;  ///< only when the text was judged as a tree
};

/// One tensor of a shard. `begin` and `end` are absolute byte offsets in its file. Name and shape
/// live as long as the Header or Checkpoint.
struct Tensor {
  std::string_view name;
  ShapeView shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t shard = 0;  ///< index into Checkpoint::shards
  Dtype dtype = Dtype::u8;

  [[nodiscard]] std::uint64_t bytes() const { return end - begin; }
};

/// The facts of one header and what is wrong with it.
struct Header {
  std::vector<Tensor> tensors;  ///< in file order; only those whose range lies inside the file
  std::vector<Defect> defects;
  std::shared_ptr<const HeaderText> text;
  std::uint64_t header_bytes = 0;
  std::string format_metadata;  ///< `pt`, ...
};

/// Reads and judges the header of one file; goes on after a defect as far as facts can be had.
[[nodiscard]] Header read_header(const File& file, const std::string& name);

}  // namespace ckpt::container
