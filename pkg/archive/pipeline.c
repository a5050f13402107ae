/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring between threads: one mutex, counters that only grow, a condition for each side. Blocks are a quarter of a megabyte, so the
 * lock is taken a few thousand times per gigabyte and never matters; what costs is waking, so a producer sleeps until there is
 * room for several blocks.
 */
#include "pkg/archive/pipeline.h"

#include <assert.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"

/* How often a waiting thread looks whether we were interrupted. */
#define WAIT_NS 100000000L

struct block {
	void *data;
	size_t n;
};

struct pipeline {
	pthread_mutex_t mutex;
	pthread_cond_t more, room; /* consumers wait for more blocks, the producer for room */
	struct block *blocks;
	size_t block, count;
	size_t wake_at; /* a waiting producer is woken when no more blocks than these are in use */
	uint64_t head; /* blocks published */
	uint64_t taken[PIPELINE_MAX_CONSUMERS]; /* blocks a consumer has been given */
	uint64_t freed[PIPELINE_MAX_CONSUMERS]; /* blocks it is done with */
	int consumers;
	bool finished, cancelled;
	enum err_kind fail_kind; /* of fail_text; each consumer gets an error of its own */
	char *fail_text, *fail_hint;
};

struct pipeline *pipeline_new(size_t block, size_t count)
{
	struct pipeline *p = xcalloc(1, sizeof(*p));
	pthread_condattr_t attr;

	p->block = block;
	p->count = count;
	p->wake_at = count - (count + 3) / 4;
	p->consumers = 1;
	p->blocks = xcalloc(count, sizeof(*p->blocks));
	pthread_mutex_init(&p->mutex, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->more, &attr);
	pthread_cond_init(&p->room, &attr);
	pthread_condattr_destroy(&attr);
	return p;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->count; i++)
		free(p->blocks[i].data);
	free(p->blocks);
	free(p->fail_text);
	free(p->fail_hint);
	pthread_cond_destroy(&p->more);
	pthread_cond_destroy(&p->room);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

int pipeline_add_consumer(struct pipeline *p)
{
	int n;

	pthread_mutex_lock(&p->mutex);
	assert(p->consumers < PIPELINE_MAX_CONSUMERS && p->head == 0);
	n = p->consumers++;
	pthread_mutex_unlock(&p->mutex);
	return n;
}

/* With the mutex held: sleep until something changed or it is time to look at the interrupt flag. */
static void wait_for(struct pipeline *p, pthread_cond_t *cond)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_NS;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	pthread_cond_timedwait(cond, &p->mutex, &until);
}

/* Blocks that the slowest consumer has not given back. */
static size_t used(const struct pipeline *p)
{
	size_t most = 0;

	for (int i = 0; i < p->consumers; i++)
		if (p->head - p->freed[i] > most)
			most = p->head - p->freed[i];
	return most;
}

void *pipeline_claim(struct pipeline *p)
{
	struct block *b = NULL;

	pthread_mutex_lock(&p->mutex);
	while (!p->cancelled && !sig_interrupted() && used(p) >= p->count)
		wait_for(p, &p->room);
	if (!p->cancelled && !sig_interrupted())
		b = &p->blocks[p->head % p->count];
	pthread_mutex_unlock(&p->mutex);
	if (!b)
		return NULL;
	/* Nobody else looks at a block that is not published. */
	if (!b->data)
		b->data = xmalloc(p->block);
	return b->data;
}

void pipeline_publish(struct pipeline *p, size_t n)
{
	assert(n <= p->block);
	if (!n)
		return;
	pthread_mutex_lock(&p->mutex);
	p->blocks[p->head % p->count].n = n;
	p->head++;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->mutex);
}

void pipeline_finish(struct pipeline *p, struct err *e)
{
	pthread_mutex_lock(&p->mutex);
	if (e && !p->fail_text) {
		p->fail_kind = err_kind(e);
		p->fail_text = xstrdup(err_text(e));
		p->fail_hint = xstrdup_null(err_hint_text(e));
	}
	p->finished = true;
	pthread_cond_broadcast(&p->more);
	pthread_mutex_unlock(&p->mutex);
	err_free(e);
}

/* With the mutex held. */
static int report_failure(struct pipeline *p, struct err **err)
{
	err_make(err, p->fail_kind, "%s", p->fail_text);
	if (p->fail_hint)
		err_hint(err, "%s", p->fail_hint);
	return -1;
}

ssize_t pipeline_next(struct pipeline *p, int consumer, const void **ret, struct err **err)
{
	ssize_t n = -1;

	pthread_mutex_lock(&p->mutex);
	if (p->freed[consumer] != p->taken[consumer]) {
		p->freed[consumer] = p->taken[consumer];
		if (used(p) <= p->wake_at)
			pthread_cond_signal(&p->room);
	}
	while (!p->cancelled && !sig_interrupted() && !p->finished && p->taken[consumer] == p->head)
		wait_for(p, &p->more);
	if (sig_interrupted() || p->cancelled) {
		err_make(err, ERR_SYSTEM, "interrupted");
	} else if (p->taken[consumer] != p->head) {
		const struct block *b = &p->blocks[p->taken[consumer]++ % p->count];

		*ret = b->data;
		n = (ssize_t)b->n;
	} else if (p->fail_text) {
		report_failure(p, err);
	} else {
		n = 0;
	}
	pthread_mutex_unlock(&p->mutex);
	return n;
}

void pipeline_cancel(struct pipeline *p)
{
	pthread_mutex_lock(&p->mutex);
	p->cancelled = true;
	pthread_cond_broadcast(&p->more);
	pthread_cond_signal(&p->room);
	pthread_mutex_unlock(&p->mutex);
}

bool pipeline_cancelled(struct pipeline *p)
{
	bool r;

	pthread_mutex_lock(&p->mutex);
	r = p->cancelled;
	pthread_mutex_unlock(&p->mutex);
	return r;
}
