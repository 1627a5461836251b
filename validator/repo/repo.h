#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/file.h"
#include "validator/base/json.h"
#include "validator/base/result.h"

namespace ckpt::repo {

struct HubAddress;
struct HubOptions;

enum class EntryKind : std::uint8_t { regular, link_outside, dangling_link, special };

/// One file of the repo, relative to its root (`config.json`, `sub/a.txt`).
struct Entry {
  std::string name;
  std::uint64_t bytes = 0;
  EntryKind kind = EntryKind::regular;
};

/// The kind of a repo that was read from the hub: its weights are not here.
inline constexpr std::string_view kHub = "hub";

/// The files of one repo revision: a folder, a single file's folder, a Hugging Face cache entry, or
/// what was read of a repo on the hub. Owns a descriptor of the root. Nothing outside it is opened
/// because a file in it says so. const methods are thread-safe.
class Repo {
 public:
  /// `target` as the user typed it: a folder, a `.safetensors` or `.index.json` file, or `org/name`
  /// in the local hub cache. Errors: not_found, io, usage (it would need the network).
  [[nodiscard]] static Result<Repo> open(const std::string& target);
  /// The same, and `hf://org/name` or a web address is asked of the hub. Errors: also read_hub()'s.
  [[nodiscard]] static Result<Repo> open(const std::string& target, const HubOptions& hub);

  /// From now on `name` (a plain file name) reads as `content`, as if it had been written.
  void overlay(const std::string& name, std::string content);

  [[nodiscard]] const std::string& input() const { return input_; }

  /// `folder`, `file`, `hf_cache` or `hub`.
  [[nodiscard]] const std::string& kind() const { return kind_; }

  [[nodiscard]] const std::string& repo_id() const { return repo_id_; }

  [[nodiscard]] const std::string& revision() const { return revision_; }

  /// True when the weights were left on the hub: reading them is an error.
  [[nodiscard]] bool headers_only() const { return kind_ == kHub; }

  /// The folder that holds the files, as the system knows it; empty for a repo on the hub.
  [[nodiscard]] const std::string& folder() const { return folder_; }

  /// For a single-file target the file's name, else empty.
  [[nodiscard]] const std::string& single_file() const { return single_file_; }

  /// Sorted by name.
  [[nodiscard]] const std::vector<Entry>& entries() const { return entries_; }

  [[nodiscard]] bool walk_stopped() const { return walk_stopped_; }

  [[nodiscard]] const Entry* find(std::string_view name) const;

  /// Opens a file by a name that may come from a stranger. Errors: not_found, io (leaves the repo,
  /// not a regular file, refused by the system).
  [[nodiscard]] Result<File> open_file(std::string_view name) const;
  /// A JSON document of the repo. Errors as open_file, and format, limit.
  [[nodiscard]] Result<std::shared_ptr<const json::Document>> read_json(
      std::string_view name, std::uint64_t max_bytes) const;

 private:
  /// A file of `bytes` bytes that begins with `content`.
  struct Overlay {
    std::string content;
    std::uint64_t bytes = 0;
  };

  [[nodiscard]] static Result<Repo> from_hub(const std::string& target, const HubAddress& address,
                                             const HubOptions& options);

  std::string input_;
  std::string kind_ = "folder";
  std::string repo_id_;
  std::string revision_;
  std::string single_file_;
  std::string folder_;
  std::string prefix_;  ///< path from the descriptor to the repo, empty or ending in `/`
  std::shared_ptr<const int> root_;
  std::vector<Entry> entries_;
  std::map<std::string, Overlay, std::less<>> overlay_;
  bool walk_stopped_ = false;
};

/// True for a shard name a weight_map may hold: one path component, valid UTF-8, no control
/// characters, ending in `.safetensors`.
[[nodiscard]] bool is_plain_shard_name(std::string_view name);

}  // namespace ckpt::repo
