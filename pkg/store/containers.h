/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containers/: one folder per container, called by its id, and one relative link per name. Nothing else may lie there: 1.3.x lists
 * each directory as a container. What is inside a ROOT is not known here.
 */
#ifndef UDOCKER_CONTAINERS_H
#define UDOCKER_CONTAINERS_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct err;
struct json;
struct store;
struct store_stage;
struct str;

#define CONTAINER_PREFIX_MIN 4
#define CONTAINER_FILE_MAX ((size_t)8 << 20)

/* Names of the small files in a container's folder (udocker-compat 2.5). */
#define CONTAINER_FILE_IMAGE "imagerepo.name" /* "repo:tag", no newline */
#define CONTAINER_FILE_METADATA "container.json" /* the image's configuration */
#define CONTAINER_FILE_CONFIG "config.json" /* the OCI runtime configuration */
#define CONTAINER_FILE_MODE "execmode" /* "P1", no newline */
#define CONTAINER_FILE_PROTECT "PROTECT"
#define CONTAINER_ROOT "ROOT"

/*
 * What a user typed to an id: a name (its link's target), an id, or a prefix of at least CONTAINER_PREFIX_MIN characters of
 * exactly one id. ERR_NOT_FOUND "no such container: X"; ERR_USAGE for an ambiguous prefix, with the candidates in the hint. Caller frees.
 */
int container_resolve(struct store *s, const char *text, char **ret_id, struct err **err);
/* It is a name or an id as it stands, not the beginning of one. */
bool container_is_exact(struct store *s, const char *text);
/* Quiet form: true if it names a container without doubt. */
bool container_exists(struct store *s, const char *text);

struct container {
	char *id;
	char *dir; /* absolute path of the folder */
	char *root; /* dir + "/ROOT" */
	int fd; /* the folder */
};
/* Resolve and open. Caller frees. */
int container_open(struct store *s, const char *text, struct container **ret, struct err **err);
/*
 * After long reading: 0 if the container was there all the time; ERR_NOT_FOUND "no such container" when it was removed meanwhile, so that what
 * was read may be a part of it.
 */
int container_check_current(struct store *s, const struct container *c, struct err **err);
void container_free(struct container *c);
DEFINE_CLEANUP(container_cleanup, struct container, container_free);
#define auto_container CLEANUP(container_cleanup) struct container

/* ---- small files; all take the folder's descriptor, so that they serve staging directories as well ---- */

/* Text of a file into an empty ret. Returns 1, or 0 when there is no such file. A trailing newline is kept. */
int container_file_read(int dirfd, const char *name, struct str *ret, struct err **err);
/* Replace a file atomically and durably (0644). */
int container_file_write(int dirfd, const char *name, const void *p, size_t n, struct err **err);
/* Missing is success. */
int container_file_remove(int dirfd, const char *name, struct err **err);

/* "repo:tag" of the image it came from, "" if unknown; two characters of the mode, "" if no execmode file; caller frees both. */
char *container_image_name(int dirfd);
char *container_mode(int dirfd);
bool container_is_protected(int dirfd);
int container_protect(const struct container *c, bool on, struct err **err);
/* container.json parsed: an object; ERR_NOT_FOUND when the file is missing. Caller frees. */
int container_metadata(int dirfd, struct json **ret, struct err **err);

/* ---- names ---- */

/* All names of a container, sorted, appended to ret. */
int container_names(struct store *s, const char *id, struct strv *ret, struct err **err);
/* ERR_USAGE for a bad name, ERR_EXISTS when it is taken (never replaced). */
int container_name_add(struct store *s, const char *id, const char *name, struct err **err);
/* Fails as above when the name could not be given: to ask before long work. */
int container_name_check(struct store *s, const char *name, struct err **err);
/* ERR_NOT_FOUND when there is no such name, ERR_USAGE when it is a container's id. */
int container_name_remove(struct store *s, const char *name, struct err **err);
int container_name_rename(struct store *s, const char *from, const char *to, struct err **err);

/* ---- listing ---- */

struct container_info {
	char *id;
	struct strv names; /* sorted */
	char *image; /* "" if unknown */
	char *mode; /* "" if there is no execmode file */
	bool protected;
	char access; /* of ROOT: 'W' writable, 'R' read-only, 'N' missing, 'D' no directory */
};
struct container_list {
	struct container_info *v; /* sorted by id */
	size_t n, cap;
};
enum container_list_flags {
	CONTAINER_LIST_DETAILS = 1 /* image, mode, protected, access; without: id and names */
};
int container_list(struct store *s, unsigned flags, struct container_list *ret, struct err **err);
void container_list_free(struct container_list *l);
#define auto_container_list CLEANUP(container_list_free) struct container_list

/* ---- birth and death ---- */

/*
 * Rename a finished staging directory to containers/<id> (id as id_uuid() makes it, name NULL for none). When the name turns out to be
 * taken the staging directory is as it was before (ERR_EXISTS). The caller has made the content durable; the rename is, unless the stage
 * says no_sync.
 */
int container_publish(
	struct store *s, struct store_stage *stage, const char *id, const char *name, struct err **err);

/*
 * Names first, then the folder is renamed out of sight, then removed. ERR_DENIED when it is protected or another user's. When a part
 * of it cannot be removed, the container is gone from listings all the same and the next writer cleans up.
 */
int container_remove(struct store *s, const char *id, struct err **err);

#endif
