#pragma once
// Functions of a library that is opened at run time.

#include <dlfcn.h>

namespace ckpt::gui {

/// Sets `to` to the function `name` of `library`; false when it has none.
template <class F>
bool find_one(void* library, const char* name, F& to) {
  to = reinterpret_cast<F>(dlsym(library, name));  // NOLINT: the loader's interface is untyped
  return to != nullptr;
}

}  // namespace ckpt::gui
