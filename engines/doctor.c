/* SPDX-License-Identifier: Apache-2.0 */
/* One function a requirement. What is forbidden is found by doing it in a child; why, by looking at the usual suspects. */
#include "engines/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engines/find.h"
#include "engines/oci_host.h"
#include "engines/probe_cache.h"
#include "engines/proot_plan.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/base/subid.h"

#define SUBID_RANGES 64 /* more are not counted */
#define TEXT_MAX (1 << 20)
#define YAMA_FILE "/proc/sys/kernel/yama/ptrace_scope"

/* ---- helpers ---- */
static void read_text(const char *path, struct str *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		(void)fd_read_text(fd, TEXT_MAX, ret, path, NULL); /* unreadable is empty */
}

static bool in_child(bool (*what)(void))
{
	int status = 1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(what() ? 0 : 1);
	return pid > 0 && proc_wait(pid, &status, NULL) == 0 && status == 0;
}

/* The value of a line "Key:\tvalue" of /proc/self/status, or "". */
static char *status_field(const char *key)
{
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;
	size_t n = strlen(key);

	read_text("/proc/self/status", &text);
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++)
		if (strncmp(lines.v[i], key, n) == 0 && lines.v[i][n] == ':')
			return xstrdup(lines.v[i] + n + 1 + strspn(lines.v[i] + n + 1, " \t"));
	return xstrdup("");
}

char *doctor_tracer(void)
{
	autofree char *pid = status_field("TracerPid");
	autofree char *path = NULL;
	auto_str comm = STR_INIT;

	if (!*pid || str_eq(pid, "0"))
		return NULL;
	path = xasprintf("/proc/%s/comm", pid);
	read_text(path, &comm);
	str_trim(&comm);
	return xstrdup(comm.len ? str_text(&comm) : "a debugger");
}

const char *doctor_container_of(const char *text)
{
	/* The longer words first: libpod is podman's, and stands beside "docker" in some paths. */
	static const char *const marks[][2] = { { "libpod", "podman" }, { "podman", "podman" },
		{ "kubepods", "Kubernetes" }, { "docker", "docker" }, { "containerd", "containerd" },
		{ "lxc", "lxc" }, { "systemd-nspawn", "systemd-nspawn" }, { "apptainer", "Apptainer" },
		{ "singularity", "Singularity" }, { "oci", "an OCI runtime" } };

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (strstr(text, marks[i][0]))
			return marks[i][1];
	return NULL;
}

/* Which container engine runs us? By its files, its variables, its control group. */
static const char *container_name(void)
{
	auto_str cgroup = STR_INIT;
	const char *name;

	if (access("/run/.containerenv", F_OK) == 0)
		return "podman";
	if (access("/.dockerenv", F_OK) == 0)
		return "docker";
	if (access("/.singularity.d", F_OK) == 0)
		return "Singularity";
	name = host_env("container"); /* systemd's convention */
	if (name)
		return doctor_container_of(name) ? doctor_container_of(name) : "a container engine";
	read_text("/proc/self/cgroup", &cgroup);
	return doctor_container_of(str_text(&cgroup));
}

/* ---- the requirements ---- */
static void ask_kernel(struct doctor_fact *f)
{
	f->met = host_kernel_at_least(3, 5);
	f->found = xasprintf("Linux %s, %s", host_kernel_release(), host_machine());
	if (!f->met)
		f->remedy = xstrdup("Linux 3.5 has what P1 and seccomp profiles need; try P2");
	else if (!host_kernel_at_least(5, 6))
		f->remedy = xstrdup("Linux 5.6 resolves paths faster");
}

static void ask_proc(struct doctor_fact *f)
{
	f->met = access("/proc/self/status", R_OK) == 0;
	f->found = xstrdup(f->met ? "mounted" : "not mounted");
	if (!f->met)
		f->remedy = xstrdup(
			"mount it (mount -t proc proc /proc), or have whoever made this container do so");
}

static bool try_ptrace(void)
{
	return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static void ask_ptrace(struct doctor_fact *f)
{
	autofree char *tracer = doctor_tracer();
	long scope = probe_sysctl(YAMA_FILE, -1);

	f->met = in_child(try_ptrace);
	if (f->met) {
		f->found = xstrdup("allowed");
	} else if (tracer) {
		f->found = xasprintf("this process is traced already, by %s", tracer);
		f->remedy = xstrdup("a program has one tracer: leave that one, or choose R1");
	} else if (scope >= 2) {
		f->found = xasprintf("forbidden by Yama (kernel.yama.ptrace_scope is %ld)", scope);
		f->remedy = xstrdup("choose R1, or ask the administrator to set it to 1");
	} else {
		f->found = xstrdup("forbidden, by a seccomp filter it seems");
		f->remedy = xstrdup(
			"inside another container allow it (docker: --cap-add SYS_PTRACE), or choose R1");
	}
}

static void ask_yama(struct doctor_fact *f)
{
	long scope = probe_sysctl(YAMA_FILE, -1);

	f->met = scope < 2;
	f->found = scope < 0 ? xstrdup("not there") : xasprintf("kernel.yama.ptrace_scope is %ld", scope);
	if (!f->met)
		f->remedy = xstrdup("choose R1, or ask the administrator to set it to 1");
}

static bool try_seccomp(void)
{
	struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = { .len = 1, .filter = &allow };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

static void ask_seccomp(struct doctor_fact *f)
{
	f->met = in_child(try_seccomp);
	f->found = xstrdup(f->met ? "filters can be installed" : "filters cannot be installed");
	if (!f->met)
		f->remedy = xstrdup("choose P2; the kernel lacks CONFIG_SECCOMP_FILTER, or a filter forbids "
				    "more of them");
}

/* AppArmor may allow one of the runtimes and not the other. */
static void ask_userns(struct doctor_fact *f)
{
	f->met = oci_userns_works("crun", &f->found, &f->remedy);
	if (!f->met) {
		free(f->found);
		free(f->remedy);
		f->found = f->remedy = NULL;
		f->met = oci_userns_works("runc", &f->found, &f->remedy);
	}
	if (f->met)
		f->found = xstrdup("allowed");
}

uint64_t doctor_subids(const char *text, const char *user, uid_t uid)
{
	struct subid_range ranges[SUBID_RANGES];
	size_t n = subid_ranges(text, user, uid, ranges, ARRAY_LEN(ranges));
	uint64_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += ranges[i].count;
	return sum;
}

bool doctor_has_subids(uint64_t *ret_uids, uint64_t *ret_gids)
{
	auto_str uids = STR_INIT, gids = STR_INIT;
	autofree char *path = find_path();
	autofree char *tool = proc_find("newuidmap", path);
	uint64_t n_uid, n_gid;

	read_text("/etc/subuid", &uids);
	read_text("/etc/subgid", &gids);
	n_uid = doctor_subids(str_text(&uids), host_user_name(), geteuid());
	n_gid = doctor_subids(str_text(&gids), host_user_name(), geteuid());
	if (ret_uids)
		*ret_uids = n_uid;
	if (ret_gids)
		*ret_gids = n_gid;
	return n_uid && n_gid && tool;
}

static void ask_subids(struct doctor_fact *f)
{
	autofree char *path = find_path();
	autofree char *tool = proc_find("newuidmap", path);
	uint64_t n_uid, n_gid;
	bool has = doctor_has_subids(&n_uid, &n_gid);

	f->met = geteuid() == 0 || has;
	f->found = xasprintf("%llu user and %llu group ids for %s%s", (unsigned long long)n_uid,
		(unsigned long long)n_gid, host_user_name(), tool ? "" : ", no newuidmap");
	if (!f->met)
		f->remedy =
			xstrdup("only bundles that map ranges of ids need them; containers of one id do not");
}

static void ask_cgroups(struct doctor_fact *f)
{
	const char *layout = oci_host_cgroup_layout();

	f->met = oci_cgroups_writable();
	f->found = xasprintf("%s, %s", layout, f->met ? "groups can be made" : "no groups can be made");
	if (f->met && !oci_host_is_hybrid())
		return;
	if (oci_host_is_hybrid())
		f->remedy = xstrdup("crun refuses this layout; runc does not");
	else if (str_eq(layout, "v2"))
		f->remedy = xstrdup("limits of resources have no effect; `systemd-run --user --scope -p "
				    "Delegate=yes` may give a group");
	else
		f->remedy = xstrdup("limits of resources have no effect");
}

static void ask_fuse(struct doctor_fact *f)
{
	autoclose int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NOCTTY);

	f->met = fd >= 0;
	f->found = f->met ? xstrdup("can be opened") : xasprintf("/dev/fuse: %s", strerror(errno));
	if (!f->met)
		f->remedy = xstrdup(
			"udocker mounts nothing through it; other tools do (docker: --device /dev/fuse)");
}

static void ask_nesting(struct doctor_fact *f)
{
	const char *outer = container_name();
	autofree char *tracer = doctor_tracer();
	bool traced = tracer && strstr(tracer, "proot");

	f->met = !outer && !traced && !oci_host_is_inner();
	if (f->met) {
		f->found = xstrdup("in no container");
		return;
	}
	f->found =
		traced  ? xstrdup("inside PRoot")
		: outer ? xasprintf("inside %s%s", outer, oci_host_is_inner() ? ", in a user namespace" : "")
			: xstrdup("in a user namespace");
	f->remedy = xstrdup(traced ? "PRoot in PRoot is slow where it works; start containers from outside"
				   : "what the outer container forbids shows in the other rows");
}

/* What speaks against programs below that directory, or the nearest above it that is there; NULL: nothing. Static. */
static const char *dir_trouble(const char *dir)
{
	autofree char *at = xstrdup(dir);
	struct statvfs fs;

	while (statvfs(at, &fs) < 0) {
		char *slash = strrchr(at, '/');

		if (errno != ENOENT || !slash || slash == at)
			return "cannot be reached";
		*slash = '\0';
	}
	if (fs.f_flag & ST_NOEXEC)
		return "is mounted noexec";
	return access(at, W_OK) < 0 ? "cannot be written" : NULL;
}

static void ask_dir(struct doctor_fact *f, const char *dir, const char *setting)
{
	const char *trouble = *dir ? dir_trouble(dir) : "not known, there is no HOME";

	f->met = !trouble;
	f->found = xasprintf("%s%s%s", dir, *dir && trouble ? " " : "", trouble ? trouble : "");
	if (trouble)
		f->remedy = xasprintf("set %s to a directory that can be written and executed from", setting);
}

static void ask_store(struct doctor_fact *f)
{
	ask_dir(f, conf_str(CONF_CONTAINERSDIR), "UDOCKER_CONTAINERS");
}

static void ask_tmp(struct doctor_fact *f)
{
	autofree char *dir = proot_tmp_dir(NULL);

	ask_dir(f, dir, "PROOT_TMP_DIR");
}

static const struct {
	const char *name, *needed_by;
	void (*ask)(struct doctor_fact *f);
} requirements[] = {
	{ "kernel", "crun runc runsc proot fakechroot singularity trap", ask_kernel },
	{ "/proc", "crun runc runsc proot singularity", ask_proc },
	{ "ptrace", "proot runsc", ask_ptrace },
	{ "yama", "proot runsc", ask_yama },
	{ "seccomp", "proot trap", ask_seccomp },
	{ "user namespaces", "crun runc runsc singularity", ask_userns },
	{ "subordinate ids", "", ask_subids },
	{ "control groups", "", ask_cgroups },
	{ "/dev/fuse", "", ask_fuse },
	{ "nesting", "", ask_nesting },
	{ "store executable", "crun runc proot fakechroot singularity", ask_store },
	{ "tmp executable", "proot", ask_tmp },
};

void doctor_facts(struct doctor_fact **ret, size_t *ret_n)
{
	struct doctor_fact *f = xcalloc(ARRAY_LEN(requirements), sizeof(*f));

	for (size_t i = 0; i < ARRAY_LEN(requirements); i++) {
		f[i].name = requirements[i].name;
		f[i].needed_by = requirements[i].needed_by;
		requirements[i].ask(&f[i]);
	}
	*ret = f;
	*ret_n = ARRAY_LEN(requirements);
}

void doctor_facts_free(struct doctor_fact *f, size_t n)
{
	for (size_t i = 0; f && i < n; i++) {
		free(f[i].found);
		free(f[i].remedy);
	}
	free(f);
}
