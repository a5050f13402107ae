# SPDX-License-Identifier: Apache-2.0
"""
An image becomes a container: five layers of the machine's own files, 190 MB of gzip, 13,000 files, on tmpfs and on disk, beside
tar of the same layers one after the other, umoci, and the Python tool.
"""
import os
import shutil
import subprocess
import tempfile

from measure import HOME, ROUNDS, compare, out, python_udocker
from realimage import make_image


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
