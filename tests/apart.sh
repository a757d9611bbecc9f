#!/usr/bin/env bash
# Usage: apart.sh COMMAND...; gives Open MPI a folder of its own: processes that start without the launcher all have the same name, so tests that run at the same time would share files
OMPI_MCA_orte_tmpdir_base=$(mktemp -d)
export OMPI_MCA_orte_tmpdir_base
trap 'rm -rf "$OMPI_MCA_orte_tmpdir_base"' EXIT
"$@"
