/* SPDX-License-Identifier: Apache-2.0 */
/* host: environment rules, kernel versions, and what uname and passwd say here. */
#include "pkg/base/host.h"

#include <limits.h>
#include <sys/utsname.h>

#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static void test_uname(void)
{
	struct utsname u;
	int major = 0, minor = 0;

	uname(&u);
	is_str(host_machine(), u.machine, "uname -m");
	is_str(host_kernel_release(), u.release, "uname -r");
#if defined(__x86_64__)
	if (str_eq(u.machine, "x86_64"))
		ok(str_eq(host_oci_arch(), "amd64") && str_eq(host_oci_variant(), ""), "amd64");
#elif defined(__aarch64__)
	if (str_eq(u.machine, "aarch64"))
		ok(str_eq(host_oci_arch(), "arm64") && str_eq(host_oci_variant(), "v8"), "arm64");
#endif
	ok(host_oci_arch()[0], "an architecture: %s", host_oci_arch());
	ok(sscanf(u.release, "%d.%d", &major, &minor) == 2, "the release has two numbers");
	ok(host_kernel_at_least(major, minor) && host_kernel_at_least(major - 1, 999) &&
			host_kernel_at_least(0, 0),
		"at least what it is");
	ok(!host_kernel_at_least(major, minor + 1) && !host_kernel_at_least(major + 1, 0) &&
			!host_kernel_at_least(INT_MAX, 0),
		"not more");
}

static void test_env(void)
{
	setenv("UDOCKER_TEST_HOST", "x", 1);
	is_str(host_env("UDOCKER_TEST_HOST"), "x", "set");
	setenv("UDOCKER_TEST_HOST", "", 1);
	is_str(host_env("UDOCKER_TEST_HOST"), NULL, "empty counts as unset");
	unsetenv("UDOCKER_TEST_HOST");
	is_str(host_env("UDOCKER_TEST_HOST"), NULL, "unset");
	setenv("TMPDIR", "/some/where", 1);
	is_str(host_tmpdir(), "/some/where", "TMPDIR");
	setenv("TMPDIR", "relative", 1);
	is_str(host_tmpdir(), "/tmp", "a relative TMPDIR is none");
	unsetenv("TMPDIR");
	is_str(host_tmpdir(), "/tmp", "no TMPDIR");
	setenv("HOME", "/my/home", 1);
	is_str(host_home(), "/my/home", "HOME");
	setenv("HOME", "relative", 1);
	ok(!host_home() || host_home()[0] == '/', "a relative HOME is none");
}

static void test_user(void)
{
	const char *name = host_user_name();

	ok(name[0] && name[0] != '-' && !strpbrk(name, ":/\n "), "a login name: %s", name);
	is_str(host_user_name(), name, "and the same again");
}

int main(void)
{
	test_uname();
	test_env();
	test_user();
	return tap_done();
}
