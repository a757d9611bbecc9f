# A short way through a checkout: each target installs the Debian packages it needs (share/setup.sh), configures, builds and runs.
# The build itself is CMake's; `cmake --preset release` and so on work without this file.
#
#   make lib       libpetlap.so in build/lib
#   make demo      solves the shipped systems
#   make check     builds everything and runs the tests
#   make bench     the benchmarks
#   make train     trains the weights of the neural preconditioner anew, into the build folder; TRAIN=... are further options
#   make install PREFIX=/usr/local
#   make clean     removes the build folders
#
# Variables: PETSC_DIR and PETSC_ARCH (the system's PETSc without them), PRESET, BUILD, CMAKE_FLAGS, JOBS, TEST_JOBS.

MAKEFLAGS   += --no-print-directory
PRESET      ?= release
BUILD       ?= $(if $(filter release,$(PRESET)),build,build-$(PRESET))
PREFIX      ?= /usr/local
JOBS        ?= $(shell nproc)
# Processes wait for each other while MPI starts and ends
TEST_JOBS   ?= $(shell expr 2 '*' $$(nproc))
CMAKE_FLAGS ?=

# Open MPI refuses to run as root, and to start more processes than there are cores, unless told otherwise
ifeq ($(shell id -u),0)
export OMPI_ALLOW_RUN_AS_ROOT=1
export OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
endif
export OMPI_MCA_rmaps_base_oversubscribe=1

configure = cmake --preset $(PRESET) -B $(BUILD) $(if $(PETSC_DIR),-DPETSC_DIR="$(PETSC_DIR)" -DPETSC_ARCH="$(PETSC_ARCH)") $(1) $(CMAKE_FLAGS)
# The tests need more packages than the library does, so a first build of the library leaves them out
untested  = $(if $(wildcard $(BUILD)/CMakeCache.txt),,-DPETLAP_TESTS=OFF -DPETLAP_BENCH=OFF)

lib:
	@share/setup.sh lib
	$(call configure,$(untested))
	cmake --build $(BUILD) -j$(JOBS) --target petlap

demo:
	@share/setup.sh lib demo
	$(call configure,$(untested))
	cmake --build $(BUILD) -j$(JOBS)
	BUILD=$(BUILD) examples/solve/demo.sh

check:
	@share/setup.sh lib demo check
	$(call configure,-DPETLAP_TESTS=ON -DPETLAP_BENCH=$(if $(filter release,$(PRESET)),ON,OFF))
	cmake --build $(BUILD) -j$(JOBS)
	ctest --test-dir $(BUILD) --output-on-failure --no-tests=error -j$(TEST_JOBS)

bench:
	@share/setup.sh lib demo
	$(call configure,-DPETLAP_BENCH=ON)
	cmake --build $(BUILD) -j$(JOBS)
	BUILD=$(BUILD) tests/bench/run

train:
	@share/setup.sh lib
	$(call configure,-DPETLAP_TRAIN=ON)
	cmake --build $(BUILD) -j$(JOBS) --target train
	BUILD=$(BUILD) nn_weights/train/recipe $(TRAIN)

install: lib
	cmake --install $(BUILD) --prefix $(PREFIX)

clean:
	rm -rf build build-*

.PHONY: lib demo check bench train install clean
