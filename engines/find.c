/* SPDX-License-Identifier: Apache-2.0 */
/* Looks for the executable of an engine. */
#include "engines/find.h"

#include <unistd.h>

#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define SBIN_PATH "/usr/local/sbin:/usr/sbin:/sbin"

const char *find_arch_name(const char *machine)
{
	static const struct {
		const char *machine, *name;
	} names[] = {
		{ "x86_64", "x86_64" },
		{ "amd64", "x86_64" },
		{ "i386", "x86" },
		{ "i486", "x86" },
		{ "i586", "x86" },
		{ "i686", "x86" },
		{ "aarch64", "arm64" },
		{ "arm64", "arm64" },
		{ "armv7l", "armhf" },
		{ "armv8l", "armhf" },
		{ "armv6l", "armel" },
		{ "armv5tel", "armel" },
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_eq(names[i].machine, machine))
			return names[i].name;
	return machine;
}

char *find_path(void)
{
	const char *path = host_env("PATH");

	return xasprintf("%s:%s", path ? path : DEFAULT_PATH, SBIN_PATH);
}

static char *in_path(const struct find_rule *rule)
{
	autofree char *path = find_path();

	for (const char *const *name = rule->names; *name; name++) {
		char *found = proc_find(*name, path);

		if (found)
			return found;
	}
	return NULL;
}

static char *in_dir(const struct find_rule *rule, const char *dir)
{
	const char *arch = find_arch_name(host_machine());

	if (*dir != '/')
		return NULL;
	for (const char *const *p = rule->bundled; *p; p++) {
		const char *mark = strchr(*p, '%');
		autofree char *name = NULL;
		autofree char *full = NULL;

		/* The build for the newer order of ptrace and seccomp stops. */
		if (strstr(*p, "4_8_0") && !host_kernel_at_least(4, 8))
			continue;
		name = mark ? xasprintf("%.*s%s%s", (int)(mark - *p), *p, arch, mark + 1) : xstrdup(*p);
		full = path_join(dir, name);
		if (access(full, X_OK) == 0)
			return steal_ptr(&full);
	}
	return NULL;
}

/* What `udocker install` brought, else what the release came with. */
static char *bundled(const struct find_rule *rule)
{
	char *found = in_dir(rule, conf_str(CONF_BINDIR));
	autofree char *shipped = found ? NULL : proc_sibling_folder(FIND_SHIPPED "/bin");

	return found || !shipped ? found : in_dir(rule, shipped);
}

/* The setting names one executable, and only that will do. */
static char *by_setting(const struct find_rule *rule, const char *setting, char **ret_why)
{
	const char *key = conf_table()[rule->setting].name;
	autofree char *path = find_path();
	char *found;

	if (rule->is_ours && !rule->is_ours(path_base(setting))) {
		*ret_why = xasprintf("setting %s names '%s'", key, setting);
		return NULL;
	}
	found = *setting == '/' || !strchr(setting, '/') ? proc_find(setting, path) : NULL;
	if (!found)
		*ret_why = xasprintf("setting %s: '%s' is not an executable%s", key, setting,
			strchr(setting, '/') && *setting != '/' ? " (the path must be absolute)" : "");
	return found;
}

char *find_executable(const struct find_rule *rule, char **ret_why)
{
	const char *setting = conf_str(rule->setting);
	bool bundled_only = str_eq(setting, "UDOCKER");
	const char *dir = conf_str(CONF_BINDIR);
	char *found = NULL;

	if (*setting && !bundled_only)
		return by_setting(rule, setting, ret_why);
	if (!bundled_only)
		found = in_path(rule);
	if (!found)
		found = bundled(rule);
	if (!found)
		*ret_why = xasprintf("not found%s%s%s", bundled_only ? "" : " in PATH",
			*dir && !bundled_only ? " or "
			: *dir                ? " in "
					      : "",
			dir);
	return found;
}
