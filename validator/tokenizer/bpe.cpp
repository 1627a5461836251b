#include "validator/tokenizer/bpe.h"

#include <queue>
#include <tuple>

namespace ckpt::tokenizer {

void MergeTable::add(std::uint32_t left, std::uint32_t right, std::uint32_t rank,
                     std::uint32_t merged) {
  merges_.insert_or_assign((static_cast<std::uint64_t>(left) << 32) | right, Merge{rank, merged});
}

const MergeTable::Merge* MergeTable::find(std::uint32_t left, std::uint32_t right) const {
  const auto found = merges_.find((static_cast<std::uint64_t>(left) << 32) | right);
  return found == merges_.end() ? nullptr : &found->second;
}

/// One run of apply(): the symbols as a linked list, the possible merges in a heap.
class Merger {
 public:
  Merger(const MergeTable& table, std::span<const std::uint32_t> symbols) : table_(table) {
    links_.reserve(symbols.size());
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      links_.push_back({symbols[i], i == 0 ? kNone : i - 1, i + 1 == symbols.size() ? kNone : i + 1,
                        /*alive=*/true});
    }
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) offer(i);
  }

  void run() {
    while (!queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      if (!links_[top.position].alive || links_[top.position].next == kNone) continue;
      const std::size_t right = links_[top.position].next;
      const auto* merge = table_.find(links_[top.position].symbol, links_[right].symbol);
      if (merge == nullptr || merge->merged != top.merged) continue;  // its symbols have changed
      join(top.position, right, top.merged);
    }
  }

  void append_to(std::vector<std::uint32_t>& out) const {
    for (std::size_t i = 0; i != kNone; i = links_[i].next) out.push_back(links_[i].symbol);
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  struct Link {
    std::uint32_t symbol;
    std::size_t previous;
    std::size_t next;
    bool alive;
  };

  struct Candidate {
    std::uint32_t rank;
    std::size_t position;
    std::uint32_t merged;

    bool operator>(const Candidate& other) const {
      return std::tie(rank, position) > std::tie(other.rank, other.position);
    }
  };

  const MergeTable& table_;
  std::vector<Link> links_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;

  void offer(std::size_t left) {
    const auto* merge = table_.find(links_[left].symbol, links_[links_[left].next].symbol);
    if (merge != nullptr) queue_.push({merge->rank, left, merge->merged});
  }

  void join(std::size_t left, std::size_t right, std::uint32_t merged) {
    links_[left].symbol = merged;
    links_[left].next = links_[right].next;
    links_[right].alive = false;
    if (links_[left].next != kNone) {
      links_[links_[left].next].previous = left;
      offer(left);
    }
    if (links_[left].previous != kNone) offer(links_[left].previous);
  }
};

void MergeTable::apply(std::span<const std::uint32_t> symbols,
                       std::vector<std::uint32_t>& out) const {
  if (symbols.size() < 2) {
    out.insert(out.end(), symbols.begin(), symbols.end());
    return;
  }
  Merger merger(*this, symbols);
  merger.run();
  merger.append_to(out);
}

}  // namespace ckpt::tokenizer
