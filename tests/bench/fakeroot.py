# SPDX-License-Identifier: Apache-2.0
"""dpkg -i of a package with 2000 files of another owner: R1's fake root and PRoot's beside a real chroot, which needs root."""
import json
import os
import shutil

from measure import HOME, compare, out

FILES = 2000
DPKG = ["/usr/bin/dpkg", "--force-unsafe-io", "-i", "/tmp/many.deb"]
# Root measures: it becomes the user for all but the chroot.
AS_USER = [os.environ["AS_USER"], "-c"] if os.getuid() == 0 else []


def package(path):
    """An archive as ar makes it: the parts in their order, each with its size."""
    data, control = f"{HOME}/data", f"{HOME}/control"
    for i in range(FILES):
        os.makedirs(f"{data}/opt/many/{i % 40}", exist_ok=True)
        with open(f"{data}/opt/many/{i % 40}/{i}", "w", encoding="ascii") as f:
            f.write(f"{i}\n" * 200)
    os.makedirs(control)
    with open(f"{control}/control", "w", encoding="ascii") as f:
        f.write("Package: many\nVersion: 1\nArchitecture: all\nMaintainer: Nobody <nobody@example.org>\nDescription: files\n")
    out("tar", "-C", data, "--owner=www-data:33", "--group=www-data:33", "-cf", f"{HOME}/data.tar", ".")
    out("tar", "-C", control, "--owner=0", "--group=0", "-cf", f"{HOME}/control.tar", ".")
    with open(f"{HOME}/debian-binary", "w", encoding="ascii") as f:
        f.write("2.0\n")
    with open(path, "wb") as deb:
        deb.write(b"!<arch>\n")
        for part in ("debian-binary", "control.tar", "data.tar"):
            with open(f"{HOME}/{part}", "rb") as f:
                content = f.read()
            deb.write(f"{part:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode())
            deb.write(content + b"\n" * (len(content) % 2))


def rootfs(path):
    out("mkrootfs", path)
    out("addprograms", path, "dpkg", "dpkg-deb", "dpkg-split", "dpkg-query", "tar", "rm", "ldconfig")
    for name in ("info", "updates", "triggers"):
        os.makedirs(f"{path}/var/lib/dpkg/{name}")
    with open(f"{path}/var/lib/dpkg/status", "w", encoding="ascii"):
        pass
    shutil.copy(f"{HOME}/many.deb", f"{path}/tmp/many.deb")


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
