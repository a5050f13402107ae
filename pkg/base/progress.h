/* SPDX-License-Identifier: Apache-2.0 */
/* Progress of long steps on stderr: bars on a terminal, one plain line at the end of a step elsewhere, nothing when quiet. */
#ifndef UDOCKER_PROGRESS_H
#define UDOCKER_PROGRESS_H

#include "pkg/base/base.h"

enum progress_mode { PROGRESS_AUTO, PROGRESS_TTY, PROGRESS_PLAIN, PROGRESS_NONE };

void progress_set_mode(enum progress_mode mode); /* AUTO: by stderr and log level */

struct progress; /* one line: a layer, a file */
/* total 0: unknown. The title is copied and escaped. Never NULL. Thread-safe, as all of these. */
struct progress *progress_begin(const char *title, uint64_t total);
/* `done` is absolute. Cheap: draws at most ten times a second. NULL is fine. */
void progress_update(struct progress *p, uint64_t done);
/* "done", "exists"; NULL when an error will tell the rest: the line just goes. Frees p; NULL is fine. */
void progress_end(struct progress *p, const char *outcome);

#endif
