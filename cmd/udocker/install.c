/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `install`: where this machine has an engine that works and nobody has said where others are to come from, it says so and fetches nothing. All
 * else is `udocker-image fetch-engines`.
 */
#include "cmd/udocker/program.h"

#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define ANSWER_MAX ((size_t)4 << 20)

/* What --repo and --config have set, as variables: the runtime has no such options. */
static int pass_settings_on(struct err **err)
{
	for (const struct conf_row *row = conf_table(); row < conf_table() + CONF_N; row++)
		if (row->env && !conf_is_default(row->key) && setenv(row->env, conf_str(row->key), 1) < 0)
			return err_sys(err, errno, "environment");
	return 0;
}

/* The answer of `udocker-runtime engines`. */
static int ask_runtime(const struct cli_call *call, struct json **ret, struct err **err)
{
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	auto_strv words = STRV_INIT;
	auto_str out = STR_INIT_MAX(ANSWER_MAX);
	int status = 0;

	if (udocker_sibling_words(call, "udocker-runtime", "engines", &words, err) < 0)
		return -1;
	if (pass_settings_on(err) < 0)
		return -1;
	strv_add(&words, "--format=json");
	spawn.path = words.v[0];
	spawn.argv = strv_argv(&words);
	if (proc_capture(&spawn, ANSWER_MAX, 0, &out, &status, err) < 0)
		return -1;
	if (status != 0)
		return err_make(err, ERR_ENGINE, "udocker-runtime engines ended with %d", status);
	return json_parse(str_text(&out), out.len, "udocker-runtime engines", NULL, ret, err);
}

/* The row i and those behind it that differ from it in their modes alone, as one; returns the next one. */
static size_t say_engine(const struct json *engines, size_t i)
{
	const struct json *first = json_at(engines, i);
	const char *name = json_str(json_get(first, "name")), *path = json_str(json_get(first, "path"));
	auto_strv modes = STRV_INIT;
	autofree char *text = NULL;

	for (; i < json_len(engines); i++) {
		const struct json *e = json_at(engines, i);

		if (!str_eq(json_str(json_get(e, "name")), name) || !json_true(json_get(e, "available")))
			break;
		for (size_t k = 0; k < json_len(json_get(e, "modes")); k++)
			strv_add(&modes, json_str(json_at(json_get(e, "modes"), k)));
	}
	text = strv_join(&modes, " ");
	log_info("%s %s works: %s (%s)", name, json_str(json_get(first, "version")), path, text);
	return i;
}

/* Of those that are installed, and run any container: the trap engine comes with us, the others are there for who asks for them. */
static bool counts(const struct json *e)
{
	static const char *const names[] = { "crun", "runc", "runsc", "proot" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(json_str(json_get(e, "name")), names[i]))
			return json_true(json_get(e, "available"));
	return false;
}

/* Is there one? Then all that work are told. */
static bool host_has_engines(const struct json *engines)
{
	bool any = false;

	for (size_t i = 0; i < json_len(engines); i++)
		any |= counts(json_at(engines, i));
	for (size_t i = 0; any && i < json_len(engines);)
		i = json_true(json_get(json_at(engines, i), "available")) ? say_engine(engines, i) : i + 1;
	return any;
}

static int install_run(const struct cli_call *call, struct err **err)
{
	auto_strv words = STRV_INIT;

	if (call->argc == 0 && conf_is_default(CONF_TARBALL)) {
		auto_json *engines = NULL;

		if (ask_runtime(call, &engines, err) < 0)
			return -1;
		if (host_has_engines(engines)) {
			log_info("nothing was fetched; --from installs an archive, --force that of the "
				 "setting tarball");
			return 0;
		}
	}
	if (udocker_sibling_words(call, call->command->forward_to, call->command->forward_as, &words, err) <
		0)
		return -1;
	for (int i = 0; i < call->argc; i++)
		strv_add(&words, call->argv[i]);
	return udocker_exec(&words, err);
}

const struct cli_command cmd_udocker_install = {
	.name = "install",
	.max_args = -1,
	.summary = "install engines where the machine has none",
	.forward_to = "udocker-image",
	.forward_as = "fetch-engines",
	.run = install_run,
};
