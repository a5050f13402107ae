/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an image for what is made of it. */
#include "pkg/bundle/origin.h"

#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/store/images.h"

void origin_free(struct origin *o)
{
	image_free(o->image);
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

int origin_read(struct store *s, const char *ref, struct origin *ret, struct err **err)
{
	struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX };

	if (image_open_held(s, ref, &ret->image, err) < 0)
		return -1;
	if (image_read_config(s, ret->image, &ret->text, err) < 0 || check_config_digest(ret, err) < 0)
		return -1;
	if (json_parse(str_text(&ret->text), ret->text.len, "image configuration", &limits, &ret->json, err) <
			0 ||
		image_config_from_json(ret->json, "image configuration", &ret->config, err) < 0)
		return err_add(err, "%s", ret->image->name);
	return 0;
}
