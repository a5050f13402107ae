/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of fake root beside those of a bundle: what it forbids stays forbidden. */
#include "engines/fake_root.h"

#include <errno.h>
#include <linux/audit.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/bpf_program.h"
#include "engines/compat_filter.h"
#include "engines/fake_root_filter.h"
#include "engines/seccomp_rules.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/seccomp.h"
#include "tests/unit/bpf.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static char top[64];
static int topfd;

/* ' for " in both directions, so that documents can be read here. */
static void swap(char *s, char from, char to)
{
	for (; *s; s++)
		if (*s == from)
			*s = to;
}

static struct json *parse(const char *text)
{
	autofree char *copy = xstrdup(text);
	struct json *j = NULL;

	swap(copy, '\'', '"');
	if (json_parse(copy, strlen(copy), "test", NULL, &j, NULL) < 0)
		exit(99);
	return j;
}

static struct json *merged(const char *seccomp)
{
	autofree char *text = xasprintf("{'process':{'noNewPrivileges':true}%s%s%s}",
		seccomp ? ",'linux':{'seccomp':" : "", seccomp ? seccomp : "", seccomp ? "}" : "");
	struct json *j = parse(text);

	fake_root_seccomp(j, FAKE_ROOT_ALL);
	return j;
}

/*
 * What the rules say of a call, each rule as "ACTION[=errno][?MODE]", in their order; "-" without a rule. A rule with other
 * conditions than the type of a node has "?" alone.
 */
static char *says(const struct json *config, const char *call)
{
	const struct json *rules = json_path(config, "linux", "seccomp", "syscalls", NULL);
	auto_strv words = STRV_INIT;

	for (size_t i = 0; i < json_len(rules); i++) {
		const struct json *rule = json_at(rules, i), *names = json_get(rule, "names");
		const struct json *arg = json_at(json_get(rule, "args"), 0);
		const char *number = json_number_text(json_get(rule, "errnoRet"));
		const char *type = json_number_text(json_get(arg, "valueTwo"));

		for (size_t k = 0; k < json_len(names); k++)
			if (str_eq(json_str(json_at(names, k)), call))
				strv_addf(&words, "%s%s%s%s%s",
					json_str(json_get(rule, "action")) + strlen("SCMP_ACT_"),
					number ? "=" : "", number ? number : "", arg ? "?" : "",
					type ? type : "");
	}
	return words.n ? strv_join(&words, " ") : xstrdup("-");
}

static void is_said(const struct json *config, const char *call, const char *want, const char *what)
{
	autofree char *got = says(config, call);

	is_str(got, want, what);
}

static void test_alone(void)
{
	auto_json *j = merged(NULL);
	const struct json *profile = json_path(j, "linux", "seccomp", NULL);
	static const char *const calls[] = { "chown", "fchown", "lchown", "fchownat", "chown32", "setuid",
		"setgid", "setreuid", "setresuid32", "setresgid", "setfsuid", "setgroups", "setgroups32",
		"capset" };

	is_str(json_str(json_get(profile, "defaultAction")), "SCMP_ACT_ALLOW",
		"a profile of its own allows the rest");
	for (size_t i = 0; i < ARRAY_LEN(calls); i++)
		is_said(j, calls[i], "ERRNO=0", calls[i]);
	is_said(j, "mknod", "ERRNO=0?8192", "devices, and no other nodes");
	is_said(j, "mknodat", "ERRNO=0?8192", "and by the newer call");
	is_int((long)json_len(json_get(profile, "syscalls")), 3, "one rule for all that have no condition");
	is_said(j, "setns", "-", "nothing else");
#ifdef __x86_64__
	ok(json_len(json_get(profile, "architectures")) == 3, "32-bit programs live on");
#endif
}

/* As docker's and podman's: what is not named is forbidden. */
static void test_closed(void)
{
	auto_json *j = merged(
		"{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':38,'architectures':['SCMP_ARCH_X86'],"
		"'syscalls':[{'names':['read','chown','fchown','mknod'],'action':'SCMP_ACT_ALLOW'},"
		"{'names':['setuid'],'action':'SCMP_ACT_ERRNO','errnoRet':1},"
		"{'names':['setgid'],'action':'SCMP_ACT_KILL'},"
		"{'names':['lchown'],'action':'SCMP_ACT_LOG'},"
		"{'names':['setgroups'],'action':'SCMP_ACT_NOTIFY'},"
		"{'names':['mknodat'],'action':'SCMP_ACT_ALLOW','args':[{'index':2,'value':1,'op':'SCMP_CMP_"
		"EQ'}]},"
		"{'names':['fchownat'],'action':'SCMP_ACT_ALLOW','args':[{'index':0,'value':3,'op':'SCMP_CMP_"
		"EQ'}]}]}");

	is_said(j, "read", "ALLOW", "what has nothing to do with it stays");
	is_said(j, "chown", "ERRNO=0", "what was allowed is done");
	is_said(j, "lchown", "ERRNO=0", "also what was logged");
	is_said(j, "chown32", "-", "what was not allowed is not");
	is_said(j, "setresuid", "-", "nor this");
	is_said(j, "setuid", "ERRNO=1", "what was forbidden by name is forbidden");
	is_said(j, "setgid", "KILL", "in the way it was");
	is_said(j, "setgroups", "NOTIFY", "what another process decides it decides");
	is_said(j, "fchownat", "ERRNO=0?", "what was allowed under a condition is done under it");
	is_said(j, "mknod", "ERRNO=0?8192 ALLOW?0", "other nodes are really made");
	is_said(j, "mknodat", "ALLOW?", "a condition on devices stays as it is");
	is_int((long)json_len(json_path(j, "linux", "seccomp", "architectures", NULL)), 1,
		"no architecture is added");
	is_str(json_str(json_path(j, "linux", "seccomp", "defaultAction", NULL)), "SCMP_ACT_ERRNO",
		"nor is the rest opened");
}

static void test_open(void)
{
	auto_json *j = merged("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':["
			      "{'names':['chown','mknod'],'action':'SCMP_ACT_LOG'},"
			      "{'names':['fchown'],'action':'SCMP_ACT_ERRNO','args':[{'index':1,'value':0,'"
			      "op':'SCMP_CMP_NE'}]},"
			      "{'names':['mknodat'],'action':'SCMP_ACT_TRAP'}]}");

	is_said(j, "chown", "ERRNO=0", "one rule for a call");
	is_said(j, "fchown", "ERRNO?", "forbidden under a condition: all of the call is left alone");
	is_said(j, "mknodat", "TRAP", "forbidden devices, too");
	is_said(j, "mknod", "ERRNO=0?8192", "an allowing rule would win over ours");
	is_said(j, "setuid", "ERRNO=0", "what has no rule is done");
}

/* Without noNewPrivileges the filter is there before the runtime sets capabilities. */
static void test_capset(void)
{
	static const struct {
		const char *process, *want, *what;
	} t[] = {
		{ "{}", "ERRNO=0", "nothing to set" },
		{ "{'capabilities':{'bounding':['CAP_CHOWN']}}", "ERRNO=0",
			"bounding capabilities need no capset" },
		{ "{'capabilities':{'ambient':['CAP_CHOWN']}}", "-", "ambient ones do" },
		{ "{'capabilities':{'inheritable':['CAP_CHOWN']}}", "-", "and inheritable ones" },
		{ "{'noNewPrivileges':true,'capabilities':{'ambient':['CAP_CHOWN']}}", "ERRNO=0",
			"but not when the filter comes last" },
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		autofree char *text = xasprintf("{'process':%s}", t[i].process);
		auto_json *j = parse(text);

		fake_root_seccomp(j, FAKE_ROOT_ALL);
		is_said(j, "capset", t[i].want, t[i].what);
	}
}

/* What a program decides of a call with that mode. */
static uint32_t decides(const struct sock_filter *f, size_t n, uint32_t arch, uint32_t nr, mode_t mode)
{
	const struct seccomp_data data = { .nr = (int)nr, .arch = arch, .args = { 3, mode, mode } };

	return bpf_run(f, n, &data);
}

/* The ready program says of every call what libseccomp makes of the profile. */
static void is_same(bool capset)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
	auto_json *j = parse(capset ? "{}" : "{'process':{'capabilities':{'ambient':['CAP_CHOWN']}}}");
	auto_seccomp_program made = SECCOMP_PROGRAM_INIT;
	size_t n = 0;
	autofree struct sock_filter *ready = fake_root_filter_build(FAKE_ROOT_ALL, capset, &n);
	int others = 0, done = 0;

	fake_root_seccomp(j, FAKE_ROOT_ALL);
	is_int(seccomp_build(j, &made, NULL), 0, "libseccomp takes the profile");
	for (size_t i = 0; ready && i < ARRAY_LEN(archs); i++)
		for (uint32_t nr = 0; nr < 1024; nr++)
			for (mode_t type = 0; type <= S_IFMT; type += S_IFIFO) {
				const struct sock_filter *f = (const void *)made.words;
				uint32_t bit = i == 0 && (nr & 1) ? 0x40000000 : 0; /* x32, too */
				uint32_t want = decides(f, made.n, archs[i], nr | bit, type | 0644);

				others += want != decides(ready, n, archs[i], nr | bit, type | 0644);
				done += want == SECCOMP_RET_ERRNO;
			}
	is_int(others, 0, "no call is decided otherwise");
	ok(!ready || done > 0, "some are said to be done");
	ok(!ready || decides(ready, n, AUDIT_ARCH_AARCH64, 92, 0) == SECCOMP_RET_ALLOW,
		"another machine's calls are let alone");
}

/* So does the one for a PRoot inside; it also hides what libseccomp does not know yet, and a call of 32 bits (412). */
static void is_same_traced(enum fake_root_part part)
{
	static const uint32_t archs[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_I386 };
	auto_json *j = parse("{}");
	auto_strv names = STRV_INIT;
	auto_seccomp_program made = SECCOMP_PROGRAM_INIT;
	size_t n_own = 0, n_hidden = 0;
	autofree struct sock_filter *own = fake_root_filter_build(part, true, &n_own);
	autofree struct sock_filter *hidden =
		compat_filter_build(compat_arch_host(), COMPAT_VERSION(5, 1), &n_hidden);
	autofree struct sock_filter *ready = own ? bpf_chain(hidden, n_hidden, own, n_own) : NULL;
	int others = 0, done = 0;

	if (part != FAKE_ROOT_NONE)
		fake_root_seccomp(j, part);
	compat_filter_names(COMPAT_VERSION(5, 1), &names);
	seccomp_rules_hide(j, &names);
	is_int(seccomp_build(j, &made, NULL), 0, "libseccomp takes the profile of a tracer");
	for (size_t i = 0; ready && i < ARRAY_LEN(archs); i++)
		for (uint32_t nr = 0; nr < 1024; nr++) {
			const struct sock_filter *f = (const void *)made.words;
			uint32_t mode = (nr & 2 ? S_IFCHR : S_IFREG) | 0644;
			uint32_t want = decides(f, made.n, archs[i], nr, mode);

			uint32_t got = decides(ready, n_own + n_hidden, archs[i], nr, mode);
			bool newer = nr > 455 || (i == 1 && nr == 412);

			others += newer ? got != want && got != (SECCOMP_RET_ERRNO | ENOSYS) : got != want;
			done += want != SECCOMP_RET_ALLOW;
		}
	is_int(others, 0, "no call is decided otherwise by the tracer's program");
	ok(!ready || done > 40, "some are hidden");
}

static bool takes(const char *config)
{
	auto_json *j = parse(config);
	autofree char *text = fake_root_program(j, FAKE_ROOT_ALL, NULL, 0);

	return text != NULL;
}

static void test_program(void)
{
	size_t n = 0;
	autofree struct sock_filter *known = fake_root_filter_build(FAKE_ROOT_ALL, true, &n);

	is_same(true);
	is_same(false);
	is_same_traced(FAKE_ROOT_FILES);
	is_same_traced(FAKE_ROOT_NONE);
	is_int(takes("{}"), known != NULL, "a program instead of a profile");
	is_int(takes("{'linux':{'seccomp':{}},'annotations':{'a':'b'}}"), known != NULL,
		"also instead of an empty one");
	ok(!takes("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ALLOW'}}}"),
		"not beside one of the bundle's");
	ok(!takes("{'annotations':{'run.oci.seccomp.receiver':'/x'}}"), "nor beside other wishes for it");
	ok(!takes("{'hooks':{'prestart':[]}}"), "nor where hooks are shown annotations");
}

static void make_dir(const char *path)
{
	if (mkdirat(topfd, path, 0755) < 0)
		exit(99);
}

static bool apt(const char *config)
{
	auto_json *j = parse(config);

	return fake_root_apt(j, top);
}

static void test_apt(void)
{
	static const char conf[] = FAKE_ROOT_APT_FILE;
	struct stat st;

	ok(!apt("{}"), "no apt, no file");
	make_dir("etc");
	make_dir("etc/apt");
	make_dir("etc/apt/apt.conf.d");
	ok(apt("{}"), "apt is told");
	ok(!apt("{'root':{'path':'r','readonly':true}}"), "not where nothing can be installed");
	ok(!apt("{'mounts':[{'destination':'/etc/apt','type':'bind','source':'/x'}]}"),
		"not where a mount lies over it");
	ok(apt("{'mounts':[{'destination':'/etc/ap','type':'bind','source':'/x'}]}"), "another may");
	put(topfd, conf + 1, "");
	ok(apt("{}"), "what a crash has left is used again");
	fake_root_clean(topfd);
	ok(fstatat(topfd, conf + 1, &st, 0) < 0, "the mount point goes");
	put(topfd, conf + 1, "text");
	ok(!apt("{}"), "somebody's file is not covered");
	fake_root_clean(topfd);
	ok(fstatat(topfd, conf + 1, &st, 0) == 0, "nor removed");
	(void)unlinkat(topfd, conf + 1, 0);
	if (symlinkat("/etc/passwd", topfd, conf + 1) < 0)
		exit(99);
	ok(!apt("{}"), "nor is a link followed");
	fake_root_clean(topfd);
	ok(fstatat(topfd, conf + 1, &st, AT_SYMLINK_NOFOLLOW) == 0, "or removed");
}

int main(void)
{
	topfd = scratch_open(top);
	test_alone();
	test_closed();
	test_open();
	test_capset();
	test_program();
	test_apt();
	scratch_close(topfd, top);
	return tap_done();
}
