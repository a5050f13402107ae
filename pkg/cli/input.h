/* SPDX-License-Identifier: Apache-2.0 */
/* The archive that a command reads: a file, or the standard input. */
#ifndef UDOCKER_CLI_INPUT_H
#define UDOCKER_CLI_INPUT_H

#include "pkg/base/base.h"

struct err;

/* A file, a directory, or "-" (NULL too) for the standard input, which must not be a terminal. *ret_what names it in messages. */
int input_open(const char *file, const char **ret_what, struct err **err);

/* --mv, after all has succeeded: `file`, as it was opened as fd, is removed. Of a
 * link, the link. One that cannot be, or is another file by now, stays, with a warning. */
void input_remove(const char *file, int fd);

#endif
