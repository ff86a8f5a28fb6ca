// The kernels of an instruction set by name; null where this machine cannot run it.
#pragma once
#include <cstring>

#include "program.h"

namespace mindts {

inline const Kernels* find(const char* name) {
  for (const Kernels* const* k = all_kernels(); *k; k++)
    if (std::strcmp((*k)->name, name) == 0 && (*k)->supported()) return *k;
  return nullptr;
}

}  // namespace mindts
