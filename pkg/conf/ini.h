/* SPDX-License-Identifier: Apache-2.0 */
/* The form of udocker.conf: lines, sections, comments, continuation. What keys mean is not known here. */
#ifndef UDOCKER_CONF_INI_H
#define UDOCKER_CONF_INI_H

#include "pkg/base/base.h"

/* One KEY = VALUE; key in lower case, both trimmed. */
typedef void conf_ini_fn(const char *name, int line, const char *key, const char *value, void *arg);

/*
 * Calls fn for each setting before the first section and in [DEFAULT]. Lines that are no setting and other sections are warnings
 * with `name` and line. A line indented deeper than its key continues the value.
 */
void conf_ini_read(const char *name, const char *text, conf_ini_fn *fn, void *arg);

#endif
