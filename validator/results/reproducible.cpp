#include "validator/results/reproducible.h"

#include <algorithm>

namespace ckpt::results {
namespace {

/// Whether it names a place in this machine's file system rather than `org/name`.
bool is_place(std::string_view text) {
  return text.starts_with('/') || text.starts_with('.') || text.starts_with('~') ||
         std::ranges::count(text, '/') > 1;
}

/// One path, and its name in its place wherever a text quotes it.
struct Shortened {
  std::string path;
  std::string name;

  void in(std::string& text) const {
    if (path.empty() || path == name) return;
    for (std::size_t at = 0; (at = text.find(path, at)) != std::string::npos; at += name.size()) {
      text.replace(at, path.size(), name);
    }
  }
};

void shorten_texts(Results& r, const Shortened& s) {
  for (Incomplete& i : r.run.incomplete) s.in(i.why);
  for (Incomplete& i : r.rules_skipped) s.in(i.why);
  for (std::string& note : r.notes) s.in(note);
  for (LoaderOutcome& l : r.loaders) s.in(l.note);
  for (Finding& f : r.findings) {
    s.in(f.message);
    s.in(f.fix);
    for (Location& w : f.where) s.in(w.note);
    for (Effect& e : f.effects) s.in(e.text);
  }
}

void shorten(Results& r, std::string& path) {
  if (!is_place(path)) return;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  const Shortened s{path, path.substr(path.rfind('/') + 1)};
  path = s.name;
  shorten_texts(r, s);
}

}  // namespace

void make_reproducible(Results& r) {
  r.run.started.clear();
  r.run.duration_s = 0;
  r.how.memory_budget_bytes = 0;
  r.kept_in.clear();
  shorten(r, r.target.input);
  shorten(r, r.how.reference);
  shorten(r, r.how.text);
  for (Ranked& other : r.ranking) shorten(r, other.target);
}

}  // namespace ckpt::results
