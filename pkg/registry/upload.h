/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes into a registry that was opened with `push`: blobs, which are only sent when it has none and another repository of it cannot lend
 * them, and manifests. Blobs are hashed on their way, so what is damaged at home never becomes one there.
 */
#ifndef UDOCKER_REGISTRY_UPLOAD_H
#define UDOCKER_REGISTRY_UPLOAD_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"
#include "pkg/registry/http.h"

struct err;
struct reference;
struct registry;
struct strv;

enum registry_uploaded { UPLOADED_EXISTS, UPLOADED_MOUNTED, UPLOADED_SENT };
typedef int registry_uploaded_fn(
	void *arg, enum registry_uploaded how, struct err **failure, struct err **err);

struct registry_upload {
	struct digest digest;
	uint64_t size;
	http_source_fn *source; /* its bytes by offset */
	/* Called once, when it is not there: *ret_from (stays the caller's, or NULL) are repositories of the same registry that may have it. */
	int (*absent)(void *arg, const struct strv **ret_from, struct err **err);
	/* Called once, before the first byte is asked for; or NULL. */
	int (*begin)(void *arg, struct err **err);
	registry_uploaded_fn *done;
	void *arg; /* of all four */
};

/*
 * Begin to bring one there; the caller runs registry_http() with http_run(). What broke off goes on where the registry says it stopped, or from
 * the start where it does not know. `done` gets an unset *failure when it is there. ERR_CORRUPT when the bytes are not those of the digest.
 */
int registry_upload(struct registry *r, const struct registry_upload *u, struct err **err);

struct registry_document {
	const char *what; /* the tag or digest to put it under */
	const char *media_type;
	const void *bytes;
	size_t n;
	const struct digest *digest; /* of the bytes */
};
/* It has exactly these bytes under that name. Whatever keeps it from saying so counts as no. */
bool registry_has_manifest(struct registry *r, const struct registry_document *d);
/* A manifest or index whose parts are there. ERR_AUTH, ERR_NETWORK, ERR_CORRUPT. */
int registry_put_manifest(struct registry *r, const struct registry_document *d, struct err **err);

/* The repository of a name in the same registry, if it is another than this one; else NULL. Caller frees. */
char *registry_neighbour(const struct registry *r, const struct reference *ref);

/* ---- for tests: the parsers of what an upload is told ---- */

/* Bytes that are there, by a Range of "0-N" (with or without "bytes="); -1 for anything else. */
int64_t upload_range(const char *value);

#endif
