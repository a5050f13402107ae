/* SPDX-License-Identifier: Apache-2.0 */
/* One exec, shared by its parts. */
#ifndef UDOCKER_RUNTIME_EXEC_PRIV_H
#define UDOCKER_RUNTIME_EXEC_PRIV_H

#include "pkg/runtime/exec.h"
#include "pkg/runtime/fds.h"
#include "pkg/runtime/root.h"
#include "pkg/runtime/state.h"

struct execution {
	const struct runtime_globals *globals;
	const struct runtime_exec_options *options;
	struct runtime_root root;
	struct instance c;
	struct runtime_fds fds;
	struct prepared p; /* direct engines */
};
#define EXECUTION_INIT \
	((struct execution){ .root = RUNTIME_ROOT_INIT, .c = INSTANCE_INIT, .p = PREPARED_INIT })
void execution_free(struct execution *x); /* leaves it empty */

/* A container of a delegate: as runtime_exec(). */
int exec_delegate(struct execution *x, int *ret_status, struct err **err);

#endif
