/* SPDX-License-Identifier: Apache-2.0 */
/* passwd(5) and group(5) files as data: a container's, or the host's, never through NSS. */
#ifndef UDOCKER_PASSWD_H
#define UDOCKER_PASSWD_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct passwd_entry {
	char *name;
	uid_t uid;
	gid_t gid;
	char *gecos;
	char *home;
	char *shell;
};

struct group_entry {
	char *name;
	gid_t gid;
};

/* Look in the text of a passwd file, malformed lines left out. 1 found (caller frees with passwd_entry_free), 0 not. */
int passwd_find_name(const char *text, const char *name, struct passwd_entry *ret);
int passwd_find_uid(const char *text, uid_t uid, struct passwd_entry *ret);
int passwd_find_group(const char *text, const char *name, struct group_entry *ret);
int passwd_find_gid(const char *text, gid_t gid, struct group_entry *ret);
/* Groups that list `user` as a member, at most max; returns the count. */
size_t passwd_groups_of(const char *text, const char *user, gid_t *ret, size_t max);
void passwd_entry_free(struct passwd_entry *e);
void group_entry_free(struct group_entry *e);

#endif
