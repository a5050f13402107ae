/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of answered system calls, and their BPF program. */
#include "engines/fake_root_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include "engines/bpf_program.h"
#include "engines/fake_root.h"

#if defined(__x86_64__)

/* Calls of consecutive numbers: about files, or about the ids of processes. */
struct run {
	uint16_t first, last;
	bool ids;
};

/* The reader compares rows with the kernel's tables, so they keep their order and their lines. */
/* clang-format off */
static const struct run runs_x86_64[] = {
	{ 92, 94, false },             /* chown fchown lchown */
	{ 105, 106, true },            /* setuid setgid */
	{ 113, 114, true },            /* setreuid setregid */
	{ 116, 117, true },            /* setgroups setresuid */
	{ 119, 119, true },            /* setresgid */
	{ 122, 123, true },            /* setfsuid setfsgid */
	{ 260, 260, false },           /* fchownat */
};
static const struct run runs_i386[] = {
	{ 16, 16, false },                                          /* lchown */
	{ 23, 23, true }, { 46, 46, true },                         /* setuid setgid */
	{ 70, 71, true }, { 81, 81, true },                         /* setreuid setregid setgroups */
	{ 95, 95, false },                                          /* fchown */
	{ 138, 139, true }, { 164, 164, true }, { 170, 170, true }, /* setfsuid setfsgid setresuid setresgid */
	{ 182, 182, false }, { 198, 198, false },                   /* chown lchown32 */
	{ 203, 204, true }, { 206, 206, true },                     /* setreuid32 setregid32 setgroups32 */
	{ 207, 207, false },                                        /* fchown32 */
	{ 208, 208, true }, { 210, 210, true },                     /* setresuid32 setresgid32 */
	{ 212, 212, false },                                        /* chown32 */
	{ 213, 216, true },                                         /* setuid32 setgid32 setfsuid32 setfsgid32 */
	{ 298, 298, false },                                        /* fchownat */
};
/* clang-format on */

#define ROWS(t) (t), ARRAY_LEN(t)

static const struct abi {
	uint32_t audit_arch;
	uint32_t nr_mask; /* of the number; x32 calls carry an extra bit */
	const struct run *runs;
	size_t n;
	uint16_t capset, mknod, mknodat;
} abis[] = {
	{ AUDIT_ARCH_X86_64, 0xbfffffff, ROWS(runs_x86_64), 126, 133, 259 },
	{ AUDIT_ARCH_I386, 0, ROWS(runs_i386), 185, 14, 297 },
};

static void emit_run(struct bpf_program *p, uint16_t first, uint16_t last)
{
	if (first == last) {
		bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, first);
	} else {
		bpf_emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 2, first);
		bpf_emit(p, BPF_JMP | BPF_JGT | BPF_K, 1, 0, last);
	}
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO);
}

/* A call that makes a file of the type in its argument `mode`; modes are words, and this machine has the low half of one first. */
static void emit_node(struct bpf_program *p, uint16_t call, unsigned mode)
{
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 5, call);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0,
		(uint32_t)(offsetof(struct seccomp_data, args) + mode * sizeof(uint64_t)));
	bpf_emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, FAKE_ROOT_DEVICE_MASK);
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, FAKE_ROOT_DEVICE_BITS);
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO);
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
}

static void emit_abi(struct bpf_program *p, const struct abi *abi, enum fake_root_part part, bool capset)
{
	size_t at = p->n + 1;

	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, abi->audit_arch);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (abi->nr_mask)
		bpf_emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, abi->nr_mask);
	for (size_t i = 0; i < abi->n; i++)
		if (part == FAKE_ROOT_ALL || !abi->runs[i].ids)
			emit_run(p, abi->runs[i].first, abi->runs[i].last);
	if (capset)
		emit_run(p, abi->capset, abi->capset);
	emit_node(p, abi->mknod, 1);
	emit_node(p, abi->mknodat, 2);
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	p->v[at].jf = (uint8_t)(p->n - at - 1); /* another architecture: the next section */
}

struct sock_filter *fake_root_filter_build(enum fake_root_part part, bool capset, size_t *ret_len)
{
	struct bpf_program p = { 0 };

	for (size_t i = 0; part != FAKE_ROOT_NONE && i < ARRAY_LEN(abis); i++)
		emit_abi(&p, &abis[i], part, capset);
	bpf_emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	*ret_len = p.n;
	return p.v;
}

#else

struct sock_filter *fake_root_filter_build(enum fake_root_part part, bool capset, size_t *ret_len)
{
	(void)part;
	(void)capset;
	*ret_len = 0;
	return NULL;
}

#endif
