/* SPDX-License-Identifier: Apache-2.0 */
/* Looking at rules, and hiding calls by them. */
#include "engines/seccomp_rules.h"

#include <errno.h>

#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

bool seccomp_rules_allows(const struct json *action)
{
	const char *text = json_str(action);

	return str_eq(text, "SCMP_ACT_ALLOW") || str_eq(text, "SCMP_ACT_LOG");
}

int seccomp_rules_find(const struct json *rule, const char *call)
{
	const struct json *names = json_get(rule, "names");

	for (size_t i = 0; i < json_len(names); i++)
		if (str_eq(json_str(json_at(names, i)), call))
			return (int)i;
	return -1;
}

bool seccomp_rules_restrict(const struct json *rules, const char *call)
{
	for (size_t i = 0; i < json_len(rules); i++) {
		const struct json *rule = json_at(rules, i);

		if (seccomp_rules_find(rule, call) >= 0 && !seccomp_rules_allows(json_get(rule, "action")))
			return true;
	}
	return false;
}

void seccomp_rules_drop_empty(struct json *rules)
{
	for (size_t i = json_len(rules); i-- > 0;)
		if (json_len(json_get(json_at(rules, i), "names")) == 0)
			json_remove_at(rules, i);
}

/* libseccomp kills programs of an architecture that a profile does not name. */
static struct json *architectures(void)
{
	static const struct {
		const char *machine, *names;
	} table[] = {
		{ "x86_64", "SCMP_ARCH_X86_64 SCMP_ARCH_X86 SCMP_ARCH_X32" },
		{ "aarch64", "SCMP_ARCH_AARCH64 SCMP_ARCH_ARM" },
		{ "s390x", "SCMP_ARCH_S390X SCMP_ARCH_S390" },
	};
	auto_strv names = STRV_INIT;

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (str_eq(host_machine(), table[i].machine))
			strv_split(&names, table[i].names, " ");
	return names.n > 0 ? json_new_strv(&names) : NULL;
}

struct json *seccomp_rules_profile(struct json *config)
{
	struct json *lin = json_need_object(config, "linux");
	struct json *profile = json_get(lin, "seccomp"), *archs;

	if (json_is(profile, JSON_OBJECT) && json_len(profile) > 0)
		return profile;
	profile = json_new_object();
	json_set_str(profile, "defaultAction", "SCMP_ACT_ALLOW");
	archs = architectures();
	if (archs)
		json_set(profile, "architectures", archs);
	json_set(lin, "seccomp", profile);
	return profile;
}

/* ---- hidden calls ---- */

static bool names_arch(const struct json *archs, const char *name)
{
	for (size_t i = 0; i < json_len(archs); i++)
		if (str_eq(json_str(json_at(archs, i)), name))
			return true;
	return false;
}

/*
 * PRoot cancels a call by the number -2, in which libseccomp sees x32's bit: a program for which that is a foreign architecture would be
 * killed. Calls of x32 get the same answers as others.
 */
static void let_cancelled_pass(struct json *profile)
{
	struct json *archs = json_need_array(profile, "architectures");

	if (!str_eq(host_machine(), "x86_64") || names_arch(archs, "SCMP_ARCH_X32"))
		return;
	if (json_len(archs) == 0)
		json_append(archs, json_new_str("SCMP_ARCH_X86_64"));
	json_append(archs, json_new_str("SCMP_ARCH_X32"));
}

/* libseccomp takes no rule that says what is said of all. */
static bool hides_all(const struct json *profile)
{
	int64_t number = EPERM;

	(void)json_to_i64(json_get(profile, "defaultErrnoRet"), &number); /* absent is EPERM */
	return str_eq(json_str(json_get(profile, "defaultAction")), "SCMP_ACT_ERRNO") && number == ENOSYS;
}

static void forget_call(struct json *rules, const char *call)
{
	for (size_t i = 0; i < json_len(rules); i++) {
		struct json *rule = json_at(rules, i);
		int at = seccomp_rules_find(rule, call);

		if (at >= 0)
			json_remove_at(json_get(rule, "names"), (size_t)at);
	}
}

void seccomp_rules_hide(struct json *config, const struct strv *calls)
{
	struct json *profile = seccomp_rules_profile(config), *rules = json_need_array(profile, "syscalls");
	struct json *rule = json_new_object(), *names = json_need_array(rule, "names");

	json_set_str(rule, "action", "SCMP_ACT_ERRNO");
	json_set_i64(rule, "errnoRet", ENOSYS);
	for (size_t i = 0; i < calls->n; i++) {
		if (seccomp_rules_restrict(rules, calls->v[i]))
			continue;
		forget_call(rules, calls->v[i]);
		json_append(names, json_new_str(calls->v[i]));
	}
	seccomp_rules_drop_empty(rules);
	if (json_len(names) > 0 && !hides_all(profile))
		json_append(rules, rule);
	else
		json_free(rule);
	let_cancelled_pass(profile);
}
