/*
  What the fuzz targets share: bytes of the input, and HDF5 files with anything in them.
*/
#pragma once

#include <petscsys.h>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>
#if defined(PETSC_HAVE_HDF5)
  #include <hdf5.h>
#endif

namespace hostile {

/* Hands out the bytes of the input and zeros after its end */
struct Bytes {
  const uint8_t *p, *end;

  bool More() const
  {
    return p < end;
  }
  unsigned Byte()
  {
    return p < end ? *p++ : 0;
  }
  unsigned Below(unsigned n)
  {
    return Byte() % n;
  }
  int64_t Number()
  {
    uint64_t value = 0;

    for (int k = 0; k < 8; k++) value = value << 8 | Byte();
    return (int64_t)value;
  }
};

#if defined(PETSC_HAVE_HDF5)
enum Kind { DATASET, ABSENT, GROUP, DANGLING, CYCLE, SOFT, HARD, EXTERNAL, NAMED_TYPE, KINDS };
enum Layout { CONTIGUOUS, COMPACT, CHUNKED, UNSTORED, DEFLATED, EARLY, LAYOUTS };

/* More numbers than this are announced but never written */
const hsize_t Most = 4096;

struct Dataset {
  Kind                 kind   = DATASET;
  Layout               layout = CONTIGUOUS;
  unsigned             type = 0, other = 0, space = 1; /* space: 0 scalar, 1 simple, 2 null */
  std::vector<hsize_t> shape;
  hsize_t              chunk = 0;
  std::vector<double>  values;
};

inline void Fill(Dataset *set, std::vector<double> values)
{
  set->kind   = DATASET;
  set->shape  = {values.size()};
  set->values = values;
}

inline double Value(Bytes *in)
{
  const double special[] = {0.0, 1.0, -1.0, 2.0, 3.0, 4.0, NAN, INFINITY, -INFINITY, 1e308, 1e-320, 2147483647.0, 4294967296.0, 9.2e18, 1e19, 0.5};
  unsigned     b         = in->Byte();

  return b < 16 ? special[b] : (double)b - 128.0;
}

inline hsize_t Extent(Bytes *in)
{
  unsigned b = in->Byte();

  return b < 192 ? b : b < 250 ? ((hsize_t)1 << (b - 192)) + in->Byte() % 4 : ((hsize_t)1 << (58 + b % 6)) + in->Byte() % 4;
}

/* One of seven edits of one of count datasets */
inline void EditDataset(Bytes *in, unsigned what, int count, Dataset *set)
{
  switch (what) {
  case 0:
    set->type = in->Byte();
    break;
  case 1:
    set->space = 1;
    set->shape.resize(in->Below(5));
    for (hsize_t &extent : set->shape) extent = Extent(in);
    break;
  case 2: {
    unsigned at = in->Byte();

    if (at < set->values.size()) set->values[at] = Value(in);
  } break;
  case 3:
    set->kind  = (Kind)in->Below(KINDS);
    set->other = in->Below((unsigned)count);
    break;
  case 4:
    set->layout = (Layout)in->Below(LAYOUTS);
    set->chunk  = Extent(in);
    break;
  case 5:
    set->space = in->Below(3);
    break;
  case 6:
    set->values.resize(in->Below(64));
    set->shape = {set->values.size()};
    break;
  default:
    break;
  }
}

/* The type in the file; what must be closed is closed by the caller. Values are converted by HDF5 where it can. */
inline hid_t FileType(unsigned type)
{
  const hid_t plain[] = {H5T_IEEE_F64LE, H5T_STD_I8LE, H5T_STD_I32LE, H5T_STD_U64LE, H5T_STD_U8BE, H5T_STD_I64BE, H5T_STD_U16LE, H5T_STD_I64LE, H5T_IEEE_F32BE, H5T_NATIVE_LDOUBLE, H5T_STD_B32LE, H5T_STD_REF_OBJ, H5T_UNIX_D32LE};
  const int   nplain  = sizeof(plain) / sizeof(*plain);
  hid_t       made    = -1, inner;

  type %= nplain + 13;
  if (type < (unsigned)nplain) return H5Tcopy(plain[type]);
  switch (type - nplain) {
  case 0: /* how h5py and MATLAB write complex numbers */
  case 1:
    made = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(made, type - nplain ? "real" : "r", 0, H5T_IEEE_F64LE);
    H5Tinsert(made, type - nplain ? "imag" : "i", 8, H5T_IEEE_F64LE);
    return made;
  case 2:
    made = H5Tcreate(H5T_COMPOUND, 24);
    H5Tinsert(made, "a", 0, H5T_IEEE_F64LE);
    H5Tinsert(made, "b", 8, H5T_STD_I32LE);
    H5Tinsert(made, "c", 16, H5T_STD_I8LE);
    return made;
  case 3:
    made  = H5Tcreate(H5T_COMPOUND, 24);
    inner = H5Tcopy(H5T_C_S1);
    H5Tset_size(inner, 8);
    H5Tinsert(made, "text", 0, inner);
    H5Tinsert(made, "number", 8, H5T_STD_I64LE);
    H5Tclose(inner);
    return made;
  case 4:
    made = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(made, "one", 0, H5T_IEEE_F64LE);
    return made;
  case 5:
    made = H5Tcopy(H5T_C_S1);
    H5Tset_size(made, 8);
    return made;
  case 6:
    made = H5Tcopy(H5T_C_S1);
    H5Tset_size(made, H5T_VARIABLE);
    return made;
  case 7:
    return H5Tvlen_create(H5T_STD_I64LE);
  case 8: {
    const hsize_t two = 2;

    return H5Tarray_create2(H5T_IEEE_F64LE, 1, &two);
  }
  case 9: {
    signed char value = 1;

    made = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(made, "TRUE", &value);
    return made;
  }
  case 10:
    return H5Tcreate(H5T_OPAQUE, 8);
  case 11: /* 12 bits in the middle of 24 */
    made = H5Tcopy(H5T_STD_I32LE);
    H5Tset_precision(made, 12);
    H5Tset_offset(made, 5);
    H5Tset_size(made, 3);
    return made;
  default: /* wider than any integer of the machine */
    made = H5Tcopy(H5T_STD_I64LE);
    H5Tset_size(made, 16);
    H5Tset_precision(made, 128);
    return made;
  }
}

inline void WriteDataset(hid_t file, const char *name, const Dataset &set)
{
  const int            rank = (int)set.shape.size();
  hid_t                type = FileType(set.type), space, create = H5Pcreate(H5P_DATASET_CREATE), dataset;
  double               points = 1.0;
  std::vector<hsize_t> chunk, most = set.shape;

  for (hsize_t extent : set.shape) points *= (double)extent;
  if (set.space == 1 && rank) {
    if (set.layout == COMPACT) H5Pset_layout(create, H5D_COMPACT);
    if (set.layout == CHUNKED || set.layout == DEFLATED || set.layout == UNSTORED) {
      for (hsize_t &extent : most) {
        chunk.push_back(set.chunk ? set.chunk : extent ? extent : 1);
        extent = H5S_UNLIMITED;
      }
      H5Pset_chunk(create, rank, chunk.data());
      if (set.layout == DEFLATED) H5Pset_deflate(create, 1);
    }
    if (set.layout == EARLY) {
      H5Pset_alloc_time(create, H5D_ALLOC_TIME_EARLY);
      H5Pset_fill_time(create, H5D_FILL_TIME_NEVER);
    }
  }
  space = set.space == 0 || (set.space == 1 && !rank) ? H5Screate(H5S_SCALAR) : set.space == 2 ? H5Screate(H5S_NULL) : H5Screate_simple(rank, set.shape.data(), most.data());
  if (set.space != 1 || !rank) points = set.space == 2 ? 0.0 : 1.0;
  /* libhdf5 takes memory for whole chunks when it writes, and space on disk that is taken early counts as written for the loader */
  bool   small = points <= (double)Most;
  double part  = 1.0;
  for (hsize_t c : chunk) part *= (double)c;
  if ((small && part <= 1e6 && (set.layout != EARLY || small)) || set.layout == UNSTORED) {
    dataset = H5Dcreate2(file, name, type, space, H5P_DEFAULT, create, H5P_DEFAULT);
    if (dataset >= 0 && set.layout != UNSTORED && points > 0.0) {
      H5T_class_t         cls = H5Tget_class(type);
      std::vector<double> values((size_t)points, 0.0);

      for (size_t k = 0; k < values.size() && k < set.values.size(); k++) values[k] = set.values[k];
      if (cls == H5T_COMPOUND && H5Tget_size(type) == 16) {
        hid_t half = H5Tcreate(H5T_COMPOUND, 8);

        /* Only the member of this name is written, the other one stays zero */
        H5Tinsert(half, H5Tget_member_index(type, "r") >= 0 ? "r" : "real", 0, H5T_NATIVE_DOUBLE);
        H5Dwrite(dataset, half, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
        H5Tclose(half);
      } else if (cls == H5T_INTEGER || cls == H5T_FLOAT) {
        H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      } else if (cls == H5T_ENUM || cls == H5T_BITFIELD) {
        /* Numbers of the file's own size, of which one byte says something */
        std::vector<uint8_t> bytes(values.size() * H5Tget_size(type), 0);

        for (size_t k = 0; k < values.size(); k++) bytes[k * H5Tget_size(type)] = values[k] > 0.0 && values[k] < 256.0 ? (uint8_t)values[k] : 0;
        H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data());
      }
    }
    if (dataset >= 0) H5Dclose(dataset);
  }
  H5Sclose(space);
  H5Pclose(create);
  H5Tclose(type);
}

/* An entry of a file under its name; other is the name of another one, for links */
inline void WriteEntry(hid_t file, const char *name, const char *other, const Dataset &set)
{
  switch (set.kind) {
  case DATASET:
    WriteDataset(file, name, set);
    break;
  case GROUP: {
    hid_t made = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

    if (made >= 0) H5Gclose(made);
  } break;
  case DANGLING:
    H5Lcreate_soft("/nowhere/at/all", file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case CYCLE:
    H5Lcreate_soft((std::string("/") + name).c_str(), file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case SOFT:
    H5Lcreate_soft((std::string("/") + other).c_str(), file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case HARD:
    H5Lcreate_hard(file, other, file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case EXTERNAL:
    H5Lcreate_external("nowhere.h5", "/b", file, name, H5P_DEFAULT, H5P_DEFAULT);
    break;
  case NAMED_TYPE: {
    hid_t type = FileType(set.type);

    H5Tcommit2(file, name, type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Tclose(type);
  } break;
  default:
    break;
  }
}
#endif

} // namespace hostile
