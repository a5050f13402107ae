/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deny CALL[,CALL…][:ERRNO] … -- PROGRAM ARG…: runs a program that is answered ENOSYS, or the errno given, to some system
 * calls, as an older kernel or the filter of a container engine would. A call is a number or a name of the table below;
 * an errno is a number or one of the usual names. Everything the program starts inherits it.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CALLS 100

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#elif defined(__i386__)
#define ARCH AUDIT_ARCH_I386
#elif defined(__arm__)
#define ARCH AUDIT_ARCH_ARM
#elif defined(__powerpc64__)
#define ARCH AUDIT_ARCH_PPC64LE
#elif defined(__riscv)
#define ARCH AUDIT_ARCH_RISCV64
#else
#error "no audit number is known for this architecture"
#endif

struct name {
	const char *text;
	unsigned value;
};

#define CALL(n) \
	{ \
#n, SYS_##n \
	}
#define ERRNO(n) \
	{ \
#n, n \
	}

static const struct name calls[] = {
	CALL(openat2),
	CALL(statx),
	CALL(faccessat2),
	CALL(close_range),
	CALL(memfd_create),
	CALL(pidfd_open),
	CALL(pidfd_send_signal),
	CALL(copy_file_range),
	CALL(prctl),
	CALL(ptrace),
	CALL(unshare),
	CALL(mount),
	CALL(flock),
	CALL(clone3),
	CALL(renameat2),
	CALL(getrandom),
	CALL(linkat),
	CALL(symlinkat),
	CALL(fsync),
	CALL(fdatasync),
	CALL(syncfs),
	CALL(fchmodat),
	CALL(fchownat),
	CALL(mknodat),
	CALL(name_to_handle_at),
	CALL(setxattr),
	CALL(lsetxattr),
	CALL(fsetxattr),
	CALL(setns),
	CALL(seccomp),
	CALL(execveat),
	CALL(rseq),
	CALL(bpf),
	CALL(membarrier),
	CALL(socket),
	CALL(ioctl),
};

static const struct name errnos[] = {
	ERRNO(EPERM),
	ERRNO(ENOENT),
	ERRNO(EIO),
	ERRNO(EAGAIN),
	ERRNO(EACCES),
	ERRNO(EBUSY),
	ERRNO(EINVAL),
	ERRNO(ENOSPC),
	ERRNO(EROFS),
	ERRNO(ENOSYS),
	ERRNO(ENOLCK),
	ERRNO(EXDEV),
	ERRNO(EDQUOT),
	ERRNO(ENOTSUP),
};

struct filter {
	struct sock_filter code[2 * MAX_CALLS + 8];
	unsigned short n;
	int calls;
};

static void fail(const char *what, const char *why)
{
	fprintf(stderr, "deny: %s: %s\n", what, why);
	exit(125);
}

static unsigned lookup(const struct name *table, size_t n, const char *text)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text && !*end && v < 100000)
		return (unsigned)v;
	for (size_t i = 0; i < n; i++)
		if (strcmp(table[i].text, text) == 0)
			return table[i].value;
	fail(text, "unknown, give its number");
	return 0;
}

static void add(struct filter *f, struct sock_filter code)
{
	f->code[f->n++] = code;
}

/* CALL[,CALL…][:ERRNO] */
static void deny(struct filter *f, char *list)
{
	char *save = NULL, *colon = strchr(list, ':');
	unsigned errnum = ENOSYS;

	if (colon) {
		*colon = '\0';
		errnum = lookup(errnos, sizeof(errnos) / sizeof(errnos[0]), colon + 1);
	}
	for (char *one = strtok_r(list, ",", &save); one; one = strtok_r(NULL, ",", &save)) {
		if (++f->calls > MAX_CALLS)
			fail(one, "too many system calls");
		add(f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			       lookup(calls, sizeof(calls) / sizeof(calls[0]), one), 0, 1));
		add(f, (struct sock_filter)BPF_STMT(
			       BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (errnum & SECCOMP_RET_DATA)));
	}
}

int main(int argc, char **argv)
{
	struct filter f = { .n = 0 };
	struct sock_fprog prog;
	int i;

	/* Programs of another architecture have other numbers: they go through untouched. */
	add(&f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)));
	add(&f, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0));
	add(&f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	add(&f, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)));
	for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		deny(&f, argv[i]);
	add(&f, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
	if (i + 1 >= argc || !f.calls) {
		fprintf(stderr, "usage: deny CALL[,CALL...][:ERRNO]... -- PROGRAM [ARG...]\n");
		return 125;
	}
	prog = (struct sock_fprog){ .len = f.n, .filter = f.code };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		fail("seccomp", strerror(errno));
	execvp(argv[i + 1], argv + i + 1);
	fail(argv[i + 1], strerror(errno));
	return 125;
}
