/* SPDX-License-Identifier: Apache-2.0 */
/* import: the tar of a root file system, compressed in any way or not, becomes an image of one layer. */
#ifndef UDOCKER_IMAGE_IMPORT_H
#define UDOCKER_IMAGE_IMPORT_H

#include "pkg/base/base.h"

struct err;
struct platform;
struct store;

struct import_options {
	const char *what; /* names the source in messages */
	const char *ref; /* the image's name; ERR_EXISTS when there is one, as in 1.3.x */
	const struct platform *platform; /* NULL: the machine's */
	/*
	 * The path of fd, whose caller removes it afterwards (--mv), or NULL: where it can be, the file itself becomes the layer, by a second
	 * name that it has until then. A failure leaves it as it was.
	 */
	const char *path;
};

/*
 * fd is a file or a pipe. The layer is stored as it comes (what is in xz or bzip2, for which layers have no media type, unpacked); created
 * in UTC, diff id of the plain tar (FIX-58). ERR_CORRUPT for what is no tar archive, or an empty one. *ret_name: "repo:tag", caller frees.
 */
int import_image(struct store *s, int fd, const struct import_options *o, char **ret_name, struct err **err);

#endif
