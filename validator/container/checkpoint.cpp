#include "validator/container/checkpoint.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "validator/base/text.h"
#include "validator/container/index.h"
#include "validator/container/order.h"

namespace ckpt::container {
namespace {

bool is_weight_file(const repo::Entry& e) {
  return e.name.ends_with(".safetensors") && e.name.find('/') == std::string::npos;
}

/// The shards to open: the user's single file; else those the index names and the others that lie
/// there (an orphan is reported, and its tensors are not part of the checkpoint).
std::vector<std::string> shard_names(const repo::Repo& repo, const std::optional<Index>& index) {
  if (repo.single_file().ends_with(".safetensors")) return {repo.single_file()};
  std::set<std::string> names;
  if (index) {
    for (const IndexEntry& e : index->entries) {
      if (names.empty() || *names.rbegin() != e.file) names.emplace(e.file);
    }
    return {names.begin(), names.end()};
  }
  for (const repo::Entry& e : repo.entries()) {
    if (is_weight_file(e)) names.insert(e.name);
  }
  return {names.begin(), names.end()};
}

}  // namespace

Checkpoint Checkpoint::open(const repo::Repo& repo) {
  Checkpoint c;
  const bool single = repo.single_file().ends_with(".safetensors");
  const std::string_view index_name = repo.single_file().ends_with(".index.json")
                                          ? std::string_view(repo.single_file())
                                          : kIndexName;
  if (!single) c.index_ = read_index(repo, index_name, c.defects_);
  for (const std::string& name : shard_names(repo, c.index_)) {
    auto file = repo.open_file(name);
    if (!file) {
      c.incomplete_ = true;
      // A shard the index names but that is not there is reported once, by compare_index.
      if (!c.index_ || repo.find(name) != nullptr) {
        c.defects_.push_back({DefectKind::unreadable, name, {}, {}, 0, file.error().message});
      }
      continue;
    }
    Shard shard{.name = name, .file = *std::move(file)};
    Header header = read_header(shard.file, name);
    shard.header_bytes = header.header_bytes;
    shard.tensors = header.tensors.size();
    shard.usable = !header.tensors.empty() || header.defects.empty();
    // A tensor that a damaged header hides is not a missing tensor.
    const bool damaged = std::ranges::any_of(header.defects, [](const Defect& d) {
      return d.kind != DefectKind::irregular && d.kind != DefectKind::name_odd &&
             d.kind != DefectKind::header_large && d.kind != DefectKind::hole;
    });
    if (!shard.usable || damaged) c.incomplete_ = true;
    const auto number = static_cast<std::uint32_t>(c.shards_.size());
    for (Tensor& t : header.tensors) t.shard = number;
    if (c.tensors_.empty()) {
      c.tensors_ = std::move(header.tensors);
    } else {
      c.tensors_.insert(c.tensors_.end(), header.tensors.begin(), header.tensors.end());
    }
    c.texts_.push_back(std::move(header.text));
    std::ranges::move(header.defects, std::back_inserter(c.defects_));
    c.shards_.push_back(std::move(shard));
  }
  if (c.shards_.empty() && !c.incomplete_) {
    c.incomplete_ = true;
    c.defects_.push_back({DefectKind::weights_missing, {}, {}, {}, 0, "no safetensors file"});
  }
  sort_by_name(c.tensors_, &Tensor::name);
  // Of copies the later shard wins, as in vLLM; within one file the header defect has said it.
  for (std::size_t i = 0; i + 1 < c.tensors_.size(); ++i) {
    const Tensor& a = c.tensors_[i];
    const Tensor& b = c.tensors_[i + 1];
    if (a.name != b.name || a.shard == b.shard) continue;
    c.defects_.push_back(
        {DefectKind::tensor_in_two_shards,
         c.shards_[b.shard].name,
         std::string(a.name),
         {},
         0,
         fmt::format("`{}` is stored in {} and in {}", shown(a.name),
                     shown(c.shards_[a.shard].name), shown(c.shards_[b.shard].name))});
  }
  const auto same = [](const Tensor& a, const Tensor& b) { return a.name == b.name; };
  const auto tail = std::unique(c.tensors_.rbegin(), c.tensors_.rend(), same);
  c.tensors_.erase(c.tensors_.begin(), tail.base());
  if (!c.index_) return c;

  compare_index(*c.index_, repo, c.shards_, c.tensors_, c.defects_);
  for (const repo::Entry& e : repo.entries()) {
    const bool named =
        std::ranges::any_of(c.shards_, [&](const Shard& s) { return s.name == e.name; });
    if (e.name == "model.safetensors" && (c.shards_.size() > 1 || !named)) {
      c.shadowed_ = true;
      c.defects_.push_back({DefectKind::shadowed_index,
                            e.name,
                            {},
                            {},
                            0,
                            "`model.safetensors` stands beside an index that names other files"});
    } else if (is_weight_file(e) && !named) {
      c.defects_.push_back({DefectKind::orphan_shard,
                            e.name,
                            {},
                            {},
                            0,
                            fmt::format("no entry of the index names `{}`", shown(e.name))});
    }
  }
  return c;
}

const Tensor* Checkpoint::find(std::string_view name) const {
  const auto it = std::ranges::lower_bound(tensors_, name, {}, &Tensor::name);
  return it != tensors_.end() && it->name == name ? &*it : nullptr;
}

Result<void> Checkpoint::read(const Tensor& tensor, std::uint64_t offset,
                              std::span<std::byte> out) const {
  if (offset > tensor.bytes() || out.size() > tensor.bytes() - offset) {
    return fail(ErrorKind::internal, fmt::format("a read outside `{}`", shown(tensor.name)));
  }
  return shards_[tensor.shard].file.read(tensor.begin + offset, out);
}

void Checkpoint::will_need(const Tensor& tensor) const {
  shards_[tensor.shard].file.will_need(tensor.begin, tensor.bytes());
}

}  // namespace ckpt::container
