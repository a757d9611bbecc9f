# Copyright petlap authors
# SPDX-License-Identifier: BSD-2-Clause

# For Spack 1.0 and newer
from spack_repo.builtin.build_systems.cmake import CMakePackage

from spack.package import *


class Petlap(CMakePackage):
    """Laplacian and structured-grid solvers that PETSc loads as a plug-in."""

    # The homepage, the url and the checksum of a version are filled in at the release. Until then put this file into a repository of
    # your own (spack repo create, spack repo add) as packages/petlap/package.py and build a checkout from its top folder with
    #   spack dev-build petlap@main
    version("main")

    license("BSD-2-Clause")

    depends_on("c", type="build")
    depends_on("cxx", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("binutils", type="build")
    depends_on("mpi")
    depends_on("petsc@3.18: +mpi+hdf5+shared+double")
    depends_on("hdf5+mpi")

    def cmake_args(self):
        return [
            self.define("PETSC_DIR", self.spec["petsc"].prefix),
            self.define("PETSC_ARCH", ""),
            self.define("CMAKE_C_COMPILER", self.spec["mpi"].mpicc),
            self.define("CMAKE_CXX_COMPILER", self.spec["mpi"].mpicxx),
            self.define("PETLAP_TESTS", False),
            self.define("PETLAP_BENCH", False),
            self.define("PETLAP_EXAMPLES", False),
        ]

    def setup_run_environment(self, env):
        # For  -dll_append ${PETLAP_LIB}
        env.set("PETLAP_LIB", join_path(self.prefix.lib, "libpetlap.so"))
