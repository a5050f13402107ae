/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs in the container: docker's USER grammar, resolved in the ROOT's passwd and group files (never through links out of it), and what those
 * files must look like for the program (udocker-compat 6.4, FIX-38 to FIX-41, FIX-65).
 */
#ifndef UDOCKER_BUNDLE_USER_H
#define UDOCKER_BUNDLE_USER_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct bundle_volumes;
struct err;

/* USER: name|uid[:group|gid]. */
struct bundle_user_spec {
	char *user; /* name, or NULL when uid is meant */
	bool has_uid;
	uid_t uid;
	char *group; /* name, or NULL */
	bool has_gid;
	gid_t gid;
};
/* ERR_USAGE for empty parts, blanks, control and non-ASCII characters, '/' in names, a leading '-', numbers out of range. */
int bundle_user_parse(const char *text, struct bundle_user_spec *ret, struct err **err);
void bundle_user_spec_free(struct bundle_user_spec *s);

/* Where to look. Borrowed. */
struct bundle_user_query {
	const char *user; /* USER; NULL: root, or the caller with `as_caller` */
	int rootfd; /* the container's root directory */
	int dirfd; /* the container folder, for what R modes of 1.3.x put aside; -1: none */
	const struct bundle_volumes
		*volumes; /* one at /etc/passwd or above it is looked into, and nothing is made up for it */
	bool hostauth; /* the host's users instead of the container's */
	bool containerauth; /* the container's as they are */
	const struct strv *groups; /* further groups, names or numbers; NULL: none */
	bool as_caller; /* F modes: the program runs with the caller's ids */
	bool own_groups; /* T modes: it is shown no groups of the caller's */
};
#define BUNDLE_USER_QUERY_INIT ((struct bundle_user_query){ .rootfd = -1, .dirfd = -1 })

struct bundle_user {
	char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* those of the query */
	size_t n_groups;
	char *home; /* absolute */
	char *shell;
	bool host_passwd; /* /etc/passwd is to be the host's own file */
	bool host_group;
	char *passwd; /* content for /etc/passwd where it differs from the container's or host's file, else NULL */
	char *group; /* the same for /etc/group */
};
#define BUNDLE_USER_INIT ((struct bundle_user){ 0 })
void bundle_user_free(struct bundle_user *u); /* leaves it empty */
#define auto_bundle_user CLEANUP(bundle_user_free) struct bundle_user

/*
 * Resolve. A user nobody knows is made up, unless hostauth or containerauth ask for a known one: ERR_NOT_FOUND. So is an unknown group's name.
 * ERR_USAGE for a text that is no USER.
 */
int bundle_user_resolve(const struct bundle_user_query *q, struct bundle_user *ret, struct err **err);

#endif
