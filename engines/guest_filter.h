/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's filter of system calls, for guest_init.c and guest_within.c: installed, and read from a word of the command line. */
#ifndef UDOCKER_GUEST_FILTER_H
#define UDOCKER_GUEST_FILTER_H

#include <asm-generic/errno.h>
#include <stddef.h>

#include "engines/guest_call.h"

#define SET_SECCOMP 22 /* PR_SET_SECCOMP */
#define SET_NO_NEW_PRIVS 38 /* PR_SET_NO_NEW_PRIVS */
#define SECCOMP_MODE 2 /* SECCOMP_MODE_FILTER */
#define FILTER_INSTRUCTION 8 /* bytes of a struct sock_filter */
#define SECCOMP_FILTER 1 /* SECCOMP_SET_MODE_FILTER */

/* A kernel without seccomp() (3.17) has it by prctl(). */
static inline long filter_try(const void *program, unsigned flags)
{
	long r = call(NR_seccomp, SECCOMP_FILTER, flags, (long)program, 0, 0);

	return r == -ENOSYS && !flags ? call(NR_prctl, SET_SECCOMP, SECCOMP_MODE, (long)program, 0, 0) : r;
}

/* n instructions (struct sock_filter). Who may not install one otherwise gives up what new programs could gain. */
static inline long filter_install(const void *instructions, size_t n, unsigned flags)
{
	struct {
		unsigned short len;
		const void *filter;
	} program = { (unsigned short)n, instructions };
	long r = filter_try(&program, flags);

	return r == -EACCES && call(NR_prctl, SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? filter_try(&program, flags)
										 : r;
}

static inline int filter_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Base64 up to what is none, its padding at the latest. Returns the bytes written, at most three quarters of the text. */
static inline size_t filter_decode(const char *text, unsigned char *to)
{
	unsigned bits = 0, have = 0;
	size_t n = 0;

	for (int digit; (digit = filter_digit(*text)) >= 0; text++) {
		bits = bits << 6 | (unsigned)digit;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		to[n++] = (unsigned char)(bits >> have);
	}
	return n;
}

#endif
