# SPDX-License-Identifier: Apache-2.0
"""
An image becomes a container: five layers of the machine's own files, 190 MB of gzip, 13,000 files, on tmpfs and on disk, beside
tar of the same layers one after the other, umoci, and the Python tool.
"""
import hashlib
import json
import os
import shutil
import stat
import subprocess
import tempfile

from measure import HOME, ROUNDS, compare, out, python_udocker

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


def make_layers(directory):
    """Tars of the chosen files; returns their paths."""
    chosen, layers, wanted = choose(), [], 0
    total = sum(d[2] for d in chosen)
    for i, share in enumerate(SHARES):
        wanted, taken = share * total, 0
        members = set()
        while chosen and (taken < wanted or i == len(SHARES) - 1):
            path, names, size = chosen.pop()
            taken += size
            members.update(f"{path}/{name}" for name in names)
            while path != "/":
                members.add(path)
                path = os.path.dirname(path)
        listing = "\0".join(name.lstrip("/") for name in sorted(members)).encode(errors="surrogateescape")
        layers.append(f"{directory}/layer{i}.tar")
        subprocess.run(["tar", "-C", "/", "--null", "--no-recursion", "--owner=0", "--group=0", "-T", "-", "-cf", layers[-1]],
                       input=listing, check=True)
    return layers


def make_image(directory):
    """An OCI layout; returns it and the compressed layers in their order."""
    layout = f"{directory}/oci"
    layers = make_layers(directory)
    out("mkimage", "-f", "oci-dir", "-z", "gzip", "-n", "big:1", layout, *layers)
    for layer in layers:
        os.unlink(layer)
    with open(f"{layout}/index.json", encoding="utf-8") as f:
        manifest = json.load(f)["manifests"][0]["digest"]
    with open(f"{layout}/blobs/{manifest.replace(':', '/')}", encoding="utf-8") as f:
        return layout, [f"{layout}/blobs/{d['digest'].replace(':', '/')}" for d in json.load(f)["layers"]]


def remove(path):
    if os.path.isdir(path):
        subprocess.run(["chmod", "-R", "u+rwx", path], check=True)
        shutil.rmtree(path)


def bench(place, layout, blobs, work, rounds):
    """In the directory `work`, which is on a file system called `place`."""
    os.environ["UDOCKER_DIR"] = f"{work}/store"
    reference = out("udocker-image", "load", "-q", "-i", layout).splitlines()[0]
    target, old = f"{work}/target", f"{work}/old"
    tar = " && ".join(f"tar -C {target} -xzf {blob}" for blob in blobs)

    def clean():
        """
        On a disk what was made is put aside and not removed: ext4 looks for inodes that were not freed in the last minutes, which
        takes longer than all the rest.
        """
        made = [target] if os.path.isdir(target) else []
        made += [f"{work}/store/containers/{name}" for name in os.listdir(f"{work}/store/containers")]
        for path in made:
            if place == "disk":
                os.makedirs(old, exist_ok=True)
                os.rename(path, f"{old}/{len(os.listdir(old))}")
            else:
                remove(path)
        os.sync()

    contenders = [
        ("tar xzf, layer by layer", ["sh", "-c", f"mkdir {target} && {tar}"]),
        ("udocker-bundle create", ["udocker-bundle", "create", reference]),
        ("udocker-bundle create --no-sync", ["udocker-bundle", "create", "--no-sync", reference]),
    ]
    if shutil.which("umoci"):
        contenders.append(("umoci unpack --rootless", ["umoci", "unpack", "--rootless", "--image", f"{layout}:big:1", target]))
    else:
        print("umoci is not on the machine: left out")
    contenders += python_udocker("create", reference)
    times = compare(f"create on {place}, {sum(map(os.path.getsize, blobs)) / 1e6:.0f} MB in {len(blobs)} layers", contenders,
                    rounds=rounds, clean=clean, warm_up=place != "disk", usage=True)
    for ours in ("udocker-bundle create", "udocker-bundle create --no-sync"):
        for name, theirs in times.items():
            if not name.startswith("udocker-bundle"):
                ratios = sorted(a / b for a, b in zip(times[ours], theirs))
                print(f"  {ours} is {ratios[len(ratios) // 2]:.2f} of {name} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


def main():
    layout, blobs = make_image(HOME)
    for place, top, rounds in (("tmpfs", "/dev/shm", max(3, ROUNDS // 3)), ("disk", HOME, 3)):
        if not os.access(top, os.W_OK) or shutil.disk_usage(top).free < (10e9 if place == "disk" else 2e9):
            print(f"{top} is not writable or too small: left out")
            continue
        work = tempfile.mkdtemp(prefix="udocker-bench.", dir=top)
        try:
            bench(place, layout, blobs, work, rounds)
        finally:
            subprocess.run(["chmod", "-R", "u+rwx", work], check=True)
            shutil.rmtree(work)


main()
