/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a challenge to an Authorization header: Basic, and Bearer tokens of the registry's token server, kept for each scope as long as they are
 * good (distribution-spec, token authentication). Nothing is sent before the registry asks for it.
 */
#ifndef UDOCKER_AUTH_H
#define UDOCKER_AUTH_H

#include "pkg/base/base.h"

struct credentials;
struct err;
struct http;
struct http_reply;

struct auth; /* what one run knows of registries and their tokens */
/* h must outlive it. */
struct auth *auth_new(struct http *h);
void auth_free(struct auth *a); /* wipes */

struct auth_target {
	const char *registry; /* URL of the registry, under which credentials are stored */
	const char *origin; /* of the URL that is asked (url.h) */
	const char *authority;
	const char *repository; /* or NULL */
	const char *
		scope; /* "repository:NAME:pull", several with blanks between, or NULL: for the registry alone */
	bool is_hub;
};
/* Use these for every registry and look for no others: `login` tests them. They stay the caller's. */
void auth_use(struct auth *a, const struct credentials *c);

/*
 * The header's value for the next request: of a scheme the registry has asked for before, with a token fetched anew if the old one has run out. NULL: none
 * is wanted yet. Caller wipes and frees.
 */
int auth_header(struct auth *a, const struct auth_target *t, char **ret, struct err **err);

/*
 * A 401 came: read its challenge and get what it wants. `sent` (may be NULL) is what the request had, so that a token which was just refused is not sent
 * again. 1: *ret for the next try; 0: there is nothing more to try. ERR_AUTH when the token server refuses the credentials.
 */
int auth_answer(struct auth *a, const struct auth_target *t, const struct http_reply *reply, const char *sent,
	char **ret, struct err **err);

/* The error for a 401 or 403 that stays: what the registry says, and what to do. */
int auth_refused(const struct auth_target *t, const struct http_reply *reply, struct err **err);

#endif
