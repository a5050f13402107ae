/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of bytes on their way from one thread to others: a ring of bounded memory with one producer and one or more
 * consumers, each of which sees every byte. Errors travel forwards, cancellation backwards, and an interrupt (sig.h) ends
 * every wait. What the bytes mean is not known here.
 */
#ifndef UDOCKER_ARCHIVE_PIPELINE_H
#define UDOCKER_ARCHIVE_PIPELINE_H

#include <pthread.h>

#include "pkg/base/base.h"

struct err;
struct pipeline;

#define PIPELINE_BLOCK ((size_t)256 << 10)
#define PIPELINE_COUNT 8
#define PIPELINE_MAX_CONSUMERS 4

/* A ring of `count` blocks of `block` bytes (allocated as they are first needed) with one consumer, number 0. Never NULL. */
struct pipeline *pipeline_new(size_t block, size_t count);
/* After all threads that use it have ended. NULL is fine. */
void pipeline_free(struct pipeline *p);
DEFINE_CLEANUP(pipeline_cleanup, struct pipeline, pipeline_free);

/* Another consumer; returns its number. By the producer, before its first pipeline_publish(). */
int pipeline_add_consumer(struct pipeline *p);

/* ---- the producer ---- */
/* Wait for a free block and return it (the ring's `block` bytes); NULL when a consumer cancelled or we were interrupted: stop. */
void *pipeline_claim(struct pipeline *p);
/* Hand the claimed block with its first n bytes (0: nothing is handed over) to the consumers. */
void pipeline_publish(struct pipeline *p, size_t n);
/* No more blocks. `e` (taken; NULL: the end is a good one) is what each consumer gets behind the last block. */
void pipeline_finish(struct pipeline *p, struct err *e);

/* ---- a consumer ---- */
/*
 * The next bytes, valid until the same consumer's next call; 0 at the end; -1 with the producer's error, or with
 * ERR_SYSTEM "interrupted". The call gives the block before back to the producer.
 */
ssize_t pipeline_next(struct pipeline *p, int consumer, const void **ret, struct err **err);
/* No consumer wants more: pipeline_claim() returns NULL from now on and pipeline_next() fails. From any thread. */
void pipeline_cancel(struct pipeline *p);
bool pipeline_cancelled(struct pipeline *p);

#endif
