/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a run: whose value wins (udocker-compat 6.5, FIX-42). */
#ifndef UDOCKER_BUNDLE_ENV_H
#define UDOCKER_BUNDLE_ENV_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

struct bundle_options;
struct bundle_source;
struct bundle_user;
struct err;

/*
 * One entry as typed or as a file has it: KEY=VALUE with blanks around both cut off, or KEY for the host's value ("" if unset). False for an empty
 * key, one with a blank and one that begins with a digit: such entries are left out. Caller frees both.
 */
bool bundle_env_parse(const char *text, char **ret_key, char **ret_value);

/*
 * Strongest first: what is forced (USER LOGNAME USERNAME, in the store also PS1 SHLVL container_*), --env, --env-file, with mpi the launcher's, the image's (may be NULL), HOME
 * and PATH, the host's (only what the configuration lists, or all with hostenv). `home` is HOME's default.
 */
int bundle_env_make(const struct bundle_source *src, const struct bundle_options *o, const struct strv *image,
	const struct bundle_user *user, const char *home, struct strv *ret, struct err **err);

#endif
