/* SPDX-License-Identifier: Apache-2.0 */
/* Calling runc and crun: what their verbs have in common. */
#ifndef UDOCKER_RUNTIME_DELEGATE_H
#define UDOCKER_RUNTIME_DELEGATE_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct err;
struct instance;
struct relay;
struct runtime_fds;
struct runtime_globals;
struct strv;

/* Our --debug, --log and --log-format for its command line; g may be NULL. */
void delegate_add_globals(struct strv *argv, const struct runtime_globals *g);
/* A path that is relative to our working directory. */
void delegate_add_absolute(struct strv *argv, const char *path);
void delegate_add_preserved(struct strv *argv, const struct runtime_fds *fds);

/* ERR_UNSUPPORTED when it is to hand on descriptors and cannot. */
int delegate_check_fds(const struct instance *c, const struct runtime_fds *fds, struct err **err);

/* Start it with those descriptors and, unless 0, a mark (mark.h). It ends with us. `no_path`: see engine_plan. */
int delegate_start(const struct runtime_fds *fds, uint64_t mark, const struct strv *argv, bool no_path,
	pid_t *ret, struct err **err);

/* A terminal of the program's own, between the delegate, which makes it, and us, who carry it. */
struct carried {
	char *path; /* of the socket (console_listen()), NULL: no terminal */
	int listen_fd;
	struct relay *relay;
};
#define CARRIED_INIT ((struct carried){ .listen_fd = -1 })
/* The program has been started: take its terminal from the socket. Does nothing without one. */
int carried_receive(struct carried *t, struct err **err);
void carried_free(struct carried *t); /* restores the caller's terminal; leaves it empty */

#endif
