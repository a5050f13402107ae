/* SPDX-License-Identifier: Apache-2.0 */
/* The table of what programs cannot do, by execution mode. */
#include "engines/limits.h"

#include "engines/common.h"
#include "engines/compat_filter.h"
#include "engines/engine.h"
#include "engines/singularity.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define F_MODES "F1 F2 F3 F4"
#define P_MODES "P1 P2"
#define TRACED_MODES P_MODES " R2 R3"
#define R_MODES "R1 R2 R3"
#define NO_SUBIDS \
	"with Singularity before 3.3, and without ids of the caller's in /etc/subuid and /etc/subgid, "
#define NO_MOUNT "with Singularity before 3.8 "
#define T_MODES "T1 T2"

/* One row a line reads as the table it is. */
/* clang-format off */
const struct engine_limit engine_limits[] = {
	{ "start", F_MODES, "static musl", "refused: they do not load libfakechroot, or it is not made for their C library", NULL },
	{ "apt-get", F_MODES, "", "apt-get and dpkg ask to be root, and nobody is", NULL },
	{ "apt-get", "S1", "", NO_SUBIDS "packages with files of others cannot be installed", NULL },
	{ "deep-folders", TRACED_MODES, "", "a path, with all above it, has at most 4095 bytes", NULL },
	{ "deep-folders", F_MODES, "", "a path, with all above it, has at most 4095 bytes", NULL },
	{ "deep-folders", T_MODES, "", "a path, with all above it, has at most 4095 bytes", NULL },
	{ "dpkg", F_MODES, "", "apt-get and dpkg ask to be root, and nobody is", NULL },
	{ "dpkg", "S1", "", NO_SUBIDS "packages with files of others cannot be installed", NULL },
	{ "exec-self", F_MODES, "", "a program cannot start itself again by /proc/self/exe, which is a loader by then", NULL },
	{ "hard-links", "R1", "", "no link leads into /tmp or out of it", "runsc" },
	{ "hard-links", "S1", "", NO_MOUNT "no link leads into /tmp or out of it", NULL },
	{ "links-above-root", F_MODES, "", "relative links that climb above the root directory lead to the host's files", NULL },
	{ "locales", F_MODES, "glibc", "locales that the C library opens by itself are the host's, as are its modules for character sets and names", NULL },
	{ "long-names", TRACED_MODES, "", "names of files have at most 254 bytes", NULL },
	{ "long-sockets", F_MODES, "", "the path of a Unix socket, the root directory's in front, has at most 107 bytes", NULL },
	{ "loopback", "R1", "", "accept() and read() of a socket of the network mostly fail with EAGAIN where they should wait", "runsc" },
	{ "make-devices", F_MODES, "", "mknod of devices is refused, even where others say that it was done", NULL },
	{ "make-devices", "S1", "", "mknod of devices is refused", NULL },
	{ "make-devices", "R1", "", "mknod of devices is refused", "runsc" },
	{ "many-arguments", F_MODES, "", "further programs get at most a thousand arguments; more are refused", NULL },
	{ "moved-cwd", TRACED_MODES, "", "when the current directory is renamed, getcwd() and relative paths fail", NULL },
	{ "nested-scripts", F_MODES, "", "a script whose interpreter is a script is refused", NULL },
	{ "owners", P_MODES, "", "chown succeeds and nothing is remembered: stat shows files as root's", NULL },
	{ "owners", R_MODES, "", "chown succeeds and, where a single id is mapped, nothing is remembered: stat shows files as root's", NULL },
	{ "owners", T_MODES, "", "chown succeeds and nothing is remembered: stat shows files as root's", NULL },
	{ "owners", F_MODES, "", "chown fails: programs are the caller's", NULL },
	{ "owners", "S1", "", NO_SUBIDS "chown fails", NULL },
	{ "root", F_MODES, "", "programs have the caller's ids and rights, whatever user was asked for", NULL },
	{ "root", "S1", "", NO_SUBIDS "chown fails; programs are the caller's with Singularity and Apptainer before 1.1", NULL },
	{ "root", "R1", "", "chown fails for an ordinary caller, whose files are root's", "runsc" },
	{ "self-exe", "F1 F2", "", "/proc/self/exe is the loader", NULL },
	{ "socket-names", TRACED_MODES, "", "a socket that was bound by a relative path says an absolute one", NULL },
	{ "socket-names", F_MODES, "", "a socket that was bound by a relative path says an absolute one", NULL },
	{ "sparse", "R1", "", "files with holes say that they have none", "runsc" },
	{ "spawn", TRACED_MODES, "glibc static", "with a PRoot before 5.4 about half of the programs crash that need more memory after posix_spawn(), popen() or system(): it mistakes the child's heap for the parent's", NULL },
	{ "static-programs", F_MODES, "", "statically linked programs in a container of others are refused with status 126", NULL },
	{ "statx", "R1", "glibc", "with a runsc of 2022 ls, stat and others of coreutils 9 fail: it knows no AT_NO_AUTOMOUNT of statx()", "runsc" },
	{ "stopping", TRACED_MODES, "", "a process that is sent SIGSTOP goes on, though its parent is told that it was stopped", NULL },
	{ "unreadable", F_MODES, "", "a program that the caller may not read does not run", NULL },
	{ "variables", F_MODES, "", "programs see the variables that carry the library from one to the next, LD_PRELOAD among them", NULL },
	{ "volume-cwd", F_MODES, "", "getcwd() in a volume shows the host's path", NULL },
	{ "volume-links-relative", F_MODES, "", "relative links that lead out of a volume lead to its neighbours on the host", NULL },
	{ "zone-files", F_MODES, "", "time zones are the host's", NULL },
	{ NULL, NULL, NULL, NULL, NULL },
};
/* clang-format on */

/* The PRoot that has cured it; the tracer is the engine, or inside one. */
static const struct {
	const char *work;
	unsigned version;
} cured[] = { { "spawn", COMPAT_VERSION(5, 4) } };

static bool is_cured(const char *work, const struct engine_probe *probe)
{
	const char *version = probe->inside ? probe->inside->version : probe->version;

	for (size_t i = 0; version && i < ARRAY_LEN(cured); i++)
		if (str_eq(work, cured[i].work) && engine_version_number(version) >= cured[i].version)
			return true;
	return false;
}

/* What this release of Singularity can: its root has ids to give files to, /tmp is a folder of ROOT like others. */
static bool is_able(const struct engine_limit *l, const char *mode, const struct engine_probe *probe)
{
	unsigned needs = 0;

	if (str_eq(mode, "S1") && str_starts(l->note, NO_SUBIDS))
		needs = SINGULARITY_SUBIDS | SINGULARITY_FAKEROOT;
	if (str_eq(mode, "S1") && str_starts(l->note, NO_MOUNT))
		needs = SINGULARITY_NO_MOUNT;
	return needs && (probe->flags & needs) == needs;
}

bool engine_limit_holds(
	const struct engine_limit *l, const char *engine, const char *mode, const struct engine_probe *probe)
{
	auto_strv modes = STRV_INIT;

	strv_split(&modes, l->modes, " ");
	return strv_has(&modes, mode) && (!l->engine || str_eq(l->engine, engine)) &&
	       !is_cured(l->work, probe) && !is_able(l, mode, probe);
}
