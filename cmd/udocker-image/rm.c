/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image rm and prune: tags with the layers nobody else uses, and what was left over. */
#include <stdio.h>

#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/sig.h"
#include "pkg/base/strv.h"
#include "pkg/cli/output.h"
#include "pkg/store/gc.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

struct rm_opts {
	bool force;
};

static const struct cli_option rm_options[] = {
	CLI_FLAG("force", 'f', struct rm_opts, force, "do not mind if an image is not there"),
	CLI_END,
};

static int rm_one(struct store *s, const char *ref, bool force, struct strv *dropped, struct err **err)
{
	struct err *e = NULL;

	if (image_remove(s, ref, dropped, &e) == 0) {
		if (cli_called_as())
			log_info("deleting image: %s", ref);
		return 0;
	}
	/* 1.3.x fails for what is unknown, with -f as well. */
	if (force && err_is(e, ERR_NOT_FOUND) && !cli_called_as()) {
		err_free(e);
		return 0;
	}
	return err_move(err, &e);
}

static int rm_run(const struct cli_call *call, struct err **err)
{
	const struct rm_opts *o = call->options;
	auto_strv dropped = STRV_INIT;
	auto_store *s = NULL;
	int status = 0;

	if (store_open(STORE_UPDATE, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc && !sig_interrupted(); i++) {
		struct err *e = NULL;

		if (rm_one(s, call->argv[i], o->force, &dropped, &e) == 0)
			continue;
		if (call->argc == 1)
			return err_move(err, &e);
		cmd_image_report(&e);
		status = 1;
	}
	/* Once for all of them: the links of all images are read for it. */
	if (dropped.n)
		gc_drop(s, &dropped);
	return status;
}

const struct cli_command cmd_image_rm = {
	.name = "rm",
	.args = "NAME[:TAG|@DIGEST]…",
	.min_args = 1,
	.max_args = -1,
	.summary = "remove images",
	.about = "Removes tags, and the layers that no other tag uses. A protected image stays.",
	.options = rm_options,
	.complete = CLI_COMPLETE_IMAGE,
	.run = rm_run,
	.size = sizeof(struct rm_opts),
	.options_anywhere = true,
};

/* ---- prune ---- */

struct prune_opts {
	bool dry_run;
	const char *min_age;
};

static const struct cli_option prune_options[] = {
	CLI_FLAG("dry-run", 'n', struct prune_opts, dry_run, "only tell what would be removed"),
	{ .name = "min-age",
		.kind = CLI_KIND_STRING,
		.metavar = "SECONDS",
		.offset = offsetof(struct prune_opts, min_age),
		.text = "leave alone what is younger; 600 if not given" },
	CLI_END,
};

static int prune_run(const struct cli_call *call, struct err **err)
{
	const struct prune_opts *o = call->options;
	struct gc_result r = GC_RESULT_INIT;
	char size[NUM_SIZE_LEN];
	auto_store *s = NULL;
	int age = GC_MIN_AGE_S;
	int ret;

	if (o->min_age && num_parse_int(o->min_age, 0, INT32_MAX, &age) < 0)
		return err_make(err, ERR_USAGE, "--min-age=%s: expected a number of seconds", o->min_age);
	if (store_open(o->dry_run ? STORE_READ : STORE_UPDATE, &s, err) < 0)
		return -1;
	ret = gc_collect(s, o->dry_run ? GC_DRY_RUN : 0, age, &r, err);
	for (size_t i = 0; i < r.blobs.n; i++)
		output_line(r.blobs.v[i]);
	if (ret == 0)
		log_info("%s %s in %zu layers", o->dry_run ? "would free" : "freed",
			num_format_size(r.bytes, size), r.blobs.n);
	gc_result_free(&r);
	return ret;
}

const struct cli_command cmd_image_prune = {
	.name = "prune",
	.summary = "remove layers that no image uses",
	.about = "Also removes what interrupted commands left behind. What is younger than ten minutes "
		 "stays: a udocker 1.3.x "
		 "may be about to use it; ours may work at the same time whatever the age. Prints the names "
		 "of "
		 "the layers.",
	.options = prune_options,
	.run = prune_run,
	.size = sizeof(struct prune_opts),
};
