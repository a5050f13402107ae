/* SPDX-License-Identifier: Apache-2.0 */
/* The writers of the archive formats, private to save*.c. */
#ifndef UDOCKER_IMAGE_SAVE_FORMAT_H
#define UDOCKER_IMAGE_SAVE_FORMAT_H

#include "pkg/base/base.h"

struct err;
struct save_options;
struct save_set;
struct writer;

/* A docker archive into w. dirfd: where temporary files may be, or -1; `what` names it. */
int save_docker(struct save_set *set, const struct save_options *o, struct writer *w, int dirfd,
	const char *what, struct err **err);
/* The same, an OCI archive. */
int save_oci_archive(struct save_set *set, const struct save_options *o, struct writer *w, int dirfd,
	const char *what, struct err **err);
/* Into the directory o->path, which is made if it is missing. */
int save_oci_layout(struct save_set *set, const struct save_options *o, struct err **err);

#endif
