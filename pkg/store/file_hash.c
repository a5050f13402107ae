/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/store/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/thread.h"

#define BLOCK ((size_t)128 << 10) /* a write, and what a processor's own cache holds several of */
#define BLOCKS 32 /* of all files together, unless there are more files */
#define QUEUE 16 /* of one file: others go on when its thread does not keep up */
#define STEP (UINT64_C(256) << 10) /* worth waking the thread for */
#define AHEAD \
	(UINT64_C(8) \
		<< 20) /* what the kernel begins to write to the disk, so that fsync(2) has little left */
#define PATIENCE_NS 4000000L
#define NS_PER_S 1000000000L

struct block {
	char *data; /* BLOCK bytes */
	uint64_t at; /* of its first byte in the file */
	size_t n;
};

struct file_hash {
	int fd;
	struct sha *sha;
	pthread_t thread;
	bool runs;
	/* The writer's. */
	uint64_t written; /* size of the file */
	struct block filled; /* has data from the first byte on */
	size_t flushed; /* bytes of it which the file has */
	int write_error;
	/* A ring with one writer and one reader: those from `taken` up to `given` are the thread's. */
	struct block queue[QUEUE];
	atomic_size_t given, taken;
	_Atomic uint64_t size; /* that the file has; told after the blocks that cover it */
	atomic_bool reads_back; /* blocks stay where they are for a while */
	atomic_bool stop;
	/* The thread's, until it is settled. */
	char *buf;
	uint64_t at; /* hashed up to here */
	uint64_t begun; /* on its way to the disk up to here */
	const char *doing; /* what has failed with `error`, or NULL */
	int error;
	pthread_mutex_t mutex; /* of what follows */
	pthread_cond_t changed;
	bool last, settled;
	int wake_fd;
};

/* Blocks that the thread has not hashed. */
static size_t waiting(struct file_hash *h)
{
	return atomic_load(&h->given) - atomic_load(&h->taken);
}

/* ---- blocks that no file has: the one that was given back last is taken first, since a cache still has it ---- */

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t freed;
	size_t files, made, n;
	char *data[BLOCKS];
	struct file_hash *waits; /* its writer */
} pool = { .mutex = PTHREAD_MUTEX_INITIALIZER, .freed = PTHREAD_COND_INITIALIZER };

static void pool_enter(void)
{
	pthread_mutex_lock(&pool.mutex);
	pool.files++;
	pthread_mutex_unlock(&pool.mutex);
}

static void pool_leave(void)
{
	pthread_mutex_lock(&pool.mutex);
	if (--pool.files == 0) {
		while (pool.n)
			free(pool.data[--pool.n]);
		pool.made = 0;
	}
	pthread_mutex_unlock(&pool.mutex);
}

/* Where processors are few a thread that was waited for gets on, and to go on at once would be to wait again soon. */
static bool is_worth_going_on(struct file_hash *h)
{
	return (pool.n >= BLOCKS / 4 || pool.made < BLOCKS) && waiting(h) <= QUEUE / 2;
}

static void pool_put(char *data)
{
	pthread_mutex_lock(&pool.mutex);
	if (pool.n < BLOCKS) {
		pool.data[pool.n++] = data;
	} else {
		free(data);
		pool.made--;
	}
	if (pool.waits && is_worth_going_on(pool.waits))
		pthread_cond_signal(&pool.freed);
	pthread_mutex_unlock(&pool.mutex);
}

/* NULL when there are `most` already. */
static char *pool_get(size_t most)
{
	if (pool.n)
		return pool.data[--pool.n];
	if (pool.made >= most)
		return NULL;
	pool.made++;
	return xmalloc(BLOCK);
}

static char *pool_first(void)
{
	char *data;

	pthread_mutex_lock(&pool.mutex);
	data = pool_get(SIZE_MAX);
	pthread_mutex_unlock(&pool.mutex);
	return data;
}

static void wait_until_worth(struct file_hash *h)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += PATIENCE_NS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	pool.waits = h;
	while (!is_worth_going_on(h) && pthread_cond_timedwait(&pool.freed, &pool.mutex, &until) == 0)
		continue;
	pool.waits = NULL;
}

/*
 * In exchange for one that is full; NULL when h does without: its thread has too many already, or others have them all. To wait for a thread that
 * is at work on blocks costs less than to read back; one that reads back itself is far behind.
 */
static char *pool_exchange(struct file_hash *h)
{
	char *data = NULL;

	pthread_mutex_lock(&pool.mutex);
	if ((waiting(h) == QUEUE || (!pool.n && pool.made >= BLOCKS)) && !atomic_load(&h->reads_back))
		wait_until_worth(h);
	if (waiting(h) < QUEUE)
		data = pool_get(BLOCKS);
	pthread_mutex_unlock(&pool.mutex);
	return data;
}

/* ---- the thread ---- */

static void fail(struct file_hash *h, const char *doing, int error)
{
	h->doing = doing;
	h->error = error;
}

/* A hint: fsync(2) tells what fails. */
static void write_out(struct file_hash *h)
{
	(void)sync_file_range(h->fd, (off_t)h->begun, (off_t)(h->at - h->begun), SYNC_FILE_RANGE_WRITE);
	h->begun = h->at;
}

static void hash(struct file_hash *h, const char *p, size_t n)
{
	sha_update(h->sha, p, n);
	h->at += n;
	if (h->at - h->begun >= AHEAD)
		write_out(h);
}

/* The next part, which no block holds; at most up to `end`. */
static void hash_file(struct file_hash *h, uint64_t end)
{
	size_t want = end - h->at < BLOCK ? (size_t)(end - h->at) : BLOCK;
	ssize_t n;

	if (!h->buf)
		h->buf = xmalloc(BLOCK);
	n = pread(h->fd, h->buf, want, (off_t)h->at);
	if (n > 0)
		hash(h, h->buf, (size_t)n);
	else if (n == 0)
		fail(h, "read it back", ENODATA); /* somebody has cut it */
	else if (errno != EINTR)
		fail(h, "read it back", errno);
}

/* A part of it may have been read back before it was given. */
static void hash_block(struct file_hash *h, const struct block *b)
{
	if (b->at + b->n > h->at)
		hash(h, b->data + (h->at - b->at), (size_t)(b->at + b->n - h->at));
	atomic_fetch_add(&h->taken, 1);
	pool_put(b->data);
}

static void hash_up_to(struct file_hash *h, uint64_t size)
{
	while (!h->doing && h->at < size && !atomic_load(&h->stop)) {
		struct block next = { .at = size };
		bool given = waiting(h) > 0;

		if (given)
			next = h->queue[atomic_load(&h->taken) % QUEUE];
		atomic_store(&h->reads_back, next.at > h->at);
		if (given && next.at <= h->at)
			hash_block(h, &next);
		else
			hash_file(h, next.at < size ? next.at : size);
	}
	atomic_store(&h->reads_back, h->doing != NULL);
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

/* All that was hashed is in the file: nobody has cut it since. */
static void check_size(struct file_hash *h)
{
	struct stat st;

	if (fstat(h->fd, &st) < 0)
		fail(h, "read it back", errno);
	else if ((uint64_t)st.st_size != h->at)
		fail(h, "read it back", ENODATA);
}

static void finish(struct file_hash *h)
{
	if (!h->doing)
		check_size(h);
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

static void wake(struct file_hash *h)
{
	pthread_mutex_lock(&h->mutex); /* it may be between its look and its wait */
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->mutex);
}

/* ---- its owner ---- */

struct file_hash *file_hash_begin(enum sha_kind kind, int fd, uint64_t size, struct err **err)
{
	struct file_hash *h = xcalloc(1, sizeof(*h));

	h->fd = fd;
	h->wake_fd = -1;
	h->written = size;
	atomic_store(&h->size, size);
	pthread_mutex_init(&h->mutex, NULL);
	pthread_cond_init(&h->changed, NULL);
	pool_enter();
	h->sha = sha_begin(kind, err);
	h->runs = h->sha && thread_start(&h->thread, work, h, err) == 0;
	if (!h->runs) {
		file_hash_free(h);
		return NULL;
	}
	return h;
}

/* What the file has not. Nothing more after a failure: it may have got a part. */
static int write_filled(struct file_hash *h)
{
	const struct block *b = &h->filled;

	if (h->write_error) {
		errno = h->write_error;
		return -1;
	}
	if (b->n == h->flushed)
		return 0;
	if (fd_write_all(h->fd, b->data + h->flushed, b->n - h->flushed) < 0) {
		h->write_error = errno;
		return -1;
	}
	h->written += b->n - h->flushed;
	h->flushed = b->n;
	return 0;
}

/* To the thread; `next` is filled from now on. */
static void give(struct file_hash *h, char *next)
{
	h->filled.at = h->written - h->filled.n;
	h->queue[atomic_load(&h->given) % QUEUE] = h->filled;
	atomic_fetch_add(&h->given, 1);
	h->filled.data = next;
}

/* What is not given is read back. */
static void give_full(struct file_hash *h)
{
	char *next = pool_exchange(h);

	if (next)
		give(h, next);
	h->filled.n = h->flushed = 0;
}

/* The thread may know of what the file has. */
static void tell(struct file_hash *h)
{
	uint64_t before = atomic_exchange(&h->size, h->written);

	if (before / STEP != h->written / STEP)
		wake(h);
}

int file_hash_write(struct file_hash *h, const void *data, size_t n)
{
	struct block *b = &h->filled;

	if (!b->data)
		b->data = pool_first();
	for (const char *p = data; n;) {
		size_t part = n < BLOCK - b->n ? n : BLOCK - b->n;

		memcpy(b->data + b->n, p, part);
		b->n += part;
		p += part;
		n -= part;
		if (b->n < BLOCK)
			return 0;
		if (write_filled(h) < 0)
			return -1;
		give_full(h);
		tell(h);
	}
	return 0;
}

int file_hash_flush(struct file_hash *h)
{
	if (write_filled(h) < 0)
		return -1;
	tell(h);
	return 0;
}

void file_hash_settle(struct file_hash *h, int wake_fd)
{
	if (write_filled(h) == 0 && h->filled.n && waiting(h) < QUEUE)
		give(h, NULL);
	tell(h);
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
	if (h->write_error)
		return err_sys(err, h->write_error, "write it");
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
	for (size_t i = atomic_load(&h->taken); i < atomic_load(&h->given); i++)
		pool_put(h->queue[i % QUEUE].data);
	if (h->filled.data)
		pool_put(h->filled.data);
	pool_leave();
	free(h->buf);
	free(h);
}
