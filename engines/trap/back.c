/* SPDX-License-Identifier: Apache-2.0 */
/* From names of the host back to the guest's: see path.h. */
#include <fcntl.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

static bool is_host_of(const struct trap_bind *b, const char *path)
{
	size_t n = b->host_len;

	if (n == 1)
		return path[0] == '/';
	return memcmp(path, trap_bind_host(b), n) == 0 && (!path[n] || path[n] == '/');
}

/* The bind with the longest host name that `path` lies below, shorter than `below`. */
static const struct trap_bind *find_source(const char *path, size_t len, size_t below)
{
	const struct trap_bind *best = NULL;

	for (unsigned i = 0; i < trap_state->n_binds; i++) {
		const struct trap_bind *b = &trap_state->bind[i];

		if (b->host_len <= len && b->host_len < below && (!best || b->host_len > best->host_len) &&
			is_host_of(b, path))
			best = b;
	}
	return best;
}

/* `guest` followed by the `n` bytes of `tail` at `to`. */
static long join_guest(const struct trap_bind *b, const char *tail, size_t n, char *to)
{
	if (b->guest_len + n + 2 > TRAP_PATH_MAX)
		return -ENAMETOOLONG;
	memmove(to + b->guest_len, tail, n + 1);
	memcpy(to, trap_bind_guest(b), b->guest_len);
	n += b->guest_len;
	if (n == 0)
		to[n++] = '/';
	to[n] = '\0';
	return (long)n;
}

long path_to_guest(char *path, size_t len)
{
	size_t below = (size_t)-1;
	const struct trap_bind *b;
	char *name = buffer_take();
	long r = -ENOENT;

	path[len] = '\0';
	while ((b = find_source(path, len, below))) {
		const char *tail = b->host_len == 1 && len > 1 ? path : path + b->host_len, *rest;

		below = b->host_len;
		r = join_guest(b, tail, strlen(tail), name);
		/* Another bind may hide it there. */
		if (r >= 0 && path_locate(name, &rest) == b)
			break;
		r = -ENOENT;
	}
	if (r >= 0)
		memcpy(path, name, (size_t)r + 1);
	buffer_give(name);
	return r;
}

long path_of_fd(int fd, char *out)
{
	char link[32];
	long n;

	if (fd == AT_FDCWD) {
		n = SYS(getcwd, out, TRAP_PATH_MAX);
		n = n > 0 ? n - 1 : n;
	} else {
		(void)text_fd_path(link, fd);
		n = SYS(readlinkat, AT_FDCWD, link, out, TRAP_PATH_MAX - 1);
		if (n < 0)
			n = SYS(fcntl, fd, F_GETFD) < 0 ? -EBADF : -ENOENT;
	}
	if (n < 0)
		return n;
	return out[0] == '/' ? path_to_guest(out, (size_t)n) : -ENOENT;
}
