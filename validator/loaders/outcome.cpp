#include "validator/loaders/outcome.h"

namespace ckpt::loaders {

using arch::Spelling;
using quant::Format;

std::string_view outcome_text(Outcome outcome) {
  constexpr std::string_view kTexts[] = {
      "as meant",
      "not built",
      "asks for packed tensors, stored is .weight",
      "asks for .weight, stored are packed tensors",
      "bits differ from what is stored",
      "groups differ from what is stored",
      "raises",
      "nothing is stored",
      "stored under a spelling it does not map",
  };
  return kTexts[static_cast<std::size_t>(outcome)];
}

bool spelling_loads(Loader loader, Spelling spelling, bool packed) {
  switch (spelling) {
    case Spelling::plain:
    case Spelling::per_expert:
      return true;
    case Spelling::stacked:
      return !packed;
    case Spelling::gate_up_prefixed:
      return loader == Loader::vllm && !packed;
    case Spelling::gate_up_suffixed:
      return false;
  }
  return true;
}

std::uint64_t word_count(std::uint64_t codes, std::int64_t bits) {
  return (codes * static_cast<std::uint64_t>(bits) + 31) / 32;
}

std::uint64_t group_count(std::int64_t group_size, std::uint64_t inputs) {
  if (group_size <= 0) return 1;
  const auto g = static_cast<std::uint64_t>(group_size);
  return (inputs + g - 1) / g;
}

Outcome outcome_of(const LoadPlan& plan, const arch::Blueprint& blueprint, std::uint32_t module,
                   const quant::Stored& stored) {
  const Decision* d = plan.decision(module);
  if (d == nullptr) return Outcome::not_built;
  if (d->raises()) return Outcome::raises;
  if (stored.format == Format::absent) return Outcome::absent;
  const bool packed = quant::is_quantized(stored.format);
  if (d->quantized && !packed) return Outcome::asks_packed_has_plain;
  if (!d->quantized && packed) return Outcome::asks_plain_has_packed;
  if (!spelling_loads(plan.loader, stored.spelling, packed)) return Outcome::unnameable;
  if (!packed) return Outcome::as_meant;
  if (stored.bits != 0 && stored.bits != d->bits) return Outcome::width_differs;
  const Shape& shape = blueprint.modules()[module].shape;
  if (stored.groups != 0 && shape.size() == 2 &&
      stored.groups != group_count(d->group_size, shape[1])) {
    return Outcome::group_differs;
  }
  return Outcome::as_meant;
}

}  // namespace ckpt::loaders
