/* SPDX-License-Identifier: Apache-2.0 */
/* The store's check knows nothing of compression: what it finds good is unpacked here before it is told. */
#include "pkg/image/verify.h"

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/archive/inflate.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

struct verify {
	struct store *store;
	const struct image *image;
	const struct image_config *config; /* NULL when its diff ids are of no use */
	size_t next; /* the layer that will be told next */
	char **found; /* of each layer that was unpacked: what is wrong with it, "" for nothing */
	int bad; /* layers that only we find bad */
	fsck_report_fn *report;
	void *arg;
};

static int check_plain(const struct verify *v, const char *name, const struct digest *want, struct err **err)
{
	struct inflate_options o = { .what = name, .hash_plain = true, .plain_sha = want->kind };
	struct inflate_result result;
	struct digest got = { .text = "" };
	auto_inflate *in = NULL;
	autoclose int fd = -1;

	if (str_eq(name, want->text)) /* no compression */
		return 0;
	o.limit =
		(struct limit){ conf_size(CONF_UNPACK_MAX_SIZE), (unsigned)conf_int(CONF_UNPACK_MAX_RATIO) };
	fd = layer_open(v->store, name, NULL, err);
	if (fd < 0 || inflate_start(fd, &o, &in, err) < 0 || inflate_finish(in, &result, err) < 0)
		return -1;
	if (digest_from_hex(want->kind, result.plain_hex, &got) && digest_eq(want, &got))
		return 0;
	return err_make(err, ERR_CORRUPT, "diff id mismatch (wanted %s, got %s)", want->text, got.text);
}

/* A small archive can name one layer thousands of times, and each time it would be unpacked. */
static const char *found_before(const struct verify *v, size_t i)
{
	const struct image_layer *layers = v->image->layers;

	for (size_t k = 0; k < i; k++)
		if (v->found[k] && str_eq(layers[k].file, layers[i].file) &&
			digest_eq(&v->config->diff_ids[k], &v->config->diff_ids[i]))
			return v->found[k];
	return NULL;
}

/* What is wrong with what the layer unpacks to, NULL for nothing. False: interrupted. */
static bool look_inside(struct verify *v, size_t i, const char *name, const char **ret_text)
{
	const char *text = found_before(v, i);
	auto_err *e = NULL;

	if (!text) {
		int r = check_plain(v, name, &v->config->diff_ids[i], &e);

		if (r < 0 && sig_interrupted())
			return false;
		v->found[i] = xstrdup(r < 0 ? err_text(e) : "");
		text = v->found[i];
	}
	*ret_text = *text ? text : NULL;
	return true;
}

static void relay(enum fsck_state state, enum fsck_part part, const char *what, const char *text, void *arg)
{
	struct verify *v = arg;
	size_t i = part == FSCK_LAYER ? v->next++ : 0;

	if (part == FSCK_LAYER && state == FSCK_OK && v->config) {
		const char *wrong = NULL;

		if (!look_inside(v, i, what, &wrong))
			return;
		if (wrong) {
			v->bad++;
			state = FSCK_BAD;
			text = wrong;
		}
	}
	v->report(state, part, what, text, v->arg);
}

int image_verify(
	struct store *s, const struct image *img, fsck_report_fn *report, void *arg, struct err **err)
{
	struct verify v = { .store = s, .image = img, .report = report, .arg = arg };
	auto_image_config *c = NULL;
	auto_str text = STR_INIT;
	int bad;

	/* 1.3.x hashes what it stored, compressed or not (FIX-58). */
	if (img->version >= 2 && image_read_config(s, img, &text, NULL) == 0 &&
		image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) == 0 &&
		c->n_diff_ids == img->n_layers)
		v.config = c;
	v.found = xcalloc(img->n_layers + 1, sizeof(*v.found));
	bad = fsck_image(s, img, relay, &v, err);
	for (size_t i = 0; i < img->n_layers; i++)
		free(v.found[i]);
	free(v.found);
	return bad < 0 ? bad : bad + v.bad;
}
