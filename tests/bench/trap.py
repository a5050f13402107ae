# SPDX-License-Identifier: Apache-2.0
"""
The trap engine (T1, T2) beside PRoot and Fakechroot, all as an ordinary user, compared with a real chroot as root. Ends with the README's table of it;
with CHART the same as a picture, drawn by gnuplot. Needs root, for the chroot.
"""
import os
import platform
import pwd
import shutil
import statistics
import subprocess
import sys
import time

from debs import DPKG, FILES, package, rootfs
from measure import HOME, NULL, ROUNDS, out

STATE = os.environ["STATE"]
USER = "udocker-test"
TREE = "/srv/tree"
ENV = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LC_ALL": "C"}
SOURCE = "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n" + "".join(
    f"int f{i}(char *s) {{ int n = 0; for (; *s; s++) n += strchr(\"{i}\", *s) ? atoi(s) : printf(\"%c\", *s); return n; }}\n" for i in range(40))
CALLS = "20000"

# Name, command, and what the ratio to the chroot may be: T1's, where there is a bound.
JOBS = [
    ("lstat of plain names", ["/usr/bin/guestwork", "lstat", CALLS, TREE], 1.2),
    ("stat", ["/usr/bin/guestwork", "stat", CALLS, TREE], 2.5),
    ("access", ["/usr/bin/guestwork", "access", CALLS, TREE], 2.5),
    ("open, read, close", ["/usr/bin/guestwork", "open", CALLS, TREE], 1.2),
    ("the same by 4 threads", ["/usr/bin/guestwork", "threads", "4", "5000", TREE], 1.2),
    ("find, 5,000 files", ["/usr/bin/find", "/srv/many", "-type", "f", "-size", "+9k"], 1.15),
    ("200 fork and exec", ["/usr/bin/guestwork", "spawn", "200", "/usr/bin/true"], 1.4),
    ("gcc -O2 -c", ["/usr/bin/gcc", "-O2", "-c", "/srv/source.c", "-o", "/tmp/object"], 1.05),
    (f"dpkg -i, {FILES:,} files", DPKG, 1.05),
]


def make_root(root):
    rootfs(root)
    os.makedirs(f"{root}{TREE}")
    with open(f"{root}/srv/source.c", "w", encoding="ascii") as f:
        f.write(SOURCE)
    out("addprograms", root, "/usr/bin/true", "find", "gcc", "as", out("gcc", "-print-prog-name=cc1"))
    for path in out("gcc", "-O2", "-M", f"{root}/srv/source.c").replace("\\\n", " ").split()[1:]:
        if not path.startswith(root):
            os.makedirs(os.path.dirname(root + os.path.normpath(path)), exist_ok=True)
            shutil.copy2(path, root + os.path.normpath(path))
    shutil.copy2(shutil.which("guestwork.dynamic"), f"{root}/usr/bin/guestwork")
    # As every distribution's root has it: without, each program looks for its libraries in a dozen folders, which the bare program does not.
    folders = [f"/{d}/{out('gcc', '-print-multiarch')}" for d in ("lib", "usr/lib")]
    out("ldconfig", "-r", root, *(d for d in folders if os.path.isdir(root + d)))
    for i in range(100):
        with open(f"{root}{TREE}/f{i}", "wb") as f:
            f.write(bytes(100 * i))
    for i in range(5000):
        os.makedirs(f"{root}/srv/many/{i % 50}", exist_ok=True)
        with open(f"{root}/srv/many/{i % 50}/{i}", "wb") as f:
            f.write(bytes(i * 10 % 20000))


class Contender:
    def __init__(self, name, root, prefix, as_user=True):
        self.name, self.root, self.prefix = name, root, prefix
        self.ids = {"user": pwd.getpwnam(USER).pw_uid, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": []} if as_user else {}

    def run(self, argv):
        """Milliseconds of one run; a failure ends the benchmark."""
        with open(f"{HOME}/stderr", "w+b") as stderr:
            start = time.perf_counter()
            status = subprocess.run(self.prefix + argv, stdin=NULL, stdout=NULL, stderr=stderr, check=False, env=ENV, cwd="/", **self.ids).returncode
            elapsed = (time.perf_counter() - start) * 1000
            if status != 0:
                stderr.seek(0)
                sys.exit(f"{self.name}: {' '.join(argv)}: exit status {status}: {stderr.read().decode(errors='replace')}")
        return elapsed


def contenders():
    """The chroot first: what the others are compared with."""
    trap = shutil.which("udocker-trap")
    binds = ["-b", "/proc", "/proc", "-b", "/dev", "/dev"]
    ours = [trap, "-r", f"{STATE}/user", *binds, "-w", "/"]
    rows = [Contender("chroot", f"{STATE}/chroot", ["chroot", f"{STATE}/chroot"], as_user=False),
            Contender("T1", f"{STATE}/user", ours), Contender("T2", f"{STATE}/user", ours + ["-2"])]
    if shutil.which("proot"):
        rows.append(Contender("PRoot", f"{STATE}/user", ["proot", "-0", "-r", f"{STATE}/user", "-b", "/proc", "-b", "/dev", "-w", "/"]))
    if shutil.which("fakechroot"):
        rows.append(Contender("Fakechroot", f"{STATE}/user", ["fakechroot", "chroot", f"{STATE}/user"]))
    return rows


def undo(rows):
    """What a job leaves behind is not the next one's."""
    for root in {row.root for row in rows}:
        for name in ("opt", "var/lib/dpkg", "tmp/object"):
            subprocess.run(["rm", "-rf", f"{root}/{name}"], check=True)
        out("cp", "-a", f"{root}/srv/dpkg", f"{root}/var/lib/dpkg")


def measure(job, argv, rows):
    """{contender: [milliseconds]}; each round runs all of them, so that a busy machine slows all alike."""
    times = {row.name: [] for row in rows}
    for i in range(ROUNDS + 1):
        for row in rows:
            if argv is DPKG:
                undo(rows)
            elapsed = row.run(argv)
            if i > 0:
                times[row.name].append(elapsed)
    print(f"\n{job} ({ROUNDS} rounds, compared with {rows[0].name})")
    for name, taken in times.items():
        print(f"  {name:<12} {statistics.median(taken):9.2f} ms   {ratio(times, rows[0].name, name):7.2f} x   {more(times, rows[0].name, name):+9.2f} ms", flush=True)
    return times


def shown(times, base, name, form=".2f", missing="-"):
    return f"{ratio(times, base, name):{form}}" if name in times else missing


def ratio(times, base, name):
    return statistics.median(a / b for a, b in zip(times[name], times[base]))


def more(times, base, name):
    return statistics.median(a - b for a, b in zip(times[name], times[base]))


def start(rows):
    """From start to exit, beside the program alone: the chroot's own program is none of the container's."""
    bare = Contender("bare program", "/", [])
    times = measure("start to exit", ["/usr/bin/true"], [bare] + rows[1:])
    return {row.name: more(times, bare.name, row.name) for row in rows[1:]}


def version(*argv):
    words = subprocess.run(argv, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout.split()
    return next((w.strip("v,") for w in words if w.strip("v,")[:1].isdigit()), "?")


def machine(rows):
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        cpu = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), platform.machine())
    names = {row.name for row in rows}
    engines = [f"PRoot {out('dpkg-query', '-Wf', '${Version}', 'proot')}"] if "PRoot" in names and shutil.which("dpkg-query") else []
    engines += [f"Fakechroot {version('fakechroot', '--version')}"] if "Fakechroot" in names else []
    return f"Linux {platform.release()}, {os.cpu_count()} processors ({cpu}), {os.confstr('CS_GNU_LIBC_VERSION')}; {', '.join(engines)}"


def table(rows, results, starts, about):
    base, names = rows[0].name, [row.name for row in rows[1:]]
    print(f"\n<!-- trap -->\n{ROUNDS} paired rounds, medians of ratios to a real chroot as root. {about}.\n")
    if os.environ.get("CHART"):
        print(f"![Times of path calls and programs in T1, T2, PRoot and Fakechroot, as multiples of a real chroot's](tests/bench/{os.path.basename(os.environ['CHART'])})\n")
    print(f"| | {base} | {' | '.join(names)} |\n|---|---|{'---|' * len(names)}")
    for job, times in results.items():
        print(f"| {job} | {statistics.median(times[base]):.1f} ms | {' | '.join(shown(times, base, n) for n in names)} |")
    print(f"| start to exit, over the bare program | | {' | '.join(f'{starts[n]:+.1f} ms' for n in names)} |")
    print("<!-- /trap -->")


def chart(path, rows, results, about):
    """Bars of the ratios, on a logarithmic axis: an engine as fast as a chroot is at the left edge."""
    base, names = rows[0].name, [row.name for row in rows[1:]]
    colours = {"T1": "#0b6e4f", "T2": "#6fbf8f", "PRoot": "#c44536", "Fakechroot": "#e0a458"}
    lines = [f"\"{job}\" " + " ".join(shown(times, base, n, ".3f", "NaN") for n in names) for job, times in results.items()]
    plots = [f"$table using {i + 2}:xtic(1) title '{n}' lc rgb '{colours[n]}'" for i, n in enumerate(names)]
    script = f"""set terminal svg size 900,420 font 'sans-serif,12' background '#ffffff'
set output '{path}'
set style data histogram
set style histogram clustered gap 1
set style fill solid
set logscale y
set yrange [0.5:*]
set ylabel 'times a real chroot as root'
set grid ytics lc rgb '#cccccc'
set xtics rotate by -20 scale 0
set key top left horizontal
set title "{about.replace('; ', chr(92) + 'n')}" font ',9'
$table << EOD
{chr(10).join(lines)}
EOD
plot {', '.join(plots)}, 1 with lines dt 2 lc rgb '#444444' notitle
"""
    subprocess.run(["gnuplot"], input=script, check=True, text=True)


def bounds(results, starts, rows):
    """What the engine is held to, and whether this machine shows it."""
    base = rows[0].name
    print("\nT1 and its bounds:")
    for job, _, most in JOBS:
        got = ratio(results[job], base, "T1")
        print(f"  {job:<28} {got:6.2f} of {most:.2f}  {'ok' if got <= most else 'ABOVE'}")
    print(f"  {'start to exit':<28} {starts['T1']:+6.2f} of +1.00 ms  {'ok' if starts['T1'] <= 1 else 'ABOVE'}")
    for name, least in (("PRoot", 20), ("Fakechroot", 2)):
        for job in ("find, 5,000 files", "stat"):
            if name in results[job]:
                got = ratio(results[job], "T1", name)
                print(f"  {f'{name} / T1, {job}':<28} {got:6.1f} of {least}  {'ok' if got >= least else 'BELOW'}")


def main():
    if os.getuid() != 0 or not shutil.which("udocker-trap"):
        print("trap: needs root, for the chroot, and udocker-trap: left out")
        return
    subprocess.run([os.environ["AS_USER"], "true"], check=True)  # the user is there from now on
    package(f"{HOME}/many.deb")
    for name in ("chroot", "user"):
        make_root(f"{STATE}/{name}")
        out("cp", "-a", f"{STATE}/{name}/var/lib/dpkg", f"{STATE}/{name}/srv/dpkg")
    out("chown", "-R", "-h", USER, f"{STATE}/user")
    rows = contenders()
    # Fakechroot alone is no root: dpkg refuses.
    results = {job: measure(job, argv, [row for row in rows if argv is not DPKG or row.name != "Fakechroot"]) for job, argv, _ in JOBS}
    starts = start(rows)
    bounds(results, starts, rows)
    about = machine(rows)
    table(rows, results, starts, about)
    if os.environ.get("CHART") and shutil.which("gnuplot"):
        chart(os.environ["CHART"], rows, results, about)


main()
