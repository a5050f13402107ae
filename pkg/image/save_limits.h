/* SPDX-License-Identifier: Apache-2.0 */
/* What `load` takes, `save` keeps to: no archive is written that could not be loaded again. Private to save*.c. */
#ifndef UDOCKER_IMAGE_SAVE_LIMITS_H
#define UDOCKER_IMAGE_SAVE_LIMITS_H

#include "pkg/base/base.h"

struct err;
struct save_set;

/* Before anything is written: images and names of the set. ERR_UNSUPPORTED, as from the others. */
int save_limit_docker(const struct save_set *set, struct err **err);
int save_limit_oci(const struct save_set *set, struct err **err);

/* Documents of an archive while they are written; zeroed to begin with. */
struct save_texts {
	size_t bytes;
};
/* One of n bytes, which load reads so many times. */
int save_limit_text(struct save_texts *t, size_t n, size_t times, struct err **err);

/* Entries of an index.json, those that were there before too, and its text. */
int save_limit_index(size_t entries, size_t n, struct err **err);
/* Files, directories and links of an archive. */
int save_limit_files(size_t n, struct err **err);

#endif
