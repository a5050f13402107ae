/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptors that a container gets: 0, 1, 2 and those of the caller that are to be passed on, at the same numbers. All
 * the caller's descriptors become close-on-exec in us, so that no process of ours hands one on by accident; the
 * program's are sent to it one by one.
 */
#ifndef UDOCKER_RUNTIME_FDS_H
#define UDOCKER_RUNTIME_FDS_H

#include "pkg/base/base.h"

struct err;
struct strv;

struct runtime_fds {
	int *from; /* here; the first three are 0, 1, 2 unless replaced by a terminal */
	int *to; /* in the container, ascending */
	size_t n;
	int *inherited; /* everything from 3 up that the caller left open */
	size_t n_inherited;
	bool guard_devices; /* devices among 0, 1, 2 are passed so that their owner cannot be changed */
	bool userns; /* a delegate is started in a user namespace that maps the caller as root */
	unsigned listen; /* LISTEN_FDS: so many from 3 up are sockets of a service manager */
	int missing; /* the first that is to be preserved and is not open; 0: none */
	bool gaps; /* those are left out */
};
#define RUNTIME_FDS_INIT ((struct runtime_fds){ 0 })

struct runtime_fds_options {
	int preserve; /* 3 … N+2 in addition to LISTEN_FDS */
	bool preserve_all;
	int except; /* --config-fd, which is no descriptor of the container; or -1 */
};

/* Look what is open and choose, before anything is opened that could take the number of one that is missing. */
int runtime_fds_collect(const struct runtime_fds_options *o, struct runtime_fds *ret, struct err **err);
/* ERR_USAGE when one that is to be preserved is not open and `gaps` is not set. */
int runtime_fds_check(const struct runtime_fds *f, struct err **err);
/* A terminal takes the place of 0, 1 and 2. */
void runtime_fds_use_terminal(struct runtime_fds *f, int slave);
/* In a child that stays: 0, 1 and 2 become /dev/null where a terminal took their place, since a driver reads create's until their end. */
void runtime_fds_drop_replaced(const struct runtime_fds *f);
/* After the program has them: ours become /dev/null (2 unless keep_stderr), the inherited ones are closed. */
void runtime_fds_drop(const struct runtime_fds *f, bool keep_stderr);
/*
 * In a child that stays: close everything but 0, 1, 2, what the container gets, and `keep` (ended by -1). The closed ones are
 * forgotten, since their numbers will be used again.
 */
void runtime_fds_close_others(struct runtime_fds *f, const int *keep);
void runtime_fds_free(struct runtime_fds *f); /* leaves it empty; closes nothing */
#define auto_runtime_fds CLEANUP(runtime_fds_free) struct runtime_fds

#endif
