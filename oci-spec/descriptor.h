/* SPDX-License-Identifier: Apache-2.0 */
/* Content descriptors (image-spec, descriptor.md): media type, digest, size, and what may come with them. */
#ifndef UDOCKER_DESCRIPTOR_H
#define UDOCKER_DESCRIPTOR_H

#include "oci-spec/digest.h"
#include "oci-spec/platform.h"
#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;

#define DESCRIPTOR_SIZE_MAX ((int64_t)1 << 46) /* 64 TiB: what is larger is a lie */

struct descriptor {
	char *media_type; /* never NULL; "" where a Docker document leaves it out */
	struct digest digest;
	int64_t size; /* -1 when the document does not say (schema 1) */
	struct strv urls;
	struct json *annotations; /* an object of strings, or NULL; owned */
	bool has_platform;
	struct platform platform; /* normalised */
	char *artifact_type; /* or NULL */
};

/* `where` names the place in messages: "index.json: manifests[2]". The digest is required; so is the size unless `loose`. ERR_CORRUPT. */
int descriptor_from_json(
	const struct json *j, const char *where, bool loose, struct descriptor *ret, struct err **err);
struct json *descriptor_to_json(const struct descriptor *d);
void descriptor_copy(struct descriptor *ret, const struct descriptor *from);
void descriptor_free(struct descriptor *d); /* leaves it empty */
#define auto_descriptor CLEANUP(descriptor_free) struct descriptor

/* The annotation's value inside d, or NULL. */
const char *descriptor_annotation(const struct descriptor *d, const char *key);

#endif
