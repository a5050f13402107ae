/* SPDX-License-Identifier: Apache-2.0 */
/* Content descriptors. */
#include "oci-spec/descriptor.h"

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* An object whose values are all strings, cloned; NULL if absent. */
static int get_annotations(const struct json *j, const char *where, struct json **ret, struct err **err)
{
	struct json *a = NULL;

	if (json_get_object(j, where, "annotations", &a, err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(a); i++)
		if (!json_str(json_value_at(a, i)))
			return err_make(err, ERR_CORRUPT, "%s.annotations.%s: expected a string", where,
				json_key_at(a, i));
	*ret = a ? json_clone(a) : NULL;
	return 0;
}

static int get_digest(const struct json *j, const char *where, struct digest *ret, struct err **err)
{
	const char *s = NULL;

	if (json_get_str(j, where, "digest", &s, err) < 0)
		return -1;
	if (!s)
		return err_make(err, ERR_CORRUPT, "%s.digest: missing", where);
	if (digest_parse(s, ret, err) < 0)
		return err_add(err, "%s.digest", where);
	return 0;
}

static int read_members(
	const struct json *j, const char *where, bool loose, struct descriptor *d, struct err **err)
{
	const char *type = NULL, *artifact = NULL;
	struct json *platform = NULL;
	int r;

	if (get_digest(j, where, &d->digest, err) < 0)
		return -1;
	r = json_get_i64(j, where, "size", 0, DESCRIPTOR_SIZE_MAX, &d->size, err);
	if (r < 0)
		return -1;
	if (r == 0 && !loose)
		return err_make(err, ERR_CORRUPT, "%s.size: missing", where);
	if (json_get_str(j, where, "mediaType", &type, err) < 0 ||
		json_get_str(j, where, "artifactType", &artifact, err) < 0 ||
		json_get_strv(j, where, "urls", &d->urls, err) < 0 ||
		get_annotations(j, where, &d->annotations, err) < 0 ||
		json_get_object(j, where, "platform", &platform, err) < 0)
		return -1;
	d->media_type = xstrdup(type ? type : "");
	d->artifact_type = xstrdup_null(artifact);
	if (platform) {
		autofree char *at = xasprintf("%s.platform", where);

		d->has_platform = true;
		return platform_from_json(platform, at, &d->platform, err);
	}
	return 0;
}

int descriptor_from_json(
	const struct json *j, const char *where, bool loose, struct descriptor *ret, struct err **err)
{
	struct descriptor d = { .size = -1 };

	if (!json_is(j, JSON_OBJECT))
		return err_make(err, ERR_CORRUPT, "%s: expected an object", where);
	if (read_members(j, where, loose, &d, err) < 0) {
		descriptor_free(&d);
		return -1;
	}
	*ret = d;
	return 0;
}

struct json *descriptor_to_json(const struct descriptor *d)
{
	struct json *j = json_new_object();

	json_set_str(j, "mediaType", d->media_type);
	json_set_str(j, "digest", d->digest.text);
	json_set_i64(j, "size", d->size);
	if (d->urls.n > 0)
		json_set(j, "urls", json_new_strv(&d->urls));
	if (d->annotations)
		json_set(j, "annotations", json_clone(d->annotations));
	if (d->has_platform)
		platform_to_json(&d->platform, json_need_object(j, "platform"));
	json_set_str(j, "artifactType", d->artifact_type);
	return j;
}

void descriptor_copy(struct descriptor *ret, const struct descriptor *from)
{
	*ret = *from;
	ret->media_type = xstrdup_null(from->media_type);
	ret->artifact_type = xstrdup_null(from->artifact_type);
	ret->annotations = from->annotations ? json_clone(from->annotations) : NULL;
	ret->urls = STRV_INIT;
	strv_dup(&ret->urls, &from->urls);
}

void descriptor_free(struct descriptor *d)
{
	free(d->media_type);
	free(d->artifact_type);
	json_free(d->annotations);
	strv_free(&d->urls);
	*d = (struct descriptor){ .size = -1 };
}

const char *descriptor_annotation(const struct descriptor *d, const char *key)
{
	return json_str(json_get(d->annotations, key));
}
