#!/usr/bin/env python3
"""picture.py PICTURE.png PICTURE.ppm: from PNG with 8 bits, grey or colour, not interlaced, to binary PPM, with Python alone."""
import struct
import sys
import zlib


def read(name):
    with open(name, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        sys.exit(f"{name} is not a PNG file")
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place:place + 8])
        body = data[place + 8:place + 8 + length]
        if kind == b"IHDR":
            width, height, bits, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        elif kind == b"IDAT":
            packed += body
        place += 12 + length
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour)
    if bits != 8 or interlace or not channels:
        sys.exit(f"{name}: only pictures with 8 bits in a channel, without palette and interlace, are read")
    raw, size = zlib.decompress(packed), width * channels
    rows, above = [], bytearray(size)
    for y in range(height):
        kind, row = raw[y * (size + 1)], bytearray(raw[y * (size + 1) + 1:(y + 1) * (size + 1)])
        for i in range(size):
            left = row[i - channels] if i >= channels else 0
            corner = above[i - channels] if i >= channels else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[i]
            elif kind == 3:
                guess = (left + above[i]) // 2
            elif kind == 4:
                p = left + above[i] - corner
                guess = min((abs(p - left), 0, left), (abs(p - above[i]), 1, above[i]), (abs(p - corner), 2, corner))[2]
            else:
                break
            row[i] = (row[i] + guess) & 255
        rows.append(row)
        above = row
    grey = channels < 3
    return width, height, bytes(row[x * channels + (0 if grey else c)] for row in rows for x in range(width) for c in range(3))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    width, height, pixels = read(sys.argv[1])
    with open(sys.argv[2], "wb") as file:
        file.write(b"P6\n%d %d\n255\n" % (width, height) + pixels)


main()
