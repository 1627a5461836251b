#include "validator/repo/repo.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "validator/base/environment.h"
#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/repo/hub.h"
#include "validator/repo/hub_cache.h"

namespace ckpt::repo {
namespace fs = std::filesystem;

namespace {

std::string expand_home(std::string path) {
  if (path.starts_with("~/")) path = env("HOME") + path.substr(1);
  return path;
}

/// Where a repo lies: the folder that no link may leave, and the way from there.
struct Place {
  std::string boundary;
  std::string prefix;
  std::string kind = "folder";
  std::string repo_id;
  std::string revision;
};

/// Recognises `.../models--org--name/snapshots/<commit>`: there files are links into the cache.
Place place_of_folder(const std::string& folder) {
  std::error_code error;
  const fs::path path = fs::canonical(folder, error);
  if (error) return {.boundary = folder};
  const fs::path models = path.parent_path().parent_path();
  const std::string models_name = models.filename().string();
  if (path.parent_path().filename() != "snapshots" || !is_commit(path.filename().string()) ||
      !models_name.starts_with("models--")) {
    return {.boundary = path.string()};
  }
  Place place{.boundary = models.parent_path().string(),
              .prefix = models_name + "/snapshots/" + path.filename().string() + "/",
              .kind = "hf_cache",
              .repo_id = models_name.substr(8),
              .revision = path.filename().string()};
  if (const std::size_t dash = place.repo_id.find("--"); dash != std::string::npos) {
    place.repo_id.replace(dash, 2, "/");
  }
  return place;
}

bool is_repo_id(const std::string& s) {
  const std::size_t slash = s.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < s.size() &&
         s.find('/', slash + 1) == std::string::npos && s.find("..") == std::string::npos &&
         s[0] != '.' && s[0] != '/';
}

Result<std::string> snapshot_folder(const std::string& id) {
  const std::size_t at = id.find('@');
  const std::string name = id.substr(0, at);
  const std::string revision = at == std::string::npos ? "main" : id.substr(at + 1);
  std::string dashed = name;
  dashed.replace(dashed.find('/'), 1, "--");
  const std::string base = fmt::format("{}/models--{}", hub_cache(), dashed);
  std::string commit = revision;
  if (!is_commit(commit)) {
    auto file = open_file(base + "/refs/" + revision);
    if (!file) {
      return fail(ErrorKind::not_found,
                  fmt::format("{}: no such folder, and not in the hub cache", shown(id)));
    }
    CKPT_TRY(commit, read_text(*file, 256), "revision");
    while (!commit.empty() && commit.back() == '\n') commit.pop_back();
  }
  std::error_code error;
  const std::string folder = base + "/snapshots/" + commit;
  if (!is_commit(commit) || !fs::is_directory(folder, error)) {
    return fail(ErrorKind::not_found, fmt::format("{}: revision {} is not in the hub cache",
                                                  shown(name), shown(revision)));
  }
  return folder;
}

EntryKind kind_of(const fs::directory_entry& entry, const std::string& boundary,
                  std::uint64_t& bytes) {
  std::error_code error;
  if (entry.is_symlink(error)) {
    const fs::path end = fs::canonical(entry.path(), error);
    if (error) return EntryKind::dangling_link;
    const std::string inside = boundary.ends_with('/') ? boundary : boundary + "/";
    if (!end.string().starts_with(inside)) return EntryKind::link_outside;
  }
  if (!entry.is_regular_file(error)) return EntryKind::special;
  bytes = entry.file_size(error);
  if (error) bytes = 0;
  return EntryKind::regular;
}

/// Lists the files below `folder`; follows no link to a folder. True when a limit stopped it.
bool walk(const std::string& folder, const std::string& boundary, std::vector<Entry>& entries) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
  if (error) return false;
  for (const fs::recursive_directory_iterator end; it != end; it.increment(error)) {
    if (error) return true;
    if (entries.size() >= limits::kWalkEntries) return true;
    std::error_code ignored;
    if (it->is_directory(ignored) && !it->is_symlink(ignored)) {
      const std::string name = it->path().filename().string();
      if (name == ".git" || name == ".cache") it.disable_recursion_pending();
      if (it.depth() + 1 >= static_cast<int>(limits::kWalkDepth)) return true;
      continue;
    }
    Entry entry;
    entry.name = it->path().lexically_relative(folder).string();
    entry.kind = kind_of(*it, boundary, entry.bytes);
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &Entry::name);
  return false;
}

std::shared_ptr<const int> open_directory(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  return {new int(descriptor), [](const int* d) {
            ::close(*d);
            delete d;
          }};
}

}  // namespace

std::string hub_home() {
  if (const std::string v = env("HF_HOME"); !v.empty()) return expand_home(v);
  if (const std::string v = env("XDG_CACHE_HOME"); !v.empty()) {
    return expand_home(v) + "/huggingface";
  }
  return expand_home("~/.cache/huggingface");
}

std::string hub_cache() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string v = env(name); !v.empty()) return expand_home(v);
  }
  return hub_home() + "/hub";
}

Result<Repo> Repo::from_hub(const std::string& target, const HubAddress& address,
                            const HubOptions& options) {
  CKPT_TRY(HubSnapshot snapshot, read_hub(address, options), shown(target));
  Repo repo;
  repo.input_ = target;
  repo.kind_ = kHub;
  repo.repo_id_ = snapshot.id;
  repo.revision_ = snapshot.commit;
  repo.single_file_ = address.file;
  for (HubFile& f : snapshot.files) {
    repo.entries_.push_back({f.name, f.bytes});
    repo.overlay_[f.name] = {std::move(f.content).value_or(""), f.bytes};
  }
  std::ranges::sort(repo.entries_, {}, &Entry::name);
  const auto same = [](const Entry& a, const Entry& b) { return a.name == b.name; };
  auto& entries = repo.entries_;
  entries.erase(std::unique(entries.begin(), entries.end(), same), entries.end());
  if (!address.file.empty() && repo.find(address.file) == nullptr) {
    std::vector<std::string> names;
    for (const Entry& e : repo.entries_) names.push_back(e.name);
    const std::string_view near = nearest(address.file, names);
    return fail(ErrorKind::not_found,
                fmt::format("{}: no such file{}", shown(target),
                            near.empty() ? "" : fmt::format(", did you mean {}?", shown(near))));
  }
  return repo;
}

Result<Repo> Repo::open(const std::string& target) {
  return open(target, HubOptions{});
}

Result<Repo> Repo::open(const std::string& target, const HubOptions& hub) {
  CKPT_TRY(const std::optional<HubAddress> address, hub_address(target), "target");
  if (address) return from_hub(target, *address, hub);
  Repo repo;
  repo.input_ = target;
  std::error_code error;
  std::string folder = target;
  const fs::file_status status = fs::status(target, error);
  if (fs::is_regular_file(status)) {
    const fs::path path(target);
    repo.single_file_ = path.filename().string();
    folder = path.has_parent_path() ? path.parent_path().string() : ".";
    repo.kind_ = "file";
  } else if (!fs::is_directory(status)) {
    if (fs::exists(status)) {
      return fail(ErrorKind::io, fmt::format("{}: neither a folder nor a file", shown(target)));
    }
    if (!is_repo_id(target)) {
      return fail(ErrorKind::not_found, fmt::format("{}: no such folder or file", shown(target)));
    }
    auto cached = snapshot_folder(target);
    if (!cached && hub.remote) {
      CKPT_TRY(const auto remote, hub_address("hf://" + target), "target");
      return from_hub(target, *remote, hub);
    }
    CKPT_TRY(folder, std::move(cached), "hub cache");
  }
  const Place place = place_of_folder(folder);
  if (repo.single_file_.empty()) repo.kind_ = place.kind;
  repo.folder_ = folder;
  repo.repo_id_ = place.repo_id;
  repo.revision_ = place.revision;
  repo.prefix_ = place.prefix;
  repo.root_ = open_directory(place.boundary);
  if (repo.root_ == nullptr) {
    return fail(ErrorKind::io, fmt::format("{}: {}", shown(target), errno_text(errno)));
  }
  repo.walk_stopped_ = walk(folder, place.boundary, repo.entries_);
  return repo;
}

void Repo::overlay(const std::string& name, std::string content) {
  const auto it = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  const std::uint64_t bytes = content.size();
  if (it != entries_.end() && it->name == name) {
    it->bytes = bytes;
    it->kind = EntryKind::regular;
  } else {
    entries_.insert(it, {name, bytes});
  }
  overlay_[name] = {std::move(content), bytes};
}

const Entry* Repo::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  return it != entries_.end() && it->name == name ? &*it : nullptr;
}

Result<File> Repo::open_file(std::string_view name) const {
  if (name.empty() || name.front() == '/' || name.find('\0') != std::string_view::npos) {
    return fail(ErrorKind::io, fmt::format("{}: not a relative file name", shown(name)));
  }
  if (const auto it = overlay_.find(name); it != overlay_.end()) {
    return partial_file(it->first, it->second.content, it->second.bytes);
  }
  if (root_ == nullptr) return fail(ErrorKind::not_found, shown(name) + ": no such file");
  auto file = open_file_at(*root_, prefix_ + std::string(name), /*beneath=*/true);
  if (!file) return tl::make_unexpected(std::move(file).error().in(shown(name)));
  return file;
}

Result<std::shared_ptr<const json::Document>> Repo::read_json(std::string_view name,
                                                              std::uint64_t max_bytes) const {
  CKPT_TRY(const File file, open_file(name), "open");
  CKPT_TRY(std::string text, read_text(file, max_bytes), "read");
  return json::parse(std::move(text));
}

bool is_plain_shard_name(std::string_view name) {
  constexpr std::string_view kSuffix = ".safetensors";
  if (name.size() <= kSuffix.size() || name.size() > 255 || !name.ends_with(kSuffix)) return false;
  if (name.find_first_of("/\\:") != std::string_view::npos || name[0] == '~') return false;
  return shown(name, name.size()) == name;  // nothing that needs escaping
}

}  // namespace ckpt::repo
