/* SPDX-License-Identifier: Apache-2.0 */
/* Search trees over what the caller keeps, by tsearch(3): balanced, so that no choice of keys from outside makes them slow. */
#ifndef UDOCKER_SORTED_H
#define UDOCKER_SORTED_H

#include "pkg/base/base.h"

/* Negative, 0 or positive as memcmp; both arguments are items. */
typedef int sorted_compare_fn(const void *a, const void *b);

/* The item that compares equal, or NULL. `key` is an item of which only what is compared need be filled. */
void *sorted_find(void *const *root, const void *key, sorted_compare_fn *compare);
/* The place of the item that compares equal; that of `item`, added, when there was none. Another that compares equal may be put there. */
void **sorted_slot(void **root, void *item, sorted_compare_fn *compare);
/* The items stay the caller's. */
void sorted_free(void **root);

#endif
