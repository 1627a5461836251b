// The integer decoder against packers written here from the format page: every width, both axes,
// both zero conventions, ragged groups, activation order, hostile indices.

#include "validator/quant/layout.h"

#include <doctest/doctest.h>

#include <cstring>
#include <random>
#include <vector>

#include "validator/base/bits.h"
#include "validator/quant/codec.h"

namespace ckpt::quant {
namespace {

using Words = std::vector<std::uint32_t>;

/// Puts code `i` of a dense stream whose word `j` is words[begin + j * stride].
void put(Words& words, std::uint64_t begin, std::uint64_t stride, std::uint64_t i, unsigned bits,
         std::uint32_t code) {
  for (unsigned b = 0; b < bits; ++b) {
    const std::uint64_t at = i * bits + b;
    words[begin + (at / 32) * stride] |= ((code >> b) & 1U) << (at % 32);
  }
}

std::span<const std::byte> bytes_of(const Words& w) {
  return std::as_bytes(std::span(w));
}

/// One random linear with everything the decoder should find again.
struct Packed {
  Layout layout;
  Words words;
  Words zeros;
  std::vector<std::uint16_t> scales;
  std::vector<float> want;

  [[nodiscard]] PackedLinear view() const {
    return {layout, bytes_of(words), bytes_of(zeros), std::as_bytes(std::span(scales)), {}};
  }
};

struct Case {
  unsigned bits;
  std::uint64_t n;
  std::uint64_t k;
  std::uint64_t group;
  bool v1;
};

/// GPTQ layout: words [K*b/32, N], zeros [G, N*b/32], scales [G, N].
Packed pack_gptq(const Case& c) {
  std::mt19937 random(c.bits * 1000 + static_cast<unsigned>(c.k));
  const std::uint64_t groups = (c.k + c.group - 1) / c.group;
  const std::uint32_t top = (1U << c.bits) - 1;
  const std::uint64_t zero_words = (c.n * c.bits + 31) / 32;
  Packed p;
  p.layout.bits = c.bits;
  p.layout.n = c.n;
  p.layout.k = c.k;
  p.layout.groups = groups;
  p.layout.group_size = c.group;
  p.layout.zero_offset = c.v1 ? 1 : 0;
  p.words.resize((c.k * c.bits + 31) / 32 * c.n);
  p.zeros.resize(groups * zero_words);
  p.scales.resize(groups * c.n);
  p.want.resize(c.n * c.k);
  for (std::uint16_t& s : p.scales) {
    // Half of AutoRound's scales are negative.
    s = f32_to_f16((static_cast<float>(random() % 1000) - 500) / 4096);
  }
  std::vector<std::uint32_t> zero(groups * c.n);
  for (std::uint64_t g = 0; g < groups; ++g) {
    for (std::uint64_t n = 0; n < c.n; ++n) {
      const std::uint32_t stored = static_cast<std::uint32_t>(random()) & top;
      put(p.zeros, g * zero_words, 1, n, c.bits, stored);
      zero[g * c.n + n] = stored + (c.v1 ? 1 : 0);  // not taken modulo 2^bits
    }
  }
  for (std::uint64_t n = 0; n < c.n; ++n) {
    for (std::uint64_t k = 0; k < c.k; ++k) {
      const std::uint32_t code = static_cast<std::uint32_t>(random()) & top;
      put(p.words, n, c.n, k, c.bits, code);
      const std::uint64_t at = (k / c.group) * c.n + n;
      p.want[n * c.k + k] =
          f16_to_f32(p.scales[at]) * (static_cast<float>(code) - static_cast<float>(zero[at]));
    }
  }
  return p;
}

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), 4 * a.size()) == 0;
}

}  // namespace

TEST_CASE("GPTQ layout: all widths, both zero conventions, bit for bit") {
  for (const bool v1 : {true, false}) {
    for (const unsigned bits : {2U, 3U, 4U, 8U}) {
      for (const auto& [n, k, group] :
           {std::array<std::uint64_t, 3>{32, 64, 32}, {64, 128, 128}, {96, 96, 32}, {32, 96, 64}}) {
        const Case c{bits, n, k, group, v1};
        CAPTURE(bits);
        CAPTURE(k);
        const Packed p = pack_gptq(c);
        std::vector<float> got(n * k);
        REQUIRE(decode_rows(p.view(), 0, n, got).has_value());
        CHECK(same_bits(got, p.want));
      }
    }
  }
}

TEST_CASE("a slice of rows is the same rows of the whole") {
  const Packed p = pack_gptq({4, 64, 128, 32, true});
  std::vector<float> part(10 * 128);
  REQUIRE(decode_rows(p.view(), 7, 17, part).has_value());
  CHECK(std::equal(part.begin(), part.end(), p.want.begin() + 7 * 128));
}

TEST_CASE("compressed-tensors rows: signed codes along K, scales [N, G]") {
  Layout l;
  l.bits = 8;
  l.n = 3;
  l.k = 8;
  l.groups = 2;
  l.group_size = 4;
  l.words_row_is_out = true;
  l.scales_row_is_out = true;
  l.code_offset = 128;
  l.has_zeros = false;
  l.scale_dtype = Dtype::f32;
  Words words(3 * 2);
  const std::vector<float> scales{1, 2, 3, 4, 5, 6};
  std::vector<float> want(24);
  for (std::uint64_t n = 0; n < 3; ++n) {
    for (std::uint64_t k = 0; k < 8; ++k) {
      const int q = static_cast<int>(k * 7 + n) - 30;
      put(words, n * 2, 1, k, 8, static_cast<std::uint32_t>(q + 128));
      want[n * 8 + k] = scales[n * 2 + k / 4] * static_cast<float>(q);
    }
  }
  std::vector<float> got(24);
  REQUIRE(decode_rows({l, bytes_of(words), {}, std::as_bytes(std::span(scales)), {}}, 0, 3, got)
              .has_value());
  CHECK(got == want);
}

TEST_CASE("AWQ: nibbles stand in the order 0 2 4 6 1 3 5 7") {
  Layout l;
  l.n = 8;
  l.k = 1;
  l.groups = 1;
  l.group_size = 1;
  l.awq_order = true;
  l.pack_axis = PackAxis::out;
  l.scale_dtype = Dtype::f32;
  const std::uint32_t order[] = {0, 2, 4, 6, 1, 3, 5, 7};
  Words words(1);
  for (unsigned p = 0; p < 8; ++p) words[0] |= order[p] << (4 * p);
  const Words zeros(1, 0);
  const std::vector<float> scales(8, 1.0F);
  std::vector<float> got(8);
  REQUIRE(decode_rows({l, bytes_of(words), bytes_of(zeros), std::as_bytes(std::span(scales)), {}},
                      0, 8, got)
              .has_value());
  CHECK(got == std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7});
}

TEST_CASE("g_idx from a file is checked before it is used") {
  const Packed p = pack_gptq({4, 32, 64, 32, true});
  PackedLinear linear = p.view();
  std::vector<std::int32_t> g_idx(64);
  std::vector<float> out(32 * 64);
  for (const std::int32_t bad : {-1, 2, 400, std::numeric_limits<std::int32_t>::max()}) {
    g_idx[5] = bad;
    linear.g_idx = std::as_bytes(std::span(g_idx));
    CHECK_FALSE(decode_rows(linear, 0, 32, out).has_value());
  }
  // Reversed groups decode, with the scales of the group named.
  for (std::size_t k = 0; k < 64; ++k) g_idx[k] = k < 32 ? 1 : 0;
  REQUIRE(decode_rows(linear, 0, 32, out).has_value());
  CHECK_FALSE(same_bits(out, p.want));
}

TEST_CASE("sizes that do not fit the layout are refused, never read") {
  const Packed p = pack_gptq({4, 32, 64, 32, true});
  std::vector<float> out(32 * 64);
  for (const int which : {0, 1, 2, 3, 4}) {
    PackedLinear linear = p.view();
    std::span<float> to = out;
    if (which == 0) linear.words = linear.words.first(linear.words.size() - 4);
    if (which == 1) linear.zeros = {};
    if (which == 2) linear.scales = linear.scales.first(2);
    if (which == 3) to = to.first(10);
    if (which == 4) linear.g_idx = linear.words.first(8);
    CHECK_FALSE(decode_rows(linear, 0, 32, to).has_value());
  }
  CHECK_FALSE(decode_rows(p.view(), 0, 33, out).has_value());
  CHECK_FALSE(decode_rows(p.view(), 9, 8, {}).has_value());
}

TEST_CASE("which packings store z itself") {
  config::QuantConfig q;
  q.method = config::QuantMethod::auto_round;
  for (const auto& [format, v2] :
       std::initializer_list<std::pair<const char*, bool>>{{"", false},
                                                           {"auto_round:auto_gptq", false},
                                                           {"auto_round:gptqmodel", true},
                                                           {"auto_round", true}}) {
    q.packing_format = format;
    CHECK(stores_zero_plainly(q) == v2);
  }
  q.method = config::QuantMethod::gptq;
  q.packing_format.clear();
  CHECK_FALSE(stores_zero_plainly(q));
  q.checkpoint_format = "gptq_v2";
  CHECK(stores_zero_plainly(q));
}

}  // namespace ckpt::quant
