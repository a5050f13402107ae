/* SPDX-License-Identifier: Apache-2.0 */
/* Text in what runs among the programs of guests, without a C library. */
#ifndef UDOCKER_GUEST_TEXT_H
#define UDOCKER_GUEST_TEXT_H

#include <stddef.h>

/* Bytes before the NUL. */
static inline size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* The first n bytes are those of `with`, which has as many. */
static inline int begins(const char *s, const char *with, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != with[i])
			return 0;
	return 1;
}

#endif
