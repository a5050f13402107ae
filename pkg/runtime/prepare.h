/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a bundle and a command line to what can be started: everything that create, run, exec and --dry-run have in common before a
 * process or a directory exists. All refusals happen here.
 */
#ifndef UDOCKER_RUNTIME_PREPARE_H
#define UDOCKER_RUNTIME_PREPARE_H

#include "engines/engine.h"
#include "oci-spec/runtime_config.h"
#include "pkg/runtime/bundle.h"
#include "pkg/runtime/caps.h"
#include "pkg/runtime/namespaces.h"
#include "pkg/runtime/process.h"
#include "pkg/runtime/seccomp.h"

struct err;
struct instance;
struct launch;
struct runtime_fds;

/* What the global options say; strings are borrowed. */
struct runtime_globals {
	const char *root; /* --root, or NULL */
	struct engine_request engine;
	bool strict;
	bool no_fake_root;
	const char *log_file, *log_format; /* handed on to delegates */
	bool debug;
};

struct runtime_create_options {
	const char *id;
	struct runtime_bundle_source bundle;
	const char *console_socket, *pid_file; /* or NULL */
	int preserve_fds;
	bool preserve_all;
	bool no_pivot, no_new_keyring;
	bool detach; /* run -d */
	bool keep; /* run: leave the stopped container behind */
	bool ends_with_us; /* run in the foreground: the program is killed when we are, under a delegate, too */
};

struct prepared {
	struct runtime_bundle bundle;
	struct engine_choice choice;
	struct engine_plan plan;
	bool has_plan;
	bool has_process;
	struct runtime_process process;
	char *program; /* where the process's program is, inside; NULL if nobody has looked */
	char *guest_init; /* path of the first program, direct engines */
	struct strv ignored; /* "property: note" */
	struct process_setup setup; /* of a direct engine */
	struct caps caps; /* of a direct engine's program */
	struct seccomp_program seccomp; /* of a direct engine's program, from prepare_check() on */
	struct namespaces namespaces; /* the same, from prepare_namespaces() on */
};
#define PREPARED_INIT ((struct prepared){ .bundle = { .fd = -1, .rootfs_fd = -1 } })
void prepared_free(struct prepared *p); /* leaves it empty */
#define auto_prepared CLEANUP(prepared_free) struct prepared

/* Load and choose: ERR_NOT_FOUND, ERR_CORRUPT, ERR_ENGINE. `foreground`: of run without --detach. */
int prepare_load(const struct runtime_globals *g, const struct runtime_create_options *o, bool foreground,
	struct prepared *ret, struct err **err);

/*
 * Whatever else must be right before the program may run: ERR_UNSUPPORTED (the engine refuses what is asked for, or ignores it under --strict),
 * ERR_NOT_FOUND and ERR_DENIED for the program itself, of a delegate's as far as we can look inside.
 */
int prepare_check(const struct runtime_globals *g, struct prepared *p, struct err **err);

/* Is the program of this process inside, as far as we can look? Nothing to say is success. Errors as prepare_check(). */
int prepare_find(const struct runtime_bundle *b, const struct runtime_process *process, char **ret_path,
	struct err **err);

/* Generated files into state_dirfd (-1: none are written), then the engine's plan for a container whose directory will be state_path. */
int prepare_plan(const struct runtime_globals *g, struct prepared *p, int state_dirfd, const char *state_path,
	bool foreground, struct err **err);

/* Right before anything is started: they are opened, or made. */
int prepare_namespaces(const struct runtime_globals *g, struct prepared *p, struct err **err);

/*
 * A further program in a container that is there, in two steps. Its bundle as it is recorded, with the configuration of create; then, when
 * the caller has put the process to be run into that, to the engine's plan, which shows what the container's own does. Errors as prepare_check().
 */
int prepare_recorded(const struct instance *c, struct prepared *ret, struct err **err);
int prepare_exec(const struct runtime_globals *g, const struct instance *c, bool foreground,
	struct prepared *p, struct err **err);

/* What launch.h starts: everything that the configuration says. The rest (terminal, session) is the caller's. */
struct launch prepared_launch(struct prepared *p, const struct runtime_fds *fds, const struct instance *c);

#endif
