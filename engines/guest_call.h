/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls without a C library, for guest_init.c, guest_loader.c and guest_within.c alone, which are one program: numbers, the call itself and, for
 * the file that has it (GUEST_CALL_START), the entry point, which calls guest_main(); one block per architecture.
 */
#ifndef UDOCKER_GUEST_CALL_H
#define UDOCKER_GUEST_CALL_H

#include <stddef.h>

#if defined(__x86_64__)
enum {
	NR_read = 0,
	NR_write = 1,
	NR_close = 3,
	NR_pread64 = 17,
	NR_openat = 257,
	NR_mkdirat = 258,
	NR_faccessat = 269,
	NR_mmap = 9,
	NR_sendmsg = 46,
	NR_execve = 59,
	NR_fcntl = 72,
	NR_chdir = 80,
	NR_umask = 95,
	NR_setgroups = 116,
	NR_setresuid = 117,
	NR_setresgid = 119,
	NR_prctl = 157,
	NR_exit_group = 231,
	NR_newfstatat = 262,
	NR_prlimit64 = 302,
	NR_ioctl = 16,
	NR_getpid = 39,
	NR_recvmsg = 47,
	NR_clone = 56,
	NR_setpgid = 109,
	NR_setsid = 112,
	NR_dup3 = 292,
	NR_getppid = 110,
	NR_nanosleep = 35,
	NR_sched_setaffinity = 203,
	NR_sched_getaffinity = 204,
	NR_getcpu = 309,
	NR_seccomp = 317,
	NR_wait4 = 61,
	NR_rt_sigprocmask = 14,
	NR_rt_sigtimedwait = 128,
	NR_rt_sigaction = 13,
	NR_kill = 62,
	NR_pipe2 = 293,
	NR_socketpair = 53,
	NR_setsockopt = 54,
	NR_memfd_create = 319,
	NR_lseek = 8,
	NR_getdents64 = 217,
};
static inline long call(long nr, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = 0;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}
#ifdef GUEST_CALL_START
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall "
	"guest_main\n\thlt\n");
#endif

#elif defined(__i386__)
enum {
	NR_read = 3,
	NR_write = 4,
	NR_close = 6,
	NR_pread64 = 180,
	NR_openat = 295,
	NR_mkdirat = 296,
	NR_faccessat = 307,
	NR_execve = 11,
	NR_chdir = 12,
	NR_fcntl = 55,
	NR_umask = 60,
	NR_prctl = 172,
	NR_mmap = 192,
	NR_setgroups = 206,
	NR_setresuid = 208,
	NR_setresgid = 210,
	NR_exit_group = 252,
	NR_newfstatat = 300,
	NR_prlimit64 = 340,
	NR_sendmsg = 370,
	NR_getpid = 20,
	NR_ioctl = 54,
	NR_setpgid = 57,
	NR_setsid = 66,
	NR_clone = 120,
	NR_dup3 = 330,
	NR_recvmsg = 372,
	NR_getppid = 64,
	NR_nanosleep = 162,
	NR_sched_setaffinity = 241,
	NR_sched_getaffinity = 242,
	NR_getcpu = 318,
	NR_seccomp = 354,
	NR_wait4 = 114,
	NR_rt_sigprocmask = 175,
	NR_rt_sigtimedwait = 177,
	NR_rt_sigaction = 174,
	NR_kill = 37,
	NR_pipe2 = 331,
	NR_socketpair = 360,
	NR_setsockopt = 366,
	NR_memfd_create = 356,
	NR_lseek = 19,
	NR_getdents64 = 220,
};
/* Five arguments and a zero sixth, which only mmap2 looks at: %ebp is the compiler's, so it is saved around the call. */
static inline long call(long nr, long a, long b, long c, long d, long e)
{
	long r;

	__asm__ volatile("push %%ebp\n\txor %%ebp, %%ebp\n\tint $0x80\n\tpop %%ebp"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e)
			 : "memory");
	return r;
}
#ifdef GUEST_CALL_START
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, "
	"%esp\n\tpush %eax\n"
	"\tcall guest_main\n\thlt\n");
#endif

#elif defined(__aarch64__) || (defined(__riscv) && __riscv_xlen == 64)
enum {
	NR_fcntl = 25,
	NR_chdir = 49,
	NR_close = 57,
	NR_pread64 = 67,
	NR_openat = 56,
	NR_mkdirat = 34,
	NR_faccessat = 48,
	NR_newfstatat = 79,
	NR_read = 63,
	NR_write = 64,
	NR_exit_group = 94,
	NR_setresuid = 147,
	NR_setresgid = 149,
	NR_setgroups = 159,
	NR_umask = 166,
	NR_prctl = 167,
	NR_sendmsg = 211,
	NR_execve = 221,
	NR_mmap = 222,
	NR_prlimit64 = 261,
	NR_dup3 = 24,
	NR_ioctl = 29,
	NR_setpgid = 154,
	NR_setsid = 157,
	NR_getpid = 172,
	NR_recvmsg = 212,
	NR_getppid = 173,
	NR_nanosleep = 101,
	NR_sched_setaffinity = 122,
	NR_sched_getaffinity = 123,
	NR_getcpu = 168,
	NR_seccomp = 277,
	NR_wait4 = 260,
	NR_rt_sigprocmask = 135,
	NR_rt_sigtimedwait = 137,
	NR_rt_sigaction = 134,
	NR_kill = 129,
	NR_pipe2 = 59,
	NR_socketpair = 199,
	NR_setsockopt = 208,
	NR_memfd_create = 279,
	NR_lseek = 62,
	NR_getdents64 = 61,
	NR_clone = 220,
};
#if defined(__aarch64__)
#define CALL_REG(n) "x" #n
#define CALL_NR "x8"
#define CALL_TRAP "svc #0"
#ifdef GUEST_CALL_START
__asm__(".globl _start\n_start:\n\tmov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tand sp, x0, #-16\n\tbl "
	"guest_main\n\tbrk #1\n");
#endif
#else
#define CALL_REG(n) "a" #n
#define CALL_NR "a7"
#define CALL_TRAP "ecall"
#ifdef GUEST_CALL_START
__asm__(".globl _start\n_start:\n\t.option push\n\t.option norelax\n\tla gp, __global_pointer$\n\t.option "
	"pop\n"
	"\tmv a0, sp\n\tandi sp, sp, -16\n\tcall guest_main\n\tebreak\n");
#endif
#endif
static inline long call(long nr, long a, long b, long c, long d, long e)
{
	register long r0 __asm__(CALL_REG(0)) = a;
	register long r1 __asm__(CALL_REG(1)) = b;
	register long r2 __asm__(CALL_REG(2)) = c;
	register long r3 __asm__(CALL_REG(3)) = d;
	register long r4 __asm__(CALL_REG(4)) = e;
	register long r5 __asm__(CALL_REG(5)) = 0;
	register long n __asm__(CALL_NR) = nr;

	__asm__ volatile(CALL_TRAP
			 : "+r"(r0)
			 : "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory");
	return r0;
}

#elif defined(__ARM_EABI__) && !defined(__ARMEB__)
enum {
	NR_read = 3,
	NR_write = 4,
	NR_close = 6,
	NR_pread64 = 180,
	NR_openat = 322,
	NR_mkdirat = 323,
	NR_faccessat = 334,
	NR_execve = 11,
	NR_chdir = 12,
	NR_fcntl = 55,
	NR_umask = 60,
	NR_prctl = 172,
	NR_mmap = 192,
	NR_setgroups = 206,
	NR_setresuid = 208,
	NR_setresgid = 210,
	NR_exit_group = 248,
	NR_newfstatat = 327,
	NR_prlimit64 = 369,
	NR_sendmsg = 296,
	NR_getpid = 20,
	NR_ioctl = 54,
	NR_setpgid = 57,
	NR_setsid = 66,
	NR_clone = 120,
	NR_dup3 = 358,
	NR_recvmsg = 297,
	NR_getppid = 64,
	NR_nanosleep = 162,
	NR_sched_setaffinity = 241,
	NR_sched_getaffinity = 242,
	NR_getcpu = 345,
	NR_seccomp = 383,
	NR_wait4 = 114,
	NR_rt_sigprocmask = 175,
	NR_rt_sigtimedwait = 177,
	NR_rt_sigaction = 174,
	NR_kill = 37,
	NR_pipe2 = 359,
	NR_socketpair = 288,
	NR_setsockopt = 294,
	NR_memfd_create = 385,
	NR_lseek = 19,
	NR_getdents64 = 217,
};
/* The number's register is the frame pointer of Thumb code, which is built without one. */
static inline long call(long nr, long a, long b, long c, long d, long e)
{
	/* An offset of 64 bits has an even register: pread64's begins one later than elsewhere. */
	register long r4 __asm__("r4") = nr == NR_pread64 ? d : e;
	register long r3 __asm__("r3") = nr == NR_pread64 ? 0 : d;
	register long r0 __asm__("r0") = a;
	register long r1 __asm__("r1") = b;
	register long r2 __asm__("r2") = c;
	register long r5 __asm__("r5") = 0;
	register long n __asm__("r7") = nr;

	__asm__ volatile("svc #0"
			 : "+r"(r0)
			 : "r"(n), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5)
			 : "memory");
	return r0;
}
#ifdef GUEST_CALL_START
/* Division is libgcc's there, which would tell of a divisor of zero by this. */
int raise(int sig);
int raise(int sig)
{
	return sig;
}
__asm__(".arm\n\t.globl _start\n\t.type _start, %function\n_start:\n\tmov r11, #0\n\tmov lr, #0\n\tmov r0, "
	"sp\n"
	"\tbic sp, sp, #7\n\tbl guest_main\n\tudf #0\n");
#endif

#elif defined(__powerpc64__) && defined(__LITTLE_ENDIAN__)
enum {
	NR_read = 3,
	NR_write = 4,
	NR_close = 6,
	NR_pread64 = 179,
	NR_openat = 286,
	NR_mkdirat = 287,
	NR_faccessat = 298,
	NR_execve = 11,
	NR_chdir = 12,
	NR_fcntl = 55,
	NR_umask = 60,
	NR_setgroups = 81,
	NR_mmap = 90,
	NR_setresuid = 164,
	NR_setresgid = 169,
	NR_prctl = 171,
	NR_exit_group = 234,
	NR_newfstatat = 291,
	NR_prlimit64 = 325,
	NR_sendmsg = 341,
	NR_getpid = 20,
	NR_ioctl = 54,
	NR_setpgid = 57,
	NR_setsid = 66,
	NR_clone = 120,
	NR_dup3 = 316,
	NR_recvmsg = 342,
	NR_getppid = 64,
	NR_nanosleep = 162,
	NR_sched_setaffinity = 222,
	NR_sched_getaffinity = 223,
	NR_getcpu = 302,
	NR_seccomp = 358,
	NR_wait4 = 114,
	NR_rt_sigprocmask = 174,
	NR_rt_sigtimedwait = 176,
	NR_rt_sigaction = 173,
	NR_kill = 37,
	NR_pipe2 = 317,
	NR_socketpair = 333,
	NR_setsockopt = 339,
	NR_memfd_create = 360,
	NR_lseek = 19,
	NR_getdents64 = 202,
};
static inline long call(long nr, long a, long b, long c, long d, long e)
{
	register long r0 __asm__("r0") = nr;
	register long r3 __asm__("r3") = a;
	register long r4 __asm__("r4") = b;
	register long r5 __asm__("r5") = c;
	register long r6 __asm__("r6") = d;
	register long r7 __asm__("r7") = e;
	register long r8 __asm__("r8") = 0;

	/* The kernel says failure in the summary overflow bit and gives the errno as it is. */
	__asm__ volatile("sc\n\tbns+ 1f\n\tneg %1, %1\n1:"
			 : "+r"(r0), "+r"(r3), "+r"(r4), "+r"(r5), "+r"(r6), "+r"(r7), "+r"(r8)::"r9", "r10",
			 "r11", "r12", "cr0", "ctr", "xer", "memory");
	return r3;
}
#ifdef GUEST_CALL_START
__asm__(".globl _start\n_start:\n\tlis 2, .TOC.@ha\n\taddi 2, 2, .TOC.@l\n\tmr 3, 1\n\tclrrdi 1, 1, 4\n\tli "
	"0, 0\n"
	"\tstdu 0, -128(1)\n\tbl guest_main\n\tnop\n\ttrap\n");
#endif
#else
#error "guest_init knows x86-64, i386, aarch64, arm, riscv64 and ppc64le; add the system call of this architecture"
#endif

/* As sendmsg(2) and recvmsg(2) take it. */
struct kernel_msghdr {
	void *name;
	unsigned name_len;
	const void *iov;
	size_t n_iov;
	const void *control;
	size_t control_len;
	unsigned flags;
};

#endif
