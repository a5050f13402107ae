/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who runs in the container: docker's USER grammar, resolved in the ROOT's passwd and group files (never through links out of it), and what those
 * files must look like for the program (udocker-compat 6.4, FIX-38 to FIX-41, FIX-65).
 */
#ifndef UDOCKER_BUNDLE_USER_H
#define UDOCKER_BUNDLE_USER_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct bundle_options;
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
/* ERR_USAGE for empty parts, blanks, control characters, ':' '/' in names, a leading '-', numbers out of range. */
int bundle_user_parse(const char *text, struct bundle_user_spec *ret, struct err **err);
void bundle_user_spec_free(struct bundle_user_spec *s);

struct bundle_user {
	char *name;
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* additional ones */
	size_t n_groups;
	char *home; /* absolute */
	char *shell;
	char *passwd; /* content for /etc/passwd where it differs from the container's file, else NULL */
	char *group; /* the same for /etc/group */
};
void bundle_user_free(struct bundle_user *u); /* leaves it empty */

/*
 * Resolve in the directory rootfd (FS_IN_ROOT), or in the file that a volume puts at /etc/passwd, or in the host's database with hostauth. A user nobody
 * knows is made up unless hostauth or containerauth ask for a known one: ERR_NOT_FOUND.
 */
int bundle_user_resolve(int rootfd, const char *user, const struct bundle_options *o,
	const struct bundle_volumes *v, struct bundle_user *ret, struct err **err);

#endif
