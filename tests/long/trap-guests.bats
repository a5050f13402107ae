#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debian 12 in the trap engine, as an ordinary user: packages installed from inside, the runtimes of languages, a package built from its source with
# its own tests. Debian comes from the machine's mirror once, and is kept: see guest_debian.

load ../helpers
load ../trap
load ../battery

setup() {
  battery_setup
  trap_image
  requires mmdebstrap user
  guest_debian "$T/root"
  cp /etc/apt/sources.list.d/*.sources "$T/root/etc/apt/sources.list.d/" 2>/dev/null || true
}
teardown() { battery_teardown; }

# inside T1|T2 SCRIPT: as root of the guest.
inside() {
  local mode=$1
  shift
  [ "$mode" = T1 ] && mode=() || mode=(-2)
  timeout 3000 env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
    "$IMAGE" -r "$T/root" "${mode[@]}" -b /proc /proc -b /dev /dev -b /sys /sys -b /etc/resolv.conf /etc/resolv.conf -b /etc/hosts /etc/hosts \
    -w /root /bin/sh -ec "$*"
}
install() { inside "$1" "apt-get -qq update; apt-get -y -qq --no-install-recommends install $2" >"$T/apt" 2>&1 || { tail -20 "$T/apt" >&2; return 1; }; }

@test "python, perl: processes, threads, files" {
  inside T1 'python3 -c "
import multiprocessing, subprocess, tempfile, os, threading
with multiprocessing.Pool(4) as p: assert sum(p.map(abs, range(1000))) == 499500
assert subprocess.run([\"sh\", \"-c\", \"echo \$((6*7))\"], stdout=subprocess.PIPE).stdout == b\"42\n\"
with tempfile.TemporaryDirectory() as d:
    ts = [threading.Thread(target=lambda i=i: open(f\"{d}/{i}\", \"w\").write(\"x\")) for i in range(50)]
    [t.start() for t in ts]; [t.join() for t in ts]
    assert len(os.listdir(d)) == 50
assert os.getcwd() == \"/root\" and os.getuid() == 0 and os.path.realpath(\"/proc/self/exe\").startswith(\"/usr/bin/python3\")"
perl -MFile::Temp=tempdir -e "my \$d = tempdir(CLEANUP => 1); open(my \$f, \">\", \"\$d/a\") or die; close \$f; -e \"\$d/a\" or die; system(\"true\") == 0 or die"'
}

@test "node, ruby, OpenJDK, Go and Rust, installed from inside" {
  install T1 "nodejs ruby golang-go rustc openjdk-17-jdk-headless libc6-dev gcc"
  inside T1 '
    node -e "require(\"child_process\").execFileSync(\"true\"); require(\"fs\").writeFileSync(\"/tmp/n\", \"x\"); new (require(\"worker_threads\").Worker)(\"0\", {eval: true})"
    ruby -e "raise unless Process.wait2(fork { exit 3 })[1].exitstatus == 3; Dir.glob(\"/etc/*\").size > 10 or raise"
    printf "class A { public static void main(String[] a) throws Exception { System.exit(new ProcessBuilder(\"true\").start().waitFor() + (new java.io.File(\"/etc/passwd\").length() > 0 ? 0 : 1)); } }" >A.java
    javac A.java && java -cp . A
    printf "package main\nimport (\"os\"; \"os/exec\")\nfunc main() { for i := 0; i < 100; i++ { go os.Stat(\"/etc\") }; if exec.Command(\"true\").Run() != nil { os.Exit(1) } }\n" >a.go
    HOME=/root go run a.go
    printf "fn main() { let t: Vec<_> = (0..8).map(|_| std::thread::spawn(|| std::fs::metadata(\"/etc/passwd\").unwrap().len())).collect(); for x in t { assert!(x.join().unwrap() > 0); } }\n" >a.rs
    rustc -o a a.rs && ./a'
}

@test "two hundred packages are installed from inside, and verified" {
  install T1 "texlive-base build-essential xorg emacs-nox r-base-core"
  inside T1 'test "$(dpkg -l | grep -c ^ii)" -gt 300; test -z "$(dpkg --audit)"; dpkg --verify | (! grep -v /usr/share/)'
}

@test "a package is built from its source, with its own tests" {
  install T1 "build-essential dpkg-dev debhelper"
  inside T1 'sed -i "s/^deb \(.*\)/deb \1\ndeb-src \1/" /etc/apt/sources.list 2>/dev/null || true; sed -i "s/^Types: deb$/Types: deb deb-src/" /etc/apt/sources.list.d/*.sources 2>/dev/null || true
    apt-get -qq update; apt-get -y -qq build-dep hello; apt-get -qq source hello; cd hello-*/ && dpkg-buildpackage -us -uc -b' >"$T/build" 2>&1 || { tail -20 "$T/build"; false; }
  grep -q '^# FAIL:  *0' "$T/build"
}

@test "T2: python, perl and gcc" {
  inside T2 'python3 -c "import multiprocessing as m; print(m.Pool(2).map(abs, [-1]))"; perl -e "exit 0"; echo "int main(){return 0;}" >a.c; gcc a.c -o a && ./a'
}
