#include "validator/pipeline/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "validator/base/file.h"
#include "validator/base/text.h"
#include "validator/pipeline/blobs.h"
#include "validator/pipeline/states.h"

namespace ckpt::pipeline {

namespace {

using forward::Place;
using forward::StateView;
using kernels::Rows;

constexpr std::string_view kStateFile = "/state.safetensors";

/// What a state says of itself, after its key.
struct Header {
  std::int32_t pass = 0;
  std::int32_t layer = 0;
};

/// Digests of blocks spread evenly over every weight file: requantized weights of the same shapes
/// differ in them, and no run needs to read everything twice.
void add_samples(std::string& text, const OpenedRepo& repo) {
  constexpr std::uint64_t kBlocks = 64;
  constexpr std::uint64_t kBytes = 4096;
  for (const container::Shard& shard : repo.checkpoint.shards()) {
    const auto file = repo.repo.open_file(shard.name);
    if (!file) continue;
    std::string blocks;
    std::string block;
    for (std::uint64_t i = 0; i < kBlocks; ++i) {
      const std::uint64_t at = file->size() / kBlocks * i;
      block.resize(std::min(kBytes, file->size() - at));
      if (!file->read(at, std::as_writable_bytes(std::span(block)))) break;
      blocks += block;
    }
    text += results::sha256_hex(blocks) + "\n";
  }
}

void add_repo(std::string& text, const OpenedRepo& repo) {
  for (const repo::Entry& e : repo.repo.entries()) text += fmt::format("{} {}\n", e.name, e.bytes);
  if (const auto config = repo.repo.open_file("config.json")) {
    constexpr std::uint64_t kMost = 64ULL << 20;
    text += read_text(*config, kMost).value_or("");
  }
  add_samples(text, repo);
  for (const container::Tensor& t : repo.checkpoint.tensors()) {
    text +=
        fmt::format("{} {} {} {}\n", t.name, dtype_name(t.dtype), fmt::join(t.shape, ","), t.begin);
  }
}

}  // namespace

std::string run_key(const KlArgs& args, std::string_view plan, std::string_view backend) {
  std::string text = fmt::format("{} {} {} {} {} {} {}\n", CKPT_VERSION, backend,
                                 forward::mode_name(args.mode), args.exact_router, args.local,
                                 args.bf16_weights ? (*args.bf16_weights ? 1 : 0) : 2, plan);
  add_repo(text, args.reference);
  add_repo(text, args.candidate);
  for (const auto& sequence : args.sequences) text += fmt::format("{}\n", fmt::join(sequence, " "));
  if (!args.images.empty()) text += fmt::format("images {}\n", args.images_sha256);
  for (const forward::Variant& v : args.variants) {
    text += fmt::format("variant {} {}", static_cast<int>(v.follows), v.noise);
    for (const forward::ModulePick& p : v.picks) {
      text += fmt::format(" {}/{}/{}/{}", p.layer, p.any_class, static_cast<int>(p.cls), p.expert);
    }
    text += '\n';
  }
  return results::sha256_hex(text);
}

Result<std::unique_ptr<FileJournal>> FileJournal::open(const std::string& folder,
                                                       const std::string& key,
                                                       metrics::Record& record,
                                                       std::chrono::seconds interval) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    return fail(ErrorKind::io, fmt::format("journal `{}`: {}", shown(folder), error.message()));
  }
  std::unique_ptr<FileJournal> out(new FileJournal(folder, key, record, interval));
  CKPT_TRY_VOID(out->read_start(), "journal");
  return out;
}

Result<void> FileJournal::read_start() {
  const std::string path = folder_ + std::string(kStateFile);
  if (!std::filesystem::exists(path)) return {};
  CKPT_TRY(const BlobFile file, BlobFile::open(path), "state");
  CKPT_TRY(const std::string run, file.bytes("run"), "state");
  Header header;
  if (run.size() != key_.size() + sizeof(header)) {
    return fail(ErrorKind::format, "the journal's header is damaged");
  }
  if (!run.starts_with(key_)) {
    return fail(ErrorKind::usage,
                "the journal belongs to another run: other checkpoints, tokens, options or "
                "version; name another folder or remove this one");
  }
  std::memcpy(&header, run.data() + key_.size(), sizeof(header));
  CKPT_TRY(const std::string record, file.bytes("record"), "state");
  CKPT_TRY(record_, metrics::Record::load(record), "state");
  if (header.pass < 0 || header.layer < 0) {
    return fail(ErrorKind::format, "the journal's header is damaged");
  }
  start_ = Place{header.pass, header.layer};
  return {};
}

Result<void> FileJournal::restore(const StateView& states) {
  CKPT_TRY(const BlobFile file, BlobFile::open(folder_ + std::string(kStateFile)), "state");
  const Rows& x = states.hidden.x_reference;
  for (std::size_t v = 0; v < states.variants.size(); ++v) {
    if (file.find(fmt::format("variant.{:06}", v)) == nullptr) continue;
    CKPT_TRY_VOID(states.variants.revive(v, x.rows, x.cols), "state");
  }
  for (const auto& [name, rows] : kept_states(states)) {
    CKPT_TRY_VOID(file.rows(name, 0, states.ops, rows), "state");
  }
  return {};
}

Result<void> FileJournal::write(Place next, const StateView* states) {
  std::string run = key_;
  const Header header{next.pass, next.layer};
  run.append(reinterpret_cast<const char*>(&header), sizeof(header));
  std::vector<Blob> blobs{{"run", run, {}}, {"record", record_.save(), {}}};
  if (states != nullptr) {
    for (const auto& [name, rows] : kept_states(*states)) blobs.push_back({name, {}, rows});
  }
  CKPT_TRY_VOID(save_blobs(folder_ + std::string(kStateFile), blobs,
                           states == nullptr ? nullptr : &states->ops),
                "journal");
  last_ = std::chrono::steady_clock::now();
  return {};
}

Result<void> FileJournal::after_layer(Place next, const StateView& states) {
  if (std::chrono::steady_clock::now() - last_ < interval_) return {};
  return write(next, &states);
}

Result<void> FileJournal::after_pass(int pass) {
  return write({pass + 1, 0}, nullptr);
}

}  // namespace ckpt::pipeline
