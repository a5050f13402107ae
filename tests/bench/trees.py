# SPDX-License-Identifier: Apache-2.0
"""
Large containers: rm of 100,000 files beside `rm -rf` of the same tree, and clone beside `cp -a --reflink=auto`, on tmpfs and on disk.
"""
import io
import os
import shutil
import subprocess
import tarfile
import tempfile

from measure import HOME, ROUNDS, compare, out

FILES, PER_DIRECTORY, SIZE = 100_000, 200, 1500


def make_image(archive):
    """One layer of many small files, as a docker archive."""
    layer = f"{HOME}/layer.tar"
    with tarfile.open(layer, "w") as tar:
        for i in range(FILES):
            if i % PER_DIRECTORY == 0:
                entry = tarfile.TarInfo(f"usr/{i // PER_DIRECTORY}")
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(entry)
            entry = tarfile.TarInfo(f"usr/{i // PER_DIRECTORY}/{i}")
            entry.size, entry.mode = SIZE, 0o644
            tar.addfile(entry, io.BytesIO(i.to_bytes(4, "little") * (SIZE // 4)))
    out("mkimage", "-n", "many-files:1", archive, layer)
    os.unlink(layer)


def report(times):
    base, *others = times
    for name in others:
        ratios = sorted(a / b for a, b in zip(times[name], times[base]))
        print(f"  {name} takes {ratios[len(ratios) // 2]:.2f} of {base} (from {ratios[0]:.2f} to {ratios[-1]:.2f})")


def remove(path):
    if os.path.lexists(path):
        subprocess.run(["rm", "-rf", path], check=True)


def bench_rm(place, work, rounds):
    tree, copy = f"{work}/store/containers", f"{work}/tree"
    source = os.path.realpath(f"{tree}/original")

    def clean():
        if not os.path.isdir(copy):
            out("cp", "-a", source, copy)
        if not os.path.lexists(f"{tree}/victim"):
            out("udocker-bundle", "create", "--no-sync", "--name=victim", "many-files:1")
        os.sync()

    report(compare(f"removal of {FILES} files on {place}", [("rm -rf", ["rm", "-rf", copy]), ("udocker-bundle rm", ["udocker-bundle", "rm", "victim"])],
                   rounds=rounds, clean=clean, warm_up=False))
    remove(copy)


def bench_clone(place, work, rounds):
    containers, copy = f"{work}/store/containers", f"{work}/copy"
    source = f"{containers}/{out('udocker-bundle', 'create', '--no-sync', '--name=original', 'many-files:1')}"

    def clean():
        """
        On a disk what was made is put aside and not removed: ext4 looks for inodes that were not freed in the last minutes, which
        takes longer than all the rest.
        """
        for path in (copy, os.path.realpath(f"{containers}/copy")):
            if place == "disk" and os.path.isdir(path):
                os.makedirs(f"{work}/old", exist_ok=True)
                os.rename(path, f"{work}/old/{len(os.listdir(f'{work}/old'))}")
            else:
                remove(path)
        remove(f"{containers}/copy")
        os.sync()

    report(compare(f"a copy of {FILES} files on {place}", [
        ("cp -a --reflink=auto", ["cp", "-a", "--reflink=auto", source, copy]),
        ("udocker-bundle clone --no-sync", ["udocker-bundle", "clone", "--no-sync", "--name=copy", "original"]),
        ("udocker-bundle clone", ["udocker-bundle", "clone", "--name=copy", "original"])], rounds=rounds, clean=clean, warm_up=False))


def main():
    archive = f"{HOME}/image.tar"
    make_image(archive)
    for place, top, rounds in (("tmpfs", "/dev/shm", max(3, ROUNDS // 3)), ("disk", HOME, 3)):
        if not os.access(top, os.W_OK) or shutil.disk_usage(top).free < 3e9:
            print(f"{top} is not writable or too small: left out")
            continue
        work = tempfile.mkdtemp(prefix="udocker-bench.", dir=top)
        try:
            os.environ["UDOCKER_DIR"] = f"{work}/store"
            out("udocker-image", "load", "-q", "-i", archive)
            bench_clone(place, work, rounds)
            bench_rm(place, work, rounds)
        finally:
            shutil.rmtree(work)


main()
