# SPDX-License-Identifier: Apache-2.0
"""
An image comes from a registry on this machine: pull beside curl, which fetches the same blobs, hashes nothing and leaves them to the kernel to
write, and skopeo; and a container of an image that is absent (`udocker run`: pulled and unpacked at once) beside the longer of pull and create alone,
and beside podman. The registry's processor time counts as that of who asks it: where processors are few nothing can take less than all of it. What
does nothing but fetch, beside a create that waits for nobody, says how near to the longer of both this machine can come. Through a link as slow
as most the registry takes its time, and the processors are not what there is too little of.
"""
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from measure import HOME, NULL, ROUNDS, compare, out
from realimage import make_image

MANY = 40  # small layers
LINK = 25_000_000  # bytes a second: 200 Mbit/s
CONFIG = """version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {0}/data}}}}
http: {{addr: "127.0.0.1:0"}}
"""


def port_of(pid):
    """The port that a process listens on, once it does."""
    for _ in range(400):
        fds = f"/proc/{pid}/fd"
        links = set()
        try:
            links.update(os.readlink(f"{fds}/{fd}") for fd in os.listdir(fds))
        except OSError:
            pass  # it is only just starting
        with open("/proc/net/tcp", encoding="ascii") as f:
            for words in map(str.split, f.readlines()[1:]):
                if words[3] == "0A" and f"socket:[{words[9]}]" in links:
                    return int(words[1].split(":")[1], 16)
        time.sleep(0.05)
    raise SystemExit("docker-registry does not start")


def start_registry(directory):
    os.makedirs(directory)
    with open(f"{directory}/config.yml", "w", encoding="utf-8") as f:
        f.write(CONFIG.format(directory))
    # It lives until the benchmark ends it.
    process = subprocess.Popen(["docker-registry", "serve", f"{directory}/config.yml"], stdin=NULL, stdout=NULL, stderr=NULL)  # pylint: disable=consider-using-with
    process.host = f"localhost:{port_of(process.pid)}"
    return process


def remove(path):
    if os.path.isdir(path):
        subprocess.run(["chmod", "-R", "u+rwx", path], check=True)
        shutil.rmtree(path)


def blobs_of(layout):
    with open(f"{layout}/index.json", encoding="utf-8") as f:
        manifest = json.load(f)["manifests"][0]["digest"]
    with open(f"{layout}/blobs/{manifest.replace(':', '/')}", encoding="utf-8") as f:
        m = json.load(f)
    return [d["digest"] for d in [m["config"], *m["layers"]]]


def say(ours, theirs, text):
    ratios = sorted(a / b for a, b in zip(ours, theirs))
    print(f"  {text}: {statistics.median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f}); "
          f"minima {min(ours) / min(theirs):.2f}")


def bench_pull(name, registry, blobs, work, rounds):
    """The blobs alone."""
    host = registry.host
    target, reference = f"{work}/target", f"{host}/{name}:1"
    urls = f"{work}/urls"
    with open(urls, "w", encoding="ascii") as f:
        for d in blobs:
            f.write(f'url = "http://{host}/v2/{name}/blobs/{d}"\noutput = "{target}/{d}"\n')

    def clean():
        remove(target)
        os.mkdir(target)

    ours = "udocker-image pull"
    contenders = [(ours, ["udocker-image", "--repo", f"{target}/store", "pull", "-q", "--insecure", reference])]
    if shutil.which("curl"):
        contenders.insert(0, ("curl --parallel", ["curl", "-sf", "--parallel", "-K", urls]))
    if shutil.which("skopeo"):
        contenders.append(("skopeo copy to a layout", ["skopeo", "--insecure-policy", "copy", "-q", "--src-tls-verify=false",
                                                       f"docker://{reference}", f"oci:{target}/oci:x"]))
    times = compare(f"pull of {name}, {len(blobs) - 1} layers", contenders, rounds=rounds, clean=clean, usage=True,
                    server=registry.pid)
    for other, theirs in times.items():
        if other != ours:
            say(times[ours], theirs, f"pull / {other}")
    remove(target)


def bench_link(name, registry, work, rounds):
    """A cold start where the network is slower than the processors."""
    with subprocess.Popen([sys.executable, f"{os.path.dirname(__file__)}/link.py", registry.host.split(":")[1], str(LINK)],
                          stdin=NULL, stdout=subprocess.PIPE, text=True) as link:
        try:
            reference, stored, cold = f"localhost:{link.stdout.readline().strip()}/{name}:1", f"{work}/stored", f"{work}/cold"
            out("udocker-image", "--repo", stored, "pull", "-q", "--insecure", reference)
            contenders = [(f"{text} alone", ["env", f"UDOCKER_DIR={store}", *argv]) for text, store, argv in (
                ("pull", cold, ["udocker-image", "pull", "-q", "--insecure", reference]),
                ("create", stored, ["udocker-bundle", "-q", "create", reference]))]
            run = "udocker run, absent image"
            contenders.append((run, ["env", f"UDOCKER_DIR={cold}", "udocker", "-q", "--insecure", "run", reference, "/bin/true"]))
            times = compare(f"cold start of {name} through a link of {LINK * 8 // 1_000_000} Mbit/s", contenders, rounds=rounds,
                            clean=lambda: remove(cold), warm_up=False, usage=True, server=registry.pid)
            longer = [max(pair) for pair in zip(times["pull alone"], times["create alone"])]
            say(times[run], longer, "run / the longer of pull and create")
        finally:
            link.kill()
    remove(cold)
    remove(stored)


def bench_cold(name, registry, blobs, work, rounds):
    """Until a program of the image runs."""
    host = registry.host
    reference, stored, cold = f"{host}/{name}:1", f"{work}/stored", f"{work}/cold"
    out("udocker-image", "--repo", stored, "pull", "-q", "--insecure", reference)
    os.environ["UDOCKER_DIR"] = stored

    def clean():
        remove(cold)
        remove(f"{work}/urls.d")
        os.mkdir(f"{work}/urls.d")
        if os.path.isdir(f"{work}/podman"):
            # Files of mapped owners.
            subprocess.run(["podman", "unshare", "rm", "-rf", f"{work}/podman"], stdin=NULL, check=True)
        for container in os.listdir(f"{stored}/containers"):
            remove(f"{stored}/containers/{container}")

    def at(store, *words):
        return ["env", f"UDOCKER_DIR={store}", *words]

    pull = at(cold, "udocker-image", "pull", "-q", "--insecure", reference)
    create = at(stored, "udocker-bundle", "-q", "create", reference)
    run = ["udocker", "-q", "--insecure", "run", reference, "/bin/true"]
    contenders = [("pull alone", pull), ("create alone", create), ("udocker run, stored image", at(stored, *run)),
                  ("udocker run, absent image", at(cold, *run))]
    beside = "curl beside create, neither waits"
    if shutil.which("curl"):
        with open(f"{work}/urls", "w", encoding="ascii") as f:
            f.writelines(f'url = "http://{host}/v2/{name}/blobs/{d}"\noutput = "{work}/urls.d/{d}"\n' for d in blobs)
        script = f"curl -sf --parallel -K {work}/urls & udocker-bundle -q create {reference} && wait $!"
        contenders.append((beside, at(stored, "sh", "-c", script)))
    # It wants a --runroot of less than 50 characters.
    podman = ["podman", "--root", f"{work}/podman/root", "--runroot", f"{HOME}/run/p", "--storage-driver", "vfs",
              "pull", "-q", "--signature-policy", f"{HOME}/policy.json", "--tls-verify=false", reference]
    clean()
    if shutil.which("podman"):
        # Not through a pipe: the process that podman leaves would keep it open.
        with open(f"{work}/podman.stderr", "w+", encoding="utf-8") as stderr:
            if subprocess.run(podman, stdin=NULL, stdout=NULL, stderr=stderr, check=False).returncode == 0:
                contenders.append(("podman pull, vfs", podman))
            else:
                stderr.seek(0)
                print(f"podman pull does not work here and is left out: {stderr.read().strip()}")
    taken = {}
    times = compare(f"cold start of {name}", contenders, rounds=rounds, clean=clean, usage=True, server=registry.pid,
                    processors=taken)
    longer = [max(pair) for pair in zip(times["pull alone"], times["create alone"])]
    say(times["udocker run, absent image"], longer, "run / the longer of pull and create")
    stored_run = [max(pair) for pair in zip(times["pull alone"], times["udocker run, stored image"])]
    say(times["udocker run, absent image"], stored_run, "run / the longer of pull and the run of a stored image")
    everything = zip(stored_run, taken["pull alone"], taken["udocker run, stored image"])
    needed = [max(wall, sum(processors) / os.cpu_count()) for wall, *processors in everything]
    say(times["udocker run, absent image"], needed,
        f"run / that, or all the processor time of both on {os.cpu_count()} processors if it is longer")
    if beside in times:
        say(times[beside], longer, "curl beside create / the longer of pull and create")
    both = [sum(pair) for pair in zip(times["pull alone"], times["create alone"])]
    say(times["udocker run, absent image"], both, "run / pull and then create")
    if "podman pull, vfs" in times:
        say(times["udocker run, absent image"], times["podman pull, vfs"], "run / podman pull")
    clean()
    remove(stored)


def push_images(host):
    """[(name, blobs)]: a large one, and one of many small layers; both begin with a small root file system."""
    out("mkrootfs", f"{HOME}/rootfs")
    out("tar", "-C", f"{HOME}/rootfs", "-cf", f"{HOME}/base.tar", ".")
    images = []
    for name, shares, part in (("large", None, 1.0), ("many", [1 / MANY] * (MANY - 1), 0.1)):
        os.mkdir(f"{HOME}/{name}")
        layout, _ = make_image(f"{HOME}/{name}", *([shares, part] if shares else []), more=[f"{HOME}/base.tar"])
        out("skopeo", "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", f"oci:{layout}", f"docker://{host}/{name}:1")
        images.append((name, blobs_of(layout)))
        remove(f"{HOME}/{name}")
    return images


def main():
    for needed in ("docker-registry", "skopeo"):
        if not shutil.which(needed):
            print(f"{needed} is not on the machine: pull is left out")
            return
    registry = start_registry(f"{HOME}/registry")
    # Nobody's credentials: those of the session may lie where this user may not look. The registry would take the variable for its own.
    for name, text in (("auth.json", "{}"), ("policy.json", '{"default": [{"type": "insecureAcceptAnything"}]}')):
        with open(f"{HOME}/{name}", "w", encoding="ascii") as f:
            f.write(text)
    os.mkdir(f"{HOME}/run", 0o700)
    os.environ.update(REGISTRY_AUTH_FILE=f"{HOME}/auth.json", XDG_RUNTIME_DIR=f"{HOME}/run")
    try:
        images = push_images(registry.host)
        for place, top, rounds in (("tmpfs", "/dev/shm", max(3, ROUNDS // 2)), ("disk", HOME, 3)):
            if not os.access(top, os.W_OK) or shutil.disk_usage(top).free < 4e9:
                print(f"{top} is not writable or too small: left out")
                continue
            work = tempfile.mkdtemp(prefix="udocker-bench.", dir=top)
            print(f"\non {place}:")
            try:
                for name, blobs in images:
                    bench_pull(name, registry, blobs, work, rounds)
                    bench_cold(name, registry, blobs, work, max(3, rounds // 3))  # podman takes its time
                    if place == "tmpfs":
                        bench_link(name, registry, work, 3)
            finally:
                subprocess.run(["chmod", "-R", "u+rwx", work], check=True)
                shutil.rmtree(work)
    finally:
        registry.kill()
        registry.wait()
        # A process that podman leaves to keep the user's namespace.
        for directory, _, names in os.walk(f"{HOME}/run"):
            if "pause.pid" in names:
                with open(f"{directory}/pause.pid", encoding="ascii") as f:
                    os.kill(int(f.read()), signal.SIGTERM)


main()
