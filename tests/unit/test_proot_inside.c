/* SPDX-License-Identifier: Apache-2.0 */
/* PRoot inside: what the loader says of libraries, the words before a program, and the calls that are hidden by name. */
#include <string.h>

#include "engines/compat_filter.h"
#include "engines/engine.h"
#include "engines/proot_inside.h"
#include "engines/seccomp_rules.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/quoted.h"
#include "tests/unit/tap.h"

static char *joined(const struct strv *v)
{
	return strv_join(v, " ");
}

static char *text_of(const struct json *j)
{
	char *text = json_text(j, 0);

	for (char *p = text; *p; p++)
		if (*p == '"')
			*p = '\'';
	return text;
}

static void test_libraries(void)
{
	auto_strv found = STRV_INIT, none = STRV_INIT;
	autofree char *missing = NULL, *all = NULL;

	ok(proot_inside_libraries(
		   "\tlinux-vdso.so.1 (0x00007f9d27f8a000)\n"
		   "\tlibtalloc.so.2 => /lib/x86_64-linux-gnu/libtalloc.so.2 (0x00007f9d27f3d000)\n"
		   "\tlibc.so.6 => /opt/a b (c)/libc.so.6 (0x00007f9d27d5b000)\n"
		   "\t/lib64/ld-linux-x86-64.so.2 (0x00007f9d27f8c000)\n",
		   &found, &missing),
		"what the loader says");
	all = joined(&found);
	is_str(all, "libtalloc.so.2=/lib/x86_64-linux-gnu/libtalloc.so.2 libc.so.6=/opt/a b (c)/libc.so.6",
		"libraries by name and path, also an odd one");
	ok(!missing, "none is missing");
	ok(!proot_inside_libraries("\tlibtalloc.so.2 => not found\n", &none, &missing),
		"one that is not there");
	is_str(missing, "libtalloc.so.2", "is named");
}

static void test_words(void)
{
	auto_json *root = parse("{'user':{'uid':0,'gid':0},'args':['a','b']}");
	auto_json *again = json_clone(root), *user = parse("{'user':{'uid':7,'gid':8}}");
	auto_json *other = parse("{'user':{'uid':7,'gid':8},'args':['a']}");
	auto_strv tracer = STRV_INIT, ids = STRV_INIT;
	autofree char *first = NULL, *second = NULL, *third = NULL;

	strv_add_all(&tracer, (const char *const[]){ "/d/init", "within", "/d/proot", NULL });
	strv_add(&ids, "-i");
	strv_add(&ids, "5:6");
	engine_trace_process(root, &tracer, &ids);
	first = text_of(json_get(root, "args"));
	is_str(first, "['/d/init','within','/d/proot','-i','5:6','--','a','b']", "before the program");
	engine_trace_further(again, root, &tracer, &ids);
	second = text_of(json_get(again, "args"));
	is_str(second, first, "a further program of the same user");
	engine_trace_further(other, root, &tracer, &ids);
	third = text_of(json_get(other, "args"));
	is_str(third, "['/d/init','within','/d/proot','--','a']", "of another user: as it is");
	json_free(other);
	other = parse("{'args':['a']}");
	engine_trace_further(other, user, &tracer, &ids);
	free(third);
	third = text_of(json_get(other, "args"));
	is_str(third, "['/d/init','within','/d/proot','-0','--','a']", "root beside a user");
}

static void test_hidden(void)
{
	auto_json *config = parse(
		"{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86_64'],"
		"'syscalls':[{'names':['read','statx'],'action':'SCMP_ACT_ALLOW'},"
		"{'names':['openat2'],'action':'SCMP_ACT_KILL'},"
		"{'names':['clone3'],'action':'SCMP_ACT_ALLOW','args':[]}]}}}");
	auto_json *plain = parse("{}"),
		  *same = parse("{'linux':{'seccomp':{'defaultAction':'SCMP_ACT_ERRNO',"
				"'defaultErrnoRet':38,'syscalls':[{'names':['statx','read'],"
				"'action':'SCMP_ACT_ALLOW'}]}}}");
	auto_strv calls = STRV_INIT, old = STRV_INIT, newer = STRV_INIT;
	autofree char *rules = NULL, *alone = NULL, *fewer = NULL;
	bool x86 = str_eq(host_machine(), "x86_64");

	strv_add_all(&calls, (const char *const[]){ "statx", "openat2", "clone3", NULL });
	seccomp_rules_hide(config, &calls);
	rules = text_of(json_path(config, "linux", "seccomp", "syscalls", NULL));
	is_str(rules,
		"[{'names':['read'],'action':'SCMP_ACT_ALLOW'},{'names':['openat2'],'action':'SCMP_ACT_KILL'}"
		","
		"{'names':['statx','clone3'],'action':'SCMP_ACT_ERRNO','errnoRet':38}]",
		"what was allowed is hidden, what is forbidden stays so");
	is_int(json_len(json_path(config, "linux", "seccomp", "architectures", NULL)), x86 ? 2 : 1,
		"calls that PRoot has cancelled pass");
	seccomp_rules_hide(plain, &calls);
	is_str(json_str(json_path(plain, "linux", "seccomp", "defaultAction", NULL)), "SCMP_ACT_ALLOW",
		"a profile of ours allows the rest");
	alone = text_of(json_path(plain, "linux", "seccomp", "syscalls", NULL));
	is_str(alone, "[{'names':['statx','openat2','clone3'],'action':'SCMP_ACT_ERRNO','errnoRet':38}]",
		"and has one rule");
	seccomp_rules_hide(same, &calls);
	fewer = text_of(json_path(same, "linux", "seccomp", "syscalls", NULL));
	is_str(fewer, "[{'names':['read'],'action':'SCMP_ACT_ALLOW'}]", "no rule says what is said of all");
	compat_filter_names(COMPAT_VERSION(5, 1), &old);
	compat_filter_names(COMPAT_VERSION(5, 4), &newer);
	ok(strv_has(&old, "statx") && strv_has(&old, "clone3"), "an old PRoot knows none of them");
	ok(!strv_has(&newer, "statx") && strv_has(&newer, "clone3"), "a newer one translates statx");
}

int main(void)
{
	ok(proot_inside_mode("R2") && proot_inside_mode("R3") && !proot_inside_mode("R1"), "its modes");
	test_libraries();
	test_words();
	test_hidden();
	return tap_done();
}
