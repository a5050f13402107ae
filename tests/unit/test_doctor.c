/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: the parts that depend on text, and that every answer is complete. */
#include "engines/doctor.h"

#include "pkg/base/str.h"
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
	test_all();
	return tap_done();
}
