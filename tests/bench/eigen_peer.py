#!/usr/bin/env python3
"""eigen_peer.py PEER FILE WANTED TOL SINGULAR [OPTION...]: times another eigensolver on a matrix in PETSc's binary format and prints the lines of bench_eigen.

PEER      mumps    SLEPc's Krylov-Schur with shift-and-invert by MUMPS' Cholesky, as SLEPc calls them
          gamg, hypre, hsc    SLEPc's LOBPCG with this preconditioner; hsc comes from -dll_append among the options
          pyamg    SciPy's LOBPCG with a smoothed aggregation V-cycle of PyAMG
WANTED    eigenvectors, lowest first, without the constant one of a matrix that is SINGULAR (1, else 0)
TOL       residual relative to the eigenvalue; that of shift-and-invert is relative in the spectrum that it iterates on"""
import glob
import os
import resource
import sys
import time
import warnings

# Debian's modules stand beside SLEPc, and are found there only where its headers are installed too
sys.path += glob.glob("/usr/lib/slepcdir/slepc*/*-real/lib/python3/dist-packages")
try:
    import numpy as np
    if sys.argv[1] == "pyamg":
        import pyamg as amg
        import scipy.sparse as sp
        from scipy.sparse.linalg import lobpcg
    else:
        import slepc4py
        slepc4py.init([sys.argv[0]] + sys.argv[6:])
        from petsc4py import PETSc
        from slepc4py import SLEPc
except ImportError as error:
    # As PETSc's error for a type that it has not
    print(f"status error 86: {error}")
    sys.exit(1)

peer, file, wanted, tol, singular = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5])


def now():
    t = os.times()
    return t.user + t.system, t.user, time.monotonic()


def show(phase, start, end):
    for clock, a, b in zip(("cpu", "user", "wall"), start, end):
        print(f"{phase}_{clock} {b - a:.6g}")


def memory():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def finish(before, setup, start, end, iterations, values, residuals, converged):
    print(f"peak_MB {memory() - before:.6g}")
    show("setup", *setup)
    show("solve", start, end)
    print(f"runs 1\niterations {iterations}\nconverged {converged}")
    for j, value in enumerate(values):
        print(f"value{j} {value:.17g}")
    print(f"residual {max(residuals):.6g}\nstatus ok")


def slepc():
    matrix = PETSc.Mat().load(PETSc.Viewer().createBinary(file, "r"))
    matrix.setOption(PETSc.Mat.Option.SYMMETRIC, True)
    print(f"rows {matrix.size[0]}")
    before, start = memory(), now()
    eps = SLEPc.EPS().create()
    eps.setOperators(matrix)
    eps.setProblemType(SLEPc.EPS.ProblemType.HEP)
    eps.setDimensions(wanted)
    eps.setTolerances(tol, 1000)
    st = eps.getST()
    right = matrix.createVecRight()
    if singular:
        right.set(1.0)
        right.normalize()
        eps.setDeflationSpace([right.copy()])
    if peer == "mumps":
        st.setType("sinvert")
        ksp = st.getKSP()
        ksp.setType("preonly")
        ksp.getPC().setType("cholesky")
        ksp.getPC().setFactorSolverType("mumps")
        eps.setWhichEigenpairs(SLEPc.EPS.Which.TARGET_MAGNITUDE)
        # A singular matrix has no factors. A target a bit below zero costs nothing.
        eps.setTarget(-1e-3 / matrix.size[0] if singular else 0.0)
    else:
        eps.setType("lobpcg")
        eps.setWhichEigenpairs(SLEPc.EPS.Which.SMALLEST_REAL)
        st.setType("precond")
        st.getKSP().setType("preonly")
        st.getKSP().getPC().setType(peer)
    eps.setFromOptions()
    eps.setUp()
    st.getKSP().setUp()
    middle = now()
    eps.solve()
    end = now()
    values, residuals = [], []
    image = right.duplicate()
    for j in range(min(wanted, eps.getConverged())):
        values.append(eps.getEigenpair(j, right).real)
        matrix.mult(right, image)
        image.axpy(-values[-1], right)
        residuals.append(image.norm() / right.norm() / values[-1])
    finish(before, (start, middle), middle, end, eps.getIterationNumber(), values, residuals or [1.0], len(values))


def pyamg():
    head = np.fromfile(file, ">i4", 4)
    n, nnz = int(head[1]), int(head[3])
    with open(file, "rb") as f:
        f.seek(16)
        lengths = np.fromfile(f, ">i4", n)
        columns = np.fromfile(f, ">i4", nnz).astype(np.int32)
        data = np.fromfile(f, ">f8", nnz).astype(float)
    matrix = sp.csr_matrix((data, columns, np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)), shape=(n, n))
    print(f"rows {n}")
    before, start = memory(), now()
    levels = amg.smoothed_aggregation_solver(matrix, B=np.ones((n, 1)), symmetry="symmetric", coarse_solver="pinv" if singular else "cholesky")
    middle = now()
    block = np.random.RandomState(0).rand(n, wanted + 3)
    fixed = np.ones((n, 1)) if singular else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It has one absolute tolerance for all residuals, and stops when the vectors that are not wanted are right as well. So it is asked for less and less.
        iterations, absolute, done = 0, None, False
        operator = levels.aspreconditioner()
        for _ in range(20):
            values, block, history = lobpcg(matrix, block, M=operator, Y=fixed, tol=absolute or 1e-3, maxiter=5, largest=False, retResidualNormsHistory=True)
            iterations += len(history) - 1
            order = np.argsort(values)
            values, block = values[order], block[:, order]
            residuals = np.linalg.norm(matrix @ block - block * values, axis=0)
            if (residuals[:wanted] <= tol * values[:wanted]).all():
                done = True
                break
            absolute = 0.5 * tol * values[0]
    end = now()
    relative = residuals[:wanted] / values[:wanted]
    finish(before, (start, middle), middle, end, iterations, values[:wanted], relative, wanted if done else int((relative <= tol).sum()))


if peer == "pyamg":
    pyamg()
else:
    slepc()
