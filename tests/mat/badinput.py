#!/usr/bin/env python3
"""Writes one file for each kind of bad or odd input of PetlapLoadSystem() into the given folder, and a good one per format.

Prints the names of the files in a fixed order. The system is the 5-point Laplacian on an 8x8 grid; a file differs from the good one in one
thing only.
"""
import bz2
import gzip
import lzma
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


def text(name, content, silent=False):
    if not silent:
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


def bits(values):
    """As other programs than h5py store booleans"""

    def write(file, name):
        made = h5py.h5d.create(file.id, name.encode(), h5py.h5t.STD_B8LE, h5py.h5s.create_simple((len(values),)))
        made.write(h5py.h5s.ALL, h5py.h5s.ALL, np.array(values, "u1"), h5py.h5t.NATIVE_B8)

    return write


def enumeration(values, base="i1"):
    kind = h5py.enum_dtype({"V%d" % k: int(v) for k, v in enumerate(sorted(set(values)))}, basetype=base)
    return lambda file, name: file.create_dataset(name, data=np.array(values, base), dtype=kind)


def matlab_empty(*size):
    def write(file, name):
        file[name] = np.array(size, "u8")
        file[name].attrs["MATLAB_empty"] = np.uint8(1)

    return write


def sparse_vector(file, name):
    group = file.create_group(name)
    group.attrs["MATLAB_sparse"] = np.uint64(n)
    group["jc"], group["ir"], group["data"] = np.array([0, 1], "u8"), np.array([0], "u8"), np.ones(1)


def hdf5(name, attribute=n, block=b"", **change):
    """The good file with the datasets in change replaced; None leaves one out"""
    print(name)
    sets = {"A/jc": jc, "A/ir": ir, "A/data": data, "b": b, "x": x, "dims": np.array([ny, nx], "i4")}
    for key, value in change.items():
        sets["A/" + key if key in ("jc", "ir", "data") else key] = value
    with h5py.File(path(name), "w", userblock_size=len(block)) as f:
        if sets.get("A", True) is not None:
            a = f.create_group("A")
            if attribute is not None:
                a.attrs["MATLAB_sparse"] = attribute
        for key, value in sets.items():
            if callable(value):
                value(f, key)
            elif value is not None and (key[:2] != "A/" or "A" in f):
                f[key] = value
    if block:
        with open(path(name), "r+b") as f:
            f.write(block)


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
    content = "\n".join(["%%MatrixMarket " + banner, header] + lines + [""]).encode()
    text(name, content)
    return content


def beside(name, content, suffix="_b"):
    """The matrix NAME.mtx, and the text of a vector"""
    market(name + ".mtx")
    text(name + suffix + ".mtx", content, silent=True)


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

# MATLAB's own files start with a block of text
header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\0\2IM"
for size in 512, 1024, 2048, 65536:
    hdf5("block_%d.h5" % size, block=header.ljust(size, b"\0"))
hdf5("block_zip.h5", block=b"PK\3\4".ljust(512, b"\0"))
with open(path("block_512.h5"), "rb") as f:
    good = f.read()
text("block_alone.mat", good[:512])
text("block_truncated.mat", good[: len(good) // 2])
text("matlab5.mat", b"MATLAB 5.0 MAT-file".ljust(256))

# Whole numbers of other classes
for name, kind in ("double", "f8"), ("single", "f4"), ("half", ">f2"), ("long", "g"):
    hdf5("whole_%s.h5" % name, attribute=np.array([n], kind), jc=jc.astype(kind), ir=ir.astype(kind), dims=np.array([[ny, nx]], kind), flags=np.full(n, 2, kind))
hdf5("whole_enum.h5", jc=enumeration(jc, "u2"), ir=enumeration(ir), dims=enumeration([ny, nx]), flags=enumeration([2] * n))
hdf5("whole_bits.h5", ir=bits(ir), dims=bits([ny, nx]), flags=bits([2] * n))
hdf5("griddims_double.h5", dims=None, griddims=np.array([2.0 * ny, nx]))
for name, value in ("fraction", n + 0.5), ("nan", nan), ("inf", inf), ("huge", 1e300), ("huge_single", np.float32(1e20)), ("two", np.array([n, n], "u8")):
    hdf5("attribute_%s.h5" % name, attribute=value)
for name, value in ("fraction", 7.5), ("nan", nan), ("huge", -1e300), ("zero", 0.0):
    hdf5("dims_%s.h5" % name, dims=np.array([ny, value]))
hdf5("griddims_fraction.h5", dims=None, griddims=np.array([ny + 0.5, nx]))
hdf5("dims_complex.h5", dims=np.array([ny, nx], "c16"))
hdf5("dims_empty.h5", dims=matlab_empty(1, 64))
hdf5("jc_fraction.h5", jc=changed(jc.astype("f8"), i3=0.25))
hdf5("jc_nan.h5", jc=changed(jc.astype("f8"), i64=nan))
hdf5("ir_fraction.h5", ir=changed(ir.astype("f8"), i9=1.5))
hdf5("ir_huge.h5", ir=changed(ir.astype("f8"), i9=1e17))
hdf5("ir_wide.h5", ir=changed(ir, i9=2**64 - 1))

# Numbers of other classes
hdf5("data_bool.h5", data=data > 0)
hdf5("data_bits.h5", data=bits(data > 0))
hdf5("data_enum.h5", data=enumeration(data))
for kind in "i1", ">i8", "f2", "g":
    hdf5("data_%s.h5" % kind.strip(">"), data=data.astype(kind))
hdf5("vectors_bool.h5", b=b > 0, x=bits(b > 0))
hdf5("vectors_int.h5", b=b.astype("u1"), x=x.astype("f2"))
hdf5("data_pairs.h5", data=np.zeros(nz, [("a", "f8"), ("b", "f8")]))
hdf5("data_real_twice.h5", data=np.zeros(nz, [("r", "f8"), ("r2", "f8")]))
hdf5("data_reference.h5", data=lambda f, key: f.create_dataset(key, (nz,), h5py.ref_dtype))
hdf5("b_empty.h5", b=matlab_empty(0, 0))
hdf5("b_sparse.h5", b=sparse_vector)

# Labels that cannot be used do not matter to the system
for name, value in (
    ("integer", np.full(n, 2)),
    ("fraction", changed(np.full(n, 2.0), i7=2.5)),
    ("nan", changed(np.full(n, 2.0), i63=nan)),
    ("other", changed(np.full(n, 2), i0=17)),
    ("negative", changed(np.full(n, 2), i0=-1)),
    ("text", np.array([b"2"] * n)),
    ("length", np.full(n + 1, 2)),
    ("empty", matlab_empty(0, 0)),
    ("group", lambda f, key: f.create_group(key)),
    ("link", h5py.SoftLink("/nowhere")),
    ("complex", np.full(n, 2.0, "c16")),
):
    hdf5("flags_%s.h5" % name, flags=value)

# On a small grid of other points than those of the matrix
hdf5("flags_small.h5", attribute=8, jc=np.arange(9), ir=np.arange(8), data=np.ones(8), b=b[:8], x=None, dims=None, griddims=np.array([2, 2, 2]), flags=np.full(8, 2))

hdf5("empty.h5", jc=0 * jc, ir=None, data=None)
hdf5("empty_sets.h5", jc=0 * jc, ir=ir[:0], data=data[:0])
hdf5("empty_not.h5", ir=None, data=None)

binary("empty.bin", header=(1211216, n, n, 0), lengths=[0] * n, columns=[], values=[])
binary("after_b.bin", vectors=vector(b) + b"no vector at all")
binary("after_x.bin", vectors=vector(b) + vector(x) + vector(x))
binary("after_x_byte.bin", vectors=vector(b) + vector(x) + b"\0")

for name, extra in ("entry", ["1 1 4"]), ("text", ["", "% comment", "text"]), ("zero", ["\0"]), ("blank", ["", "  \t", "% comment", " %% another", ""]):
    market("after_%s.mtx" % name, edit=lambda lines: lines + extra)
for name, value in (
    ("tiny", "1e-400"),
    ("tiny_negative", "-123.4e-99999999999999999999"),
    ("tiny_digits", "0." + 500 * "0" + "1"),
    ("denormal", "4.9e-324"),
    ("huge", "1e400"),
    ("huge_negative", "-0.0001E+99999999999999999999"),
    ("huge_digits", 400 * "9"),
    ("long_digits", 400 * "0" + "4." + 400 * "0"),
    ("shifted", "0." + 399 * "0" + "4e400"),
    ("fortran", "0.4D+01"),
    ("infinite", "-inf"),
    ("no_exponent", "4e"),
    ("comma", "4,0"),
):
    market("value_%s.mtx" % name, edit=lambda lines: ["1 1 " + value] + lines[1:])
market("comments.mtx", header="%% a comment\n\n  %% another\n%d %d %d %% sizes" % (n, n, nz), edit=lambda lines: lines[:5] + ["%", " %comment", "", lines[5] + " % at the end", lines[6] + "%"] + lines[7:])
market("comment_long.mtx", edit=lambda lines: ["%" + 5000 * "x"] + lines + ["%" + 5000 * "y"])
market("line_long.mtx", edit=lambda lines: [lines[0] + 5000 * " "] + lines[1:])
market("zero_byte.mtx", edit=lambda lines: [lines[0] + "\0 text"] + lines[1:])
market("banner_words.mtx", banner="matrix coordinate real general symmetric")
market("banner_comment.mtx", banner="matrix coordinate real general % a comment")
market("sizes_words.mtx", header="%d %d %d %d" % (n, n, nz, 1))
market("empty.mtx", header="%d %d 0" % (n, n), edit=lambda lines: [])
for name, value in ("zero", "0"), ("minus_zero", "-0.0"), ("tiny", "1e-999"), ("bad", "1"):
    market("skew_%s.mtx" % name, banner="matrix coordinate real skew-symmetric", header="%d %d 2" % (n, n), edit=lambda lines: ["1 1 " + value, "2 1 1"])
for name, end in ("dos", b"\r\n"), ("mac", b"\r"):
    text("lines_%s.mtx" % name, open(path("good.mtx"), "rb").read().replace(b"\n", end))
good = open(path("good.mtx"), "rb").read()
# Only the start of what Python's library does not write
packed = {"gz": gzip.compress(good, mtime=0), "bz2": bz2.compress(good), "xz": lzma.compress(good), "zst": b"\x28\xb5\x2f\xfd" + 20 * b"\0"}
marked = {"bom": b"\xef\xbb\xbf" + good, "utf16": b"\xff\xfe" + good.decode().encode("utf-16-le"), "utf16be": b"\xfe\xff" + good.decode().encode("utf-16-be")}
for name, content in {**packed, **marked}.items():
    text("packed.mtx." + name, content)
np.save(path("array.npy"), data)
print("array.npy")
np.savez(path("arrays.npz"), data=data)
print("arrays.npz")

dense = b"%%%%MatrixMarket matrix array real general\n%d 1\n" % n
sparse = b"%%%%MatrixMarket matrix coordinate real general\n%d 1 " % n
beside("b_good", b"%b%% comment\n%b\n%% comment\n" % (dense, b"1\n" * n))
beside("b_sparse", sparse + b"3\n1 1 1\n% comment\n2 1 1\n2 1 1\n")
beside("b_zero", sparse + b"0\n")
beside("b_after", dense + b"1\n" * (n + 1))
beside("b_sparse_after", sparse + b"1\n1 1 1\n2 1 1\n")
beside("b_huge", dense + b"1e400\n" + b"1\n" * (n - 1))
beside("b_gz", packed["gz"])
beside("b_bom", b"\xef\xbb\xbf" + dense + b"1\n" * n)
beside("b_none", b"")
beside("x_after", dense + b"1\n" * (n + 1), suffix="_x")
market("b_folder.mtx")
os.makedirs(path("b_folder_b.mtx"), exist_ok=True)
