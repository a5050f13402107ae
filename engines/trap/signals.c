/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers of SIGSYS, SIGSEGV and SIGBUS, and the guest's view of them: see signals.h. Masks of other calls are in masks.c. */
#include "engines/trap/signals.h"

#include "engines/trap/call.h"
#include "engines/trap/filter.h"
#include "engines/trap/frame.h"
#include "engines/trap/mem.h"
#include "engines/trap/rewrite.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define SET_SIZE 8
#define SA_RESTORER_FLAG 0x04000000ull
/* What the kernel keeps of the flags. */
#define SA_KEPT 0xdc000807ull
#define BIT(sig) (1ull << ((sig)-1))
#define SYS_SECCOMP_CODE 1

/* signals_*.S and start_*.S */
extern const char signals_enter_sigsys[], signals_enter_fault[], signals_enter_fault_once[];
extern const char signals_enter_default[], signals_enter_ignored[], signals_enter_cancel[],
	signals_restorer[];
extern const char trap_stub[], trap_stub_answered[], trap_image_begin[], trap_image_end[];
extern const char guest_access_begin[], guest_access_end[], guest_access_fault[];

unsigned long signals_on_sigsys(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);
unsigned long signals_on_fault(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);
unsigned long signals_on_fault_once(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);
unsigned long signals_on_default(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);
unsigned long signals_on_ignored(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);
unsigned long signals_on_cancel(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler);

static const int ours[] = { SIGSYS, SIGSEGV, SIGBUS };
#define OURS (sizeof(ours) / sizeof(ours[0]))

/*
 * What the kernel cannot keep of the guest's action for SIGSYS, since the engine's own flags and mask are in force. It holds for this handler only:
 * a vfork child that sets the default takes nothing from its parent.
 */
static struct {
	uint64_t handler, flags, mask;
} sigsys_extra;

/* glibc's and musl's; programs cannot set them. */
#define CANCEL_FIRST 32
#define CANCEL_LAST 33

static bool is_cancel(int sig)
{
	return sig == CANCEL_FIRST || sig == CANCEL_LAST;
}

bool signals_is_ours(int sig)
{
	return sig == SIGSYS || sig == SIGSEGV || sig == SIGBUS || is_cancel(sig);
}

static bool is_function(uint64_t handler)
{
	return handler != (uint64_t)SIG_DFL && handler != (uint64_t)SIG_IGN;
}

static uint64_t address(const char *label)
{
	return (uint64_t)(uintptr_t)label;
}

/* All signals wait while a call is looked at, but for those that faults make. */
static void sigsys_to_kernel(const struct signals_action *guest, struct signals_action *ret)
{
	ret->handler = address(signals_enter_sigsys);
	ret->flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTORER_FLAG;
	ret->restorer = guest->handler;
	ret->mask = ~(BIT(SIGSYS) | BIT(SIGSEGV) | BIT(SIGBUS));
}

/* One that is reset after its first signal must not be so after a fault of our own: the entry says it, and not the flag. */
static void fault_to_kernel(const struct signals_action *guest, struct signals_action *ret)
{
	if (is_function(guest->handler)) {
		ret->handler =
			address(guest->flags & SA_RESETHAND ? signals_enter_fault_once : signals_enter_fault);
		ret->flags = (guest->flags & ~(uint64_t)SA_RESETHAND) | SA_RESTORER_FLAG;
		ret->restorer = guest->handler;
	} else {
		ret->handler = address(
			guest->handler == (uint64_t)SIG_IGN ? signals_enter_ignored : signals_enter_default);
		ret->flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_RESTORER_FLAG;
		ret->restorer = guest->flags & SA_KEPT;
	}
	ret->mask = signals_mask(guest->mask);
}

static void cancel_to_kernel(const struct signals_action *guest, struct signals_action *ret)
{
	*ret = *guest;
	ret->mask = signals_mask(guest->mask);
	if (is_function(guest->handler)) {
		ret->handler = address(signals_enter_cancel);
		ret->flags |= SA_RESTORER_FLAG;
		ret->restorer = guest->handler;
	}
}

void signals_to_kernel(int sig, const struct signals_action *guest, struct signals_action *ret)
{
	if (sig == SIGSYS)
		sigsys_to_kernel(guest, ret);
	else if (is_cancel(sig))
		cancel_to_kernel(guest, ret);
	else
		fault_to_kernel(guest, ret);
}

/* Where C libraries leave the way back to the kernel, none is shown. */
static void show_restorer(struct signals_action *a)
{
	a->restorer = FRAME_RESTORER_SHOWN ? address(signals_restorer) : 0;
	if (!FRAME_RESTORER_SHOWN)
		a->flags &= ~SA_RESTORER_FLAG;
}

static void sigsys_to_guest(const struct signals_action *kernel, struct signals_action *ret)
{
	*ret = (struct signals_action){ .handler = kernel->restorer };
	if (!is_function(ret->handler))
		return;
	ret->flags = SA_SIGINFO | SA_RESTORER_FLAG;
	show_restorer(ret);
	if (sigsys_extra.handler == ret->handler) {
		ret->flags = sigsys_extra.flags;
		ret->mask = sigsys_extra.mask;
	}
}

void signals_to_guest(int sig, const struct signals_action *kernel, struct signals_action *ret)
{
	uint64_t h = kernel->handler;

	*ret = *kernel;
	if (h == address(signals_enter_sigsys) && sig == SIGSYS) {
		sigsys_to_guest(kernel, ret);
	} else if (h == address(signals_enter_fault) || h == address(signals_enter_fault_once) ||
		   h == address(signals_enter_cancel)) {
		ret->handler = kernel->restorer;
		show_restorer(ret);
		if (h == address(signals_enter_fault_once))
			ret->flags |= SA_RESETHAND;
	} else if (h == address(signals_enter_default) || h == address(signals_enter_ignored)) {
		ret->handler = (uint64_t)(uintptr_t)(h == address(signals_enter_default) ? SIG_DFL : SIG_IGN);
		ret->flags = kernel->restorer;
		ret->restorer = 0;
	}
}

static long set_action(int sig, const struct signals_action *guest, struct signals_action *ret_old)
{
	struct signals_action kernel = { 0 }, old = { 0 };
	long r;

	if (guest) {
		signals_to_kernel(sig, guest, &kernel);
		if (sig == SIGSYS && is_function(guest->handler)) {
			sigsys_extra.handler = guest->handler;
			sigsys_extra.flags = guest->flags & SA_KEPT;
			sigsys_extra.mask = signals_mask(guest->mask);
		}
	}
	r = SYS(rt_sigaction, sig, guest ? &kernel : NULL, &old, SET_SIZE);
	if (r == 0 && ret_old)
		signals_to_guest(sig, &old, ret_old);
	return r;
}

static void set_simple(int sig, void (*handler)(int))
{
	struct signals_action a = { .handler = (uint64_t)(uintptr_t)handler };

	(void)set_action(sig, &a, NULL);
}

/* The kernel's own, past the engine. */
static void set_raw(int sig, void (*handler)(int))
{
	struct signals_action a = { .handler = (uint64_t)(uintptr_t)handler };

	(void)SYS(rt_sigaction, sig, &a, NULL, SET_SIZE);
}

long signals_start(void)
{
	struct signals_action a = { 0 }, old = { 0 };
	uint64_t sigsys = BIT(SIGSYS), mask = 0;

	for (size_t i = 0; i < OURS; i++) {
		long r = set_action(ours[i], &a, &old);

		if (r < 0)
			return r;
		if (old.handler == (uint64_t)SIG_IGN)
			set_simple(ours[i], SIG_IGN);
	}
	if (SYS(rt_sigprocmask, SIG_UNBLOCK, &sigsys, &mask, SET_SIZE) < 0)
		return -EINVAL;
	guest_faults_blocked = mask & MEM_FAULTS ? -1 : 0;
	return 0;
}

void signals_before_exec(void)
{
	struct signals_action a = { 0 };

	for (size_t i = 0; i < OURS; i++)
		if (set_action(ours[i], NULL, &a) == 0 && a.handler == (uint64_t)SIG_IGN)
			set_raw(ours[i], SIG_IGN);
}

void signals_after_exec(void)
{
	struct signals_action a = { 0 };

	for (size_t i = 0; i < OURS; i++)
		if (SYS(rt_sigaction, ours[i], NULL, &a, SET_SIZE) == 0 && a.handler == (uint64_t)SIG_IGN)
			set_simple(ours[i], SIG_IGN);
}

long call_rt_sigaction(struct call *c)
{
	const void *act = (const void *)c->arg[1];
	void *oldact = (void *)c->arg[2];
	struct signals_action a = { 0 }, old = { 0 };
	struct call own = *c;
	int sig = (int)c->arg[0];
	long r;

	if (c->arg[3] != SET_SIZE || (!act && !signals_is_ours(sig)))
		return call_pass(c);
	r = act ? guest_read(&a, act, sizeof(a)) : 0;
	if (r < 0)
		return r;
	if (!signals_is_ours(sig)) {
		a.mask = signals_mask(a.mask);
		own.arg[1] = (unsigned long)&a;
		return call_pass(&own);
	}
	r = set_action(sig, act ? &a : NULL, &old);
	return r == 0 && oldact ? guest_write(oldact, &old, sizeof(old)) : r;
}

/* The signal again, by the default: when this handler has returned, so that a core shows the guest's registers. */
static void raise_again(int sig, siginfo_t *info)
{
	long pid = SYS(getpid), tid = SYS(gettid);
	uint64_t set = BIT(sig);

	(void)SYS(rt_sigprocmask, SIG_BLOCK, &set, NULL, SET_SIZE);
	(void)SYS(rt_tgsigqueueinfo, pid, tid, sig, info);
}

/* Did our own look at the guest's memory fail? Then it is told. */
static bool is_own_access(ucontext_t *uc)
{
	unsigned long ip = frame_ip(uc);

	if (ip < (unsigned long)guest_access_begin || ip >= (unsigned long)guest_access_end)
		return false;
	frame_set_ip(uc, guest_access_fault);
	return true;
}

/* What an instruction did it does again, by the default; what was sent is sent again. */
static void take_default(int sig, siginfo_t *info)
{
	set_raw(sig, SIG_DFL);
	if (info->si_code <= 0)
		raise_again(sig, info);
}

unsigned long signals_on_fault(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	(void)sig, (void)info;
	return is_own_access(uc) ? 0 : *handler;
}

unsigned long signals_on_fault_once(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	struct signals_action a;

	(void)info;
	if (is_own_access(uc))
		return 0;
	if (set_action(sig, NULL, &a) == 0) {
		a.handler = (uint64_t)(uintptr_t)SIG_DFL;
		(void)set_action(sig, &a, NULL);
	}
	return *handler;
}

unsigned long signals_on_default(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	(void)handler;
	if (!is_own_access(uc))
		take_default(sig, info);
	return 0;
}

/* A fault cannot be ignored. */
unsigned long signals_on_ignored(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	(void)handler;
	if (!is_own_access(uc) && info->si_code > 0)
		take_default(sig, info);
	return 0;
}

static bool can_be_cancelled(long nr)
{
	switch (nr) {
#ifdef SYS_open
	case SYS_open:
	case SYS_creat:
#endif
	case SYS_openat:
	case SYS_connect:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_ppoll:
	case SYS_pselect6:
	case SYS_epoll_pwait:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
		return true;
	default:
		return false;
	}
}

/* The answer to a call of the guest that this thread is in: where it lies, or 0. */
static unsigned long find_answer(const ucontext_t *uc, struct frame_stub *ret)
{
	unsigned long at = frame_stack(uc) & ~7ul, pair[2];

	for (unsigned i = 0; i < 1024; i++, at += sizeof(at)) {
		if (guest_read(pair, (const void *)at, sizeof(pair)) < 0)
			return 0;
		if (pair[0] == address(trap_stub_answered))
			return guest_read(ret, (const void *)pair[1], sizeof(*ret)) == 0 ? pair[1] : 0;
	}
	return 0;
}

/*
 * A thread that waits in a call of ours, or comes to it, is put back before its own call, as if it had not been made: there a C library looks whether
 * it may be cancelled. What has had an effect, so that the instruction is behind it, is not undone.
 */
unsigned long signals_on_cancel(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	unsigned long ip = frame_ip(uc), at;
	struct frame_stub f;

	(void)sig, (void)info;
	if (ip == address(trap_stub)) {
		frame_leave_stub(uc);
	} else if (ip >= address(trap_image_begin) && ip < address(trap_image_end) && frame_is_at_call(uc)) {
		at = find_answer(uc, &f);
		if (at && can_be_cancelled(f.call.nr))
			frame_rewind(uc, &f, at);
	}
	return *handler;
}

/* What is left of clone() when its child has begun. */
long call_clone(struct call *c)
{
	(void)c;
	return -EPERM;
}

/* A SIGSYS that is none of ours: sent, or by a filter of the guest. */
static unsigned long guest_sigsys(siginfo_t *info, ucontext_t *uc, unsigned long handler)
{
	uint64_t mask;

	if (!is_function(handler)) {
		if (handler == (unsigned long)SIG_IGN && info->si_code <= 0)
			return 0;
		set_raw(SIGSYS, SIG_DFL);
		raise_again(SIGSYS, info);
		return 0;
	}
	memcpy(&mask, &uc->uc_sigmask, sizeof(mask));
	if (sigsys_extra.handler == handler) {
		mask |= sigsys_extra.mask;
		if (sigsys_extra.flags & SA_RESETHAND)
			set_simple(SIGSYS, SIG_DFL);
	}
	mask = signals_mask(mask);
	(void)SYS(rt_sigprocmask, SIG_SETMASK, &mask, NULL, SET_SIZE);
	return handler;
}

/*
 * A stack too small for a handler: everything is done here. But sigaltstack() cannot be, since the signal's end restores the old one; and
 * the child of a clone() would be lost in the stub.
 */
static bool is_answered_here(unsigned long ip, long nr)
{
	return nr == SYS_clone ||
	       (nr != SYS_sigaltstack && (rewrite_program_is_go || rewrite_is_small_stack(ip)));
}

unsigned long signals_on_sigsys(int sig, siginfo_t *info, ucontext_t *uc, const unsigned long *handler)
{
	unsigned long ip = frame_ip(uc);
	long nr = info->si_syscall;
	struct call c;
	bool is_here;

	(void)sig;
	if (info->si_code != SYS_SECCOMP_CODE || info->si_errno != FILTER_TRAP_DATA || !call_find(nr))
		return guest_sigsys(info, uc, *handler);
	if (nr == SYS_clone && frame_begin_child(uc, ip))
		return 0;
	is_here = is_answered_here(ip, nr);
	if (!is_here)
		rewrite_site(ip, nr);
	if (is_here || !frame_set_stub(uc, trap_stub, nr)) {
		frame_call(uc, nr, &c);
		frame_set_result(uc, call_answer(&c));
	}
	return 0;
}
