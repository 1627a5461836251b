// How long the viewer takes from the choice of a tensor until its picture is there: the whole of it
// (from a sample first), and cells one by one in its middle. Prints JSON.
//   bench_viewer REPO TENSOR cold|warm RUNS

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gui/state/app.h"

namespace ckpt::gui {
namespace {

using Clock = std::chrono::steady_clock;

constexpr PixelSize kCanvas{900, 600};

double ms_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

/// Lets the system forget the files of a repo; they must have been written out.
void forget(const std::string& repo) {
  for (const auto& entry : std::filesystem::directory_iterator(repo)) {
    const int file = ::open(entry.path().c_str(), O_RDONLY);
    if (file < 0) continue;
    (void)::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    ::close(file);
  }
}

void settle(App& app) {
  while (!app.idle()) {
    app.poll();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  app.poll();
}

bool blank(const Picture& picture) {
  return picture.pixels.empty() ||
         std::ranges::find(picture.pixels, kNotReadyColor) != picture.pixels.end();
}

/// Milliseconds until a picture is there that `done` takes; drawn, as the view does it, whenever
/// something has arrived.
template <class Done>
double time_until(App& app, Clock::time_point begin, Done done) {
  for (std::optional<std::uint64_t> seen;;) {
    app.poll();
    Pane& pane = app.pane(Source::decoded);
    if (!pane.error.empty()) {
      (void)std::fprintf(stderr, "%s\n", pane.error.c_str());
      std::exit(2);
    }
    // Without a census the range of colours is not known.
    if (pane.matrix != nullptr && seen != pane.revision) {
      seen = pane.revision;
      if (done(app.draw(pane, kCanvas)) && pane.census != nullptr) return ms_since(begin);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

struct Times {
  std::vector<double> whole;
  std::vector<double> cells;
};

void measure(const std::string& repo, const std::string& tensor, bool cold, Times& to) {
  AppOptions options;
  options.open.target = repo;
  options.check = false;
  App app(options);
  settle(app);
  if (cold) forget(repo);
  auto begin = Clock::now();
  if (!app.select_named(tensor)) std::exit(2);
  to.whole.push_back(time_until(app, begin, [](const Picture& p) { return !blank(p); }));
  // As a person would, who sees it: the rest of the reading goes on meanwhile.
  if (cold) forget(repo);
  const Matrix& m = *app.pane(Source::decoded).matrix;
  begin = Clock::now();
  app.look.fitted = false;
  app.look.view = {.row = static_cast<double>(m.rows() / 2),
                   .column = static_cast<double>(m.columns() / 2)};
  to.cells.push_back(time_until(app, begin, [](const Picture& p) { return p.complete; }));
  app.cancel();
}

std::string summary(std::vector<double> ms) {
  std::ranges::sort(ms);
  return fmt::format(R"({{"median": {:.1f}, "least": {:.1f}, "most": {:.1f}}})", ms[ms.size() / 2],
                     ms.front(), ms.back());
}

}  // namespace
}  // namespace ckpt::gui

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  ckpt::gui::Times times;
  const int runs = std::atoi(argv[4]);
  for (int i = 0; i < runs; ++i) {
    ckpt::gui::measure(argv[1], argv[2], std::string_view(argv[3]) == "cold", times);
  }
  fmt::print("{{\"whole_ms\": {}, \"cells_ms\": {}}}\n", ckpt::gui::summary(times.whole),
             ckpt::gui::summary(times.cells));
  return 0;
}
