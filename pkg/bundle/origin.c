/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an image for what is made of it, or following one that is still being pulled. */
#include "pkg/bundle/origin.h"

#include <errno.h>

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/store/coming.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"

void origin_free(struct origin *o)
{
	coming_close(o->coming);
	image_free(o->stored);
	str_free(&o->text);
	json_free(o->json);
	image_config_free(o->config);
}

static int check_config_digest(const struct origin *o, struct err **err)
{
	struct digest want, got;

	if (!o->image->config_digest)
		return 0;
	if (digest_parse(o->image->config_digest, &want, err) < 0 ||
		digest_of(want.kind, str_text(&o->text), o->text.len, &got, err) < 0)
		return -1;
	if (digest_eq(&want, &got))
		return 0;
	return err_make(err, ERR_CORRUPT, "configuration %s of %s: digest mismatch (got %s)", want.text,
		o->image->name, got.text);
}

/* The configuration of ret->image. */
static int read_config(struct store *s, struct origin *ret, struct err **err)
{
	struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX };

	if (image_read_config(s, ret->image, &ret->text, err) < 0 || check_config_digest(ret, err) < 0)
		return -1;
	if (json_parse(str_text(&ret->text), ret->text.len, "image configuration", &limits, &ret->json, err) <
			0 ||
		image_config_from_json(ret->json, "image configuration", &ret->config, err) < 0)
		return err_add(err, "%s", ret->image->name);
	return 0;
}

int origin_read(struct store *s, const char *ref, struct origin *ret, struct err **err)
{
	if (image_open_held(s, ref, &ret->stored, err) < 0)
		return -1;
	ret->image = ret->stored;
	return read_config(s, ret, err);
}

/* ---- an image that is being pulled ---- */

/* The configuration is among the first that a pull fetches; a few kilobytes that are read when they are complete. */
static int await_config(struct store *s, const struct coming *c, struct err **err)
{
	const struct image *img = coming_image(c);

	while (img->config_file && !layer_exists(s, img->config_file, NULL)) {
		bool alive = coming_is_alive(c);

		if (sig_interrupted())
			return err_sys(err, EINTR, "%s", img->name);
		if (!alive && !layer_exists(s, img->config_file, NULL))
			return err_make(
				err, ERR_NETWORK, "the pull ended before its configuration was complete");
		coming_pause();
	}
	return 0;
}

static int no_image(const char *ref, struct err **err)
{
	err_make(err, ERR_NETWORK, "%s: its pull ended before it was complete; nothing was made", ref);
	return err_hint(err, "pull it again");
}

static int follow(struct store *s, const char *ref, struct origin *ret, struct err **err)
{
	auto_err *e = NULL;

	ret->image = coming_image(ret->coming);
	if (await_config(s, ret->coming, &e) == 0 && read_config(s, ret, &e) == 0)
		return 0;
	if (sig_interrupted())
		return err_move(err, &e);
	/* Whatever it was, the pull will say it better; if it does not fail we have been too early, or too late. */
	return origin_settle(s, ref, ret, err) < 0 ? -1 : 0;
}

int origin_find(struct store *s, const char *ref, struct origin *ret, struct err **err)
{
	int r = 0;

	if (!image_exists(s, ref))
		r = coming_open(s, ref, &ret->coming, err);
	if (r < 0)
		return -1;
	/* None: it is stored, or has been since we looked, or is nowhere. */
	return r > 0 ? follow(s, ref, ret, err) : origin_read(s, ref, ret, err);
}

/* Until the pull ends. If it fails there may be another one of the same image. */
static int await_image(struct store *s, const char *ref, const struct coming *c, struct err **err)
{
	auto_coming *other = NULL;

	for (;;) {
		if (coming_wait(c, err) < 0)
			return -1;
		if (image_exists(s, ref))
			return 0;
		coming_close(steal_ptr(&other));
		if (coming_open(s, ref, &other, NULL) <= 0)
			return image_exists(s, ref) ? 0 : no_image(ref, err);
		c = other;
	}
}

int origin_settle(struct store *s, const char *ref, struct origin *o, struct err **err)
{
	struct origin now = ORIGIN_INIT;
	bool same;

	if (await_image(s, ref, o->coming, err) < 0)
		return -1;
	if (origin_read(s, ref, &now, err) < 0) {
		origin_free(&now);
		return -1;
	}
	same = now.image->manifest && o->image->manifest &&
	       now.image->manifest_len == o->image->manifest_len &&
	       memcmp(now.image->manifest, o->image->manifest, now.image->manifest_len) == 0;
	origin_free(o);
	*o = now;
	return same;
}
