#pragma once
// What every fuzz target needs: its input as text, and a check that the fuzzer sees.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>

namespace fuzz {

/// The bytes of one input.
inline std::string text_of(const std::uint8_t* data, std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>(data[i]);
  return text;
}

/// Two texts: what stands before and after the first byte 0xFF, which no UTF-8 contains.
inline std::pair<std::string, std::string> two_texts(const std::uint8_t* data, std::size_t size) {
  const std::string all = text_of(data, size);
  const std::size_t cut = all.find('\xFF');
  if (cut == std::string::npos) return {all, {}};
  return {all.substr(0, cut), all.substr(cut + 1)};
}

/// Ends the run, so that the fuzzer keeps the input, when a property does not hold.
inline void must(bool holds) {
  if (!holds) std::abort();
}

}  // namespace fuzz
