#include "validator/pipeline/blobs.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include "validator/base/bits.h"
#include "validator/base/bytes.h"
#include "validator/base/text.h"
#include "validator/container/writer.h"

namespace ckpt::pipeline {

namespace {

constexpr std::int64_t kRowsAtOnce = 256;

Result<void> write_rows(container::Writer& writer, kernels::Ops& ops, const kernels::Rows& rows) {
  std::vector<float> host;
  for (std::int64_t row = 0; row < rows.rows; row += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, rows.rows - row);
    host.resize(static_cast<std::size_t>(count * rows.cols));
    CKPT_TRY_VOID(ops.read(rows.slice(row, count), host), "states");
    CKPT_TRY_VOID(writer.write(std::as_bytes(std::span(host))), "states");
  }
  return {};
}

float number(Dtype dtype, const std::byte* base, std::size_t i) {
  if (dtype == Dtype::f32) return load<float>(base + 4 * i);
  const auto bits = load<std::uint16_t>(base + 2 * i);
  return dtype == Dtype::bf16 ? bf16_to_f32(bits) : f16_to_f32(bits);
}

}  // namespace

Result<void> save_blobs(const std::string& path, const std::vector<Blob>& blobs,
                        kernels::Ops* ops) {
  std::vector<container::NewTensor> tensors;
  for (const Blob& b : blobs) {
    if (b.rows.data == nullptr) {
      tensors.push_back({b.name, Dtype::u8, {b.bytes.size()}});
    } else {
      tensors.push_back(
          {b.name,
           Dtype::f32,
           {static_cast<std::uint64_t>(b.rows.rows), static_cast<std::uint64_t>(b.rows.cols)}});
    }
  }
  const std::string temporary = path + ".new";
  std::error_code error;
  std::filesystem::remove(temporary, error);
  CKPT_TRY(container::Writer writer, container::Writer::create(temporary, tensors), "file");
  for (const Blob& b : blobs) {
    if (b.rows.data == nullptr) {
      CKPT_TRY_VOID(writer.write(std::as_bytes(std::span(b.bytes))), b.name);
    } else {
      CKPT_TRY_VOID(write_rows(writer, *ops, b.rows), b.name);
    }
  }
  CKPT_TRY_VOID(writer.finish(), "file");
  std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  return fail(ErrorKind::io, fmt::format("{}: {}", shown(path, 1000), error.message()));
}

Result<BlobFile> BlobFile::open(const std::string& path) {
  BlobFile out;
  CKPT_TRY(out.file_, open_file(path), "file");
  out.header_ = container::read_header(out.file_, path);
  if (out.header_.defects.empty()) return out;
  return fail(ErrorKind::format,
              fmt::format("{}: {}", shown(path, 200), out.header_.defects.front().message));
}

const container::Tensor* BlobFile::find(std::string_view name) const {
  const auto at = std::ranges::find(header_.tensors, name, &container::Tensor::name);
  return at == header_.tensors.end() ? nullptr : &*at;
}

Result<std::string> BlobFile::bytes(std::string_view name) const {
  const container::Tensor* t = find(name);
  if (t == nullptr) return fail(ErrorKind::format, fmt::format("`{}` is not in the file", name));
  std::string out(t->bytes(), '\0');
  CKPT_TRY_VOID(file_.read(t->begin, std::as_writable_bytes(std::span(out))), name);
  return out;
}

Result<void> BlobFile::rows(std::string_view name, std::int64_t first, kernels::Ops& ops,
                            const kernels::Rows& to) const {
  const container::Tensor* t = find(name);
  const bool known =
      t != nullptr && (t->dtype == Dtype::f32 || t->dtype == Dtype::bf16 || t->dtype == Dtype::f16);
  const std::uint64_t width = known ? dtype_bits(t->dtype) / 8 : 1;
  const std::uint64_t row_bytes = static_cast<std::uint64_t>(to.cols) * width;
  if (!known || t->bytes() < static_cast<std::uint64_t>(first + to.rows) * row_bytes) {
    return fail(ErrorKind::format,
                fmt::format("`{}` is not in the file, or of another extent", name));
  }
  std::vector<float> host;
  Bytes stored;
  for (std::int64_t row = 0; row < to.rows; row += kRowsAtOnce) {
    const std::int64_t count = std::min(kRowsAtOnce, to.rows - row);
    host.resize(static_cast<std::size_t>(count * to.cols));
    stored.resize(host.size() * width);
    const std::uint64_t at = t->begin + static_cast<std::uint64_t>(first + row) * row_bytes;
    CKPT_TRY_VOID(file_.read(at, stored), name);
    for (std::size_t i = 0; i < host.size(); ++i) host[i] = number(t->dtype, stored.data(), i);
    CKPT_TRY_VOID(ops.write(to.slice(row, count), host), name);
  }
  return {};
}

}  // namespace ckpt::pipeline
