# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: medians of paired runs, and a container to run them on."""
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
    with open(f"{HOME}/stderr", "w+b") as stderr:
        start = time.perf_counter()
        status = subprocess.run(argv, stdin=NULL, stdout=NULL, stderr=stderr, check=False).returncode
        elapsed = (time.perf_counter() - start) * 1000
        if status != 0:
            stderr.seek(0)
            sys.exit(f"{' '.join(argv)}: exit status {status}: {stderr.read().decode(errors='replace')}")
    return elapsed


def processor_time(pid):
    """Milliseconds that the threads of a process have run so far."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task") if pid else []:
        try:
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[0]) / 1e6
        except FileNotFoundError:
            pass  # it has just ended
    return total


def run_usage(argv, server=None):
    """(milliseconds, peak MiB, milliseconds of processor time), children included; and the server's processor time."""
    before = processor_time(server)
    elapsed = run(["usage", f"{HOME}/usage", *argv])
    with open(f"{HOME}/usage", encoding="ascii") as f:
        peak, user, system = map(int, f.read().split())
    return elapsed, peak / 1024, user + system + processor_time(server) - before


def compare(title, contenders, rounds=ROUNDS, clean=None, warm_up=True, usage=False, server=None, processors=None):
    """
    contenders: [(name, argv)], the first is what the others are compared with. In each round every contender runs once, so
    that a busy machine slows all of them alike. clean() runs before each of them and is not measured. server: a process that works
    for all of them. processors: a dict for the processor time of each run, as the result has the times.
    """
    results = {name: [] for name, _ in contenders}
    for i in range(rounds + warm_up):
        for name, argv in contenders:
            if clean:
                clean()
            result = run_usage(argv, server) if usage else (run(argv), 0, 0)
            if i >= warm_up:
                results[name].append(result)
    times = {name: [r[0] for r in rows] for name, rows in results.items()}
    if processors is not None:
        processors.update({name: [r[2] for r in rows] for name, rows in results.items()})
    base = contenders[0][0]
    print(f"\n{title} ({rounds} rounds, compared with {base})")
    for name, _ in contenders:
        ratio = statistics.median(a / b for a, b in zip(times[name], times[base]))
        more = statistics.median(a - b for a, b in zip(times[name], times[base]))
        peak = max(r[1] for r in results[name])
        cpu = statistics.median(r[2] for r in results[name])
        taken = f"   {cpu:8.0f} ms of processors, {peak:5.1f} MiB at most" if usage else ""
        print(f"  {name:<34} {statistics.median(times[name]):8.2f} ms   {ratio:6.2f} x   {more:+9.2f} ms{taken}", flush=True)
    return times


def out(*argv):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def python_udocker(*words):
    """The Python tool with the host's engines, where it is on the machine."""
    if not shutil.which("udocker.py"):
        print("udocker.py is not on the machine: left out")
        return []
    os.environ.update(UDOCKER_TARBALL="", UDOCKER_USE_PROOT_EXECUTABLE=shutil.which("proot") or "")
    return [("udocker 1.3 (Python) " + words[0], ["udocker.py", *words])]


def container(name="bench", programs=()):
    """A busybox container, with programs of this machine; returns (id, bundle)."""
    root = f"{HOME}/{name}-rootfs"
    out("mkrootfs", root)
    out("addprograms", root, *programs)
    out("tar", "-C", root, "-cf", f"{HOME}/layer.tar", ".")
    with open(f"{HOME}/config", "w", encoding="utf-8") as f:
        json.dump({"Cmd": ["/bin/true"], "Env": ["PATH=/bin"]}, f)
    out("mkimage", "-n", f"{name}:1", "-c", f"{HOME}/config", f"{HOME}/image.tar", f"{HOME}/layer.tar")
    out("udocker-image", "load", "-q", "-i", f"{HOME}/image.tar")
    cid = out("udocker-bundle", "create", f"--name={name}", f"{name}:1")
    return cid, f"{HOME}/.udocker/containers/{cid}"
