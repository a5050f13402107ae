/* SPDX-License-Identifier: Apache-2.0 */
/* From a reference to an image in the store: the right manifest, what it may contain, its blobs, its publication. */
#include "pkg/image/pull.h"

#include "oci-spec/descriptor.h"
#include "oci-spec/image_config.h"
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "oci-spec/media_types.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/image/pull_blobs.h"
#include "pkg/image/select.h"
#include "pkg/registry/client.h"
#include "pkg/store/coming.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/partial.h"
#include "pkg/store/store.h"

/* ---- the manifest ---- */

static int parse(const struct registry_manifest *m, const char *where, struct json **ret, struct err **err)
{
	return json_parse(str_text(&m->bytes), m->bytes.len, where, NULL, ret, err);
}

/* An entry of an index: the bytes are those of its digest, and as many as it says. */
static int by_descriptor(
	struct registry *r, const struct descriptor *d, struct registry_manifest *ret, struct err **err)
{
	if (registry_manifest(r, d->digest.text, ret, err) < 0)
		return -1;
	if (d->size >= 0 && ret->bytes.len != (uint64_t)d->size)
		return err_make(err, ERR_CORRUPT, "%s, manifest %s: size is %zu, wanted %lld",
			registry_name(r), d->digest.text, ret->bytes.len, (long long)d->size);
	return 0;
}

static int fetch_index(void *arg, const struct descriptor *d, struct json **ret, struct err **err)
{
	auto_registry_manifest m = REGISTRY_MANIFEST_INIT;

	return by_descriptor(arg, d, &m, err) < 0 ? -1 : parse(&m, d->digest.text, ret, err);
}

/* The one for the platform replaces the index in *m. */
static int resolve(struct registry *r, const struct json *doc, const struct platform *want,
	struct registry_manifest *m, struct err **err)
{
	const struct select_source from = { .fetch = fetch_index, .arg = r };
	auto_descriptor chosen = { 0 };
	auto_index *x = NULL;

	if (index_from_json(doc, "index", &x, err) < 0 || select_manifest(&from, x, want, &chosen, err) < 0)
		return err_add(err, "%s", registry_name(r));
	registry_manifest_free(m);
	return by_descriptor(r, &chosen, m, err);
}

/* The media type is named, since that is what its producer knows it by. */
static int refuse_kind(
	const struct registry *r, const struct json *doc, const struct registry_manifest *m, struct err **err)
{
	const char *type = json_str(json_get(doc, "mediaType"));

	return err_make(err, ERR_UNSUPPORTED, "%s: its manifest has the media type '%s', which is no image's",
		registry_name(r),
		type             ? type
		: *m->media_type ? m->media_type
				 : "(none)");
}

int pull_manifest(struct registry *r, const struct reference *ref, const struct platform *want, bool raw,
	struct registry_manifest *ret, struct err **err)
{
	auto_registry_manifest m = REGISTRY_MANIFEST_INIT;
	struct reference_remote remote = REFERENCE_REMOTE_INIT;
	auto_json *doc = NULL;
	enum media_kind kind;
	int status;

	reference_remote(ref, &remote);
	status = registry_manifest(r, remote.what, &m, err);
	reference_remote_free(&remote);
	if (status < 0)
		return -1;
	if (!raw) {
		if (parse(&m, "manifest", &doc, err) < 0)
			return err_add(err, "%s", registry_name(r));
		if (manifest_is_ambiguous(doc))
			return err_make(err, ERR_CORRUPT, "%s: its manifest would be an index to others",
				registry_name(r));
		kind = manifest_sniff(doc, m.media_type);
		if (kind == MEDIA_UNKNOWN)
			return refuse_kind(r, doc, &m, err);
		if (kind == MEDIA_INDEX && resolve(r, doc, want, &m, err) < 0)
			return -1;
	}
	*ret = m;
	m = REGISTRY_MANIFEST_INIT;
	return 0;
}

/* ---- what it may contain ---- */

static int check_manifest(const struct manifest *m, const char *name, struct err **err)
{
	if (m->kind != MEDIA_MANIFEST && m->kind != MEDIA_SCHEMA1)
		return err_make(err, ERR_UNSUPPORTED, "%s: no image manifest", name);
	if (!manifest_is_image(m))
		return err_make(err, ERR_UNSUPPORTED,
			"%s is no container image but an artifact of the type '%s'", name,
			m->artifact_type ? m->artifact_type : m->config.media_type);
	for (size_t i = 0; i < m->n_layers; i++) {
		const char *type = m->layers[i].media_type;

		if (*type && media_type_kind(type) != MEDIA_LAYER)
			return err_make(err, ERR_UNSUPPORTED,
				"%s: layer %s has the media type '%s', which is no layer's", name,
				m->layers[i].digest.text, type);
	}
	if (m->config.size > (int64_t)IMAGE_CONFIG_MAX)
		return err_make(err, ERR_CORRUPT, "%s: its configuration is said to be %lld bytes long", name,
			(long long)m->config.size);
	return 0;
}

static void warn_platform(const struct image_config *c, const struct platform *want, const char *name)
{
	char have[PLATFORM_TEXT_MAX], machine[PLATFORM_TEXT_MAX];
	struct platform host;

	if (!want) {
		platform_host(&host);
		want = &host;
	}
	if (platform_rank(want, &c->platform, true) < 0)
		log_warning("%s is for %s and not for %s, storing it all the same", name,
			platform_text(&c->platform, have), platform_text(want, machine));
}

/* The configuration is there: is it one? */
static int check_config(struct store *s, const struct manifest *m, const struct platform *want,
	const char *name, struct err **err)
{
	auto_image_config *c = NULL;
	auto_json *j = NULL;
	autoclose int fd = -1;

	if (!digest_is_set(&m->config.digest))
		return 0;
	fd = layer_open(s, m->config.digest.text, NULL, err);
	if (fd < 0 ||
		json_read_fd(fd, "configuration", &(struct json_limits){ .bytes = IMAGE_CONFIG_MAX }, &j,
			err) < 0 ||
		image_config_from_json(j, "configuration", &c, err) < 0)
		return err_add(err, "%s", name);
	if (c->n_diff_ids && c->n_diff_ids != m->n_layers)
		return err_make(err, ERR_CORRUPT, "%s: the manifest has %zu layers, the configuration %zu",
			name, m->n_layers, c->n_diff_ids);
	warn_platform(c, want, name);
	return 0;
}

/* ---- pull ---- */

/* Asked before megabytes are fetched in vain. */
static int refuse_protected(struct store *s, const struct reference *ref, struct err **err)
{
	autofree char *name = reference_show(ref);
	auto_image *old = NULL;

	if (image_open(s, name, &old, NULL) < 0 || !old->protected)
		return 0;
	err_make(err, ERR_DENIED, "image %s is protected", old->name);
	return err_hint(err, "unprotect it first");
}

static int fetch_and_put(struct store *s, struct registry *r, const struct reference *ref,
	const struct manifest *m, const struct registry_manifest *bytes, const struct pull_options *o,
	struct err **err)
{
	autofree char *name = reference_show(ref);
	const struct image_put put = {
		.ref = name, .manifest = str_text(&bytes->bytes), .manifest_len = bytes->bytes.len
	};
	int jobs = o->jobs > 0 ? o->jobs : PULL_JOBS;

	/* Twice: 1.3.x may remove a blob of ours before it is linked. */
	for (int i = 0;; i++) {
		auto_err *e = NULL;

		if (pull_blobs(s, r, m, jobs, err) < 0 || check_config(s, m, o->platform, name, err) < 0)
			return -1;
		if (image_put(s, &put, NULL, &e) == 0)
			return 0;
		if (i > 0 || !err_is(e, ERR_NOT_FOUND))
			return err_move(err, &e);
	}
}

static char *result_name(const struct reference *ref, const struct digest *digest)
{
	return digest_is_valid(ref->tag) ? xasprintf("%s@%s", ref->name, ref->tag)
					 : xasprintf("%s:%s@%s", ref->name, ref->tag, digest->text);
}

int pull_image(struct store *s, struct registry *r, const struct reference *ref, const struct pull_options *o,
	char **ret_name, struct err **err)
{
	auto_registry_manifest bytes = REGISTRY_MANIFEST_INIT;
	autofree char *name = reference_show(ref);
	auto_manifest *m = NULL;
	auto_announcement *announcement = NULL;

	partial_clean(s, PARTIAL_MAX_AGE_S);
	if (refuse_protected(s, ref, err) < 0 || pull_manifest(r, ref, o->platform, false, &bytes, err) < 0)
		return -1;
	if (manifest_parse(str_text(&bytes.bytes), bytes.bytes.len, "manifest", &m, err) < 0)
		return err_add(err, "%s", name);
	if (check_manifest(m, name, err) < 0)
		return -1;
	/* Whoever wants a container of it may begin (coming.h). */
	announcement = coming_announce(s, name, str_text(&bytes.bytes), bytes.bytes.len);
	if (fetch_and_put(s, r, ref, m, &bytes, o, err) < 0)
		return -1;
	*ret_name = result_name(ref, &bytes.digest);
	return 0;
}
