/* SPDX-License-Identifier: Apache-2.0 */
/* What the guest's own filters say of a call that the engine takes over: see judge.h. */
#include "engines/trap/judge.h"

#include "engines/trap/call.h"

/* Behind the one instruction that is judged. */
#define JUDGED ".globl judge_place\n.hidden judge_place\njudge_place:"

bool judge_is_needed;

/*
 * Both filters refuse with an errno, and the newer one's counts, the guest's: ours says alone that there is none. To kill and to trap come before either.
 * A call that ours lets pass, since an argument is none of our business, has been made.
 */
__attribute__((noinline)) long judge(const struct call *c)
{
	const unsigned long *a = c->arg;
#ifdef __aarch64__
	register long nr __asm__("x8") = c->nr;
	register unsigned long r __asm__("x0") = a[0];
	register unsigned long x1 __asm__("x1") = a[1];
	register unsigned long x2 __asm__("x2") = a[2];
	register unsigned long x3 __asm__("x3") = a[3];
	register unsigned long x4 __asm__("x4") = a[4];
	register unsigned long x5 __asm__("x5") = a[5];

	__asm__ volatile("svc #0\n" JUDGED
			 : "+r"(r)
			 : "r"(nr), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return (long)r;
#else
	register unsigned long r10 __asm__("r10") = a[3];
	register unsigned long r8 __asm__("r8") = a[4];
	register unsigned long r9 __asm__("r9") = a[5];
	long r = c->nr;

	__asm__ volatile("syscall\n" JUDGED
			 : "+a"(r)
			 : "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
#endif
}
