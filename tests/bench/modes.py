# SPDX-License-Identifier: Apache-2.0
"""
The same work on the bare host, in each execution mode that can run, and with its engine alone. Ends with the tables of the README, which
`make bench-modes` puts there.
"""
import json
import os
import platform
import shutil
import statistics
import subprocess
import time

from measure import ROUNDS, compare, out

STATE = os.environ["STATE"]
TREE = "/srv/tree"
PYTHON = "/usr/lib/python3.11/"
IMPORTS = "import argparse, json, logging, random, shutil, subprocess, tempfile, threading"
SOURCE = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + "".join(
    f"int f{i}(char *s) {{ int n = 0; for (; *s; s++) n += strchr(\"{i}\", *s) ? atoi(s) : printf(\"%c\", *s); return n; }}\n" for i in range(12))

# Name, and the command; what begins with a slash is in the root file system, the program also on the host.
JOBS = [
    ("start to exit", ["/usr/bin/true"]),
    ("4,000 stat", ["/usr/bin/guestwork", "stat", "4000", f"{TREE}/d0"]),
    ("4,000 open, read, close", ["/usr/bin/guestwork", "open", "4000", f"{TREE}/d0"]),
    ("the same by 4 threads", ["/usr/bin/guestwork", "threads", "4", "1000", f"{TREE}/d0"]),
    ("find, 500 files", ["/usr/bin/find", TREE, "-type", "f", "-size", "+9k"]),
    ("cp -a of them", ["/usr/bin/cp", "-a", TREE, "/tmp/copy"]),
    ("tar of them", ["/usr/bin/tar", "-cf", "/tmp/copy", TREE]),
    ("100 fork and exec", ["/usr/bin/guestwork", "spawn", "100", "/usr/bin/true"]),
    ("python3, 8 imports", ["/usr/bin/python3", "-I", "-S", "-c", IMPORTS]),
    ("gcc -O2 -c", ["/usr/bin/gcc", "-O2", "-c", "/srv/source.c", "-o", "/tmp/copy"]),
]


def on_host(root, argv):
    """The same command on the same files: the host's programs, the root file system's paths."""
    program = f"{root}{argv[0]}" if argv[0].endswith("guestwork") else argv[0]
    return [program] + [root + word if word.startswith(("/srv", "/tmp")) else word for word in argv[1:]]


def copy(root, path):
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    shutil.copy2(path, root + path)


def compiler(root):
    """gcc as far as an object file: it names its own parts and the headers."""
    out("addprograms", root, "gcc", "as", out("gcc", "-print-prog-name=cc1"))
    for path in out("gcc", "-O2", "-M", f"{root}/srv/source.c").replace("\\\n", " ").split()[1:]:
        if not path.startswith(root):
            copy(root, os.path.normpath(path))


def image():
    """The machine's own programs, and a tree of small files."""
    root = f"{STATE}/rootfs"
    out("mkrootfs", root)
    os.makedirs(f"{root}{TREE}")
    with open(f"{root}/srv/source.c", "w", encoding="ascii") as f:
        f.write(SOURCE)
    out("addprograms", root, "/usr/bin/true", "find", "cp", "tar", "/usr/bin/python3", PYTHON)
    compiler(root)
    shutil.copy2(shutil.which("guestwork.dynamic"), f"{root}/usr/bin/guestwork")
    for folder in range(5):
        os.mkdir(f"{root}{TREE}/d{folder}")
        for i in range(100):
            with open(f"{root}{TREE}/d{folder}/f{i}", "wb") as f:
                f.write(os.urandom(100 * i))
    out("tar", "-C", root, "-cf", f"{STATE}/modes.tar", ".")
    out("udocker-image", "import", f"{STATE}/modes.tar", "modes:1")
    out("rm", "-rf", root, f"{STATE}/modes.tar")


def words_alone(mode, flag, bundle, config, argv):
    """What we call an engine with, less our first program inside and the files of a run; `flag` is that of its binds."""
    dry = out("udocker-runtime", "--execmode", mode, "run", "--dry-run", "-b", bundle, "--config", config, "x1")
    words = next(line for line in dry.splitlines() if line.startswith("command: ")).split()[1:-1]
    kept = []
    while words:
        word = words.pop(0)
        if word == flag:
            binding = words.pop(0)
            if "guest-init:" not in binding and os.path.exists(binding.split(":")[0]):
                kept += [flag, binding]
        else:
            kept.append(word)
    return kept + argv


def proot_within(mode, engine, bundle, config):
    """crun or runc with PRoot for its program, as our plan has it, but without our own program before it and the files of a run."""
    dry = out("udocker-runtime", "--engine", engine, "--execmode", mode, "run", "--dry-run", "-b", bundle, "--config", config, "x1")
    document = json.loads(dry[dry.index("{"):])
    process = document["process"]
    process["env"].append(next(word for word in process["args"] if word.startswith("PROOT_TMP_DIR=")))
    process["args"] = process["args"][next(i for i, word in enumerate(process["args"]) if "/ld" in word or word.endswith("/proot")):]
    process["args"].remove("--")  # is for our program
    document["mounts"] = [m for m in document["mounts"]
                          if m["type"] != "bind" or (os.path.exists(m["source"]) and not m["source"].endswith("guest-init"))]
    return document


def alone(mode, engine, bundle, config, argv):
    """The engine without us, where it is called as by hand."""
    if engine == "proot":
        return words_alone(mode, "-b", bundle, config, argv)
    if engine == "fakechroot":
        return ["fakechroot", "chroot", f"{bundle}/ROOT", *argv] if shutil.which("fakechroot") else None
    if engine == "singularity":
        return words_alone(mode, "-B", bundle, config, argv)
    if engine not in ("crun", "runc"):
        return None
    if mode in ("R2", "R3"):
        document = proot_within(mode, engine, bundle, config)
    else:
        with open(config, encoding="utf-8") as f:
            document = json.load(f)
    document["root"]["path"] = f"{bundle}/ROOT"
    folder = f"{config}.bundle"
    os.mkdir(folder)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        json.dump(document, f)
    return [engine, "--root", f"{STATE}/{engine}", "run", "-b", folder, "alone"]


class Way:
    """One mode with one engine: a container of its own, since modes change what is in ROOT."""

    def __init__(self, mode, engine):
        self.mode, self.engine, self.name = mode, engine, f"{mode}, {engine}"
        container = out("udocker-bundle", "create", f"--execmode={mode}", "modes:1")
        self.container, self.bundle = container, f"{STATE}/store/containers/{container}"
        self.root = f"{self.bundle}/ROOT"

    def contenders(self, job, argv):
        config = f"{STATE}/{self.mode}-{self.engine}-{job}.json"
        out("udocker-bundle", "config", "-w", "/", "-e", "PATH=/usr/bin:/bin", "-o", config, self.container, *argv)
        ours = ["udocker-runtime", "--engine", self.engine, "--execmode", self.mode, "run", "-b", self.bundle, "--config", config, "bench"]
        # What an engine is without us is asked once.
        without = self.mode in ("P1", "F1", "R1", "R2", "S1") and alone(self.mode, self.engine, self.bundle, config, argv)
        return [(self.name, ours)] + ([(f"{self.name} alone", without)] if without else [])


def cpu():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())


def table(ways, results):
    """Markdown: times on the host, each mode's ratio to it, and below that to the engine alone."""
    print(f"\n| | bare host | {' | '.join(w.name for w in ways)} |\n|---|---|{'---|' * len(ways)}")
    for name, times in results.items():
        cells = [f"{statistics.median(times['bare host']):.1f} ms"]
        for way in ways:
            ours, base = times[way.name], times.get(f"{way.name} alone")
            cell = f"{statistics.median(a / b for a, b in zip(ours, times['bare host'])):.2f}"
            if base and name == JOBS[0][0]:
                cell += f" ({statistics.median(a - b for a, b in zip(ours, base)):+.1f} ms)"
            elif base:
                cell += f" ({statistics.median(a / b for a, b in zip(ours, base)):.2f})"
            cells.append(cell)
        print(f"| {name} | {' | '.join(cells)} |")


def versions(rows):
    names = sorted({f"{row['name']} {row['version']}" for row in rows if row["available"]})
    libc = os.confstr("CS_GNU_LIBC_VERSION")
    return f"Linux {platform.release()}, {os.cpu_count()} processors ({cpu()}), {libc}; {', '.join(names)}"


def main():
    os.environ["XDG_RUNTIME_DIR"] = f"{STATE}/user"
    os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
    # In memory: what is measured is what stands between a program and its files, not the disk.
    os.environ["UDOCKER_DIR"] = f"{STATE}/store"
    image()
    rows = json.loads(out("udocker-runtime", "engines", "--format", "json"))
    # runsc takes longer than all others together, and is measured on request.
    pairs = sorted((mode, row["name"]) for row in rows for mode in row["modes"]
                   if row["available"] and (row["name"] != "runsc" or os.environ.get("BENCH_RUNSC")))
    # Where PRoot runs inside crun or runc, one of them shows it.
    ways = [Way(mode, name) for mode, name in pairs
            if mode not in ("R2", "R3") or name != "runc" or (mode, "crun") not in pairs or os.environ.get("BENCH_RUNC")]
    results = {}
    for number, (name, argv) in enumerate(JOBS):
        def clean():
            subprocess.run(["rm", "-rf"] + [f"{way.root}/tmp/copy" for way in ways], check=True)
        contenders = [("bare host", on_host(ways[0].root, argv))]
        for way in ways:
            contenders += way.contenders(number, argv)
        begin = time.monotonic()
        # A start is short, and what differs is a millisecond or two of it.
        results[name] = compare(name, contenders, rounds=ROUNDS if number else 7 * ROUNDS, clean=clean)
        print(f"  {time.monotonic() - begin:.0f} s for all of it", flush=True)
    print(f"\n<!-- modes -->\n{ROUNDS} paired rounds, seven times as many of starts, medians of ratios. {versions(rows)}.")
    table(ways, results)
    print("<!-- /modes -->")


main()
