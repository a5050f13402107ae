/* SPDX-License-Identifier: Apache-2.0 */
/* Who is asked, in which form, and page after page. */
#include "pkg/registry/search.h"

#include "oci-spec/reference.h"
#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/conf/conf.h"
#include "pkg/registry/client_priv.h"

#define PAGES_MAX 2000

struct run {
	const struct search *s;
	char *prefix; /* "quay.io/", or "": in front of every name */
	char *wanted; /* the expression without host and tag */
	search_page_fn *take;
	void *arg;
	size_t shown;
	int64_t listed; /* by the pages so far */
	int64_t number; /* of the page, from 1 */
	bool unreachable; /* the place gave no reply */
};

enum form { FORM_INDEX_2, FORM_INDEX_1, FORM_CATALOGUE };

/* ---- what is searched for ---- */

/* "quay.io/org/app:1" -> "quay.io" and "org/app". No host: NULL. */
static void split(const char *text, char **ret_host, char **ret_wanted)
{
	const char *slash = strchr(text, '/'), *rest = text, *colon;
	autofree char *first = slash ? xstrndup(text, (size_t)(slash - text)) : NULL;

	*ret_host = NULL;
	if (first && (strpbrk(first, ".:") || str_eq(first, "localhost"))) {
		*ret_host = steal_ptr(&first);
		rest = slash + 1;
	}
	colon = strrchr(rest, ':');
	if (colon && strchr(colon, '/'))
		colon = NULL;
	*ret_wanted = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	if (str_eq(*ret_wanted, "*"))
		**ret_wanted = '\0';
}

static bool is_hub_host(const char *host)
{
	return !host || str_eq(host, "docker.io") || str_eq(host, "index.docker.io") ||
	       str_eq(host, "hub.docker.com") || str_eq(host, "registry-1.docker.io");
}

/* ---- pages ---- */

static char *page_url(const struct run *run, const struct endpoint *e, enum form form)
{
	autofree char *wanted = codec_url_encode(*run->wanted ? run->wanted : "*", "");

	if (form == FORM_INDEX_1)
		return xasprintf("%s/v1/search?q=%s&page=%lld&n=%zu", e->url.text, wanted,
			(long long)run->number, run->s->page);
	if (run->number == 1)
		return xasprintf("%s/v2/search/repositories?query=%s&page_size=%zu", e->url.text, wanted,
			run->s->page);
	return xasprintf("%s/v2/search/repositories?query=%s&page_size=%zu&page=%lld", e->url.text, wanted,
		run->s->page, (long long)run->number);
}

/* Indexes tell in different ways. One that promises pages for ever is left at s->max results, or PAGES_MAX pages. */
static bool has_more(const struct run *run, const struct search_page *p, enum form form)
{
	if (!p->listed || p->next == 0)
		return false;
	if (form == FORM_INDEX_1)
		return run->number < p->pages;
	if (p->next < 0 && p->count < 0)
		return p->listed >= run->s->page;
	return p->next > 0 || run->listed < p->count;
}

static void add_prefix(const struct run *run, struct search_page *p)
{
	for (size_t i = 0; i < p->n && *run->prefix; i++) {
		char *whole = xasprintf("%s%s", run->prefix, p->v[i].name);

		free(p->v[i].name);
		p->v[i].name = whole;
	}
}

/* Hand a page on: 1 for enough. */
static int hand_on(struct run *run, struct search_page *p, bool more, struct err **err)
{
	size_t room = run->s->max - run->shown;
	bool cut = p->n > room;
	int r;

	if (!p->n)
		return 0;
	while (p->n > room) {
		p->n--;
		free(p->v[p->n].name);
		free(p->v[p->n].description);
	}
	add_prefix(run, p);
	run->shown += p->n;
	r = run->take(run->arg, p, more || cut, err);
	return r == 0 && run->shown >= run->s->max ? 1 : r;
}

static int one_page(struct run *run, struct registry *r, enum form form, bool *ret_more, struct err **err)
{
	struct endpoint *e = &r->endpoints[0];
	autofree char *where = xasprintf("search at %s", e->url.authority), *url = page_url(run, e, form);
	auto_search_page page = SEARCH_PAGE_INIT;
	auto_http_reply reply = HTTP_REPLY_INIT;
	auto_err *failure = NULL;
	int taken;

	*ret_more = false;
	if (client_get(r, e, url, NULL, PAGES_REPLY_MAX, &reply, &failure) < 0) {
		run->unreachable = err_is(failure, ERR_NETWORK);
		(void)err_move(err, &failure);
		return err_add(err, "%s", where);
	}
	if (run->number > 1 && reply.status == 404) /* one page was promised too many */
		return 0;
	if (reply.status != 200)
		return client_status(r, e, where, &reply, err);
	if (pages_search(str_text(&reply.body), reply.body.len, &page, err) < 0)
		return err_add(err, "%s", where);
	run->listed += (int64_t)page.listed;
	*ret_more = has_more(run, &page, form);
	taken = hand_on(run, &page, *ret_more, err);
	*ret_more = *ret_more && taken == 0;
	return taken < 0 ? -1 : 0;
}

static int search_index(struct run *run, struct registry *r, enum form form, struct err **err)
{
	bool more = true;

	run->listed = 0;
	for (run->number = 1; more; run->number++) {
		if (run->number > PAGES_MAX)
			return err_make(err, ERR_CORRUPT, "search at %s: pages without end",
				r->endpoints[0].url.authority);
		if (one_page(run, r, form, &more, err) < 0)
			return -1;
	}
	return 0;
}

static int search_catalogue(struct run *run, struct registry *r, struct err **err)
{
	auto_strv names = STRV_INIT;
	bool more = false;
	int taken = 0;

	if (registry_catalogue(r, run->wanted, run->s->max, &names, &more, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n && taken == 0;) {
		auto_search_page page = SEARCH_PAGE_INIT;

		for (; i < names.n && page.n < run->s->page; i++) {
			struct search_row *row = search_page_add(&page);

			row->name = xstrdup(names.v[i]);
			row->description = xstrdup("");
		}
		taken = hand_on(run, &page, more || i < names.n, err);
	}
	return taken < 0 ? -1 : 0;
}

/* ---- places ---- */

static int ask(struct run *run, struct registry *r, enum form form, struct err **err)
{
	return form == FORM_CATALOGUE ? search_catalogue(run, r, err) : search_index(run, r, form, err);
}

/* What is no index may answer anything: a web page, an error. */
static bool says_more(const struct err *e, enum form form)
{
	return !err_is(e, ERR_NOT_FOUND) && !err_is(e, ERR_UNSUPPORTED) &&
	       !(err_is(e, ERR_CORRUPT) && form != FORM_CATALOGUE);
}

/*
 * The forms of one place in the order of 1.3.x; 0 when one of them answered, 1 when none did: *why gets the first failure that tells more than that there is no such
 * thing.
 */
static int try_place(struct run *run, const char *url, bool catalogue, struct err **why, struct err **err)
{
	struct registry_settings settings = run->s->registry;
	auto_registry *r = NULL;

	settings.url = url;
	if (registry_open_host(&settings, &r, err) < 0 || client_probe(r, &r->endpoints[0], err) < 0)
		return -1;
	run->unreachable = false;
	for (int form = FORM_INDEX_2;
		form <= (catalogue ? FORM_CATALOGUE : FORM_INDEX_1) && !run->unreachable; form++) {
		auto_err *e = NULL;

		if (ask(run, r, (enum form)form, &e) == 0)
			return 0;
		if (run->shown) /* what was begun is not begun anew elsewhere */
			return err_move(err, &e);
		log_verbose("%s", err_text(e));
		if (!*why && says_more(e, (enum form)form))
			(void)err_move(why, &e);
	}
	return 1;
}

/* The index, then the registry, as far as there are any. */
static int try_places(
	struct run *run, const char *index, const char *registry, const char *shown, struct err **err)
{
	auto_err *why = NULL;
	int r = 1;

	if (index && !(registry && str_eq(index, registry)))
		r = try_place(run, index, false, &why, err);
	if (r == 1 && registry)
		r = try_place(run, registry, true, &why, err);
	if (r <= 0)
		return r;
	if (why)
		return err_move(err, &why);
	err_make(err, ERR_UNSUPPORTED, "%s offers neither a search nor a catalogue", shown);
	return err_hint(err, "the tags of a known repository are shown by 'udocker search --list-tags NAME'");
}

int search_run(const struct search *s, search_page_fn *take, void *arg, struct err **err)
{
	struct run run = { .s = s, .take = take, .arg = arg };
	const char *index = s->index, *registry = s->registry.url;
	autofree char *host = NULL;
	int r;

	split(s->expression, &host, &run.wanted);
	if ((index && *index) || (registry && *registry)) {
		index = index && *index ? index : NULL;
		registry = registry && *registry ? registry : NULL;
		run.prefix = xstrdup("");
	} else if (is_hub_host(host)) {
		index = conf_str(CONF_DOCKERIO_INDEX_URL);
		registry = conf_str(CONF_DOCKERIO_REGISTRY_URL);
		run.prefix = xstrdup("");
	} else {
		index = registry = host;
		run.prefix = xasprintf("%s/", host);
	}
	r = try_places(&run, index, registry, registry ? registry : index, err);
	free(run.wanted);
	free(run.prefix);
	return r;
}
