/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI image layout (image-spec, image-layout.md): the oci-layout file, blob paths, and the names in index.json. */
#ifndef UDOCKER_IMAGE_LAYOUT_H
#define UDOCKER_IMAGE_LAYOUT_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct descriptor;
struct err;
struct json;
struct strv;

#define IMAGE_LAYOUT_FILE "oci-layout"
#define IMAGE_LAYOUT_INDEX "index.json"
#define IMAGE_LAYOUT_VERSION "1.0.0"
#define ANNOTATION_REF_NAME "org.opencontainers.image.ref.name"
#define ANNOTATION_CONTAINERD_NAME "io.containerd.image.name"

/* The document of oci-layout: a version 1.x. ERR_CORRUPT, ERR_UNSUPPORTED. */
int image_layout_check(const struct json *j, struct err **err);
struct json *image_layout_build(void);

/* "blobs/sha256/<hex>". Caller frees. */
char *image_layout_blob_path(const struct digest *d);
/* The way back: a path of that shape (a leading "./" is fine) to its digest. False if it is none. */
bool image_layout_is_blob(const char *path, struct digest *ret);

/*
 * What an entry of index.json is called: *ret_name is a full "name:tag" (containerd's annotation, or a ref.name that is a full reference) or
 * "name@digest", or NULL (also where the two contradict each other in the tag); *ret_tag is the tag alone (ref.name without name), or NULL. Docker Hub's long form is shortened as docker shows it
 * ("docker.io/library/x:1" -> "x:1"), but where both annotations are there and mean the same, ref.name is taken as it is: `save` writes both.
 * Unsafe names count as absent. Caller frees both.
 */
void image_layout_names(const struct descriptor *d, char **ret_name, char **ret_tag);

/* "x:1" -> "docker.io/library/x:1": for tools that know no short names. NULL if it is no reference. Caller frees. */
char *image_layout_long(const char *name);

/* "docker.io/library/x" -> "x", "docker.io/o/x" -> "o/x", "index.docker.io/…" alike; others unchanged. Caller frees. */
char *image_layout_familiar(const char *name);

#endif
