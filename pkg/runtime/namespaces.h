/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The namespaces of linux.namespaces under a direct engine: those with a path are joined, those without are made where the
 * caller may (ability_namespaces()). Either way they are descriptors first, so that the waiting process, the engine, hooks inside and
 * later programs all go into the same ones. Mount and process namespaces are not: the engine's answers say so.
 */
#ifndef UDOCKER_RUNTIME_NAMESPACES_H
#define UDOCKER_RUNTIME_NAMESPACES_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct json;

#define NAMESPACES_MAX 6

struct namespaces {
	struct {
		int fd; /* close-on-exec */
		int type; /* CLONE_NEWNET … */
	} v[NAMESPACES_MAX];
	size_t n; /* 0: nothing has to be done */
};
#define NAMESPACES_INIT ((struct namespaces){ .n = 0 })

/*
 * Of a new container. What the caller is in already is left out. ERR_NOT_FOUND, ERR_USAGE and the like for a path that leads to no namespace
 * of the type; what cannot be made is left out, or an error with `strict`.
 */
int namespaces_open(const struct json *config, bool strict, struct namespaces *ret, struct err **err);
/* Those of a program that runs. */
int namespaces_open_of(const struct json *config, pid_t program, struct namespaces *ret, struct err **err);
void namespaces_close(struct namespaces *ns); /* leaves it empty */

/* Their descriptors into a list of those to be kept open, which ends with -1 then. */
void namespaces_keep(const struct namespaces *ns, int *at);

/* Is one a user namespace? Who enters it has no privilege any more outside of it. */
bool namespaces_have_user(const struct namespaces *ns);

/* Go into all, in a process without other threads or borrowed memory. NULL, or what could not be entered (errno). */
const char *namespaces_enter(const struct namespaces *ns);

#endif
