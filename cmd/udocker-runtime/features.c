/* SPDX-License-Identifier: Apache-2.0 */
/* features: the features document of the runtime specification, of one engine or of all together. */
#include "oci-spec/runtime_features.h"

#include "cmd/udocker-runtime/program.h"
#include "engines/engine.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/cli/output.h"
#include "pkg/runtime/lifecycle.h"

#define ANSWER_MAX ((size_t)1 << 20)
#define ANSWER_MS 10000

static const char *const hooks[] = { "prestart", "createRuntime", "createContainer", "startContainer",
	"poststart", "poststop", NULL };
static const char *const all_namespaces[] = { "cgroup", "ipc", "mount", "network", "pid", "user", "uts",
	NULL };
static const char *const all_mount_options[] = { "async", "atime", "bind", "defaults", "dev", "diratime",
	"dirsync", "exec", "iversion", "lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec",
	"noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "private", "rbind",
	"relatime", "remount", "ro", "rprivate", "rshared", "rslave", "runbindable", "rw", "shared", "silent",
	"slave", "strictatime", "suid", "sync", "unbindable", NULL };

static bool does(const struct engine *e, const char *property)
{
	enum engine_how how = engine_answer_here(e, property)->how;

	return how == ENGINE_APPLIES || how == ENGINE_EMULATES;
}

/* What a direct engine really does, from its answers. */
static struct json *of_direct(const struct engine *e)
{
	static const char *const annotations[] = { "org.udocker.runtime.version", UDOCKER_VERSION, NULL };
	const char *namespaces[ARRAY_LEN(all_namespaces)] = { NULL };
	const char *options[] = { "bind", "rbind", "rw", does(e, "mounts.readonly") ? "ro" : NULL, NULL };
	size_t n = 0;
	const struct runtime_features f = {
		.oci_version_min = RUNTIME_SPEC_OLDEST,
		.oci_version_max = RUNTIME_SPEC_NEWEST,
		.hooks = hooks,
		.mount_options = options,
		.namespaces = namespaces,
		.annotations = annotations,
		.has_seccomp = true,
		.seccomp = does(e, "linux.seccomp"),
	};

	for (size_t i = 0; all_namespaces[i]; i++) {
		autofree char *property = xasprintf("linux.namespaces.%s", all_namespaces[i]);

		if (does(e, property))
			namespaces[n++] = all_namespaces[i];
	}
	return runtime_features_to_json(&f);
}

static struct json *of_all(void)
{
	static const char *const annotations[] = { "org.udocker.runtime.version", UDOCKER_VERSION, NULL };
	const struct runtime_features f = {
		.oci_version_min = RUNTIME_SPEC_OLDEST,
		.oci_version_max = RUNTIME_SPEC_NEWEST,
		.hooks = hooks,
		.mount_options = all_mount_options,
		.namespaces = all_namespaces,
		.annotations = annotations,
		.has_seccomp = true,
		.seccomp = true,
	};

	return runtime_features_to_json(&f);
}

/* A delegate's own answer; NULL from one that is too old to have any. */
static struct json *of_delegate(const char *path)
{
	char *argv[] = { xstrdup(path), xstrdup("features"), NULL };
	struct proc_spawn s = PROC_SPAWN_INIT;
	auto_str text = STR_INIT;
	auto_json *j = NULL;
	int status = 1;

	s.path = path;
	s.argv = argv;
	s.fd_in = s.fd_err = PROC_NULL;
	if (proc_capture(&s, ANSWER_MAX, ANSWER_MS, &text, &status, NULL) == 0 && status == 0)
		(void)json_parse(str_text(&text), text.len, "features", NULL, &j, NULL);
	free(argv[0]);
	free(argv[1]);
	if (!json_is(j, JSON_OBJECT))
		return NULL;
	json_set_str(j, "ociVersionMin", RUNTIME_SPEC_OLDEST);
	json_set_str(j, "ociVersionMax", RUNTIME_SPEC_NEWEST);
	json_set_str(json_need_object(j, "annotations"), "org.udocker.runtime.version", UDOCKER_VERSION);
	return steal_ptr(&j);
}

/* Of the engine that was asked for. */
static int of_engine(const struct runtime_globals *g, struct json **ret, struct err **err)
{
	const char *mode = g->engine.switch_mode;
	const struct engine *e =
		g->engine.switch_engine ? engine_by_name(g->engine.switch_engine) : engine_by_mode(mode);
	auto_engine_probe probe = { 0 };

	if (!e)
		return err_make(err, ERR_USAGE, "unknown engine or mode '%s'",
			g->engine.switch_engine ? g->engine.switch_engine : mode);
	if (e->probe(mode ? mode : e->modes[0], &probe, err) < 0)
		return -1;
	if (!probe.available)
		return err_make(err, ERR_ENGINE, "engine %s: %s", e->name,
			probe.reason ? probe.reason : "does not work here");
	*ret = e->kind == ENGINE_DIRECT ? of_direct(e) : of_delegate(probe.path);
	return 0;
}

static int features_run(const struct cli_call *call, struct err **err)
{
	struct runtime_globals g = runtime_globals_of(call);
	auto_json *j = NULL;

	if (g.engine.switch_engine || (g.engine.switch_mode && !str_eq(g.engine.switch_mode, "auto"))) {
		if (runtime_load_conf(call, err) < 0)
			return -1;
		runtime_remember_probes(&g);
		if (of_engine(&g, &j, err) < 0)
			return -1;
	}
	if (!j)
		j = of_all();
	output_json(j);
	return 0;
}

const struct cli_command cmd_runtime_features = {
	.name = "features",
	.max_args = 0,
	.summary = "print what this runtime knows, for programs",
	.about = "The document lists what some engine can do; with --engine or --execmode, what that one "
		 "does. Which engine does what "
		 "is in udocker-engines(7).",
	.run = features_run,
};
