#pragma once
// The journal of a long run, and the parts of a run that was split: hidden states and records in
// safetensors files of this machine's own.

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "validator/forward/journal.h"
#include "validator/metrics/record.h"
#include "validator/pipeline/kl.h"

namespace ckpt::pipeline {

/// What decides the bits of a run, as SHA-256: both repos' configs and tensor tables, the tokens,
/// the mode, the variants, the plan and the program.
[[nodiscard]] std::string run_key(const KlArgs& args, std::string_view plan,
                                  std::string_view backend);

/// Writes DIR/state.safetensors between layers, at most every `interval` seconds and whenever a
/// pass is done; the file is replaced in one step. A state of another run is refused.
class FileJournal final : public forward::Journal {
 public:
  /// Opens the folder, creating it when absent. `record` is filled from the state that is found and
  /// is saved with each new one; it must outlive this. Errors: io, format (a damaged state), usage
  /// (a state of another run).
  [[nodiscard]] static Result<std::unique_ptr<FileJournal>> open(const std::string& folder,
                                                                 const std::string& key,
                                                                 metrics::Record& record,
                                                                 std::chrono::seconds interval);

  std::optional<forward::Place> start() override { return start_; }

  Result<void> restore(const forward::StateView& states) override;
  Result<void> after_layer(forward::Place next, const forward::StateView& states) override;
  Result<void> after_pass(int pass) override;

 private:
  FileJournal(std::string folder, std::string key, metrics::Record& record,
              std::chrono::seconds interval)
      : folder_(std::move(folder)), key_(std::move(key)), record_(record), interval_(interval) {}

  [[nodiscard]] Result<void> read_start();
  [[nodiscard]] Result<void> write(forward::Place next, const forward::StateView* states);

  std::string folder_;
  std::string key_;
  metrics::Record& record_;
  std::chrono::seconds interval_;
  std::optional<forward::Place> start_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace ckpt::pipeline
