"""Usage: picture.py DEBLUR
Pictures that are known to the last bit go through the example deblur, which is told to leave them as they are, and files that are no pictures are
refused by name. Nothing but Python's own library is used."""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

program = os.path.abspath(sys.argv[1])
bad = 0


def verdict(name, good, text=""):
    global bad
    bad += not good
    print(("ok - " if good else "not ok - ") + name + ("" if good else "\n" + text))


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def encode(width, height, channels, pixels):
    rows = b"".join(b"\0" + bytes(pixels[j * width * channels:(j + 1) * width * channels]) for j in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, {1: 0, 2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def decode(data):
    at, packed = 8, b""
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        if name == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", data[at + 8:at + 18])
        if name == b"IDAT":
            packed += data[at + 8:at + 8 + length]
        at += length + 12
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    raw, stride, out = zlib.decompress(packed), width * channels, []
    assert depth == 8
    before = [0] * stride
    for j in range(height):
        kind, row = raw[j * (stride + 1)], list(raw[j * (stride + 1) + 1:(j + 1) * (stride + 1)])
        for k in range(stride):
            a, b, c = (row[k - channels] if k >= channels else 0), before[k], (before[k - channels] if k >= channels else 0)
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            row[k] = (row[k] + (0, a, b, (a + b) // 2, nearest)[kind]) % 256
        out += row
        before = row
    return width, height, channels, out


def run(*arguments):
    p = subprocess.run([program, "-amount", "0", "-times", "1", "-pc_factor_mat_solver_type", "petsc", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def same(name, arguments, expected):
    status, text = run(*arguments)
    files = ["blurred.png", "restored.png"]
    good = status == 0 and all(decode(open(f, "rb").read()) == expected for f in files)
    verdict(name, good, text)


def refused(name, arguments, *words):
    status, text = run(*arguments)
    verdict(name, status != 0 and all(w in text for w in words) and "Caught signal" not in text, text)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    width, height = 13, 7
    pixels = {c: [(37 * k + k * k // 5) % 256 for k in range(width * height * c)] for c in (1, 2, 3, 4)}
    pictures = {c: encode(width, height, c, pixels[c]) for c in pixels}
    for c in pictures:
        open(f"{c}.png", "wb").write(pictures[c])
    same("grey", ["-image", "1.png"], (width, height, 1, pixels[1]))
    same("colour", ["-image", "3.png"], (width, height, 3, pixels[3]))
    for c in (2, 4):
        opaque = [255 if k % c == c - 1 else v for k, v in enumerate(pixels[c])]
        open("opaque.png", "wb").write(encode(width, height, c, opaque))
        same(f"{c} channels, opaque", ["-image", "opaque.png"], (width, height, c - 1, [v for k, v in enumerate(opaque) if k % c < c - 1]))
        clear = [0] * (width * height * c)
        open("clear.png", "wb").write(encode(width, height, c, clear))
        same(f"{c} channels, transparent", ["-image", "clear.png"], (width, height, c - 1, [255] * (width * height * (c - 1))))
    means = [(sum(pixels[3][((2 * j + y) * width + 2 * i + x) * 3 + c] for y in (0, 1) for x in (0, 1)) + 2) // 4 for j in range(height // 2) for i in range(width // 2) for c in range(3)]
    same("half the size", ["-image", "3.png", "-shrink", "2"], (width // 2, height // 2, 3, means))

    refused("a file that is not there", ["-image", "nothing.png"], "nothing.png cannot be read as a PNG picture")
    open("text.png", "w").write("no picture\n" * 9)
    refused("a text", ["-image", "text.png"], "text.png cannot be read as a PNG picture")
    open("empty.png", "w")
    refused("an empty file", ["-image", "empty.png"], "empty.png cannot be read as a PNG picture")
    refused("a folder", ["-image", "."], ". cannot be read as a PNG picture")
    open("short.png", "wb").write(pictures[3][:len(pictures[3]) * 2 // 3])
    refused("a truncated file", ["-image", "short.png"], "short.png is damaged")
    huge = bytearray(pictures[1])
    huge[16:33] = struct.pack(">IIBBBBB", 900000, 900000, 8, 0, 0, 0, 0) + struct.pack(">I", zlib.crc32(b"IHDR" + struct.pack(">IIBBBBB", 900000, 900000, 8, 0, 0, 0, 0)))
    open("huge.png", "wb").write(huge)
    refused("more pixels than anyone has", ["-image", "huge.png"], "huge.png has 900000 x 900000 pixels")
    refused("too small for -shrink", ["-image", "3.png", "-shrink", "8"], "cannot be made smaller by the factor 8")
    refused("a folder that is not there", ["-image", "3.png", "-restored", "nowhere/r.png"], "nowhere/r.png cannot be written")
    refused("a blur that cannot be undone", ["-image", "3.png", "-amount", "0.5"], "-amount 0.5")
sys.exit(bad > 0)
