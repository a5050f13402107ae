/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without a C library: SYS(name, arguments…) gives the kernel's answer, a negative errno on failure. In the hosted build of the
 * unit tests the same macro goes through syscall(2).
 */
#ifndef UDOCKER_TRAP_SYS_H
#define UDOCKER_TRAP_SYS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

/* Newer than the headers of the oldest build machine. */
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_mseal
#define SYS_mseal 462
#endif

#ifdef __clang_analyzer__
/* It does not know what assembly writes. */
long sys_call(long nr, long a, long b, long c, long d, long e, long f);
#elif defined(TRAP_HOSTED)
#include <unistd.h>
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	return r < 0 ? -errno : r;
}
#elif defined(__x86_64__)
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	long r;
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#elif defined(__aarch64__)
static inline long sys_call(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "the trap engine knows x86-64 and aarch64"
#endif

/* Up to six arguments of any scalar type, the rest 0. */
#define SYS(name, ...) SYS_NR(SYS_##name, ##__VA_ARGS__)
#define SYS_NR(...) SYS_FILL(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SYS_FILL(nr, a, b, c, d, e, f, ...) \
	sys_call((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* An address is no error: only the last page of the address space is. */
static inline bool sys_failed(long r)
{
	return (unsigned long)r > -4096ul;
}

#endif
