/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PRoot: what the one on this machine can do, and what it answers for each property of config.json. How it is called is in
 * proot_plan.c.
 */
#include "engines/proot.h"

#include <pthread.h>
#include <sys/statvfs.h>

#include "engines/common.h"
#include "engines/compat_filter.h"
#include "engines/direct_answers.h"
#include "engines/find.h"
#include "engines/probe_cache.h"
#include "engines/proot_loader.h"
#include "engines/proot_plan.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/thread.h"

#define REMEDY_FIND \
	"install PRoot (Debian: apt install proot), or set UDOCKER_USE_PROOT_EXECUTABLE to its path"

#define READ_ONLY \
	"by mounts, with CAP_SYS_ADMIN; else by Landlock (Linux 5.19): see below; else it stays writable, " \
	"as --strict says"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer proot_answers[] = {
	DIRECT_ANSWERS_COMMON,
	{ "root.path", ENGINE_APPLIES, NULL },
	{ "root.readonly", ENGINE_EMULATES, READ_ONLY },
	{ "hostname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells it, not with PRoot before 5.2" },
	{ "domainname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells it, not with PRoot before 5.2" },
	{ "mounts.bind", ENGINE_APPLIES, NULL },
	{ "mounts.readonly", ENGINE_EMULATES, READ_ONLY },
	{ "mounts.tmpfs", ENGINE_EMULATES, "an empty directory of the run; /dev and what lies below it are the host's" },
	{ "process.env", ENGINE_APPLIES, NULL },
	{ "process.args", ENGINE_APPLIES, NULL },
	{ "process.user.uid", ENGINE_EMULATES, "shown to the program; files belong to the caller" },
	{ "process.user.gid", ENGINE_EMULATES, "shown to the program; files belong to the caller" },
	{ "process.capabilities", ENGINE_EMULATES, "root's programs have no others (the bounding set), and the inheritable and ambient ones; those of users have none" },
	{ "process.apparmorProfile", ENGINE_EMULATES, "entered with PRoot, where the kernel has AppArmor" },
	{ "process.selinuxLabel", ENGINE_EMULATES, "set for PRoot too, where the kernel has SELinux" },
	{ "process.scheduler", ENGINE_APPLIES, "for the program; PRoot keeps the caller's" },
	{ "process.ioPriority", ENGINE_APPLIES, "for the program; PRoot keeps the caller's" },
	{ "linux.namespaces.user", ENGINE_EMULATES, "ids are translated" },
	{ "linux.namespaces.uts", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else uname() tells the container's host name" },
	{ "linux.uidMappings", ENGINE_EMULATES, "the caller appears as the one id of the program" },
	{ "linux.gidMappings", ENGINE_EMULATES, "the caller appears as the one id of the program" },
	{ "linux.seccomp", ENGINE_EMULATES, "calls that PRoot answers itself (getcwd, chdir, ids) do not reach the filter; tracing fails with ENOSYS" },
	{ "linux.maskedPaths", ENGINE_EMULATES, "empty files and directories are shown in their place" },
	{ "linux.readonlyPaths", ENGINE_EMULATES, "by mounts, with CAP_SYS_ADMIN; else what the caller may write stays writable, as --strict says" },
	{ ENGINE_PUBLISH, ENGINE_APPLIES, "by PRoots that have -p: that of udocker 1.3.x, and 5.4.0" },
	{ ENGINE_KERNEL, ENGINE_APPLIES, NULL },
	{ NULL, ENGINE_IGNORES, NULL },
};
static const struct engine_condition proot_conditions[] = {
	{ ENGINE_NEEDS_GUARD, { "root.readonly", ENGINE_IGNORES, "the root file system stays writable" } },
	{ ENGINE_NEEDS_GUARD, { "mounts.readonly", ENGINE_IGNORES, "bind mounts stay writable" } },
	{ ENGINE_NEEDS_MOUNTS, { "linux.readonlyPaths", ENGINE_IGNORES, "what the caller may write stays writable" } },
	DIRECT_CONDITIONS_NAMESPACES,
	{ ENGINE_NEEDS_GUARD, { NULL, ENGINE_IGNORES, NULL } },
};
/* clang-format on */

static bool has_switch(const char *help, const char *name)
{
	return strstr(help, name) != NULL;
}

/* A run of PRoot that tells something. */
struct question {
	const char *const *argv, *const *vars;
	struct str out;
	int status; /* -1: it could not be run */
	struct err *err;
};

static void *ask_one(void *arg)
{
	struct question *q = arg;

	if (engine_ask(q->argv, q->vars, &q->out, &q->status, &q->err) < 0)
		q->status = -1;
	return NULL;
}

/* Both at once: starting it is what takes time. */
static void ask_both(struct question *a, struct question *b)
{
	pthread_t thread;
	bool started = thread_start(&thread, ask_one, b, NULL) == 0;

	(void)ask_one(a); /* what became of it is in a */
	if (started)
		(void)pthread_join(thread, NULL); /* it is ours and was not joined yet */
	else
		(void)ask_one(b);
}

static void question_clear(struct question *q)
{
	str_free(&q->out);
	err_free(q->err);
}
#define auto_question CLEANUP(question_clear) struct question

/* Version and switches, from --help and --version. */
static int ask_switches(const char *path, struct probe_facts *facts, struct err **err)
{
	static const struct {
		const char *text;
		unsigned flag;
	} switches[] = {
		{ "--link2symlink", PROOT_LINK2SYMLINK },
		{ "--change-id", PROOT_CHANGE_ID },
		{ "-i *", PROOT_CHANGE_ID_I },
		{ "--port", PROOT_PORT },
		{ "--netcoop", PROOT_NETCOOP },
	};
	const char *help_argv[] = { path, "--help", NULL };
	const char *version_argv[] = { path, "--version", NULL };
	auto_question help = { .argv = help_argv, .out = STR_INIT };
	auto_question version = { .argv = version_argv, .out = STR_INIT };

	ask_both(&help, &version);
	if (help.status < 0 || version.status < 0)
		return err_move(err, help.status < 0 ? &help.err : &version.err);
	facts->version = engine_find_version(str_text(&help.out), "proot ");
	if (!facts->version)
		facts->version = engine_find_version(str_text(&version.out), "");
	if (!facts->version)
		return err_make(err, ERR_ENGINE, "%s does not look like PRoot", path);
	for (size_t i = 0; i < ARRAY_LEN(switches); i++)
		if (has_switch(str_text(&help.out), switches[i].text))
			facts->flags |= switches[i].flag;
	/* Builds too old to say it have it. */
	if (!strstr(str_text(&version.out), "seccomp_filter = no"))
		facts->flags |= PROOT_ACCELERATED;
	return 0;
}

/* A program that does nothing is run, with an option or without (NULL). True if it is one of ours. */
static bool true_argv(const char *path, const char *option, struct strv *ret)
{
	autofree char *init = NULL;
	bool own = proc_sibling("udocker-guest-init", &init, NULL) == 0;

	strv_add(ret, path);
	strv_add_all(ret, (const char *const[]){ "-r", "/", "-w", "/", NULL });
	if (option)
		strv_add(ret, option);
	strv_add(ret, own ? init : "/bin/true");
	if (own)
		strv_add(ret, "true");
	return own;
}

/* The directory of the copy may be one that nothing can be executed from. */
static void try_loader(const char *path, const char *env, struct probe_facts *facts)
{
	autofree char *loader = proot_loader_keep(path);
	autofree char *var = loader ? xasprintf("PROOT_LOADER=%s", loader) : NULL;
	const char *vars[] = { var, env, NULL };
	auto_strv argv = STRV_INIT;
	auto_question q = { .vars = vars, .out = STR_INIT };

	if (!var)
		return;
	(void)true_argv(path, NULL, &argv);
	q.argv = (const char *const *)strv_argv(&argv);
	(void)ask_one(&q); /* what became of it is in q */
	if (q.status == 0)
		facts->flags |= PROOT_LOADER;
}

/* Does it run a program here, with this variable? At the same time: does -k leave newer programs whole? */
static bool try_way(const char *path, const char *env, struct probe_facts *facts)
{
	const char *vars[] = { env, NULL };
	auto_strv plain = STRV_INIT, kernel = STRV_INIT;
	auto_question a = { .vars = vars, .out = STR_INIT }, b = { .vars = vars, .out = STR_INIT };
	bool own = true_argv(path, NULL, &plain) && true_argv(path, "--kernel-release=6.0.0", &kernel);

	a.argv = (const char *const *)strv_argv(&plain);
	b.argv = (const char *const *)strv_argv(&kernel);
	if (own)
		ask_both(&a, &b);
	else
		(void)ask_one(&a); /* what became of it is in a */
	if (a.status != 0)
		return false;
	if (own ? b.status == 0 : engine_version_number(facts->version) >= COMPAT_VERSION(5, 2))
		facts->flags |= PROOT_KERNEL;
	return true;
}

/* With which variable does it run a program here? */
static bool try_run(const char *path, struct probe_facts *facts)
{
	static const struct {
		const char *env;
		unsigned flag;
	} ways[] = {
		{ NULL, 0 },
		{ "PROOT_NEW_SECCOMP=1", PROOT_NEW_SECCOMP },
		{ "PROOT_NO_SECCOMP=1", PROOT_NO_SECCOMP },
	};
	size_t n = facts->flags & PROOT_ACCELERATED ? ARRAY_LEN(ways) : 1;

	for (size_t i = 0; i < n; i++) {
		if (!try_way(path, ways[i].env, facts))
			continue;
		facts->flags |= ways[i].flag;
		try_loader(path, ways[i].env, facts);
		return true;
	}
	return false;
}

/* Why a PRoot that is there cannot trace: the usual suspects, the surest first. */
static void explain(struct engine_probe *p)
{
	autofree char *tmp = proot_tmp_dir(NULL);
	struct statvfs fs;

	if (access("/proc/self/fd", F_OK) < 0) {
		p->reason = xstrdup("/proc is not mounted");
		p->remedy = xstrdup(
			"mount it (mount -t proc proc /proc), or have whoever made this container do so");
	} else if (probe_sysctl("/proc/sys/kernel/yama/ptrace_scope", 0) >= 3) {
		p->reason = xstrdup("the kernel forbids ptrace (kernel.yama.ptrace_scope is 3)");
		p->remedy = xstrdup("choose an engine without ptrace (R1), or ask the administrator");
	} else if (statvfs(tmp, &fs) < 0 || (fs.f_flag & ST_NOEXEC)) {
		p->reason = xasprintf("cannot run a program from its temporary directory %s", tmp);
		p->remedy = xstrdup("set PROOT_TMP_DIR to a directory that can be written and executed from");
	} else {
		p->reason = xstrdup("cannot run a program here: ptrace seems to be forbidden");
		p->remedy = xstrdup(
			"inside another container allow it (docker: --cap-add SYS_PTRACE), or choose R1");
	}
}

static void remark(const char *mode, struct engine_probe *p)
{
	if (!str_eq(mode, "P1"))
		return;
	if (!(p->flags & PROOT_ACCELERATED))
		p->reason = xstrdup("no seccomp acceleration in this build: P1 is P2");
	else if (p->flags & PROOT_NO_SECCOMP)
		p->reason = xstrdup("its seccomp acceleration fails on this kernel: P1 runs as P2");
}

/* The modes of runc and crun with PRoot inside ask, too: one finds out, the others are told. */
static pthread_mutex_t probing = PTHREAD_MUTEX_INITIALIZER;

static int proot_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	static const char *const names[] = { "proot", NULL };
	static const char *const bundled[] = { "proot-%-4_8_0", "proot-%", "proot", NULL };
	static const struct find_rule rule = { CONF_USE_PROOT_EXECUTABLE, names, bundled, NULL };
	struct engine_probe p = { 0 };
	struct probe_facts facts = { 0 };
	auto_err *why = NULL;
	autofree char *key = NULL;

	(void)err; /* everything that can go wrong here is an answer */
	p.path = find_executable(&rule, &p.reason);
	if (!p.path) {
		p.remedy = xstrdup(REMEDY_FIND);
		*ret = p;
		return 0;
	}
	key = probe_cache_key(p.path);
	(void)pthread_mutex_lock(&probing); /* cannot fail */
	if (probe_cache_load("proot", key, &facts)) {
		p.available = true;
	} else if (ask_switches(p.path, &facts, &why) < 0) {
		p.reason = xstrdup(err_text(why));
		p.remedy = xstrdup(REMEDY_FIND);
	} else if (!try_run(p.path, &facts)) {
		explain(&p);
	} else {
		p.available = true;
		probe_cache_save("proot", key, &facts);
	}
	(void)pthread_mutex_unlock(&probing);
	p.version = steal_ptr(&facts.version);
	p.flags = facts.flags;
	probe_facts_free(&facts);
	if (p.available)
		remark(mode, &p);
	*ret = p;
	return 0;
}

static const char *const proot_modes[] = { "P1", "P2", NULL };

const struct engine engine_proot = {
	.name = "proot",
	.modes = proot_modes,
	.kind = ENGINE_DIRECT,
	.answers = proot_answers,
	.conditions = proot_conditions,
	.probe = proot_probe,
	.plan = proot_plan,
};
