/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of hidden system calls, and their BPF program. */
#include "engines/compat_filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>

#include "engines/bpf_program.h"
#include "pkg/base/strv.h"

/* A hidden call; `until`: from this PRoot on it is translated and must be left alone (0: no PRoot knows it). */
struct hidden {
	unsigned nr;
	unsigned until;
};

#define V5_2 COMPAT_VERSION(5, 2)
#define MAX_RUNS 32

struct run {
	unsigned first, last;
};

/* The reader compares rows with the kernel's tables, so they keep their order and their lines. */
/* clang-format off */
/* From 424 up the numbers are the same on every architecture. */
#define HIDDEN_COMMON                                                                           \
	{ 425, 0 }, { 426, 0 }, { 427, 0 },             /* io_uring_setup, _enter, _register */ \
	{ 428, 0 }, { 429, 0 }, { 430, 0 }, { 431, 0 }, /* open_tree move_mount fsopen fsconfig */ \
	{ 432, 0 }, { 433, 0 },                         /* fsmount fspick */                    \
	{ 435, 0 },                                     /* clone3: PRoot cannot read its flags */ \
	{ 437, 0 }, { 439, V5_2 },                      /* openat2 faccessat2 */                \
	{ 442, 0 },                                     /* mount_setattr */                     \
	{ 444, 0 }, { 445, 0 }, { 446, 0 },             /* landlock: rules would name host paths */ \
	{ 452, 0 },                                     /* fchmodat2 */                         \
	{ 457, 0 }, { 458, 0 },                         /* statmount listmount */               \
	{ 463, 0 }, { 464, 0 }, { 465, 0 }, { 466, 0 }, /* the four *xattrat */                 \
	{ 467, 0 }, { 468, 0 }, { 469, 0 }              /* open_tree_attr file_getattr file_setattr */

static const struct hidden hidden_x86_64[] = {
	{ 303, 0 }, { 304, 0 }, /* name_to_handle_at open_by_handle_at */
	{ 316, V5_2 },          /* renameat2 */
	{ 322, 0 },             /* execveat */
	{ 332, V5_2 },          /* statx */
	HIDDEN_COMMON,
};
/* The others: the same calls in the same order, and utimensat_time64 (412) where time has 32 bits. */
static const struct hidden hidden_i386[] = {
	{ 341, 0 }, { 342, 0 }, { 353, V5_2 }, { 358, 0 }, { 383, V5_2 }, { 412, 0 }, HIDDEN_COMMON,
};
static const struct hidden hidden_aarch64[] = {
	{ 264, 0 }, { 265, 0 }, { 276, V5_2 }, { 281, 0 }, { 291, V5_2 }, HIDDEN_COMMON,
};
static const struct hidden hidden_arm[] = {
	{ 370, 0 }, { 371, 0 }, { 382, V5_2 }, { 387, 0 }, { 397, V5_2 }, { 412, 0 }, HIDDEN_COMMON,
};
/* riscv64 has no renameat to fall back to: renameat2 stays. */
static const struct hidden hidden_riscv64[] = {
	{ 264, 0 }, { 265, 0 }, { 281, 0 }, { 291, V5_2 }, HIDDEN_COMMON,
};
/* clang-format on */

#define ROWS(t) (t), ARRAY_LEN(t)

/* What one kernel ABI hides: the native one, and the 32-bit one that the same kernel may run. */
static const struct abi {
	enum compat_arch arch;
	uint32_t audit_arch;
	uint32_t nr_mask; /* of the number; x32 calls carry an extra bit */
	const struct hidden *rows;
	size_t n;
} abis[] = {
	{ COMPAT_X86_64, AUDIT_ARCH_X86_64, 0xbfffffff, ROWS(hidden_x86_64) },
	{ COMPAT_X86_64, AUDIT_ARCH_I386, 0, ROWS(hidden_i386) },
	{ COMPAT_AARCH64, AUDIT_ARCH_AARCH64, 0, ROWS(hidden_aarch64) },
	{ COMPAT_AARCH64, AUDIT_ARCH_ARM, 0, ROWS(hidden_arm) },
	{ COMPAT_RISCV64, AUDIT_ARCH_RISCV64, 0, ROWS(hidden_riscv64) },
};

enum compat_arch compat_arch_host(void)
{
#if defined(__x86_64__)
	return COMPAT_X86_64;
#elif defined(__aarch64__)
	return COMPAT_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
	return COMPAT_RISCV64;
#else
	return COMPAT_NONE;
#endif
}

/* Is this row hidden from such a PRoot? */
static bool is_hidden(const struct hidden *row, unsigned version)
{
	return !row->until || version < row->until;
}

/* The runs of consecutive numbers among the rows, which are in order: first and last of each. */
static size_t find_runs(const struct abi *abi, unsigned version, struct run runs[MAX_RUNS])
{
	size_t n = 0;

	for (size_t i = 0; i < abi->n; i++) {
		const struct hidden *row = &abi->rows[i];

		if (!is_hidden(row, version))
			continue;
		if (n > 0 && runs[n - 1].last + 1 == row->nr)
			runs[n - 1].last++;
		else if (n < MAX_RUNS)
			runs[n++] = (struct run){ row->nr, row->nr };
	}
	return n;
}

/* What one run takes. */
static size_t run_len(const struct run *r)
{
	return r->last == r->first ? 1 : 2;
}

/*
 * One ABI's section: is it this architecture (else the next section), then one test per run, in rising order, that jumps to the
 * refusal at the section's end. Every jump is forward and short: the tables stay far below 255 rows.
 */
static void emit_abi(struct bpf_program *p, const struct abi *abi, unsigned version)
{
	struct run runs[MAX_RUNS];
	size_t n = find_runs(abi, version, runs), left = 0;

	for (size_t i = 0; i < n; i++)
		left += run_len(&runs[i]);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, arch));
	bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, (uint8_t)(left + 4 + (abi->nr_mask ? 1 : 0)),
		abi->audit_arch);
	bpf_emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(struct seccomp_data, nr));
	if (abi->nr_mask)
		bpf_emit(p, BPF_ALU | BPF_AND | BPF_K, 0, 0, abi->nr_mask);
	/* Most calls are below all of them; the kernel runs the program for every number when it is installed. */
	bpf_emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, (uint8_t)left, n ? runs[0].first : 0);
	/* Between a jump and the refusal lie the tests that are left and the ALLOW. */
	for (size_t i = 0; i < n; i++) {
		left -= run_len(&runs[i]);
		if (runs[i].first == runs[i].last) {
			bpf_emit(p, BPF_JMP | BPF_JEQ | BPF_K, (uint8_t)(left + 1), 0, runs[i].first);
			continue;
		}
		bpf_emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, (uint8_t)(left + 1),
			runs[i].first); /* below: allowed */
		bpf_emit(p, BPF_JMP | BPF_JGT | BPF_K, 0, (uint8_t)(left + 1), runs[i].last);
	}
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	bpf_emit(p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS);
}

struct sock_filter *compat_filter_build(enum compat_arch arch, unsigned proot_version, size_t *ret_len)
{
	struct bpf_program p = { 0 };

	*ret_len = 0;
	if (arch == COMPAT_NONE)
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(abis); i++)
		if (abis[i].arch == arch)
			emit_abi(&p, &abis[i], proot_version);
	bpf_emit(&p, BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW);
	*ret_len = p.n;
	return p.v;
}

void compat_filter_names(unsigned proot_version, struct strv *ret)
{
	static const struct {
		const char *name;
		unsigned until;
	} names[] = {
		{ "name_to_handle_at", 0 },
		{ "open_by_handle_at", 0 },
#if !defined(__riscv) /* which has no renameat to fall back to */
		{ "renameat2", V5_2 },
#endif
		{ "execveat", 0 },
		{ "statx", V5_2 },
		{ "io_uring_setup", 0 },
		{ "io_uring_enter", 0 },
		{ "io_uring_register", 0 },
		{ "open_tree", 0 },
		{ "move_mount", 0 },
		{ "fsopen", 0 },
		{ "fsconfig", 0 },
		{ "fsmount", 0 },
		{ "fspick", 0 },
		{ "clone3", 0 },
		{ "openat2", 0 },
		{ "faccessat2", V5_2 },
		{ "mount_setattr", 0 },
		{ "landlock_create_ruleset", 0 },
		{ "landlock_add_rule", 0 },
		{ "landlock_restrict_self", 0 },
		{ "fchmodat2", 0 },
		{ "statmount", 0 },
		{ "listmount", 0 },
		{ "setxattrat", 0 },
		{ "getxattrat", 0 },
		{ "listxattrat", 0 },
		{ "removexattrat", 0 },
		{ "open_tree_attr", 0 },
		{ "file_getattr", 0 },
		{ "file_setattr", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (!names[i].until || proot_version < names[i].until)
			strv_add(ret, names[i].name);
}
