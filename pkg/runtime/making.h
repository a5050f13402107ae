/* SPDX-License-Identifier: Apache-2.0 */
/* A container that is being made: its directory, staged and published, and what it is made from. Shared by the verbs. */
#ifndef UDOCKER_RUNTIME_MAKING_H
#define UDOCKER_RUNTIME_MAKING_H

#include "pkg/runtime/fds.h"
#include "pkg/runtime/prepare.h"
#include "pkg/runtime/root.h"
#include "pkg/runtime/state.h"

struct making {
	const struct runtime_globals *globals;
	const struct runtime_create_options *options;
	bool foreground;
	bool early; /* nothing has to happen between the start of the program and its running */
	bool late; /* checks and files come while the engine starts: making_stage() is still to be called */
	bool retire; /* its directory has the files of retire() only, and goes by runtime_root_retire() */
	bool owes_nothing; /* known without a look: the delegate has nothing to take back, see delegate_is_owed() */
	uint64_t maker_mark; /* of a delegate, while it makes the container */
	struct runtime_root root;
	struct runtime_fds fds;
	struct prepared p;
	struct instance c;
	char *staged; /* name of the directory until it is published */
	bool published;
};
#define MAKING_INIT ((struct making){ .root = RUNTIME_ROOT_INIT, .p = PREPARED_INIT, .c = INSTANCE_INIT })

/* Descriptors, state root, checks, plan, staged directory, config.json and the record's text: all but processes. */
int making_begin(struct making *m, struct err **err);
/*
 * The checks and the files of the staged directory, where `late` says that making_begin() has left them out: nothing of the plan lies in them.
 * Does nothing otherwise.
 */
int making_stage(struct making *m, struct err **err);
/* Write the record with this process and give the directory its id. */
int making_publish(struct making *m, struct runtime_proc proc, struct err **err);
/* --pid-file, relative to the working directory, by rename. */
int making_write_pid_file(const struct making *m, pid_t pid, struct err **err);
int pid_file_write(const char *path, pid_t pid, struct err **err); /* path NULL or empty: nothing */
/* Take back what was staged or published. */
void making_undo(struct making *m);
void making_free(struct making *m);
#define auto_making CLEANUP(making_free) struct making

/* Open a container by its id. */
int instance_find(const struct runtime_globals *g, const char *id, struct runtime_root *root,
	struct instance *c, struct err **err);
/* Kill every process of a container of a direct engine and see them end. */
int instance_destroy(const struct instance *c, struct err **err);

/* A delegate's part: create, run in the foreground or detached. As in lifecycle.h; *ret_status as of runtime_run(). */
int delegate_create(struct making *m, bool run, struct err **err);
int delegate_run(struct making *m, int *ret_status, struct err **err);
/* One verb of the delegate for a container of ours; `words` ends with NULL and stands before the id, `more` behind. */
int delegate_verb(const struct instance *c, const char *const *words, const char *more, struct err **err);
/* The same with more words on both sides of the id; it gets our descriptors. */
int delegate_words(
	const struct instance *c, const struct strv *before, const struct strv *after, struct err **err);
/* Its `start`. */
int delegate_begin(const struct instance *c, struct err **err);
/* True if the delegate has a container of this id. */
bool delegate_knows(const struct instance *c);
/*
 * True if its own `delete` has something to take back that lies outside our directory: control groups, and the word to
 * poststop hooks. Where there is neither the start of another runc is saved, a third of a whole run, and its complaints about
 * control groups that an ordinary user has none of.
 */
bool delegate_is_owed(const struct instance *c);
bool delegate_has_cgroup(const struct instance *c);

#endif
