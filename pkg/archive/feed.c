/* SPDX-License-Identifier: Apache-2.0 */
/* Reading ahead in a thread: the disk, the hash of the compressed bytes and their decoder each work while the others do. */
#include "pkg/archive/feed.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "pkg/archive/pipeline.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/thread.h"

#define POLL_MS 100

struct feed {
	int fd, copy_to;
	char *what;
	bool is_file, ended;
	struct progress *progress;
	inflate_more_fn *more; /* NULL: the file's end is the end */
	void *more_arg;
	struct sha *sha;
	struct pipeline *pipe; /* full only while the thread runs; carries cancellation in any case */
	pthread_t thread;
	bool thread_runs;
	_Atomic uint64_t position;
};

int feed_open(
	int fd, const char *what, struct progress *progress, int copy_to, struct feed **ret, struct err **err)
{
	struct feed *f;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "read %s", what);
	if (S_ISDIR(st.st_mode))
		return err_sys(err, EISDIR, "read %s", what);
	f = xcalloc(1, sizeof(*f));
	f->fd = fd;
	f->copy_to = copy_to;
	f->what = xstrdup(what);
	f->is_file = S_ISREG(st.st_mode);
	f->progress = progress;
	f->pipe = pipeline_new(FEED_BLOCK, FEED_AHEAD);
	if (f->is_file)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint for the disk, no more */
	*ret = f;
	return 0;
}

void feed_follow(struct feed *f, inflate_more_fn *more, void *arg)
{
	f->more = more;
	f->more_arg = arg;
}

void feed_cancel(struct feed *f)
{
	pipeline_cancel(f->pipe);
}

static void join(struct feed *f)
{
	if (f->thread_runs)
		pthread_join(f->thread, NULL);
	f->thread_runs = false;
}

void feed_free(struct feed *f)
{
	if (!f)
		return;
	feed_cancel(f);
	join(f);
	pipeline_free(f->pipe);
	sha_free(f->sha);
	free(f->what);
	free(f);
}

/* A pipe may be silent for long: sleep in steps, so that cancellation and interrupts are seen. */
static int wait_readable(struct feed *f, struct err **err)
{
	while (!sig_interrupted() && !pipeline_cancelled(f->pipe)) {
		struct pollfd p = { .fd = f->fd, .events = POLLIN };
		int r;

		if (f->is_file)
			return 0;
		r = poll(&p, 1, POLL_MS);
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return err_sys(err, errno, "read %s", f->what);
	}
	return err_make(err, ERR_SYSTEM, "interrupted");
}

ssize_t feed_read(struct feed *f, void *buf, size_t n, struct err **err)
{
	size_t got = 0;

	while (got < n && !f->ended) {
		ssize_t r;

		if (wait_readable(f, err) < 0)
			return -1;
		r = read(f->fd, (char *)buf + got, n - got);
		if (r < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (r < 0)
			return err_sys(err, errno, "read %s", f->what);
		if (r == 0 && f->more) {
			if (got >= FEED_LEAST)
				break;
			r = f->more(f->more_arg, err);
			if (r < 0)
				return -1;
			f->ended = r == 0;
			continue;
		}
		f->ended = r == 0;
		got += (size_t)r;
	}
	if (f->copy_to >= 0 && fd_write_all(f->copy_to, buf, got) < 0)
		return err_sys(err, errno, "%s: write a copy", f->what);
	if (f->sha)
		sha_update(f->sha, buf, got);
	atomic_fetch_add_explicit(&f->position, got, memory_order_relaxed);
	if (f->progress)
		progress_update(f->progress, feed_position(f));
	return (ssize_t)got;
}

int feed_hash(struct feed *f, enum sha_kind kind, const void *p, size_t n, struct err **err)
{
	f->sha = sha_begin(kind, err);
	if (!f->sha)
		return -1;
	sha_update(f->sha, p, n);
	return 0;
}

static void *read_ahead(void *arg)
{
	struct feed *f = arg;
	struct err *e = NULL;
	ssize_t n = 0;
	void *block;

	while ((block = pipeline_claim(f->pipe))) {
		n = feed_read(f, block, FEED_BLOCK, &e);
		if (n <= 0)
			break;
		pipeline_publish(f->pipe, (size_t)n);
	}
	pipeline_finish(f->pipe, e);
	return NULL;
}

int feed_ahead(struct feed *f, struct err **err)
{
	if (f->ended) {
		pipeline_finish(f->pipe, NULL);
		return 0;
	}
	if (thread_start(&f->thread, read_ahead, f, err) < 0)
		return -1;
	f->thread_runs = true;
	return 0;
}

ssize_t feed_next(struct feed *f, const void **ret, struct err **err)
{
	return pipeline_next(f->pipe, 0, ret, err);
}

uint64_t feed_position(const struct feed *f)
{
	return atomic_load_explicit(&f->position, memory_order_relaxed);
}

void feed_digest(struct feed *f, char ret_hex[SHA_HEX_MAX + 1])
{
	join(f);
	ret_hex[0] = '\0';
	if (f->sha)
		sha_finish(f->sha, ret_hex);
	sha_free(steal_ptr(&f->sha));
}
