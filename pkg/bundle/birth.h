/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A container on its way into the store, whatever it is made of: the name is asked for first, the folder grows in staging, config.json is
 * computed, all is synced once and appears by one rename.
 */
#ifndef UDOCKER_BUNDLE_BIRTH_H
#define UDOCKER_BUNDLE_BIRTH_H

#include "pkg/base/base.h"
#include "pkg/base/id.h"
#include "pkg/store/store.h"

struct err;
struct json;

struct birth_options {
	const char *name; /* NULL: none */
	bool no_sync; /* leave it to the kernel when the files reach the disk */
	bool force; /* a bad or taken name is dropped: the container stays without one (1.3.x) */
};

struct birth {
	struct store *store; /* borrowed */
	const struct birth_options *o;
	const char *name; /* NULL when it goes without */
	char id[ID_UUID_LEN + 1];
	char *dir; /* where it will lie */
	struct store_stage stage; /* .fd is its folder until then */
};

/* Check the name and choose an id; nothing is made. ERR_EXISTS, ERR_USAGE. */
int birth_begin(struct birth *b, struct store *s, const struct birth_options *o, struct err **err);
/* Make the staging directory. */
int birth_stage(struct birth *b, struct err **err);
/*
 * Write config.json, and for a mode (NULL: none; as bundle_mode_check() gives it) root.path and execmode. ROOT must be there. `metadata` is
 * container.json, `image` "repo:tag".
 */
int birth_config(const struct birth *b, const struct json *metadata, const char *image, const char *mode,
	struct err **err);
/* Sync and publish under id and name. */
int birth_finish(struct birth *b, struct err **err);
/* A mode whose engine rewrites files in ROOT for the place where it lies: copied they lead back to the original. */
bool birth_is_converted(const char *mode);
/*
 * The files of a container that has been published are converted for its place. If that fails the container goes, and the error is the one that
 * made it fail.
 */
int birth_convert(const struct birth *b, const char *mode, struct err **err);
/* Removes what was not published. */
void birth_drop(struct birth *b);
#define BIRTH_INIT ((struct birth){ .stage = STORE_STAGE_INIT })
#define auto_birth CLEANUP(birth_drop) struct birth

/* A small file of the folder; not synced, since the whole folder is. */
int birth_write(int dirfd, const char *name, const char *p, size_t n, struct err **err);
/* The directory `root` below dirfd, 0755, open for reading. -1 with an error. */
int birth_root(int dirfd, const char *root, struct err **err);
/* 1.3.x warns in the same way: a container need not hold a root file system. */
void birth_warn_unusual(int root_fd, const char *what);
/* Sync the file system that dirfd lies on, unless no_sync, and notice an interrupt. */
int birth_sync(int dirfd, bool no_sync, struct err **err);
/* For what has failed: when it was interrupted, that is the error. Returns -1. */
int birth_give_up(struct err **err);

#endif
