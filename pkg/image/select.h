/* SPDX-License-Identifier: Apache-2.0 */
/* From an index to the one manifest of a platform, through nested indexes, wherever the documents come from. */
#ifndef UDOCKER_IMAGE_SELECT_H
#define UDOCKER_IMAGE_SELECT_H

#include "pkg/base/base.h"

struct descriptor;
struct err;
struct index;
struct json;
struct platform;

#define SELECT_DEPTH_MAX 4 /* indexes below indexes; more is no image but an attack */

struct select_source {
	/* The parsed document of a descriptor, which the caller frees. */
	int (*fetch)(void *arg, const struct descriptor *d, struct json **ret, struct err **err);
	void *arg;
};

/*
 * The descriptor of the manifest for `want` (NULL: the machine's platform) into an empty ret, which the caller frees. ERR_UNSUPPORTED when no entry
 * serves, ERR_CORRUPT for indexes nested too deeply.
 */
int select_manifest(const struct select_source *from, const struct index *x, const struct platform *want,
	struct descriptor *ret, struct err **err);

/*
 * Every image's manifest in an index, through nested ones, into *ret (an array of *ret_n, which the caller frees one by one); companions are left
 * out, and what is there twice is there once. ERR_CORRUPT for indexes nested too deeply and for more than INDEX_MAX_ITEMS entries in all.
 */
int select_all(const struct select_source *from, const struct index *x, struct descriptor **ret,
	size_t *ret_n, struct err **err);

#endif
