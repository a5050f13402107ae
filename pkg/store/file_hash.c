/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/store/file_hash.h"

#include <errno.h>
#include <stdatomic.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/thread.h"

#define CHUNK ((size_t)128 << 10) /* what a processor's own cache holds */
#define STEP (UINT64_C(512) << 10) /* worth waking the thread for */

struct file_hash {
	int fd;
	struct sha *sha;
	char *buf;
	pthread_t thread;
	bool runs;
	_Atomic uint64_t size; /* that the file has */
	atomic_bool stop;
	/* The thread's, until it is settled. */
	uint64_t at; /* hashed up to here */
	const char *doing; /* what has failed with `error`, or NULL */
	int error;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t changed;
	bool last, settled;
	int wake_fd;
};

/* ---- the thread ---- */

static void fail(struct file_hash *h, const char *doing, int error)
{
	h->doing = doing;
	h->error = error;
}

/* It was written a moment ago: it is read from memory, and the writer has no copy to make and nobody to wait for. */
static void hash_up_to(struct file_hash *h, uint64_t size)
{
	while (!h->doing && h->at < size && !atomic_load(&h->stop)) {
		size_t want = size - h->at < CHUNK ? (size_t)(size - h->at) : CHUNK;
		ssize_t n = pread(h->fd, h->buf, want, (off_t)h->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(h, "read it back", n < 0 ? errno : ENODATA); /* 0: somebody has cut it */
		} else {
			sha_update(h->sha, h->buf, (size_t)n);
			h->at += (uint64_t)n;
		}
	}
}

/* Until there is enough to do or no more will come. True if no more will. */
static bool wait_for_more(struct file_hash *h, uint64_t *ret_size)
{
	bool last;

	pthread_mutex_lock(&h->mutex);
	while (!h->last && !atomic_load(&h->stop) && (h->doing || atomic_load(&h->size) - h->at < STEP))
		pthread_cond_wait(&h->changed, &h->mutex);
	last = h->last;
	*ret_size = atomic_load(&h->size);
	pthread_mutex_unlock(&h->mutex);
	return last;
}

static void finish(struct file_hash *h)
{
	if (!h->doing && fsync(h->fd) < 0)
		fail(h, "write it", errno);
	pthread_mutex_lock(&h->mutex);
	h->settled = true;
	if (h->wake_fd >= 0) /* full means that it can be read already */
		(void)!write(h->wake_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	pthread_mutex_unlock(&h->mutex);
}

static void *work(void *arg)
{
	struct file_hash *h = arg;
	uint64_t size;
	bool last;

	do {
		last = wait_for_more(h, &size);
		hash_up_to(h, size);
	} while (!last && !atomic_load(&h->stop));
	if (!atomic_load(&h->stop))
		finish(h);
	return NULL;
}

/* ---- its owner ---- */

struct file_hash *file_hash_begin(enum sha_kind kind, int fd, struct err **err)
{
	struct file_hash *h = xcalloc(1, sizeof(*h));

	h->fd = fd;
	h->wake_fd = -1;
	h->buf = xmalloc(CHUNK);
	pthread_mutex_init(&h->mutex, NULL);
	pthread_cond_init(&h->changed, NULL);
	h->sha = sha_begin(kind, err);
	h->runs = h->sha && thread_start(&h->thread, work, h, err) == 0;
	if (!h->runs) {
		file_hash_free(h);
		return NULL;
	}
	return h;
}

static void wake(struct file_hash *h)
{
	pthread_mutex_lock(&h->mutex); /* it may be between its look and its wait */
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->mutex);
}

void file_hash_grow(struct file_hash *h, uint64_t size)
{
	uint64_t before = atomic_exchange(&h->size, size);

	if (before / STEP != size / STEP)
		wake(h);
}

void file_hash_settle(struct file_hash *h, int wake_fd)
{
	pthread_mutex_lock(&h->mutex);
	h->last = true;
	h->wake_fd = wake_fd;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->mutex);
}

bool file_hash_is_settled(struct file_hash *h)
{
	bool r;

	pthread_mutex_lock(&h->mutex);
	r = h->settled;
	pthread_mutex_unlock(&h->mutex);
	return r;
}

static void join(struct file_hash *h)
{
	if (h->runs)
		pthread_join(h->thread, NULL);
	h->runs = false;
}

int file_hash_wait(struct file_hash *h, char ret_hex[SHA_HEX_MAX + 1], struct err **err)
{
	join(h);
	if (h->doing)
		return err_sys(err, h->error, "%s", h->doing);
	sha_finish(h->sha, ret_hex);
	return 0;
}

void file_hash_free(struct file_hash *h)
{
	if (!h)
		return;
	atomic_store(&h->stop, true);
	wake(h);
	join(h);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->mutex);
	sha_free(h->sha);
	free(h->buf);
	free(h);
}
