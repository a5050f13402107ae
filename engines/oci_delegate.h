/* SPDX-License-Identifier: Apache-2.0 */
/* What runc.c, crun.c and runsc.c have in common: runtimes with one command line. */
#ifndef UDOCKER_OCI_DELEGATE_H
#define UDOCKER_OCI_DELEGATE_H

#include "engines/engine.h"
#include "engines/find.h"

/* engine_probe.flags of both. */
enum oci_flags {
	OCI_SPEC_MINOR_MASK = 0xff, /* the specification it knows: 1.N */
	OCI_CGROUPS = 0x100, /* a control group can be made here */
	OCI_USERNS = 0x200, /* an ordinary caller was seen to make a user namespace */
	OCI_SECCOMP = 0x400, /* it was built with libseccomp */
};

struct oci_delegate {
	const struct engine *engine;
	const struct find_rule *rule;
	const char *version_mark; /* what stands before the version in --version */
	const char *const
		*no_cgroups; /* global options for a caller who can make no control group; NULL-terminated */
	const char *package; /* for the remedy */
	long slow_call; /* a system call that it can do without when it says its version; 0: none */
	/* What it needs of the machine besides; may say no in *ret_reason and *ret_remedy (the caller frees them). Or NULL. */
	bool (*host_allows)(char **ret_reason, char **ret_remedy);
	/* Global options that the configuration decides; or NULL. */
	void (*add_options)(const struct json *config, struct strv *argv);
};

int oci_delegate_probe(
	const struct oci_delegate *d, const char *mode, struct engine_probe *ret, struct err **err);
int oci_delegate_plan(const struct oci_delegate *d, const struct engine_ctx *ctx,
	const struct engine_probe *probe, struct engine_plan *ret, struct err **err);

/* The rows of the answers that both give. */
#define OCI_ANSWERS_COMMON \
	{ "ociVersion", ENGINE_APPLIES, "lowered to what the engine knows" }, \
		{ "annotations", ENGINE_APPLIES, NULL }, { "hooks", ENGINE_APPLIES, NULL }, \
		{ "root.path", ENGINE_APPLIES, NULL }, { "root.readonly", ENGINE_APPLIES, NULL }, \
		{ "hostname", ENGINE_APPLIES, "with a uts namespace" }, { "mounts", ENGINE_APPLIES, NULL }, \
		{ "mounts.proc", ENGINE_APPLIES, "the host's without a pid namespace" }, \
		{ "mounts.sysfs", ENGINE_APPLIES, "the host's without a network namespace" }, \
		{ "mounts.mqueue", ENGINE_APPLIES, "the host's without an ipc namespace" }, \
		{ "mounts.cgroup", ENGINE_APPLIES, "the caller's own where none can be made" }, \
		{ "mounts.cgroup2", ENGINE_APPLIES, "the caller's own where none can be made" }, \
		{ "process", ENGINE_IGNORES, "unknown to this version" }, \
		{ "process.terminal", ENGINE_APPLIES, NULL }, \
		{ "process.consoleSize", ENGINE_APPLIES, NULL }, { "process.cwd", ENGINE_APPLIES, NULL }, \
		{ "process.env", ENGINE_APPLIES, NULL }, { "process.args", ENGINE_APPLIES, NULL }, \
		{ "process.commandLine", ENGINE_IGNORES, "of Windows" }, \
		{ "process.user.umask", ENGINE_APPLIES, NULL }, \
		{ "process.user.additionalGids", ENGINE_APPLIES, \
			"not where a single id is mapped, nor with runc for an ordinary caller" }, \
		{ "process.user.username", ENGINE_IGNORES, "of Windows" }, \
		{ "process.rlimits", ENGINE_APPLIES, "up to the caller's hard limits" }, \
		{ "process.capabilities", ENGINE_APPLIES, NULL }, \
		{ "process.noNewPrivileges", ENGINE_APPLIES, NULL }, \
		{ "process.oomScoreAdj", ENGINE_APPLIES, "not below the caller's" }, \
		{ "process.apparmorProfile", ENGINE_APPLIES, NULL }, \
		{ "process.selinuxLabel", ENGINE_APPLIES, NULL }, \
		{ "linux", ENGINE_IGNORES, "unknown to this version" }, \
		{ "linux.namespaces", ENGINE_APPLIES, NULL }, \
		{ "linux.uidMappings", ENGINE_APPLIES, \
			"one id is the caller's; ranges as the bundle has them" }, \
		{ "linux.gidMappings", ENGINE_APPLIES, \
			"one id is the caller's; ranges as the bundle has them" }, \
		{ "linux.devices", ENGINE_APPLIES, "the host's in a user namespace" }, \
		{ "linux.netDevices", ENGINE_IGNORES, "unknown to most versions" }, \
		{ "linux.cgroupsPath", ENGINE_APPLIES, "where the caller can make control groups" }, \
		{ "linux.resources", ENGINE_APPLIES, "where the caller can make control groups" }, \
		{ "linux.intelRdt", ENGINE_APPLIES, NULL }, \
		{ "linux.memoryPolicy", ENGINE_IGNORES, "unknown to most versions" }, \
		{ "linux.sysctl", ENGINE_APPLIES, NULL }, { "linux.seccomp", ENGINE_APPLIES, NULL }, \
		{ "linux.rootfsPropagation", ENGINE_APPLIES, NULL }, \
		{ "linux.maskedPaths", ENGINE_APPLIES, NULL }, \
		{ "linux.readonlyPaths", ENGINE_APPLIES, NULL }, \
		{ "linux.mountLabel", ENGINE_APPLIES, NULL }, { "linux.personality", ENGINE_APPLIES, NULL }, \
		{ ENGINE_PUBLISH, ENGINE_IGNORES, \
			"ports are not mapped: the program listens on the host's, at the number that it " \
			"takes" }, \
		{ ENGINE_KERNEL, ENGINE_IGNORES, "uname() tells the host's release" }, \
		{ "solaris", ENGINE_REFUSES, "not for Linux" }, \
		{ "windows", ENGINE_REFUSES, "not for Linux" }, \
		{ "vm", ENGINE_REFUSES, "no virtual machine" }, \
	{ \
		"zos", ENGINE_REFUSES, "not for Linux" \
	}

#endif
