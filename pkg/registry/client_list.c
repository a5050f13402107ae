/* SPDX-License-Identifier: Apache-2.0 */
/* Lists that come in pages: the tags of a repository, the repositories of a registry. */
#include "oci-spec/distribution.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/registry/client_priv.h"
#include "pkg/registry/pages.h"

#define PAGE_SIZE 1000
#define PAGES_MAX 2000
#define CATALOGUE_SCOPE "registry:catalog:*"

/* One walk through the pages of a list. */
struct walk {
	struct registry *r;
	struct endpoint *e;
	const char *key; /* the member of a page */
	const char *what; /* "tags", for messages */
	int (*take)(struct walk *w, const struct strv *names, struct err **err);
	struct strv *ret;
	const char *match;
	size_t max;
	int pages; /* that were understood */
	bool enough;
};

/* The next page, of the same host, since credentials go with it. NULL: there is none. */
static int next_page(
	const struct walk *w, const struct http_reply *reply, const char *now, char **ret, struct err **err)
{
	autofree char *link = distribution_next_link(http_header(reply, "link", 0));
	auto_url url = URL_INIT;

	*ret = NULL;
	if (!link)
		return 0;
	if (url_parse(link, reply->url, &url, err) < 0)
		return err_add(err, "%s: next page of %s", w->r->name, w->what);
	if (!str_eq(url.origin, w->e->url.origin))
		return err_make(err, ERR_CORRUPT, "%s: the next page of %s is said to be at %s", w->r->name,
			w->what, url.authority);
	if (str_eq(url.text, now))
		return err_make(err, ERR_CORRUPT, "%s: the list of %s goes in a circle", w->r->name, w->what);
	*ret = xstrdup(url.text);
	return 0;
}

static int walk_page(struct walk *w, const char *url, char **ret_next, struct err **err)
{
	autofree char *where = xasprintf("%s, list of %s", w->r->name, w->what);
	auto_http_reply reply = HTTP_REPLY_INIT;
	auto_strv names = STRV_INIT;

	if (client_get(w->r, w->e, url, NULL, PAGES_REPLY_MAX, &reply, err) < 0)
		return err_add(err, "%s", where);
	if (reply.status != 200)
		return client_status(w->r, w->e, where, &reply, err);
	if (pages_names(str_text(&reply.body), reply.body.len, w->key, &names, err) < 0)
		return err_add(err, "%s", where);
	w->pages++;
	if (w->take(w, &names, err) < 0)
		return -1;
	return next_page(w, &reply, url, ret_next, err);
}

static int walk(struct walk *w, const char *path, struct err **err)
{
	autofree char *url = NULL;

	if (client_probe(w->r, w->e, err) < 0)
		return -1;
	url = xasprintf("%s/v2/%s?n=%d", w->e->url.text, path, PAGE_SIZE);
	while (url && !w->enough) {
		char *next = NULL;

		if (w->pages >= PAGES_MAX)
			return err_make(err, ERR_CORRUPT, "%s: more than %d pages of %s", w->r->name,
				PAGES_MAX, w->what);
		if (walk_page(w, url, &next, err) < 0)
			return -1;
		free(url);
		url = next;
	}
	return 0;
}

/* ---- tags ---- */

static int take_tags(struct walk *w, const struct strv *names, struct err **err)
{
	if (w->ret->n + names->n > REGISTRY_NAMES_MAX)
		return err_make(err, ERR_CORRUPT, "%s: more than %d tags", w->r->name, REGISTRY_NAMES_MAX);
	for (size_t i = 0; i < names->n; i++)
		if (reference_tag_is_valid(names->v[i]))
			strv_add(w->ret, names->v[i]);
	return 0;
}

static int tags_at(struct registry *r, struct endpoint *e, struct strv *ret, struct err **err)
{
	autofree char *path = xasprintf("%s/tags/list", r->repository);
	struct walk w = { .r = r, .e = e, .key = "tags", .what = "tags", .take = take_tags, .ret = ret };

	return walk(&w, path, err);
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

/* ---- repositories ---- */

static int take_repositories(struct walk *w, const struct strv *names, struct err **err UNUSED)
{
	for (size_t i = 0; i < names->n && !w->enough; i++) {
		const char *name = names->v[i];

		if (!distribution_repository_is_valid(name) || !strcasestr(name, w->match))
			continue;
		/* One more than is wanted says that there are more. */
		w->enough = w->ret->n >= w->max;
		if (!w->enough)
			strv_add(w->ret, name);
	}
	return 0;
}

int registry_catalogue(
	struct registry *r, const char *match, size_t max, struct strv *ret, bool *ret_more, struct err **err)
{
	auto_err *e = NULL;
	struct walk w = { .r = r,
		.e = &r->endpoints[r->n_endpoints - 1],
		.key = "repositories",
		.what = "repositories",
		.take = take_repositories,
		.ret = ret,
		.match = match,
		.max = max < REGISTRY_NAMES_MAX ? max : REGISTRY_NAMES_MAX };

	free(r->scope);
	r->scope = xstrdup(CATALOGUE_SCOPE);
	if (walk(&w, "_catalog", &e) < 0) {
		if (err_is(e, ERR_CORRUPT) && !w.pages) /* a web page, say */
			(void)err_set_kind(&e, ERR_UNSUPPORTED);
		return err_move(err, &e);
	}
	*ret_more = w.enough;
	return 0;
}
