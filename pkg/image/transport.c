/* SPDX-License-Identifier: Apache-2.0 */
/* Transport names taken apart. */
#include "pkg/image/transport.h"

#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"

static const struct {
	const char *prefix;
	enum transport_kind kind;
} prefixes[] = {
	{ "docker://", TRANSPORT_REGISTRY },
	{ "oci:", TRANSPORT_OCI },
	{ "oci-archive:", TRANSPORT_OCI_ARCHIVE },
	{ "docker-archive:", TRANSPORT_DOCKER_ARCHIVE },
	{ "store:", TRANSPORT_STORE },
};

void transport_free(struct transport *t)
{
	free(t->path);
	free(t->name);
	*t = (struct transport){ 0 };
}

/* A name in a registry, the store or a docker archive is a reference; one in a layout is any text of a line. */
static int check_name(const struct transport *t, struct err **err)
{
	auto_reference ref = REFERENCE_INIT;

	if (t->kind != TRANSPORT_OCI && t->kind != TRANSPORT_OCI_ARCHIVE)
		return reference_parse(t->name, &ref, err) < 0 ? err_add(err, "'%s'", t->text) : 0;
	for (const char *p = t->name; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return err_make(err, ERR_USAGE, "'%s': blanks in the name", t->text);
	return 0;
}

static int take(struct transport *t, const char *rest, struct err **err)
{
	const char *colon = strchr(rest, ':');

	if (t->kind == TRANSPORT_REGISTRY || t->kind == TRANSPORT_STORE) {
		t->name = xstrdup(rest);
		return check_name(t, err);
	}
	t->path = colon ? xstrndup(rest, (size_t)(colon - rest)) : xstrdup(rest);
	if (!*t->path)
		return err_make(err, ERR_USAGE, "'%s' names no %s", t->text,
			t->kind == TRANSPORT_OCI ? "directory" : "file");
	if (!colon)
		return 0;
	if (!colon[1])
		return err_make(err, ERR_USAGE, "'%s': there is no name behind the colon", t->text);
	t->name = xstrdup(colon + 1);
	return check_name(t, err);
}

int transport_parse(const char *text, struct transport *ret, struct err **err)
{
	auto_transport t = { .text = text };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		if (!str_starts(text, prefixes[i].prefix))
			continue;
		t.kind = prefixes[i].kind;
		if (take(&t, text + strlen(prefixes[i].prefix), err) < 0)
			return -1;
		*ret = t;
		t = (struct transport){ 0 };
		return 0;
	}
	err_make(err, ERR_USAGE, "'%s' begins with no transport", text);
	return err_hint(err,
		"they are docker://REF, oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:REF] and "
		"store:REF");
}
