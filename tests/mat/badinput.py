#!/usr/bin/env python3
"""Writes one file for each kind of bad input of PetlapLoadSystem() into the given folder, and a good one per format.

Prints the names of the files in a fixed order. The system is the 5-point Laplacian on an 8x8 grid; a bad file differs from the good one in one
thing only.
"""
import os
import struct
import sys

import h5py
import numpy as np

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)
nx = ny = 8
n = nx * ny


def path(name):
    return os.path.join(folder, name)


def laplacian():
    """Columns of the (symmetric) matrix: starts, rows, values"""
    jc, ir, data = [0], [], []
    for j in range(ny):
        for i in range(nx):
            for dj, di in (-1, 0), (0, -1), (0, 0), (0, 1), (1, 0):
                if 0 <= i + di < nx and 0 <= j + dj < ny:
                    ir.append(i + di + nx * (j + dj))
                    data.append(-1.0 if di or dj else 4.0)
            jc.append(len(ir))
    return np.array(jc, "u8"), np.array(ir, "u8"), np.array(data)


jc, ir, data = laplacian()
nz = len(ir)
b = np.ones(n)
x = np.full(n, 0.5)


def changed(values, **at):
    """A copy with some values replaced: changed(b, i3=nan) replaces b[3]"""
    values = values.copy()
    for name, value in at.items():
        values[int(name[1:])] = value
    return values


# Every writer prints the name, so that the order of the calls is the order of the cases


def text(name, content):
    print(name)
    with open(path(name), "wb") as f:
        f.write(content)


def unwritten(file, name, shape, dtype):
    """A dataset that takes its space in the file, which the file system need not provide because nothing is written"""
    create = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    create.set_layout(h5py.h5d.CONTIGUOUS)
    create.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    create.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.py_create(np.dtype(dtype)), h5py.h5s.create_simple(shape), create)


def hdf5(name, attribute=n, **change):
    """The good file with the datasets in change replaced; None leaves one out"""
    print(name)
    sets = {"A/jc": jc, "A/ir": ir, "A/data": data, "b": b, "x": x, "dims": np.array([ny, nx], "i4")}
    for key, value in change.items():
        sets["A/" + key if key in ("jc", "ir", "data") else key] = value
    with h5py.File(path(name), "w") as f:
        if sets.get("A", True) is not None:
            a = f.create_group("A")
            if attribute is not None:
                a.attrs["MATLAB_sparse"] = attribute
        for key, value in sets.items():
            if callable(value):
                value(f, key)
            elif value is not None and (key[:2] != "A/" or "A" in f):
                f[key] = value


def integers(values, size=4):
    return struct.pack(">%d%s" % (len(values), "i" if size == 4 else "q"), *[int(v) for v in values])


def reals(values):
    return struct.pack(">%dd" % len(values), *values)


def binary(name, header=(1211216, n, n, nz), lengths=np.diff(jc.astype("i8")), columns=ir, values=data, vectors=b"", size=4, cut=None):
    content = integers(header, size) + integers(lengths, size) + integers(columns, size) + reals(values) + vectors
    text(name, content[:cut])


def vector(values, length=None):
    return integers([1211214, len(values) if length is None else length]) + reals(values)


def market(name, banner="matrix coordinate real general", header="%d %d %d" % (n, n, nz), edit=None, lower=False):
    """edit changes the list of lines with the entries"""
    column = np.repeat(np.arange(n), np.diff(jc.astype("i8")))
    lines = ["%d %d %.17g" % (r + 1, c + 1, v) for r, c, v in zip(ir, column, data) if not lower or r >= c]
    if edit:
        lines = edit(lines)
    text(name, "\n".join(["%%MatrixMarket " + banner, header] + lines + [""]).encode())


nan, inf = float("nan"), float("inf")

print("missing.h5")
print("folder")
os.makedirs(path("folder"), exist_ok=True)
text("empty", b"")
text("garbage.txt", b"This file holds no linear system.\n")
text("short", b"%%Mat")

hdf5("good.h5")
with open(path("good.h5"), "rb") as f:
    good = f.read()
text("truncated.h5", good[: len(good) // 2])
hdf5("no_A.h5", A=None)
hdf5("no_attribute.h5", attribute=None)
hdf5("attribute_text.h5", attribute="64")
hdf5("rows_zero.h5", attribute=0)
hdf5("not_square.h5", attribute=n, jc=jc[:-1])
hdf5("no_jc.h5", jc=None)
hdf5("no_ir.h5", ir=None)
hdf5("jc_first.h5", jc=changed(jc, i0=1))
hdf5("jc_last.h5", jc=changed(jc, i64=nz - 1))
hdf5("jc_decreases.h5", jc=changed(jc, i10=jc[9] - 1))
hdf5("ir_range.h5", ir=changed(ir, i5=n))
hdf5("ir_short.h5", ir=ir[:-1])
hdf5("ir_text.h5", ir=np.array([b"1"] * nz))
hdf5("data_text.h5", data=np.array([b"1.0"] * nz))
hdf5("data_nan.h5", data=changed(data, i7=nan))
hdf5("data_complex.h5", data=data.astype("c16"))
hdf5("b_nan.h5", b=changed(b, i3=nan))
hdf5("x_inf.h5", x=changed(x, i2=inf))
hdf5("b_length.h5", b=b[:-1])
hdf5("b_group.h5", b=lambda f, key: f.create_group(key))
hdf5("b_link.h5", b=h5py.SoftLink("/nowhere"))
hdf5("b_overflow.h5", b=lambda f, key: f.create_dataset(key, (n, 2**58 + 1), "f8", chunks=(1, 1), maxshape=(None, None)))
hdf5("dims_product.h5", dims=np.array([ny, nx + 1]))
hdf5("dims_four.h5", dims=np.array([2, 4, 4, 2]))
hdf5("dims_negative.h5", dims=np.array([-ny, -nx]))
hdf5("griddims_product.h5", dims=None, griddims=np.array([ny, nx - 1]))
hdf5("unstored.h5", data=lambda f, key: f.create_dataset(key, (2**30,), "f8", chunks=(2**17,)))
for name, many in ("too_many.h5", 2**40), ("memory.h5", 2**31 - 1):
    hdf5(name, jc=changed(jc, i64=many), ir=lambda f, key: unwritten(f, key, (many,), "u1"), data=lambda f, key: unwritten(f, key, (many,), "i1"))

binary("good.bin", vectors=vector(b) + vector(x))
binary("truncated.bin", cut=16 + 4 * n + 100)
binary("dense.bin", header=(1211216, n, n, -1))
binary("not_square.bin", header=(1211216, n, n + 1, nz))
binary("row_lengths.bin", lengths=[4] + [5] * (n - 1), header=(1211216, n, n, nz))
binary("column_range.bin", columns=changed(ir.astype("i8"), i5=n))
binary("column_order.bin", columns=changed(ir.astype("i8"), i0=1, i1=0))
binary("nan.bin", values=changed(data, i7=nan))
binary("b_length.bin", vectors=vector(b[:-1]))
binary("b_nan.bin", vectors=vector(changed(b, i3=nan)))
binary("x_inf.bin", vectors=vector(b) + vector(changed(x, i2=inf)))
binary("after_matrix.bin", vectors=b"no vector at all")
binary("index64.bin", size=8)

market("good.mtx")
market("truncated.mtx", edit=lambda lines: lines[:-1] + [lines[-1][:-3]])
market("ends_early.mtx", edit=lambda lines: lines[:-1])
market("no_sizes.mtx", header="% only a comment", edit=lambda lines: [])
market("pattern.mtx", banner="matrix coordinate pattern general")
market("complex.mtx", banner="matrix coordinate complex general")
market("unknown.mtx", banner="matrix coordinate real diagonal")
market("array.mtx", banner="matrix array real general", header="%d %d" % (n, 1), edit=lambda lines: ["1"] * n)
market("not_square.mtx", header="%d %d %d" % (n, n + 1, nz))
market("index_range.mtx", edit=lambda lines: ["65 1 1"] + lines[1:])
market("index_zero.mtx", edit=lambda lines: ["0 1 1"] + lines[1:])
market("both_triangles.mtx", banner="matrix coordinate real symmetric")
market("nan.mtx", edit=lambda lines: ["1 1 nan"] + lines[1:])
market("garbage_line.mtx", edit=lambda lines: lines[:3] + ["one two three"] + lines[4:])
market("too_many.mtx", header="%d %d %d" % (n, n, 2000000000))
market("too_wide.mtx", header="%d %d %d" % (2000000000, 2000000000, nz))
market("too_few.mtx", header="%d %d %d" % (n, n, nz + 100))
market("b_length.mtx")
with open(path("b_length_b.mtx"), "w") as f:
    f.write("%%%%MatrixMarket matrix array real general\n%d 1\n" % (n - 1) + "1\n" * (n - 1))
market("symmetric.mtx", banner="matrix coordinate real symmetric", header="%d %d %d" % (n, n, (nz + n) // 2), lower=True)
