/*
  The part of cuSPARSE that petlap uses, as plain loops for the emulated device.
*/
#pragma once

#include "cuda_runtime.h"

enum cusparseStatus_t { CUSPARSE_STATUS_SUCCESS = 0, CUSPARSE_STATUS_INVALID_VALUE = 3, CUSPARSE_STATUS_NOT_SUPPORTED = 10 };
enum cusparseOperation_t { CUSPARSE_OPERATION_NON_TRANSPOSE, CUSPARSE_OPERATION_TRANSPOSE, CUSPARSE_OPERATION_CONJUGATE_TRANSPOSE };
enum cusparseIndexType_t { CUSPARSE_INDEX_16U = 1, CUSPARSE_INDEX_32I, CUSPARSE_INDEX_64I };
enum cusparseIndexBase_t { CUSPARSE_INDEX_BASE_ZERO, CUSPARSE_INDEX_BASE_ONE };
enum cusparseOrder_t { CUSPARSE_ORDER_COL = 1, CUSPARSE_ORDER_ROW };
enum cusparseSpMVAlg_t { CUSPARSE_SPMV_ALG_DEFAULT = 0, CUSPARSE_SPMV_CSR_ALG1 = 2, CUSPARSE_SPMV_CSR_ALG2 = 3 };
enum cusparseSpMMAlg_t { CUSPARSE_SPMM_ALG_DEFAULT = 0, CUSPARSE_SPMM_CSR_ALG1 = 4, CUSPARSE_SPMM_CSR_ALG2 = 6, CUSPARSE_SPMM_CSR_ALG3 = 12 };
enum cudaDataType { CUDA_R_32F = 0, CUDA_R_64F = 1, CUDA_C_32F = 4, CUDA_C_64F = 5 };

struct EmulateSparse;
struct EmulateSparseMatrix;
struct EmulateDense;
typedef EmulateSparse             *cusparseHandle_t;
typedef EmulateSparseMatrix       *cusparseSpMatDescr_t;
typedef const EmulateSparseMatrix *cusparseConstSpMatDescr_t;
typedef EmulateDense              *cusparseDnVecDescr_t;
typedef const EmulateDense        *cusparseConstDnVecDescr_t;
typedef EmulateDense              *cusparseDnMatDescr_t;
typedef const EmulateDense        *cusparseConstDnMatDescr_t;

cusparseStatus_t cusparseCreate(cusparseHandle_t *);
cusparseStatus_t cusparseDestroy(cusparseHandle_t);
cusparseStatus_t cusparseSetStream(cusparseHandle_t, cudaStream_t);
cusparseStatus_t cusparseCreateCsr(cusparseSpMatDescr_t *, int64_t rows, int64_t cols, int64_t nnz, void *offsets, void *columns, void *values, cusparseIndexType_t, cusparseIndexType_t, cusparseIndexBase_t, cudaDataType);
cusparseStatus_t cusparseDestroySpMat(cusparseConstSpMatDescr_t);
cusparseStatus_t cusparseCreateDnVec(cusparseDnVecDescr_t *, int64_t size, void *values, cudaDataType);
cusparseStatus_t cusparseDestroyDnVec(cusparseConstDnVecDescr_t);
cusparseStatus_t cusparseCreateDnMat(cusparseDnMatDescr_t *, int64_t rows, int64_t cols, int64_t ld, void *values, cudaDataType, cusparseOrder_t);
cusparseStatus_t cusparseDestroyDnMat(cusparseConstDnMatDescr_t);
cusparseStatus_t cusparseSpMV_bufferSize(cusparseHandle_t, cusparseOperation_t, const void *alpha, cusparseConstSpMatDescr_t, cusparseConstDnVecDescr_t x, const void *beta, cusparseDnVecDescr_t y, cudaDataType, cusparseSpMVAlg_t, size_t *);
cusparseStatus_t cusparseSpMV(cusparseHandle_t, cusparseOperation_t, const void *alpha, cusparseConstSpMatDescr_t, cusparseConstDnVecDescr_t x, const void *beta, cusparseDnVecDescr_t y, cudaDataType, cusparseSpMVAlg_t, void *buffer);
cusparseStatus_t cusparseSpMM_bufferSize(cusparseHandle_t, cusparseOperation_t, cusparseOperation_t, const void *alpha, cusparseConstSpMatDescr_t, cusparseConstDnMatDescr_t x, const void *beta, cusparseDnMatDescr_t y, cudaDataType, cusparseSpMMAlg_t,
                                         size_t *);
cusparseStatus_t cusparseSpMM(cusparseHandle_t, cusparseOperation_t, cusparseOperation_t, const void *alpha, cusparseConstSpMatDescr_t, cusparseConstDnMatDescr_t x, const void *beta, cusparseDnMatDescr_t y, cudaDataType, cusparseSpMMAlg_t,
                              void *buffer);
