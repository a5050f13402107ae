/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs into a registry, several at a time, wherever their bytes come from. */
#ifndef UDOCKER_IMAGE_SEND_BLOBS_H
#define UDOCKER_IMAGE_SEND_BLOBS_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"
#include "pkg/registry/http.h"

struct err;
struct registry;
struct store;
struct strv;

#define SEND_JOBS 4
#define SEND_JOBS_MAX 32

struct send_blob {
	struct digest digest;
	uint64_t size;
	bool config; /* for its title */
	int (*begin)(void *arg, struct err **err); /* before its bytes are asked for */
	http_source_fn *source; /* by offset */
	void (*end)(void *arg); /* there will be no more questions */
	void *arg;
};

struct send_options {
	int jobs; /* 0: SEND_JOBS */
	struct store *store; /* whose images say in which other repositories a blob may be; or NULL */
	const struct strv *from; /* further repositories of the same registry that may have them; or NULL */
};

/* All of them are there when it succeeds; a digest twice is sent once. */
int send_blobs(struct registry *r, const struct send_blob *v, size_t n, const struct send_options *o,
	struct err **err);

#endif
