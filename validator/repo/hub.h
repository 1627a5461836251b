#pragma once
// A repo on the hub, read without downloading its weights: the list of files, the small files that
// rules read, and the headers of the safetensors files. Interfaces, section 11.

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "validator/base/result.h"

namespace ckpt::repo {

/// What the command line says about the network; the rest comes from the environment.
struct HubOptions {
  bool network = false;    ///< a command that needs no weights, started by a person, may ask
  bool offline = false;    ///< never ask; also HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE
  bool remote = false;     ///< ask for an `org/name` that is neither a folder nor in the cache
  std::string token_file;  ///< instead of HF_TOKEN and the like
  std::stop_token stop;
  std::function<void(std::string_view)> say;  ///< one line before and between requests
};

struct HubAddress {
  std::string id;                 ///< `org/name`
  std::string revision = "main";  ///< branch, tag or commit
  std::string file;               ///< one file of it, or empty
};

struct HubFile {
  std::string name;
  std::uint64_t bytes = 0;             ///< of the whole file
  std::optional<std::string> content;  ///< its beginning, as far as it was read
};

struct HubSnapshot {
  std::string id;
  std::string commit;
  std::vector<HubFile> files;
};

/// `hf://org/name[@revision][/file]` or a web address of the hub; nothing for other targets.
/// Errors: usage (such an address that names no repo).
[[nodiscard]] Result<std::optional<HubAddress>> hub_address(const std::string& target);

/// Where answers are kept, by commit, so that they are asked for once.
[[nodiscard]] std::string header_cache();

/// Reads it, at most eight files at a time. Errors: usage (the network may not be used), not_found,
/// io, limit, unsupported, cancelled.
[[nodiscard]] Result<HubSnapshot> read_hub(const HubAddress& address, const HubOptions& options);

}  // namespace ckpt::repo
