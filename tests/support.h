#pragma once
// Small helpers that tests of several folders share.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "validator/base/json.h"

namespace ckpt::testing {

/// A folder that exists as long as this object.
class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "ckpt-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }

  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

  void write(const std::string& name, const std::string& content) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << content;
  }

 private:
  std::string path_;
};

inline std::string read_all(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A fixture as JSON; null when it cannot be parsed.
inline std::shared_ptr<const json::Document> read_json(const std::string& path) {
  auto document = json::parse(read_all(path));
  return document ? *document : nullptr;
}

}  // namespace ckpt::testing
