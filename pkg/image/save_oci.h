/* SPDX-License-Identifier: Apache-2.0 */
/* The documents of an OCI layout, and the walk over its blobs, wherever they go. Private to save*.c. */
#ifndef UDOCKER_IMAGE_SAVE_OCI_H
#define UDOCKER_IMAGE_SAVE_OCI_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct err;
struct json;
struct save_layer;
struct save_options;
struct save_set;

/* Where blobs go: called once for each, layers first. */
struct save_oci_target {
	int (*layer)(void *arg, struct save_layer *l, struct err **err);
	int (*text)(void *arg, const struct digest *d, const void *p, size_t n, struct err **err);
	void *arg;
};

/* The layers that have to be packed anew are, in temporary files in dirfd (or -1; `what` names it). */
int save_oci_convert(
	struct save_set *set, const struct save_options *o, int dirfd, const char *what, struct err **err);
/* Every blob of every image; *ret_entries (an array, caller frees) gets their descriptors for index.json, with names. */
int save_oci_blobs(
	struct save_set *set, const struct save_oci_target *to, struct json **ret_entries, struct err **err);

#endif
