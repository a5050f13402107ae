/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a container as /proc shows them: who descends from whom, and signals to all of them. */
#ifndef UDOCKER_RUNTIME_TREE_H
#define UDOCKER_RUNTIME_TREE_H

#include <sys/types.h>

#include "pkg/base/base.h"

struct runtime_proc;

struct tree_proc {
	pid_t pid, parent, group, session;
	uint64_t start;
	bool zombie;
	bool stopped;
	bool chosen;
};
struct tree {
	struct tree_proc *v;
	size_t n, cap;
};

/* A snapshot of all processes; empty without /proc. */
void tree_read(struct tree *t);
void tree_free(struct tree *t);
#define auto_tree CLEANUP(tree_free) struct tree

/*
 * The processes of one container alone, chosen: those that bear the mark (mark.h) and belong to `owner` ((uid_t)-1: anybody), and what
 * descends from them and from `top` (0: nobody). Of all others nothing is read but their limit, by one call
 * each; without a mark it is tree_read() and what descends from `top`.
 */
void tree_find(struct tree *t, pid_t top, uint64_t mark, uid_t owner);
/* One process as it is now; false when there is none. */
bool tree_look(pid_t pid, struct tree_proc *ret);

/* Choose what descends from `top`, not itself. */
void tree_choose_below(struct tree *t, pid_t top);
/* Choose one process by its pid and start time, also one that was not read. */
void tree_choose_one(struct tree *t, const struct runtime_proc *p);
/* Choose what bears a mark (mark.h) and belongs to `owner` ((uid_t)-1: anybody). */
void tree_choose_marked(struct tree *t, uint64_t mark, uid_t owner);
/* Choose one no longer. */
void tree_spare(struct tree *t, pid_t pid);
/* Signal the chosen ones but `except` (a tracer, 0: none). How many there were, zombies not counted. */
size_t tree_signal(const struct tree *t, int sig, pid_t except);

#endif
