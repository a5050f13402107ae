/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of signals: what the kernel is told in the guest's place, and that the guest gets back what it said. */
#include "engines/trap/signals.h"

#include "tests/unit/tap.h"

/* What the image has and this program does not. */
#define LABEL(name) \
	extern const char name[]; \
	const char name[1] = ""
LABEL(signals_enter_sigsys);
LABEL(signals_enter_fault);
LABEL(signals_enter_fault_once);
LABEL(signals_enter_default);
LABEL(signals_enter_ignored);
LABEL(signals_enter_cancel);
LABEL(signals_restorer);
LABEL(trap_stub);
LABEL(trap_stub_answered);
LABEL(trap_image_begin);
LABEL(trap_image_end);
LABEL(guest_access_begin);
LABEL(guest_access_end);
LABEL(guest_access_fault);

struct call;
long guest_copy(void *to, const void *from, size_t n);
long guest_copy_string(char *to, const char *from, size_t size);
long (*call_find(long nr))(struct call *);
long call_answer(struct call *c);
long call_pass(const struct call *c);
long guest_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

long guest_copy_string(char *to, const char *from, size_t size)
{
	return (void)to, (void)from, (long)size;
}

long (*call_find(long nr))(struct call *)
{
	return (void)nr, NULL;
}

long call_answer(struct call *c)
{
	return (void)c, 0;
}

long call_pass(const struct call *c)
{
	return (void)c, 0;
}

static const uint64_t handler = 0x401000, sigsys_bit = 1ull << (SIGSYS - 1);

static uint64_t entry(const char *label)
{
	return (uint64_t)(uintptr_t)label;
}

static void is_kept(int sig, uint64_t h, uint64_t flags, uint64_t mask)
{
	struct signals_action guest = { h, flags, 0x1234, mask }, kernel, back;

	signals_to_kernel(sig, &guest, &kernel);
	signals_to_guest(sig, &kernel, &back);
	is_int(back.handler, h, "the handler comes back");
	ok((back.flags & ~0x04000000ull) == flags, "the flags come back: %#llx",
		(unsigned long long)back.flags);
	ok(back.mask == (mask & ~sigsys_bit), "the mask comes back, without SIGSYS");
}

static void test_faults(void)
{
	struct signals_action guest = { handler, SA_SIGINFO | SA_RESETHAND | SA_ONSTACK, 0, ~0ull }, kernel;

	is_kept(SIGSEGV, handler, SA_SIGINFO | SA_ONSTACK, 0x55);
	is_kept(SIGBUS, handler, SA_RESTART, ~0ull);
	is_kept(SIGSEGV, handler, SA_RESETHAND | SA_NODEFER, 0);
	is_kept(SIGSEGV, (uint64_t)SIG_DFL, SA_RESTART, 0x11);
	is_kept(SIGSEGV, (uint64_t)SIG_IGN, SA_SIGINFO, 0);
	signals_to_kernel(SIGSEGV, &guest, &kernel);
	ok(kernel.handler == entry(signals_enter_fault_once) && !(kernel.flags & SA_RESETHAND),
		"the kernel does not reset an action: a fault of ours would");
	ok(kernel.restorer == handler, "the guest's handler is the restorer");
	guest.handler = (uint64_t)SIG_IGN;
	signals_to_kernel(SIGSEGV, &guest, &kernel);
	ok(kernel.handler == entry(signals_enter_ignored) && (kernel.flags & SA_RESTART),
		"what is ignored interrupts no call");
}

static void test_sigsys(void)
{
	struct signals_action guest = { handler, SA_RESETHAND, 0, ~0ull }, kernel, back;

	signals_to_kernel(SIGSYS, &guest, &kernel);
	ok((kernel.flags & SA_ONSTACK) && (kernel.flags & SA_NODEFER) && !(kernel.flags & SA_RESETHAND),
		"the engine's flags hold for SIGSYS");
	ok(!(kernel.mask & sigsys_bit) && !(kernel.mask & 1ull << (SIGSEGV - 1)), "no fault is kept waiting");
	signals_to_guest(SIGSYS, &kernel, &back);
	ok(back.handler == handler && (back.flags & SA_SIGINFO), "the handler comes back");
	guest.handler = (uint64_t)SIG_DFL;
	signals_to_kernel(SIGSYS, &guest, &kernel);
	signals_to_guest(SIGSYS, &kernel, &back);
	ok(back.handler == 0 && back.flags == 0 && kernel.handler == entry(signals_enter_sigsys),
		"the default is the engine's all the same");
}

static void test_others(void)
{
	struct signals_action raw = { (uint64_t)SIG_IGN, 0, 0, 0 }, back;

	is_kept(32, handler, SA_SIGINFO | SA_RESTART, 0);
	is_kept(33, (uint64_t)SIG_DFL, 0, 0);
	signals_to_guest(SIGSEGV, &raw, &back);
	ok(back.handler == (uint64_t)SIG_IGN, "an action that came from outside is shown as it is");
	ok(signals_is_ours(SIGSYS) && signals_is_ours(33) && !signals_is_ours(SIGUSR1),
		"the rest are the kernel's");
	ok(signals_mask(~0ull) == ~sigsys_bit, "a mask without SIGSYS");
}

int main(void)
{
	test_faults();
	test_sigsys();
	test_others();
	return tap_done();
}
