/* SPDX-License-Identifier: Apache-2.0 */
/* URLs of registries, taken apart by libcurl's own parser so that no other reading of one can exist. http and https alone. */
#ifndef UDOCKER_REGISTRY_URL_H
#define UDOCKER_REGISTRY_URL_H

#include "pkg/base/base.h"

struct err;

#define URL_MAX 16384 /* bytes; what object stores sign is long */

struct url {
	char *text; /* the whole, without user, password and fragment */
	char *origin; /* "https://host:443", in lower case: equal for what may share credentials */
	char *authority; /* "host:5000", the port only where it is not the scheme's: how people call a registry */
	char *shown; /* for messages: without the query, in which object stores put their signatures */
	bool tls;
};
#define URL_INIT ((struct url){ 0 })

/*
 * An absolute URL, or one relative to `base` (NULL: it must be absolute). ERR_CORRUPT for what is none, is too long or has another
 * scheme. A user and password in it are dropped.
 */
int url_parse(const char *text, const char *base, struct url *ret, struct err **err);
void url_free(struct url *u); /* leaves it empty */
#define auto_url CLEANUP(url_free) struct url

#endif
