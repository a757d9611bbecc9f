/*
  The dense kernels of one instruction set as a table of functions, so that one program can call those of several.
*/
#pragma once

#include "mat/schwarzschur/dense.h"

template <class T>
struct DenseTable {
  size_t (*worksize)();
  void (*gemm)(DensePart, int, int, int, DenseTrans, const T *, ptrdiff_t, DenseTrans, const T *, ptrdiff_t, T *, ptrdiff_t, T *);
  int (*cholesky)(int, int, T *, ptrdiff_t, T *);
  int (*lu)(int, int, T *, ptrdiff_t, int *, double, double, double, T *);
  void (*swaprows)(int, int, T *, ptrdiff_t, const int *, bool);
  void (*trsm)(bool, DenseTrans, bool, int, int, const T *, ptrdiff_t, T *, ptrdiff_t, T *);
};

struct DenseKernels {
  const char                      *isa;
  DenseTable<float>                s;
  DenseTable<double>               d;
  DenseTable<DenseComplex<float>>  c;
  DenseTable<DenseComplex<double>> z;
};

extern const DenseKernels DenseKernels_portable;
#if defined(PETLAP_HAVE_X86)
extern const DenseKernels DenseKernels_avx2, DenseKernels_avx512;
#endif
