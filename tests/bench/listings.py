# SPDX-License-Identifier: Apache-2.0
"""Listings of a store with a thousand images and a thousand containers."""
import os
import shutil

from measure import HOME, ROUNDS, compare, container


def main():
    cid, _ = container()
    top = f"{HOME}/.udocker"
    for i in range(1000):
        shutil.copytree(f"{top}/repos/bench/1", f"{top}/repos/many/image{i}/1", symlinks=True)
        for name in os.listdir(f"{top}/repos/many/image{i}/1"):
            path = f"{top}/repos/many/image{i}/1/{name}"
            if os.path.islink(path):
                target = os.path.basename(os.readlink(path))
                os.unlink(path)
                os.symlink(f"../../../../layers/{target}", path)
        new = f"00000000-0000-0000-0000-{i:012d}"
        os.makedirs(f"{top}/containers/{new}/ROOT")
        for name in ("config.json", "container.json", "imagerepo.name"):
            shutil.copy(f"{top}/containers/{cid}/{name}", f"{top}/containers/{new}/{name}")
        os.symlink(new, f"{top}/containers/name{i}")
    compare("1,000 images and 1,000 containers", [("true", ["true"])] + [
        (" ".join(argv), argv) for argv in (["udocker", "images"], ["udocker", "ps"], ["udocker", "ps", "-m"], ["udocker-image", "ls", "--format", "json"],
                                             ["udocker-bundle", "ls"])], rounds=max(3, ROUNDS // 2))


main()
