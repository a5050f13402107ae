/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runsc (gVisor), mode R1: the container's programs run on a kernel of its own, in a process of the host that is all that the host sees of
 * them. It makes containers for an ordinary caller by `run` alone; started as root of a user namespace it has all verbs.
 */
#include "engines/runsc.h"

#include <sys/syscall.h>

#include "engines/oci_delegate.h"
#include "engines/probe_cache.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define YAMA_FILE "/proc/sys/kernel/yama/ptrace_scope"

/* One row a line reads as the table it is. */
/* clang-format off */
static const struct engine_answer runsc_answers[] = {
	{ "ociVersion", ENGINE_APPLIES, "lowered to what the engine knows" },
	{ "annotations", ENGINE_APPLIES, NULL },
	{ "hooks", ENGINE_APPLIES, NULL },
	{ "hooks.createRuntime", ENGINE_REFUSES, "not known to this engine" },
	{ "hooks.createContainer", ENGINE_REFUSES, "not known to this engine" },
	{ "hooks.startContainer", ENGINE_REFUSES, "not known to this engine" },
	{ "root.path", ENGINE_APPLIES, NULL },
	{ "root.readonly", ENGINE_APPLIES, NULL },
	{ "hostname", ENGINE_APPLIES, "with a uts namespace" },
	{ "domainname", ENGINE_IGNORES, "not known to this engine" },
	{ "mounts", ENGINE_APPLIES, NULL },
	{ "mounts.proc", ENGINE_APPLIES, "the sandbox's own" },
	{ "mounts.sysfs", ENGINE_APPLIES, "the sandbox's own" },
	{ "mounts.mqueue", ENGINE_APPLIES, "the sandbox's own" },
	{ "mounts.cgroup", ENGINE_APPLIES, "the sandbox's own" },
	{ "mounts.cgroup2", ENGINE_IGNORES, "not known to this engine" },
	{ "process", ENGINE_IGNORES, "unknown to this version" },
	{ "process.terminal", ENGINE_APPLIES, NULL },
	{ "process.consoleSize", ENGINE_IGNORES, "whoever has the terminal sets it" },
	{ "process.cwd", ENGINE_APPLIES, NULL },
	{ "process.env", ENGINE_APPLIES, "in any order" },
	{ "process.args", ENGINE_APPLIES, NULL },
	{ "process.commandLine", ENGINE_IGNORES, "of Windows" },
	{ "process.user.uid", ENGINE_APPLIES, "an ordinary caller's files are root's" },
	{ "process.user.gid", ENGINE_APPLIES, "an ordinary caller's files are root's" },
	{ "process.user.umask", ENGINE_IGNORES, "not known to this engine" },
	{ "process.user.additionalGids", ENGINE_APPLIES, NULL },
	{ "process.user.username", ENGINE_IGNORES, "of Windows" },
	{ "process.rlimits", ENGINE_APPLIES, "kept by the sandbox's kernel" },
	{ "process.capabilities", ENGINE_APPLIES, NULL },
	{ "process.noNewPrivileges", ENGINE_APPLIES, "always" },
	{ "process.oomScoreAdj", ENGINE_APPLIES, "not below the caller's" },
	{ "process.apparmorProfile", ENGINE_IGNORES, "not known to this engine" },
	{ "process.selinuxLabel", ENGINE_IGNORES, "not known to this engine" },
	{ "process.scheduler", ENGINE_IGNORES, "not known to this engine" },
	{ "process.ioPriority", ENGINE_IGNORES, "not known to this engine" },
	{ "process.execCPUAffinity", ENGINE_IGNORES, "not known to this engine" },
	{ "linux", ENGINE_IGNORES, "unknown to this version" },
	{ "linux.namespaces", ENGINE_APPLIES, "all but the network are the sandbox's own, whatever is asked for" },
	{ "linux.namespaces.network", ENGINE_EMULATES, "loopback alone; an ordinary caller's is the host's, as --strict says" },
	{ "linux.namespaces.time", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.uidMappings", ENGINE_APPLIES, "root's; an ordinary caller's files are root's" },
	{ "linux.gidMappings", ENGINE_APPLIES, "root's; an ordinary caller's files are root's" },
	{ "linux.timeOffsets", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.devices", ENGINE_IGNORES, "the sandbox's own alone" },
	{ "linux.netDevices", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.cgroupsPath", ENGINE_APPLIES, "where the caller can make control groups" },
	{ "linux.resources", ENGINE_APPLIES, "where the caller can make control groups" },
	{ "linux.intelRdt", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.memoryPolicy", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.sysctl", ENGINE_IGNORES, "the sandbox's kernel has its own" },
	{ "linux.seccomp", ENGINE_APPLIES, "by the sandbox's kernel" },
	{ "linux.rootfsPropagation", ENGINE_IGNORES, "the sandbox's mounts are its own" },
	{ "linux.maskedPaths", ENGINE_EMULATES, "the sandbox's kernel shows nothing of the host's" },
	{ "linux.readonlyPaths", ENGINE_EMULATES, "the sandbox's kernel shows nothing of the host's" },
	{ "linux.mountLabel", ENGINE_IGNORES, "not known to this engine" },
	{ "linux.personality", ENGINE_IGNORES, "not known to this engine" },
	{ "solaris", ENGINE_REFUSES, "not for Linux" },
	{ "windows", ENGINE_REFUSES, "not for Linux" },
	{ "vm", ENGINE_REFUSES, "no virtual machine" },
	{ "zos", ENGINE_REFUSES, "not for Linux" },
	{ ENGINE_PUBLISH, ENGINE_IGNORES, "ports are not mapped: the program listens on the host's, at the number that it takes" },
	{ ENGINE_KERNEL, ENGINE_IGNORES, "uname() tells the host's release" },
	{ NULL, ENGINE_IGNORES, NULL },
};
/* clang-format on */

static bool is_runsc(const char *base)
{
	return strstr(base, "runsc") != NULL;
}

static bool allows_sandbox(char **ret_reason, char **ret_remedy)
{
	const char *machine = host_machine();

	if (!str_eq(machine, "x86_64") && !str_eq(machine, "aarch64")) {
		*ret_reason = xasprintf("is not made for this processor (%s)", machine);
		*ret_remedy = xstrdup("use crun or runc, or P1");
	} else if (probe_sysctl(YAMA_FILE, 0) >= 3) {
		*ret_reason = xstrdup("the kernel forbids ptrace (kernel.yama.ptrace_scope is 3)");
		*ret_remedy = xstrdup("use crun or runc, or ask the administrator");
	}
	return !*ret_reason;
}

/* Sockets are those of the host, or of the network namespace that the sandbox is started in. */
static void add_options(const struct json *config, struct strv *argv)
{
	strv_add(argv, "--network=host");
	strv_add(argv, "--host-uds=all");
	if (json_path(config, "linux", "seccomp", NULL))
		strv_add(argv, "--oci-seccomp");
}

static const char *const names[] = { "runsc", NULL };
static const char *const bundled[] = { "runsc-%", "runsc", NULL };
static const char *const modes[] = { "R1", NULL };
static const char *const no_cgroups[] = { "--ignore-cgroups", NULL };
static const struct find_rule rule = { CONF_USE_RUNC_EXECUTABLE, names, bundled, is_runsc };
static const struct oci_delegate delegate = {
	.engine = &engine_runsc,
	.rule = &rule,
	.version_mark = "version ",
	.no_cgroups = no_cgroups,
	.package = "runsc",
	/* To register for it waits for a grace period of the kernel, which takes as long as all else. */
	.slow_call = SYS_membarrier,
	.host_allows = allows_sandbox,
	.add_options = add_options,
};

static int runsc_probe(const char *mode, struct engine_probe *ret, struct err **err)
{
	return oci_delegate_probe(&delegate, mode, ret, err);
}

static int runsc_plan(const struct engine_ctx *ctx, const struct engine_probe *probe, struct engine_plan *ret,
	struct err **err)
{
	return oci_delegate_plan(&delegate, ctx, probe, ret, err);
}

const struct engine engine_runsc = {
	.name = "runsc",
	.modes = modes,
	.kind = ENGINE_DELEGATE,
	.large = true,
	.answers = runsc_answers,
	.probe = runsc_probe,
	.plan = runsc_plan,
};
