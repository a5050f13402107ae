# SPDX-License-Identifier: Apache-2.0
"""From the command line to the program's end, with every mode that works here."""
import json

from measure import HOME, compare, container, out, python_udocker


def main():
    _, bundle = container()
    compare("start of a program that does no work", [("true", ["true"])] + [
        (" ".join(argv), argv) for argv in (["udocker", "version"], ["udocker-image", "--version"], ["udocker-runtime", "--version"])])
    modes = {m for row in json.loads(out("udocker-runtime", "engines", "--format", "json")) if row["available"]
             for m in row["modes"]}
    for mode in sorted(modes):
        out("udocker", "setup", f"--execmode={mode}", "bench")
        dry = out("udocker-runtime", "run", "--dry-run", "-b", bundle, "x1")
        engine = next((line.split()[-1] for line in dry.splitlines() if line.lower().startswith("engine")), "")
        if mode.startswith("P"):
            # The same root file system and the same bindings, the program started by the tracer itself.
            words = next(line for line in dry.splitlines() if line.startswith("command: ")).split()[1:]
            at = next(i for i, word in enumerate(words) if "udocker-guest-init:" in word)
            alone = words[:at - 1] + words[at + 1:-1] + ["/bin/true"]
            name = "proot alone, same bundle"
        else:
            runtime = "crun" if "crun" in engine or "crun" in dry.split("\n")[0] else "runc"
            alone = [runtime, "--root", f"{HOME}/{runtime}", "run", "-b", bundle, "alone"]
            name = f"{runtime} alone, same bundle"
        compare(f"start to exit, {mode}", [
            (name, alone),
            ("udocker-runtime run", ["udocker-runtime", "run", "-b", bundle, "bench-run"]),
            ("udocker run", ["udocker", "run", "--nobanner", "bench", "/bin/true"]),
        ] + (python_udocker("run", "--nobanner", "bench", "/bin/true") if mode.startswith("P") else []))


main()
