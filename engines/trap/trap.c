/* SPDX-License-Identifier: Apache-2.0 */
/* The trap engine: whether it works here, and what it answers for each property of config.json. How it is called is in trap_plan.c. */
#include "engines/trap/trap.h"

#include "engines/common.h"
#include "engines/direct_answers.h"
#include "engines/doctor.h"
#include "engines/guest_machine.h"
#include "engines/probe_cache.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"

#define READ_ONLY \
	"kept by the engine at each call, not by the kernel: no bar to a program that means to get past it"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer trap_answers[] = {
	DIRECT_ANSWERS_COMMON,
	{ "root.path", ENGINE_APPLIES, NULL },
	{ "root.readonly", ENGINE_EMULATES, READ_ONLY },
	{ "hostname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells it" },
	{ "domainname", ENGINE_EMULATES, "set in a UTS namespace that was made; else uname() tells the host's, as --strict says" },
	{ ENGINE_PUBLISH, ENGINE_IGNORES, "ports are not mapped: the program listens on the host's, at the number that it takes" },
	{ ENGINE_KERNEL, ENGINE_APPLIES, NULL },
	{ "mounts.bind", ENGINE_APPLIES, NULL },
	{ "mounts.readonly", ENGINE_EMULATES, READ_ONLY },
	{ "mounts.tmpfs", ENGINE_EMULATES, "an empty directory of the run; /dev and what lies below it are the host's" },
	{ "process.env", ENGINE_APPLIES, NULL },
	{ "process.args", ENGINE_APPLIES, NULL },
	{ "process.user.uid", ENGINE_EMULATES, "shown to the program; files belong to the caller" },
	{ "process.user.gid", ENGINE_EMULATES, "shown to the program; files belong to the caller" },
	{ "process.capabilities", ENGINE_EMULATES, "root's programs have no others (the bounding set); one whose ids are emulated is told that it has all as root, none as a user" },
	{ "process.apparmorProfile", ENGINE_EMULATES, "entered with the engine, where the kernel has AppArmor" },
	{ "process.selinuxLabel", ENGINE_EMULATES, "set for the engine too, where the kernel has SELinux" },
	{ "process.scheduler", ENGINE_APPLIES, NULL },
	{ "process.ioPriority", ENGINE_APPLIES, NULL },
	{ "linux.namespaces.user", ENGINE_EMULATES, "ids are emulated" },
	{ "linux.namespaces.uts", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else uname() tells the container's host name" },
	{ "linux.uidMappings", ENGINE_EMULATES, "the caller appears as the one id of the program" },
	{ "linux.gidMappings", ENGINE_EMULATES, "the caller appears as the one id of the program" },
	{ "linux.seccomp", ENGINE_EMULATES, "calls that the engine answers are judged first; SCMP_ACT_LOG logs none of them" },
	{ "linux.seccomp.listenerPath", ENGINE_IGNORES, "not asked about calls that the engine answers (with paths, of ids and signals), which pass" },
	{ "linux.maskedPaths", ENGINE_EMULATES, "empty files and directories are shown in their place" },
	{ "linux.readonlyPaths", ENGINE_EMULATES, READ_ONLY },
	{ NULL, ENGINE_IGNORES, NULL },
};
static const struct engine_condition trap_conditions[] = {
	{ ENGINE_NEEDS_NAMESPACES, { "domainname", ENGINE_IGNORES, "uname() tells the host's" } },
	DIRECT_CONDITIONS_NAMESPACES,
	{ ENGINE_NEEDS_NAMESPACES, { NULL, ENGINE_IGNORES, NULL } },
};
/* clang-format on */

/* "no: REASON" of the program's own probe, and what helps. The first text that is in it; "" is in all. */
static const struct {
	const char *text, *remedy;
} remedies[] = {
	{ "seccomp", "the kernel lacks CONFIG_SECCOMP_FILTER, or a filter around us forbids more of them: "
		     "choose P2" },
	{ "address", "something of this machine lies where the engine has to: choose P1 or R1" },
	{ "descriptors", "raise the hard limit of open files (ulimit -Hn) to 1024 or more" },
	{ "inside", "a program of a container of this engine starts no other container by it: choose P2" },
	{ "", "choose P1 or R1" },
};

static const char *remedy_for(const char *reason)
{
	size_t i = 0;

	while (!strstr(reason, remedies[i].text))
		i++;
	return remedies[i].remedy;
}

/* What the program says of itself: one word a line, or why it cannot. */
static void read_answer(const char *text, unsigned *ret_flags, char **ret_reason)
{
	static const struct {
		const char *word;
		unsigned flag;
	} words[] = {
		{ "filter", TRAP_FOUND_FILTER },
		{ "openat2", TRAP_FOUND_OPENAT2 },
		{ "rewrite", TRAP_FOUND_REWRITE },
		{ "mm_map", TRAP_FOUND_MM_MAP },
	};
	auto_strv lines = STRV_INIT;

	strv_split(&lines, text, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		if (str_starts(lines.v[i], "no: ") && !*ret_reason)
			*ret_reason = xstrdup(lines.v[i] + strlen("no: "));
		for (size_t k = 0; k < ARRAY_LEN(words); k++)
			if (str_eq(lines.v[i], words[k].word))
				*ret_flags |= words[k].flag;
	}
}

/* Try it: it does in a child of its own what it would do for a container. */
static bool try_here(struct engine_probe *p, struct probe_facts *facts)
{
	const char *argv[] = { p->path, "--probe", NULL };
	auto_str out = STR_INIT;
	auto_err *why = NULL;
	int status;

	if (engine_ask(argv, NULL, &out, &status, &why) < 0) {
		p->reason = xstrdup(err_text(why));
	} else {
		read_answer(str_text(&out), &facts->flags, &p->reason);
		if (status == 0 && (facts->flags & TRAP_FOUND_FILTER)) {
			free(steal_ptr(&p->reason));
			return true;
		}
		if (!p->reason)
			p->reason = xasprintf("its program ended with status %d when it was tried", status);
	}
	p->remedy = xstrdup(remedy_for(p->reason));
	return false;
}

/* Not beside us: not made for this machine, or left out when we were installed. */
static void explain_absence(struct engine_probe *p)
{
#if defined(__x86_64__) || defined(__aarch64__)
	p->reason = xstrdup("its program " TRAP_PROGRAM " is not installed beside udocker-guest-init");
	p->remedy = xstrdup("install it there, or set UDOCKER_EXEC_DIR to the directory that has it");
#else
	p->reason = xasprintf("it is not made for this machine (%s)", host_machine());
	p->remedy = xstrdup("choose P1 or R1");
#endif
}

static void remark(const char *mode, struct engine_probe *p)
{
	if (str_eq(mode, "T1") && !(p->flags & TRAP_FOUND_REWRITE))
		p->reason = xstrdup("programs' text cannot be changed here: T1 is T2");
	else if (!(p->flags & TRAP_FOUND_OPENAT2))
		p->reason = xstrdup("openat2() is not to be had: paths are walked, which takes longer");
}

/* Its tracer takes our own calls for those of a program. */
static bool inside_proot(struct engine_probe *p)
{
	autofree char *tracer = doctor_tracer();

	if (!tracer || !strstr(tracer, "proot"))
		return false;
	p->reason = xstrdup("inside PRoot, which would translate its paths once more");
	p->remedy = xstrdup("choose P1");
	return true;
}

static int trap_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	struct engine_probe p = { 0 };
	struct probe_facts facts = { 0 };
	autofree char *key = NULL;

	(void)err; /* everything that can go wrong here is an answer */
	if (proc_sibling(TRAP_PROGRAM, &p.path, NULL) < 0) {
		explain_absence(&p);
		*ret = p;
		return 0;
	}
	key = probe_cache_key(p.path);
	if (inside_proot(&p)) {
		/* Said without a try. */
	} else if (probe_cache_load("trap", key, &facts)) {
		p.available = true;
	} else if (try_here(&p, &facts)) {
		p.available = true;
		facts.version = xstrdup(UDOCKER_VERSION);
		probe_cache_save("trap", key, &facts);
	}
	p.version = xstrdup(UDOCKER_VERSION);
	p.flags = facts.flags;
	probe_facts_free(&facts);
	if (p.available)
		remark(mode, &p);
	*ret = p;
	return 0;
}

/* P modes run these, by qemu-user or by themselves. */
static char *trap_misfit(const char *rootfs)
{
	const char *machine = guest_machine_other(rootfs);

	return machine ? xasprintf("the container's programs are for %s", machine) : NULL;
}

static const char *const trap_modes[] = { "T1", "T2", NULL };

const struct engine engine_trap = {
	.name = "trap",
	.modes = trap_modes,
	.kind = ENGINE_DIRECT,
	.misfit = trap_misfit,
	.answers = trap_answers,
	.conditions = trap_conditions,
	.probe = trap_probe,
	.plan = trap_plan,
};
