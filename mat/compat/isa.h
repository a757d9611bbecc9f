/*
  The instruction sets that kernels are compiled for.
*/
#pragma once

enum PetlapISA { PETLAP_ISA_PORTABLE, PETLAP_ISA_AVX2, PETLAP_ISA_AVX512 };

/* The best one that this processor has and the library was built with */
static inline PetlapISA PetlapBestISA(void)
{
#if defined(PETLAP_HAVE_X86)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");

    return avx512 ? PETLAP_ISA_AVX512 : PETLAP_ISA_AVX2;
  }
#endif
  return PETLAP_ISA_PORTABLE;
}
