/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions nobody may call. Each has a safer form in pkg/base. The module that wraps one defines
 * BANNED_ALLOW before its first include and says why.
 */
#ifndef UDOCKER_BANNED_H
#define UDOCKER_BANNED_H

/* The system headers first, so that their declarations are not hit by the poison below. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#ifndef BANNED_ALLOW
#undef sprintf /* a macro with clang and _FORTIFY_SOURCE, and a macro cannot be poisoned without a warning */
#undef vsprintf
#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok strtok_r
#pragma GCC poison atoi atol atoll strtol strtoul strtoll strtoull gets
#pragma GCC poison system popen realpath getenv mktemp tmpnam tempnam
#endif

#endif
