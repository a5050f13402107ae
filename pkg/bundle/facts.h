/* SPDX-License-Identifier: Apache-2.0 */
/* What listings say of a container beyond what the store knows: its platform and its size on disk. */
#ifndef UDOCKER_BUNDLE_FACTS_H
#define UDOCKER_BUNDLE_FACTS_H

#include "pkg/base/base.h"

struct store;

/* "os/architecture[/variant]", "unknown/unknown" when the metadata cannot be read. Caller frees. */
char *bundle_platform(struct store *s, const char *id);

/* Disk space of the folder in bytes, other file systems left out, as du -x; -1 when it cannot be read. Looks at every file. */
int64_t bundle_disk_usage(struct store *s, const char *id);

#endif
