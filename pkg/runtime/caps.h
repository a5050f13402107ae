/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of programs under direct engines. Only root has any to lose. */
#ifndef UDOCKER_RUNTIME_CAPS_H
#define UDOCKER_RUNTIME_CAPS_H

#include <stdint.h>

#include "pkg/base/base.h"

struct err;
struct json;

/*
 * The capabilities that the program may have at most, as a set of bits: process.capabilities.permitted, else bounding; all when
 * the configuration does not say, and for ordinary users, who have none to lose. Names that libcap does not know (cap_from_name(3)) are not in
 * it. ERR_UNSUPPORTED without libcap, which is opened when the first name comes by.
 */
int caps_read(const struct json *config, uint64_t *ret, struct err **err);
/*
 * Take all others out of the bounding set: what root executes from then on has the rest. Nothing happens to ordinary users, who
 * have none. Async-signal-safe.
 */
void caps_limit(uint64_t allowed);

/* Do we have it in effect? `capability` by number (linux/capability.h). */
bool caps_has(int capability);

#endif
