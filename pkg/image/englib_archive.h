/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine archive (udocker-englib's layout, udocker-compat 8): a tar, compressed in any way, with udocker_dir/bin, lib and doc. Its files are
 * written flat into three staging directories; nothing else of it is, and nothing outside of them.
 */
#ifndef UDOCKER_IMAGE_ENGLIB_ARCHIVE_H
#define UDOCKER_IMAGE_ENGLIB_ARCHIVE_H

#include "pkg/base/base.h"
#include "pkg/base/sha256.h"
#include "pkg/base/strv.h"

struct err;

enum englib_part { ENGLIB_BIN, ENGLIB_LIB, ENGLIB_DOC, ENGLIB_PARTS };
extern const char *const englib_part_names[ENGLIB_PARTS]; /* "bin", "lib", "doc" */

#define ENGLIB_ARCHIVE_MAX ((uint64_t)512 << 20) /* bytes as it comes */
#define ENGLIB_FILES_MAX 1024
#define ENGLIB_SIZE_MAX ((uint64_t)1 << 30) /* bytes of all files together */
#define ENGLIB_VERSION "VERSION" /* in lib: one line */
#define ENGLIB_SUMS \
	"SHA256SUMS" /* in doc, where an archive has it: the digest of every other file, as sha256sum(1) writes it */

struct englib_archive {
	char *version; /* as lib/VERSION has it */
	char digest[SHA_HEX_MAX + 1]; /* SHA-256 of the archive as it came */
};
#define ENGLIB_ARCHIVE_INIT ((struct englib_archive){ 0 })
void englib_archive_free(struct englib_archive *a);
#define auto_englib_archive CLEANUP(englib_archive_free) struct englib_archive

/*
 * Unpack fd into empty directories; files are synced. ERR_CORRUPT for what is damaged, beyond the limits, not of this layout, or not what its own
 * SHA256SUMS says: names that lead elsewhere, devices, links to anything but a file beside them. `what` names the archive in messages.
 */
int englib_archive_stage(int fd, const char *what, const int stage[ENGLIB_PARTS], struct englib_archive *ret,
	struct err **err);

/* What is staged as lines "SHA256  PART/NAME", sorted; of a link the digest of its target. */
int englib_archive_list(const int stage[ENGLIB_PARTS], struct strv *ret, struct err **err);
/* The digest in such a line of a file or link in dirfd; ERR_NOT_FOUND. */
int englib_digest(int dirfd, const char *name, char ret[SHA_HEX_MAX + 1], struct err **err);

/* Versions are numbers as udocker 1.3.x compares them: "1.2.11" is 1002011, and what is no number counts 0. */
uint64_t englib_version_number(const char *version);

#endif
