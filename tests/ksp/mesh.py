"""Usage: mesh.py DENOISE GEODESIC
Meshes in files, sound and damaged: the sound ones give known distances and come out as they went in, the damaged ones are refused with the name of the
file and the place. Nothing but Python's own library is used."""
import os
import subprocess
import sys
import tempfile

denoise, geodesic = (os.path.abspath(p) for p in sys.argv[1:3])
bad = 0
cube = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def verdict(name, good, text=""):
    global bad
    bad += not good
    print(("ok - " if good else "not ok - ") + name + ("" if good else "\n" + text))


def run(program, *arguments):
    p = subprocess.run([program, "-pc_type", "jacobi", "-malloc_dump", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return p.returncode, p.stdout


def write(name, text):
    with open(name, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    return name


def accepted(name, filename, text, *words, arguments=()):
    status, output = run(geodesic, "-mesh", write(filename, text), *arguments)
    # "[ 0]" is the beginning of what -malloc_dump finds
    verdict(name, status == 0 and all(w in output for w in words) and "[ 0]" not in output, output)


def refused(name, filename, text, *words, arguments=()):
    # The programs share the reader, and most of the time goes into ending MPI after an error
    status, output = run(geodesic, "-mesh", write(filename, text) if text is not None else filename, *arguments)
    verdict(name, status != 0 and all(w in output for w in words) and "Caught signal" not in output and "AddressSanitizer" not in output and "runtime error" not in output, output)


def off(vertices, faces, header="OFF", counts=None):
    nv, nf = counts or (len(vertices), len(faces))
    return f"{header}\n{nv} {nf} 0\n" + "".join(" ".join(map(str, v)) + "\n" for v in vertices) + "".join(f"{len(f)} " + " ".join(map(str, f)) + "\n" for f in faces)


def obj(vertices, faces):
    return "".join("v " + " ".join(map(str, v)) + "\n" for v in vertices) + "".join("f " + " ".join(f) + "\n" for f in faces)


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    expected = "8 vertices, 12 triangles\n"
    status, reference = run(geodesic, "-mesh", write("cube.off", off(cube, quads)))
    distances = open("distance.vtk").read()
    verdict("a cube of squares", status == 0 and expected in reference and "SCALARS distance" in distances, reference)

    def same(name, filename, text):
        accepted(name, filename, text, expected)
        verdict(name + ", same distances", open("distance.vtk").read() == distances)

    same("counts on the first line", "line.off", off(cube, quads).replace("OFF\n", "OFF ", 1))
    same("no word OFF", "none.off", off(cube, quads)[4:])
    same("colours", "colour.off", off([v + (255, 0, 0, 255) for v in cube], quads, "COFF"))
    same("comments, empty lines and Windows", "dos.off", off(cube, quads).replace("\n", " # text\n\n").replace("\n", "\r\n"))
    same("OBJ", "cube.obj", obj(cube, [[str(i + 1) for i in f] for f in quads]))
    same("OBJ with textures and normals", "full.OBJ", "o cube\nvn 0 0 1\nvt 0 0\n" + obj(cube, [[f"{i + 1}/1/1" for i in quads[0]]] + [[f"{i + 1}//1" for i in f] for f in quads[1:]]))
    same("OBJ counted backwards", "back.obj", obj(cube, [[str(i - 8) for i in f] for f in quads]))
    same("OBJ with long lines", "long.obj", obj(cube, [[str(i + 1) for i in f] for f in quads]).replace(" 4 ", " \\\n4 "))
    accepted("lone vertices", "lone.off", off(cube + [(9, 9, 9)] * 3, quads), "11 vertices, 12 triangles, 3 vertices out of reach")
    verdict("lone vertices are at -1", open("distance.vtk").read().split("default\n")[1].split()[8:] == ["-1"] * 3)
    two = off(cube + [(x + 5, y, z) for x, y, z in cube], quads + [tuple(i + 8 for i in f) for f in quads])
    accepted("another part", "two.off", two, "16 vertices, 24 triangles, 8 vertices out of reach")
    accepted("sources in two parts", "two.off", two, "16 vertices, 24 triangles\n", arguments=("-source", "0,8,0"))
    values = [float(v) for v in open("distance.vtk").read().split("default\n")[1].split()]
    verdict("both parts have the same distances", max(abs(a - b) for a, b in zip(values[:8], values[8:])) < 1e-6 and values[0] == 0.0)
    accepted("faces without surface", "flat.off", off(cube, quads + [(1, 1, 2), (3,), (4, 5)]), "12 triangles, 3 without surface left out")
    accepted("equal points", "equal.off", off(cube + [cube[7]], quads + [(7, 8, 5)]), "9 vertices, 13 triangles", arguments=("-weights", "cotan"))
    accepted("three faces at an edge", "fin.off", off(cube + [(-1, -1, 0.5)], quads + [(0, 1, 8)]), "9 vertices, 13 triangles")
    accepted("small", "small.off", off([tuple(1e-20 * c for c in v) for v in cube], quads), expected)
    accepted("large", "large.off", off([tuple(1e29 * c for c in v) for v in cube], quads), expected)

    status, output = run(denoise, "-mesh", "cube.off", "-t", "1e-9", "-denoised", "again.off", "-noisy", "noisy.off")
    verdict("written and read again", status == 0 and open("noisy.off").read().splitlines()[:10] == open("cube.off").read().replace("8 6 0", "8 12 0").splitlines()[:10], output)
    accepted("the written one", "again2.off", open("noisy.off").read(), expected)
    verdict("the written one, same distances", open("distance.vtk").read() == distances)

    refused("a file that is not there", "nothing.off", None, "nothing.off is no file that can be read")
    os.mkdir("folder.off")
    refused("a folder", "folder.off", None, "folder.off is no file")
    refused("an unknown ending", "cube.stl", "solid", "neither sphere, torus or knot nor a file")
    refused("empty", "empty.off", "", "empty.off is empty")
    refused("empty OBJ", "empty.obj", "", "empty.obj has no vertices")
    refused("binary", "binary.off", b"OFF BINARY\n\0\0\0\1", "binary.off is no text")
    refused("four dimensions", "four.off", "4OFF\n1 0 0\n0 0 0 0\n", "four.off, line 1: does not begin with OFF")
    refused("another text", "text.off", "hello\n", "text.off, line 1: does not begin with OFF")
    refused("only the word", "word.off", "OFF", "the numbers of vertices and faces are missing")
    refused("more vertices than the file can hold", "many.off", off(cube, quads, counts=(2000000000, 6)), "many.off, line 2", "do not fit in a file")
    refused("more vertices than numbers can count", "more.off", off(cube, quads, counts=(99999999999999999999, 6)), "more.off, line 2")
    refused("negative counts", "negative.off", off(cube, quads, counts=(8, -1)), "do not fit")
    refused("too few vertices", "few.off", off(cube, [], counts=(9, 0)), "few.off ends after 8 of 9 vertices")
    refused("too few faces", "faces.off", off(cube, quads, counts=(8, 7)), "faces.off ends after 6 of 7 faces")
    refused("a bad corner", "corner.off", off(cube, quads[:5] + [(1, 5, 8)]), "corner.off, line 16: corner 8 is none of the 8 vertices")
    refused("a negative corner", "minus.off", off(cube, quads[:5] + [(1, 5, -1)]), "corner -1 is none of the 8 vertices")
    refused("a face with too few corners", "short.off", off(cube, quads).replace("4 1 5 7 3", "4000000 1 5 7 3"), "a face with 4000000 corners names 4")
    refused("a word for a coordinate", "word.off", off([("x", 0, 0)] + cube[1:], quads), "word.off, line 3: a vertex needs three numbers")
    for number in ("nan", "inf", "1e400", "-1e31"):
        refused(f"the coordinate {number}", "number.off", off([(number, 0, 0)] + cube[1:], quads), "number.off, line 3: the coordinate")
    refused("OBJ with a bad corner", "corner.obj", obj(cube, [("1", "2", "9")]), "corner.obj, line 9: corner 9 is none of the 8 vertices")
    refused("OBJ with corner 0", "zero.obj", obj(cube, [("1", "2", "0")]), "corner 0 is none of the 8")
    refused("OBJ with a corner before the first", "before.obj", obj(cube, [("1", "2", "-9")]), "corner -9 is none of the 8")
    refused("OBJ with a word for a corner", "word.obj", obj(cube, [("1", "2", "x")]), "corner 3 of a face is no number")
    refused("OBJ with a short vertex", "vertex.obj", "v 1 2\nf 1 1 1\n", "vertex.obj, line 1: a vertex needs three numbers")
    refused("no triangles", "cloud.off", off(cube, []), "triangle")
    refused("all in one point", "point.off", off([(1, 1, 1)] * 8, quads), "The edges of the mesh have no length")
    refused("a source that is none", "cube.off", None, "-source 8: the mesh has 8 vertices", arguments=("-source", "8"))
    refused("a folder that is not there", "cube.off", None, "nowhere/d.vtk cannot be written", arguments=("-distance", "nowhere/d.vtk"))
    refused("another form of mesh", "cube.off", None, "d.stl: meshes are written to NAME.off or NAME.vtk", arguments=("-distance", "d.stl"))
sys.exit(bad > 0)
