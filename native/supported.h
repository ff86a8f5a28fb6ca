// Whether this machine can run the instruction set that is being compiled for.
#pragma once

namespace mindts::MINDTS_ISA {

inline int supported() {
#if defined(__AVX512F__)
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq");
#elif defined(__AVX2__)
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return 1;
#endif
}

}  // namespace mindts::MINDTS_ISA
