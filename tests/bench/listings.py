# SPDX-License-Identifier: Apache-2.0
"""Listings of a store with a thousand images and a thousand containers, and of one with ten thousand images, no two alike."""
import hashlib
import json
import os
import shutil
import time

from measure import HOME, ROUNDS, compare, container, out


SETTLED = 4  # seconds: what has changed within them is not kept for the next listing


def blob(top, content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    with open(f"{top}/layers/{digest}", "wb") as f:
        f.write(content)
    return {"digest": digest, "size": len(content)}


def make_image(top, number, layers):
    step = {"created": "2026-01-01T00:00:00Z", "created_by": "/bin/sh -c install a package or two and remove what it leaves"}
    config = blob(top, json.dumps({"architecture": "amd64", "os": "linux", "created": "2026-01-01T00:00:00Z", "config": {"Cmd": [f"{number}"]},
                                   "rootfs": {"type": "layers", "diff_ids": [i["digest"] for i in layers]}, "history": [step] * 8}).encode())
    kind = "application/vnd.oci.image"
    directory = f"{top}/repos/many/image{number}/1"
    os.makedirs(directory)
    for name, text in (("TAG", ""), ("v2", ""), ("manifest", json.dumps({
            "schemaVersion": 2, "config": {"mediaType": f"{kind}.config.v1+json", **config},
            "layers": [{"mediaType": f"{kind}.layer.v1.tar+gzip", **i} for i in layers]}))):
        with open(f"{directory}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    for i in [config, *layers]:
        os.symlink(f"../../../../layers/{i['digest']}", f"{directory}/{i['digest']}")


def ten_thousand():
    top = f"{HOME}/ten-thousand"
    out("udocker-image", "mkrepo", top)
    layers = [blob(top, os.urandom(1000)) for _ in range(50)]
    for i in range(10000):
        make_image(top, i, [layers[(i + k * 7) % 50] for k in range(5)])
    time.sleep(SETTLED)
    ls = ["udocker-image", "--repo", top, "ls"]
    os.sync()
    compare("10,000 images, the first listing", [("udocker-image ls", ls)], rounds=3, warm_up=False,
            clean=lambda: os.path.exists(f"{top}/.listing") and os.unlink(f"{top}/.listing"))
    compare("10,000 images", [("true", ["true"]), ("udocker-image ls", ls), ("udocker-image ls -l", [*ls, "-l"]), ("udocker-image ls -q", [*ls, "-q"]),
                              ("udocker images", ["udocker", "--repo", top, "images"])])


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
    time.sleep(SETTLED)
    compare("1,000 images and 1,000 containers", [("true", ["true"])] + [
        (" ".join(argv), argv) for argv in (["udocker", "images"], ["udocker", "ps"], ["udocker", "ps", "-m"], ["udocker-image", "ls", "--format", "json"],
                                             ["udocker-bundle", "ls"])], rounds=max(3, ROUNDS // 2))
    ten_thousand()


main()
