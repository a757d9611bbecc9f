/*
  Reads and writes weight files. All sizes follow from the dimension and the number of stages, so nothing in a file decides how much memory is asked for.
*/
#include "pc/neural/weights.h"
#include <petscsys.h>

#if !defined(PETSC_HAVE_HDF5)

namespace petlap {
namespace neural {

static bool Unsupported(const char file[], std::string *error)
{
  *error = std::string(file) + ": weight files are HDF5 files and this PETSc was built without HDF5: use a PETSc with HDF5, or the weights that are compiled in";
  return false;
}

bool WriteWeights(const char file[], const Model &, const Provenance &, std::string *error)
{
  return Unsupported(file, error);
}

bool ReadWeights(const char file[], Model *, std::string *error)
{
  return Unsupported(file, error);
}

} // namespace neural
} // namespace petlap

#else

  #include <hdf5.h>
  #include <cmath>
  #include <cstdarg>
  #include <cstdio>
  #include <cstring>

namespace petlap {
namespace neural {
namespace {

enum { MOST_STAGES = 16, MOST_LEVELS = 30, VERSION = 1, LONGEST_TEXT = 1 << 16 };

const char        Format[]   = "petlap neural";
const char *const Masks[]    = {"none", "fluid", "dilated"};
const char *const Betweens[] = {"linear", "nearest"};

struct Handle {
  hid_t id;
  herr_t (*close)(hid_t);

  Handle(hid_t id, herr_t (*close)(hid_t)) : id(id), close(close) {}
  Handle(const Handle &) = delete;
  ~Handle()
  {
    if (id >= 0) close(id);
  }
};

/* HDF5 prints its error stack by default; its innermost description goes into our own error instead */
struct Quiet {
  H5E_auto2_t print;
  void       *context;

  Quiet()
  {
    H5Eget_auto2(H5E_DEFAULT, &print, &context);
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  }
  ~Quiet()
  {
    H5Eset_auto2(H5E_DEFAULT, print, context);
  }
};

extern "C" {
static herr_t KeepInnermost(unsigned n, const H5E_error2_t *e, void *text)
{
  if (n == 0 && e->desc) *(std::string *)text = e->desc;
  return 0;
}
}

std::string Why()
{
  std::string text;

  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, KeepInnermost, &text);
  return text.empty() ? "no reason given" : text;
}

typedef std::vector<hsize_t> Sizes;

class File {
public:
  File(const char name[], hid_t id, std::string *error) : name(name), id(id), error(error) {}

  /* Always returns false */
  __attribute__((format(printf, 2, 3))) bool Fail(const char *format, ...)
  {
    char    text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    *error = std::string(name) + ": " + text;
    return false;
  }

  bool Exists(const std::string &set)
  {
    return H5Lexists(id, set.c_str(), H5P_DEFAULT) > 0;
  }

  bool WriteInteger(const char attribute[], int value)
  {
    Handle space(H5Screate(H5S_SCALAR), H5Sclose), a(H5Acreate2(id, attribute, H5T_STD_I32LE, space.id, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);

    return (a.id >= 0 && H5Awrite(a.id, H5T_NATIVE_INT, &value) >= 0) || Unwritten();
  }

  bool WriteReal(const char attribute[], double value)
  {
    Handle space(H5Screate(H5S_SCALAR), H5Sclose), a(H5Acreate2(id, attribute, H5T_IEEE_F64LE, space.id, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);

    return (a.id >= 0 && H5Awrite(a.id, H5T_NATIVE_DOUBLE, &value) >= 0) || Unwritten();
  }

  bool WriteText(hid_t where, const std::string &attribute, const std::string &full)
  {
    const std::string value = full.substr(0, LONGEST_TEXT - 2);
    Handle            type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);

    H5Tset_size(type.id, value.size() + 1);
    Handle a(H5Acreate2(where, attribute.c_str(), type.id, space.id, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
    return (a.id >= 0 && H5Awrite(a.id, type.id, value.c_str()) >= 0) || Unwritten();
  }

  bool Write(const std::string &set, const Sizes &sizes, const double values[])
  {
    Handle space(H5Screate_simple((int)sizes.size(), sizes.data(), nullptr), H5Sclose), d(H5Dcreate2(id, set.c_str(), H5T_IEEE_F64LE, space.id, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Dclose);

    return (d.id >= 0 && H5Dwrite(d.id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0) || Unwritten();
  }

  bool Unwritten()
  {
    return Fail("cannot be written: %s: name a file in a folder that exists and has room", Why().c_str());
  }

  bool ReadInteger(const char attribute[], int lo, int hi, int *value)
  {
    Handle    a(H5Aopen(id, attribute, H5P_DEFAULT), H5Aclose), space(a.id < 0 ? -1 : H5Aget_space(a.id), H5Sclose), type(a.id < 0 ? -1 : H5Aget_type(a.id), H5Tclose);
    long long v = 0;

    if (a.id < 0 || H5Sget_simple_extent_npoints(space.id) != 1 || H5Tget_class(type.id) != H5T_INTEGER || H5Aread(a.id, H5T_NATIVE_LLONG, &v) < 0)
      return Fail("attribute '%s' is not one whole number: the file is damaged, take it anew from where it came from or train it again", attribute);
    if (v < lo || v > hi) return Fail("attribute '%s' is %lld and must be %d, ..., %d: the file is damaged or was written by a newer petlap", attribute, v, lo, hi);
    *value = (int)v;
    return true;
  }

  bool ReadReal(const char attribute[], double *value)
  {
    Handle a(H5Aopen(id, attribute, H5P_DEFAULT), H5Aclose), space(a.id < 0 ? -1 : H5Aget_space(a.id), H5Sclose), type(a.id < 0 ? -1 : H5Aget_type(a.id), H5Tclose);

    if (a.id < 0 || H5Sget_simple_extent_npoints(space.id) != 1 || H5Tget_class(type.id) != H5T_FLOAT || H5Aread(a.id, H5T_NATIVE_DOUBLE, value) < 0 || !std::isfinite(*value))
      return Fail("attribute '%s' is not one finite number: the file is damaged, take it anew from where it came from or train it again", attribute);
    return true;
  }

  /* Texts of a fixed length; false, and no error, where there is none */
  bool ReadText(hid_t where, const char attribute[], std::string *value)
  {
    if (H5Aexists(where, attribute) <= 0) return false;
    Handle       a(H5Aopen(where, attribute, H5P_DEFAULT), H5Aclose), space(a.id < 0 ? -1 : H5Aget_space(a.id), H5Sclose), type(a.id < 0 ? -1 : H5Aget_type(a.id), H5Tclose);
    const size_t length = type.id < 0 ? 0 : H5Tget_size(type.id);

    if (a.id < 0 || H5Sget_simple_extent_npoints(space.id) != 1 || H5Tget_class(type.id) != H5T_STRING || H5Tis_variable_str(type.id) != 0 || length < 1 || length > LONGEST_TEXT) return false;
    std::vector<char> text(length + 1, '\0');
    if (H5Aread(a.id, type.id, text.data()) < 0) return false;
    *value = text.data();
    return true;
  }

  bool ReadChoice(const char attribute[], const char *const names[], int count, int *choice)
  {
    std::string text, all;

    if (!ReadText(id, attribute, &text)) return Fail("attribute '%s' is not a text: the file is damaged, take it anew from where it came from or train it again", attribute);
    for (int k = 0; k < count; k++) {
      if (text == names[k]) {
        *choice = k;
        return true;
      }
      all += std::string(k ? ", " : "") + names[k];
    }
    return Fail("attribute '%s' is '%.60s' and must be one of %s", attribute, text.c_str(), all.c_str());
  }

  bool Read(const std::string &set, const Sizes &sizes, std::vector<double> *values)
  {
    if (!Exists(set)) return Fail("there is no dataset '%s': the file is incomplete, take it anew from where it came from or train it again", set.c_str());
    Handle d(H5Dopen2(id, set.c_str(), H5P_DEFAULT), H5Dclose);
    if (d.id < 0) return Fail("dataset '%s' cannot be opened: %s: the file is damaged", set.c_str(), Why().c_str());
    Handle  space(H5Dget_space(d.id), H5Sclose), type(H5Dget_type(d.id), H5Tclose), plist(H5Dget_create_plist(d.id), H5Pclose);
    hsize_t shape[H5S_MAX_RANK];
    int     rank = H5Sget_simple_extent_ndims(space.id);
    bool    same = rank == (int)sizes.size() && H5Sget_simple_extent_dims(space.id, shape, nullptr) == rank;
    size_t  room = 1;

    std::string wanted;
    for (size_t k = 0; k < sizes.size(); k++) {
      same = same && shape[k] == sizes[k];
      room *= sizes[k];
      wanted += (k ? " x " : "") + std::to_string(sizes[k]);
    }
    if (!same) return Fail("dataset '%s' must have the shape %s: the file is damaged or made for another network", set.c_str(), wanted.c_str());
    if (H5Tget_class(type.id) != H5T_FLOAT || H5Tget_size(type.id) > 16) return Fail("dataset '%s' does not hold real numbers", set.c_str());
    /* Whatever else HDF5 can do when it reads may need memory or files that a weight file has no business with */
    const H5D_layout_t layout = H5Pget_layout(plist.id);
    hsize_t            chunk[H5S_MAX_RANK];
    double             part = 1.0;
    if (layout == H5D_CHUNKED) {
      const int k = H5Pget_chunk(plist.id, H5S_MAX_RANK, chunk);

      for (int c = 0; c < k; c++) part *= (double)chunk[c];
    }
    if ((layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS && layout != H5D_COMPACT) || part > 1e5 || H5Pget_external_count(plist.id) != 0)
      return Fail("dataset '%s' is stored in parts of other sizes or in other files: copy it into a plain dataset", set.c_str());
    values->assign(room, 0.0);
    if (H5Dread(d.id, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values->data()) < 0) return Fail("dataset '%s' cannot be read: %s: the file is damaged, take it anew from where it came from or train it again", set.c_str(), Why().c_str());
    for (size_t k = 0; k < room; k++) {
      if (!std::isfinite(std::abs((float)(*values)[k]))) return Fail("dataset '%s' holds a number that is not finite in single precision at position %zu (counted from 0): train it again", set.c_str(), k);
    }
    return true;
  }

private:
  const char  *name;
  hid_t        id;
  std::string *error;
};

bool WriteConvolution(File &file, const std::string &name, const Convolution &C)
{
  const hsize_t K = C.base.size();

  return file.Write(name + ".base", {K}, C.base.data()) && file.Write(name + ".air", {K, K}, C.air.data()) && file.Write(name + ".solid", {K, K}, C.solid.data()) && (C.pinned.empty() || file.Write(name + ".pinned", {K, K}, C.pinned.data()));
}

bool WriteAffine(File &file, const std::string &name, const Affine &A)
{
  const hsize_t K = A.air.size();

  return file.Write(name + ".bias", {1}, &A.bias) && (!K || (file.Write(name + ".air", {K}, A.air.data()) && file.Write(name + ".solid", {K}, A.solid.data())));
}

bool ReadConvolution(File &file, const std::string &name, hsize_t K, Convolution *C)
{
  return file.Read(name + ".base", {K}, &C->base) && file.Read(name + ".air", {K, K}, &C->air) && file.Read(name + ".solid", {K, K}, &C->solid) && (!file.Exists(name + ".pinned") || file.Read(name + ".pinned", {K, K}, &C->pinned));
}

bool ReadAffine(File &file, const std::string &name, hsize_t K, Affine *A)
{
  std::vector<double> bias;

  if (!file.Read(name + ".bias", {1}, &bias)) return false;
  A->bias = bias[0];
  return !file.Exists(name + ".air") || (file.Read(name + ".air", {K}, &A->air) && file.Read(name + ".solid", {K}, &A->solid));
}

std::string StageName(int s, const char block[])
{
  return "stage" + std::to_string(s) + "." + block;
}

bool ReadOwn(File &file, hid_t id, Model *model)
{
  int version = 0, stages = 0, choice = 0;

  if (!file.ReadInteger("version", 1, VERSION, &version) || !file.ReadInteger("dim", 2, 3, &model->dim) || !file.ReadInteger("stages", 1, MOST_STAGES, &stages) || !file.ReadInteger("levels", 0, MOST_LEVELS, &model->nlevels) ||
      !file.ReadReal("scale", &model->scale))
    return false;
  if (!file.ReadChoice("mask", Masks, 3, &choice)) return false;
  model->mask = (Mask)choice;
  if (!file.ReadChoice("interpolation", Betweens, 2, &choice)) return false;
  model->interpolation = (Interpolation)choice;
  const hsize_t K      = model->window();
  for (int s = 0; s < stages; s++) {
    Stage stage;

    if (!ReadConvolution(file, StageName(s, "pre"), K, &stage.pre) || !ReadConvolution(file, StageName(s, "post"), K, &stage.post) || !ReadAffine(file, StageName(s, "c1"), K, &stage.c1) || !ReadAffine(file, StageName(s, "c2"), K, &stage.c2))
      return false;
    model->stage.push_back(stage);
  }
  if (!ReadConvolution(file, "coarsest", K, &model->coarsest)) return false;
  Handle group(file.Exists("provenance") ? H5Gopen2(id, "provenance", H5P_DEFAULT) : -1, H5Gclose);
  if (group.id < 0 || !file.ReadText(group.id, "origin", &model->origin)) model->origin = "a file without provenance";
  return true;
}

/* K tensors with the channels air, fluid and not solid, where fluid is one minus air and solid, and not solid is one minus solid */
void Converted(size_t copies, size_t K, const std::vector<double> &weight, const std::vector<double> &bias, std::vector<double> *base, std::vector<double> *air, std::vector<double> *solid)
{
  *base = bias;
  air->assign(copies * K, 0.0);
  solid->assign(copies * K, 0.0);
  for (size_t p = 0; p < copies; p++) {
    const double *w = weight.data() + p * 3 * K;

    for (size_t q = 0; q < K; q++) {
      (*air)[p * K + q]   = w[q] - w[K + q];
      (*solid)[p * K + q] = -(w[K + q] + w[2 * K + q]);
      (*base)[p] += w[K + q] + w[2 * K + q];
    }
  }
}

Sizes TensorSizes(int dim, hsize_t copies)
{
  Sizes sizes = {copies, 3};

  sizes.insert(sizes.end(), dim, 3);
  return sizes;
}

bool ReadPaperConvolution(File &file, const std::string &name, int dim, Convolution *C)
{
  const hsize_t       K = dim == 3 ? 27 : 9;
  std::vector<double> weight, bias;

  if (!file.Read(name + ".weight", TensorSizes(dim, K), &weight) || !file.Read(name + ".bias", {K}, &bias)) return false;
  Converted(K, K, weight, bias, &C->base, &C->air, &C->solid);
  return true;
}

/* In two dimensions there are nine of them, of which the network takes the mean */
bool ReadPaperAffine(File &file, const std::string &name, int dim, Affine *A)
{
  const hsize_t       K = dim == 3 ? 27 : 9, copies = dim == 3 ? 1 : 9;
  std::vector<double> weight, bias, base, air, solid;

  if (!file.Read(name + ".weight", TensorSizes(dim, copies), &weight) || !file.Read(name + ".bias", {copies}, &bias)) return false;
  Converted(copies, K, weight, bias, &base, &air, &solid);
  A->bias = 0.0;
  A->air.assign(K, 0.0);
  A->solid.assign(K, 0.0);
  for (size_t p = 0; p < copies; p++) {
    A->bias += base[p] / (double)copies;
    for (size_t q = 0; q < K; q++) {
      A->air[q] += air[p * K + q] / (double)copies;
      A->solid[q] += solid[p * K + q] / (double)copies;
    }
  }
  return true;
}

bool ReadPaper(File &file, hid_t id, Model *model)
{
  Handle  l(H5Dopen2(id, "l.bias", H5P_DEFAULT), H5Dclose), space(l.id < 0 ? -1 : H5Dget_space(l.id), H5Sclose);
  hsize_t K      = 0;
  int     stages = 0;

  if (l.id < 0 || H5Sget_simple_extent_ndims(space.id) != 1 || H5Sget_simple_extent_dims(space.id, &K, nullptr) != 1 || (K != 9 && K != 27)) return file.Fail("dataset 'l.bias' must have 9 numbers in two dimensions or 27 in three");
  const int dim = K == 27 ? 3 : 2;
  while (stages < MOST_STAGES && file.Exists("pre." + std::to_string(stages) + ".weight")) stages++;
  if (!stages) return file.Fail("there is no dataset 'pre.0.weight': the file is incomplete");
  model->dim           = dim;
  model->mask          = MASK_NONE;
  model->interpolation = dim == 3 ? INTERPOLATION_LINEAR : INTERPOLATION_NEAREST;
  model->nlevels       = stages + 1;
  model->scale         = 1.0;
  model->origin        = "tensors pre, post, l, c0 and c1";
  for (int s = 0; s < stages; s++) {
    const std::string i = "." + std::to_string(s);
    Stage             stage;

    if (!ReadPaperConvolution(file, "pre" + i, dim, &stage.pre) || !ReadPaperConvolution(file, "post" + i, dim, &stage.post) || !ReadPaperAffine(file, "c0" + i, dim, &stage.c1) || !ReadPaperAffine(file, "c1" + i, dim, &stage.c2)) return false;
    model->stage.push_back(stage);
  }
  return ReadPaperConvolution(file, "l", dim, &model->coarsest);
}

} // namespace

bool WriteWeights(const char name[], const Model &model, const Provenance &provenance, std::string *error)
{
  Quiet             quiet;
  const std::string fresh = std::string(name) + ".part";
  bool              ok;

  {
    Handle f(H5Fcreate(fresh.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), H5Fclose);
    File   file(name, f.id, error);

    if (f.id < 0) return file.Unwritten();
    ok = file.WriteText(f.id, "format", Format) && file.WriteInteger("version", VERSION) && file.WriteInteger("dim", model.dim) && file.WriteInteger("stages", (int)model.stage.size()) && file.WriteInteger("levels", model.nlevels) &&
         file.WriteText(f.id, "mask", Masks[model.mask]) && file.WriteText(f.id, "interpolation", Betweens[model.interpolation]) && file.WriteReal("scale", model.scale);
    for (size_t s = 0; ok && s < model.stage.size(); s++) {
      const Stage &stage = model.stage[s];

      ok = WriteConvolution(file, StageName((int)s, "pre"), stage.pre) && WriteConvolution(file, StageName((int)s, "post"), stage.post) && WriteAffine(file, StageName((int)s, "c1"), stage.c1) && WriteAffine(file, StageName((int)s, "c2"), stage.c2);
    }
    ok = ok && WriteConvolution(file, "coarsest", model.coarsest);
    Handle group(H5Gcreate2(f.id, "provenance", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
    ok = ok && (group.id >= 0 || file.Unwritten());
    if (ok) ok = file.WriteText(group.id, "origin", model.origin);
    for (size_t k = 0; ok && k < provenance.size(); k++) ok = provenance[k].first == "origin" || file.WriteText(group.id, provenance[k].first, provenance[k].second);
    ok = ok && (H5Fflush(f.id, H5F_SCOPE_GLOBAL) >= 0 || file.Unwritten());
  }
  /* An old file stays until the new one is complete */
  if (ok && rename(fresh.c_str(), name) != 0) ok = File(name, -1, error).Unwritten();
  if (!ok) remove(fresh.c_str());
  return ok;
}

bool ReadWeights(const char name[], Model *model, std::string *error)
{
  Quiet       quiet;
  Handle      f(H5Fopen(name, H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose);
  File        file(name, f.id, error);
  std::string format;
  Model       read;

  if (f.id < 0) return file.Fail("cannot be opened as an HDF5 file: %s: name an existing weight file that is complete", Why().c_str());
  if (file.ReadText(f.id, "format", &format)) {
    if (format != Format) return file.Fail("the attribute 'format' is '%.60s' and not '%s': this is not a weight file of the neural preconditioner", format.c_str(), Format);
    if (!ReadOwn(file, f.id, &read)) return false;
  } else if (file.Exists("l.weight") && file.Exists("l.bias")) {
    if (!ReadPaper(file, f.id, &read)) return false;
  } else {
    return file.Fail("this is not a weight file of the neural preconditioner: it has neither the attribute 'format' nor the datasets pre.I.weight, post.I.weight, l.weight, ...");
  }
  *model = read;
  return true;
}

} // namespace neural
} // namespace petlap

#endif
