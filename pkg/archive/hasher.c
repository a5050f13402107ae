/* SPDX-License-Identifier: Apache-2.0 */
/* One thread, one block at a time: handed over and taken back under a mutex. */
#include "pkg/archive/hasher.h"

#include "pkg/base/mem.h"
#include "pkg/base/thread.h"

/* Less is hashed faster than it is handed over. */
#define WORTH_A_THREAD ((size_t)32 << 10)

struct hasher {
	struct sha *sha;
	pthread_t thread;
	bool runs, refused; /* the thread */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	const void *block; /* being hashed; NULL: idle */
	size_t n;
	bool ends;
};

static void *work(void *arg)
{
	struct hasher *h = arg;

	pthread_mutex_lock(&h->mutex);
	for (;;) {
		while (!h->block && !h->ends)
			pthread_cond_wait(&h->changed, &h->mutex);
		if (!h->block)
			break;
		pthread_mutex_unlock(&h->mutex);
		sha_update(h->sha, h->block, h->n);
		pthread_mutex_lock(&h->mutex);
		h->block = NULL;
		pthread_cond_signal(&h->changed);
	}
	pthread_mutex_unlock(&h->mutex);
	return NULL;
}

struct hasher *hasher_begin(enum sha_kind kind, struct err **err)
{
	auto_hasher *h = xcalloc(1, sizeof(*h));

	pthread_mutex_init(&h->mutex, NULL);
	pthread_cond_init(&h->changed, NULL);
	h->sha = sha_begin(kind, err);
	return h->sha ? steal_ptr(&h) : NULL;
}

static bool has_thread(struct hasher *h)
{
	if (!h->runs && !h->refused) {
		h->runs = thread_start(&h->thread, work, h, NULL) == 0;
		h->refused = !h->runs;
	}
	return h->runs;
}

void hasher_update(struct hasher *h, const void *p, size_t n)
{
	hasher_wait(h);
	if (n < WORTH_A_THREAD || !has_thread(h)) {
		sha_update(h->sha, p, n);
		return;
	}
	pthread_mutex_lock(&h->mutex);
	h->block = p;
	h->n = n;
	pthread_cond_signal(&h->changed);
	pthread_mutex_unlock(&h->mutex);
}

void hasher_wait(struct hasher *h)
{
	if (!h->runs)
		return;
	pthread_mutex_lock(&h->mutex);
	while (h->block)
		pthread_cond_wait(&h->changed, &h->mutex);
	pthread_mutex_unlock(&h->mutex);
}

void hasher_finish(struct hasher *h, char ret_hex[SHA_HEX_MAX + 1])
{
	hasher_wait(h);
	sha_finish(h->sha, ret_hex);
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	if (h->runs) {
		pthread_mutex_lock(&h->mutex);
		h->ends = true;
		pthread_cond_signal(&h->changed);
		pthread_mutex_unlock(&h->mutex);
		pthread_join(h->thread, NULL);
	}
	sha_free(h->sha);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->mutex);
	free(h);
}
