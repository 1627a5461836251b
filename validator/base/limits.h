#pragma once
// Every limit that hostile input can hit, in one place. Each has a test on both sides of it and is
// named in the message when it is hit. Figures: hostile-inputs, section 2.

#include <cstddef>
#include <cstdint>

namespace ckpt::limits {

inline constexpr std::uint64_t kHeaderBytes = 100'000'000;      ///< safetensors 0.8.0
inline constexpr std::uint64_t kHeaderBytesHub = 25'000'000;    ///< hub tools stop here
inline constexpr std::size_t kJsonDepth = 128;                  ///< serde_json's limit
inline constexpr std::uint64_t kConfigBytes = 16ULL << 20;      ///< config-like JSON
inline constexpr std::uint64_t kLargeJsonBytes = 256ULL << 20;  ///< index, tokenizer
inline constexpr std::uint64_t kTextBytes = 4ULL << 20;         ///< README, templates
inline constexpr std::size_t kNumberChars = 64;                 ///< one number literal
inline constexpr std::size_t kRank = 64;                        ///< dimensions of a tensor
inline constexpr std::size_t kNameWarnBytes = 1024;             ///< tensor name, warning
inline constexpr std::size_t kNameBytes = 64ULL << 10;          ///< tensor name, error
inline constexpr std::size_t kPatternBytes = 4096;              ///< a pattern from a config
inline constexpr std::int64_t kPatternMemory = 8LL << 20;       ///< automaton of one pattern
inline constexpr std::size_t kWalkEntries = 100'000;            ///< files of a repo
inline constexpr std::size_t kWalkDepth = 32;
inline constexpr std::uint64_t kImageBytes = 64ULL << 20;     ///< an image file
inline constexpr std::uint64_t kImagePixels = 64ULL << 20;    ///< width times height, decoded
inline constexpr std::uint64_t kPromptsBytes = 256ULL << 20;  ///< a file of prompts
inline constexpr std::size_t kShownChars = 200;               ///< quoted text on screen
inline constexpr std::size_t kFindingPlaces = 100;            ///< places kept per finding
inline constexpr std::int64_t kModelDimension = 1 << 20;      ///< layers, experts, heads
inline constexpr std::int64_t kModelWidth = 1LL << 24;        ///< hidden sizes, vocabulary

}  // namespace ckpt::limits
