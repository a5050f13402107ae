/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What registries say beside manifests (distribution-spec 1.1, RFC 9110 and 8288): authentication challenges, error bodies, the link to a next
 * page. All of it comes from the network and is read with limits; text for people is cut and has no control characters.
 */
#ifndef UDOCKER_DISTRIBUTION_H
#define UDOCKER_DISTRIBUTION_H

#include "pkg/base/base.h"
#include "pkg/base/strv.h"

#define CHALLENGES_MAX 16
#define CHALLENGE_PARAMS_MAX 32
#define DISTRIBUTION_TEXT_MAX 300 /* bytes of an error's text */

/* One challenge of WWW-Authenticate: Bearer realm="…",service="…",scope="…". */
struct challenge {
	char *scheme; /* lower case */
	struct strv params; /* KEY=VALUE, the key in lower case, the value without quotes */
};
struct challenges {
	struct challenge v[CHALLENGES_MAX];
	size_t n;
};
/*
 * Append the challenges of one header line: several in one line, commas in quoted values, blanks anywhere. What is malformed ends
 * the reading; what came before it stays. The caller frees.
 */
void challenges_parse(const char *header, struct challenges *ret);
void challenges_free(struct challenges *c);
#define auto_challenges CLEANUP(challenges_free) struct challenges
/* The first of a scheme (lower case), or NULL. */
const struct challenge *challenges_find(const struct challenges *c, const char *scheme);
/* A parameter (lower case) inside c, or NULL. */
const char *challenge_param(const struct challenge *c, const char *key);

/*
 * The reason in an error body, {"errors":[{"code":…,"message":…,"detail":…}]}, or in a token server's {"error":…,"error_description":…}, {"details":…}: "code: message",
 * several joined by "; ". NULL when there is none. Caller frees.
 */
char *distribution_error_text(const char *body, size_t n);
/* True if one of the errors has this code (upper case as in the specification). */
bool distribution_error_has(const char *body, size_t n, const char *code);

#define DISTRIBUTION_TOKEN_MAX ((size_t)64 << 10) /* bytes of a token */
/*
 * The token in a token server's reply ("token", else "access_token"), fit for a header: printable, without blanks. *ret_life_s stays as it is where the reply does
 * not say how long it is good. NULL when there is none. The caller wipes and frees.
 */
char *distribution_token(const char *body, size_t n, int64_t *ret_life_s);

/* The target of rel="next" in a Link header, or NULL. Caller frees. It is as relative as the server made it. */
char *distribution_next_link(const char *header);

/* "repository:library/x:pull" for a token request; actions "pull" or "pull,push". Caller frees. */
char *distribution_scope(const char *repository, const char *actions);

/* A repository path as the specification allows it, for what a catalogue or a search says. */
bool distribution_repository_is_valid(const char *name);

#endif
