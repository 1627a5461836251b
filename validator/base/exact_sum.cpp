#include "validator/base/exact_sum.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ckpt {

namespace {

constexpr std::uint32_t kPendingLimit = 1U << 28;  // a term adds less than 2^33 to a digit
constexpr std::uint64_t kDigitMask = 0xFFFFFFFFU;

}  // namespace

void ExactSum::add(double term) {
  if (!(std::abs(term) < 0x1p256)) {
    special_ += term;
    return;
  }
  const auto bits = std::bit_cast<std::uint64_t>(term);
  const auto exponent = static_cast<int>((bits >> 52) & 0x7FF);
  std::uint64_t mantissa = bits & 0xFFFFFFFFFFFFFULL;
  if (exponent != 0) mantissa |= 1ULL << 52;
  int shift = (exponent == 0 ? 1 : exponent) - 1075 - kLowest;
  if (shift < 0) {
    mantissa = shift <= -64 ? 0 : mantissa >> -shift;
    shift = 0;
  }
  if (mantissa == 0) return;
  const auto at = static_cast<std::size_t>(shift / 32);
  const auto left = static_cast<unsigned>(shift % 32);
  const std::uint64_t low = (mantissa & kDigitMask) << left;
  const std::uint64_t high = (mantissa >> 32) << left;
  const std::int64_t sign = std::signbit(term) ? -1 : 1;
  digits_[at] += sign * static_cast<std::int64_t>(low & kDigitMask);
  const std::uint64_t middle = (low >> 32) + (high & kDigitMask);
  if (middle != 0) digits_[at + 1] += sign * static_cast<std::int64_t>(middle);
  if (high >> 32 != 0) digits_[at + 2] += sign * static_cast<std::int64_t>(high >> 32);
  if (++pending_ == kPendingLimit) normalize();
}

void ExactSum::merge(const ExactSum& other) {
  ExactSum term = other;
  term.normalize();
  normalize();
  for (std::size_t i = 0; i < digits_.size(); ++i) digits_[i] += term.digits_[i];
  special_ += term.special_;
  normalize();
}

// Digits in [0, 2^32) but for the last, which carries the sign: one form for one value.
void ExactSum::normalize() {
  std::int64_t carry = 0;
  for (std::size_t i = 0; i + 1 < digits_.size(); ++i) {
    const std::int64_t sum = digits_[i] + carry;
    carry = sum >> 32;
    digits_[i] = static_cast<std::int64_t>(static_cast<std::uint64_t>(sum) & kDigitMask);
  }
  digits_.back() += carry;
  pending_ = 0;
}

double ExactSum::value() const {
  if (special_ != 0) return special_;  // NaN too
  ExactSum sum = *this;
  sum.normalize();
  const bool negative = sum.digits_.back() < 0;
  if (negative) {
    for (std::int64_t& d : sum.digits_) d = -d;
    sum.normalize();
  }
  // From the least digit up: what is added later is larger, so all but the last rounding vanish.
  double out = 0;
  for (std::size_t i = 0; i < sum.digits_.size(); ++i) {
    out += std::ldexp(static_cast<double>(sum.digits_[i]), kLowest + 32 * static_cast<int>(i));
  }
  return negative ? -out : out;
}

std::array<std::int64_t, ExactSum::kWords> ExactSum::words() const {
  ExactSum sum = *this;
  sum.normalize();
  std::array<std::int64_t, kWords> out{};
  std::copy(sum.digits_.begin(), sum.digits_.end(), out.begin());
  out.back() = std::bit_cast<std::int64_t>(special_);
  return out;
}

ExactSum ExactSum::from_words(std::span<const std::int64_t, kWords> words) {
  ExactSum out;
  std::copy(words.begin(), words.end() - 1, out.digits_.begin());
  out.special_ = std::bit_cast<double>(words.back());
  // A file may hold anything; digits out of range would overflow later.
  for (std::size_t i = 0; i + 1 < out.digits_.size(); ++i) {
    out.digits_[i] &= static_cast<std::int64_t>(kDigitMask);
  }
  out.digits_.back() = std::clamp<std::int64_t>(out.digits_.back(), -(1LL << 40), 1LL << 40);
  return out;
}

}  // namespace ckpt
