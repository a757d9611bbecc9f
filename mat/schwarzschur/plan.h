/*
  The elimination tree of a structured grid, without values: nested dissection into boxes, or, where points of a plane grid are coupled to their
  four neighbours alone, into rectangles of diagonals, which have shorter separators. A box owns its points; the points around it that
  its own points are coupled to form its ring. A front holds the separator S of a box (or all points of a leaf) and the ring of the box; the
  ring is what is left when everything inside the box has been eliminated.

  Boxes of the same shape and the same surroundings share a class, so that the lists below exist once per class and not once per box: a front
  is a class and an origin. The tree is the root class with its children, each shifted against its parent.
*/
#pragma once

#include <petscsys.h>
#include <cstddef>

enum PlanTopology { PLAN_PLAIN, PLAN_OCTAHEDRAL };
enum PlanSeparators { PLAN_SEPARATORS_AUTO, PLAN_SEPARATORS_STRAIGHT, PLAN_SEPARATORS_DIAGONAL };

struct PlanGrid {
  int            dim;
  PetscInt       size[3];
  int            dof, width;
  bool           star, periodic[3];
  PlanTopology   topology;
  PlanSeparators separators;
};

/* Consecutive points of a child's ring that are consecutive in the parent's front */
struct PlanRun {
  int child, parent, n;
};

/* A matrix row with entries that enter a front; offset is the row's point relative to the origin, row its position in the front */
struct PlanRow {
  PetscInt offset;
  int      row, first, n;
};

/*
  One of them: col is the position of the column's point in the front. The entry is the slot-th of the stencil, and the rank-th point of
  the matrix row when the row holds the whole stencil as far as the grid reaches.
*/
struct PlanEntry {
  int col;
  int slot, rank;
};

/* Entries of the octahedral topology that fit no stencil: positions in the root front, and where the value stands in the matrix */
struct PlanGlue {
  int      row, col;
  PetscInt k;
};

struct PlanClass {
  int        m, r; /* points in S and in the ring */
  int        nchild, child[2];
  PetscInt   shift[2]; /* from this origin to the children's */
  int        box[3];   /* extent of the box, or of the box around the region */
  int        block;    /* 1 for subtrees that many boxes share, 0 above */
  int        height;   /* 0 for leaves */
  PetscInt  *offset;   /* m + r points relative to the origin */
  int        nrun[2];
  PlanRun   *run[2];
  int        nrow, nsrow; /* the first nsrow rows belong to S, the others to the ring */
  PlanRow   *row;
  PlanEntry *entry;
  double     count; /* fronts of this class */
};

struct Plan {
  PlanGrid grid;
  PetscInt npoints;
  int      nstencil; /* couplings of a point, with itself */
  int (*stencil)[3];
  int        nclass, root; /* children come before parents */
  PlanClass *cls;
  PetscInt   rootorigin;
  int        leaf, block; /* largest side of a leaf, wanted side of the blocks; sides of rectangles of diagonals count diagonals */
  int        height;
  bool       diagonal; /* separators are diagonals of the grid */
  PetscInt   nblocks, nfronts;
  int        maxfront; /* points */
  PetscInt   nglue;
  PlanGlue  *glue;
  void      *arena;
};

/* Whether the grid can have diagonal separators; without that, the plan has straight ones */
bool PlanDiagonal(const PlanGrid *grid);
/* leaf and block may be 0 for defaults. Fails (null) only when memory runs out or the grid is too large, with a text in error. */
Plan *PlanCreate(const PlanGrid *grid, int leaf, int block, char *error, size_t errorlength);
void  PlanDestroy(Plan *plan);
/* Number of points that a full row at this point couples to, and the stencil slot of a coupling, or -1 */
int PlanRowPoints(const Plan *plan, PetscInt point);
int PlanSlot(const Plan *plan, PetscInt point, PetscInt other);
/* Room for n couplings across the frame */
PlanGlue *PlanSetGlue(Plan *plan, PetscInt n);
/* Unknowns in the largest front; entries of the factors and flops (multiply-add counts two) without and with use of symmetry */
struct PlanCount {
  double lu, symmetric, lu_flops, symmetric_flops;
  double stack; /* entries of the largest contribution blocks that live at the same time */
};
PlanCount PlanCounts(const Plan *plan);
