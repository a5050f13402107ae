/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-bundle config: the config.json that a run with these options would use. */
#include <errno.h>
#include <fcntl.h>

#include "cmd/udocker-bundle/config.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/options.h"
#include "pkg/cli/run_options.h"
#include "pkg/store/containers.h"
#include "pkg/store/store.h"

struct config_options {
	struct run_options run; /* first: run_config_options fills it */
	const char *output;
};

static const struct cli_option config_options[] = {
	{ .name = "output",
		.letter = 'o',
		.kind = CLI_KIND_STRING,
		.metavar = "FILE",
		.offset = offsetof(struct config_options, output),
		.text = "write to this file instead of the standard output",
		.complete = CLI_COMPLETE_FILE },
	CLI_END
};
static const struct cli_option *const more_options[] = { run_config_options, run_docker_options, NULL };

static int print(const struct json *config, const char *output, struct err **err)
{
	auto_str text = STR_INIT;

	json_write(config, JSON_PRETTY, &text);
	if (!output || str_eq(output, "-")) {
		if (fd_write_all(STDOUT_FILENO, str_text(&text), text.len) < 0)
			return err_sys(err, errno, "write config.json");
		return 0;
	}
	return atomic_write_path(output, str_text(&text), text.len, 0644, err);
}

/* ---- a container of the store ---- */

static int of_container(
	const char *name, const struct bundle_options *o, const char *output, struct err **err)
{
	auto_store *s = NULL;
	auto_container *c = NULL;
	auto_json *config = NULL;

	if (store_open(STORE_READ, &s, err) < 0 || container_open(s, name, &c, err) < 0)
		return -1;
	if (bundle_config_of_container(s, c, o, &config, err) < 0)
		return err_add(err, "container %s", name);
	return print(config, output, err);
}

/* ---- a free-standing bundle ---- */

/* What its config.json says of the process, in the words of an image: so that the same rules can be applied to it. */
static struct json *image_from_config(const struct json *config)
{
	struct json *j = json_new_object(), *c = json_need_object(j, "config");
	const struct json *process = json_get(config, "process"),
			  *annotations = json_get(config, "annotations");
	int64_t uid = 0, gid = 0;
	autofree char *user = NULL;

	(void)json_to_i64(json_path(process, "user", "uid", NULL), &uid); /* absent: 0 */
	(void)json_to_i64(json_path(process, "user", "gid", NULL), &gid);
	user = xasprintf("%lld:%lld", (long long)uid, (long long)gid);
	json_set_str(c, "User", user);
	json_set_str(c, "WorkingDir", json_str(json_get(process, "cwd")));
	if (json_get(process, "args"))
		json_set(c, "Cmd", json_clone(json_get(process, "args")));
	if (json_get(process, "env"))
		json_set(c, "Env", json_clone(json_get(process, "env")));
	if (annotations)
		json_set(c, "Labels", json_clone(annotations));
	return j;
}

static int of_bundle(const char *path, const struct bundle_options *o, const char *output, struct err **err)
{
	static const struct json_limits limits = { .bytes = RUNTIME_CONFIG_MAX_BYTES };
	autoclose int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_json *old = NULL, *image = NULL, *config = NULL;
	autofree char *dir = NULL;
	struct bundle_source src = BUNDLE_SOURCE_INIT;

	if (fd < 0)
		return err_sys(err, errno, "bundle %s", path);
	dir = fs_fd_path(fd);
	if (!dir)
		return err_sys(err, errno, "path of %s", path);
	if (json_read(fd, CONTAINER_FILE_CONFIG, &limits, &old, err) < 0 ||
		runtime_config_check(old, err) < 0)
		return err_add(err, "bundle %s", path);
	image = image_from_config(old);
	src.dir = dir;
	src.dirfd = fd;
	src.root = runtime_root_path(old);
	src.image = image;
	if (bundle_config_make(&src, o, &config, err) < 0)
		return err_add(err, "bundle %s", path);
	return print(config, output, err);
}

static int config_run(const struct cli_call *call, struct err **err)
{
	const struct config_options *c = call->options;
	struct bundle_options o;
	auto_strv command = STRV_INIT;

	bundle_options_from_run(&c->run, &o);
	for (int i = 1; i < call->argc; i++)
		strv_add(&command, call->argv[i]);
	o.command = &command;
	/* No container's name has a slash or a dot. */
	if (strpbrk(call->argv[0], "/."))
		return of_bundle(call->argv[0], &o, c->output, err);
	return of_container(call->argv[0], &o, c->output, err);
}

static const char about[] = "Computes what `udocker run` with the same options would start and prints it. "
			    "The container folder is not changed.\n"
			    "\n"
			    "DIR, recognised by a slash or a dot, is a bundle made by create --bundle or by "
			    "another tool: what its config.json says "
			    "of the process takes the place of the image's configuration.";

const struct cli_command cmd_bundle_config = {
	.name = "config",
	.args = "CONTAINER|DIR [CMD ARG…]",
	.min_args = 1,
	.max_args = -1,
	.summary = "print the config.json of a run",
	.about = about,
	.examples = "udocker-bundle config -v /data -e DEBUG=1 web /bin/app\n"
		    "udocker-bundle config web | udocker-runtime run -b ~/.udocker/containers/ID --config-fd "
		    "0 web1",
	.options = config_options,
	.more_options = more_options,
	.complete = CLI_COMPLETE_CONTAINER,
	.run = config_run,
	.size = sizeof(struct config_options),
};
