/* SPDX-License-Identifier: Apache-2.0 */
/* URLs taken apart and resolved. */
#include "pkg/registry/url.h"

#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/registry/curl.h"

#define SHOWN_MAX 200

/* How much of a URL that is none may be shown: not the query, in which object stores put their signatures. */
static int shown_len(const char *text)
{
	size_t n = strcspn(text, "?#");

	return n > SHOWN_MAX ? SHOWN_MAX : (int)n;
}

/* A part of it as a string of ours; NULL when it has none. */
static char *part(const struct curl_api *c, CURLU *u, CURLUPart what, unsigned flags)
{
	char *text = NULL, *copy;

	if (c->curl_url_get(u, what, &text, flags) != CURLUE_OK)
		return NULL;
	copy = xstrdup(text);
	c->curl_free(text);
	return copy;
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static int take(const struct curl_api *c, CURLU *u, const char *text, struct url *ret, struct err **err)
{
	autofree char *scheme = part(c, u, CURLUPART_SCHEME, 0), *host = part(c, u, CURLUPART_HOST, 0);
	autofree char *port = part(c, u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	autofree char *own_port = part(c, u, CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
	autofree char *path = part(c, u, CURLUPART_PATH, 0);

	if (!scheme || !host || !port || !path)
		return err_make(err, ERR_CORRUPT, "'%.*s' is no URL", shown_len(text), text);
	lower(scheme);
	lower(host);
	if (!str_eq(scheme, "http") && !str_eq(scheme, "https"))
		return err_make(err, ERR_CORRUPT, "'%.*s': neither http nor https", shown_len(text), text);
	ret->text = part(c, u, CURLUPART_URL, 0);
	if (!ret->text)
		return err_make(err, ERR_CORRUPT, "'%.*s' is no URL", shown_len(text), text);
	ret->tls = str_eq(scheme, "https");
	ret->origin = xasprintf("%s://%s:%s", scheme, host, port);
	ret->authority = own_port ? xasprintf("%s:%s", host, own_port) : xstrdup(host);
	ret->shown = xasprintf("%s://%s%s", scheme, ret->authority, path);
	return 0;
}

static int parse(const struct curl_api *c, CURLU *u, const char *text, const char *base, struct url *ret,
	struct err **err)
{
	if (base && c->curl_url_set(u, CURLUPART_URL, base, 0) != CURLUE_OK)
		return err_make(err, ERR_CORRUPT, "'%.*s' is no URL", shown_len(base), base);
	if (strlen(text) > URL_MAX || c->curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK)
		return err_make(err, ERR_CORRUPT, "'%.*s' is no URL", shown_len(text), text);
	(void)c->curl_url_set(u, CURLUPART_USER, NULL, 0); /* these three cannot fail for NULL */
	(void)c->curl_url_set(u, CURLUPART_PASSWORD, NULL, 0);
	(void)c->curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	return take(c, u, text, ret, err);
}

int url_parse(const char *text, const char *base, struct url *ret, struct err **err)
{
	const struct curl_api *c = curl_load(err);
	auto_url url = URL_INIT;
	CURLU *u;
	int r;

	if (!c)
		return -1;
	u = c->curl_url();
	if (!u)
		return err_make(err, ERR_SYSTEM, "out of memory");
	r = parse(c, u, text, base, &url, err);
	c->curl_url_cleanup(u);
	if (r < 0)
		return -1;
	*ret = url;
	url = URL_INIT;
	return 0;
}

void url_free(struct url *u)
{
	free(u->text);
	free(u->origin);
	free(u->authority);
	free(u->shown);
	*u = URL_INIT;
}
