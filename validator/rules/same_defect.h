#pragma once

#include <map>
#include <string>

#include "validator/rules/places.h"

namespace ckpt::rules {

/// Collects drafts of one rule; those with the same message become one finding with their number.
class SameDefect {
 public:
  void add(Draft draft) {
    const auto [it, fresh] = by_message_.try_emplace(draft.message, std::move(draft));
    if (fresh) return;
    it->second.count += draft.count;
    for (results::Location& w : draft.where) add_place(it->second, std::move(w));
  }

  void emit_all(const Emit& emit) {
    for (auto& [message, draft] : by_message_) {
      const std::uint64_t more = draft.count - 1;
      if (more > 0) draft.message += ", and " + std::to_string(more) + " more";
      emit(std::move(draft));
    }
  }

 private:
  std::map<std::string, Draft> by_message_;
};

}  // namespace ckpt::rules
