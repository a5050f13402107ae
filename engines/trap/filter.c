/* SPDX-License-Identifier: Apache-2.0 */
/* From calls.def to a program of classic BPF: a search by number, at its leaves a verdict or the test of an argument. */
#include "engines/trap/filter.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/socket.h>

#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#ifdef __aarch64__
#define FILTER_ARCH AUDIT_ARCH_AARCH64
#define NUMBER(x86_64, aarch64) (aarch64)
#else
#define FILTER_ARCH AUDIT_ARCH_X86_64
#define NUMBER(x86_64, aarch64) (x86_64)
#endif
#define NUMBERS 512
#define SEARCH_DEPTH 32

enum verdict { VERDICT_UNKNOWN, VERDICT_PASS, VERDICT_TRAP, VERDICT_FAIL };
enum test { TEST_NONE, TEST_BLOCK, TEST_NOT_NULL, TEST_RANGE, TEST_BITS };
enum only { ALWAYS, WITH_IDS, WITH_NAMES, WITH_ENDS };

struct condition {
	uint8_t test, arg, other;
	uint32_t low, high;
};
#define IN_BLOCK(n) \
	{ \
		TEST_BLOCK, (n), (n), 0, 0 \
	}
#define IN_BLOCK_ANY(n, m) \
	{ \
		TEST_BLOCK, (n), (m), 0, 0 \
	}
#define NOT_NULL(n) \
	{ \
		TEST_NOT_NULL, (n), (n), 0, 0 \
	}
#define EQUALS(n, value) \
	{ \
		TEST_RANGE, (n), (n), (value), (value) \
	}
#define RANGE(n, from, to) \
	{ \
		TEST_RANGE, (n), (n), (from), (to) \
	}
#define BITS(n, mask) \
	{ \
		TEST_BITS, (n), (n), (mask), 0 \
	}
#define NO_CONDITION \
	{ \
		TEST_NONE, 0, 0, 0, 0 \
	}

struct row {
	int16_t nr;
	uint8_t verdict, only;
	int16_t error;
	struct condition condition;
};

static const struct row rows[] = {
#define PASS(name, x, a) { NUMBER(x, a), VERDICT_PASS, ALWAYS, 0, NO_CONDITION },
#define FAIL(name, x, a, error) { NUMBER(x, a), VERDICT_FAIL, ALWAYS, error, NO_CONDITION },
#define FAIL_WHEN(name, x, a, error, ...) { NUMBER(x, a), VERDICT_FAIL, ALWAYS, error, __VA_ARGS__ },
#define TRAP(name, x, a, handler) { NUMBER(x, a), VERDICT_TRAP, ALWAYS, 0, NO_CONDITION },
#define WHEN(name, x, a, handler, ...) { NUMBER(x, a), VERDICT_TRAP, ALWAYS, 0, __VA_ARGS__ },
#define IDS(name, x, a, handler) { NUMBER(x, a), VERDICT_TRAP, WITH_IDS, 0, NO_CONDITION },
#define IDS_WHEN(name, x, a, handler, ...) { NUMBER(x, a), VERDICT_TRAP, WITH_IDS, 0, __VA_ARGS__ },
#define NAMES(name, x, a, handler) { NUMBER(x, a), VERDICT_TRAP, WITH_NAMES, 0, NO_CONDITION },
#define ENDS(name, x, a, handler) { NUMBER(x, a), VERDICT_TRAP, WITH_ENDS, 0, NO_CONDITION },
#include "engines/trap/calls.def"
};

/* Jumps to these are made when it is known where they lie. */
enum label { LABEL_NONE, LABEL_TRAP, LABEL_ENOSYS, LABEL_EPERM, LABEL_EINVAL, LABELS };

struct builder {
	struct sock_filter *out;
	unsigned n;
	const struct filter_options *options;
	const struct row *by_number[NUMBERS];
	uint8_t label[FILTER_MAX]; /* enum label that the jump at this place goes to */
};

static void emit(struct builder *b, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	if (b->n < FILTER_MAX)
		b->out[b->n] = (struct sock_filter){ code, yes, no, k };
	b->n++;
}

static void emit_load(struct builder *b, size_t offset)
{
	emit(b, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void emit_return(struct builder *b, uint32_t what)
{
	emit(b, BPF_RET | BPF_K, what, 0, 0);
}

static void emit_jump(struct builder *b, enum label label)
{
	if (b->n < FILTER_MAX)
		b->label[b->n] = (uint8_t)label;
	emit(b, BPF_JMP | BPF_JA, 0, 0, 0);
}

static size_t argument(unsigned n)
{
	return offsetof(struct seccomp_data, args) + sizeof(uint64_t) * n; /* the lower half: little-endian */
}

static enum label label_of(const struct row *r)
{
	if (r->verdict == VERDICT_TRAP)
		return LABEL_TRAP;
	return r->error == EPERM ? LABEL_EPERM : r->error == EINVAL ? LABEL_EINVAL : LABEL_ENOSYS;
}

static bool is_in_force(const struct builder *b, const struct row *r)
{
	const struct filter_options *o = b->options;

	return r->only == ALWAYS || (r->only == WITH_IDS && o->ids) || (r->only == WITH_NAMES && o->names) ||
	       (r->only == WITH_ENDS && o->ends);
}

static void emit_block_test(struct builder *b, unsigned arg, enum label label)
{
	emit_load(b, argument(arg));
	emit(b, BPF_JMP | BPF_JGE | BPF_K, b->options->fd_low, 0, 2);
	emit(b, BPF_JMP | BPF_JGT | BPF_K, b->options->fd_high, 1, 0);
	emit_jump(b, label);
}

/* What the argument must be for the row's verdict; else the call is allowed. */
static void emit_condition(struct builder *b, const struct row *r)
{
	const struct condition *c = &r->condition;
	enum label label = label_of(r);

	switch (c->test) {
	case TEST_BLOCK:
		emit_block_test(b, c->arg, label);
		if (c->other != c->arg)
			emit_block_test(b, c->other, label);
		break;
	case TEST_NOT_NULL:
		emit_load(b, argument(c->arg));
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 2);
		emit_load(b, argument(c->arg) + 4);
		emit(b, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
		emit_jump(b, label);
		break;
	case TEST_RANGE:
		emit_load(b, argument(c->arg));
		emit(b, BPF_JMP | BPF_JGE | BPF_K, c->low, 0, 2);
		emit(b, BPF_JMP | BPF_JGT | BPF_K, c->high, 1, 0);
		emit_jump(b, label);
		break;
	case TEST_BITS:
		emit_load(b, argument(c->arg));
		emit(b, BPF_JMP | BPF_JSET | BPF_K, c->low, 0, 1);
		emit_jump(b, label);
		break;
	default:
		emit_jump(b, label);
		return;
	}
	emit_return(b, SECCOMP_RET_ALLOW);
}

static bool is_plain_pass(const struct builder *b, unsigned nr)
{
	const struct row *r = b->by_number[nr];

	return r && (r->verdict == VERDICT_PASS || !is_in_force(b, r));
}

/* Do both numbers end at the same leaf? */
static bool is_alike(const struct builder *b, unsigned x, unsigned y)
{
	return is_plain_pass(b, x) ? is_plain_pass(b, y) : !b->by_number[x] && !b->by_number[y];
}

static void emit_leaf(struct builder *b, unsigned nr)
{
	const struct row *r = b->by_number[nr];

	if (!r)
		emit_jump(b, LABEL_ENOSYS);
	else if (is_plain_pass(b, nr))
		emit_return(b, SECCOMP_RET_ALLOW);
	else
		emit_condition(b, r);
}

/* Starts of runs of numbers with one leaf. */
static unsigned find_runs(const struct builder *b, uint16_t *start)
{
	unsigned n = 0;

	for (unsigned nr = 0; nr < NUMBERS; nr++)
		if (nr == 0 || !is_alike(b, nr - 1, nr))
			start[n++] = (uint16_t)nr;
	return n;
}

/*
 * Halves by halves, without recursion: what is left to do lies on a small stack, and the long jump over a right half is set when that is
 * written.
 */
static void emit_search(struct builder *b)
{
	static uint16_t start[NUMBERS];
	struct {
		unsigned from, to, jump;
	} todo[SEARCH_DEPTH];
	unsigned depth = 0;

	todo[depth++] = (typeof(todo[0])){ 0, find_runs(b, start), FILTER_MAX };
	while (depth > 0) {
		unsigned from = todo[depth - 1].from, to = todo[depth - 1].to, jump = todo[depth - 1].jump;

		depth--;
		if (jump < FILTER_MAX)
			b->out[jump].k = b->n - jump - 1;
		while (to - from > 1 && depth < SEARCH_DEPTH) {
			unsigned middle = (from + to) / 2;

			emit(b, BPF_JMP | BPF_JGE | BPF_K, start[middle], 1, 0);
			todo[depth++] = (typeof(todo[0])){ from, middle, b->n };
			emit(b, BPF_JMP | BPF_JA, 0, 0, 0);
			from = middle;
		}
		emit_leaf(b, start[from]);
	}
}

/* A verdict that holds for the guest, not for the image, where one place is to be told that it got so far. */
static void emit_verdict(struct builder *b, uint32_t verdict)
{
	size_t ip = offsetof(struct seccomp_data, instruction_pointer);
	uint32_t judge = b->options->judge ? b->options->judge : (uint32_t)TRAP_BASE + TRAP_SPAN;

	emit_load(b, ip + 4);
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, TRAP_BASE >> 32, 0, 3);
	emit_load(b, ip);
	emit(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)TRAP_BASE, 0, 1);
	emit(b, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(TRAP_BASE + TRAP_SPAN), 0, 1);
	emit_return(b, verdict);
	emit(b, BPF_JMP | BPF_JEQ | BPF_K, judge, 0, 1);
	emit_return(b, SECCOMP_RET_ERRNO | FILTER_ACQUITTED);
	emit_return(b, SECCOMP_RET_ALLOW);
}

static void emit_verdicts(struct builder *b)
{
	static const uint32_t verdicts[LABELS] = {
		[LABEL_TRAP] = SECCOMP_RET_TRAP | FILTER_TRAP_DATA,
		[LABEL_ENOSYS] = SECCOMP_RET_ERRNO | ENOSYS,
		[LABEL_EPERM] = SECCOMP_RET_ERRNO | EPERM,
		[LABEL_EINVAL] = SECCOMP_RET_ERRNO | EINVAL,
	};
	unsigned place[LABELS] = { 0 }, end = b->n < FILTER_MAX ? b->n : FILTER_MAX;

	for (unsigned l = LABEL_TRAP; l < LABELS; l++) {
		place[l] = b->n;
		emit_verdict(b, verdicts[l]);
	}
	for (unsigned i = 0; i < end; i++)
		if (b->label[i])
			b->out[i].k = place[b->label[i]] - i - 1;
}

unsigned filter_build(struct sock_filter *out, const struct filter_options *options)
{
	static struct builder b;

	b = (struct builder){ .out = out, .options = options };
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].nr >= 0)
			b.by_number[rows[i].nr] = &rows[i];
	emit_load(&b, offsetof(struct seccomp_data, arch));
	emit(&b, BPF_JMP | BPF_JEQ | BPF_K, FILTER_ARCH, 1, 0);
	emit_return(&b, SECCOMP_RET_ERRNO | ENOSYS); /* i386: past the engine */
	emit_load(&b, offsetof(struct seccomp_data, nr));
	emit(&b, BPF_JMP | BPF_JGE | BPF_K, NUMBERS, 0, 1); /* x32 too */
	emit_jump(&b, LABEL_ENOSYS);
	emit_search(&b);
	emit_verdicts(&b);
	return b.n <= FILTER_MAX ? b.n : 0;
}
