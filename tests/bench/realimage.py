# SPDX-License-Identifier: Apache-2.0
"""Images of the machine's own files: five layers, 190 MB of gzip, 13,000 files; or many small layers."""
import hashlib
import json
import os
import stat
import subprocess

from measure import out

ENTRIES, BYTES = 13_000, 473_000_000
SHARES = (0.35, 0.25, 0.2, 0.15, 0.05)  # of the layers
FILE_MAX = 20_000_000


def readable_directories():
    """The directories of /usr with their files: [(path, names, bytes)], in an order that has nothing to do with their names."""
    found = []
    for top in ("/usr/lib", "/usr/share", "/usr/bin", "/usr/include", "/usr/libexec"):
        for path, _, files in os.walk(top):
            names, size = [], 0
            for name in files:
                st = os.lstat(f"{path}/{name}")
                if stat.S_ISLNK(st.st_mode):
                    names.append(name)
                elif stat.S_ISREG(st.st_mode) and st.st_size < FILE_MAX and os.access(f"{path}/{name}", os.R_OK):
                    names.append(name)
                    size += st.st_size
            if names:
                found.append((path, sorted(names), size))
    return sorted(found, key=lambda d: hashlib.sha256(d[0].encode(errors="surrogateescape")).digest())


def choose():
    """Whole directories, so many of large and of small files that entries and bytes reach their marks together."""
    average = BYTES / ENTRIES
    small, large = [], []
    for d in readable_directories():
        (large if d[2] > average * len(d[1]) else small).append(d)
    chosen, entries, size = [], 0, 0
    while entries < ENTRIES and size < BYTES and small and large:
        d = large.pop() if size < average * entries else small.pop()
        chosen.append(d)
        entries += len(d[1])
        size += d[2]
    return chosen


def pieces(directories, most):
    """The directories in parts of about so many bytes: [(path, names, bytes)]."""
    for path, names, _ in directories:
        part, size = [], 0
        for name in names:
            part.append(name)
            size += os.lstat(f"{path}/{name}").st_size
            if size >= most:
                yield path, part, size
                part, size = [], 0
        if part:
            yield path, part, size


def make_layers(directory, shares=SHARES, part=1.0):
    """Tars of the chosen files, or of a part of them; returns their paths. Each piece comes into the layer that lacks most of its share."""
    chosen = choose()
    chosen = chosen[:max(len(shares), int(part * len(chosen)))]
    total = sum(d[2] for d in chosen)
    lacks = [share * total for share in shares]
    members = [set() for _ in shares]
    for path, names, size in pieces(chosen, min(lacks) / 4):
        i = lacks.index(max(lacks))
        lacks[i] -= size
        members[i].update(f"{path}/{name}" for name in names)
        while path != "/":
            members[i].add(path)
            path = os.path.dirname(path)
    layers = []
    for i, names in enumerate(members):
        listing = "\0".join(name.lstrip("/") for name in sorted(names)).encode(errors="surrogateescape")
        layers.append(f"{directory}/layer{i}.tar")
        subprocess.run(["tar", "-C", "/", "--null", "--no-recursion", "--owner=0", "--group=0", "-T", "-", "-cf", layers[-1]],
                       input=listing, check=True)
    return layers


def make_image(directory, shares=SHARES, part=1.0, more=()):
    """An OCI layout, with further layers in front; returns it and the compressed layers in their order."""
    layout = f"{directory}/oci"
    layers = make_layers(directory, shares, part)
    out("mkimage", "-f", "oci-dir", "-z", "gzip", "-n", "big:1", layout, *more, *layers)
    for layer in layers:
        os.unlink(layer)
    with open(f"{layout}/index.json", encoding="utf-8") as f:
        manifest = json.load(f)["manifests"][0]["digest"]
    with open(f"{layout}/blobs/{manifest.replace(':', '/')}", encoding="utf-8") as f:
        return layout, [f"{layout}/blobs/{d['digest'].replace(':', '/')}" for d in json.load(f)["layers"]]
