/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to the kernel, asked by trying or by reading, never by running a program. */
#include "engines/oci_host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engines/probe_cache.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define CGROUP_TOP "/sys/fs/cgroup"
#define TEXT_MAX (64 << 10)
#define APPARMOR_FILE "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"

/* The exit status of the child that tries. */
enum { TRY_WORKS, TRY_UNSHARE, TRY_MAP, TRY_MOUNT };

/* Async-signal-safe. */
static bool write_file(const char *path, const char *text, size_t n)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool good = fd >= 0 && write(fd, text, n) == (ssize_t)n;

	if (fd >= 0)
		(void)close(fd); /* nothing is left to be lost */
	return good;
}

static int try_userns(const char *map, size_t map_len)
{
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		return TRY_UNSHARE;
	if (!write_file("/proc/self/uid_map", map, map_len))
		return TRY_MAP;
	/* AppArmor on Ubuntu lets the namespace be made, but gives no power in it. */
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ? TRY_MOUNT : TRY_WORKS;
}

static pthread_once_t tried = PTHREAD_ONCE_INIT;
static int userns_status = TRY_UNSHARE;

static void try_in_child(void)
{
	autofree char *map = xasprintf("0 %u 1\n", (unsigned)geteuid());
	size_t map_len = strlen(map);
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(try_userns(map, map_len));
	if (pid > 0 && proc_wait(pid, &status, NULL) == 0)
		userns_status = status;
}

bool oci_userns_works(const char *program, char **ret_reason, char **ret_remedy)
{
	autofree char *profile = path_join("/etc/apparmor.d", program);

	/* All engines ask. */
	(void)pthread_once(&tried, try_in_child); /* cannot fail */
	if (userns_status == TRY_WORKS)
		return true;
	if (access("/proc/self/uid_map", F_OK) < 0) {
		*ret_reason = xstrdup("/proc is not mounted");
		*ret_remedy = xstrdup(
			"mount it (mount -t proc proc /proc), or have whoever made this container do so");
	} else if (probe_sysctl(APPARMOR_FILE, 0) > 0) {
		/* The runtime's own profile may lift what binds us. */
		if (access(profile, F_OK) == 0)
			return true;
		*ret_reason = xstrdup("AppArmor forbids user namespaces "
				      "(kernel.apparmor_restrict_unprivileged_userns is 1)");
		*ret_remedy = xasprintf(
			"choose P1, or ask the administrator for an AppArmor profile of %s", program);
	} else if (probe_sysctl("/proc/sys/user/max_user_namespaces", 1) == 0) {
		*ret_reason = xstrdup("user namespaces are switched off (user.max_user_namespaces is 0)");
		*ret_remedy = xstrdup("choose P1, or ask the administrator to raise it");
	} else if (probe_sysctl("/proc/sys/kernel/unprivileged_userns_clone", 1) == 0) {
		*ret_reason =
			xstrdup("user namespaces are switched off (kernel.unprivileged_userns_clone is 0)");
		*ret_remedy = xstrdup("choose P1, or ask the administrator to set it to 1");
	} else {
		*ret_reason = xstrdup(userns_status == TRY_UNSHARE ? "user namespaces are forbidden here"
								   : "user namespaces give no power here");
		*ret_remedy =
			xstrdup("choose P1; inside another container its seccomp profile must allow unshare");
	}
	return false;
}

static bool is_fs(const char *path, unsigned long magic)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == magic;
}

static void read_text(const char *path, struct str *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		(void)fd_read_text(fd, TEXT_MAX, ret, path, NULL); /* unreadable is empty */
}

bool oci_host_is_hybrid(void)
{
	auto_str controllers = STR_INIT;

	if (is_fs(CGROUP_TOP, CGROUP2_SUPER_MAGIC) || !is_fs(CGROUP_TOP "/unified", CGROUP2_SUPER_MAGIC))
		return false;
	read_text(CGROUP_TOP "/unified/cgroup.controllers", &controllers);
	str_trim(&controllers);
	return controllers.len > 0;
}

const char *oci_host_cgroup_layout(void)
{
	if (is_fs(CGROUP_TOP, CGROUP2_SUPER_MAGIC))
		return "v2";
	if (is_fs(CGROUP_TOP "/unified", CGROUP2_SUPER_MAGIC))
		return "v1 and v2";
	return is_fs(CGROUP_TOP, TMPFS_MAGIC) ? "v1" : "none";
}

/* Our own cgroup in the v2 tree: the line "0::PATH". */
static bool own_cgroup2_writable(void)
{
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	read_text("/proc/self/cgroup", &text);
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (str_starts(lines.v[i], "0::/")) {
			autofree char *dir = path_join(CGROUP_TOP, lines.v[i] + 3);
			autofree char *procs = path_join(dir, "cgroup.procs");

			return access(dir, W_OK) == 0 && access(procs, W_OK) == 0;
		}
	return false;
}

bool oci_cgroups_writable(void)
{
	static const char *const v1[] = { "memory", "pids", "cpu", "devices", "systemd" };

	if (is_fs(CGROUP_TOP, CGROUP2_SUPER_MAGIC))
		return own_cgroup2_writable();
	for (size_t i = 0; i < ARRAY_LEN(v1); i++) {
		autofree char *dir = path_join(CGROUP_TOP, v1[i]);

		if (access(dir, F_OK) == 0)
			return access(dir, W_OK) == 0;
	}
	return false;
}

/* Below where one hierarchy is mounted, what is relative also below our own group: runc has it there, crun at the top. */
static void forget_below(const char *top, const char *own, const char *path)
{
	autofree char *below = path_join(top, *own == '/' ? own + 1 : own);
	autofree char *at_top = path_join(top, *path == '/' ? path + 1 : path);
	autofree char *in_own = path_join(below, path);

	(void)rmdir(at_top); /* one that is not empty, or not there, stays as it is */
	if (*path != '/')
		(void)rmdir(in_own);
}

/* A line of /proc/self/cgroup: "4:cpu,cpuacct:/own", "1:name=systemd:/own", "0::/own". */
static void forget_in(const char *line, const char *path)
{
	auto_strv fields = STRV_INIT, names = STRV_INIT;
	const char *own;

	strv_split(&fields, line, ":");
	own = strchr(line, '/');
	if (!own)
		return;
	if (strstr(line, "::/")) {
		forget_below(CGROUP_TOP, own, path);
		forget_below(CGROUP_TOP "/unified", own, path);
		return;
	}
	strv_split(&names, fields.n > 1 ? fields.v[1] : "", ",");
	for (size_t i = 0; i < names.n; i++) {
		const char *name = str_starts(names.v[i], "name=") ? names.v[i] + 5 : names.v[i];
		autofree char *top = path_join(CGROUP_TOP, name);

		forget_below(top, own, path);
	}
}

void oci_cgroups_forget(const char *path)
{
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	if (!path || !*path || strchr(path, ':') || strstr(path, ".."))
		return;
	read_text("/proc/self/cgroup", &text);
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		forget_in(lines.v[i], path);
}

/* The words of our own user namespace's map. */
static void read_map(struct strv *words)
{
	auto_str map = STR_INIT;

	read_text("/proc/self/uid_map", &map);
	strv_split(words, str_text(&map), " \n");
}

bool oci_host_maps_one(void)
{
	auto_strv words = STRV_INIT;

	read_map(&words);
	return words.n == 3 && str_eq(words.v[2], "1");
}

bool oci_host_is_inner(void)
{
	auto_strv words = STRV_INIT;

	/* The first user namespace is the one that maps everything onto itself. */
	read_map(&words);
	return words.n != 0 && (words.n != 3 || !str_eq(words.v[2], "4294967295"));
}

bool oci_host_has(int capability)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[capability / 32].effective & (1u << (capability % 32));
}

bool oci_host_capable(int capability)
{
	auto_strv words = STRV_INIT;

	read_map(&words); /* without /proc nobody knows */
	return words.n > 0 && oci_host_has(capability) && !oci_host_is_inner();
}
