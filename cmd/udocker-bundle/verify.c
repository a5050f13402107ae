/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle verify: containers beside the images they were made of; each difference is told. */
#include "pkg/bundle/verify.h"

#include "cmd/udocker-bundle/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/store/store.h"

static void report(enum verify_kind kind, const char *path, const char *text, void *arg)
{
	static const char *const words[] = { "missing", "changed", "extra" };
	const char *container = arg;

	log_error("container %s: %s: '%s'%s%s", container, words[kind], path, text ? ": " : "",
		text ? text : "");
}

static int verify_one(struct store *s, const char *text, bool progress, struct err **err)
{
	struct verify_result result = { 0 };
	int r = bundle_verify(s, text, progress, report, (void *)(uintptr_t)text, &result, err);

	if (r == 0 && result.n[VERIFY_MISSING] + result.n[VERIFY_CHANGED] + result.n[VERIFY_EXTRA] > 0)
		r = err_make(err, ERR_CORRUPT,
			"container %s is not as image %s made it: %llu missing, %llu changed, %llu extra",
			text, result.image, (unsigned long long)result.n[VERIFY_MISSING],
			(unsigned long long)result.n[VERIFY_CHANGED],
			(unsigned long long)result.n[VERIFY_EXTRA]);
	else if (r == 0)
		printf("%s: ok\n", text);
	verify_result_free(&result);
	return r;
}

static int verify_run(const struct cli_call *call, struct err **err)
{
	const struct bundle_globals *g = call->global;
	auto_store *s = NULL;
	int status = 0;

	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	for (int i = 0; i < call->argc; i++) {
		auto_err *e = NULL;

		if (verify_one(s, call->argv[i], bundle_wants_progress(g), &e) == 0)
			continue;
		if (call->argc == 1 || sig_interrupted())
			return err_move(err, &e);
		bundle_report(e);
		status = 1;
	}
	return status;
}

static const char about[] = "Compares type, content, permissions and link targets of all files of a "
			    "container with the layers of its "
			    "image, and its metadata with the image's configuration. Prints 'CONTAINER: ok', "
			    "or a line for everything "
			    "that is missing, changed or extra; the exit status is then 1.\n"
			    "\n"
			    "What use has changed is told like damage; where the time of a file is still the "
			    "image's, that is said. "
			    "Owners, times, extended attributes and set-id bits are not compared, and mount "
			    "points that runs have made "
			    "are no difference. The image must be in the store, and its layers are checked "
			    "against their digests.";

const struct cli_command cmd_bundle_verify = {
	.name = "verify",
	.args = "CONTAINER…",
	.min_args = 1,
	.max_args = -1,
	.summary = "compare containers with their images",
	.about = about,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = verify_run,
};
