/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory without a C library: the guest's, which may not be there, and buffers for paths. Every look at memory that the guest names goes
 * through guest_*(): a fault in them is -EFAULT and not the guest's end (signals.c looks at where it happened).
 */
#ifndef UDOCKER_TRAP_MEM_H
#define UDOCKER_TRAP_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRAP_PATH_MAX 4096
#define TRAP_PATH_ROOM (2 * TRAP_PATH_MAX + 512)

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
bool text_eq(const char *a, const char *b);
/* Does `s` begin with `prefix`? */
bool text_begins(const char *s, const char *prefix);
/* The digits of `v` at `to`, ended by NUL; returns where that is. */
char *text_number(char *to, unsigned long v);
/* Reads digits, moves *s behind them; false without any or above `max`. */
bool text_to_number(const char **s, unsigned long max, unsigned long *ret);
/* "/proc/self/fd/N"; `to` has room for 32. Returns its end. */
char *text_fd_path(char *to, long fd);

/*
 * A thread that has SIGSEGV or SIGBUS blocked would die of a fault: where there may be one, a look unblocks them for its moment. 0: there is none; else
 * the thread that has, -1: there may be several.
 */
#define MEM_FAULTS (1ull << (SIGSEGV - 1) | 1ull << (SIGBUS - 1))
extern int guest_faults_blocked;

/* 0 or -EFAULT. */
long guest_read(void *to, const void *guest, size_t n);
long guest_write(void *guest, const void *from, size_t n);
/* A string into `to` of `size` bytes: its length, -EFAULT, or -ENAMETOOLONG. */
long guest_string(char *to, const char *guest, size_t size);

/*
 * A path of the guest, copied once, so that what is looked at is what is used. Short ones lie in the structure, longer ones in a buffer.
 * path_text_free() also after a failure; a guest that jumps out of a signal handler loses a buffer and no more.
 */
struct path_text {
	char *text;
	size_t len;
	char small[256];
};
/* 0, -EFAULT, -ENAMETOOLONG; an empty path is none. */
long path_text_read(struct path_text *ret, const void *guest);
void path_text_free(struct path_text *t);

/* TRAP_PATH_ROOM bytes, from a pool or the kernel; never fails: out of memory ends the process, as it would at its next page. */
char *buffer_take(void);
void buffer_give(char *buffer);

#endif
