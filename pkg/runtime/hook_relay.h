/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks under a delegate that is given a rewritten bundle: it would tell them of that one, and run them in it. A hook is replaced by this
 * program, which puts the container's own bundle into the state on stdin, changes into it, and becomes the hook.
 */
#ifndef UDOCKER_RUNTIME_HOOK_RELAY_H
#define UDOCKER_RUNTIME_HOOK_RELAY_H

#include "pkg/base/base.h"

struct err;
struct json;

/* The hidden command of udocker-runtime: KIND BUNDLE PATH [ARG...], ARGs being the hook's, from argv[0] on. */
#define HOOK_RELAY_COMMAND "relay-hook"

/*
 * Replace the hooks of a configuration that are run on the host. startContainer's are not, nor createContainer's where another user
 * than ours runs them (`inner_user`); one that is not there stays, for the delegate to say so.
 */
void hook_relay_wrap(struct json *config, const char *bundle, bool inner_user);

/* Become the hook. Returns with an error only: ERR_NOT_FOUND, ERR_DENIED. */
int hook_relay_run(char *const *words, struct err **err);

#endif
