# SPDX-License-Identifier: Apache-2.0
"""
Images in and out of the store without recompression, on tmpfs: load and save of an OCI archive and of a docker archive with
plain layers, 190 MB in five layers, beside `cat` and `openssl dgst` of the same bytes, and skopeo.
"""
import os
import shutil
import subprocess
import sys
import tempfile

from measure import HOME, ROUNDS, compare, out

SIZES = (66_000_000, 47_000_000, 38_000_000, 28_000_000, 11_000_000)


def make_archives(directory):
    """The same layers, of content that no compression makes smaller, as both kinds of archive; returns their paths."""
    layers = []
    for i, size in enumerate(SIZES):
        with open(f"{directory}/file", "wb") as f:
            f.write(os.urandom(size))
        layers.append(f"{directory}/layer{i}.tar")
        out("tar", "-C", directory, "-cf", layers[-1], "file")
    os.unlink(f"{directory}/file")
    out("mkimage", "-f", "oci", "-n", "big:1", f"{directory}/oci.tar", *layers)
    out("mkimage", "-f", "docker", "-n", "big:1", f"{directory}/docker.tar", *layers)
    for layer in layers:
        os.unlink(layer)
    return f"{directory}/oci.tar", f"{directory}/docker.tar"


def report(times, name):
    base, ours = list(times.values())[:2]
    ratios = sorted(a / b for a, b in zip(ours, base))
    print(f"  {name} takes {ratios[len(ratios) // 2]:.2f} of cat and openssl dgst (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


def both(files, target):
    """cat and openssl dgst of the same bytes, one after the other."""
    names = " ".join(files)
    return ("cat and openssl dgst -sha256", ["sh", "-c", f"cat {names} >{target} && openssl dgst -sha256 {names}"])


def bench_load(work, kind, archive, skopeo):
    target, store = f"{work}/target", f"{work}/load"

    def clean():
        for path in (target, store):
            if os.path.isdir(path):
                shutil.rmtree(path)
            elif os.path.exists(path):
                os.unlink(path)

    contenders = [both([archive], target), (f"udocker-image load, {kind}", ["udocker-image", "--repo", store, "load", "-q", "-i", archive])]
    if skopeo:
        contenders.append(("skopeo copy to a layout", ["skopeo", "copy", "-q", "--insecure-policy", f"{kind}-archive:{archive}", f"oci:{target}:x"]))
    report(compare(f"load of {os.path.getsize(archive) / 1e6:.0f} MB, {kind} archive", contenders, rounds=max(5, ROUNDS // 2), clean=clean), "load")
    clean()


def bench_save(work, kind, archive):
    target, saved = f"{work}/target", f"{work}/saved.tar"
    store = f"{work}/store-{kind}"
    out("udocker-image", "--repo", store, "load", "-q", "-i", archive)
    files = [f"{store}/layers/{name}" for name in os.listdir(f"{store}/layers")]

    def clean():
        for path in (target, saved):
            if os.path.exists(path):
                os.unlink(path)

    contenders = [both(files, target),
                  (f"udocker-image save, {kind}", ["udocker-image", "--repo", store, "save", "-q", "--format", f"{kind}-archive", "-o", saved, "big:1"])]
    report(compare(f"save of {sum(map(os.path.getsize, files)) / 1e6:.0f} MB, {kind} archive", contenders, rounds=max(5, ROUNDS // 2), clean=clean), "save")
    clean()
    shutil.rmtree(store)


def main():
    top = "/dev/shm"
    if not os.access(top, os.W_OK):
        sys.exit(f"{top} is not writable")
    work = tempfile.mkdtemp(prefix="udocker-bench.", dir=top)
    os.environ["TMPDIR"] = work
    skopeo = shutil.which("skopeo")
    if not skopeo:
        print("skopeo is not on the machine: left out")
    try:
        for kind, archive in zip(("oci", "docker"), make_archives(work)):
            bench_load(work, kind, archive, skopeo)
            bench_save(work, kind, archive)
    finally:
        subprocess.run(["chmod", "-R", "u+rwx", work], check=True)
        shutil.rmtree(work)


assert HOME
main()
