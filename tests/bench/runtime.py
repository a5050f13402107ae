# SPDX-License-Identifier: Apache-2.0
"""The runtime's short verbs beside `true`, with a running container of every engine: what a driver calls all the time. Then of many containers."""
import json
import os
import statistics
import subprocess

from measure import compare, container, out, run

STATE = os.environ["STATE"]
MANY = 60


def many(engine, bundle):
    """Each container is killed and deleted once, so that these are rounds themselves."""
    ids = [f"many{i}" for i in range(MANY)]
    for name in ids:
        subprocess.run(["udocker-runtime", "--engine", engine, "run", "-d", "-b", bundle, "--config", f"{STATE}/config.json", name],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print(f"\n{MANY} running containers, {engine} (each verb {MANY} times, compared with true)")
    base = statistics.median(run(["true"]) for _ in ids)
    for verb in ("state ID", "list", "kill ID KILL", "delete --force ID"):
        median = statistics.median(run(["udocker-runtime", *verb.replace("ID", name).split()]) for name in ids)
        print(f"  {verb:<34} {median:8.2f} ms   {median - base:+9.2f} ms", flush=True)


def main():
    os.environ["XDG_RUNTIME_DIR"] = f"{STATE}/user"
    os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
    _, bundle = container()
    config = json.load(open(f"{bundle}/config.json"))
    config["process"].update(args=["/bin/sleep", "3600"], terminal=False)
    with open(f"{STATE}/config.json", "w") as f:
        json.dump(config, f)
    rows = json.loads(out("udocker-runtime", "engines", "--format", "json"))
    # F modes need a container that was set up for them.
    for engine in sorted({row["name"] for row in rows if row["available"] and any(mode[0] != "F" for mode in row["modes"])}):
        # It keeps what it inherits: no pipe of ours.
        subprocess.run(["udocker-runtime", "--engine", engine, "create", "-b", bundle, "--config", f"{STATE}/config.json", "bench"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        out("udocker-runtime", "start", "bench")
        compare(f"verbs of a running container, {engine}", [("true", ["true"])] + [
            (f"udocker-runtime {' '.join(argv)}", ["udocker-runtime", *argv]) for argv in
            (["state", "bench"], ["list"], ["kill", "bench", "URG"])])
        out("udocker-runtime", "delete", "--force", "bench")
        many(engine, bundle)


main()
