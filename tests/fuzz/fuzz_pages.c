/* SPDX-License-Identifier: Apache-2.0 */
/* pages: whatever a registry or an index lists becomes bounded rows of text that a terminal can be shown. */
#include "pkg/registry/pages.h"

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* Nothing is left for the escapes to do. */
static void must_be_clean(const char *text, size_t max)
{
	auto_str escaped = STR_INIT;

	must(strlen(text) <= max && str_is_utf8(text));
	must(str_add_escaped(&escaped, text) == 0);
	must(strcmp(str_text(&escaped), text) == 0);
}

static void search(const char *text, size_t size)
{
	auto_search_page p = SEARCH_PAGE_INIT;
	auto_err *err = NULL;
	int r = pages_search(text, size, &p, &err);

	must((r < 0) == (err != NULL) && p.n <= p.listed);
	must(p.count >= -1 && p.pages >= -1 && p.next >= -1 && p.next <= 1);
	for (size_t i = 0; i < p.n; i++) {
		must_be_clean(p.v[i].name, SEARCH_NAME_MAX);
		must_be_clean(p.v[i].description, SEARCH_DESCRIPTION_MAX);
		must(*p.v[i].name && p.v[i].stars >= -1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmemdup(data, size);
	auto_strv names = STRV_INIT;

	(void)pages_names(text, size, "tags", &names, NULL);
	(void)pages_names(text, size, "repositories", &names, NULL);
	search(text, size);
	return 0;
}
