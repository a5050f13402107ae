/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp() and prctl() of the guest. Its filters are installed behind a few instructions that let the engine's own calls pass: after a strict one the
 * engine could not even return from its handler. What they say of calls that the engine takes over it asks them, from the one place that is
 * not let pass (judge.c); a listener or a tracer is asked of none of these. no_new_privs is always set, and shown as the guest set it.
 */
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <sys/mman.h>

#include "engines/trap/call.h"
#include "engines/trap/caps.h"
#include "engines/trap/ids.h"
#include "engines/trap/judge.h"
#include "engines/trap/mem.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

_Static_assert((uint32_t)TRAP_BASE == 0, "one comparison of the lower half tells the image");

/* The last one leaves the guest's program the accumulator that it expects. Where JUDGE stands belongs the place that is judged. */
static const struct sock_filter prefix[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TRAP_BASE >> 32, 0, 4),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TRAP_SPAN, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, TRAP_SPAN, 1, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_LD | BPF_IMM, 0),
};
#define JUDGE 3
#define PREFIX (sizeof(prefix) / sizeof(prefix[0]))

#ifdef __aarch64__
#define ARCH AUDIT_ARCH_AARCH64
#else
#define ARCH AUDIT_ARCH_X86_64
#endif

/* Strict mode, which the kernel does not set beside filters: not even the engine's calls pass, but to return from its handler. */
static const struct sock_filter strict[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 0, 6),
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 3, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_rt_sigreturn, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL),
};

/* A program of the guest with the prefix, in a mapping of *ret_size bytes; NULL: no memory, or none of the guest's at `fprog`. */
static struct sock_filter *copy_program(const struct sock_fprog *fprog, size_t *ret_size, long *ret_error)
{
	long map;

	*ret_size = (fprog->len + PREFIX) * sizeof(prefix[0]);
	map = SYS(mmap, 0, *ret_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (sys_failed(map)) {
		*ret_error = map;
		return NULL;
	}
	memcpy((void *)map, prefix, sizeof(prefix));
	((struct sock_filter *)map)[JUDGE].k = (uint32_t)(uintptr_t)judge_place;
	*ret_error =
		guest_read((struct sock_filter *)map + PREFIX, fprog->filter, fprog->len * sizeof(prefix[0]));
	if (!*ret_error)
		return (void *)map;
	SYS(munmap, map, *ret_size);
	return NULL;
}

static long install(const void *guest, unsigned long flags)
{
	struct sock_fprog fprog;
	struct sock_filter *program;
	bool was = ids_get()->filtered;
	size_t size;
	long r;

	/* libseccomp finds out which flags there are by a program that is not there: the kernel knows. */
	if (guest_read(&fprog, guest, sizeof(fprog)))
		return SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags, 0);
	if (!fprog.len || fprog.len + PREFIX > BPF_MAXINSNS)
		return -EINVAL;
	if (!ids_get()->no_new_privs && !ids_capable(CAP_SYS_ADMIN))
		return -EACCES;
	program = copy_program(&fprog, &size, &r);
	if (!program)
		return r;
	/* Said before it is so: the filter may forbid the call that says who we are. */
	ids_own()->filtered = true;
	fprog.len = (unsigned short)(fprog.len + PREFIX);
	fprog.filter = program;
	r = SYS(seccomp, SECCOMP_SET_MODE_FILTER, flags, &fprog);
	judge_is_needed |= r >= 0;
	SYS(munmap, program, size);
	if (r < 0)
		ids_own()->filtered = was;
	return r;
}

static long install_strict(void)
{
	static struct sock_filter copy[sizeof(strict) / sizeof(strict[0])];
	struct sock_fprog fprog = { sizeof(strict) / sizeof(strict[0]), copy };

	memcpy(copy, strict, sizeof(copy));
	return SYS(seccomp, SECCOMP_SET_MODE_FILTER, 0, &fprog);
}

long call_seccomp(struct call *c)
{
	switch ((unsigned)c->arg[0]) {
	case SECCOMP_SET_MODE_STRICT:
		return (unsigned)c->arg[1] || c->arg[2] ? -EINVAL : install_strict();
	case SECCOMP_SET_MODE_FILTER:
		return install((const void *)c->arg[2], (unsigned)c->arg[1]);
	default:
		return call_pass(c);
	}
}

static long set_seccomp(struct call *c)
{
	if (c->arg[1] == SECCOMP_MODE_STRICT)
		return install_strict();
	return c->arg[1] == SECCOMP_MODE_FILTER ? install((const void *)c->arg[2], 0) : -EINVAL;
}

static long set_no_new_privs(struct call *c)
{
	if (c->arg[1] != 1 || c->arg[2] || c->arg[3] || c->arg[4])
		return -EINVAL;
	ids_own()->no_new_privs = true;
	return 0;
}

long call_prctl(struct call *c)
{
	switch ((int)c->arg[0]) {
	case PR_SET_NO_NEW_PRIVS:
		return set_no_new_privs(c);
	case PR_GET_NO_NEW_PRIVS:
		return c->arg[1] || c->arg[2] || c->arg[3] || c->arg[4] ? -EINVAL : ids_get()->no_new_privs;
	case PR_SET_SECCOMP:
		return set_seccomp(c);
	case PR_GET_SECCOMP:
		return ids_get()->filtered ? SECCOMP_MODE_FILTER : SECCOMP_MODE_DISABLED;
	case PR_SET_MM:
		/* The link to the program is the engine's: it is shown as the guest's by other means. */
		return c->arg[1] == PR_SET_MM_EXE_FILE ? -EPERM : call_pass(c);
	case PR_SET_SYSCALL_USER_DISPATCH:
		/* It would send the engine's own calls back to the guest. As on kernels without it. */
		return c->arg[1] ? -EINVAL : call_pass(c);
	case PR_GET_KEEPCAPS:
	case PR_SET_KEEPCAPS:
	case PR_GET_SECUREBITS:
	case PR_SET_SECUREBITS:
	case PR_CAPBSET_READ:
	case PR_CAPBSET_DROP:
	case PR_CAP_AMBIENT:
		return trap_has(TRAP_IDS) ? caps_prctl(c) : call_pass(c);
	default:
		return call_pass(c);
	}
}
