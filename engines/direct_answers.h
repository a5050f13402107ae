/* SPDX-License-Identifier: Apache-2.0 */
/* The answers that every direct engine gives: what pkg/runtime does for all of them, and what takes a privilege that none has. */
#ifndef UDOCKER_DIRECT_ANSWERS_H
#define UDOCKER_DIRECT_ANSWERS_H

/* One row a line reads as the table it is. */
/* clang-format off */
#define DIRECT_ANSWERS_COMMON \
	{ "ociVersion", ENGINE_APPLIES, NULL }, \
	{ "annotations", ENGINE_APPLIES, NULL }, \
	{ "hooks", ENGINE_APPLIES, NULL }, \
	{ "mounts", ENGINE_REFUSES, "only bind mounts and the kernel's own file systems can be shown" }, \
	{ "mounts.proc", ENGINE_EMULATES, "the host's" }, \
	{ "mounts.sysfs", ENGINE_EMULATES, "the host's" }, \
	{ "mounts.devpts", ENGINE_EMULATES, "the host's" }, \
	{ "mounts.mqueue", ENGINE_EMULATES, "the host's" }, \
	{ "mounts.devtmpfs", ENGINE_EMULATES, "the host's /dev" }, \
	{ "mounts.cgroup", ENGINE_IGNORES, "no control groups are made" }, \
	{ "mounts.cgroup2", ENGINE_IGNORES, "no control groups are made" }, \
	{ "process", ENGINE_IGNORES, "unknown to this version" }, \
	{ "process.terminal", ENGINE_APPLIES, NULL }, \
	{ "process.consoleSize", ENGINE_APPLIES, NULL }, \
	{ "process.cwd", ENGINE_APPLIES, NULL }, \
	{ "process.commandLine", ENGINE_IGNORES, "of Windows" }, \
	{ "process.user.umask", ENGINE_APPLIES, NULL }, \
	{ "process.user.additionalGids", ENGINE_EMULATES, "set with CAP_SETGID; else the caller's groups stay, as --strict says" }, \
	{ "process.user.username", ENGINE_IGNORES, "of Windows" }, \
	{ "process.rlimits", ENGINE_APPLIES, "what exceeds the caller's hard limits becomes these, as --strict says" }, \
	{ "process.noNewPrivileges", ENGINE_APPLIES, "set for every program" }, \
	{ "process.oomScoreAdj", ENGINE_APPLIES, "lowered with CAP_SYS_RESOURCE alone, as --strict says" }, \
	{ "process.execCPUAffinity", ENGINE_APPLIES, "final, else initial, for the program of exec" }, \
	{ "linux", ENGINE_IGNORES, "unknown to this version" }, \
	{ "linux.namespaces", ENGINE_IGNORES, "unknown to this version" }, \
	{ "linux.namespaces.mount", ENGINE_EMULATES, "paths are translated" }, \
	{ "linux.namespaces.mount.path", ENGINE_REFUSES, "files are seen as the caller sees them" }, \
	{ "linux.namespaces.user.path", ENGINE_EMULATES, "joined, as the user that the caller is" }, \
	{ "linux.namespaces.pid", ENGINE_IGNORES, "processes of the host are visible" }, \
	{ "linux.namespaces.pid.path", ENGINE_IGNORES, "processes of the host are visible" }, \
	{ "linux.namespaces.network", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else the host's network is used, as --strict says" }, \
	{ "linux.namespaces.network.path", ENGINE_APPLIES, NULL }, \
	{ "linux.namespaces.ipc", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else the host's IPC objects are visible, as --strict says" }, \
	{ "linux.namespaces.ipc.path", ENGINE_APPLIES, NULL }, \
	{ "linux.namespaces.uts.path", ENGINE_APPLIES, NULL }, \
	{ "linux.namespaces.cgroup", ENGINE_EMULATES, "made with CAP_SYS_ADMIN; else control groups of the host are visible, as --strict says" }, \
	{ "linux.namespaces.cgroup.path", ENGINE_APPLIES, NULL }, \
	{ "linux.namespaces.time", ENGINE_IGNORES, "the host's clocks are used" }, \
	{ "linux.namespaces.time.path", ENGINE_APPLIES, NULL }, \
	{ "linux.timeOffsets", ENGINE_IGNORES, "the host's clocks are used" }, \
	{ "linux.devices", ENGINE_IGNORES, "the devices of the host's /dev are used" }, \
	{ "linux.netDevices", ENGINE_IGNORES, "the host's network is used" }, \
	{ "linux.cgroupsPath", ENGINE_IGNORES, "no control group is made" }, \
	{ "linux.resources", ENGINE_IGNORES, "no limits of control groups" }, \
	{ "linux.intelRdt", ENGINE_IGNORES, "no class of service is joined" }, \
	{ "linux.memoryPolicy", ENGINE_IGNORES, "the caller's policy stays" }, \
	{ "linux.sysctl", ENGINE_IGNORES, "the host's kernel settings stay" }, \
	{ "linux.rootfsPropagation", ENGINE_EMULATES, "there are no mounts to propagate" }, \
	{ "linux.mountLabel", ENGINE_IGNORES, "no security label is set" }, \
	{ "linux.personality", ENGINE_APPLIES, NULL }, \
	{ "solaris", ENGINE_REFUSES, "not for Linux" }, \
	{ "windows", ENGINE_REFUSES, "not for Linux" }, \
	{ "vm", ENGINE_REFUSES, "no virtual machine" }, \
	{ "zos", ENGINE_REFUSES, "not for Linux" }

/* What falls away where the machine does not give it: the namespaces of all of them, and names where the engine has no other way to set them. */
#define DIRECT_CONDITIONS_NAMESPACES \
	{ ENGINE_NEEDS_NAMESPACES, { "linux.namespaces.network", ENGINE_IGNORES, "the host's network is used" } }, \
	{ ENGINE_NEEDS_NAMESPACES, { "linux.namespaces.ipc", ENGINE_IGNORES, "the host's IPC objects are visible" } }, \
	{ ENGINE_NEEDS_NAMESPACES, { "linux.namespaces.cgroup", ENGINE_IGNORES, "control groups of the host are visible" } }
#define DIRECT_CONDITIONS_NAMES \
	{ ENGINE_NEEDS_NAMESPACES, { "hostname", ENGINE_IGNORES, "uname() tells the host's" } }, \
	{ ENGINE_NEEDS_NAMESPACES, { "domainname", ENGINE_IGNORES, "uname() tells the host's" } }, \
	{ ENGINE_NEEDS_NAMESPACES, { "linux.namespaces.uts", ENGINE_IGNORES, "uname() tells the host's" } }
/* clang-format on */

#endif
