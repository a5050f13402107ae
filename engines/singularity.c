/* SPDX-License-Identifier: Apache-2.0 */
/* Singularity and Apptainer: what the one on this machine can do, and what it answers for each property of config.json. */
#include "engines/singularity.h"

#include <sys/stat.h>
#include <unistd.h>

#include "engines/common.h"
#include "engines/direct_answers.h"
#include "engines/doctor.h"
#include "engines/find.h"
#include "engines/oci_host.h"
#include "engines/probe_cache.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"

#define REMEDY_FIND "install apptainer or singularity, or set UDOCKER_USE_SINGULARITY_EXECUTABLE to its path"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer singularity_answers[] = {
	DIRECT_ANSWERS_COMMON,
	{ "root.path", ENGINE_APPLIES, NULL },
	{ "root.readonly", ENGINE_APPLIES, "from Singularity 3 on; 2.6 leaves it writable in a user namespace, as --strict says" },
	{ "hostname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells the host's, as --strict says" },
	{ "domainname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells the host's, as --strict says" },
	{ "mounts.bind", ENGINE_APPLIES, NULL },
	{ "mounts.readonly", ENGINE_APPLIES, "from Singularity 3 on; 2.6 leaves it writable in a user namespace, as --strict says" },
	{ "mounts.tmpfs", ENGINE_EMULATES, "an empty directory of the run; /dev and what lies below it are the host's" },
	{ "process.env", ENGINE_APPLIES, NULL },
	{ "process.args", ENGINE_APPLIES, NULL },
	{ "process.user.uid", ENGINE_EMULATES, "root by --fakeroot, where it knows that; else programs are the caller's" },
	{ "process.user.gid", ENGINE_EMULATES, "root by --fakeroot, where it knows that; else programs are the caller's" },
	{ "process.capabilities", ENGINE_EMULATES, "those of root in its user namespace; programs of users have none" },
	{ "process.apparmorProfile", ENGINE_EMULATES, "entered with the engine, where the kernel has AppArmor" },
	{ "process.selinuxLabel", ENGINE_EMULATES, "set for the engine too, where the kernel has SELinux" },
	{ "process.scheduler", ENGINE_APPLIES, NULL },
	{ "process.ioPriority", ENGINE_APPLIES, NULL },
	{ "linux.namespaces.user", ENGINE_EMULATES, "made by the engine, with a map of its own" },
	{ "linux.namespaces.uts", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else uname() tells the host's, as --strict says" },
	{ "linux.uidMappings", ENGINE_EMULATES, "the caller's own id, or with --fakeroot those of /etc/subuid" },
	{ "linux.gidMappings", ENGINE_EMULATES, "the caller's own id, or with --fakeroot those of /etc/subgid" },
	{ "linux.seccomp", ENGINE_APPLIES, NULL },
	{ "linux.maskedPaths", ENGINE_EMULATES, "empty files and directories are mounted over them" },
	{ "linux.readonlyPaths", ENGINE_IGNORES, "what the caller may write stays writable" },
	{ ENGINE_PUBLISH, ENGINE_IGNORES, "ports are not mapped: the program listens on the host's, at the number that it takes" },
	{ ENGINE_KERNEL, ENGINE_IGNORES, "uname() tells the host's release" },
	{ NULL, ENGINE_IGNORES, NULL },
};

static const struct engine_condition singularity_conditions[] = {
	DIRECT_CONDITIONS_NAMES,
	DIRECT_CONDITIONS_NAMESPACES,
	{ ENGINE_NEEDS_NAMESPACES, { NULL, ENGINE_IGNORES, NULL } },
};
/* clang-format on */

/* Version and options, from --version ("2.6.1-dist", "singularity-ce version 3.11.5", "apptainer version 1.4.5") and exec's help. */
static int ask(const char *path, struct probe_facts *facts, struct err **err)
{
	static const struct {
		const char *text;
		unsigned flag;
	} options[] = {
		{ "--fakeroot", SINGULARITY_FAKEROOT },
		{ "--no-mount", SINGULARITY_NO_MOUNT },
		{ "bind-paths", SINGULARITY_BIND_PATHS },
		{ "--nv ", SINGULARITY_NV },
		{ "--rocm", SINGULARITY_ROCM },
		{ "--no-home", SINGULARITY_NO_HOME },
		{ "--underlay", SINGULARITY_UNDERLAY },
	};
	const char *version_argv[] = { path, "--version", NULL };
	const char *help_argv[] = { path, "exec", "--help", NULL };
	auto_str version = STR_INIT, help = STR_INIT;
	int status;

	if (engine_ask(version_argv, NULL, &version, &status, err) < 0 ||
		engine_ask(help_argv, NULL, &help, &status, err) < 0)
		return -1;
	if (strstr(str_text(&help), "--pwd") || strstr(str_text(&help), "--cwd"))
		facts->version = engine_find_version(str_text(&version), "");
	if (!facts->version)
		return err_make(err, ERR_ENGINE, "%s does not look like Singularity or Apptainer", path);
	if (strstr(str_text(&version), "apptainer"))
		facts->flags |= SINGULARITY_APPTAINER;
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if (strstr(str_text(&help), options[i].text))
			facts->flags |= options[i].flag;
	return 0;
}

/* Has it been installed with a starter that is root's by its set-user-ID bit? Then it needs no user namespace. */
static bool is_setuid(const char *path)
{
	static const char *const starters[] = { "libexec/singularity/bin/starter-suid",
		"libexec/singularity/bin/action-suid", "libexec/apptainer/bin/starter-suid" };
	autofree char *bin = path_dir(path);
	autofree char *prefix = path_dir(bin);

	for (size_t i = 0; i < ARRAY_LEN(starters); i++) {
		autofree char *starter = path_join(prefix, starters[i]);
		struct stat st;

		if (stat(starter, &st) == 0 && st.st_uid == 0 && (st.st_mode & S_ISUID))
			return true;
	}
	return false;
}

static void judge_host(struct engine_probe *p, const char *version, unsigned *flags)
{
	/* What -u is ignored for: with 2.6 root's programs would be the host's root, whatever the machine can do. */
	if (geteuid() == 0 && singularity_is_old(version, *flags)) {
		p->available = false;
		p->reason = xasprintf("singularity %s makes no user namespace for root", version);
		p->remedy = xstrdup("run as an ordinary user, or install singularity 3 or apptainer");
		return;
	}
	/* Root's programs would be the host's root outside of a user namespace. */
	p->available = (*flags & SINGULARITY_USERNS) || (geteuid() != 0 && is_setuid(p->path));
	if (*flags & SINGULARITY_USERNS)
		return;
	if (oci_userns_works(path_base(p->path), &p->reason, &p->remedy)) {
		*flags |= SINGULARITY_USERNS;
		p->available = true;
	} else if (p->available) {
		free(steal_ptr(&p->reason));
		free(steal_ptr(&p->remedy));
	}
}

static int singularity_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	static const char *const names[] = { "apptainer", "singularity", NULL };
	static const char *const bundled[] = { "apptainer-%", "apptainer", "singularity-%", "singularity",
		NULL };
	static const struct find_rule rule = { CONF_USE_SINGULARITY_EXECUTABLE, names, bundled, NULL };
	struct engine_probe p = { 0 };
	struct probe_facts facts = { 0 };
	auto_err *why = NULL;
	autofree char *key = NULL;
	unsigned before;
	bool known;

	(void)mode; /* S1 alone */
	(void)err; /* everything that can go wrong here is an answer */
	p.path = find_executable(&rule, &p.reason);
	if (!p.path) {
		p.remedy = xstrdup(REMEDY_FIND);
		*ret = p;
		return 0;
	}
	key = probe_cache_key(p.path);
	known = probe_cache_load("singularity", key, &facts);
	before = facts.flags;
	if (!known && ask(p.path, &facts, &why) < 0) {
		p.reason = xstrdup(err_text(why));
		p.remedy = xstrdup(REMEDY_FIND);
	} else {
		judge_host(&p, facts.version, &facts.flags);
		if (p.available && (!known || facts.flags != before))
			probe_cache_save("singularity", key, &facts);
	}
	p.version = steal_ptr(&facts.version);
	p.flags = facts.flags;
	if (p.available && doctor_has_subids(NULL, NULL))
		p.flags |= SINGULARITY_SUBIDS;
	probe_facts_free(&facts);
	*ret = p;
	return 0;
}

static const char *const singularity_modes[] = { "S1", NULL };

const struct engine engine_singularity = {
	.name = "singularity",
	.modes = singularity_modes,
	.kind = ENGINE_DIRECT,
	.on_request = true,
	.answers = singularity_answers,
	.conditions = singularity_conditions,
	.probe = singularity_probe,
	.plan = singularity_plan,
};
