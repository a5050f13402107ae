# SPDX-License-Identifier: Apache-2.0
"""A package of many files of another owner, and a root file system whose dpkg installs it."""
import os
import shutil

from measure import HOME, out

FILES = 2000
DPKG = ["/usr/bin/dpkg", "--force-unsafe-io", "-i", "/tmp/many.deb"]


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
