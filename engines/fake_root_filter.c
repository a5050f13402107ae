/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of answered system calls, and their BPF program. */
#include "engines/fake_root_filter.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sys/stat.h>

#include "engines/bpf_program.h"
#include "engines/fake_root.h"

#if defined(__x86_64__)

/* Calls of consecutive numbers. */
struct run {
	uint16_t first, last;
};

/* The reader compares rows with the kernel's tables, so they keep their order and their lines. */
/* clang-format off */
static const struct run runs_x86_64[] = {
	{ 92, 94 },             /* chown fchown lchown */
	{ 105, 106 },           /* setuid setgid */
	{ 113, 114 },           /* setreuid setregid */
	{ 116, 117 },           /* setgroups setresuid */
	{ 119, 119 },           /* setresgid */
	{ 122, 123 },           /* setfsuid setfsgid */
	{ 260, 260 },           /* fchownat */
};
static const struct run runs_i386[] = {
	{ 16, 16 }, { 23, 23 }, { 46, 46 },         /* lchown setuid setgid */
	{ 70, 71 },                                 /* setreuid setregid */
	{ 81, 81 }, { 95, 95 },                     /* setgroups fchown */
	{ 138, 139 },                               /* setfsuid setfsgid */
	{ 164, 164 }, { 170, 170 }, { 182, 182 },   /* setresuid setresgid chown */
	{ 198, 198 },                               /* lchown32 */
	{ 203, 204 },                               /* setreuid32 setregid32 */
	{ 206, 208 },                               /* setgroups32 fchown32 setresuid32 */
	{ 210, 210 },                               /* setresgid32 */
	{ 212, 216 },                               /* chown32 setuid32 setgid32 setfsuid32 setfsgid32 */
	{ 298, 298 },                               /* fchownat */
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

static void emit_abi(struct bpf_program *p, const struct abi *abi, bool capset)
{
	size_t at = p->n + 1;

	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, abi->audit_arch);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (abi->nr_mask)
		bpf_emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, abi->nr_mask);
	for (size_t i = 0; i < abi->n; i++)
		emit_run(p, abi->runs[i].first, abi->runs[i].last);
	if (capset)
		emit_run(p, abi->capset, abi->capset);
	emit_node(p, abi->mknod, 1);
	emit_node(p, abi->mknodat, 2);
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	p->v[at].jf = (uint8_t)(p->n - at - 1); /* another architecture: the next section */
}

struct sock_filter *fake_root_filter_build(bool capset, size_t *ret_len)
{
	struct bpf_program p = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(abis); i++)
		emit_abi(&p, &abis[i], capset);
	bpf_emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	*ret_len = p.n;
	return p.v;
}

#else

struct sock_filter *fake_root_filter_build(bool capset, size_t *ret_len)
{
	(void)capset;
	*ret_len = 0;
	return NULL;
}

#endif
