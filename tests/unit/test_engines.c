/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of an engine, its answers, probes and what is remembered of them; with a PRoot that is a script and counts its calls. */
#include "engines/engine.h"

#include <sys/syscall.h>

#include "engines/ability.h"
#include "engines/common.h"
#include "engines/compat_filter.h"
#include "engines/find.h"
#include "engines/probe_cache.h"
#include "engines/proot.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char top[64];
static int topfd;

/* Writes a line per call beside itself; says what Debian's says; runs what follows "-w /". */
static const char script[] =
	"#!/bin/sh\n"
	"echo call >>\"$0.calls\"\n"
	"case \"$*\" in\n"
	"*--help*) echo 'proot 5.1.0: chroot'; echo '  -i *string*, --change-id=*string*' ;;\n"
	"*--version*) echo 'built-in accelerators: process_vm = yes, seccomp_filter = no' ;;\n"
	"*--kernel-release*) exit 3 ;;\n"
	"esac\n"
	"exit 0\n";

static void set(enum conf_key key, const char *value)
{
	if (conf_set(key, value, NULL) < 0)
		exit(99);
}

static void put_script(const char *name, const char *text)
{
	put(topfd, name, text);
	if (fchmodat(topfd, name, 0755, 0) < 0)
		exit(99);
}

static struct json *parse(const char *text)
{
	struct json *j = NULL;

	if (json_parse(text, strlen(text), "test", NULL, &j, NULL) < 0)
		exit(99);
	return j;
}

/* ---- answers ---- */
static void test_answers(void)
{
	is_int(engine_answer_for(&engine_proot, "linux.namespaces.pid")->how, ENGINE_IGNORES,
		"proot: pid namespace");
	is_int(engine_answer_for(&engine_proot, "linux.namespaces.mount")->how, ENGINE_EMULATES,
		"proot: mount namespace");
	is_int(engine_answer_for(&engine_proot, "linux.resources.memory.limit")->how, ENGINE_IGNORES,
		"proot: a prefix answers");
	is_str(engine_answer_for(&engine_proot, "linux.resourcesX")->property, "linux",
		"a prefix ends at a dot");
	is_int(engine_answer_for(&engine_proot, "future")->how, ENGINE_IGNORES,
		"what no table knows is ignored");
	is_int(engine_answer_for(engine_by_name("runc"), "linux.namespaces.pid")->how, ENGINE_APPLIES,
		"runc: pid namespace");
}

/* Every property of config.json that the specification (1.3) has must have an answer of its own in every engine. */
static void test_complete(void)
{
	static const char *const properties[] = {
		"ociVersion",
		"annotations",
		"hooks",
		"root.path",
		"root.readonly",
		"hostname",
		"domainname",
		"mounts",
		"process.terminal",
		"process.consoleSize",
		"process.cwd",
		"process.env",
		"process.args",
		"process.commandLine",
		"process.user.uid",
		"process.user.gid",
		"process.user.umask",
		"process.user.additionalGids",
		"process.user.username",
		"process.rlimits",
		"process.capabilities",
		"process.noNewPrivileges",
		"process.oomScoreAdj",
		"process.apparmorProfile",
		"process.selinuxLabel",
		"process.scheduler",
		"process.ioPriority",
		"process.execCPUAffinity",
		ENGINE_PUBLISH,
		ENGINE_KERNEL,
		"linux.namespaces",
		"linux.uidMappings",
		"linux.gidMappings",
		"linux.timeOffsets",
		"linux.devices",
		"linux.netDevices",
		"linux.cgroupsPath",
		"linux.resources",
		"linux.intelRdt",
		"linux.memoryPolicy",
		"linux.sysctl",
		"linux.seccomp",
		"linux.rootfsPropagation",
		"linux.maskedPaths",
		"linux.readonlyPaths",
		"linux.mountLabel",
		"linux.personality",
		"solaris",
		"windows",
		"vm",
		"zos",
	};

	for (const struct engine *const *e = engine_table; *e; e++)
		for (size_t i = 0; i < ARRAY_LEN(properties); i++)
			is_str(engine_answer_for(*e, properties[i])->property, properties[i], (*e)->name);
}

static void test_unmet(void)
{
	auto_json *plain = parse(
		"{\"ociVersion\":\"1.0.2\",\"process\":{\"user\":{\"uid\":0},\"args\":[\"x\"],\"cwd\":\"/\","
		"\"noNewPrivileges\":false},\"root\":{\"path\":\"r\",\"readonly\":false},\"mounts\":[{"
		"\"destination\":\"/proc\","
		"\"type\":\"proc\"}],\"linux\":{\"resources\":{\"devices\":[]},\"namespaces\":[{\"type\":"
		"\"user\"},{\"type\":\"mount\"}]}}");
	auto_json *full =
		parse("{\"root\":{\"path\":\"r\",\"readonly\":true},\"mounts\":[{\"destination\":\"/d\","
		      "\"type\":\"bind\",\"source\":\"/"
		      "d\",\"options\":[\"ro\",\"bind\"]}],\"linux\":{\"namespaces\":[{\"type\":\"pid\"},"
		      "{\"type\":\"network\"}],\"resources\":{\"pids\":{\"limit\":5},\"memory\":{\"limit\":6}"
		      "}},\"vm\":{\"kernel\":{\"path\":\"/k\"}}}");
	auto_strv ignored = STRV_INIT, refused = STRV_INIT;
	bool open = ability_guard() == ENGINE_GUARD_NONE;
	autofree char *text = NULL, *want = NULL;

	ok(!engine_unmet(&engine_proot, plain, &ignored, &refused) && ignored.n == 0,
		"a container of the store asks for nothing that PRoot ignores");
	ok(engine_unmet(&engine_proot, full, &ignored, &refused), "a virtual machine is refused");
	is_int(refused.n, 1, "that alone");
	text = strv_join(&ignored, "\n");
	want = xasprintf("%slinux.namespaces.pid: processes of the host are visible\n"
			 "%slinux.resources: no limits of control groups%s",
		open ? "root.readonly: the root file system stays writable\n" : "",
		ability_namespaces() ? "" : "linux.namespaces.network: the host's network is used\n",
		open ? "\nmounts.readonly: bind mounts stay writable" : "");
	is_str(text, want, "what is ignored, once each, by its name");
}

/* ---- choice ---- */
struct outcome {
	char mode[4];
	const char *engine;
	char *why, *error, *hint;
	int kind;
};

static struct outcome choose_for(const struct engine_request *req, const char *config, int bundle_fd)
{
	auto_json *j = parse(config);
	struct engine_choice c = { 0 };
	struct outcome o = { .kind = -1 };
	auto_err *err = NULL;

	if (engine_choose(req, j, bundle_fd, &c, &err) < 0) {
		o.error = xstrdup(err_text(err));
		o.hint = xstrdup_null(err_hint_text(err));
		o.kind = (int)err_kind(err);
	} else {
		memcpy(o.mode, c.mode, sizeof(o.mode));
		o.engine = c.engine->name;
		o.why = xstrdup(c.why);
	}
	engine_choice_free(&c);
	return o;
}

static struct outcome choose(
	const char *engine, const char *mode, const char *fallback, const char *config, int bundle_fd)
{
	const struct engine_request req = {
		.switch_engine = engine, .switch_mode = mode, .fallback_mode = fallback
	};

	return choose_for(&req, config, bundle_fd);
}

static void outcome_free(struct outcome *o)
{
	free(o->why);
	free(o->error);
	free(o->hint);
}
#define auto_outcome CLEANUP(outcome_free) struct outcome

static void is_choice(const struct outcome *o, const char *mode, const char *why)
{
	is_str(o->error, NULL, "chosen");
	is_str(o->mode, mode, "the mode");
	is_str(o->why, why, "the reason");
}

#define NOTE "{\"annotations\":{\"org.udocker.execmode\":\"P2\"}}"

/* Each place of cli.md beats those after it. */
static void test_order(void)
{
	auto_outcome fallback = choose(NULL, NULL, "P1", "{}", topfd),
		     none = choose(NULL, NULL, NULL, "{}", -1);

	is_choice(&fallback, "P1", "built-in default");
	ok(none.why && str_starts(none.why, "built-in default: auto: crun: "), "no default is auto");
	ok(none.why && (str_ends(none.why, "; trap works") || str_ends(none.why, "; proot works")),
		"which says what works");

	set(CONF_DEFAULT_EXECUTION_MODE, "P2");
	auto_outcome setting = choose(NULL, NULL, "P1", "{}", topfd);
	is_choice(&setting, "P2", "UDOCKER_DEFAULT_EXECUTION_MODE or udocker.conf");

	put(topfd, "execmode", "P1");
	auto_outcome file = choose(NULL, NULL, "R1", "{}", topfd);
	is_choice(&file, "P1", "execmode of the bundle");

	auto_outcome note = choose(NULL, NULL, "R1", NOTE, topfd);
	is_choice(&note, "P2", "annotation org.udocker.execmode");
	auto_outcome by_switch = choose(NULL, "p1", "R1", NOTE, topfd);
	is_choice(&by_switch, "P1", "--execmode");
	auto_outcome by_engine = choose("proot", NULL, "R1", NOTE, topfd);
	is_choice(&by_engine, "P2", "--engine");
	set(CONF_DEFAULT_EXECUTION_MODE, "R1");
	(void)unlinkat(topfd, "execmode", 0);
	auto_outcome own = choose("proot", NULL, NULL, "{}", topfd);
	is_choice(&own, "P1", "--engine");
	set(CONF_DEFAULT_EXECUTION_MODE, "");
}

/* A caller who has found out what `auto` means for him. */
static void test_auto_mode(void)
{
	const struct engine_request req = { .auto_mode = "P2" },
				    other = { .switch_engine = "proot", .auto_mode = "T1" };
	auto_outcome none = choose_for(&req, "{}", topfd), engine = choose_for(&other, "{}", topfd);

	is_choice(&none, "P2", "built-in default");
	is_choice(&engine, "P1", "--engine");
	set(CONF_DEFAULT_EXECUTION_MODE, "auto");
	auto_outcome setting = choose_for(&req, "{}", topfd);
	is_choice(&setting, "P2", "UDOCKER_DEFAULT_EXECUTION_MODE or udocker.conf");
	put(topfd, "execmode", "P1");
	auto_outcome own = choose_for(&req, "{}", topfd);
	is_choice(&own, "P1", "execmode of the bundle");
	(void)unlinkat(topfd, "execmode", 0);
	set(CONF_DEFAULT_EXECUTION_MODE, "");
}

static void test_refusals(void)
{
	auto_outcome wrong = choose(NULL, "X9", NULL, "{}", -1);
	auto_outcome engine = choose("podman", NULL, NULL, "{}", -1),
		     both = choose("proot", "R1", NULL, "{}", -1);
	auto_outcome missing = choose(NULL, "R1", NULL, "{}", -1);

	is_str(wrong.error, "--execmode: 'X9' is not an execution mode", "no mode at all");
	is_int(wrong.kind, ERR_USAGE, "is a wrong word");
	is_str(engine.error, "--engine: there is no engine 'podman'", "no such engine");
	is_str(both.error, "--engine proot has no mode R1", "a pair that does not fit");
	is_int(missing.kind, ERR_ENGINE, "nothing found");
	ok(missing.error &&
			strstr(missing.error, "runc: setting use_runc_executable: '/proc/nonexistent/x'") &&
			strstr(missing.error,
				"; crun: setting use_runc_executable names '/proc/nonexistent/x'"),
		"each candidate says why");
	ok(missing.hint && strstr(missing.hint, "UDOCKER_USE_RUNC_EXECUTABLE"), "and what would help");

	put(topfd, "execmode", "nonsense");
	auto_outcome file = choose(NULL, NULL, "P1", "{}", topfd);
	is_str(file.error, "execmode of the bundle: 'nonsense' is not an execution mode",
		"a broken execmode file");
	(void)unlinkat(topfd, "execmode", 0);
	ok(engine_mode_is_valid("T2") && !engine_mode_is_valid("p1") && !engine_mode_is_valid("P"),
		"names of modes");
	is_str(engine_by_mode("R1")->name, "runc", "R1 is runc's first");
	ok(!engine_by_mode("T3"), "no engine for no mode");
}

/* ---- probes ---- */
static int calls(void)
{
	auto_str s = STR_INIT;
	int n = 0;

	if (fs_read(topfd, "proot.calls", 1 << 16, &s, FS_BENEATH) == 0)
		for (const char *p = str_text(&s); *p; p++)
			n += *p == '\n';
	return n;
}

static void probe_once(struct engine_probe *p)
{
	engine_probe_free(p);
	if (engine_proot.probe("P1", p, NULL) < 0)
		exit(99);
}

static void test_ask(void)
{
	const char *const argv[] = { "/bin/uname", "-s", NULL };
	auto_str out = STR_INIT;
	int status = -1;

	is_int(engine_ask(argv, NULL, &out, &status, NULL), 0, "a program is asked");
	is_str(str_text(&out), "Linux\n", "and answers");
	is_int(engine_ask_without(argv, SYS_uname, &out, &status, NULL), 0, "and without a call");
#if defined(__x86_64__) || defined(__aarch64__)
	ok(status == 1, "that it cannot do without");
#endif
	str_truncate(&out, 0);
	is_int(engine_ask_without(argv, SYS_membarrier, &out, &status, NULL), 0, "and without another");
	ok(status == 0 && str_eq(str_text(&out), "Linux\n"), "that it can do without");
}

static void test_probe(void)
{
	auto_engine_probe p = { 0 };
	autofree char *cache = xasprintf("%s/probes", top);
	int before;

	engine_set_cache_dir(cache);
	probe_once(&p);
	ok(p.available, "found and tried");
	is_str(p.version, "5.1.0", "its version");
	is_int(p.flags, PROOT_CHANGE_ID | PROOT_CHANGE_ID_I, "its switches");
	is_str(p.reason, "no seccomp acceleration in this build: P1 is P2", "its true mode");
	before = calls();
	ok(before >= 3, "it was asked");
	probe_once(&p);
	is_int(calls(), before, "and is not run again");
	ok(p.available && p.flags == (PROOT_CHANGE_ID | PROOT_CHANGE_ID_I), "with the same answer");

	put_script("proot", script);
	probe_once(&p);
	ok(calls() > before, "a changed executable is asked again");
	before = calls();
	put(topfd, "probes/proot", "{ broken");
	probe_once(&p);
	ok(p.available && calls() > before, "a broken memory is asked again");
	before = calls();
	probe_once(&p);
	is_int(calls(), before, "and replaced");
	if (fchmodat(topfd, "probes", 0777, 0) < 0)
		exit(99);
	probe_once(&p);
	ok(calls() > before, "a memory that others may write is not believed");
	is_int(fchmodat(topfd, "probes", 0700, 0), 0, "that was the reason");

	put_script("proot", "#!/bin/sh\ncase \"$*\" in *--help*) echo 'proot 5.1.0: x';; *--version*) ;; *) "
			    "exit 1;; esac\n");
	probe_once(&p);
	ok(!p.available && p.reason && p.remedy,
		"one that cannot run anything is not available, with reason and remedy");
	put_script("proot", "#!/bin/sh\necho hello\n");
	probe_once(&p);
	ok(!p.available && p.reason && strstr(p.reason, "does not look like PRoot"), "nor is what is none");
	put_script("proot", script);
	engine_set_cache_dir(NULL);
}

/* ---- finding ---- */
/* Engines beside our programs, as the release's archive has them. */
static void test_find_shipped(const struct find_rule *rule)
{
	autofree char *why = NULL, *installed = NULL, *shipped = NULL;

	set(CONF_USE_PROOT_EXECUTABLE, "UDOCKER");
	if (mkdirat(topfd, "engines", 0755) < 0 || mkdirat(topfd, "engines/bin", 0755) < 0)
		exit(99);
	put_script("engines/bin/other", script);
	setenv("UDOCKER_EXEC_DIR", top, 1);
	installed = find_executable(rule, &why);
	ok(installed && str_ends(installed, "/bin/other") && !strstr(installed, "/engines/"),
		"bindir before the release's engines");
	set(CONF_BINDIR, top);
	shipped = find_executable(rule, &why);
	ok(shipped && str_ends(shipped, "/engines/bin/other"), "the release's engines");
	unsetenv("UDOCKER_EXEC_DIR");
}

static void test_find(void)
{
	static const char *const names[] = { "proot", NULL }, *const bundled[] = { "eng-%", "other", NULL };
	const struct find_rule rule = { CONF_USE_PROOT_EXECUTABLE, names, bundled, NULL };
	autofree char *own = xasprintf("%s/proot", top), *bin = xasprintf("%s/bin", top), *why = NULL;
	autofree char *a = find_executable(&rule, &why), *b = NULL, *c = NULL, *d = NULL, *e = NULL;

	is_str(a, own, "the setting's path");
	set(CONF_USE_PROOT_EXECUTABLE, "UDOCKER");
	set(CONF_BINDIR, bin);
	b = find_executable(&rule, &why);
	ok(!b && why && strstr(why, "not found in ") && strstr(why, bin), "bindir alone, and empty");
	if (mkdirat(topfd, "bin", 0755) < 0)
		exit(99);
	put_script("bin/other", script);
	c = find_executable(&rule, &why);
	ok(c && str_ends(c, "/bin/other"), "a name in bindir");
	set(CONF_USE_PROOT_EXECUTABLE, "");
	setenv("PATH", top, 1);
	d = find_executable(&rule, &why);
	is_str(d, own, "PATH before bindir");
	free(steal_ptr(&why));
	set(CONF_USE_PROOT_EXECUTABLE, "rel/ative");
	e = find_executable(&rule, &why);
	ok(!e && why && strstr(why, "must be absolute"), "a relative path is none");
	test_find_shipped(&rule);
	is_str(find_arch_name("aarch64"), "arm64", "udocker's name of an architecture");
	is_str(find_arch_name("i686"), "x86", "another");
	is_str(find_arch_name("s390x"), "s390x", "an unknown one as it is");
	set(CONF_USE_PROOT_EXECUTABLE, own);
}

static void test_versions(void)
{
	autofree char *a = engine_find_version("proot v5.4.0-5f780cb: x", "proot ");
	autofree char *b = engine_find_version("runc version 1.1.5+ds1\nspec: 1.0.2-dev", "spec: ");
	autofree char *c = engine_find_version("crun version UNKNOWN\n1.2.3", "version ");

	is_str(a, "5.4.0", "behind a v");
	is_str(b, "1.0.2", "behind a mark");
	is_str(c, NULL, "not on another line");
	is_int(engine_version_number("5.10.1"), COMPAT_VERSION(5, 10), "as a number");
	is_int(engine_version_number("five"), 0, "none");
}

static void test_report(void)
{
	struct engine_report *rows = NULL;
	size_t n = 0;
	size_t first = 0;
	int autos = 0;

	is_int(engine_report_all(&rows, &n, NULL), 0, "the doctor reports");
	is_int(n, 16, "a row for each engine and mode");
	for (size_t i = 0; i < n; i++)
		autos += rows[i].is_auto;
	is_int(autos, 1, "one is what auto takes");
	while (first < n && !rows[first].probe.available)
		first++;
	ok(first < n && rows[first].is_auto, "the first that works");
	ok(n == 16 && str_eq(rows[7].mode, "T1") && str_eq(rows[9].mode, "P1"),
		"the trap engine comes before PRoot");
	engine_report_free(rows, n);
}

int main(void)
{
	autofree char *path = NULL;

	unsetenv("UDOCKER_DEFAULT_EXECUTION_MODE");
	topfd = scratch_open(top);
	path = xasprintf("%s/proot", top);
	put_script("proot", script);
	set(CONF_USE_PROOT_EXECUTABLE, path);
	set(CONF_USE_RUNC_EXECUTABLE, "/proc/nonexistent/x");
	test_answers();
	test_complete();
	test_unmet();
	test_order();
	test_auto_mode();
	test_refusals();
	test_ask();
	test_probe();
	test_find();
	test_versions();
	test_report();
	scratch_close(topfd, top);
	return tap_done();
}
