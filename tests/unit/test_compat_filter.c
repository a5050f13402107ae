/* SPDX-License-Identifier: Apache-2.0 */
/* The filter is interpreted, and run once for real in a child. */
#include "engines/compat_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

#define REFUSED (SECCOMP_RET_ERRNO | ENOSYS)

static uint32_t run(const struct sock_filter *f, size_t n, uint32_t arch, uint32_t nr)
{
	const struct seccomp_data data = { .nr = (int)nr, .arch = arch };

	return bpf_run(f, n, &data);
}

/* How many of the numbers below 1024 are refused. */
static int refused(const struct sock_filter *f, size_t n, uint32_t arch)
{
	int count = 0;

	for (uint32_t nr = 0; nr < 1024; nr++) {
		uint32_t v = run(f, n, arch, nr);

		if (v == REFUSED)
			count++;
		else if (v != SECCOMP_RET_ALLOW)
			return -1;
	}
	return count;
}

static void test_x86_64(void)
{
	static const unsigned old[] = { 316, 332, 439 }; /* known from 5.2 on */
	static const unsigned always[] = { 303, 304, 322, 425, 426, 427, 433, 435, 437, 444, 445, 446, 452,
		457, 458, 463, 469 };
	static const unsigned never[] = { 0, 2, 4, 59, 80, 257, 262, 264, 269, 280, 424, 434, 436, 438, 441,
		443, 447, 451, 453, 456, 459, 462, 470 };
	size_t n, m;
	struct sock_filter *f = compat_filter_build(COMPAT_X86_64, COMPAT_VERSION(5, 1), &n);
	struct sock_filter *g = compat_filter_build(COMPAT_X86_64, COMPAT_VERSION(5, 4), &m);

	for (size_t i = 0; i < ARRAY_LEN(old); i++) {
		is_int(run(f, n, AUDIT_ARCH_X86_64, old[i]), REFUSED, "5.1: hidden");
		is_int(run(g, m, AUDIT_ARCH_X86_64, old[i]), SECCOMP_RET_ALLOW,
			"5.4: translated, so allowed");
	}
	for (size_t i = 0; i < ARRAY_LEN(always); i++) {
		is_int(run(f, n, AUDIT_ARCH_X86_64, always[i]), REFUSED, "5.1: unknown to every PRoot");
		is_int(run(g, m, AUDIT_ARCH_X86_64, always[i]), REFUSED, "5.4: unknown to every PRoot");
	}
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		is_int(run(f, n, AUDIT_ARCH_X86_64, never[i]), SECCOMP_RET_ALLOW, "the fallbacks are there");
	is_int(run(f, n, AUDIT_ARCH_X86_64, (uint32_t)-1), SECCOMP_RET_ALLOW,
		"a call that PRoot cancelled passes");
	is_int(run(f, n, AUDIT_ARCH_X86_64, 0x40000000 | 425), REFUSED, "x32 is no way round");
	is_int(refused(f, n, AUDIT_ARCH_X86_64), 31, "x86-64: no row is lost");
	is_int(refused(g, m, AUDIT_ARCH_X86_64), 28, "x86-64, 5.4: three fewer");
	is_int(refused(f, n, AUDIT_ARCH_I386), 32, "i386: no row is lost");
	is_int(run(f, n, AUDIT_ARCH_I386, 383), REFUSED, "i386: statx");
	is_int(run(f, n, AUDIT_ARCH_I386, 332), SECCOMP_RET_ALLOW, "i386: 332 is another call");
	is_int(refused(f, n, AUDIT_ARCH_AARCH64), 0, "a foreign architecture is left alone");
	/* The kernel compiles it at each start, and runs it there for every number. */
	ok(n <= 56, "runs of numbers are one range each");
	free(f);
	free(g);
}

static void test_others(void)
{
	size_t n;
	struct sock_filter *f = compat_filter_build(COMPAT_AARCH64, 0, &n);

	is_int(refused(f, n, AUDIT_ARCH_AARCH64), 31, "aarch64: no row is lost");
	is_int(run(f, n, AUDIT_ARCH_AARCH64, 291), REFUSED, "aarch64: statx");
	is_int(run(f, n, AUDIT_ARCH_AARCH64, 276), REFUSED, "aarch64: renameat2");
	is_int(run(f, n, AUDIT_ARCH_AARCH64, 38), SECCOMP_RET_ALLOW, "aarch64: renameat");
	is_int(refused(f, n, AUDIT_ARCH_ARM), 32, "arm: no row is lost");
	is_int(refused(f, n, AUDIT_ARCH_X86_64), 0, "aarch64: foreign");
	free(f);
	f = compat_filter_build(COMPAT_RISCV64, 0, &n);
	is_int(run(f, n, AUDIT_ARCH_RISCV64, 276), SECCOMP_RET_ALLOW, "riscv64 needs renameat2");
	is_int(refused(f, n, AUDIT_ARCH_RISCV64), 30, "riscv64: no row is lost");
	free(f);
	f = compat_filter_build(COMPAT_NONE, 0, &n);
	ok(!f && n == 0, "no table, no filter");
}

/* 0 when the kernel loads the filter and answers ENOSYS to io_uring_setup and getpid() works. */
static int child(void)
{
	size_t n;
	struct sock_filter *f = compat_filter_build(compat_arch_host(), 0, &n);
	struct sock_fprog prog = { .len = (unsigned short)n, .filter = f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 2;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		return 3;
	if (syscall(452, -1, "", 0, 0) != -1 || errno != ENOSYS)
		return 4;
	return getpid() > 0 ? 0 : 5;
}

int main(void)
{
	pid_t pid;
	int status = -1;

	test_x86_64();
	test_others();
	if (compat_arch_host() != COMPAT_NONE) {
		pid = fork();
		if (pid == 0)
			_exit(child());
		ok(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status),
			"the child ended by itself");
		is_int(WEXITSTATUS(status), 0, "the kernel loads it and refuses fchmodat2");
	}
	return tap_done();
}
