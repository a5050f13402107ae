/* SPDX-License-Identifier: Apache-2.0 */
/* The blobs of one image, several at a time, into the store. */
#ifndef UDOCKER_IMAGE_PULL_BLOBS_H
#define UDOCKER_IMAGE_PULL_BLOBS_H

#include "pkg/base/base.h"

struct err;
struct manifest;
struct registry;
struct store;

/* Config and layers that are not in the store yet. Those that another process is fetching are waited for. */
int pull_blobs(struct store *s, struct registry *r, const struct manifest *m, int jobs, struct err **err);

#endif
