"""Solves a Poisson problem with whatever solver the options name."""
import sys

import petsc4py

petsc4py.init(sys.argv)
from petsc4py import PETSc

n = 30
A = PETSc.Mat().createAIJ([n * n, n * n], nnz=5)
for row in range(n * n):
    i, j = row % n, row // n
    A[row, row] = 4.0
    if i > 0:
        A[row, row - 1] = -1.0
    if i < n - 1:
        A[row, row + 1] = -1.0
    if j > 0:
        A[row, row - n] = -1.0
    if j < n - 1:
        A[row, row + n] = -1.0
A.assemble()
x, b = A.createVecs()
x.set(1.0)
A.mult(x, b)
ksp = PETSc.KSP().create()
ksp.setOperators(A)
ksp.setTolerances(rtol=1e-10)
ksp.setFromOptions()
ksp.solve(b, x)
x.shift(-1.0)
print(ksp.getType(), "converged:", ksp.getConvergedReason() > 0 and x.norm() < 1e-6)
