/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What engines need of the machine, asked for `udocker-runtime engines`: each requirement is tried or read anew, nothing is
 * remembered, no program is run. Answers are for the calling process: its user, its namespaces, its limits.
 */
#ifndef UDOCKER_DOCTOR_H
#define UDOCKER_DOCTOR_H

#include "pkg/base/base.h"

struct doctor_fact {
	const char *name; /* "ptrace"; static */
	const char *
		needed_by; /* names of engines, a blank between two; "" where it is told for information alone; static */
	bool met;
	char *found; /* one line: what is there */
	char *remedy; /* what would change a no, or how to live with it; NULL when there is nothing to say */
};

/* Every requirement, in a fixed order. The caller frees with doctor_facts_free(). */
void doctor_facts(struct doctor_fact **ret, size_t *ret_n);
void doctor_facts_free(struct doctor_fact *f, size_t n);

/* The name of the program that traces us ("proot"), or NULL; caller frees. */
char *doctor_tracer(void);

/* Has the caller ids in /etc/subuid and /etc/subgid (how many, may be NULL), and newuidmap to use them? */
bool doctor_has_subids(uint64_t *ret_uids, uint64_t *ret_gids);

/*
 * Parts that depend on text alone. The id ranges of /etc/subuid or /etc/subgid (subuid(5)) that belong to a user, by name or number:
 * the number of ids.
 */
uint64_t doctor_subids(const char *text, const char *user, uid_t uid);
/* The container engine whose mark is in /proc/1/environ, /proc/self/cgroup or the like ("docker", "lxc" …), NULL if none; static. */
const char *doctor_container_of(const char *text);

#endif
