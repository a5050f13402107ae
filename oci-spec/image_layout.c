/* SPDX-License-Identifier: Apache-2.0 */
/* The OCI image layout: its documents, paths and names. */
#include "oci-spec/image_layout.h"

#include "oci-spec/descriptor.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

int image_layout_check(const struct json *j, struct err **err)
{
	const char *version = NULL;

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "oci-layout: expected an object");
	if (json_get_str(j, "oci-layout", "imageLayoutVersion", &version, err) < 0)
		return -1;
	if (!version)
		return err_make(err, ERR_CORRUPT, "oci-layout.imageLayoutVersion: missing");
	if (!str_starts(version, "1."))
		return err_make(err, ERR_UNSUPPORTED, "oci-layout: version '%.40s' is not 1.x", version);
	return 0;
}

struct json *image_layout_build(void)
{
	struct json *j = json_new_object();

	json_set_str(j, "imageLayoutVersion", IMAGE_LAYOUT_VERSION);
	return j;
}

char *image_layout_blob_path(const struct digest *d)
{
	size_t algo = (size_t)(digest_hex(d) - d->text) - 1;

	return xasprintf("blobs/%.*s/%s", (int)algo, d->text, digest_hex(d));
}

bool image_layout_is_blob(const char *path, struct digest *ret)
{
	char text[DIGEST_TEXT_MAX + 1];
	size_t n;

	if (str_starts(path, "./"))
		path += 2;
	if (!str_starts(path, "blobs/"))
		return false;
	path += strlen("blobs/");
	n = strlen(path);
	if (n > DIGEST_TEXT_MAX || n <= 6 || path[6] != '/')
		return false;
	memcpy(text, path, n + 1);
	text[6] = ':';
	return digest_parse(text, ret, NULL) == 0;
}

char *image_layout_familiar(const char *name)
{
	static const char *const hubs[] = { "docker.io/", "index.docker.io/", "registry-1.docker.io/" };

	for (size_t i = 0; i < ARRAY_LEN(hubs); i++) {
		const char *rest = name + strlen(hubs[i]);

		if (!str_starts(name, hubs[i]))
			continue;
		if (str_starts(rest, "library/") && !strchr(rest + 8, '/'))
			rest += 8;
		return xstrdup(*rest ? rest : name);
	}
	return xstrdup(name);
}

/* "name:tag", or "name@digest", of a full reference; NULL if it is none or names neither. */
static char *full_name(const char *text, bool familiar)
{
	auto_reference r = REFERENCE_INIT;
	autofree char *name = NULL;

	if (!text || reference_parse(text, &r, NULL) < 0 || !(r.has_tag || digest_is_set(&r.digest)))
		return NULL;
	name = familiar ? image_layout_familiar(r.name) : xstrdup(r.name);
	if (!reference_name_is_valid(name))
		return NULL;
	return r.has_tag ? xasprintf("%s:%s", name, r.tag) : xasprintf("%s@%s", name, r.digest.text);
}

char *image_layout_long(const char *name)
{
	struct reference_remote remote = REFERENCE_REMOTE_INIT;
	auto_reference r = REFERENCE_INIT;
	char *ret;

	if (reference_parse(name, &r, NULL) < 0)
		return NULL;
	reference_remote(&r, &remote);
	ret = xasprintf("%s/%s%s%s", remote.host, remote.repository, digest_is_set(&r.digest) ? "@" : ":",
		remote.what);
	reference_remote_free(&remote);
	return ret;
}

static bool has_tag(const char *name, const char *tag)
{
	const char *colon = strrchr(name, ':');

	return colon && strcmp(colon + 1, tag) == 0;
}

void image_layout_names(const struct descriptor *d, char **ret_name, char **ret_tag)
{
	const char *containerd = descriptor_annotation(d, ANNOTATION_CONTAINERD_NAME);
	const char *ref = descriptor_annotation(d, ANNOTATION_REF_NAME);
	autofree char *literal = full_name(ref, false);
	autofree char *expanded = literal ? image_layout_long(literal) : NULL;

	*ret_tag = NULL;
	if (containerd && str_eq(expanded, containerd)) {
		*ret_name = steal_ptr(&literal); /* the same name, as it was typed */
		return;
	}
	*ret_name = full_name(containerd, true);
	/* ref.name is a tag by custom; skopeo and podman also write a whole name there. */
	if (ref && reference_tag_is_valid(ref)) {
		*ret_tag = xstrdup(ref);
		/* umoci copies what it does not know to an image with another tag. */
		if (*ret_name && !has_tag(*ret_name, ref))
			free(steal_ptr(ret_name));
	} else if (!*ret_name)
		*ret_name = full_name(ref, true);
}
