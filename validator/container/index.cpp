#include "validator/container/index.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "validator/base/limits.h"
#include "validator/base/text.h"

namespace ckpt::container {
namespace {

void add(std::vector<Defect>& defects, DefectKind kind, const Index& index, std::string message,
         std::string_view tensor = {}, std::string pointer = {}, std::uint64_t offset = 0) {
  defects.push_back(
      {kind, index.name, std::string(tensor), std::move(pointer), offset, std::move(message)});
}

void read_metadata(Index& index, std::vector<Defect>& defects) {
  const json::Value metadata = index.document->root().find("metadata");
  if (!metadata.is(json::Kind::object)) {
    add(defects, DefectKind::index_no_metadata, index,
        "the index has no `metadata` object (transformers raises KeyError)");
    return;
  }
  const json::Value total = metadata.find("total_size");
  if (!total) return;
  index.total_size = total.unsigned_integer();
  if (!index.total_size) {
    add(defects, DefectKind::index_total_size, index, "`total_size` is not a whole number", {},
        "/metadata/total_size", total.offset());
  }
}

void read_map(Index& index, const json::Value& map, std::vector<Defect>& defects) {
  index.entries.reserve(map.size());
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
    index.entries.push_back({m.name, own ? file->substr(2) : *file, m.value});
  });
}

}  // namespace

std::optional<Index> read_index(const repo::Repo& repo, std::string_view name,
                                std::vector<Defect>& defects) {
  if (repo.find(name) == nullptr) return std::nullopt;
  Index index;
  index.name = std::string(name);
  auto document = repo.read_json(name, limits::kLargeJsonBytes);
  if (!document) {
    add(defects, DefectKind::index_text, index, document.error().message);
    return std::nullopt;
  }
  index.document = *document;
  for (const json::Duplicate& d : index.document->duplicates()) {
    add(defects, DefectKind::index_duplicate_key, index,
        fmt::format("the key `{}` stands twice", shown(d.key)), d.key, {}, d.offset);
  }
  const json::Value map = index.document->root().find("weight_map");
  if (!map.is(json::Kind::object) || map.size() == 0) {
    add(defects, DefectKind::index_text, index, "`weight_map` is missing, empty or not an object",
        {}, "/weight_map", map ? map.offset() : 0);
    return std::nullopt;
  }
  read_metadata(index, defects);
  read_map(index, map, defects);
  return index;
}

void compare_index(const Index& index, const repo::Repo& repo, const std::vector<Shard>& shards,
                   const std::vector<Tensor>& tensors, std::vector<Defect>& defects) {
  std::map<std::string_view, std::uint32_t> shard_of;
  for (std::uint32_t i = 0; i < shards.size(); ++i) shard_of[shards[i].name] = i;

  std::map<std::string_view, std::pair<std::uint64_t, const IndexEntry*>> missing;
  std::vector<std::string_view> listed;
  std::vector<bool> named(shards.size());
  listed.reserve(index.entries.size());
  std::string_view last_file;
  std::int64_t last_shard = -1;
  for (const IndexEntry& e : index.entries) {
    listed.push_back(e.tensor);
    if (e.file != last_file || last_shard < 0) {
      const auto it = shard_of.find(e.file);
      last_file = e.file;
      last_shard = it == shard_of.end() ? -1 : static_cast<std::int64_t>(it->second);
    }
    if (last_shard < 0) {
      auto& [count, first] = missing[e.file];
      if (count++ == 0) first = &e;
      continue;
    }
    const auto s = static_cast<std::uint32_t>(last_shard);
    named[s] = true;
    if (!shards[s].usable) continue;
    const auto t = std::ranges::lower_bound(tensors, e.tensor, {}, &Tensor::name);
    const bool found = t != tensors.end() && t->name == e.tensor;
    if (found && t->shard == s) continue;
    add(defects, DefectKind::index_absent_tensor, index,
        found ? fmt::format("`{}` is mapped to {}, it is stored in {}", shown(e.tensor),
                            shown(e.file), shown(shards[t->shard].name))
              : fmt::format("`{}` is mapped to {}, which does not contain it", shown(e.tensor),
                            shown(e.file)),
        e.tensor, json::pointer_append("/weight_map", e.tensor), e.place.offset());
  }
  for (const auto& [file, count] : missing) {
    const repo::Entry* entry = repo.find(file);
    const std::string_view why = entry == nullptr ? "does not exist"
                                 : entry->kind == repo::EntryKind::dangling_link
                                     ? "is a link that leads nowhere"
                                     : "cannot be opened";
    add(defects, DefectKind::index_missing_shard, index,
        fmt::format("{} tensors are mapped to `{}`, which {}", with_commas(count.first),
                    shown(file), why),
        count.second->tensor, json::pointer_append("/weight_map", count.second->tensor),
        count.second->place.offset());
  }
  std::ranges::sort(listed);
  std::uint64_t bytes = 0;
  for (const Tensor& t : tensors) {
    bytes += t.bytes();
    if (!named[t.shard] || std::ranges::binary_search(listed, t.name)) continue;
    add(defects, DefectKind::index_unlisted_tensor, index,
        fmt::format("`{}` is in {}, the index does not list it", shown(t.name),
                    shown(shards[t.shard].name)),
        t.name);
  }
  const bool complete = missing.empty() && std::ranges::all_of(shards, &Shard::usable);
  if (complete && index.total_size && *index.total_size != bytes) {
    add(defects, DefectKind::index_total_size, index,
        fmt::format("`total_size` is {}, the tensors have {} bytes", *index.total_size, bytes), {},
        "/metadata/total_size",
        index.document->root().find("metadata").find("total_size").offset());
  }
}

}  // namespace ckpt::container
