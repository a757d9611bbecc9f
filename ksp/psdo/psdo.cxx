/*
  KSPPSDO: preconditioned steepest descent, each direction A-orthogonalised against the last ones.
*/
#include "petlap.h"
#include <petsc/private/kspimpl.h>
#include "mat/compat/petscversion.h"

#define KSPPSDO_DEFAULT_MMAX        2
#define KSPPSDO_DEFAULT_REPLACEMENT 0
/* Pairs of vectors allocated at a time: a long history is paid for only by solves that last long enough to fill it */
#define KSPPSDO_CHUNK 2
/* Cosine of the angle to the residual below which a direction is orthogonal to it up to rounding */
#define KSPPSDO_ORTHOGONAL (100 * PETSC_MACHINE_EPSILON)
/* With residual replacement on, a drop by this factor since the last one calls for the next */
#define KSPPSDO_DROP 1e-6
/* The recursive residual is believed where the rounding errors of the products with the matrix, times this, stay below it */
#define KSPPSDO_BELIEVED 100.0
/* Beyond the first, a restart from the true residual must have reduced that by this factor to be followed by another */
#define KSPPSDO_PROGRESS 0.1
/* If not, it is taken as it is where it exceeds the tolerance by no more than this: rounding allows no better */
#define KSPPSDO_NEAR 10.0

typedef struct {
  PetscInt mmax;        /* previous directions to orthogonalise against */
  PetscInt replacement; /* interval, in iterations, between true residuals; 0 is never */

  /* The history holds up to mmax pairs (d, q = A d). Pointers in d[] and q[] wander; the chunks own the vectors. */
  PetscInt     npairs, nchunks;
  Vec        **dchunk, **qchunk, *d, *q; /* every chunk has KSPPSDO_CHUNK vectors */
  PetscScalar *dots;
  PetscReal   *dAd;

  PetscInt nrestart, nreplaced; /* what happened in the last solve, for the viewer */
} KSP_PSDO;

static PetscLogEvent        KSP_PSDOOrtho;
PETSC_INTERN PetscErrorCode PetlapCiteLan(void);

/* Makes room for npairs pairs; a history of mmax directions takes memory only as far as a solve fills it */
static PetscErrorCode KSPPSDOGrow(KSP ksp, PetscInt npairs)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  PetscInt  c    = psdo->nchunks, n;

  PetscFunctionBegin;
  if (npairs <= psdo->npairs) PetscFunctionReturn(PETSC_SUCCESS);
  n = psdo->npairs + KSPPSDO_CHUNK;
  PetscCall(PetscRealloc((c + 1) * sizeof(*psdo->dchunk), &psdo->dchunk));
  PetscCall(PetscRealloc((c + 1) * sizeof(*psdo->qchunk), &psdo->qchunk));
  PetscCall(PetscRealloc(n * sizeof(*psdo->d), &psdo->d));
  PetscCall(PetscRealloc(n * sizeof(*psdo->q), &psdo->q));
  PetscCall(PetscRealloc(n * sizeof(*psdo->dots), &psdo->dots));
  PetscCall(PetscRealloc(n * sizeof(*psdo->dAd), &psdo->dAd));
  PetscCall(KSPCreateVecs(ksp, KSPPSDO_CHUNK, &psdo->dchunk[c], 0, nullptr));
  PetscCall(KSPCreateVecs(ksp, KSPPSDO_CHUNK, &psdo->qchunk[c], 0, nullptr));
  for (PetscInt i = 0; i < KSPPSDO_CHUNK; i++) {
    psdo->d[psdo->npairs + i] = psdo->dchunk[c][i];
    psdo->q[psdo->npairs + i] = psdo->qchunk[c][i];
  }
  psdo->nchunks++;
  psdo->npairs = n;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPReset_PSDO(KSP ksp)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;

  PetscFunctionBegin;
  for (PetscInt i = 0; i < psdo->nchunks; i++) {
    PetscCall(VecDestroyVecs(KSPPSDO_CHUNK, &psdo->dchunk[i]));
    PetscCall(VecDestroyVecs(KSPPSDO_CHUNK, &psdo->qchunk[i]));
  }
  PetscCall(PetscFree(psdo->dchunk));
  PetscCall(PetscFree(psdo->qchunk));
  PetscCall(PetscFree(psdo->d));
  PetscCall(PetscFree(psdo->q));
  PetscCall(PetscFree(psdo->dots));
  PetscCall(PetscFree(psdo->dAd));
  psdo->npairs = psdo->nchunks = 0;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPSetUp_PSDO(KSP ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPSetWorkVecs(ksp, 2));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The state of a solve that its steps share */
struct PSDOSolve {
  Vec       x, b, r, z; /* z becomes the direction d */
  Mat       A;
  PetscInt  count, next;  /* pairs in the history, and the slot that is overwritten next */
  PetscBool zready;       /* z holds the preconditioned residual */
  PetscReal sign;         /* of d'A d: a negative definite matrix has the same minimiser as its negative */
  PetscReal rayleigh;     /* largest d'A d/d'd so far, a lower bound of the norm of A */
  PetscReal rnorm;        /* 2-norm of r where the norm type computes it, else negative */
  PetscReal natural;      /* sign of r'z at the first iteration, 0 before */
  PetscBool flipped;      /* r'z has the other sign now */
  PetscReal dnorm, qnorm; /* of the direction, and of its product with A where that was asked for */
  PetscReal path;         /* of x when r was b - A x, and of all steps since then, the norms added up */
  PetscReal last;         /* norm of the true residual when the recursive one was last found too small, negative before */
};

/* What became of an attempt to find a direction */
typedef enum { PSDO_ACCEPTED, PSDO_ZERO, PSDO_ORTHOGONAL, PSDO_NULL, PSDO_CURVATURE, PSDO_INDEFINITE } PSDOOutcome;

/*
  The largest number on the diagonal, beyond which a definite matrix has no entry; negative where asking for it costs more than a product with the matrix. With
  empty not null, also the norm of the part of r in rows whose diagonal is zero: a definite matrix has nothing else in them.
*/
static PetscErrorCode KSPPSDODiagonal(PSDOSolve *s, Vec work, PetscReal *size, PetscReal *empty)
{
  const PetscScalar *v, *r;
  PetscMemType       where;
  PetscBool          known;
  PetscReal          sum = 0.0;
  PetscInt           n;

  PetscFunctionBegin;
  *size = -1.0;
  if (empty) *empty = 0.0;
  PetscCall(PetscObjectBaseTypeCompareAny((PetscObject)s->A, &known, MATSEQAIJ, MATMPIAIJ, MATSEQBAIJ, MATMPIBAIJ, MATSEQSBAIJ, MATMPISBAIJ, MATSEQDENSE, MATMPIDENSE, ""));
  if (!known) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecGetArrayReadAndMemType(s->r, &r, &where));
  PetscCall(VecRestoreArrayReadAndMemType(s->r, &r));
  if (!PetscMemTypeHost(where)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(MatGetDiagonal(s->A, work));
  PetscCall(VecNorm(work, NORM_INFINITY, size));
  if (!empty) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecGetLocalSize(work, &n));
  PetscCall(VecGetArrayRead(work, &v));
  PetscCall(VecGetArrayRead(s->r, &r));
  for (PetscInt i = 0; i < n; i++) {
    if (v[i] == (PetscScalar)0.0) sum += PetscSqr(PetscAbsScalar(r[i]));
  }
  PetscCall(VecRestoreArrayRead(work, &v));
  PetscCall(VecRestoreArrayRead(s->r, &r));
  CompatCallAllreduce(&sum, empty, 1, MPIU_REAL, MPIU_SUM, PetscObjectComm((PetscObject)s->A));
  *empty = PetscSqrtReal(*empty);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Takes z as a direction: computes q = A z and the three inner products of the step in one reduction, and judges them. A direction that is
  numerically orthogonal to the residual makes no progress; one without curvature of the right sign has no exact line search. Where it is not
  orthogonal and the matrix maps it to zero, the right-hand side has a part out of reach.
*/
static PetscErrorCode KSPPSDOTryDirection(KSP ksp, PSDOSolve *s, Vec q, PetscReal *dAd, PetscScalar *rd, PSDOOutcome *outcome)
{
  const PetscReal eps = PETSC_MACHINE_EPSILON, small = PETSC_SQRT_MACHINE_EPSILON;
  Vec             w[3];
  PetscScalar     v[3];
  PetscReal       dd, dnorm;

  PetscFunctionBegin;
  PetscCall(KSP_MatMult(ksp, s->A, s->z, q));
  w[0] = q;
  w[1] = s->r;
  w[2] = s->z;
  PetscCall(VecMDot(s->z, 3, w, v));
  for (PetscInt i = 0; i < 3; i++) KSPCheckDot(ksp, v[i]);
  *dAd  = PetscRealPart(v[0]);
  *rd   = PetscConj(v[1]);
  dd    = PetscRealPart(v[2]);
  dnorm = s->dnorm = PetscSqrtReal(dd);
  if (dnorm == 0.0) {
    *outcome = PSDO_ZERO;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  if (PetscAbsScalar(*rd) == 0.0 || (s->rnorm >= 0.0 && PetscAbsScalar(*rd) <= KSPPSDO_ORTHOGONAL * s->rnorm * dnorm)) {
    *outcome = PSDO_ORTHOGONAL;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  *outcome = PSDO_ACCEPTED;
  /* The exact test d'A d > eps |d| |A d| needs one more norm, so it is made only when the curvature is small beside what was seen */
  if (s->sign * *dAd <= small * s->rayleigh * dd) {
    PetscReal qnorm;

    PetscCall(VecNorm(q, NORM_2, &qnorm));
    KSPCheckNorm(ksp, qnorm);
    s->qnorm = qnorm;
    if ((s->sign == 0.0 ? PetscAbsReal(*dAd) : s->sign * *dAd) <= eps * dnorm * qnorm) *outcome = qnorm <= small * s->rayleigh * dnorm ? PSDO_NULL : PSDO_CURVATURE;
    /* So far on the wrong side of zero that rounding cannot be the cause: no other direction will mend that */
    if (-s->sign * *dAd > small * PetscMax(s->rayleigh * dd, dnorm * qnorm)) *outcome = PSDO_INDEFINITE;
  }
  if (*outcome == PSDO_ACCEPTED) {
    if (s->sign == 0.0) s->sign = *dAd > 0.0 ? 1.0 : -1.0;
    s->rayleigh = PetscMax(s->rayleigh, PetscAbsReal(*dAd) / dd);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Leaves in z a direction that passed the test and in q[next] its product with A. When the orthogonalised direction fails, the history is
  dropped and the preconditioned residual itself is tried, then the residual.
*/
static PetscErrorCode KSPPSDODirection(KSP ksp, PSDOSolve *s, PetscReal *dAd, PetscScalar *rd)
{
  KSP_PSDO   *psdo    = (KSP_PSDO *)ksp->data;
  PSDOOutcome outcome = PSDO_ZERO;

  PetscFunctionBegin;
  if (!s->zready) PetscCall(KSP_PCApply(ksp, s->r, s->z));
  s->zready = PETSC_FALSE;
  PetscCall(KSPPSDOGrow(ksp, s->next + 1));
  for (PetscInt attempt = s->count ? 0 : 1; attempt < 3; attempt++) {
    if (attempt == 0) {
      PetscCall(PetscLogEventBegin(KSP_PSDOOrtho, ksp, 0, 0, 0));
      PetscCall(VecMDot(s->z, s->count, psdo->q, psdo->dots));
      for (PetscInt i = 0; i < s->count; i++) psdo->dots[i] /= -psdo->dAd[i];
      PetscCall(VecMAXPY(s->z, s->count, psdo->dots, psdo->d));
      PetscCall(PetscLogEventEnd(KSP_PSDOOrtho, ksp, 0, 0, 0));
      /* What rounding left of the null space would pile up in the solution */
      PetscCall(KSP_RemoveNullSpace(ksp, s->z));
    } else if (attempt == 1 && s->count) {
      PetscCall(PetscInfo(ksp, "Orthogonalised direction is unusable at iteration %" PetscInt_FMT ", dropping the history of %" PetscInt_FMT " directions\n", ksp->its, s->count));
      psdo->nrestart++;
      s->count = s->next = 0;
      PetscCall(KSP_PCApply(ksp, s->r, s->z));
    } else if (attempt == 2) {
      PetscCall(PetscInfo(ksp, "Preconditioned residual is unusable as a direction at iteration %" PetscInt_FMT ", trying the residual\n", ksp->its));
      PetscCall(VecCopy(s->r, s->z));
      PetscCall(KSP_RemoveNullSpace(ksp, s->z));
    }
    PetscCall(KSPPSDOTryDirection(ksp, s, psdo->q[s->next], dAd, rd, &outcome));
    if (ksp->reason || outcome == PSDO_ACCEPTED) PetscFunctionReturn(PETSC_SUCCESS);
    if (outcome == PSDO_INDEFINITE) break;
  }
  if (outcome == PSDO_CURVATURE || outcome == PSDO_INDEFINITE) {
    PetscReal       size;
    const PetscReal rounding = KSPPSDO_BELIEVED * PETSC_MACHINE_EPSILON;

    /* Where all directions were close to the null space, their curvature told nothing of how large the matrix is */
    PetscCall(KSPPSDODiagonal(s, psdo->q[s->next], &size, nullptr));
    if (size > 0.0 && PetscAbsReal(*dAd) <= rounding * size * s->dnorm * s->dnorm && s->qnorm <= PETSC_SQRT_MACHINE_EPSILON * size * s->dnorm) outcome = PSDO_NULL;
  }
  if (outcome == PSDO_ZERO) {
    PetscReal rnorm;

    PetscCall(VecNorm(s->r, NORM_2, &rnorm));
    ksp->reason = rnorm == 0.0 ? KSP_CONVERGED_ATOL : KSP_DIVERGED_BREAKDOWN;
    if (rnorm != 0.0) PetscCall(PetscInfo(ksp, "The residual lies in the null space that was attached to the matrix: the system is inconsistent, remove the null space from the right-hand side\n"));
  } else if (outcome == PSDO_NULL) {
    ksp->reason = KSP_DIVERGED_BREAKDOWN;
    PetscCall(PetscInfo(ksp, "The residual has a part in the null space of the matrix, which no iterate reduces: the singular system is inconsistent\n"));
  } else if (outcome == PSDO_ORTHOGONAL) {
    ksp->reason = KSP_DIVERGED_BREAKDOWN;
    PetscCall(PetscInfo(ksp, "No direction with a component along the residual is left: the singular system is inconsistent, or its residual is at rounding level\n"));
  } else {
    ksp->reason = KSP_DIVERGED_INDEFINITE_MAT;
    PetscCall(PetscInfo(ksp, "d'A d = %g vanishes or has another sign than for earlier directions: the matrix is indefinite or not Hermitian, use minres, gmres or bcgs\n", (double)*dAd));
  }
  PetscCheck(ksp->reason > 0 || !ksp->errorifnotconverged, PetscObjectComm((PetscObject)ksp), PETSC_ERR_NOT_CONVERGED, "psdo found no usable direction at iteration %" PetscInt_FMT ": %s", ksp->its, KSPConvergedReasons[ksp->reason]);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The norm that the convergence test sees; it may leave the preconditioned residual in z for the next direction */
static PetscErrorCode KSPPSDONorm(KSP ksp, PSDOSolve *s, PetscReal *norm)
{
  PetscScalar rz;
  PetscReal   rnorm;

  PetscFunctionBegin;
  *norm      = 0.0;
  s->rnorm   = -1.0;
  s->zready  = PETSC_FALSE;
  s->flipped = PETSC_FALSE;
  switch (ksp->normtype) {
  case KSP_NORM_NONE:
    break;
  case KSP_NORM_UNPRECONDITIONED:
    PetscCall(VecNorm(s->r, NORM_2, norm));
    KSPCheckNorm(ksp, *norm);
    s->rnorm = *norm;
    break;
  case KSP_NORM_PRECONDITIONED:
    PetscCall(KSP_PCApply(ksp, s->r, s->z));
    s->zready = PETSC_TRUE;
    PetscCall(VecNorm(s->z, NORM_2, norm));
    KSPCheckNorm(ksp, *norm);
    break;
  case KSP_NORM_NATURAL:
    PetscCall(KSP_PCApply(ksp, s->r, s->z));
    s->zready = PETSC_TRUE;
    PetscCall(VecDot(s->r, s->z, &rz));
    KSPCheckDot(ksp, rz);
    s->flipped = (PetscBool)(s->natural * PetscRealPart(rz) < 0.0);
    if (s->natural == 0.0 && PetscRealPart(rz) != 0.0) s->natural = PetscRealPart(rz) > 0.0 ? 1.0 : -1.0;
    *norm = PetscSqrtReal(PetscAbsReal(PetscRealPart(rz)));
    break;
  default:
    SETERRQ(PetscObjectComm((PetscObject)ksp), PETSC_ERR_SUP, "psdo does not compute the norm type %s: use -ksp_norm_type unpreconditioned, preconditioned, natural or none", KSPNormTypes[ksp->normtype]);
  }
  if (s->zready && *norm == 0.0) {
    /* A preconditioner that returns zero is not a solution */
    PetscCall(VecNorm(s->r, NORM_2, &rnorm));
    if (rnorm != 0.0) {
      PetscCheck(!ksp->errorifnotconverged, PetscObjectComm((PetscObject)ksp), PETSC_ERR_NOT_CONVERGED, "The %s norm is zero but the residual is not: use -ksp_norm_type unpreconditioned, or another preconditioner", KSPNormTypes[ksp->normtype]);
      PetscCall(PetscInfo(ksp, "The %s norm is zero but the residual is not: use -ksp_norm_type unpreconditioned, or another preconditioner\n", KSPNormTypes[ksp->normtype]));
      ksp->reason = KSP_DIVERGED_BREAKDOWN;
    }
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOTrueResidual(KSP ksp, PSDOSolve *s, Vec r)
{
  PetscFunctionBegin;
  PetscCall(KSP_MatMult(ksp, s->A, s->x, r));
  PetscCall(VecAYPX(r, -1.0, s->b));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* Replaces the recursive residual by the true one; gap is the 2-norm of their difference */
static PetscErrorCode KSPPSDOReplaceResidual(KSP ksp, PSDOSolve *s, PetscReal *gap)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  Vec       t;

  PetscFunctionBegin;
  PetscCall(KSPPSDOTrueResidual(ksp, s, s->z));
  PetscCall(VecAXPY(s->r, -1.0, s->z));
  PetscCall(VecNorm(s->r, NORM_2, gap));
  KSPCheckNorm(ksp, *gap);
  t         = s->r;
  s->r      = s->z;
  s->z      = t;
  s->zready = PETSC_FALSE;
  s->path   = 0.0;
  psdo->nreplaced++;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* A replacement before its time: the gap of a short interval must not hide that of a full one */
static PetscErrorCode KSPPSDOReplaceEarly(KSP ksp, PSDOSolve *s, PetscReal *gap, PetscReal *norm)
{
  PetscReal early;

  PetscFunctionBegin;
  PetscCall(KSPPSDOReplaceResidual(ksp, s, &early));
  if (ksp->reason) PetscFunctionReturn(PETSC_SUCCESS);
  *gap = PetscMax(*gap, early);
  PetscCall(KSPPSDONorm(ksp, s, norm));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  Whether rounding may have parted the recursive residual from b - A x by as much as it is large itself: each product with the matrix is wrong by about
  eps |A||d|, of which the solution gets alpha times d. Along a null space the steps have no bound, and then their errors have none.
*/
static PetscErrorCode KSPPSDODoubt(PSDOSolve *s, PetscBool *doubt)
{
  PetscReal rnorm = s->rnorm, size;

  PetscFunctionBegin;
  *doubt = (PetscBool)(s->path > 0.0);
  if (!*doubt) PetscFunctionReturn(PETSC_SUCCESS);
  s->zready = PETSC_FALSE;
  PetscCall(KSPPSDODiagonal(s, s->z, &size, nullptr));
  if (size < 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  if (rnorm < 0.0) PetscCall(VecNorm(s->r, NORM_2, &rnorm));
  size   = PetscMax(size, s->rayleigh);
  *doubt = (PetscBool) !(KSPPSDO_BELIEVED * PETSC_MACHINE_EPSILON * size * s->path <= rnorm);
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  A right-hand side with a part in rows of zeros is out of reach. Steps along these rows, which cost nothing, end in the residual growing; and the other norms do not
  see the part where the preconditioner has zeros in these rows, too.
*/
static PetscErrorCode KSPPSDOEmptyRows(KSP ksp, PSDOSolve *s)
{
  PetscReal size, part, bnorm;

  PetscFunctionBegin;
  if (ksp->reason != KSP_DIVERGED_DTOL && (ksp->reason <= 0 || ksp->reason == KSP_CONVERGED_ITS || s->rnorm >= 0.0)) PetscFunctionReturn(PETSC_SUCCESS);
  s->zready = PETSC_FALSE;
  PetscCall(KSPPSDODiagonal(s, s->z, &size, &part));
  if (part == 0.0) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCall(VecNorm(s->b, NORM_2, &bnorm));
  if (part <= PetscMax(ksp->rtol * bnorm, ksp->abstol)) PetscFunctionReturn(PETSC_SUCCESS);
  PetscCheck(!ksp->errorifnotconverged, PetscObjectComm((PetscObject)ksp), PETSC_ERR_NOT_CONVERGED, "The right-hand side is not zero in rows of the matrix that are: the singular system is inconsistent");
  PetscCall(PetscInfo(ksp, "The right-hand side is not zero in rows of the matrix that are: the singular system is inconsistent\n"));
  ksp->reason = KSP_DIVERGED_BREAKDOWN;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/* The convergence test, and after it what the sign of r'z says: where the norm is at rounding level, so is the sign */
static PetscErrorCode KSPPSDOTest(KSP ksp, PSDOSolve *s, PetscReal norm)
{
  PetscFunctionBegin;
  ksp->rnorm = norm;
  PetscCall((*ksp->converged)(ksp, ksp->its, norm, &ksp->reason, ksp->cnvP));
  if (ksp->reason || !s->flipped) PetscFunctionReturn(PETSC_SUCCESS);
  /* A product of the other sign means that the preconditioner is indefinite and that r'z measures nothing */
  PetscCheck(!ksp->errorifnotconverged, PetscObjectComm((PetscObject)ksp), PETSC_ERR_NOT_CONVERGED, "The natural norm does not exist for an indefinite preconditioner: use -ksp_norm_type unpreconditioned");
  PetscCall(PetscInfo(ksp, "r'z changed its sign: the natural norm does not exist for an indefinite preconditioner, use -ksp_norm_type unpreconditioned\n"));
  ksp->reason = KSP_DIVERGED_INDEFINITE_PC;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*
  The convergence test was passed by a recursive residual. Where that is in doubt the true one takes its place, and with replacement always. If it fails the
  test, the solve goes on from there, as long as that is of use.
*/
static PetscErrorCode KSPPSDOVerify(KSP ksp, PSDOSolve *s, PetscReal *gap, PetscReal *norm, PetscBool *replaced)
{
  KSP_PSDO                *psdo   = (KSP_PSDO *)ksp->data;
  const KSPConvergedReason passed = ksp->reason;
  const PetscReal          near   = KSPPSDO_NEAR * PetscMax(*norm, ksp->ttol);
  PetscBool                verify = (PetscBool)(psdo->replacement > 0);

  PetscFunctionBegin;
  if (*replaced || passed == KSP_CONVERGED_ITS || ksp->normtype == KSP_NORM_NONE) PetscFunctionReturn(PETSC_SUCCESS);
  if (!verify) PetscCall(KSPPSDODoubt(s, &verify));
  if (!verify) PetscFunctionReturn(PETSC_SUCCESS);
  ksp->reason = KSP_CONVERGED_ITERATING;
  PetscCall(KSPPSDOReplaceEarly(ksp, s, gap, norm));
  if (ksp->reason) PetscFunctionReturn(PETSC_SUCCESS);
  *replaced = PETSC_TRUE;
  PetscCall(KSPPSDOTest(ksp, s, *norm));
  if (ksp->reason || psdo->replacement) PetscFunctionReturn(PETSC_SUCCESS);
  if (s->last >= 0.0 && !(*norm <= KSPPSDO_PROGRESS * s->last)) {
    if (*norm <= near) {
      ksp->reason = passed;
      PetscFunctionReturn(PETSC_SUCCESS);
    }
    PetscCheck(!ksp->errorifnotconverged, PetscObjectComm((PetscObject)ksp), PETSC_ERR_NOT_CONVERGED, "The residual b - A x stays at %g: the system is singular and inconsistent, or the tolerance is below what rounding allows", (double)*norm);
    PetscCall(PetscInfo(ksp, "The residual b - A x stays at %g: the system is singular and inconsistent, or the tolerance is below what rounding allows\n", (double)*norm));
    ksp->reason = KSP_DIVERGED_BREAKDOWN;
    PetscFunctionReturn(PETSC_SUCCESS);
  }
  PetscCall(PetscInfo(ksp, "Rounding has parted the residual from b - A x, which is %g, at iteration %" PetscInt_FMT ": starting again from there\n", (double)*norm, ksp->its));
  psdo->nrestart++;
  s->count = s->next = 0;
  s->last            = *norm;
  /* What was just formed is off by the rounding errors of A x */
  PetscCall(VecNorm(s->x, NORM_2, &s->path));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOBegin(KSP ksp, PSDOSolve *s, PetscReal *norm)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  Mat       Pmat;

  PetscFunctionBegin;
  *s = {};
  PetscCall(PCGetOperators(ksp->pc, &s->A, &Pmat));
  s->x    = ksp->vec_sol;
  s->b    = ksp->vec_rhs;
  s->r    = ksp->work[0];
  s->z    = ksp->work[1];
  s->last = -1.0;
  for (PetscInt k = 0; k < psdo->npairs; k++) {
    psdo->d[k] = psdo->dchunk[k / KSPPSDO_CHUNK][k % KSPPSDO_CHUNK];
    psdo->q[k] = psdo->qchunk[k / KSPPSDO_CHUNK][k % KSPPSDO_CHUNK];
  }
  psdo->nrestart = psdo->nreplaced = 0;
  ksp->its                         = 0;
  ksp->reason                      = KSP_CONVERGED_ITERATING;
  if (ksp->guess_zero) {
    PetscCall(VecCopy(s->b, s->r));
  } else {
    PetscCall(KSPPSDOTrueResidual(ksp, s, s->r));
    PetscCall(VecNorm(s->x, NORM_2, &s->path));
  }
  PetscCall(KSPPSDONorm(ksp, s, norm));
  if (ksp->reason) PetscFunctionReturn(PETSC_SUCCESS);
  if (ksp->guess_zero && *norm == 0.0 && ksp->normtype != KSP_NORM_NONE) {
    PetscReal rnorm;

    /* Zero solves this with any matrix but one that has entries that are not finite, and nothing else would look at it */
    PetscCall(KSPPSDOTrueResidual(ksp, s, s->r));
    PetscCall(VecNorm(s->r, NORM_2, &rnorm));
    KSPCheckNorm(ksp, rnorm);
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPSolve_PSDO(KSP ksp)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  PSDOSolve s;
  /* A monitor may change the option, which must not disturb a history that is in use */
  const PetscInt mmax = psdo->mmax;
  PetscReal      norm, top, gap = 0.0;
  PetscBool      replaced;
  PetscInt       lastreplaced = 0;

  PetscFunctionBegin;
  PetscCall(PetlapCiteLan());
  PetscCall(KSPPSDOBegin(ksp, &s, &norm));
  if (ksp->reason) PetscFunctionReturn(PETSC_SUCCESS);
  ksp->rnorm = top = norm;
  PetscCall(KSPLogResidualHistory(ksp, norm));
  PetscCall(KSPMonitor(ksp, 0, norm));
  PetscCall((*ksp->converged)(ksp, 0, norm, &ksp->reason, ksp->cnvP));
  PetscCall(KSPPSDOEmptyRows(ksp, &s));

  while (!ksp->reason) {
    PetscReal   dAd = 0.0;
    PetscScalar rd  = 0.0, alpha;

    if (ksp->its >= ksp->max_it) {
      ksp->reason = KSP_DIVERGED_ITS;
      break;
    }
    PetscCall(KSPPSDODirection(ksp, &s, &dAd, &rd));
    if (ksp->reason) break;
    alpha = rd / dAd;
    PetscCall(VecAXPY(s.x, alpha, s.z));
    PetscCall(VecAXPY(s.r, -alpha, psdo->q[s.next]));
    s.path += PetscAbsScalar(alpha) * s.dnorm;
    if (mmax > 0) {
      Vec t = psdo->d[s.next];

      psdo->d[s.next]   = s.z;
      psdo->dAd[s.next] = dAd;
      s.z               = t;
      s.count           = PetscMax(s.count, s.next + 1);
      s.next            = (s.next + 1) % mmax;
    }
    PetscCall(PetscObjectSAWsTakeAccess((PetscObject)ksp));
    ksp->its++;
    PetscCall(PetscObjectSAWsGrantAccess((PetscObject)ksp));

    replaced = PETSC_FALSE;
    if (psdo->replacement && ksp->its - lastreplaced >= psdo->replacement) {
      PetscCall(KSPPSDOReplaceResidual(ksp, &s, &gap));
      if (ksp->reason) break;
      replaced = PETSC_TRUE;
    }
    PetscCall(KSPPSDONorm(ksp, &s, &norm));
    if (ksp->reason) break;
    if (psdo->replacement && !replaced && ksp->normtype != KSP_NORM_NONE) {
      if (norm <= KSPPSDO_DROP * top) {
        PetscCall(KSPPSDOReplaceEarly(ksp, &s, &gap, &norm));
        if (ksp->reason) break;
        replaced = PETSC_TRUE;
      } else if (ksp->normtype == KSP_NORM_UNPRECONDITIONED) {
        /* Since the last replacement rounding has parted the true residual from the recursive one by about what it did before, or twice that.
           With the larger of the two the true norm stays below twice the reported one. */
        norm = PetscMax(norm, 2.0 * gap);
      }
    }
    PetscCall(KSPPSDOTest(ksp, &s, norm));
    if (ksp->reason > 0) PetscCall(KSPPSDOVerify(ksp, &s, &gap, &norm, &replaced));
    PetscCall(KSPPSDOEmptyRows(ksp, &s));
    if (replaced) lastreplaced = ksp->its;
    top = replaced ? norm : PetscMax(top, norm);
    PetscCall(KSPLogResidualHistory(ksp, norm));
    PetscCall(KSPMonitor(ksp, ksp->its, norm));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPDestroy_PSDO(KSP ksp)
{
  PetscFunctionBegin;
  PetscCall(KSPReset_PSDO(ksp));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOSetMmax_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOGetMmax_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOSetResidualReplacement_C", nullptr));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOGetResidualReplacement_C", nullptr));
  PetscCall(KSPDestroyDefault(ksp));
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPView_PSDO(KSP ksp, PetscViewer viewer)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  PetscBool isascii, isstring;

  PetscFunctionBegin;
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERASCII, &isascii));
  PetscCall(PetscObjectTypeCompare((PetscObject)viewer, PETSCVIEWERSTRING, &isstring));
  if (isascii) {
    PetscCall(PetscViewerASCIIPrintf(viewer, "  mmax=%" PetscInt_FMT " previous directions, storage for %" PetscInt_FMT " allocated\n", psdo->mmax, psdo->npairs));
    if (psdo->replacement)
      PetscCall(PetscViewerASCIIPrintf(viewer, "  residual replacement every %" PetscInt_FMT " iterations, %" PetscInt_FMT " in the last solve\n", psdo->replacement, psdo->nreplaced));
    else
      PetscCall(PetscViewerASCIIPrintf(viewer, "  no residual replacement\n"));
    if (psdo->nrestart) PetscCall(PetscViewerASCIIPrintf(viewer, "  history dropped %" PetscInt_FMT " times in the last solve\n", psdo->nrestart));
  } else if (isstring) {
    PetscCall(PetscViewerStringSPrintf(viewer, " mmax %" PetscInt_FMT " replacement %" PetscInt_FMT, psdo->mmax, psdo->replacement));
  }
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPSetFromOptions_PSDO(KSP ksp, CompatOptionItems PetscOptionsObject)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;
  PetscInt  n;
  PetscBool set;

  PetscFunctionBegin;
  PetscOptionsHeadBegin(PetscOptionsObject, "KSP PSDO options");
  PetscCall(PetscOptionsInt("-ksp_psdo_mmax", "Previous directions to orthogonalise against (0 is steepest descent)", "KSPPSDOSetMmax", psdo->mmax, &n, &set));
  if (set) PetscCall(KSPPSDOSetMmax(ksp, n));
  PetscCall(PetscOptionsInt("-ksp_psdo_residual_replacement", "Iterations between true residuals (0 is never)", "KSPPSDOSetResidualReplacement", psdo->replacement, &n, &set));
  if (set) PetscCall(KSPPSDOSetResidualReplacement(ksp, n));
  PetscOptionsHeadEnd();
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOSetMmax_PSDO(KSP ksp, PetscInt mmax)
{
  KSP_PSDO *psdo = (KSP_PSDO *)ksp->data;

  PetscFunctionBegin;
  PetscCheck(mmax >= 0, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE, "psdo cannot keep %" PetscInt_FMT " directions: give -ksp_psdo_mmax 0 (steepest descent) or more", mmax);
  psdo->mmax = mmax;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOGetMmax_PSDO(KSP ksp, PetscInt *mmax)
{
  PetscFunctionBegin;
  *mmax = ((KSP_PSDO *)ksp->data)->mmax;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOSetResidualReplacement_PSDO(KSP ksp, PetscInt k)
{
  PetscFunctionBegin;
  PetscCheck(k >= 0, PetscObjectComm((PetscObject)ksp), PETSC_ERR_ARG_OUTOFRANGE, "Interval %" PetscInt_FMT " makes no sense: give -ksp_psdo_residual_replacement 0 (never) or a number of iterations", k);
  ((KSP_PSDO *)ksp->data)->replacement = k;
  PetscFunctionReturn(PETSC_SUCCESS);
}

static PetscErrorCode KSPPSDOGetResidualReplacement_PSDO(KSP ksp, PetscInt *k)
{
  PetscFunctionBegin;
  *k = ((KSP_PSDO *)ksp->data)->replacement;
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  KSPPSDOSetMmax - Sets how many previous directions `KSPPSDO` keeps and orthogonalises each new one against

  Logically Collective

  Input Parameters:
+ ksp  - the Krylov space context
- mmax - the number of directions, n_ortho in the paper; 0 is steepest descent, each further one costs two vectors

  Options Database Key:
. -ksp_psdo_mmax <2> - the number of directions

  Level: intermediate

  Notes:
  Memory for the directions is taken in small chunks as the iteration needs them, so a large value costs nothing in a short solve.

  With any fixed preconditioner the iterates are those of `KSPFCG` with as many directions and the standard truncation.

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` when mmax is negative.

  References:
  Lan et al. 2024, section 4.1, Algorithm 1, and appendix A.4.

.seealso: `KSPPSDO`, `KSPPSDOGetMmax()`, `KSPPSDOSetResidualReplacement()`
@*/
PetscErrorCode KSPPSDOSetMmax(KSP ksp, PetscInt mmax)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(ksp, KSP_CLASSID, 1);
  PetscValidLogicalCollectiveInt(ksp, mmax, 2);
  PetscTryMethod(ksp, "KSPPSDOSetMmax_C", (KSP, PetscInt), (ksp, mmax));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  KSPPSDOGetMmax - Gets how many previous directions `KSPPSDO` keeps

  Not Collective

  Input Parameter:
. ksp - the Krylov space context, of type `KSPPSDO`

  Output Parameter:
. mmax - the number of directions

  Level: intermediate

.seealso: `KSPPSDO`, `KSPPSDOSetMmax()`
@*/
PetscErrorCode KSPPSDOGetMmax(KSP ksp, PetscInt *mmax)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(ksp, KSP_CLASSID, 1);
  PetscUseMethod(ksp, "KSPPSDOGetMmax_C", (KSP, PetscInt *), (ksp, mmax));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  KSPPSDOSetResidualReplacement - Makes `KSPPSDO` replace its recursive residual by b - A x at regular intervals

  Logically Collective

  Input Parameters:
+ ksp - the Krylov space context
- k   - iterations between replacements; 0 is never

  Options Database Key:
. -ksp_psdo_residual_replacement <0> - iterations between replacements

  Level: intermediate

  Notes:
  Each replacement costs one product with the matrix. With replacement on, the residual is also replaced when it has dropped by a factor of
  1e6, convergence is declared only on a true residual, and the unpreconditioned norm that is reported in between is never below twice the
  rounding error that the last interval added to the recursion, so that the true norm stays below twice the reported one.

  Errors:
  `PETSC_ERR_ARG_OUTOFRANGE` when k is negative.

  References:
  Lan et al. 2024, Algorithm 1 (which computes the true residual in every iteration, as k = 1 does) and appendix A.9.

.seealso: `KSPPSDO`, `KSPPSDOGetResidualReplacement()`, `KSPPSDOSetMmax()`
@*/
PetscErrorCode KSPPSDOSetResidualReplacement(KSP ksp, PetscInt k)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(ksp, KSP_CLASSID, 1);
  PetscValidLogicalCollectiveInt(ksp, k, 2);
  PetscTryMethod(ksp, "KSPPSDOSetResidualReplacement_C", (KSP, PetscInt), (ksp, k));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*@
  KSPPSDOGetResidualReplacement - Gets the interval at which `KSPPSDO` replaces its residual by the true one

  Not Collective

  Input Parameter:
. ksp - the Krylov space context, of type `KSPPSDO`

  Output Parameter:
. k - iterations between replacements, 0 when there are none

  Level: intermediate

.seealso: `KSPPSDO`, `KSPPSDOSetResidualReplacement()`
@*/
PetscErrorCode KSPPSDOGetResidualReplacement(KSP ksp, PetscInt *k)
{
  PetscFunctionBegin;
  PetscValidHeaderSpecific(ksp, KSP_CLASSID, 1);
  PetscUseMethod(ksp, "KSPPSDOGetResidualReplacement_C", (KSP, PetscInt *), (ksp, k));
  PetscFunctionReturn(PETSC_SUCCESS);
}

/*MC
  KSPPSDO = "psdo" - Preconditioned steepest descent; each direction is made A-orthogonal to the last mmax ones before an exact line search

  Options Database Keys:
+ -ksp_psdo_mmax <2>                 - previous directions kept
- -ksp_psdo_residual_replacement <0> - iterations between true residuals, 0 is never

  Level: beginner

  Notes:
  For Hermitian definite matrices (positive or negative), and for preconditioners that may be nonsymmetric or change from one
  iteration to the next: neural networks, multigrid cycles with different pre- and post-smoothing, inner iterations. With the identity
  as preconditioner and mmax >= 1 it is the conjugate gradient method; with a fixed preconditioner it is `KSPFCG` with mmax directions and
  `-ksp_fcg_truncation_type standard`, without that method's restriction to preconditioners with r'M r > 0.

  One product with the matrix, one application of the preconditioner and three reductions in each iteration. Only `Vec` operations are
  used, so it runs where the vectors live, on any number of processes.

  Left preconditioning only. Norm types: unpreconditioned (default), preconditioned, natural (only while r'M r keeps its sign), none.

  A direction that is orthogonal to the residual or has no curvature makes psdo drop its history and try the preconditioned residual, then the
  residual itself. If that fails too the reason is `KSP_DIVERGED_INDEFINITE_MAT` or, where the residual is unreachable,
  `KSP_DIVERGED_BREAKDOWN`. `-info :ksp` tells which.

  The residual is updated, not formed anew. Where rounding in the products with the matrix, times the length of the steps, is not small beside a residual that would end
  the solve (after steps along a null space, or at tolerances close to rounding), b - A x takes its place before that. If it is too large the solve starts again from it, once,
  and again as long as each start reduces it tenfold; then the reason is `KSP_DIVERGED_BREAKDOWN`, unless it exceeds the tolerance less than tenfold. For a matrix whose diagonal is not at hand, b - A x is always formed.

  References:
  Lan, Gueidon, Kaneda, Panetta, Teran: A Neural-Preconditioned Poisson Solver for Mixed Dirichlet and Neumann Boundary Conditions, ICML 2024,
  section 4.1, Algorithm 1, appendices A.3, A.4 and A.9.

.seealso: `KSPPSDOSetMmax()`, `KSPPSDOSetResidualReplacement()`, `KSPFCG`, `KSPCG`
M*/
static PetscErrorCode KSPCreate_PSDO(KSP ksp)
{
  KSP_PSDO *psdo;

  PetscFunctionBegin;
  PetscCall(PetscNew(&psdo));
  psdo->mmax        = KSPPSDO_DEFAULT_MMAX;
  psdo->replacement = KSPPSDO_DEFAULT_REPLACEMENT;
  ksp->data         = psdo;

  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_UNPRECONDITIONED, PC_LEFT, 4));
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_PRECONDITIONED, PC_LEFT, 3));
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_NATURAL, PC_LEFT, 2));
  PetscCall(KSPSetSupportedNorm(ksp, KSP_NORM_NONE, PC_LEFT, 1));

  ksp->ops->setup          = KSPSetUp_PSDO;
  ksp->ops->solve          = KSPSolve_PSDO;
  ksp->ops->reset          = KSPReset_PSDO;
  ksp->ops->destroy        = KSPDestroy_PSDO;
  ksp->ops->view           = KSPView_PSDO;
  ksp->ops->setfromoptions = KSPSetFromOptions_PSDO;
  ksp->ops->buildsolution  = KSPBuildSolutionDefault;
  ksp->ops->buildresidual  = KSPBuildResidualDefault;

  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOSetMmax_C", KSPPSDOSetMmax_PSDO));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOGetMmax_C", KSPPSDOGetMmax_PSDO));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOSetResidualReplacement_C", KSPPSDOSetResidualReplacement_PSDO));
  PetscCall(PetscObjectComposeFunction((PetscObject)ksp, "KSPPSDOGetResidualReplacement_C", KSPPSDOGetResidualReplacement_PSDO));
  PetscFunctionReturn(PETSC_SUCCESS);
}

PETSC_INTERN PetscErrorCode KSPInitialize_PSDO(void)
{
  PetscFunctionBegin;
  PetscCall(KSPRegister(KSPPSDO, KSPCreate_PSDO));
  PetscCall(PetscLogEventRegister("KSPPSDOOrtho", KSP_CLASSID, &KSP_PSDOOrtho));
  PetscFunctionReturn(PETSC_SUCCESS);
}
