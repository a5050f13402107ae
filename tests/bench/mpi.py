# SPDX-License-Identifier: Apache-2.0
"""Messages between two ranks of one node, on the bare host and in containers: half the way there and back, and what a large one makes of it."""
import json
import os
import statistics
import subprocess
import sys

from measure import HOME, out

SIZES = {8: 5000, 65536: 2000, 4 << 20: 60}
MODES = ["P1", "R1", "F1"]
LAUNCH = ["mpiexec", "--oversubscribe", "-np", "2"]


def available():
    engines = json.loads(out("udocker-runtime", "engines", "--format", "json"))
    found = {mode for e in engines if e["available"] for mode in e["modes"]}
    return [mode for mode in MODES if mode in found]


def microseconds(words, size):
    text = subprocess.run([*LAUNCH, *words, "pingpong", str(size), str(SIZES[size])], check=True, timeout=120, stdout=subprocess.PIPE, text=True).stdout
    return float(text.split()[1])


def contenders():
    out("mkmpi", f"{HOME}/mpi.tar", f"{os.path.dirname(os.path.abspath(__file__))}/mpiwork.c")
    out("udocker-image", "import", f"{HOME}/mpi.tar", "mpi:1")
    ways = {"bare host": [f"{HOME}/mpiwork"]}
    for mode in available():
        out("udocker", "create", f"--name={mode}", "mpi:1")
        out("udocker", "setup", f"--execmode={mode}", mode)
        ways[mode] = ["udocker", "run", "--mpi", mode, "/opt/mpiwork"]
    return ways


def main(rounds):
    ways = contenders()
    print(f"\nMPI between two ranks, {rounds} paired rounds; the least of many messages each, and medians of the ratios to the bare host")
    for size in SIZES:
        taken = {name: [] for name in ways}
        for _ in range(rounds):
            for name, words in ways.items():
                taken[name].append(microseconds(words, size))
        base = taken["bare host"]
        for name, times in taken.items():
            ratio = statistics.median(a / b for a, b in zip(times, base))
            median = statistics.median(times)
            print(f"  {size:>8} bytes  {name:<10} {median:10.2f} us {size / median:10.0f} MB/s  {ratio:5.2f}")


main(max(1, int(sys.argv[1]) // 3) if len(sys.argv) > 1 else 7)
