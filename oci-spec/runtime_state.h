/* SPDX-License-Identifier: Apache-2.0 */
/* The state document (runtime-spec, runtime.md, State): what `state` prints and hooks get on stdin, written and read. */
#ifndef UDOCKER_RUNTIME_STATE_H
#define UDOCKER_RUNTIME_STATE_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct json;

enum runtime_status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_STOPPED, STATUS_PAUSED };
const char *runtime_status_name(enum runtime_status s); /* "created" */
int runtime_status_parse(const char *text, enum runtime_status *ret); /* 0 or -1 */

struct runtime_state {
	char *oci_version;
	char *id;
	enum runtime_status status;
	pid_t pid; /* 0 when stopped */
	char *bundle; /* absolute */
	char *rootfs; /* runc's addition, or NULL */
	char *created; /* RFC 3339, or NULL (not in what hooks get) */
	char *owner; /* user name, or NULL */
	struct json *annotations; /* an object, or NULL; owned */
};
#define RUNTIME_STATE_INIT ((struct runtime_state){ 0 })

/* Members in runc's order: ociVersion id pid status bundle rootfs created annotations owner; absent ones left out. */
struct json *runtime_state_to_json(const struct runtime_state *s);
/* ociVersion, id, status and bundle are required; unknown members are ignored. ERR_CORRUPT. */
int runtime_state_from_json(
	const struct json *j, const char *where, struct runtime_state *ret, struct err **err);
void runtime_state_free(struct runtime_state *s); /* leaves it empty */
#define auto_runtime_state CLEANUP(runtime_state_free) struct runtime_state

#endif
