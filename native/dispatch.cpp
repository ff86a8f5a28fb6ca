// The instruction sets in this library, best first.
#include <string>

#include "mindts.h"
#include "program.h"

namespace mindts {
#define MINDTS_DECLARE(name) \
  namespace name {           \
  extern const Kernels kernels; \
  }
#if defined(__x86_64__)
MINDTS_DECLARE(avx512)
MINDTS_DECLARE(avx2)
#endif
#if defined(__aarch64__)
MINDTS_DECLARE(neon)
#else
MINDTS_DECLARE(baseline)
#endif

const Kernels* const* all_kernels() {
  static const Kernels* const all[] = {
#if defined(__x86_64__)
      &avx512::kernels, &avx2::kernels,
#endif
#if defined(__aarch64__)
      &neon::kernels,
#else
      &baseline::kernels,
#endif
      nullptr};
  return all;
}
}  // namespace mindts

extern "C" {

int mindts_abi(void) { return MINDTS_ABI; }

const char* mindts_instruction_sets(void) {
  static const std::string names = [] {
    std::string all;
    for (const mindts::Kernels* const* k = mindts::all_kernels(); *k; k++)
      if ((*k)->supported()) all += (all.empty() ? "" : ",") + std::string((*k)->name);
    return all;
  }();
  return names.c_str();
}

}  // extern "C"
