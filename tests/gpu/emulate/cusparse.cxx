#include "cusparse.h"

#include <complex>

struct EmulateSparse {
  cudaStream_t stream = nullptr;
};
struct EmulateSparseMatrix {
  int64_t             rows, cols, nnz;
  void               *offsets, *columns, *values;
  cusparseIndexType_t index;
  cudaDataType        type;
};
struct EmulateDense {
  int64_t      rows, cols, ld;
  void        *values;
  cudaDataType type;
};

cusparseStatus_t cusparseCreate(cusparseHandle_t *h)
{
  *h = new EmulateSparse;
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseDestroy(cusparseHandle_t h)
{
  delete h;
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseSetStream(cusparseHandle_t h, cudaStream_t stream)
{
  h->stream = stream;
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseCreateCsr(cusparseSpMatDescr_t *A, int64_t rows, int64_t cols, int64_t nnz, void *offsets, void *columns, void *values, cusparseIndexType_t offsettype, cusparseIndexType_t columntype, cusparseIndexBase_t base,
                                   cudaDataType type)
{
  if (rows < 0 || cols < 0 || nnz < 0 || !offsets || (nnz && (!columns || !values)) || offsettype != columntype || offsettype == CUSPARSE_INDEX_16U || base != CUSPARSE_INDEX_BASE_ZERO) return CUSPARSE_STATUS_INVALID_VALUE;
  *A = new EmulateSparseMatrix{rows, cols, nnz, offsets, columns, values, offsettype, type};
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseDestroySpMat(cusparseConstSpMatDescr_t A)
{
  if (!A) return CUSPARSE_STATUS_INVALID_VALUE;
  delete A;
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseCreateDnMat(cusparseDnMatDescr_t *x, int64_t rows, int64_t cols, int64_t ld, void *values, cudaDataType type, cusparseOrder_t order)
{
  if (rows < 0 || cols < 0 || ld < rows || order != CUSPARSE_ORDER_COL || (rows && cols && !values)) return CUSPARSE_STATUS_INVALID_VALUE;
  *x = new EmulateDense{rows, cols, ld, values, type};
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseDestroyDnMat(cusparseConstDnMatDescr_t x)
{
  if (!x) return CUSPARSE_STATUS_INVALID_VALUE;
  delete x;
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseCreateDnVec(cusparseDnVecDescr_t *x, int64_t size, void *values, cudaDataType type)
{
  return cusparseCreateDnMat(x, size, 1, size, values, type, CUSPARSE_ORDER_COL);
}
cusparseStatus_t cusparseDestroyDnVec(cusparseConstDnVecDescr_t x)
{
  return cusparseDestroyDnMat(x);
}

/* y = alpha A x + beta y, with alpha and beta as they are when the call is made. The buffer is written, as by a library that needs it. */
template <class I, class T>
static void Enqueue(cudaStream_t stream, T alpha, const EmulateSparseMatrix &A, const EmulateDense &x, T beta, const EmulateDense &y, void *buffer)
{
  EmulateEnqueue(stream, [=] {
    const I *offsets = (const I *)A.offsets, *columns = (const I *)A.columns;
    const T *a = (const T *)A.values, *from = (const T *)x.values;
    T       *to = (T *)y.values;

    memset(buffer, 0, (size_t)A.rows + 1);
    for (int64_t q = 0; q < x.cols; q++) {
      for (int64_t i = 0; i < A.rows; i++) {
        T sum(0);

        for (I k = offsets[i]; k < offsets[i + 1]; k++) sum += a[k] * from[columns[k] + q * x.ld];
        to[i + q * y.ld] = alpha * sum + (beta == T(0) ? T(0) : beta * to[i + q * y.ld]);
      }
    }
  });
}
template <class T>
static void Enqueue(cusparseHandle_t h, const void *alpha, const EmulateSparseMatrix &A, const EmulateDense &x, const void *beta, const EmulateDense &y, void *buffer)
{
  if (A.index == CUSPARSE_INDEX_32I)
    Enqueue<int32_t, T>(h->stream, *(const T *)alpha, A, x, *(const T *)beta, y, buffer);
  else
    Enqueue<int64_t, T>(h->stream, *(const T *)alpha, A, x, *(const T *)beta, y, buffer);
}
static cusparseStatus_t Check(cusparseOperation_t op, const EmulateSparseMatrix *A, const EmulateDense *x, const EmulateDense *y, cudaDataType type)
{
  if (!A || !x || !y || x->rows != A->cols || y->rows != A->rows || x->cols != y->cols || x->values == y->values || A->type != type || x->type != type || y->type != type) return CUSPARSE_STATUS_INVALID_VALUE;
  return op != CUSPARSE_OPERATION_NON_TRANSPOSE || (type != CUDA_R_64F && type != CUDA_C_64F) ? CUSPARSE_STATUS_NOT_SUPPORTED : CUSPARSE_STATUS_SUCCESS;
}
static cusparseStatus_t Product(cusparseHandle_t h, cusparseOperation_t op, const void *alpha, const EmulateSparseMatrix *A, const EmulateDense *x, const void *beta, const EmulateDense *y, cudaDataType type, void *buffer)
{
  const cusparseStatus_t status = Check(op, A, x, y, type);

  if (status != CUSPARSE_STATUS_SUCCESS) return status;
  if (!buffer) return CUSPARSE_STATUS_INVALID_VALUE;
  if (type == CUDA_R_64F)
    Enqueue<double>(h, alpha, *A, *x, beta, *y, buffer);
  else
    Enqueue<std::complex<double>>(h, alpha, *A, *x, beta, *y, buffer);
  return CUSPARSE_STATUS_SUCCESS;
}
cusparseStatus_t cusparseSpMV_bufferSize(cusparseHandle_t, cusparseOperation_t op, const void *, cusparseConstSpMatDescr_t A, cusparseConstDnVecDescr_t x, const void *, cusparseDnVecDescr_t y, cudaDataType type, cusparseSpMVAlg_t, size_t *bytes)
{
  *bytes = A ? (size_t)A->rows + 1 : 0;
  return Check(op, A, x, y, type);
}
cusparseStatus_t cusparseSpMV(cusparseHandle_t h, cusparseOperation_t op, const void *alpha, cusparseConstSpMatDescr_t A, cusparseConstDnVecDescr_t x, const void *beta, cusparseDnVecDescr_t y, cudaDataType type, cusparseSpMVAlg_t, void *buffer)
{
  return Product(h, op, alpha, A, x, beta, y, type, buffer);
}
cusparseStatus_t cusparseSpMM_bufferSize(cusparseHandle_t, cusparseOperation_t op, cusparseOperation_t, const void *, cusparseConstSpMatDescr_t A, cusparseConstDnMatDescr_t x, const void *, cusparseDnMatDescr_t y, cudaDataType type,
                                         cusparseSpMMAlg_t, size_t *bytes)
{
  *bytes = A ? (size_t)A->rows + 1 : 0;
  return Check(op, A, x, y, type);
}
cusparseStatus_t cusparseSpMM(cusparseHandle_t h, cusparseOperation_t op, cusparseOperation_t dense, const void *alpha, cusparseConstSpMatDescr_t A, cusparseConstDnMatDescr_t x, const void *beta, cusparseDnMatDescr_t y, cudaDataType type,
                              cusparseSpMMAlg_t, void *buffer)
{
  return dense == CUSPARSE_OPERATION_NON_TRANSPOSE ? Product(h, op, alpha, A, x, beta, y, type, buffer) : CUSPARSE_STATUS_NOT_SUPPORTED;
}
