/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every room uses: attributes, scope-exit cleanup and ownership hand-over.
 * Nothing here knows of containers, and nothing here does input or output.
 */
#ifndef UDOCKER_BASE_H
#define UDOCKER_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "pkg/base/banned.h"

#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define RETURNS_NONNULL __attribute__((returns_nonnull))

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Run fn(&variable) when the variable's scope ends. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* free() a pointer at scope exit: `autofree char *s = NULL;` */
#define autofree CLEANUP(base_autofree)
/* close() a descriptor at scope exit unless it is negative; errno is kept. */
#define autoclose CLEANUP(base_autoclose)

/* Define NAME_cleanup(T **) for use with CLEANUP(), from a FREE function that takes T * or NULL. */
#define DEFINE_CLEANUP(name, type, free_fn) \
	static inline void name(type **p) \
	{ \
		free_fn(*p); \
	} \
	struct base_semicolon_eater

/* Hand a pointer over: the variable is NULL afterwards. */
#define steal_ptr(pp) \
	({ \
		__typeof__(*(pp)) steal_ptr_v = *(pp); \
		*(pp) = NULL; \
		steal_ptr_v; \
	})

void base_autoclose(int *fd);

static inline void base_autofree(void *p)
{
	free(*(void **)p);
}

/* Hand a descriptor over: the variable is -1 afterwards. */
static inline int steal_fd(int *fd)
{
	int v = *fd;

	*fd = -1;
	return v;
}

#endif
