/*
  Pictures for the examples: PNG files to vectors on a 2-D DMDA and back. A pixel is a point of the grid, row 0 is the upper edge; 0 is black
  and 1 is white.
*/
#pragma once

#include <petscdmda.h>
#include <cstdint>

/* Row by row, the channels of a pixel side by side: 1 is grey, 2 grey and opacity, 3 colour, 4 colour and opacity */
struct Picture {
  PetscInt       width = 0, height = 0, channels = 0;
  unsigned char *pixels = nullptr;
};

/* Black and transparent. Freed by PictureDestroy(), as all pictures are. */
PetscErrorCode PictureCreate(PetscInt width, PetscInt height, PetscInt channels, Picture *picture);
PetscErrorCode PictureDestroy(Picture *picture);

/* Every process reads the whole file. The picture has as many channels as asked for; 0 is as many as the file has. Where opacity is dropped
   the background is white. */
PetscErrorCode PictureRead(const char filename[], PetscInt channels, Picture *picture);

/* Replaces squares of factor x factor pixels by their means; what is left over at the right and lower edge is cut off. */
PetscErrorCode PictureShrink(PetscInt factor, Picture *picture);

/* The first process of comm writes its picture; all see it fail. */
PetscErrorCode PictureWrite(MPI_Comm comm, const char filename[], const Picture *picture);

/* One channel of the picture as a vector of the DMDA, which has one point for each pixel. */
PetscErrorCode PictureGetVec(const Picture *picture, PetscInt channel, DM dm, Vec v);

/* One channel becomes the vector, with low as black and high as white and what lies beyond cut off. Collective; only the first process has the picture
   then. */
PetscErrorCode PictureSetVec(Picture *picture, PetscInt channel, DM dm, Vec v, PetscReal low, PetscReal high);

/* A normally distributed number that depends on k alone, so that noise is the same on any number of processes */
PetscReal PictureNoise(uint64_t k);
