# SPDX-License-Identifier: Apache-2.0
"""From the command line to the program's end, with every mode that works here."""
import json
import os
import shutil

from measure import HOME, compare, container, out, python_udocker

STATE = os.environ["STATE"]


def fake(mode):
    """libfakechroot confines what is linked with libc alone; beside its own wrapper, a shell script."""
    if not shutil.which("fakechroot"):
        return
    name = f"dynamic-{mode.lower()}"
    _, bundle = container(name, ["/bin/true"])
    out("udocker", "setup", f"--execmode={mode}", name)
    # The wrapper cannot start what F3 and F4 have patched.
    alone = [("fakechroot chroot", ["fakechroot", "chroot", f"{bundle}/ROOT", "/bin/true"])] if mode in ("F1", "F2") else []
    compare(f"start to exit, {mode}", alone + [
        ("udocker-runtime run", ["udocker-runtime", "run", "-b", bundle, "bench-run"]),
        ("udocker run", ["udocker", "run", "--nobanner", name, "/bin/true"]),
    ])


def tracer_inside(mode, runtime, bundle):
    """The runtime alone and the host's PRoot in the same container, with what it is linked with, as one would put it there by hand."""
    proot = shutil.which("proot")
    place = "/tmp/proot"
    needed = [word for line in out("ldd", proot).splitlines() for word in line.split() if word.startswith("/")]
    loader = next(path for path in needed if os.path.basename(path).startswith("ld-"))
    with open(f"{bundle}/config.json", encoding="utf-8") as f:
        document = json.load(f)
    document["root"]["path"] = f"{bundle}/ROOT"
    document["mounts"].append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"})
    document["mounts"] += [{"destination": f"{place}/{os.path.basename(path)}", "type": "bind", "source": os.path.realpath(path), "options": ["bind", "ro"]}
                           for path in [proot, *needed]]
    document["process"]["args"] = [f"{place}/{os.path.basename(loader)}", "--library-path", place, f"{place}/proot", "-0", "-r", "/", "/bin/true"]
    if mode == "R3":
        document["process"]["env"].append("PROOT_NO_SECCOMP=1")
    folder = f"{STATE}/{mode}-{runtime}"
    os.mkdir(folder)
    with open(f"{folder}/config.json", "w", encoding="utf-8") as f:
        json.dump(document, f)
    return (f"{runtime} and PRoot alone", [runtime, "--root", f"{STATE}/{runtime}", "run", "--bundle", folder, "alone"])


def main():
    # One for our programs and for the engines alone.
    os.environ["XDG_RUNTIME_DIR"] = f"{STATE}/user"
    os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
    _, bundle = container()
    compare("start of a program that does no work", [("true", ["true"])] + [
        (" ".join(argv), argv) for argv in (["udocker", "version"], ["udocker-image", "--version"], ["udocker-runtime", "--version"])])
    for words in (["version"], ["ps"], ["images"], ["inspect", "bench"]):
        compare("udocker " + " ".join(words), [("true", ["true"]), ("udocker", ["udocker", *words])] + python_udocker(*words))
    # All engines are asked anew, and run, each time.
    compare("udocker-runtime engines", [("true", ["true"]), ("udocker-runtime engines", ["udocker-runtime", "engines"])] +
            [(f"{name} --version", [name, "--version"]) for name in ("crun", "runc", "runsc", "proot") if shutil.which(name)])
    rows = json.loads(out("udocker-runtime", "engines", "--format", "json"))
    modes = {m for row in rows if row["available"] for m in row["modes"]}
    for mode in sorted(modes):
        if mode.startswith("F"):
            fake(mode)
            continue
        out("udocker", "setup", f"--execmode={mode}", "bench")
        if mode.startswith("P"):
            # The same root file system and the same bindings, the program started by the tracer itself.
            dry = out("udocker-runtime", "run", "--dry-run", "-b", bundle, "x1")
            words = next(line for line in dry.splitlines() if line.startswith("command: ")).split()[1:]
            # What would be made for the run is not there without one.
            words = [word if ":" not in word or os.path.exists(word.split(":")[0]) or "-init:" in word
                     else ":".join(word.split(":")[1:] * 2) for word in words]
            at = next(i for i, word in enumerate(words) if "udocker-guest-init:" in word)
            compare(f"start to exit, {mode}", [
                ("proot alone, same bundle", words[:at - 1] + words[at + 1:-1] + ["/bin/true"]),
                ("udocker-runtime run", ["udocker-runtime", "run", "-b", bundle, "bench-run"]),
                ("udocker run", ["udocker", "run", "--nobanner", "bench", "/bin/true"]),
            ] + python_udocker("run", "--nobanner", "bench", "/bin/true"))
            continue
        # runsc alone does not start for an ordinary user.
        for runtime in sorted(row["name"] for row in rows if row["available"] and mode in row["modes"] and row["name"] != "runsc"):
            ours = ["udocker-runtime", "--engine", runtime]
            # What R2 and R3 are compared with has a tracer, too.
            peer = [tracer_inside(mode, runtime, bundle)] if mode in ("R2", "R3") else []
            compare(f"start to exit, {mode} with {runtime}", peer + [
                (f"{runtime} alone, same bundle", [runtime, "--root", f"{STATE}/{runtime}", "run", "--bundle", bundle, "alone"]),
                ("udocker-runtime run", [*ours, "run", "-b", bundle, "bench-run"]),
                ("the same, --no-fake-root", [*ours, "--no-fake-root", "run", "-b", bundle, "bench-run"]),
            ] + ([("the same in R1, without PRoot", [*ours, "--execmode", "R1", "run", "-b", bundle, "bench-run"])] if mode in ("R2", "R3") else []) + [
                ("udocker run (its own choice)", ["udocker", "run", "--nobanner", "bench", "/bin/true"]),
            ])

main()
