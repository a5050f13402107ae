/* SPDX-License-Identifier: Apache-2.0 */
/* One mutex, one condition for both sides; the writer wakes the thread when there is a chunk to hash, not for every write. */
#include "pkg/store/trail.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"

#define CHUNK ((size_t)256 << 10)
/* How often a waiting writer looks whether we were interrupted. */
#define WAIT_NS 100000000L

struct trail {
	int fd;
	struct sha *sha;
	char *buf; /* CHUNK bytes, of whoever hashes */
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under the mutex: */
	uint64_t size, done; /* bytes there are, and are hashed */
	bool finishing, stop;
	int failure; /* errno, or 0 */
};

struct trail *trail_begin(int fd, enum sha_kind kind, struct err **err)
{
	struct trail *t = xcalloc(1, sizeof(*t));
	pthread_condattr_t attr;

	t->fd = fd;
	t->sha = sha_begin(kind, err);
	if (!t->sha) {
		free(t);
		return NULL;
	}
	pthread_mutex_init(&t->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->changed, &attr);
	pthread_condattr_destroy(&attr);
	return t;
}

/* One piece at `at`, of n bytes at most: its length, or -1 with errno. */
static ssize_t hash_piece(struct trail *t, uint64_t at, uint64_t n)
{
	ssize_t got;

	if (!t->buf)
		t->buf = xmalloc(CHUNK);
	do {
		got = pread(t->fd, t->buf, n < CHUNK ? (size_t)n : CHUNK, (off_t)at);
	} while (got < 0 && errno == EINTR);
	if (got == 0) { /* somebody has cut it short */
		errno = EIO;
		return -1;
	}
	if (got > 0)
		sha_update(t->sha, t->buf, (size_t)got);
	return got;
}

static bool has_work(const struct trail *t)
{
	return t->size - t->done >= CHUNK || (t->finishing && t->size != t->done);
}

static void *run(void *arg)
{
	struct trail *t = arg;

	pthread_mutex_lock(&t->mutex);
	while (!t->stop && !t->failure && !(t->finishing && t->size == t->done)) {
		uint64_t at = t->done, n = t->size - t->done;
		ssize_t got;

		if (!has_work(t)) {
			pthread_cond_wait(&t->changed, &t->mutex);
			continue;
		}
		pthread_mutex_unlock(&t->mutex);
		got = hash_piece(t, at, n);
		pthread_mutex_lock(&t->mutex);
		if (got < 0)
			t->failure = errno;
		else
			t->done += (uint64_t)got;
	}
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
	return NULL;
}

/* Signals are for the main thread. Without a thread all is hashed at the end. */
static void start(struct trail *t)
{
	sigset_t all, old;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	t->thread_runs = pthread_create(&t->thread, NULL, run, t) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void trail_grew(struct trail *t, uint64_t size)
{
	bool wake;

	pthread_mutex_lock(&t->mutex);
	wake = !has_work(t);
	t->size = size;
	wake = wake && has_work(t);
	if (wake && t->thread_runs)
		pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
	if (wake && !t->thread_runs)
		start(t);
}

/* With the mutex held. */
static void wait_a_moment(struct trail *t)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(&t->changed, &t->mutex, &until);
}

static void wait_for_thread(struct trail *t)
{
	pthread_mutex_lock(&t->mutex);
	t->finishing = true;
	pthread_cond_broadcast(&t->changed);
	while (!t->failure && t->size != t->done && !sig_interrupted())
		wait_a_moment(t);
	pthread_mutex_unlock(&t->mutex);
}

static void hash_rest(struct trail *t)
{
	while (!t->failure && t->size != t->done && !sig_interrupted()) {
		ssize_t got = hash_piece(t, t->done, t->size - t->done);

		if (got < 0)
			t->failure = errno;
		else
			t->done += (uint64_t)got;
	}
}

static void join(struct trail *t)
{
	if (!t->thread_runs)
		return;
	pthread_mutex_lock(&t->mutex);
	t->stop = true;
	pthread_cond_broadcast(&t->changed);
	pthread_mutex_unlock(&t->mutex);
	pthread_join(t->thread, NULL);
	t->thread_runs = false;
}

int trail_finish(struct trail *t, char ret_hex[SHA_HEX_MAX + 1], struct err **err)
{
	if (t->thread_runs)
		wait_for_thread(t);
	else
		hash_rest(t);
	join(t);
	if (t->failure)
		return err_sys(err, t->failure, "read");
	if (t->size != t->done)
		return err_sys(err, EINTR, "read");
	sha_finish(t->sha, ret_hex);
	return 0;
}

void trail_free(struct trail *t)
{
	if (!t)
		return;
	join(t);
	sha_free(t->sha);
	pthread_mutex_destroy(&t->mutex);
	pthread_cond_destroy(&t->changed);
	free(t->buf);
	free(t);
}
