#pragma once
// The two large JSON texts of a repo, read in one pass without building a tree: headers and indexes
// as every known writer makes them. Whatever is unusual or wrong makes a scan give up; the caller
// then reads the text as a tree, which takes longer and says what is wrong.

#include <cstdint>
#include <string_view>
#include <vector>

#include "validator/base/dtype.h"

namespace ckpt::container {

/// One entry of a header; offsets are relative to the data section.
struct ScannedTensor {
  std::string_view name;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint32_t dims = 0;  ///< its shape is rank numbers from here on in HeaderScan::dims
  std::uint16_t rank = 0;
  Dtype dtype = Dtype::u8;
};

struct HeaderScan {
  std::vector<ScannedTensor> tensors;  ///< in file order
  std::vector<std::uint64_t> dims;
  std::string_view metadata;  ///< the value of `__metadata__` as written, or empty
};

/// True when `text` is a flawless header: strict JSON without escapes, names of printable ASCII,
/// each once, each entry of exactly dtype, shape and data_offsets that agree with each other.
/// Whether ranges touch or leave the file is not looked at, nor `metadata`.
[[nodiscard]] bool scan_header(std::string_view text, HeaderScan& out);

/// One entry of an index. Views point into its text.
struct IndexEntry {
  std::string_view tensor;
  std::string_view file;
  std::uint64_t offset = 0;  ///< byte of the file name's opening quote
};

struct IndexScan {
  std::vector<IndexEntry> entries;  ///< in file order
  std::string_view metadata;        ///< the value of `metadata` as written, or empty
};

/// True when `text` is an object of an optional `metadata` object and a `weight_map` of strings of
/// printable ASCII without escapes, each tensor once. `metadata` is not looked at.
[[nodiscard]] bool scan_index(std::string_view text, IndexScan& out);

}  // namespace ckpt::container
