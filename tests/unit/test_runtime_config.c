/* SPDX-License-Identifier: Apache-2.0 */
/* config.json: what passes the check, what does not and how it is named, readers and edits. */
#include <sys/resource.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static struct json *document(const char *text)
{
	struct json *j = NULL;

	if (json_parse(text, strlen(text), "test", NULL, &j, NULL) < 0)
		ok(false, "test document: %s", text);
	return j;
}

#define TOP(more) "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"}" more "}"
#define PROC(more) TOP(",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]" more "}")

static void passes(const char *text)
{
	auto_json *j = document(text);
	auto_err *err = NULL;

	if (!ok(runtime_config_check(j, &err) == 0, "passes: %.60s", text))
		printf("# %s\n", err_text(err));
}

static void refused(const char *text, const char *path)
{
	auto_json *j = document(text);
	auto_err *err = NULL;

	if (!ok(runtime_config_check(j, &err) < 0 && strstr(err_text(err), path), "refused: %s", path))
		printf("# %s\n", err ? err_text(err) : "passed");
}

static void checks(void)
{
	passes(TOP(""));
	passes(PROC(""));
	passes(TOP(",\"unknown\":{\"x\":[1]}"));
	passes(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":1,\"hard\":18446744073709551615}]"));
	passes("{\"ociVersion\":\"1.0.0-rc5+dev\",\"root\":{\"path\":\"/\"},\"mounts\":null}");
	refused("[]", "config.json: expected an object");
	refused("{\"root\":{\"path\":\"x\"}}", "config.json: ociVersion: missing");
	refused("{\"ociVersion\":\"2.0.0\",\"root\":{\"path\":\"x\"}}", "config.json: ociVersion");
	refused("{\"ociVersion\":\"1.0.2\"}", "config.json: root: missing");
	refused("{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"\"}}", "config.json: root.path");
	refused(TOP(",\"process\":[]"), "config.json: process: expected an object");
	refused(TOP(",\"process\":{\"args\":[\"x\"]}"), "config.json: process.cwd: missing");
	refused(TOP(",\"process\":{\"cwd\":\"tmp\",\"args\":[\"x\"]}"),
		"config.json: process.cwd: 'tmp' is not absolute");
	refused(TOP(",\"process\":{\"cwd\":\"/\"}"), "process.args: missing");
	refused(TOP(",\"process\":{\"cwd\":\"/\",\"args\":[]}"), "process.args: no program");
	refused(TOP(",\"process\":{\"cwd\":\"/\",\"args\":[1]}"), "process.args[0]");
	refused(PROC(",\"env\":\"A=1\""), "process.env");
	refused(PROC(",\"user\":{\"uid\":-1}"), "process.user.uid");
	refused(PROC(",\"user\":{\"gid\":4294967296}"), "process.user.gid");
	refused(PROC(",\"user\":{\"uid\":1.5}"), "process.user.uid");
	refused(PROC(",\"user\":{\"additionalGids\":[1,\"2\"]}"), "process.user.additionalGids[1]");
	refused(PROC(",\"terminal\":1"), "process.terminal");
	refused(PROC(",\"consoleSize\":{\"height\":1}"), "process.consoleSize.width: missing");
	refused(PROC(",\"oomScoreAdj\":2000"), "process.oomScoreAdj");
	refused(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_X\",\"soft\":1,\"hard\":1}]"),
		"process.rlimits[0].type");
	refused(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":-1,\"hard\":1}]"),
		"process.rlimits[0].soft");
	refused(PROC(",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":1},{\"type\":\"RLIMIT_CPU\","
		     "\"soft\":1,\"hard\":1}]"),
		"given twice");
	refused(TOP(",\"mounts\":[{\"destination\":\"tmp\"}]"), "mounts[0].destination");
	refused(TOP(",\"mounts\":[{}]"), "mounts[0].destination: missing");
	refused(TOP(",\"mounts\":[{\"destination\":\"/\",\"options\":\"ro\"}]"), "mounts[0].options");
	refused(TOP(",\"linux\":{\"namespaces\":[{\"type\":\"net\"}]}"), "linux.namespaces[0].type");
	refused(TOP(",\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]}"), "given twice");
	refused(TOP(",\"linux\":{\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]}"),
		"linux.namespaces[0].path");
	refused(TOP(",\"linux\":{\"maskedPaths\":[\"proc\"]}"), "linux.maskedPaths[0]");
	refused(TOP(",\"linux\":{\"uidMappings\":[{\"containerID\":0,\"hostID\":-1,\"size\":1}]}"),
		"uidMappings[0].hostID");
	refused(TOP(",\"linux\":{\"seccomp\":{}}"), "linux.seccomp.defaultAction: missing");
	refused(TOP(",\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}"), "hooks.prestart[0].path");
	refused(TOP(",\"hooks\":{\"poststop\":[{\"path\":\"/x\",\"timeout\":-1}]}"),
		"hooks.poststop[0].timeout");
	refused(TOP(",\"annotations\":{\"a\":1}"), "annotations.a");
	refused(TOP(",\"hostname\":7"), "config.json: hostname");
}

static void processes(void)
{
	auto_json *j = document(PROC(
		",\"env\":[\"A=1\"],\"terminal\":true,\"consoleSize\":{\"height\":24,\"width\":80},"
		"\"user\":{\"uid\":1,\"gid\":2,\"umask\":18,\"additionalGids\":[5,6]},\"oomScoreAdj\":-5,"
		"\"noNewPrivileges\":true,\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":10,"
		"\"hard\":18446744073709551615}]"));
	auto_runtime_process p = RUNTIME_PROCESS_INIT, none = RUNTIME_PROCESS_INIT;
	auto_json *empty = document("{}");
	auto_err *err = NULL;

	if (!ok(runtime_process_read(json_get(j, "process"), "process", &p, NULL) == 0, "process"))
		return;
	is_str(p.args.v[0], "sh", "args");
	is_str(p.env.v[0], "A=1", "env");
	ok(p.terminal && p.has_console_size && p.console_width == 80 && p.console_height == 24, "terminal");
	ok(p.uid == 1 && p.gid == 2 && p.n_groups == 2 && p.groups[1] == 6, "ids");
	ok(p.has_umask && p.umask == 022, "umask");
	ok(p.has_oom_score_adj && p.oom_score_adj == -5 && p.no_new_privileges,
		"oom score, no new privileges");
	ok(p.n_rlimits == 1 && p.rlimits[0].resource == RLIMIT_NOFILE && p.rlimits[0].soft == 10 &&
			p.rlimits[0].hard == UINT64_MAX,
		"rlimits");
	ok(runtime_process_read(empty, "process", &none, &err) < 0 && strstr(err_text(err), "process.cwd"),
		"empty one");
}

static void mounts_and_hooks(void)
{
	auto_json *j = document(
		TOP(",\"mounts\":[{\"destination\":\"/proc/\",\"type\":\"proc\",\"source\":\"proc\"},"
		    "{\"destination\":\"/a//b\",\"source\":\"x\",\"options\":[\"rbind\",\"ro\"]}],"
		    "\"hooks\":{\"poststop\":[{\"path\":\"/"
		    "h\",\"args\":[\"h\",\"1\"],\"env\":[],\"timeout\":3}]}"));
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;
	auto_runtime_hooks h = RUNTIME_HOOKS_INIT, none = RUNTIME_HOOKS_INIT;

	if (!ok(runtime_mounts_read(j, &m, NULL) == 0 && m.n == 2, "mounts"))
		return;
	is_str(m.items[0].destination, "/proc", "clean destination");
	ok(!m.items[0].bind, "proc is no bind");
	is_str(m.items[1].destination, "/a/b", "clean destination again");
	is_str(m.items[1].type, "bind", "type from the options");
	ok(m.items[1].bind && m.items[1].recursive && m.items[1].readonly, "rbind, ro");
	if (!ok(runtime_hooks_read(j, HOOK_POSTSTOP, &h, NULL) == 0 && h.n == 1, "hooks"))
		return;
	ok(h.items[0].has_env && h.items[0].timeout == 3 && h.items[0].args.n == 2, "hook");
	ok(runtime_hooks_read(j, HOOK_PRESTART, &none, NULL) == 0 && none.n == 0, "no hooks of another kind");
}

static void edits(void)
{
	auto_json *j = runtime_config_new("ROOT");
	auto_strv args = STRV_INIT;
	static const char *const options[] = { "rbind", NULL };
	const char *path = "x";
	auto_runtime_mounts m = RUNTIME_MOUNTS_INIT;

	ok(runtime_config_check(j, NULL) < 0, "the empty frame has no program");
	strv_add(&args, "true");
	runtime_set_args(j, &args);
	runtime_set_annotation(j, "k", "v");
	is_str(runtime_annotation(j, "k"), "v", "annotation");
	runtime_set_annotation(j, "k", NULL);
	ok(!runtime_annotation(j, "k"), "annotation gone");
	runtime_add_mount(j, "/d", "bind", "/s", options);
	runtime_add_namespace(j, "user");
	runtime_add_namespace(j, "user");
	ok(runtime_namespace(j, "user", &path) && path == NULL, "namespace");
	ok(!runtime_namespace(j, "pid", NULL), "another is not there");
	is_int(json_len(json_path(j, "linux", "namespaces", NULL)), 1, "only once");
	runtime_remove_namespace(j, "user");
	ok(!runtime_namespace(j, "user", NULL), "namespace gone");
	runtime_set_id_maps(j, 0, 1000, 0, 1001);
	ok(runtime_config_check(j, NULL) == 0, "the result passes the check");
	ok(runtime_mounts_read(j, &m, NULL) == 0 && m.n == 1 && m.items[0].bind, "and has its mount");
	is_str(runtime_root_path(j), "ROOT", "root path");
	ok(!runtime_root_readonly(j) && !runtime_hostname(j), "defaults");
}

static void examples(void)
{
	auto_json *rootful = runtime_config_example(false, 0, 0),
		  *rootless = runtime_config_example(true, 7, 8);
	int64_t host = 0;

	ok(runtime_config_check(rootful, NULL) == 0, "the example passes");
	ok(runtime_config_check(rootless, NULL) == 0, "the rootless example passes");
	ok(runtime_namespace(rootless, "user", NULL) && !runtime_namespace(rootless, "network", NULL),
		"namespaces");
	(void)json_to_i64(
		json_get(json_at(json_path(rootless, "linux", "gidMappings", NULL), 0), "hostID"), &host);
	is_int(host, 8, "gid map");
}

int main(void)
{
	int minor = -1;

	checks();
	processes();
	mounts_and_hooks();
	edits();
	examples();
	ok(runtime_version_parse("1.2.0", &minor) == 0 && minor == 2, "version 1.2.0");
	ok(runtime_version_parse("1.0", NULL) < 0 && runtime_version_parse("1.0.", NULL) < 0,
		"short versions");
	ok(runtime_version_parse("11.0.0", NULL) < 0 && runtime_version_parse("1.0.0x", NULL) < 0,
		"wrong versions");
	ok(runtime_version_parse("", NULL) < 0 && runtime_version_parse("1.99999999999.0", NULL) < 0,
		"wilder ones");
	return tap_done();
}
