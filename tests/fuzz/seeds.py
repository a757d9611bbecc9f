#!/usr/bin/env python3
"""Writes the seed corpora for load_fuzz, hsc_fuzz and weights_fuzz into three given folders; load_fuzz.cxx, tests/pc/stress.h and weights_fuzz.cxx say what the bytes mean."""
import os
import struct
import sys

folder = sys.argv[1]
os.makedirs(folder, exist_ok=True)


def seed(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


# Matrix Market
general = b"%%MatrixMarket matrix coordinate real general\n% comment\n2 2 4\n1 1 2\n1 2 -1.5\n2 1 -1e0\n2 2 +2\n"
vector = b"%%MatrixMarket matrix array real general\n2 1\n1\n0.5\n"
sparse = b"%%MatrixMarket matrix coordinate integer general\n2 1 1\n2 1 3\n"
seed("m-general", b"m" + general)
seed("m-vectors", b"m" + general + b"\0" + vector + b"\0" + sparse)
for kind in ("symmetric", "skew-symmetric", "hermitian"):
    diagonal = b"" if kind == "skew-symmetric" else b"1 1 4\n"
    seed("m-" + kind, b"m%%MatrixMarket matrix coordinate real " + kind.encode() + b"\n3 3 %d\n" % (2 + bool(diagonal)) + diagonal + b"2 1 1\n3 2 1\n")
seed("m-complex", b"m%%MatrixMarket matrix coordinate complex general\n1 1 1\n1 1 2 -3\n")
seed("m-comments", b"m%%MatrixMarket matrix coordinate real general % c\n%\n\n  % c\n2 2 2 % sizes\n1 1 1 % c\n% c\n\n2 2 1%\n\n% c\n\0" + vector + b"%\n\0" + sparse + b" \n")
seed("m-more", b"m" + general + b"1 1 1\n")
seed("m-vectors-more", b"m" + general + b"\0" + vector + b"1\n\0" + sparse + b"x")
for k, value in enumerate((b"1e-400", b"1e400", b"-0.01e99999999999999999999", b"1e-99999999999999999999", b"0." + 400 * b"0" + b"1", 400 * b"9", b"4.9e-324", b"1.5D+00", b"1e", b"+-1", b"nan", b"-inf")):
    seed("m-number%d" % k, b"m" + general.replace(b"-1.5", value))
    seed("m-skew%d" % k, b"m%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 2\n1 1 " + value + b"\n2 1 1\n")
for k, end in enumerate((b"\r\n", b"\r", b"\n\r")):
    seed("m-lines%d" % k, b"m" + general.replace(b"\n", end))
for k, start in enumerate((b"\xef\xbb\xbf", b"\x1f\x8b", b"\xff\xfe", b"PK\3\4")):
    seed("m-start%d" % k, b"m" + start + general)
    seed("m-vector-start%d" % k, b"m" + general + b"\0" + start + vector)
seed("m-long", b"m" + general + b"%" + 3000 * b"x" + b"\n")
seed("m-empty", b"m%%MatrixMarket matrix coordinate real general\n2 2 0\n")
seed("m-pattern", b"m%%MatrixMarket matrix coordinate pattern general\n1 1 1\n1 1\n")
seed("m-dense", b"m%%MatrixMarket matrix array real general\n1 1\n1\n")
seed("m-wide", b"m%%MatrixMarket matrix coordinate real general\n2147483647 2147483647 0\n")

# PETSc binary, in both index sizes
for letter, size in ("i", 4), ("q", 8):
    matrix = struct.pack(">7" + letter, 2, 2, 3, 2, 1, 0, 1) + struct.pack(">" + letter, 1) + struct.pack(">3d", 4, -1, 4)
    b = struct.pack(">2" + letter, 1211214, 2) + struct.pack(">2d", 1, 2)
    seed("b-matrix%d" % size, b"b" + matrix)
    seed("b-vectors%d" % size, b"b" + matrix + b + b)
    seed("b-more%d" % size, b"b" + matrix + b + b + b)
    seed("b-byte%d" % size, b"b" + matrix + b + b + b"\1")
    seed("b-empty%d" % size, b"b" + struct.pack(">5" + letter, 2, 2, 0, 0, 0))

# HDF5: size of the grid, what is there, edits
seed("h-plain", b"h\3\2\0\3")
seed("h-dims", b"h\3\2\1\7")
seed("h-shares", b"h\3\2\1\x17")
seed("h-flags", b"h\3\2\1\x3d")
seed("h-flags-shares", b"h\3\2\1\x37")
for block in range(4):
    seed("h-block%d" % block, b"h" + bytes([block, 0, 0, 0x47]))
# Whole numbers as double, single, long double, bits, booleans and an enumeration, in each dataset; 15, 6 and 10 of the values are a fraction, NaN and too large
for what, which in enumerate((0, 1, 5, 7)):
    for kind in 0, 8, 9, 10, 22:
        seed("h-whole%d-%d" % (what, kind), b"h\1\1\1\x35" + bytes([0, which, kind]))
    for value in 15, 6, 7, 9, 14:
        seed("h-number%d-%d" % (what, value), b"h\1\1\1\x35" + bytes([0, which, 0, 2, which, 1, value]))
# No row numbers and values, with all columns empty or not
seed("h-empty", b"h\0\0\0\0" + bytes([3, 1, 1, 0, 3, 2, 1, 0, 2, 0, 1, 0]))
seed("h-empty-not", b"h\0\0\0\0" + bytes([3, 1, 1, 0, 3, 2, 1, 0]))
seed("h-griddims", b"h\2\2\0\x0b")
for layout in range(6):
    seed("h-layout%d" % layout, b"h\2\2\0\x17" + b"".join(bytes([4, w, layout, 8]) for w in range(6)))
for kind in range(9):
    seed("h-kind%d" % kind, b"h\1\1\0\7" + bytes([3, 3, kind, 4]))
for group in range(6):
    seed("h-group%d" % group, b"h\1\1\0\3" + bytes([9, group]))
for attribute in range(8):
    seed("h-attribute%d" % attribute, b"h\1\1\0\3" + bytes([7, attribute]))
for kind in range(26):
    seed("h-type%d" % kind, b"h\1\1\0\x17" + bytes([0, 2, kind, 0, 0, kind]))
seed("h-value", b"h\1\1\0\3" + bytes([2, 2, 3, 6]))
seed("h-shape", b"h\1\1\0\3" + bytes([1, 3, 3, 2, 1, 2]))
# 4 x (2^62 + 1) numbers: the product is 4 where it overflows
seed("h-overflow", b"h\1\1\0\3" + bytes([4, 3, 3, 1, 1, 3, 2, 4, 250, 1]))
for rows in -1, 0, 2**31, 2**62:
    seed("h-rows%d" % rows, b"h\1\1\0\3" + bytes([8, 1]) + struct.pack(">q", rows))

# HDF5 cut off
for which in range(3):
    for cut in 0, 7, 100, 2000, 2048, 4000:
        seed("t-%d-%d" % (which, cut), b"t" + bytes([which]) + struct.pack(">H", cut))
    seed("r-%d" % which, b"r" + bytes([which, 0, 0, 0, 40, 7]))

# Matrices for hsc: each graph, kind of values and kind of diagonal, in a small and a larger size
folder = sys.argv[2]
os.makedirs(folder, exist_ok=True)
for graph in range(8):
    for values in range(8):
        size = 20 + 17 * ((graph + values) % 9)
        options = bytes([(37 * graph + 11 * values) % 256, 0 if values % 2 else 40, 0, values, graph, values * 4, 0, 1])
        edges = bytes((29 * k * k + 7 * k * values) % 256 for k in range(3 * (graph + 1))) if graph == 0 or values == 7 else b""
        seed("%d-%d" % (graph, values), bytes([size, graph + 56, values, (3 * graph + values) % 8]) + options + edges)

# Weight files: shapes of the network, edits
folder = sys.argv[3]
os.makedirs(folder, exist_ok=True)
for shape in range(16):
    seed("o-plain%d" % shape, b"o" + bytes([shape]))
for shape in range(4):
    seed("p-plain%d" % shape, b"p" + bytes([shape]))
    for cut in 100, 2048, 4000, 20000:
        seed("t-%d-%d" % (shape, cut), b"t" + bytes([shape]) + struct.pack(">q", cut))
for letter in b"op":
    for kind in range(9):
        seed("%c-kind%d" % (letter, kind), bytes([letter, 0, 3, kind, kind, 4]))
    for layout in range(6):
        seed("%c-layout%d" % (letter, layout), bytes([letter, 2]) + b"".join(bytes([4, w, layout, 8]) for w in range(6)))
    for value in range(16):
        seed("%c-value%d" % (letter, value), bytes([letter, 0, 2, value % 8, 3, value]))
    seed("%c-shape" % letter, bytes([letter, 0, 1, 1, 2, 9, 10]))
for attribute in range(8):
    for kind in range(6):
        seed("o-attribute%d-%d" % (attribute, kind), b"o\0" + bytes([7, attribute, kind]))
    seed("o-number%d" % attribute, b"o\0" + bytes([8, attribute, 6, 1]) + struct.pack(">q", 2**31))
    seed("o-text%d" % attribute, b"o\0" + bytes([9, attribute, 0, 255]))
