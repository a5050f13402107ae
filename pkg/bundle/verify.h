/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify of a container: its files against the layers of its image, its metadata against the image's configuration. Every difference is
 * named, whether use has made it or damage; nothing is changed.
 */
#ifndef UDOCKER_BUNDLE_VERIFY_H
#define UDOCKER_BUNDLE_VERIFY_H

#include "pkg/base/base.h"

struct err;
struct store;

enum verify_kind { VERIFY_MISSING, VERIFY_CHANGED, VERIFY_EXTRA, VERIFY_KINDS };

/*
 * One difference. `path` is "/etc/passwd" for what lies in ROOT, a plain name for a file of the folder. `text` says what is different, or
 * what it is, or is NULL.
 */
typedef void verify_report_fn(enum verify_kind kind, const char *path, const char *text, void *arg);

struct verify_result {
	char *image; /* "repo:tag" that it was compared with */
	uint64_t n[VERIFY_KINDS];
};
void verify_result_free(struct verify_result *r);

/*
 * Type, content, permissions and link targets of everything in ROOT; of set-id bits, owners, times and extended attributes nothing, for
 * create may leave them out. Of a directory that is missing or extra itself alone is told. What runs leave behind by design (recorded
 * mount points, files that R modes moved aside) is no difference. Of containers that udocker 1.3.x made only the owner's permissions count,
 * since those depended on the umask.
 *
 * Returns 0 when all could be looked at, also with differences. ERR_NOT_FOUND: no such container, or it was removed meanwhile (what is missing
 * since then is not told), or its image is not in the store, or the name has gone to another image since; ERR_CORRUPT: the image itself
 * is damaged.
 */
int bundle_verify(struct store *s, const char *container, bool progress, verify_report_fn *report, void *arg,
	struct verify_result *ret, struct err **err);

#endif
