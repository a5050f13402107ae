/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image verify: every part of an image is read and hashed; each damage is told. */
#include <stdio.h>
#include <string.h>

#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/image/platforms.h"
#include "pkg/image/verify.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

/* 1.3.x tells its steps on the standard output, unless quiet. */
static void tell(bool as_udocker, const char *text, const char *what)
{
	if (as_udocker && log_level() >= LOG_LEVEL_INFO)
		printf("Info: %s%s\n", text, what);
}

struct findings {
	bool as_udocker;
	struct strv bad;
};

/* Errors of the rooms below begin with the layer's name, or with the image's and then the layer's. */
static const char *without_name(const char *text, const char *what)
{
	const char *at = strstr(text, what);

	if (!at || (at != text && !str_starts(text, "layer ") && !str_starts(text, "image ")))
		return text;
	at += strlen(what);
	at += strspn(at, ": ");
	return *at ? at : text;
}

static void report(enum fsck_state state, enum fsck_part part, const char *what, const char *text, void *arg)
{
	static const char *const parts[] = {
		[FSCK_CONFIG] = "configuration",
		[FSCK_LAYER] = "layer",
		[FSCK_FILE] = "file",
	};
	struct findings *f = arg;

	if (state == FSCK_BAD)
		strv_addf(&f->bad, "%s %s: %s", parts[part], what, without_name(text, what));
	else if (part == FSCK_LAYER)
		tell(f->as_udocker, "layer ok: ", what);
	if (state == FSCK_UNCHECKED)
		log_verbose("%s: nothing says what its digest should be", what);
}

/* Returns 1 when damage was found in an image that is no longer the one under this name, else 0 or -1. */
static int verify_once(struct store *s, const char *ref, bool last, struct err **err)
{
	struct findings f = { .as_udocker = cli_called_as() != NULL };
	auto_image *img = NULL;
	int bad, r = 0;

	if (image_open_held(s, ref, &img, err) < 0)
		return -1;
	tell(f.as_udocker, "verifying: ", img->name);
	tell(f.as_udocker, "loading structure", "");
	tell(f.as_udocker, "verifying layers", "");
	bad = image_verify(s, img, report, &f, err);
	if (bad > 0 && !last && !image_is_current(img)) {
		strv_free(&f.bad);
		return 1;
	}
	for (size_t i = 0; i < f.bad.n; i++)
		log_error("%s", f.bad.v[i]);
	if (bad > 0) {
		err_make(err, ERR_CORRUPT, "image %s is damaged", img->name);
		r = err_hint(err, "load or pull it again");
	} else if (bad < 0)
		r = -1;
	else if (f.as_udocker)
		tell(true, "image Ok", "");
	else
		printf("%s: ok\n", img->name);
	strv_free(&f.bad);
	return r;
}

static int verify_one(struct store *s, const char *ref, struct err **err)
{
	int r = 1;

	/* Whoever replaces it each time we look wins in the end. */
	for (int left = 9; r > 0; left--)
		r = verify_once(s, ref, left == 0, err);
	return r;
}

struct verify_opts {
	bool all;
};

static const struct cli_option verify_options[] = {
	CLI_FLAG("all", 'a', struct verify_opts, all, "with the images for all platforms"),
	CLI_END,
};

static int verify_run(const struct cli_call *call, struct err **err)
{
	const struct verify_opts *o = call->options;
	auto_strv refs = STRV_INIT;
	auto_store *s = NULL;
	int status = 0;

	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc; i++)
		if (!o->all)
			strv_add(&refs, call->argv[i]);
		else if (image_platform_names(s, call->argv[i], &refs, err) < 0)
			return -1;
	for (size_t i = 0; i < refs.n; i++) {
		struct err *e = NULL;

		if (verify_one(s, refs.v[i], &e) == 0)
			continue;
		if (refs.n == 1)
			return err_move(err, &e);
		cmd_image_report(&e);
		status = 1;
	}
	return status;
}

const struct cli_command cmd_image_verify = {
	.name = "verify",
	.args = "NAME[:TAG|@DIGEST]…",
	.min_args = 1,
	.max_args = -1,
	.summary = "check that images are whole",
	.about =
		"Reads the configuration and every layer, compares digests and sizes, unpacks each layer to "
		"compare "
		"its diff id, looks at all that lies in the image's folder, and prints 'NAME:TAG: ok'. Each "
		"damage is "
		"an error line; the exit status is 1 if there is one. Layers that the image does not use are "
		"no "
		"damage. Of images that udocker 1.3.x loaded from docker archives not every digest is known.",
	.options = verify_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = verify_run,
	.size = sizeof(struct verify_opts),
	.options_anywhere = true,
};
