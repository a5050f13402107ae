/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load: image archives into the store, recognised by their content: docker archives of every age, OCI archives, and those of docker >= 25, which
 * are both; OCI layout directories. Compressed in any way, from files or streams.
 */
#ifndef UDOCKER_IMAGE_LOAD_H
#define UDOCKER_IMAGE_LOAD_H

#include "pkg/base/base.h"

struct err;
struct platform;
struct store;
struct strv;

struct load_options {
	const char *what; /* names the source in messages: a file name, "standard input" */
	const char *
		name; /* NAME of the command line, or NULL: with a tag it names the one image, without one it replaces the repository */
	const struct platform *platform; /* NULL: the machine's */
	bool all; /* of an image for several platforms also those: as NAME:TAG-OS-ARCH[-VARIANT] (platforms.h) */
};

/*
 * fd is a file, a pipe, or a directory (an OCI layout, or an unpacked docker archive). Every image is stored, an existing
 * tag replaced; "repo:tag" of each is added to ret_names in the archive's order. Digests, sizes and diff ids are checked before
 * anything becomes visible; on failure nothing does. ERR_CORRUPT for a damaged archive or one that is none, ERR_USAGE for a wrong name, ERR_DENIED
 * for a protected tag.
 */
int load_images(
	struct store *s, int fd, const struct load_options *o, struct strv *ret_names, struct err **err);

#endif
