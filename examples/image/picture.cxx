#include "picture.h"
#include <png.h>
#include <cstring>

/* More is a damaged file or a task for another program: 16384 x 16384 */
static const PetscInt64 PictureMostPixels = (PetscInt64)1 << 28;

static const png_uint_32 PictureFormats[] = {0, PNG_FORMAT_GRAY, PNG_FORMAT_GA, PNG_FORMAT_RGB, PNG_FORMAT_RGBA};

PetscErrorCode PictureCreate(PetscInt width, PetscInt height, PetscInt channels, Picture *picture)
{
  PetscFunctionBeginUser;
  PetscCheck(width > 0 && height > 0 && (PetscInt64)width <= PictureMostPixels / height, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "A picture of %" PetscInt_FMT " x %" PetscInt_FMT " pixels: there must be between 1 and 2^28 of them", width, height);
  PetscCheck(channels >= 1 && channels <= 4, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "A picture with %" PetscInt_FMT " channels: 1 to 4 are possible", channels);
  picture->width    = width;
  picture->height   = height;
  picture->channels = channels;
  PetscCall(PetscCalloc1((size_t)width * height * channels, &picture->pixels));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureDestroy(Picture *picture)
{
  PetscFunctionBeginUser;
  PetscCall(PetscFree(picture->pixels));
  *picture = Picture();
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureRead(const char filename[], PetscInt channels, Picture *picture)
{
  const png_color white = {255, 255, 255};
  png_image       image;

  PetscFunctionBeginUser;
  PetscCheck(channels >= 0 && channels <= 4, PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "A picture with %" PetscInt_FMT " channels: 1 to 4 are possible, or 0 for those of the file", channels);
  std::memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  PetscCheck(png_image_begin_read_from_file(&image, filename), PETSC_COMM_SELF, PETSC_ERR_FILE_OPEN, "%s cannot be read as a PNG picture: %s", filename, image.message);
  if (!channels) channels = (image.format & PNG_FORMAT_FLAG_COLOR ? 3 : 1) + (image.format & PNG_FORMAT_FLAG_ALPHA ? 1 : 0);
  if ((PetscInt64)image.width > PictureMostPixels / PetscMax(image.height, 1)) {
    png_image_free(&image);
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_UNEXPECTED, "%s has %u x %u pixels, more than 2^28: make it smaller", filename, image.width, image.height);
  }
  PetscCall(PictureCreate((PetscInt)image.width, (PetscInt)image.height, channels, picture));
  image.format = PictureFormats[channels];
  if (!png_image_finish_read(&image, &white, picture->pixels, 0, nullptr)) {
    PetscCall(PictureDestroy(picture));
    SETERRQ(PETSC_COMM_SELF, PETSC_ERR_FILE_READ, "%s is damaged: %s", filename, image.message);
  }
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureShrink(PetscInt factor, Picture *picture)
{
  Picture small;

  PetscFunctionBeginUser;
  PetscCheck(factor >= 1 && factor <= PetscMin(picture->width, picture->height), PETSC_COMM_SELF, PETSC_ERR_ARG_OUTOFRANGE, "A picture of %" PetscInt_FMT " x %" PetscInt_FMT " pixels cannot be made smaller by the factor %" PetscInt_FMT,
             picture->width, picture->height, factor);
  PetscCall(PictureCreate(picture->width / factor, picture->height / factor, picture->channels, &small));
  for (PetscInt j = 0; j < small.height; j++) {
    for (PetscInt i = 0; i < small.width * small.channels; i++) {
      const PetscInt channel = i % small.channels, left = i / small.channels * factor;
      PetscInt64     sum = 0, n = (PetscInt64)factor * factor;

      for (PetscInt y = 0; y < factor; y++) {
        for (PetscInt x = 0; x < factor; x++) sum += picture->pixels[((size_t)(j * factor + y) * picture->width + left + x) * picture->channels + channel];
      }
      small.pixels[(size_t)j * small.width * small.channels + i] = (unsigned char)((sum + n / 2) / n);
    }
  }
  PetscCall(PictureDestroy(picture));
  *picture = small;
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureWrite(MPI_Comm comm, const char filename[], const Picture *picture)
{
  PetscMPIInt rank;
  png_image   image;

  PetscFunctionBeginUser;
  PetscCallMPI(MPI_Comm_rank(comm, &rank));
  std::memset(&image, 0, sizeof(image));
  image.version = PNG_IMAGE_VERSION;
  image.width   = (png_uint_32)picture->width;
  image.height  = (png_uint_32)picture->height;
  image.format  = PictureFormats[picture->channels];
  if (rank == 0 && png_image_write_to_file(&image, filename, 0, picture->pixels, 0, nullptr))
    image.message[0] = 0;
  else if (rank == 0 && !image.message[0])
    std::strcpy(image.message, "unknown reason");
  PetscCallMPI(MPI_Bcast(image.message, sizeof(image.message), MPI_CHAR, 0, comm));
  PetscCheck(!image.message[0], comm, PETSC_ERR_FILE_WRITE, "%s cannot be written: %s", filename, image.message);
  PetscFunctionReturn((PetscErrorCode)0);
}

static PetscErrorCode PictureCheckGrid(const Picture *picture, PetscInt channel, DM dm)
{
  PetscInt dim, nx, ny, dof;

  PetscFunctionBeginUser;
  PetscCall(DMDAGetInfo(dm, &dim, &nx, &ny, nullptr, nullptr, nullptr, nullptr, &dof, nullptr, nullptr, nullptr, nullptr, nullptr));
  PetscCheck(dim == 2 && dof == 1 && nx == picture->width && ny == picture->height, PetscObjectComm((PetscObject)dm), PETSC_ERR_ARG_SIZ,
             "The picture has %" PetscInt_FMT " x %" PetscInt_FMT " pixels and the DMDA %" PetscInt_FMT " x %" PetscInt_FMT " points (dimension %" PetscInt_FMT ", %" PetscInt_FMT " unknowns each)", picture->width, picture->height, nx, ny, dim, dof);
  PetscCheck(channel >= 0 && channel < picture->channels, PetscObjectComm((PetscObject)dm), PETSC_ERR_ARG_OUTOFRANGE, "Channel %" PetscInt_FMT " of a picture with %" PetscInt_FMT, channel, picture->channels);
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureGetVec(const Picture *picture, PetscInt channel, DM dm, Vec v)
{
  PetscInt      xs, ys, xm, ym;
  PetscScalar **array;

  PetscFunctionBeginUser;
  PetscCall(PictureCheckGrid(picture, channel, dm));
  PetscCall(DMDAGetCorners(dm, &xs, &ys, nullptr, &xm, &ym, nullptr));
  PetscCall(DMDAVecGetArrayWrite(dm, v, &array));
  for (PetscInt j = ys; j < ys + ym; j++) {
    for (PetscInt i = xs; i < xs + xm; i++) array[j][i] = picture->pixels[((size_t)j * picture->width + i) * picture->channels + channel] / 255.0;
  }
  PetscCall(DMDAVecRestoreArrayWrite(dm, v, &array));
  PetscFunctionReturn((PetscErrorCode)0);
}

PetscErrorCode PictureSetVec(Picture *picture, PetscInt channel, DM dm, Vec v, PetscReal low, PetscReal high)
{
  const PetscReal    scale = high > low ? 255.0 / (high - low) : 0.0;
  const PetscScalar *values;
  PetscInt           n;
  Vec                natural, first;
  VecScatter         scatter;

  PetscFunctionBeginUser;
  PetscCall(PictureCheckGrid(picture, channel, dm));
  PetscCall(DMDACreateNaturalVector(dm, &natural));
  PetscCall(DMDAGlobalToNaturalBegin(dm, v, INSERT_VALUES, natural));
  PetscCall(DMDAGlobalToNaturalEnd(dm, v, INSERT_VALUES, natural));
  PetscCall(VecScatterCreateToZero(natural, &scatter, &first));
  PetscCall(VecScatterBegin(scatter, natural, first, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecScatterEnd(scatter, natural, first, INSERT_VALUES, SCATTER_FORWARD));
  PetscCall(VecGetLocalSize(first, &n));
  PetscCall(VecGetArrayRead(first, &values));
  for (PetscInt i = 0; i < n; i++) {
    const PetscReal shade = scale * (PetscRealPart(values[i]) - low);

    /* NaN becomes black */
    picture->pixels[(size_t)i * picture->channels + channel] = shade > 0.0 ? (unsigned char)(PetscMin(shade, 255.0) + 0.5) : 0;
  }
  PetscCall(VecRestoreArrayRead(first, &values));
  PetscCall(VecScatterDestroy(&scatter));
  PetscCall(VecDestroy(&first));
  PetscCall(VecDestroy(&natural));
  PetscFunctionReturn((PetscErrorCode)0);
}

/* Uniformly distributed between 0 and 1: the bits of k, well mixed */
static PetscReal PictureUniform(uint64_t k)
{
  for (int round = 0; round < 3; round++) {
    k ^= k >> 31;
    k = k * 0x9E3779B97F4A7C15u + 0x632BE59BD9B4E019u;
    k ^= k >> 29;
  }
  return ((PetscReal)(k >> 12) + 0.5) / 4503599627370496.0;
}

PetscReal PictureNoise(uint64_t k)
{
  return PetscSqrtReal(-2.0 * PetscLogReal(PictureUniform(2 * k))) * PetscCosReal(2.0 * PETSC_PI * PictureUniform(2 * k + 1));
}
