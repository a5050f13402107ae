/* SPDX-License-Identifier: Apache-2.0 */
/* Memory without a C library: see mem.h. The copies that may fault are in start_*.S. */
#include "engines/trap/mem.h"

#include <signal.h>
#include <sys/mman.h>

#include "engines/trap/sys.h"

#define POOL 32

long guest_copy(void *to, const void *from, size_t n);
long guest_copy_string(char *to, const char *from, size_t size);

static char pool[POOL][TRAP_PATH_ROOM];
static uint32_t pool_used; /* a bit each */

#ifndef TRAP_HOSTED
/* The compiler makes calls of these from assignments; the empty statement keeps their own loops from becoming such calls. */
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	char *t = to;
	const char *f = from;

	while (n--) {
		*t++ = *f++;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	char *t = to;
	const char *f = from;

	if (t <= f)
		return memcpy(to, from, n);
	while (n--) {
		t[n] = f[n];
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

void *memset(void *to, int c, size_t n)
{
	char *t = to;

	while (n--) {
		*t++ = (char)c;
		__asm__ volatile("" ::: "memory");
	}
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n--; x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}
#endif

bool text_eq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

bool text_begins(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

char *text_number(char *to, unsigned long v)
{
	char digits[24];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + v % 10);
	while (v /= 10);
	while (n)
		*to++ = digits[--n];
	*to = '\0';
	return to;
}

bool text_to_number(const char **s, unsigned long max, unsigned long *ret)
{
	const char *p = *s;
	unsigned long v = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		unsigned long digit = (unsigned long)(*p - '0');

		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*ret = v;
	*s = p;
	return true;
}

char *text_fd_path(char *to, long fd)
{
	static const char prefix[] = "/proc/self/fd/";

	memcpy(to, prefix, sizeof(prefix) - 1);
	return text_number(to + sizeof(prefix) - 1, (unsigned long)fd);
}

int guest_faults_blocked;

/* The signals that were blocked. */
static uint64_t faults_open(void)
{
	const uint64_t faults = MEM_FAULTS;
	uint64_t old = 0;

	(void)SYS(rt_sigprocmask, SIG_UNBLOCK, &faults, &old, sizeof(old));
	return old & faults;
}

static void faults_close(uint64_t blocked)
{
	if (blocked)
		(void)SYS(rt_sigprocmask, SIG_BLOCK, &blocked, NULL, sizeof(blocked));
}

static long copy(void *to, const void *from, size_t n)
{
	uint64_t blocked;
	long r;

	if (__builtin_expect(!guest_faults_blocked, 1))
		return guest_copy(to, from, n);
	blocked = faults_open();
	r = guest_copy(to, from, n);
	faults_close(blocked);
	return r;
}

long guest_read(void *to, const void *guest, size_t n)
{
	return copy(to, guest, n);
}

long guest_write(void *guest, const void *from, size_t n)
{
	return copy(guest, from, n);
}

static long copy_string(char *to, const char *from, size_t size)
{
	uint64_t blocked;
	long r;

	if (__builtin_expect(!guest_faults_blocked, 1))
		return guest_copy_string(to, from, size);
	blocked = faults_open();
	r = guest_copy_string(to, from, size);
	faults_close(blocked);
	return r;
}

long guest_string(char *to, const char *guest, size_t size)
{
	long n = copy_string(to, guest, size);

	return n == (long)size ? -ENAMETOOLONG : n;
}

/* Most paths are short: the buffer is taken when one is not. */
long path_text_read(struct path_text *ret, const void *guest)
{
	long n = guest_string(ret->small, guest, sizeof(ret->small));

	ret->text = ret->small;
	if (n == -ENAMETOOLONG) {
		ret->text = buffer_take();
		n = guest_string(ret->text, guest, TRAP_PATH_MAX);
	}
	ret->len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? n : 0;
}

void path_text_free(struct path_text *t)
{
	if (t->text != t->small)
		buffer_give(t->text);
}

static char *buffer_from_kernel(void)
{
	long r = SYS(mmap, 0, TRAP_PATH_ROOM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (sys_failed(r))
		(void)SYS(exit_group, 127); /* there is nobody to tell */
	return (char *)r;
}

char *buffer_take(void)
{
	for (;;) {
		uint32_t used = __atomic_load_n(&pool_used, __ATOMIC_RELAXED);
		uint32_t bit = ~used & (used + 1);

		if (!bit)
			return buffer_from_kernel();
		if (__atomic_compare_exchange_n(
			    &pool_used, &used, used | bit, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return pool[__builtin_ctz(bit)];
	}
}

void buffer_give(char *buffer)
{
	if (buffer < pool[0] || buffer > pool[POOL - 1]) {
		(void)SYS(munmap, buffer, TRAP_PATH_ROOM);
		return;
	}
	(void)__atomic_and_fetch(
		&pool_used, ~(1u << ((size_t)(buffer - pool[0]) / TRAP_PATH_ROOM)), __ATOMIC_RELEASE);
}
