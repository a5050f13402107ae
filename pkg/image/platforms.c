/* SPDX-License-Identifier: Apache-2.0 */
/* The tags of one image's platforms, by their names and by what their configurations say. */
#include "pkg/image/platforms.h"

#include <string.h>

#include "oci-spec/image_config.h"
#include "oci-spec/platform.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/store/images.h"
#include "pkg/store/layers.h"
#include "pkg/store/store.h"

char *image_platform_tag(const char *tag, const struct platform *p)
{
	auto_str ret = STR_INIT;

	str_addf(&ret, "%s-%s-%s", tag, *p->os ? p->os : "unknown", *p->arch ? p->arch : "unknown");
	if (*p->variant)
		str_addf(&ret, "-%s", p->variant);
	return str_steal(&ret);
}

/* "v7", "v2": what may stand behind the architecture where the configuration does not say it. */
static bool is_variant(const char *text)
{
	return text[0] == 'v' && text[1] && strspn(text + 1, "0123456789.") == strlen(text + 1);
}

bool image_platform_of(const char *tag, const char *of, struct platform *p)
{
	autofree char *want = image_platform_tag(of, p);
	struct platform bare = *p;
	size_t n;

	if (strcmp(tag, want) == 0)
		return true;
	/* "arm" without a variant is read as v7: that one may not have been stated either. */
	if (*p->variant && !(strcmp(p->arch, "arm") == 0 && strcmp(p->variant, "v7") == 0))
		return false;
	bare.variant[0] = '\0';
	free(want);
	want = image_platform_tag(of, &bare);
	n = strlen(want);
	if (strncmp(tag, want, n) != 0 || tag[n] != '-' || !is_variant(tag + n + 1) ||
		strlen(tag + n + 1) > PLATFORM_PART_MAX)
		return false;
	memcpy(p->variant, tag + n + 1, strlen(tag + n + 1) + 1);
	return true;
}

static const char *const systems[] = { "linux-", "windows-", "freebsd-", "darwin-", "unknown-", NULL };

/* Nothing can be learnt from a damaged image, but that its tag is of this form: whoever looks for damage must not miss it. */
static bool looks_like_platform(const char *suffix)
{
	for (size_t i = 0; systems[i]; i++)
		if (str_starts(suffix, systems[i]))
			return true;
	return false;
}

/* The image in the store is for the platform that its tag names. */
static bool is_platform_of(struct store *s, const struct image_info *info, const char *tag)
{
	auto_image_config *c = NULL;
	auto_image *img = NULL;
	auto_str text = STR_INIT;

	if (image_open(s, info->name, &img, NULL) < 0 || image_read_config(s, img, &text, NULL) < 0 ||
		(img->config_digest && layer_verify(s, img->config_digest, NULL) < 0) ||
		image_config_parse(str_text(&text), text.len, "image configuration", &c, NULL) < 0)
		return looks_like_platform(info->tag + strlen(tag) + 1);
	return image_platform_of(info->tag, tag, &c->platform);
}

int image_platform_names(struct store *s, const char *ref, struct strv *ret, struct err **err)
{
	auto_reference r = REFERENCE_INIT;
	auto_image_list list = { 0 };
	autofree char *prefix = NULL;

	if (reference_parse(ref, &r, err) < 0)
		return -1;
	if (image_exists(s, ref))
		strv_add(ret, ref);
	if (image_list(s, 0, &list, err) < 0)
		return -1;
	prefix = xasprintf("%s-", r.tag);
	for (size_t i = 0; i < list.n; i++) {
		const struct image_info *info = &list.v[i];

		if (strcmp(info->repo, r.name) == 0 && str_starts(info->tag, prefix) &&
			is_platform_of(s, info, r.tag))
			strv_add(ret, info->name);
	}
	return ret->n ? 0 : err_make(err, ERR_NOT_FOUND, "no such image: '%s'", ref);
}
