/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading, writing and copying on descriptors, restarting after EINTR and short transfers; when sig_catch_interrupts()
 * is on and the command is to end, EINTR comes back instead. Every descriptor made here is close-on-exec.
 */
#ifndef UDOCKER_FD_H
#define UDOCKER_FD_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct str;

/* Read up to n bytes, fewer only at the end of the file. Returns the count or -1 with errno. */
ssize_t fd_read_full(int fd, void *buf, size_t n);
ssize_t fd_pread_full(int fd, void *buf, size_t n, off_t at);

/* Write all. Returns 0 or -1 with errno. */
int fd_write_all(int fd, const void *buf, size_t n);

/* Read to the end into s; more than `max` bytes is an ERR_CORRUPT. `what` names the source in messages. */
int fd_read_text(int fd, size_t max, struct str *s, const char *what, struct err **err);

/*
 * Copy to the end of `in`, or `limit` bytes (UINT64_MAX: all), by reflink, copy_file_range or
 * read and write, whichever the kernel offers. *ret_n (may be NULL) has the count. errno on failure.
 */
int fd_copy(int in, int out, uint64_t limit, uint64_t *ret_n);

/* Share all blocks of a regular file with an empty one: true, or false where the file system cannot. Offsets stay. */
bool fd_reflink(int in, int out);

/* An anonymous file, read-write: memfd, else an unlinked file in TMPDIR or /tmp. -1 with errno. */
int fd_anon(const char *name);

int fd_set_cloexec(int fd, bool on);
/* A duplicate at 3 or above, close-on-exec. -1 with errno. */
int fd_dup(int fd);

/* Close all descriptors from `first` up: close_range, /proc/self/fd, or a loop. Async-signal-safe. */
void fd_close_from(int first);
/* The same, but the n descriptors of `keep`, in ascending order, stay open. Async-signal-safe. */
void fd_close_except(int first, const int *keep, size_t n);

/* A pipe with both ends close-on-exec. 0 or -1 with errno. */
int fd_pipe(int ret[2]);

#endif
