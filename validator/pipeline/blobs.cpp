#include "validator/pipeline/blobs.h"

#include <fmt/format.h>

#include <filesystem>
#include <span>

#include "validator/base/text.h"
#include "validator/container/writer.h"

namespace ckpt::pipeline {

Result<void> save_blobs(const std::string& path,
                        const std::vector<std::pair<std::string, std::string>>& blobs) {
  std::vector<container::NewTensor> tensors;
  for (const auto& [name, bytes] : blobs) tensors.push_back({name, Dtype::u8, {bytes.size()}});
  const std::string temporary = path + ".new";
  std::error_code error;
  std::filesystem::remove(temporary, error);
  CKPT_TRY(container::Writer writer, container::Writer::create(temporary, tensors), "file");
  for (const auto& [name, bytes] : blobs) {
    CKPT_TRY_VOID(writer.write(std::as_bytes(std::span(bytes))), name);
  }
  CKPT_TRY_VOID(writer.finish(), "file");
  std::filesystem::rename(temporary, path, error);
  if (!error) return {};
  return fail(ErrorKind::io, fmt::format("{}: {}", shown(path, 1000), error.message()));
}

Result<std::string> read_blob(const container::Checkpoint& file, std::string_view name) {
  const container::Tensor* t = file.find(name);
  if (t == nullptr) return fail(ErrorKind::format, fmt::format("`{}` is not in the file", name));
  std::string out(t->bytes(), '\0');
  CKPT_TRY_VOID(file.read(*t, 0, std::as_writable_bytes(std::span(out))), name);
  return out;
}

Result<std::map<std::string, std::string>> load_blobs(const std::string& path,
                                                      const std::vector<std::string>& names) {
  CKPT_TRY(const repo::Repo repo, repo::Repo::open(path), "file");
  const auto file = container::Checkpoint::open(repo);
  std::map<std::string, std::string> out;
  for (const std::string& name : names) {
    CKPT_TRY(out[name], read_blob(file, name), shown(path, 200));
  }
  return out;
}

}  // namespace ckpt::pipeline
