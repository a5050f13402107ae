# SPDX-License-Identifier: Apache-2.0
"""Medians of paired runs: in each round every contender runs once, so that a busy machine slows all of them alike."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 21
HOME = os.environ["HOME"]
NULL = subprocess.DEVNULL


def run(argv):
    """Milliseconds of one run; a failure ends the benchmark."""
    start = time.perf_counter()
    done = subprocess.run(argv, stdin=NULL, stdout=NULL, stderr=subprocess.PIPE, check=False)
    elapsed = (time.perf_counter() - start) * 1000
    if done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: exit status {done.returncode}: {done.stderr.decode(errors='replace')}")
    return elapsed


def compare(title, contenders, rounds=ROUNDS):
    """contenders: [(name, argv)], the first is what the others are compared with."""
    times = {name: [] for name, _ in contenders}
    for name, argv in contenders:
        run(argv)
    for _ in range(rounds):
        for name, argv in contenders:
            times[name].append(run(argv))
    base = contenders[0][0]
    print(f"\n{title} ({rounds} rounds, compared with {base})")
    for name, _ in contenders:
        ratio = statistics.median(a / b for a, b in zip(times[name], times[base]))
        more = statistics.median(a - b for a, b in zip(times[name], times[base]))
        print(f"  {name:<34} {statistics.median(times[name]):8.2f} ms   {ratio:6.2f} x   {more:+8.2f} ms")


def out(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def python_udocker(*words):
    """The Python tool with the host's engines, where it is on the machine."""
    if not shutil.which("udocker.py"):
        return []
    os.environ.update(UDOCKER_TARBALL="", UDOCKER_USE_PROOT_EXECUTABLE=shutil.which("proot") or "")
    return [("udocker 1.3 (Python) " + words[0], ["udocker.py", *words])]


def container():
    """A busybox container; returns (id, bundle)."""
    out("mkrootfs", f"{HOME}/rootfs")
    out("tar", "-C", f"{HOME}/rootfs", "-cf", f"{HOME}/layer.tar", ".")
    with open(f"{HOME}/config", "w", encoding="utf-8") as f:
        json.dump({"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]}, f)
    out("mkimage", "-n", "bench:1", "-c", f"{HOME}/config", f"{HOME}/image.tar", f"{HOME}/layer.tar")
    out("udocker-image", "load", "-q", "-i", f"{HOME}/image.tar")
    cid = out("udocker-bundle", "create", "--name=bench", "bench:1")
    return cid, f"{HOME}/.udocker/containers/{cid}"


def bench_start(bundle):
    true = [("true", ["true"])]
    compare("start of a program that does no work", true + [
        (" ".join(argv), argv) for argv in (["udocker", "version"], ["udocker-image", "--version"], ["udocker-runtime", "--version"])])
    modes = {m for row in json.loads(out("udocker-runtime", "engines", "--format", "json")) if row["available"]
             for m in row["modes"]}
    for mode in sorted(modes):
        out("udocker", "setup", f"--execmode={mode}", "bench")
        dry = out("udocker-runtime", "run", "--dry-run", "-b", bundle, "x1")
        engine = next((line.split()[-1] for line in dry.splitlines() if line.lower().startswith("engine")), "")
        if mode.startswith("P"):
            alone = [os.environ.get("PROOT", "proot"), "-0", "-b", "/dev", "-b", "/proc", "-b", "/sys", "-r", f"{bundle}/ROOT", "-w", "/",
                     "/bin/true"]
            name = "proot alone"
        else:
            runtime = "crun" if "crun" in engine or "crun" in dry.split("\n")[0] else "runc"
            alone = [runtime, "--root", f"{HOME}/{runtime}", "run", "-b", bundle, "alone"]
            name = f"{runtime} alone, same bundle"
        compare(f"start to exit, {mode}", [
            (name, alone),
            ("udocker-runtime run", ["udocker-runtime", "run", "-b", bundle, "bench-run"]),
            ("udocker run", ["udocker", "run", "--nobanner", "bench", "/bin/true"]),
        ] + (python_udocker("run", "--nobanner", "bench", "/bin/true") if mode.startswith("P") else []))


def bench_listings(cid):
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


def bench_create():
    """A layer of many files, packed with gzip: our create, digests checked, beside tar."""
    tree = f"{HOME}/tree"
    for d in range(100):
        os.makedirs(f"{tree}/d{d}")
        for f in range(30):
            with open(f"{tree}/d{d}/f{f}", "wb") as o:
                o.write(os.urandom(6000) + bytes(6000))
    out("tar", "-C", tree, "-cf", f"{HOME}/big.tar", ".")
    out("mkimage", "-f", "oci", "-z", "gzip", "-n", "big:1", f"{HOME}/big-image.tar", f"{HOME}/big.tar")
    out("udocker-image", "load", "-q", "-i", f"{HOME}/big-image.tar")
    out("gzip", "-kf", f"{HOME}/big.tar")
    ours = f"rm -rf {HOME}/o && udocker-bundle create --bundle {HOME}/o big:1"
    theirs = f"rm -rf {HOME}/t && mkdir {HOME}/t && tar -C {HOME}/t -xzf {HOME}/big.tar.gz"
    compare("an image of 3,000 files, 36 MB", [
        ("tar xzf", ["sh", "-c", theirs]), ("udocker-bundle create", ["sh", "-c", ours])], rounds=max(3, ROUNDS // 3))


def main():
    print(f"{os.uname().sysname} {os.uname().release}, {os.cpu_count()} cores; medians, ratios and differences of paired runs")
    cid, bundle = container()
    bench_start(bundle)
    bench_create()
    bench_listings(cid)


main()
