# SPDX-License-Identifier: Apache-2.0
"""The runtime's short verbs beside `true`, with a running container of every engine: what a driver calls all the time."""
import json
import os
import subprocess

from measure import compare, container, out

STATE = os.environ["STATE"]


def main():
    os.environ["XDG_RUNTIME_DIR"] = f"{STATE}/user"
    os.mkdir(os.environ["XDG_RUNTIME_DIR"], 0o700)
    _, bundle = container()
    config = json.load(open(f"{bundle}/config.json"))
    config["process"].update(args=["/bin/sleep", "3600"], terminal=False)
    with open(f"{STATE}/config.json", "w") as f:
        json.dump(config, f)
    rows = json.loads(out("udocker-runtime", "engines", "--format", "json"))
    for engine in sorted({row["name"] for row in rows if row["available"]}):
        # It keeps what it inherits: no pipe of ours.
        subprocess.run(["udocker-runtime", "--engine", engine, "create", "-b", bundle, "--config", f"{STATE}/config.json", "bench"],
                       check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        out("udocker-runtime", "start", "bench")
        compare(f"verbs of a running container, {engine}", [("true", ["true"])] + [
            (f"udocker-runtime {' '.join(argv)}", ["udocker-runtime", *argv]) for argv in
            (["state", "bench"], ["list"], ["kill", "bench", "URG"])])
        out("udocker-runtime", "delete", "--force", "bench")


main()
