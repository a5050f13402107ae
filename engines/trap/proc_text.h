/* SPDX-License-Identifier: Apache-2.0 */
/* Files of /proc read by lines, and others made of them in memory. */
#ifndef UDOCKER_TRAP_PROC_TEXT_H
#define UDOCKER_TRAP_PROC_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct trap_bind;

struct proc_lines {
	long fd;
	char *buffer;
	size_t at, have; /* what is left of it */
};

/* 0 or -errno. proc_lines_close() only after success. */
long proc_lines_open(struct proc_lines *l, int dirfd, const char *path);
/* The next line, ended by NUL instead of its newline; NULL at the end. One that fits no buffer comes in pieces. */
char *proc_lines_next(struct proc_lines *l);
void proc_lines_close(struct proc_lines *l);

struct proc_maker {
	long fd;
	char *buffer;
	size_t n;
	long error;
};

long proc_make(struct proc_maker *m, unsigned long flags);
void proc_put(struct proc_maker *m, const char *s, size_t n);
void proc_put_text(struct proc_maker *m, const char *s);
void proc_put_number(struct proc_maker *m, uint64_t v);
/* The descriptor, to be read from its start; -errno if something failed on the way. */
long proc_made(struct proc_maker *m);

/* Behind the blanks after the n-th field, from 1. */
const char *proc_field(const char *line, int n);
/* A field without its escapes at `to`, ended by NUL; its length. Room for TRAP_PATH_MAX. */
size_t proc_unescape(char *to, const char *s);
void proc_put_escaped(struct proc_maker *m, const char *s, const char *which);
/* A name as /proc shows it, in place: the guest's, " (deleted)" kept; as it is if the guest has none. Room for TRAP_PATH_MAX. */
long proc_show_name(char *name, size_t len);

/* mounts or mountinfo of this run. */
long proc_mounts(bool info, unsigned long flags);

#endif
