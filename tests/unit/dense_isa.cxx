/*
  Compiled once for each instruction set, which PETLAP_ISA names.
*/
#include "tests/unit/dense.h"

#define PASTE_(a, b)  a##b
#define PASTE(a, b)   PASTE_(a, b)
#define STRINGIFY_(a) #a
#define STRINGIFY(a)  STRINGIFY_(a)
#define TABLE(T)                                                                                 \
  {                                                                                              \
    DenseWorkSize<T>, DenseGemm<T>, DenseCholesky<T>, DenseLU<T>, DenseSwapRows<T>, DenseTrsm<T> \
  }

extern const DenseKernels PASTE(DenseKernels_, PETLAP_ISA);
const DenseKernels        PASTE(DenseKernels_, PETLAP_ISA) = {STRINGIFY(PETLAP_ISA), TABLE(float), TABLE(double), TABLE(DenseComplex<float>), TABLE(DenseComplex<double>)};
