/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in one page of a list: names of tags or repositories (distribution-spec), results of a search (Docker Hub's index in its two
 * versions, udocker-compat 4.6). All of it comes from strangers: bounded, and text for people is one line without control characters.
 */
#ifndef UDOCKER_REGISTRY_PAGES_H
#define UDOCKER_REGISTRY_PAGES_H

#include "pkg/base/base.h"

struct err;
struct strv;

#define PAGES_REPLY_MAX ((size_t)8 << 20) /* bytes of one page */

/* The strings in the array `key`, appended; none where it is null or absent. ERR_CORRUPT for another form. */
int pages_names(const char *text, size_t n, const char *key, struct strv *ret, struct err **err);

#define SEARCH_NAME_MAX 255 /* bytes */
#define SEARCH_DESCRIPTION_MAX 1000

struct search_row {
	char *name; /* never empty */
	char *description; /* its first line; "" when there is none */
	int64_t stars; /* -1: not said */
	bool official;
};
struct search_page {
	struct search_row *v;
	size_t n, cap;
	size_t listed; /* how many the page had, also those without a usable name */
	int64_t count; /* results on all pages together, -1: not said */
	int64_t pages; /* how many pages, -1: not said */
	int next; /* 1: it says that a page follows, 0: that none does, -1: not said */
};
#define SEARCH_PAGE_INIT ((struct search_page){ .count = -1, .pages = -1, .next = -1 })
void search_page_free(struct search_page *p);
#define auto_search_page CLEANUP(search_page_free) struct search_page
/* A row that the caller fills; its texts are freed with the page. */
struct search_row *search_page_add(struct search_page *p);

/* Either version. ERR_CORRUPT for what is no result of a search. */
int pages_search(const char *text, size_t n, struct search_page *ret, struct err **err);

#endif
