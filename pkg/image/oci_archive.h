/* SPDX-License-Identifier: Apache-2.0 */
/* An OCI layout as a tar stream. Private to pkg/image. */
#ifndef UDOCKER_IMAGE_OCI_ARCHIVE_H
#define UDOCKER_IMAGE_OCI_ARCHIVE_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct err;
struct json;
struct writer;

struct oci_archive {
	struct writer *w;
	bool has_dir[2]; /* by algorithm */
};

int oci_archive_begin(struct oci_archive *a, struct err **err);
/* A blob, whose bytes the caller gives to the writer next. */
int oci_archive_entry(struct oci_archive *a, const struct digest *d, uint64_t size, struct err **err);
/* One from memory. */
int oci_archive_put(struct oci_archive *a, const struct digest *d, const void *p, size_t n, struct err **err);
/* index.json with these entries (taken over). */
int oci_archive_end(struct oci_archive *a, struct json *entries, struct err **err);

#endif
