/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of programs under direct engines. Only root has any to lose. */
#ifndef UDOCKER_RUNTIME_CAPS_H
#define UDOCKER_RUNTIME_CAPS_H

#include <stdint.h>

#include "pkg/base/base.h"

struct err;
struct json;

/* Sets of bits. */
struct caps {
	uint64_t bounding; /* what the program may have at most */
	uint64_t inheritable, ambient;
	bool given; /* the configuration says something, to root */
};

/*
 * The capabilities of the program. At most: process.capabilities.permitted, else bounding; all when
 * the configuration does not say, and for ordinary users, who have none to lose. Names that libcap does not know (cap_from_name(3)) are not in
 * it. ERR_UNSUPPORTED without libcap, which is opened when the first name comes by.
 */
int caps_read(const struct json *config, struct caps *ret, struct err **err);
/*
 * Take all others out of the bounding set: what root executes from then on has the rest. Then the inheritable set, and the ambient one, which
 * the kernel takes only of what is permitted and inheritable. Nothing happens to ordinary users, who have none. Async-signal-safe.
 */
void caps_enter(const struct caps *c);

/* Do we have it in effect? `capability` by number (linux/capability.h). */
bool caps_has(int capability);

#endif
