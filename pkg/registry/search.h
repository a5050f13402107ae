/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searching for repositories: in an index as Docker Hub has it, version 2 or 1, and in the catalogue of a registry that has no index
 * (udocker-compat 4.6). Pages are handed on as they come.
 */
#ifndef UDOCKER_REGISTRY_SEARCH_H
#define UDOCKER_REGISTRY_SEARCH_H

#include "pkg/registry/client.h"
#include "pkg/registry/pages.h"

struct err;

#define SEARCH_MAX 10000 /* results of one search */
#define SEARCH_PAGE_MAX 100 /* results that are asked for at once */

struct search {
	const char *expression; /* "", "mysql", "quay.io/org/app": a host in front is where to look */
	const char *index; /* --index: asked instead of what the expression says; NULL: none */
	struct registry_settings registry; /* .url: as index */
	size_t page; /* results that are asked for at once, 1 to SEARCH_PAGE_MAX */
	size_t max; /* at most SEARCH_MAX */
};

/*
 * The rows of one page, at least one; `more`: there are others behind it. They are gone after the call, which may take texts out of them (and leave NULL).
 * Result 1: enough; negative: the end with *err.
 */
typedef int search_page_fn(void *arg, struct search_page *page, bool more, struct err **err);
/*
 * Names come so that `pull` with the same --registry understands them: with a host if the expression had one. ERR_UNSUPPORTED for a host that offers
 * neither a search nor a catalogue.
 */
int search_run(const struct search *s, search_page_fn *take, void *arg, struct err **err);

#endif
