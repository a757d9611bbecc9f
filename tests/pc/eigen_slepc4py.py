"""eigen_slepc4py.py LIBRARY KIND [OPTION...]: hsc's eigenvectors beside LAPACK's and SLEPc's, and SLEPc's eigensolvers that begin with hsc's initial space.

petlap's functions are called through ctypes: petsc4py hands out the addresses of its objects. KIND is graph or torus."""
import ctypes
import sys

import slepc4py

slepc4py.init(sys.argv)
import numpy as np
from petsc4py import PETSc
from slepc4py import SLEPc

lib = ctypes.CDLL(sys.argv[1])
integer = {4: ctypes.c_int32, 8: ctypes.c_int64}[np.dtype(PETSc.IntType).itemsize]
lib.PCHSCComputeInitialSpace.argtypes = [ctypes.c_void_p, integer, ctypes.POINTER(ctypes.c_void_p)]
lib.PCHSCComputeEigenvectors.argtypes = [ctypes.c_void_p, integer, ctypes.POINTER(ctypes.c_double), ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(ctypes.c_double), ctypes.POINTER(integer)]


def call(function, *arguments):
    error = function(*arguments)
    if error:
        raise PETSc.Error(error)


def handles(vectors):
    return (ctypes.c_void_p * len(vectors))(*[v.handle for v in vectors])


random = np.random.RandomState(3)
if sys.argv[2] == "graph":
    n = 700
    edges = {(i, random.randint(i)): 10.0**random.uniform(-2, 1) for i in range(1, n) for _ in range(3)}
else:
    # A torus of triangles
    nu, nv = 40, 30
    n = nu * nv
    edges = {}
    for j in range(nv):
        for i in range(nu):
            for u, v in ((i + 1, j), (i, j + 1), (i + 1, j + 1)):
                edges[j * nu + i, v % nv * nu + u % nu] = 1.0
dense = np.zeros((n, n))
for (i, j), w in edges.items():
    dense[i, j] -= w
    dense[j, i] -= w
dense -= np.diag(dense.sum(axis=1))
lapack = np.linalg.eigvalsh(dense)
A = PETSc.Mat().createAIJ([n, n], nnz=[int((dense[i] != 0.0).sum()) for i in range(n)])
for i, j in zip(*dense.nonzero()):
    A[i, j] = dense[i, j]
A.assemble()
A.setOption(PETSc.Mat.Option.SYMMETRIC, True)

wanted = 6
pc = PETSc.PC().create()
pc.setType("hsc")
pc.setOperators(A)
pc.setFromOptions()
vectors = [A.createVecRight() for _ in range(wanted + 1)]
values, converged = (ctypes.c_double * (wanted + 1))(), integer()
call(lib.PCHSCComputeEigenvectors, pc.handle, wanted + 1, values, handles(vectors), None, ctypes.byref(converged))
print("LAPACK's eigenvalues:", converged.value == wanted + 1 and bool(np.allclose(values, lapack[:wanted + 1], rtol=1e-10, atol=1e-13)))


def slepc(kind, start):
    eps = SLEPc.EPS().create()
    eps.setOperators(A)
    eps.setProblemType(SLEPc.EPS.ProblemType.HEP)
    eps.setType(kind)
    eps.setDimensions(wanted)
    eps.setTolerances(1e-8, 500)
    constant = A.createVecRight()
    constant.set(1.0)
    constant.normalize()
    eps.setDeflationSpace([constant])
    eps.setWhichEigenpairs(SLEPc.EPS.Which.SMALLEST_REAL)
    st = eps.getST()
    st.setType("precond")
    st.getKSP().setType("preonly")
    st.getKSP().getPC().setType("hsc")
    eps.setFromOptions()
    if start:
        space = [A.createVecRight() for _ in range(wanted + 1)]
        call(lib.PCHSCComputeInitialSpace, pc.handle, wanted + 1, handles(space))
        # The first one is the constant
        eps.setInitialSpace(space[1:])
    eps.solve()
    found = [eps.getEigenvalue(j).real for j in range(min(wanted, eps.getConverged()))]
    right = len(found) == wanted and bool(np.allclose(found, lapack[1 : wanted + 1], rtol=1e-7))
    return right, eps.getIterationNumber()


for kind in ("lobpcg", "gd"):
    (right, few), (random_right, many) = slepc(kind, True), slepc(kind, False)
    print(f"{kind}: right {right and random_right}, hardly more iterations from the initial space: {few <= 1.2 * many} ({few}, {many})")
