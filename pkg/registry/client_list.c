/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that come in pages: tags. */
#include "oci-spec/distribution.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/registry/client_priv.h"

#define PAGE_MAX_BYTES ((size_t)8 << 20)
#define PAGE_SIZE 1000
#define PAGES_MAX 2000

static int take_page(
	const struct registry *r, const struct http_reply *reply, struct strv *ret, struct err **err)
{
	static const struct json_limits limits = {
		.bytes = PAGE_MAX_BYTES, .depth = 8, .nodes = 2 * REGISTRY_TAGS_MAX
	};
	auto_json *j = NULL;
	const struct json *tags;

	if (json_parse(str_text(&reply->body), reply->body.len, "list of tags", &limits, &j, err) < 0)
		return err_add(err, "%s", r->name);
	tags = json_get(j, "tags");
	if (!json_is(j, JSON_OBJECT) || (tags && !json_is(tags, JSON_ARRAY) && !json_is(tags, JSON_NULL)))
		return err_make(err, ERR_CORRUPT, "%s: the list of tags has a wrong form", r->name);
	if (ret->n + json_len(tags) > REGISTRY_TAGS_MAX)
		return err_make(err, ERR_CORRUPT, "%s: more than %d tags", r->name, REGISTRY_TAGS_MAX);
	for (size_t i = 0; i < json_len(tags); i++) {
		const char *tag = json_str(json_at(tags, i));

		if (tag && reference_tag_is_valid(tag))
			strv_add(ret, tag);
	}
	return 0;
}

/* The next page, of the same host, since credentials go with it. NULL: there is none. */
static int next_page(const struct registry *r, const struct endpoint *e, const struct http_reply *reply,
	const char *now, char **ret, struct err **err)
{
	autofree char *link = distribution_next_link(http_header(reply, "link", 0));
	auto_url url = URL_INIT;

	*ret = NULL;
	if (!link)
		return 0;
	if (url_parse(link, reply->url, &url, err) < 0)
		return err_add(err, "%s: next page of tags", r->name);
	if (!str_eq(url.origin, e->url.origin))
		return err_make(err, ERR_CORRUPT, "%s: the next page of tags is said to be at %s", r->name,
			url.authority);
	if (str_eq(url.text, now))
		return err_make(err, ERR_CORRUPT, "%s: the list of tags goes in a circle", r->name);
	*ret = xstrdup(url.text);
	return 0;
}

static int tags_at(struct registry *r, struct endpoint *e, struct strv *ret, struct err **err)
{
	autofree char *url = NULL, *where = xasprintf("%s, list of tags", r->name);
	int pages = 0;

	if (client_probe(r, e, err) < 0)
		return -1;
	url = xasprintf("%s/v2/%s/tags/list?n=%d", e->url.text, r->repository, PAGE_SIZE);
	while (url) {
		auto_http_reply reply = HTTP_REPLY_INIT;
		char *next = NULL;

		if (pages++ >= PAGES_MAX)
			return err_make(
				err, ERR_CORRUPT, "%s: more than %d pages of tags", r->name, PAGES_MAX);
		if (client_get(r, e, url, NULL, PAGE_MAX_BYTES, &reply, err) < 0)
			return err_add(err, "%s", where);
		if (reply.status != 200)
			return client_status(r, e, where, &reply, err);
		if (take_page(r, &reply, ret, err) < 0 || next_page(r, e, &reply, url, &next, err) < 0)
			return -1;
		free(url);
		url = next;
	}
	return 0;
}

int registry_tags(struct registry *r, struct strv *ret, struct err **err)
{
	/* A mirror may not have all of them: the registry itself is asked. */
	struct endpoint *e = &r->endpoints[r->n_endpoints - 1];
	auto_err *failure = NULL;

	if (tags_at(r, e, ret, &failure) == 0)
		return 0;
	if ((err_is(failure, ERR_NOT_FOUND) || err_is(failure, ERR_AUTH)) && client_rename(r))
		return tags_at(r, e, ret, err);
	return err_move(err, &failure);
}
