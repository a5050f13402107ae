# SPDX-License-Identifier: Apache-2.0
"""dpkg -i of a package with 2000 files of another owner: R1's fake root and PRoot's beside a real chroot, which needs root."""
import json
import os

from debs import DPKG, FILES, package, rootfs
from measure import HOME, compare, out

# Root measures: it becomes the user for all but the chroot.
AS_USER = [os.environ["AS_USER"], "-c"] if os.getuid() == 0 else []


def bundle(path):
    rootfs(f"{path}/rootfs")
    out("udocker-runtime", "spec", "--rootless", "-b", path)
    with open(f"{path}/config.json", "r+", encoding="utf-8") as f:
        config = json.load(f)
        config["root"]["readonly"] = False
        config["process"].update(terminal=False, args=DPKG, env=["PATH=/usr/sbin:/usr/bin:/sbin:/bin"])
        config["process"].pop("rlimits", None)
        f.seek(0)
        json.dump(config, f)
        f.truncate()
    if AS_USER:
        out("chown", "-R", "-h", "udocker-test", path)


def main():
    package(f"{HOME}/many.deb")
    bundle(f"{HOME}/bundle")
    contenders = []
    if AS_USER:
        rootfs(f"{HOME}/chroot")
        contenders.append(("chroot, as root", ["env", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "chroot", f"{HOME}/chroot", *DPKG]))
    here = ["udocker-runtime", "--root", f"{HOME}/state"]
    os.makedirs(f"{HOME}/state")
    os.chmod(f"{HOME}/state", 0o1777)
    names = {row["name"] for row in json.loads(out(*AS_USER, "udocker-runtime", "engines", "--format", "json")) if row["available"]}
    contenders += [(f"{name}, fake root", [*AS_USER, *here, "--engine", name, "run", "-b", f"{HOME}/bundle", name])
                   for name in ("crun", "runc", "proot") if name in names]
    times = compare(f"dpkg -i of {FILES} files of another owner", contenders)
    base = min(times[contenders[0][0]])
    print("  minima: " + ", ".join(f"{name} {min(row):.0f} ms ({min(row) / base:.2f} x)" for name, row in times.items()))


main()
