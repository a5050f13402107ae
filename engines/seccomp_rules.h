/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of ours among the rules of linux.seccomp, which a runtime compiles: what the bundle forbids stays forbidden. */
#ifndef UDOCKER_SECCOMP_RULES_H
#define UDOCKER_SECCOMP_RULES_H

#include "pkg/base/base.h"

struct json;
struct strv;

/* linux.seccomp of `config`; made, as one that allows everything, where there is none. */
struct json *seccomp_rules_profile(struct json *config);

bool seccomp_rules_allows(const struct json *action);
/* Where the call is among the names of a rule; -1: nowhere. */
int seccomp_rules_find(const struct json *rule, const char *call);
/* Does a rule of the bundle speak of this call otherwise than to allow it? */
bool seccomp_rules_restrict(const struct json *rules, const char *call);
/* Those that gave all their names away are no rules any more. */
void seccomp_rules_drop_empty(struct json *rules);

/* The calls get ENOSYS, as if the kernel were older, so that programs do without. For a program under PRoot, whose cancelled calls pass. */
void seccomp_rules_hide(struct json *config, const struct strv *calls);

#endif
