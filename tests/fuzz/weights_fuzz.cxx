/*
  Fuzz target for the reader of weight files. The first byte of the input chooses what the rest means:

    o  a list of edits to a correct file, see Edit()
    p  the same for a file with the tensors of the paper's program
    t  a correct file cut off at a position

  Whatever the file holds, the reader must return an error, or a network that can be applied.
*/
#include "petlap.h"
#include "hostile.h"
#include "pc/neural/gradient.h"
#include "pc/neural/weights.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>
#include <sanitizer/lsan_interface.h>

/* MPI keeps memory until the process ends */
extern "C" const char *__lsan_default_suppressions(void)
{
  return "leak:libmpi\nleak:libopen-\nleak:libpmix\nleak:libhwloc\nleak:libevent\nleak:mca_\n";
}

using namespace hostile;

namespace {

char file[512];

void Expect(bool good, const char *what)
{
  if (good) return;
  fprintf(stderr, "weights_fuzz: %s\n", what);
  abort();
}

/* integer, real, or text; longer or of another shape where an edit says so */
struct Attribute {
  const char *name;
  char        kind; /* i, r, t, T (of variable length), v (two numbers), 0 (absent) */
  int64_t     integer;
  double      real;
  std::string text;
};

struct Named {
  std::string name;
  Dataset     set;
};

struct Content {
  std::vector<Named>     set;
  std::vector<Attribute> attribute;
};

void Add(Content *c, const std::string &name, std::vector<hsize_t> shape)
{
  Named   named = {name, Dataset()};
  hsize_t n     = 1;

  for (hsize_t extent : shape) n *= extent;
  Fill(&named.set, std::vector<double>(n, 0.25));
  named.set.shape = shape;
  c->set.push_back(named);
}

void AddConvolution(Content *c, const std::string &name, hsize_t K, bool pinned)
{
  Add(c, name + ".base", {K});
  Add(c, name + ".air", {K, K});
  Add(c, name + ".solid", {K, K});
  if (pinned) Add(c, name + ".pinned", {K, K});
}

Content Own(int dim, int stages, bool pinned, bool affine)
{
  const hsize_t K = dim == 3 ? 27 : 9;
  Content       c;

  for (int s = 0; s < stages; s++) {
    const std::string stage = "stage" + std::to_string(s);

    AddConvolution(&c, stage + ".pre", K, pinned);
    AddConvolution(&c, stage + ".post", K, pinned);
    for (const char *block : {".c1", ".c2"}) {
      Add(&c, stage + block + ".bias", {1});
      if (!affine) continue;
      Add(&c, stage + block + ".air", {K});
      Add(&c, stage + block + ".solid", {K});
    }
  }
  AddConvolution(&c, "coarsest", K, pinned);
  c.attribute = {{"format", 't', 0, 0.0, "petlap neural"}, {"version", 'i', 1, 0.0, ""}, {"dim", 'i', dim, 0.0, ""}, {"stages", 'i', stages, 0.0, ""}, {"levels", 'i', 0, 0.0, ""}, {"mask", 't', 0, 0.0, "dilated"},
                 {"interpolation", 't', 0, 0.0, "linear"}, {"scale", 'r', 0, 1.0, ""}};
  return c;
}

Content Paper(int dim, int stages)
{
  const hsize_t K = dim == 3 ? 27 : 9;
  Content       c;
  auto          tensor = [&](const std::string &name, hsize_t copies) {
    std::vector<hsize_t> shape = {copies, 3};

    shape.insert(shape.end(), dim, 3);
    Add(&c, name + ".weight", shape);
    Add(&c, name + ".bias", {copies});
  };

  for (int s = 0; s < stages; s++) {
    const std::string i = "." + std::to_string(s);

    tensor("pre" + i, K);
    tensor("post" + i, K);
    tensor("c0" + i, dim == 3 ? 1 : 9);
    tensor("c1" + i, dim == 3 ? 1 : 9);
  }
  tensor("l", K);
  return c;
}

/* One edit: its number, the dataset or attribute it concerns, then its arguments */
void Edit(Bytes *in, Content *c)
{
  static const char *const text[] = {"", "none", "fluid", "dilated", "linear", "nearest", "petlap neural", "petlap"};
  unsigned                 what   = in->Below(10);

  if (what < 7) {
    EditDataset(in, what, (int)c->set.size(), &c->set[in->Below((unsigned)c->set.size())].set);
    return;
  }
  if (c->attribute.empty()) return;
  Attribute &a = c->attribute[in->Below((unsigned)c->attribute.size())];
  switch (what) {
  case 7:
    a.kind = "irtTv0"[in->Below(6)];
    break;
  case 8:
    a.real    = Value(in);
    a.integer = in->Below(2) ? in->Number() : (int64_t)in->Byte() - 4;
    break;
  default:
    a.text = text[in->Below(8)];
    if (a.text.empty()) a.text.assign(in->Byte() * 300, 'x');
  }
}

void WriteAttribute(hid_t f, const Attribute &a)
{
  const hsize_t two  = 2;
  hid_t         type = -1, space = a.kind == 'v' ? H5Screate_simple(1, &two, nullptr) : H5Screate(H5S_SCALAR), made;
  const int64_t integers[2] = {a.integer, a.integer};
  const char   *text        = a.text.c_str();

  switch (a.kind) {
  case 'r':
    type = H5Tcopy(H5T_IEEE_F64LE);
    break;
  case 't':
  case 'T':
    type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, a.kind == 'T' ? H5T_VARIABLE : a.text.size() + 1);
    break;
  default:
    type = H5Tcopy(H5T_STD_I64LE);
  }
  if (a.kind != '0') {
    made = H5Acreate2(f, a.name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (made >= 0) {
      if (a.kind == 'T')
        H5Awrite(made, type, &text);
      else
        H5Awrite(made, a.kind == 'r' ? H5T_NATIVE_DOUBLE : a.kind == 't' ? type : H5T_NATIVE_INT64, a.kind == 'r' ? (const void *)&a.real : a.kind == 't' ? (const void *)text : (const void *)integers);
      H5Aclose(made);
    }
  }
  H5Tclose(type);
  H5Sclose(space);
}

void WriteContent(const Content &content)
{
  hid_t f = H5Fcreate(file, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

  Expect(f >= 0, "libhdf5 cannot create a file");
  for (const Attribute &a : content.attribute) WriteAttribute(f, a);
  for (const Named &named : content.set) WriteEntry(f, named.name.c_str(), content.set[named.set.other % content.set.size()].name.c_str(), named.set);
  H5Fclose(f);
}

/* Reads the file and, where that goes well, applies the network to a small scene */
bool Read()
{
  petlap::neural::Model model;
  std::string           error;

  if (!petlap::neural::ReadWeights(file, &model, &error)) {
    Expect(!error.empty() && error.size() < 2000, "a reader fails without an error");
    Expect(model.stage.empty() && model.dim == 0, "a failed reader changes the model");
    return false;
  }
  Expect(model.dim == 2 || model.dim == 3, "a network of no dimension");
  const int n[3] = {5, 4, model.dim == 3 ? 3 : 1}, cells = n[0] * n[1] * n[2];
  for (double v : petlap::neural::Numbers(model)) Expect(std::isfinite(v), "a number is not finite");
  Expect(std::isfinite(model.scale), "the scale is not finite");

  std::vector<unsigned char> label(cells, 1);
  std::vector<double>        r(cells, 1.0), z(cells, 0.0);
  std::vector<ptrdiff_t>     offset;
  ptrdiff_t                  count = 0;

  label[0] = 0;
  label[7] = 2;
  petlap::neural::Network network(petlap::neural::Partition::Whole(model.dim, n), 2, model.mask);
  network.SetImage(label.data());
  network.SetKernels(model);
  for (const petlap::neural::Segment &s : network.segments()) {
    offset.push_back(count);
    count += s.x1 - s.x0;
  }
  Expect(count == cells - 2, "the scene has other cells of fluid");
  network.Apply(r.data(), offset.data(), 1.0, z.data());
  return true;
}

void Clean(void)
{
  unlink(file);
  *strrchr(file, '/') = 0;
  rmdir(file);
}

} // namespace

extern "C" int LLVMFuzzerInitialize(int *, char ***)
{
  const char *where  = getenv("TMPDIR");
  char        name[] = "weights_fuzz", quiet[] = "-no_signal_handler", plain[] = "-skip_petscrc", *args[] = {name, quiet, plain, nullptr}, **a = args;
  int         n = 3;

  snprintf(file, sizeof(file) - 10, "%s/weights_fuzz.XXXXXX", where ? where : access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
  Expect(mkdtemp(file), "cannot create a folder for the input files; TMPDIR may name one");
  strcat(file, "/w.h5");
  atexit(Clean);
  /* Some of MPI's plug-ins are closed again, and then nobody knows whose memory it was */
  __lsan_disable();
  Expect(!PetscInitialize(&n, &a, nullptr, nullptr), "PetscInitialize() failed");
  __lsan_enable();
  /* Many edits describe files that libhdf5 refuses to write */
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  /* Without limits libhdf5 keeps its large tables, which are slow to get from the address sanitizer again and again */
  H5set_free_list_limits(-1, -1, -1, -1, -1, -1);
  /* Else nothing would tell a reader that takes no file at all */
  for (int dim = 2; dim <= 3; dim++) {
    WriteContent(Own(dim, 1, true, true));
    Expect(Read(), "a correct file is refused");
    WriteContent(Paper(dim, 1));
    Expect(Read(), "a correct file of tensors is refused");
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
  Bytes          in   = {data, data + n};
  const unsigned what = in.Byte(), shape = in.Byte();
  const int      dim = shape & 1 ? 3 : 2, stages = shape & 2 ? 2 : 1;
  Content        content;

  switch (what) {
  case 'o':
  case 't':
    content = Own(dim, stages, shape & 4, shape & 8);
    break;
  case 'p':
    content = Paper(dim, stages);
    break;
  default:
    return 0;
  }
  while (what != 't' && in.More()) Edit(&in, &content);
  WriteContent(content);
  if (what == 't') Expect(!truncate(file, (off_t)(in.Number() & 0xffff)), "the file cannot be cut off");
  Read();
  return 0;
}
