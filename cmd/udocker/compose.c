/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands whose operand may be a container or an image: `inspect`, `protect`, `unprotect`. Containers win, as in 1.3.x; images win in `verify`,
 * which is for them alone there. The store is only looked at; the work is the sibling's.
 */
#include "cmd/udocker/program.h"

#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

struct inspect_opts {
	bool path;
};

static const struct cli_option inspect_options[] = {
	CLI_FLAG("path", 'p', struct inspect_opts, path, "print the path of a container's root directory"),
	CLI_END,
};

/* Containers win, but the beginning of an id, which 1.3.x does not know, does not shadow an image. */
bool udocker_means_container(struct store *s, const char *text)
{
	return container_exists(s, text) && (container_is_exact(s, text) || !image_exists(s, text));
}

/* The sibling that knows this name. */
static int owner_of(const char *name, const char **ret_program, struct err **err)
{
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	if (udocker_means_container(s, name)) {
		*ret_program = "udocker-bundle";
	} else if (image_exists(s, name)) {
		*ret_program = "udocker-image";
	} else {
		(void)err_make(err, ERR_NOT_FOUND, "no such container or image: '%s'", name);
		return err_hint(err, "see 'udocker ps' and 'udocker images'");
	}
	return 0;
}

static int compose_run(const struct cli_call *call, struct err **err)
{
	const struct inspect_opts *o = call->options;
	const char *program = NULL, *name = call->argv[0];
	auto_strv words = STRV_INIT;

	if (owner_of(name, &program, err) < 0) {
		if (call->command != &cmd_udocker_unprotect || !err_is(*err, ERR_NOT_FOUND))
			return -1;
		/* 1.3.x: what is not protected is as it should be. */
		log_warning("%s", err_text(*err));
		err_free(*err);
		*err = NULL;
		return 0;
	}
	if (udocker_sibling_words(call, program, call->command->name, &words, err) < 0)
		return -1;
	if (call->command == &cmd_udocker_inspect && o->path) {
		if (str_eq(program, "udocker-image"))
			return err_make(err, ERR_USAGE, "'%s' is an image: -p is for containers", name);
		strv_add(&words, "-p");
	}
	strv_add(&words, name);
	return udocker_exec(&words, err);
}

const struct cli_command cmd_udocker_inspect = {
	.name = "inspect",
	.args = "CONTAINER|REPO[:TAG]",
	.min_args = 1,
	.max_args = 1,
	.summary = "show the metadata of a container or image",
	.options = inspect_options,
	.complete = CLI_COMPLETE_IMAGE_OR_CONTAINER,
	.run = compose_run,
	.size = sizeof(struct inspect_opts),
};

const struct cli_command cmd_udocker_protect = {
	.name = "protect",
	.args = "CONTAINER|REPO[:TAG]",
	.min_args = 1,
	.max_args = 1,
	.summary = "keep a container or image from being removed",
	.complete = CLI_COMPLETE_IMAGE_OR_CONTAINER,
	.run = compose_run,
};

const struct cli_command cmd_udocker_unprotect = {
	.name = "unprotect",
	.args = "CONTAINER|REPO[:TAG]",
	.min_args = 1,
	.max_args = 1,
	.summary = "let a container or image be removed again",
	.complete = CLI_COMPLETE_IMAGE_OR_CONTAINER,
	.run = compose_run,
};

static int verify_run(const struct cli_call *call, struct err **err)
{
	const char *program = "udocker-image";
	auto_strv words = STRV_INIT;
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0)
		return -1;
	if (!image_exists(s, call->argv[0]) && container_exists(s, call->argv[0]))
		program = "udocker-bundle";
	if (udocker_sibling_words(call, program, "verify", &words, err) < 0)
		return -1;
	for (int i = 0; i < call->argc; i++)
		strv_add(&words, call->argv[i]);
	return udocker_exec(&words, err);
}

const struct cli_command cmd_udocker_verify = {
	.name = "verify",
	.args = "REPO[:TAG]…|CONTAINER…",
	.min_args = 1,
	.max_args = -1,
	.summary = "check that images are whole, or what containers have become of theirs",
	.about = "All operands are images, or all are containers. See udocker-image(1) and udocker-bundle(1) "
		 "for what "
		 "is compared.",
	.complete = CLI_COMPLETE_IMAGE_OR_CONTAINER,
	.run = verify_run,
};

/* 1.3.x takes the options in front of the word `inspect`; behind it they are as good (FIX-04). */
static int manifest_run(const struct cli_call *call, struct err **err)
{
	auto_strv words = STRV_INIT;
	bool found = false;

	if (udocker_sibling_words(call, "udocker-image", "manifest", &words, err) < 0)
		return -1;
	for (int i = 0; i < call->argc; i++) {
		if (!found && str_eq(call->argv[i], "inspect"))
			found = true;
		else
			strv_add(&words, call->argv[i]);
		found = found || str_eq(call->argv[i], "--help");
	}
	if (!found)
		return err_make(err, ERR_USAGE, "the command is 'manifest inspect'");
	return udocker_exec(&words, err);
}

const struct cli_command cmd_udocker_manifest = {
	.name = "manifest",
	.args = "inspect REPO[:TAG][@DIGEST]",
	.max_args = -1,
	.summary = "show the manifest of an image in its registry",
	.forward_to = "udocker-image",
	.forward_as = "manifest",
	.run = manifest_run,
};
