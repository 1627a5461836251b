#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace ckpt {

/// std::allocator, except that elements made without a value are left as the memory is: what is
/// read from a file next need not be cleared first.
template <class T>
struct Uncleared : std::allocator<T> {
  template <class U>
  struct rebind {  // NOLINT(readability-identifier-naming): the standard's name
    using other = Uncleared<U>;
  };

  template <class U>
  void construct(U* at) {
    ::new (static_cast<void*>(at)) U;
  }

  template <class U, class... Args>
  void construct(U* at, Args&&... args) {
    ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
  }
};

/// Bytes whose size may be set before their content.
using Bytes = std::vector<std::byte, Uncleared<std::byte>>;

}  // namespace ckpt
