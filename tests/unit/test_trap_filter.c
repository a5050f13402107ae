/* SPDX-License-Identifier: Apache-2.0 */
/* The trap engine's filter, interpreted for every number, beside what calls.def says of it. */
#define TRAP_HOSTED
#include "engines/trap/filter.c"

#undef PASS
#undef FAIL
#undef FAIL_WHEN
#undef TRAP
#undef WHEN
#undef IDS
#undef IDS_WHEN
#undef NAMES
#undef ENDS
#undef IN_BLOCK
#undef IN_BLOCK_ANY
#undef NOT_NULL
#undef EQUALS
#undef RANGE
#undef BITS

#include "tests/unit/bpf.h"
#include "tests/unit/tap.h"

#define LOW 800u
#define HIGH 1023u
#define LAST 600u
#define X32 0x40000000u

/* Does the condition of a row hold? Written once more, plainly, of the call's arguments. */
#define IN_BLOCK(n) (is_reserved(a[n]))
#define IN_BLOCK_ANY(n, m) (is_reserved(a[n]) || is_reserved(a[m]))
#define NOT_NULL(n) (a[n] != 0)
#define EQUALS(n, value) ((uint32_t)a[n] == (uint32_t)(value))
#define RANGE(n, from, to) ((uint32_t)a[n] - (uint32_t)(from) <= (uint32_t)(to) - (uint32_t)(from))
#define BITS(n, mask) (((uint32_t)a[n] & (uint32_t)(mask)) != 0)

static bool is_reserved(uint64_t fd)
{
	return (uint32_t)fd >= LOW && (uint32_t)fd <= HIGH;
}

/* What the guest gets for a call; *ret_plain: whatever the arguments are. */
static uint32_t wanted(uint32_t nr, const uint64_t *a, const struct filter_options *o, bool *ret_plain)
{
	const bool always = true;

	(void)always;
	*ret_plain = false;
	switch (nr) {
#define CASE(x, a64, holds, verdict) \
	case (uint32_t)NUMBER(x, a64): \
		return (holds) ? (verdict) : SECCOMP_RET_ALLOW;
#define PASS(name, x, a64) \
	case (uint32_t)NUMBER(x, a64): \
		*ret_plain = true; \
		return SECCOMP_RET_ALLOW;
#define FAIL(name, x, a64, error) CASE(x, a64, always, SECCOMP_RET_ERRNO | (error))
#define FAIL_WHEN(name, x, a64, error, condition) CASE(x, a64, condition, SECCOMP_RET_ERRNO | (error))
#define TRAPPED (SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define TRAP(name, x, a64, handler) CASE(x, a64, always, SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define WHEN(name, x, a64, handler, condition) CASE(x, a64, condition, SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define IDS(name, x, a64, handler) CASE(x, a64, o->ids, SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define IDS_WHEN(name, x, a64, handler, condition) \
	CASE(x, a64, o->ids && (condition), SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define NAMES(name, x, a64, handler) CASE(x, a64, o->names, SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#define ENDS(name, x, a64, handler) CASE(x, a64, o->ends, SECCOMP_RET_TRAP | FILTER_TRAP_DATA)
#ifdef __x86_64__ /* elsewhere -1 is many calls' number */
#include "engines/trap/calls.def"
#endif
	default:
		return SECCOMP_RET_ERRNO | ENOSYS;
	}
}

#define JUDGE (TRAP_BASE + 0x234) /* the place that is judged */
static struct sock_filter program[FILTER_MAX];
static unsigned n_program;
static unsigned long n_tried, n_wrong;

static void try_call(uint32_t nr, const uint64_t *args, uint64_t ip, const struct filter_options *o)
{
	struct seccomp_data d = { .nr = (int)nr, .arch = FILTER_ARCH, .instruction_pointer = ip };
	bool inside = ip >= TRAP_BASE && ip < TRAP_BASE + TRAP_SPAN, plain;
	uint32_t want = wanted(nr, args, o, &plain), got;

	memcpy(d.args, args, sizeof(d.args));
	if (inside && want != SECCOMP_RET_ALLOW)
		want = ip == JUDGE ? SECCOMP_RET_ERRNO | FILTER_ACQUITTED : SECCOMP_RET_ALLOW;
	got = bpf_run(program, n_program, &d);
	n_tried++;
	/* The kernel remembers what depends on the architecture and the number alone. */
	if (got == want && (!plain || (bpf_loaded & ~3u) == 0))
		return;
	if (n_wrong++ < 10)
		printf("# %u (%#llx, %#llx, %#llx, …) at %#llx: %#x, wanted %#x\n", nr,
			(unsigned long long)args[0], (unsigned long long)args[1], (unsigned long long)args[2],
			(unsigned long long)ip, got, want);
}

static const uint64_t ips[] = { 0, 0x401000, TRAP_BASE - 1, TRAP_BASE, TRAP_BASE + 2, JUDGE,
	TRAP_BASE + TRAP_SPAN - 1, TRAP_BASE + TRAP_SPAN, (TRAP_BASE & 0xffffffff) + 0x1000,
	TRAP_BASE + 0x100000000ull, 0x7fffffffe000 };
/* Around all that a condition looks at, and what a wrong one would look at. */
static const uint64_t values[] = { 0, 1, 2, 17, 100, 101, LOW - 1, LOW, LOW + 5, HIGH, HIGH + 1, CLONE_NEWNS,
	CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS | 17, 0x5000, 0x5001, 0x5005, 0x5006, 0xffffffff,
	0x100000000ull, 0x100000000ull | LOW, 0x7fff00000000ull, 0x7ffff7ff0000ull, ~0ull };

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void try_number(uint32_t nr, const struct filter_options *o)
{
	for (size_t i = 0; i < COUNT(ips); i++) {
		uint64_t args[6] = { 0 };

		try_call(nr, args, ips[i], o);
		for (size_t arg = 0; arg < 6; arg++) {
			for (size_t v = 0; v < COUNT(values); v++) {
				memset(args, 0, sizeof(args));
				args[arg] = values[v];
				try_call(nr, args, ips[i], o);
			}
		}
	}
}

static void every_number(void)
{
	for (unsigned bits = 0; bits < 8; bits++) {
		struct filter_options o = { LOW, HIGH, bits & 1, bits & 2, bits & 4, (uint32_t)JUDGE };

		memset(program, 0, sizeof(program));
		n_program = filter_build(program, &o);
		if (!ok(n_program > 0 && n_program <= BPF_MAXINSNS, "a program of %u instructions",
			    n_program))
			return;
		n_tried = n_wrong = 0;
		for (uint32_t nr = 0; nr <= LAST; nr++)
			try_number(nr, &o);
		for (uint32_t nr = 0; nr <= LAST; nr++)
			try_number(nr | X32, &o);
		try_number(UINT32_MAX, &o);
		try_number(INT32_MAX, &o);
		ok(n_wrong == 0, "%lu calls get what calls.def says, ids %d, names %d, ends %d", n_tried,
			o.ids, o.names, o.ends);
	}
}

static void other_architectures(void)
{
	static const uint32_t architectures[] = { AUDIT_ARCH_I386, AUDIT_ARCH_ARM, FILTER_ARCH ^ 1, 0 };
	unsigned wrong = 0;

	for (size_t i = 0; i < COUNT(architectures); i++) {
		for (int nr = 0; nr <= (int)LAST; nr++) {
			struct seccomp_data d = { .nr = nr, .arch = architectures[i] };

			wrong += bpf_run(program, n_program, &d) != (SECCOMP_RET_ERRNO | ENOSYS);
		}
	}
	ok(wrong == 0, "numbers of another architecture do not go past the engine");
}

/* How many of these does a call pass that is nobody's business, on kernels that do not remember it? */
static void is_short(void)
{
	unsigned most = 0;

	for (int nr = 0; nr <= (int)LAST; nr++) {
		unsigned steps = 0;

		for (size_t pc = 0; pc < n_program; steps++) {
			const struct sock_filter *f = &program[pc];
			bool yes = f->code == (BPF_JMP | BPF_JGE | BPF_K) ? (uint32_t)nr >= f->k : true;

			if (BPF_CLASS(f->code) == BPF_RET ||
				(f->code == (BPF_LD | BPF_W | BPF_ABS) && f->k > 4))
				break;
			pc += 1 + (BPF_CLASS(f->code) != BPF_JMP      ? 0
					  : BPF_OP(f->code) == BPF_JA ? f->k
					  : yes                       ? f->jt
								      : f->jf);
		}
		most = steps > most ? steps : most;
	}
	ok(most > 5 && most <= 32, "a number is found after %u instructions at most", most);
}

int main(void)
{
#ifdef __x86_64__
	every_number();
	other_architectures();
	is_short();
#endif
	return tap_done();
}
