#include "validator/container/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "validator/base/limits.h"
#include "validator/base/text.h"
#include "validator/container/order.h"

namespace ckpt::container {
namespace {

void add(std::vector<Defect>& defects, DefectKind kind, const Index& index, std::string message,
         std::string_view tensor = {}, std::string pointer = {}, std::uint64_t offset = 0) {
  defects.push_back(
      {kind, index.name, std::string(tensor), std::move(pointer), offset, std::move(message)});
}

/// `at`: where the document of `metadata` begins in the index.
void read_metadata(Index& index, const json::Value& metadata, std::uint64_t at,
                   std::vector<Defect>& defects) {
  if (!metadata.is(json::Kind::object)) {
    add(defects, DefectKind::index_no_metadata, index,
        "the index has no `metadata` object (transformers raises KeyError)");
    return;
  }
  const json::Value total = metadata.find("total_size");
  if (!total) return;
  index.total_size = total.unsigned_integer();
  index.total_size_offset = at + total.offset();
  if (!index.total_size) {
    add(defects, DefectKind::index_total_size, index, "`total_size` is not a whole number", {},
        "/metadata/total_size", index.total_size_offset);
  }
}

/// The usual case: an index without a flaw. False: the text must be judged as a tree.
bool scan(Index& index, std::vector<Defect>& defects) {
  const std::string_view text = index.text.view();
  IndexScan found;
  if (!scan_index(text, found)) return false;
  std::string_view last;  // entries of one file follow each other: judge its name once
  for (const IndexEntry& e : found.entries) {
    if (e.file == last) continue;
    if (!repo::is_plain_shard_name(e.file)) return false;
    last = e.file;
  }
  if (found.metadata.empty()) {
    read_metadata(index, {}, 0, defects);
  } else {
    const auto metadata = json::parse(std::string(found.metadata));
    if (!metadata || !(*metadata)->duplicates().empty()) return false;
    read_metadata(index, (*metadata)->root(),
                  static_cast<std::uint64_t>(found.metadata.data() - text.data()), defects);
  }
  index.entries = std::move(found.entries);
  return true;
}

void read_map(Index& index, const json::Value& map, std::vector<Defect>& defects) {
  map.each_member([&](const json::Member& m) {
    const auto file = m.value.string();
    const bool own = file && file->starts_with("./") && repo::is_plain_shard_name(file->substr(2));
    if (!file || (!repo::is_plain_shard_name(*file) && !own)) {
      add(defects, DefectKind::index_value, index,
          fmt::format("`{}` is mapped to `{}`, which is not the name of a file of this repository",
                      shown(m.name), file ? shown(*file) : shown(m.value.raw(), 60)),
          m.name, json::pointer_append("/weight_map", m.name), m.value.offset());
      return;
    }
    index.entries.push_back({m.name, own ? file->substr(2) : *file, m.value.offset()});
  });
}

/// Reads the text as a tree and says what is wrong with it. False: no map of weights.
bool judge(Index& index, std::vector<Defect>& defects) {
  auto document = json::parse(std::string(index.text.view()));
  if (!document) {
    add(defects, DefectKind::index_text, index, document.error().message);
    return false;
  }
  index.document = *document;
  for (const json::Duplicate& d : index.document->duplicates()) {
    add(defects, DefectKind::index_duplicate_key, index,
        fmt::format("the key `{}` stands twice", shown(d.key)), d.key, {}, d.offset);
  }
  const json::Value root = index.document->root();
  const json::Value map = root.find("weight_map");
  if (!map.is(json::Kind::object) || map.size() == 0) {
    add(defects, DefectKind::index_text, index, "`weight_map` is missing, empty or not an object",
        {}, "/weight_map", map ? map.offset() : 0);
    return false;
  }
  read_metadata(index, root.find("metadata"), 0, defects);
  read_map(index, map, defects);
  return true;
}

Result<TextBuffer> text_of(const repo::Repo& repo, std::string_view name) {
  CKPT_TRY(const File file, repo.open_file(name), "open");
  if (file.size() > limits::kLargeJsonBytes) {
    return fail(ErrorKind::limit, fmt::format("{}: {} bytes, limit {}", file.label(), file.size(),
                                              limits::kLargeJsonBytes));
  }
  return read_buffer(file, 0, file.size());
}

}  // namespace

std::optional<Index> read_index(const repo::Repo& repo, std::string_view name,
                                std::vector<Defect>& defects) {
  if (repo.find(name) == nullptr) return std::nullopt;
  Index index;
  index.name = std::string(name);
  auto text = text_of(repo, name);
  if (!text) {
    add(defects, DefectKind::index_text, index, text.error().message);
    return std::nullopt;
  }
  index.text = *std::move(text);
  if (!scan(index, defects) && !judge(index, defects)) return std::nullopt;
  return index;
}

namespace {

/// Compares an index with the shards, entry by entry, then looks at what no entry named.
class Comparison {
 public:
  Comparison(const Index& index, const repo::Repo& repo, const std::vector<Shard>& shards,
             const std::vector<Tensor>& tensors, std::vector<Defect>& defects)
      : index_(index),
        repo_(repo),
        shards_(shards),
        tensors_(tensors),
        defects_(defects),
        named_(shards.size()),
        listed_(tensors.size()) {
    for (std::uint32_t i = 0; i < shards.size(); ++i) shard_of_[shards[i].name] = i;
  }

  void run() {
    // Both sides in name order, side by side; of two entries of one tensor the last one counts for
    // loaders, both are looked at here.
    auto t = tensors_.begin();
    for (const std::uint32_t i : name_order(index_.entries, &IndexEntry::tensor)) {
      const IndexEntry& e = index_.entries[i];
      while (t != tensors_.end() && t->name < e.tensor) ++t;
      entry(e, t != tensors_.end() && t->name == e.tensor ? &*t : nullptr);
    }
    missing_shards();
    unlisted_tensors();
    total_size();
  }

 private:
  const Index& index_;
  const repo::Repo& repo_;
  const std::vector<Shard>& shards_;
  const std::vector<Tensor>& tensors_;
  std::vector<Defect>& defects_;
  std::vector<bool> named_;   ///< shards some entry names
  std::vector<bool> listed_;  ///< tensors some entry lists
  std::map<std::string_view, std::uint32_t> shard_of_;
  std::map<std::string_view, std::pair<std::uint64_t, const IndexEntry*>> missing_;
  std::string_view last_file_;  ///< entries of one file follow each other: remember the last
  std::int64_t last_shard_ = -1;

  std::int64_t shard_of(std::string_view file) {
    if (file != last_file_ || last_shard_ < 0) {
      const auto it = shard_of_.find(file);
      last_file_ = file;
      last_shard_ = it == shard_of_.end() ? -1 : static_cast<std::int64_t>(it->second);
    }
    return last_shard_;
  }

  /// `t`: the stored tensor of this name, or null.
  void entry(const IndexEntry& e, const Tensor* t) {
    const bool found = t != nullptr;
    if (found) listed_[static_cast<std::size_t>(t - tensors_.data())] = true;
    const std::int64_t shard = shard_of(e.file);
    if (shard < 0) {
      auto& [count, first] = missing_[e.file];
      if (count++ == 0) first = &e;
      return;
    }
    const auto s = static_cast<std::uint32_t>(shard);
    named_[s] = true;
    if (!shards_[s].usable || (found && t->shard == s)) return;
    add(defects_, DefectKind::index_absent_tensor, index_,
        found ? fmt::format("`{}` is mapped to {}, it is stored in {}", shown(e.tensor),
                            shown(e.file), shown(shards_[t->shard].name))
              : fmt::format("`{}` is mapped to {}, which does not contain it", shown(e.tensor),
                            shown(e.file)),
        e.tensor, json::pointer_append("/weight_map", e.tensor), e.offset);
  }

  void missing_shards() {
    for (const auto& [file, count] : missing_) {
      const repo::Entry* entry = repo_.find(file);
      const std::string_view why = entry == nullptr ? "does not exist"
                                   : entry->kind == repo::EntryKind::dangling_link
                                       ? "is a link that leads nowhere"
                                       : "cannot be opened";
      add(defects_, DefectKind::index_missing_shard, index_,
          fmt::format("{} tensors are mapped to `{}`, which {}", with_commas(count.first),
                      shown(file), why),
          count.second->tensor, json::pointer_append("/weight_map", count.second->tensor),
          count.second->offset);
    }
  }

  void unlisted_tensors() {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const Tensor& t = tensors_[i];
      if (listed_[i] || !named_[t.shard]) continue;
      add(defects_, DefectKind::index_unlisted_tensor, index_,
          fmt::format("`{}` is in {}, the index does not list it", shown(t.name),
                      shown(shards_[t.shard].name)),
          t.name);
    }
  }

  void total_size() {
    std::uint64_t bytes = 0;
    for (const Tensor& t : tensors_) bytes += t.bytes();
    const bool complete = missing_.empty() && std::ranges::all_of(shards_, &Shard::usable);
    if (!complete || !index_.total_size || *index_.total_size == bytes) return;
    add(defects_, DefectKind::index_total_size, index_,
        fmt::format("`total_size` is {}, the tensors have {} bytes", *index_.total_size, bytes), {},
        "/metadata/total_size", index_.total_size_offset);
  }
};

}  // namespace

void compare_index(const Index& index, const repo::Repo& repo, const std::vector<Shard>& shards,
                   const std::vector<Tensor>& tensors, std::vector<Defect>& defects) {
  Comparison(index, repo, shards, tensors, defects).run();
}

}  // namespace ckpt::container
