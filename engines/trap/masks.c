/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that take a set of signals: SIGSYS is in none, so that no thread can block it or wait for it. And alternate stacks. */
#include <signal.h>
#include <sys/mman.h>

#include "engines/trap/call.h"
#include "engines/trap/frame.h"
#include "engines/trap/mem.h"
#include "engines/trap/signals.h"
#include "engines/trap/sys.h"

#define SET_SIZE 8
#define SIGCANCEL 32 /* and the next one */

/* The set is argument `set`, its size argument `size`. Without a set, as a rewritten site brings it too, the call is passed on. */
static long with_set(const struct call *c, unsigned set, unsigned size)
{
	struct call own = *c;
	uint64_t mask;
	long r;

	if (!c->arg[set] || c->arg[size] != SET_SIZE)
		return call_pass(c);
	r = guest_read(&mask, (const void *)c->arg[set], sizeof(mask));
	if (r < 0)
		return r;
	mask = signals_mask(mask);
	own.arg[set] = (unsigned long)&mask;
	return call_pass(&own);
}

/* The last argument points at the set's address and size. */
static long with_pair(const struct call *c)
{
	struct call own = *c;
	uint64_t pair[2], mask;
	long r;

	if (!c->arg[5])
		return call_pass(c);
	r = guest_read(pair, (const void *)c->arg[5], sizeof(pair));
	if (r < 0)
		return r;
	if (pair[0] && pair[1] == SET_SIZE) {
		r = guest_read(&mask, (const void *)(uintptr_t)pair[0], sizeof(mask));
		if (r < 0)
			return r;
		mask = signals_mask(mask);
		pair[0] = (uintptr_t)&mask;
	}
	own.arg[5] = (unsigned long)pair;
	return call_pass(&own);
}

long call_rt_sigsuspend(struct call *c)
{
	return with_set(c, 0, 1);
}

long call_rt_sigtimedwait(struct call *c)
{
	return with_set(c, 0, 3);
}

long call_ppoll(struct call *c)
{
	return with_set(c, 3, 4);
}

long call_epoll_pwait(struct call *c)
{
	return with_set(c, 4, 5);
}

long call_epoll_pwait2(struct call *c)
{
	return with_set(c, 4, 5);
}

long call_signalfd(struct call *c)
{
	return with_set(c, 1, 2);
}

long call_signalfd4(struct call *c)
{
	return with_set(c, 1, 2);
}

long call_pselect6(struct call *c)
{
	return with_pair(c);
}

long call_io_pgetevents(struct call *c)
{
	return with_pair(c);
}

/* The mask that is restored behind the signal handler, in which this call is answered. */
static long change_saved(struct call *c, uint64_t set)
{
	uint64_t old = *c->mask;

	if (c->arg[1]) {
		if (c->arg[0] == SIG_BLOCK)
			*c->mask |= set;
		else if (c->arg[0] == SIG_UNBLOCK)
			*c->mask &= ~set;
		else
			*c->mask = set;
	}
	return c->arg[2] ? guest_write((void *)c->arg[2], &old, sizeof(old)) : 0;
}

/*
 * Who has the signals of faults blocked: the flag makes looks at the guest's memory dearer, so that it goes when its only thread has unblocked them. Sets
 * with the C libraries' own signals are theirs: they block all for a moment, and when a thread ends for good, and name no paths then.
 */
static void note_faults(int how, uint64_t set)
{
	const uint64_t libraries = 3ull << (SIGCANCEL - 1);
	int none = 0, tid;

	if (how == SIG_UNBLOCK ? (set & MEM_FAULTS) == MEM_FAULTS
			       : how == SIG_SETMASK && !(set & MEM_FAULTS)) {
		if (guest_faults_blocked && guest_faults_blocked == (int)SYS(gettid))
			guest_faults_blocked = 0;
	} else if (how != SIG_UNBLOCK && (set & MEM_FAULTS) && (set & libraries) != libraries) {
		tid = (int)SYS(gettid);
		if (!__atomic_compare_exchange_n(
			    &guest_faults_blocked, &none, tid, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED) &&
			none != tid)
			guest_faults_blocked = -1;
	}
}

/* With an unknown `how` programs ask whether memory is readable, in handlers of SIGSEGV: that is the kernel's answer. */
long call_rt_sigprocmask(struct call *c)
{
	struct call own = *c;
	uint64_t set = 0;
	int how = (int)c->arg[0];
	long r;

	if (c->arg[3] != SET_SIZE ||
		(c->arg[1] && how != SIG_BLOCK && how != SIG_UNBLOCK && how != SIG_SETMASK))
		return call_pass(c);
	if (c->arg[1]) {
		r = guest_read(&set, (const void *)c->arg[1], sizeof(set));
		if (r < 0)
			return r;
		set = signals_mask(set);
		note_faults(how, set);
		own.arg[1] = (unsigned long)&set;
	}
	own.arg[0] = (unsigned long)how;
	return c->mask ? change_saved(&own, set) : call_pass(&own);
}

/*
 * An alternate stack that holds no frame of ours is replaced by a mapping, at whose beginning the guest's own values lie. It goes with the stack
 * that follows, unless another thread's memory was copied with it.
 */
#define STACK_ENOUGH 16384
#define STACK_MAPPING 20480
#define STACK_MAGIC 0x7374616b7472616bull

struct own_stack {
	uint64_t magic;
	int64_t tid;
	stack_t guest;
	uint64_t room[3]; /* the stack begins aligned */
};

static bool is_too_small(const stack_t *s)
{
	return !(s->ss_flags & SS_DISABLE) && s->ss_size >= FRAME_LEAST_STACK && s->ss_size < STACK_ENOUGH;
}

static long make_own(stack_t *s)
{
	long r = SYS(mmap, 0, STACK_MAPPING, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct own_stack *own = (struct own_stack *)r;

	if (sys_failed(r))
		return -ENOMEM;
	*own = (struct own_stack){ .magic = STACK_MAGIC, .tid = SYS(gettid), .guest = *s };
	s->ss_sp = own + 1;
	s->ss_size = STACK_MAPPING - sizeof(*own);
	return 0;
}

/* Is the stack one of ours? */
static bool find_own(const stack_t *s, struct own_stack *ret)
{
	return s->ss_size == STACK_MAPPING - sizeof(*ret) &&
	       guest_read(ret, (const struct own_stack *)s->ss_sp - 1, sizeof(*ret)) == 0 &&
	       ret->magic == STACK_MAGIC;
}

long call_sigaltstack(struct call *c)
{
	stack_t s, old = { 0 };
	struct own_stack own;
	bool is_new = false, was_own;
	long r;

	if (c->arg[0]) {
		r = guest_read(&s, (const void *)c->arg[0], sizeof(s));
		is_new = r == 0 && is_too_small(&s);
		if (is_new)
			r = make_own(&s);
		if (r < 0)
			return r;
	}
	r = SYS(sigaltstack, c->arg[0] ? &s : NULL, &old);
	if (r < 0) {
		if (is_new)
			(void)SYS(munmap, (struct own_stack *)s.ss_sp - 1, STACK_MAPPING);
		return r;
	}
	was_own = find_own(&old, &own);
	if (was_own) {
		if (c->arg[0] && own.tid == SYS(gettid))
			(void)SYS(munmap, (struct own_stack *)old.ss_sp - 1, STACK_MAPPING);
		old.ss_sp = own.guest.ss_sp;
		old.ss_size = own.guest.ss_size;
	}
	return c->arg[1] ? guest_write((void *)c->arg[1], &old, sizeof(old)) : 0;
}
