/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks between threads: order, every consumer sees all, errors forwards, cancellation backwards, interrupts. */
#include "pkg/archive/pipeline.h"
#include "pkg/base/thread.h"

#include <signal.h>

#include "pkg/base/err.h"
#include "pkg/base/sig.h"
#include "tests/unit/tap.h"

#define BLOCK 64

struct job {
	struct pipeline *p;
	unsigned blocks;
	bool fail;
	unsigned made;
};

static void *produce(void *arg)
{
	struct job *j = arg;
	struct err *e = NULL;

	for (j->made = 0; j->made < j->blocks; j->made++) {
		unsigned char *b = pipeline_claim(j->p);

		if (!b)
			break;
		memset(b, (int)(j->made & 255), BLOCK);
		pipeline_publish(j->p, 1 + j->made % BLOCK);
	}
	if (j->fail) {
		err_make(&e, ERR_CORRUPT, "it broke");
		err_hint(&e, "mend it");
	}
	pipeline_finish(j->p, e);
	return NULL;
}

/* Bytes in the right order and number; -1 when they are not, else the count of blocks. */
static int consume(struct pipeline *p, int who, struct err **err)
{
	const unsigned char *b;
	const void *v;
	unsigned i = 0;
	ssize_t n;

	while ((n = pipeline_next(p, who, &v, err)) > 0) {
		b = v;
		if (n != (ssize_t)(1 + i % BLOCK) || b[0] != (i & 255) || b[n - 1] != (i & 255))
			return -1;
		i++;
	}
	return (int)i;
}

static struct pipeline *second;
static void *consume_second(void *arg)
{
	*(int *)arg = consume(second, 1, NULL);
	return NULL;
}

static void test_two_consumers(void)
{
	struct job j = { .p = pipeline_new(BLOCK, 3), .blocks = 5000 };
	pthread_t t, u;
	int other = 0;

	second = j.p;
	is_int(pipeline_add_consumer(j.p), 1, "the second consumer has number 1");
	ok(thread_start(&t, produce, &j, NULL) == 0, "thread");
	ok(thread_start(&u, consume_second, &other, NULL) == 0, "thread");
	is_int(consume(j.p, 0, NULL), 5000, "the first consumer sees every block");
	pthread_join(t, NULL);
	pthread_join(u, NULL);
	is_int(other, 5000, "and so does the second");
	pipeline_free(j.p);
}

static void test_error(void)
{
	struct job j = { .p = pipeline_new(BLOCK, 4), .blocks = 10, .fail = true };
	auto_err *err = NULL;
	const void *v;
	pthread_t t;

	thread_start(&t, produce, &j, NULL);
	is_int(consume(j.p, 0, &err), 10, "blocks before an error arrive");
	ok(err_is(err, ERR_CORRUPT), "then the error does");
	is_str(err_text(err), "it broke", "with its text");
	is_str(err_hint_text(err), "mend it", "and hint");
	err_clear(&err);
	ok(pipeline_next(j.p, 0, &v, &err) < 0, "and again");
	pthread_join(t, NULL);
	pipeline_free(j.p);
}

static void test_cancel(void)
{
	struct job j = { .p = pipeline_new(BLOCK, 4), .blocks = 1000000 };
	const void *v;
	pthread_t t;

	thread_start(&t, produce, &j, NULL);
	ok(pipeline_next(j.p, 0, &v, NULL) > 0, "one block");
	pipeline_cancel(j.p);
	pthread_join(t, NULL);
	ok(j.made <= 6, "the producer stops: %u blocks", j.made);
	ok(pipeline_cancelled(j.p), "cancelled");
	pipeline_free(j.p);
}

static void test_interrupt(void)
{
	struct pipeline *p = pipeline_new(BLOCK, 4);
	auto_err *err = NULL;
	const void *v;

	sig_catch_interrupts();
	raise(SIGTERM);
	ok(pipeline_next(p, 0, &v, &err) < 0, "a consumer does not wait when interrupted");
	is_str(err_text(err), "interrupted", "and says why");
	ok(!pipeline_claim(p), "nor does a producer");
	pipeline_free(p);
}

int main(void)
{
	test_two_consumers();
	test_error();
	test_cancel();
	test_interrupt();
	return tap_done();
}
