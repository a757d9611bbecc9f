"""Eigenvalues of a Laplacian nearest to a target, by shift-and-invert with whatever direct solver the options name."""
import math
import sys

import slepc4py

slepc4py.init(sys.argv)
from petsc4py import PETSc
from slepc4py import SLEPc

nx, ny, wanted = 31, 23, 6
A = PETSc.Mat().createAIJ([nx * ny, nx * ny], nnz=5)
for row in range(nx * ny):
    i, j = row % nx, row // nx
    A[row, row] = 4.0
    if i > 0:
        A[row, row - 1] = -1.0
    if i < nx - 1:
        A[row, row + 1] = -1.0
    if j > 0:
        A[row, row - nx] = -1.0
    if j < ny - 1:
        A[row, row + nx] = -1.0
A.assemble()
A.setOption(PETSc.Mat.Option.SYMMETRIC, True)
target = 1.7
eps = SLEPc.EPS().create()
eps.setOperators(A)
eps.setProblemType(SLEPc.EPS.ProblemType.HEP)
eps.setTarget(target)
eps.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
eps.setDimensions(wanted)
eps.getST().setType(SLEPc.ST.Type.SINVERT)
eps.setFromOptions()
eps.solve()
exact = sorted((4 - 2 * math.cos(math.pi * i / (nx + 1)) - 2 * math.cos(math.pi * j / (ny + 1)) for i in range(1, nx + 1) for j in range(1, ny + 1)), key=lambda v: abs(v - target))
found = [eps.getEigenvalue(k).real for k in range(min(wanted, eps.getConverged()))]
print("package", eps.getST().getKSP().getPC().getFactorSolverType(), "eigenvalues right:", len(found) == wanted and all(abs(a - b) < 1e-8 for a, b in zip(sorted(found), sorted(exact[:wanted]))))
