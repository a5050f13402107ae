/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/base/sorted.h"

#include <search.h>
#include <stdlib.h>

#include "pkg/base/mem.h"

void *sorted_find(void *const *root, const void *key, sorted_compare_fn *compare)
{
	void **slot = tfind(key, root, compare);

	return slot ? *slot : NULL;
}

void **sorted_slot(void **root, void *item, sorted_compare_fn *compare)
{
	void **slot = tsearch(item, root, compare);

	if (!slot)
		mem_exhausted();
	return slot;
}

static void keep(void *item UNUSED)
{
}

void sorted_free(void **root)
{
	tdestroy(*root, keep);
	*root = NULL;
}
