#include <fmt/format.h>

#include <array>

#include "validator/rules/crd/claims.h"

namespace ckpt::rules {
namespace crd009 {

enum class Told : std::uint8_t { nothing, bf16, f16, packed };

Told told(std::string_view text) {
  const auto has = [text](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  };
  const bool wide = has("bf16") || has("bfloat16");
  const bool half = has("fp16") || has("float16");
  const bool packed = has("w4a16") || has("w8a16") || has("int4") || has("int8");
  // "INT8 weights, BF16 activations" is about packed weights.
  if (packed) return Told::packed;
  if (wide == half) return Told::nothing;
  return wide ? Told::bf16 : Told::f16;
}

struct Named {
  std::string_view words;
  arch::ModuleClass cls;
};

constexpr std::array kNamed{Named{"vision encoder", arch::ModuleClass::vision},
                            Named{"shared_expert_gate", arch::ModuleClass::shared_expert_gate},
                            Named{"shared expert", arch::ModuleClass::shared_expert},
                            Named{"router", arch::ModuleClass::router},
                            Named{"linear_attn", arch::ModuleClass::linear_attention},
                            Named{"attention layers", arch::ModuleClass::full_attention},
                            Named{"routed expert", arch::ModuleClass::routed_expert},
                            Named{"lm head", arch::ModuleClass::head}};

/// How most linears of a class are stored.
Told stored_as(const RuleInput& in, arch::ModuleClass cls) {
  std::array<std::uint64_t, 4> n{};
  for (std::uint32_t i = 0; i < in.stored->modules.size(); ++i) {
    const arch::Module& m = in.blueprint->modules()[i];
    const quant::Stored& s = in.stored->modules[i];
    if (m.cls != cls || !m.linear || s.format == quant::Format::absent) continue;
    const std::int32_t t = s.at(quant::Member::weight);
    if (quant::is_quantized(s.format)) {
      ++n[static_cast<std::size_t>(Told::packed)];
    } else if (t >= 0) {
      const Dtype d = in.checkpoint->tensors()[static_cast<std::size_t>(t)].dtype;
      ++n[static_cast<std::size_t>(d == Dtype::bf16  ? Told::bf16
                                   : d == Dtype::f16 ? Told::f16
                                                     : Told::nothing)];
    }
  }
  std::size_t best = 0;
  for (std::size_t k = 1; k < n.size(); ++k) best = n[k] > n[best] ? k : best;
  return static_cast<Told>(best);
}

void judge(const RuleInput& in, const Emit& emit, std::uint32_t line, std::string_view label,
           std::string_view text) {
  constexpr std::array<std::string_view, 4> kWords{"", "BF16", "F16", "packed"};
  const Told claim = told(text);
  if (claim == Told::nothing) return;
  for (const Named& named : kNamed) {
    if (label.find(named.words) == std::string_view::npos) continue;
    const Told actual = stored_as(in, named.cls);
    if (actual == Told::nothing || actual == claim) return;
    Draft draft = contradiction(in, line,
                                fmt::format("the card says {} for the {}, stored is {}",
                                            kWords[static_cast<std::size_t>(claim)], named.words,
                                            kWords[static_cast<std::size_t>(actual)]),
                                std::string(named.words));
    if (claim != Told::packed && actual != Told::packed) draft.severity = results::Severity::info;
    emit(std::move(draft));
    return;
  }
}

void run(const RuleInput& in, const Emit& all) {
  const Emit emit = first_ones(all);
  if (in.card == nullptr || in.stored == nullptr) return;
  for (const repo::CardRow& row : in.card->rows) {
    const bool alternative =
        row.label.find('+') != std::string::npos || row.label.find("super") != std::string::npos;
    if (!alternative) judge(in, emit, row.line, row.label, row.value);
  }
  for (const repo::CardLine& line : in.card->lines) {
    const std::size_t at = line.plain.find("vision encoder receives");
    if (at != std::string::npos)
      judge(in, emit, line.number, "vision encoder", std::string_view(line.plain).substr(at, 80));
  }
}

}  // namespace crd009

extern const Rule kCRD009;
const Rule kCRD009{
    .code = "CRD009",
    .name = "card-precision",
    .severity = results::Severity::warning,
    .what = "What the card calls quantized or 16-bit is stored so.",
    .why =
        "The one thing a reader of a quantized repo wants to know. F16 where the card says "
        "BF16, or the reverse, is information: the loaders convert.",
    .bad = "\"The vision encoder receives INT4 quantization\" over a BF16 vision tower",
    .good = "| Vision encoder | BF16 |",
    .fix = "correct the card, or quantize again",
    .sources = "cards 000 to 004; loaders DOC001, DOC004, DT005",
    .run = crd009::run,
};

}  // namespace ckpt::rules
