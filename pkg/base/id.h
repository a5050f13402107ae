/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: container uuids, random names, the alphabets of container names and runtime ids. */
#ifndef UDOCKER_ID_H
#define UDOCKER_ID_H

#include "pkg/base/base.h"

#define ID_UUID_LEN 36

void id_uuid(char ret[ID_UUID_LEN + 1]); /* random (version 4) from getrandom or /dev/urandom */
void id_random_hex(char *ret, size_t n); /* n characters of [0-9a-f] and a NUL */

/* Five dash-separated groups of [a-z0-9]+, as udocker 1.3.x takes for a container id. */
bool id_is_container(const char *s);
/* A container name as 1.3.x takes it (no / . space [ ]), and in addition not empty, at most 255 bytes, no control characters, no leading '-', not shaped like an id. */
bool id_is_container_name(const char *s);
/* runc's alphabet for container ids: [A-Za-z0-9_+.-]+, not "." or "..", at most 1024. */
bool id_is_runtime_id(const char *s);

#endif
