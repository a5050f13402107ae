/* SPDX-License-Identifier: Apache-2.0 */
/* Image references: the local name as typed, and the remote view of it. */
#include "oci-spec/reference.h"

#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"

/* How much of a wrong text a message repeats. */
enum { QUOTED_MAX = 128 };

#define HEX_DIGITS "0123456789abcdefABCDEF"
#define TAG_MAX 128 /* docker's grammar */

static bool is_name_char(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

static bool is_digits(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return n > 0;
}

/* `host:port` or `[v6]:port`; returns the length without the port. A component without a port has its whole length. */
static size_t host_len(const char *s, size_t n)
{
	const char *colon;

	if (s[0] == '[') {
		const char *end = memchr(s, ']', n);

		return end ? (size_t)(end - s) + 1 : 0;
	}
	colon = memchr(s, ':', n);
	return colon ? (size_t)(colon - s) : n;
}

/* Why a component cannot stand in a name, or NULL. The first of several may carry a port. */
static const char *component_fault(const char *s, size_t n, bool may_have_port)
{
	size_t len = n;

	if (n == 0)
		return "an empty component";
	if (n > REFERENCE_PART_MAX)
		return "a component of more than 255 bytes";
	if (may_have_port) {
		len = host_len(s, n);
		if (len == 0 ||
			(len < n && (s[len] != ':' || n - len > 6 || !is_digits(s + len + 1, n - len - 1))))
			return "a registry that is not HOST[:PORT]";
		if (s[0] == '[')
			return len > 3 && strspn(s + 1, HEX_DIGITS ":.") == len - 2
				       ? NULL
				       : "a registry that is not an address in brackets";
	}
	if (s[0] == '-' || s[0] == '.')
		return "a component that begins with '-' or '.'";
	for (size_t i = 0; i < len; i++)
		if (!is_name_char(s[i]))
			return "a character that no name may have";
	return NULL;
}

static const char *name_fault(const char *name)
{
	const char *s = name;

	if (*name == '\0')
		return "no name";
	if (!isalnum((unsigned char)*name) && *name != '[')
		return "a name that does not begin with a letter or digit";
	for (;;) {
		size_t n = strcspn(s, "/");
		const char *fault = component_fault(s, n, s == name && s[n] == '/');

		if (fault || s[n] == '\0')
			return fault;
		s += n + 1;
	}
}

static const char *tag_fault(const char *tag)
{
	size_t n = strlen(tag);

	if (n == 0)
		return "an empty tag";
	if (n > TAG_MAX)
		return "a tag of more than 128 bytes";
	if (tag[0] == '-' || tag[0] == '.')
		return "a tag that begins with '-' or '.'";
	for (size_t i = 0; i < n; i++)
		if (!is_name_char(tag[i]))
			return "a character that no tag may have";
	return NULL;
}

bool reference_name_is_valid(const char *name)
{
	return strlen(name) <= REFERENCE_MAX && name_fault(name) == NULL;
}

bool reference_tag_is_valid(const char *tag)
{
	return tag_fault(tag) == NULL;
}

static bool first_is_host(const char *name)
{
	size_t n = strcspn(name, "/");

	if (name[n] == '\0')
		return false;
	return memchr(name, '.', n) || memchr(name, ':', n) || (n == 9 && memcmp(name, "localhost", 9) == 0);
}

static int refuse(const char *text, const char *why, struct err **err)
{
	err_make(err, ERR_USAGE, "invalid image name '%.*s%s': %s", QUOTED_MAX, text,
		strlen(text) > QUOTED_MAX ? "…" : "", why);
	return err_hint(err, "image names look like NAME, NAME:TAG, HOST[:PORT]/NAME:TAG or NAME@sha256:HEX");
}

/* The colon that separates a tag: the last one behind the last slash, but that before "sha256:<hex>" as listings show it. */
static const char *tag_colon(const char *s)
{
	const char *slash = strrchr(s, '/');
	const char *first = strchr(slash ? slash : s, ':');

	return first && digest_is_valid(first + 1) ? first : strrchr(slash ? slash : s, ':');
}

static int split(const char *text, struct reference *r, struct err **err)
{
	const char *at = strchr(text, '@'), *colon, *fault;
	autofree char *left = at ? xstrndup(text, (size_t)(at - text)) : xstrdup(text);

	if (at && digest_parse(at + 1, &r->digest, NULL) < 0)
		return refuse(text, "what follows '@' is not a digest", err);
	colon = tag_colon(left);
	r->name = colon ? xstrndup(left, (size_t)(colon - left)) : xstrdup(left);
	fault = name_fault(r->name);
	if (fault)
		return refuse(text, fault, err);
	if (colon && !at && digest_parse(colon + 1, &r->digest, NULL) == 0) {
		r->tag = xstrdup(colon + 1);
	} else if (colon) {
		r->tag = xstrdup(colon + 1);
		fault = tag_fault(r->tag);
		if (fault)
			return refuse(text, fault, err);
		r->has_tag = true;
	} else {
		r->tag = xstrdup(at ? r->digest.text : "latest");
	}
	r->has_host = first_is_host(r->name);
	return 0;
}

int reference_parse(const char *text, struct reference *ret, struct err **err)
{
	struct reference r = REFERENCE_INIT;

	if (strlen(text) > REFERENCE_MAX)
		return refuse(text, "more than 4096 bytes", err);
	if (*text == '\0')
		return refuse(text, "it is empty", err);
	r.text = xstrdup(text);
	if (split(text, &r, err) < 0) {
		reference_free(&r);
		return -1;
	}
	*ret = r;
	return 0;
}

/* What 1.3.x wrote may lie outside our grammar; it only must be a path that stays where it belongs. */
static bool is_safe_dir(const char *s)
{
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return strlen(s) <= REFERENCE_MAX && path_is_plain(s);
}

int reference_from_store(const char *name, const char *tag, struct reference *ret, struct err **err)
{
	if (!is_safe_dir(name) || !is_safe_dir(tag) || strchr(tag, '/'))
		return err_make(err, ERR_CORRUPT, "'%.*s' with tag '%.*s' is not an image folder", QUOTED_MAX,
			name, QUOTED_MAX, tag);
	*ret = REFERENCE_INIT;
	ret->text = xasprintf("%s:%s", name, tag);
	ret->name = xstrdup(name);
	ret->tag = xstrdup(tag);
	if (digest_parse(tag, &ret->digest, NULL) < 0)
		ret->has_tag = true;
	ret->has_host = first_is_host(name);
	return 0;
}

int reference_replace(const struct reference *from, const char *name, const char *tag, struct reference *ret,
	struct err **err)
{
	struct digest d;
	autofree char *text = NULL;

	if (!name)
		name = from->name;
	if (!tag)
		tag = from->tag;
	if (name_fault(name))
		return refuse(name, name_fault(name), err);
	if (tag_fault(tag) && digest_parse(tag, &d, NULL) < 0)
		return refuse(tag, tag_fault(tag), err);
	text = xasprintf("%s:%s", name, tag);
	return reference_parse(text, ret, err);
}

void reference_copy(struct reference *ret, const struct reference *from)
{
	*ret = *from;
	ret->text = xstrdup_null(from->text);
	ret->name = xstrdup_null(from->name);
	ret->tag = xstrdup_null(from->tag);
}

void reference_free(struct reference *r)
{
	free(r->text);
	free(r->name);
	free(r->tag);
	*r = REFERENCE_INIT;
}

char *reference_show(const struct reference *r)
{
	return xasprintf("%s:%s", r->name, r->tag);
}

char *reference_dir(const struct reference *r)
{
	return xasprintf("%s/%s", r->name, r->tag);
}

void reference_old_dirs(const struct reference *r, struct strv *ret)
{
	const char *colon = strchr(r->name, ':');

	/* At an '@' 1.3.x splits as we do, and it cannot have brackets. */
	if (!colon || r->name[0] == '[' || digest_is_valid(r->tag))
		return;
	if (r->has_tag)
		strv_addf(ret, "%.*s/%s:%s", (int)(colon - r->name), r->name, colon + 1, r->tag);
	if (str_eq(r->tag, "latest"))
		strv_addf(ret, "%.*s/%s", (int)(colon - r->name), r->name, colon + 1);
}

bool reference_from_old_dir(const char *dir, char **ret_name, char **ret_tag)
{
	const char *slash = strchr(dir, '/'), *rest, *end;
	size_t port;
	autofree char *text = NULL;
	auto_reference r = REFERENCE_INIT;

	if (!slash)
		return false;
	rest = slash + 1;
	end = strchr(rest, '/');
	port = end ? (size_t)(end - rest) : 0;
	if (!is_digits(rest, port))
		return false;
	text = xasprintf("%.*s:%s", (int)(slash - dir), dir, rest);
	if (reference_parse(text, &r, NULL) < 0 || digest_is_set(&r.digest))
		return false;
	*ret_name = steal_ptr(&r.name);
	*ret_tag = steal_ptr(&r.tag);
	return true;
}

static bool is_hub_host(const char *host)
{
	static const char *const hosts[] = { "docker.io", "index.docker.io", "registry-1.docker.io",
		"registry.hub.docker.com", "docker.com", "hub.docker.com" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		if (strcasecmp(host, hosts[i]) == 0)
			return true;
	return false;
}

void reference_remote(const struct reference *r, struct reference_remote *ret)
{
	const char *repo = r->name;

	if (r->has_host) {
		repo = strchr(r->name, '/') + 1;
		ret->host = xstrndup(r->name, (size_t)(repo - r->name) - 1);
	} else {
		ret->host = xstrdup("docker.io");
	}
	ret->is_hub = is_hub_host(ret->host);
	/* 4.1: one component with a dot, or the word library, stays as it is. */
	if (ret->is_hub && !strchr(repo, '/') && !strchr(repo, '.') && !str_eq(repo, "library"))
		ret->repository = xasprintf("library/%s", repo);
	else
		ret->repository = xstrdup(repo);
	ret->what = digest_is_set(&r->digest) ? r->digest.text : r->tag;
}

void reference_remote_free(struct reference_remote *r)
{
	free(r->host);
	free(r->repository);
	*r = REFERENCE_REMOTE_INIT;
}
