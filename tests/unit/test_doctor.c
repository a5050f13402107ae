/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the parts that depend on text, and that every answer is complete. */
#include "engines/doctor.h"

#include <stdio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static void test_subids(void)
{
	static const char text[] =
		"root:1:2\nann:100000:65536\n# a comment\nbob:1:x\n1000:300000:10\nann:7\nann:1:2:3\n";

	ok(doctor_subids(text, "ann", 5) == 65536, "by name; a line of other fields does not count");
	ok(doctor_subids(text, "ann", 1000) == 65546, "by name and by number");
	ok(doctor_subids(text, "bob", 7) == 0, "no number");
	ok(doctor_subids(text, "an", 7) == 0, "a part of a name");
	ok(doctor_subids("", "ann", 7) == 0, "an empty file");
}

static void test_container(void)
{
	is_str(doctor_container_of("0::/system.slice/docker-12.scope"), "docker", "docker");
	is_str(doctor_container_of("0::/user.slice/libpod-12.scope"), "podman", "podman");
	is_str(doctor_container_of("12:cpu:/kubepods/besteffort/docker-1"), "Kubernetes", "Kubernetes");
	is_str(doctor_container_of("systemd-nspawn"), "systemd-nspawn", "systemd-nspawn");
	ok(!doctor_container_of("0::/user.slice/user-1000.slice"), "a session of a user");
	ok(!doctor_container_of(""), "nothing");
}

/* The C library's own is not asked: this is the kernel that the tests are told of. */
static const char *release = "6.1.0";

int uname(struct utsname *u)
{
	*u = (struct utsname){ .sysname = "Linux", .machine = "x86_64" };
	(void)snprintf(u->release, sizeof(u->release), "%s", release);
	return 0;
}

/* What is said of it. In a child, since it is asked once. */
static void test_kernel(const char *of, bool met, const char *found, const char *remedy)
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0) {
		struct doctor_fact *f;
		size_t n;

		release = of;
		doctor_facts(&f, &n);
		status = f[0].met == met && str_eq(f[0].found, found) &&
					 (remedy ? f[0].remedy && strstr(f[0].remedy, remedy) : !f[0].remedy)
				 ? 0
				 : 1;
		doctor_facts_free(f, n);
		_exit(status);
	}
	ok(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0, "Linux %s", of);
}

static void test_kernels(void)
{
	test_kernel("3.2.0-4-amd64", false, "Linux 3.2.0-4-amd64, x86_64", "try P2");
	test_kernel(
		"3.10.0-1160.el7", true, "Linux 3.10.0-1160.el7, x86_64", "Linux 5.6 resolves paths faster");
	test_kernel("5.10.0", true, "Linux 5.10.0, x86_64", NULL);
}

static void test_all(void)
{
	struct doctor_fact *f;
	size_t n;

	doctor_facts(&f, &n);
	ok(n > 8, "%zu requirements", n);
	for (size_t i = 0; i < n; i++)
		ok(f[i].found && *f[i].found && (f[i].met || f[i].remedy), "%s: %s", f[i].name, f[i].found);
	doctor_facts_free(f, n);
}

int main(void)
{
	test_subids();
	test_container();
	test_kernels(); /* first: it is asked once */
	test_all();
	return tap_done();
}
