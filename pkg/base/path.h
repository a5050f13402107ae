/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text: nothing here looks at a file system. Results belong to the caller. */
#ifndef UDOCKER_PATH_H
#define UDOCKER_PATH_H

#include "pkg/base/base.h"

/* a + "/" + b with exactly one slash between; an absolute b is put below a as well. An empty a gives a relative path. */
char *path_join(const char *a, const char *b);

/* Without empty, "." and ".." components ("/.." is "/"); "" becomes "."; keeps absolute or relative, and with it the ".." in front of a relative path. */
char *path_clean(const char *path);

/* The last component (inside path), "" for "/" or a trailing slash. */
const char *path_base(const char *path);
char *path_dir(const char *path); /* all before it: "." if there is no slash, "/" for "/x" */

/* True if `path` is `top` or lies below it, component-wise. Both must be clean. */
bool path_is_below(const char *path, const char *top);

/* True if every component is an ordinary name: relative, no empty, "." or ".." components. */
bool path_is_plain(const char *path);

#endif
