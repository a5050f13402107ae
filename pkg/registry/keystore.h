/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials that `login` stores, in udocker 1.3.x's file and format: {"https://HOST": {"auth": "<base64 of user:password>", "email": ""}}, mode 0600
 * (udocker-compat 2.8). The file is the setting `keystore`.
 */
#ifndef UDOCKER_KEYSTORE_H
#define UDOCKER_KEYSTORE_H

#include "pkg/base/base.h"

struct err;

/*
 * The "auth" text of a registry's URL or host, whatever scheme, trailing slash or case it was stored with. 1 found (caller wipes and
 * frees), 0 not. A file that belongs to somebody else is not used, one that others may read is used with a warning.
 */
int keystore_get(const char *registry, char **ret_auth, struct err **err);

/* Store one, replacing what the same registry had. ERR_DENIED for a file of others or one that others may read. */
int keystore_put(const char *registry, const char *auth, struct err **err);

/* ERR_NOT_FOUND when there is none. */
int keystore_remove(const char *registry, struct err **err);
/* All of them, and the file. */
int keystore_clear(struct err **err);

#endif
