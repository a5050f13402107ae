/* SPDX-License-Identifier: Apache-2.0 */
/* JSON documents in a test's own text. */
#ifndef UDOCKER_QUOTED_H
#define UDOCKER_QUOTED_H

#include <string.h>

#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* A document written with ' for ". The caller frees. */
static inline struct json *parse(const char *text)
{
	autofree char *copy = xstrdup(text);
	struct json *j = NULL;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(copy, strlen(copy), "test", NULL, &j, NULL) < 0)
		exit(99);
	return j;
}

#endif
