/* SPDX-License-Identifier: Apache-2.0 */
/* What one `copy` consists of: documents, parts before what names them, and the blobs they name. Private to copy*.c. */
#ifndef UDOCKER_IMAGE_COPY_SET_H
#define UDOCKER_IMAGE_COPY_SET_H

#include "oci-spec/descriptor.h"
#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct err;
struct platform;
struct registry;

#define COPY_TEXTS_MAX ((size_t)64 << 20) /* of all documents */

/* Where it comes from. */
struct copy_source {
	const char *what; /* names it in messages */
	struct registry *registry; /* blobs are streamed from it; NULL: they are opened */
	/* A document of a digest, and its Content-Type where one is known (both the caller's). Digests are checked by the caller. */
	int (*document)(
		void *arg, const struct descriptor *d, char **text, size_t *n, char **type, struct err **err);
	/* A descriptor of a blob's file, at its beginning. */
	int (*open)(void *arg, const struct descriptor *d, struct err **err);
	void *arg;
};

struct copy_document {
	char *text;
	size_t n;
	char *media_type;
	struct digest digest;
	struct digest original; /* before a conversion */
};

struct copy_blob {
	const struct copy_source *from;
	struct descriptor d;
	bool config;
};

struct copy_set {
	const struct copy_source *from;
	struct copy_document *docs; /* the last is the top */
	size_t n_docs, cap_docs;
	struct copy_blob **blobs; /* each once */
	size_t n_blobs, cap_blobs;
	void *by_digest; /* tree of blobs */
	size_t looked, bytes;
};
void copy_set_free(struct copy_set *set);
#define auto_copy_set CLEANUP(copy_set_free) struct copy_set

/*
 * The image of `top`: of an index with `all` everything in it, else the manifest for `want` (NULL: the machine's). ERR_UNSUPPORTED for schema 1 and
 * what is unknown, ERR_CORRUPT for wrong digests and beyond the limits.
 */
int copy_set_fill(struct copy_set *set, const struct copy_source *from, const struct descriptor *top,
	bool all, const struct platform *want, struct err **err);

/* Manifests and indexes of the other family become this one's (docker: schema 2); those of this one keep their bytes. */
int copy_set_convert(struct copy_set *set, bool docker, struct err **err);

const struct copy_document *copy_set_top(const struct copy_set *set);

#endif
