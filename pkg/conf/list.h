/* SPDX-License-Identifier: Apache-2.0 */
/* Lists in settings: words separated by blanks, or the notation ["a", 'b'] and ("a", "b") of Python, which udocker 1.3.x shows. */
#ifndef UDOCKER_CONF_LIST_H
#define UDOCKER_CONF_LIST_H

#include "pkg/base/base.h"

struct strv;

/* Into an empty ret. A list in a list becomes one word, its items joined by blanks. -1 when brackets or quotes do not match. */
int conf_list_parse(const char *text, struct strv *ret);

#endif
