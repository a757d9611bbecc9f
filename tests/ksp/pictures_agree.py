"""Usage: pictures_agree.py FIRST.png OTHER.png...
All pictures have the size of the first one, and no colour of a pixel differs from it by more than 2 of 255. For PNG files as libpng writes them, with 8 bits and
without interlace. Nothing but Python's own library is used."""
import struct
import sys
import zlib


def decode(filename):
    with open(filename, "rb") as f:
        data = f.read()
    place, packed = 8, b""
    while place < len(data):
        length, kind = struct.unpack(">I4s", data[place : place + 8])
        body = data[place + 8 : place + 8 + length]
        if kind == b"IHDR":
            width, height, depth, colour = struct.unpack(">IIBB", body[:10])
        elif kind == b"IDAT":
            packed += body
        place += length + 12
    size = {0: 1, 2: 3, 4: 2, 6: 4}[colour] * depth // 8
    raw, stride = zlib.decompress(packed), width * size
    before, rows = bytes(stride), []
    for y in range(height):
        kind, row = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            a, b, c = (row[x - size], before[x], before[x - size]) if x >= size else (0, before[x], 0)
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row[x] = (row[x] + (0, a, b, (a + b) // 2, nearest)[kind]) % 256
        before = row
        rows.append(bytes(row))
    return width, height, b"".join(rows)


first = decode(sys.argv[1])
bad = 0
for name in sys.argv[2:]:
    other = decode(name)
    if other[:2] != first[:2]:
        print(name + ": another size")
        bad += 1
    elif max(abs(a - b) for a, b in zip(first[2], other[2])) > 2:
        print(name + ": another picture")
        bad += 1
if len(set(first[2])) < 3:
    print(sys.argv[1] + ": nothing to see")
    bad += 1
print("the pictures agree" if not bad else "%d pictures differ" % bad)
sys.exit(bad > 0)
