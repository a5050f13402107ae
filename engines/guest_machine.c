/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a few programs that nearly every root file system has. */
#include "engines/guest_machine.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "engines/elf_file.h"
#include "engines/engine.h"
#include "engines/find.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"

#define BINFMT_DIR "/proc/sys/fs/binfmt_misc"
#define BINFMT_MAX ((size_t)4096) /* of one entry */

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

static const struct machine {
	unsigned machine;
	bool wide;
	const char *name; /* of qemu-user, little-endian: others are not read */
} machines[] = {
	{ EM_X86_64, true, "x86_64" },
	{ EM_386, false, "i386" },
	{ EM_AARCH64, true, "aarch64" },
	{ EM_ARM, false, "arm" },
	{ EM_RISCV, true, "riscv64" },
	{ EM_RISCV, false, "riscv32" },
	{ EM_PPC64, true, "ppc64le" },
	{ EM_MIPS, true, "mips64el" },
	{ EM_MIPS, false, "mipsel" },
	{ EM_LOONGARCH, true, "loongarch64" },
};

/* Our own programs may be for fewer bits than the machine. */
static bool is_run_by_kernel(const char *name)
{
	return str_eq(host_machine(), name) || (str_eq(host_machine(), "x86_64") && str_eq(name, "i386")) ||
	       (str_eq(host_machine(), "aarch64") && str_eq(name, "arm"));
}

const char *guest_machine_foreign(const char *rootfs)
{
	const char *name = guest_machine_other(rootfs);

	return name && is_run_by_kernel(name) ? NULL : name;
}

const char *guest_machine_other(const char *rootfs)
{
	static const char *const usual[] = { "/bin/sh", "/usr/bin/env", "/bin/busybox", "/bin/ls",
		"/usr/bin/bash", "/sbin/init" };
	autoclose int rootfd = open(rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));
	bool known = false;

	for (size_t i = 0; i < ARRAY_LEN(usual) && rootfd >= 0 && !known; i++) {
		autoclose int fd = fs_open(rootfd, usual[i], O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, FS_IN_ROOT);

		known = fd >= 0 && elf_read(fd, facts) == 0 && facts->kind != ELF_NONE;
	}
	if (!known || elf_is_native(facts))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(machines); i++)
		if (machines[i].machine == facts->machine && machines[i].wide == facts->wide)
			return machines[i].name;
	return NULL;
}

char *guest_machine_emulator(const char *name)
{
	autofree char *path = find_path(), *fixed = xasprintf("qemu-%s-static", name);
	autofree char *plain = xasprintf("qemu-%s", name);
	char *found = proc_find(fixed, path);

	return found ? found : proc_find(plain, path);
}

/* ---- binfmt_misc ---- */

/* The value of a line "KEY VALUE", or NULL; caller frees. */
static char *entry_value(const struct strv *lines, const char *key)
{
	for (size_t i = 0; i < lines->n; i++) {
		size_t n = strlen(key);

		if (str_starts(lines->v[i], key) && lines->v[i][n] == ' ')
			return xstrdup(lines->v[i] + n + 1);
	}
	return NULL;
}

/* Is it on, and for headers of this machine? Magics are as long as the header is up to its machine, little-endian. */
static bool entry_is_for(const struct strv *lines, const struct machine *m)
{
	autofree char *magic = entry_value(lines, "magic"), *start = NULL, *machine = NULL;

	if (lines->n == 0 || !str_eq(lines->v[0], "enabled") || !magic || strlen(magic) < 40)
		return false;
	start = xasprintf("7f454c46%s", m->wide ? "02" : "01");
	machine = xasprintf("%02x%02x", m->machine & 0xff, m->machine >> 8);
	return str_starts(magic, start) && strncmp(magic + 36, machine, 4) == 0;
}

/* Debian's entries name a link whose own name asks for other arguments: what it leads to is called as usual. */
static char *entry_emulator(const struct strv *lines)
{
	autofree char *named = entry_value(lines, "interpreter"), *real = NULL;
	const char *base;
	autoclose int fd = named ? open(named, O_PATH | O_CLOEXEC) : -1;

	if (fd < 0)
		return NULL;
	real = fs_fd_path(fd);
	base = real ? path_base(real) : NULL;
	return base && str_starts(base, "qemu-") && access(real, X_OK) == 0 ? steal_ptr(&real) : NULL;
}

bool guest_machine_handler(const char *name, char **ret)
{
	autoclose int dirfd = open(BINFMT_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct machine *m = machines;
	auto_strv names = STRV_INIT;
	bool found = false;

	if (ret)
		*ret = NULL;
	while (!str_eq(m->name, name))
		m++;
	if (dirfd < 0 || fs_list(dirfd, ".", &names) < 0)
		return false;
	for (size_t i = 0; i < names.n && !found; i++) {
		auto_str text = STR_INIT_MAX(BINFMT_MAX);
		auto_strv lines = STRV_INIT;

		if (str_eq(names.v[i], "register") || str_eq(names.v[i], "status") ||
			fs_read(dirfd, names.v[i], BINFMT_MAX, &text, FS_BENEATH) < 0)
			continue;
		strv_split(&lines, str_text(&text), "\n");
		found = entry_is_for(&lines, m);
		if (found && ret)
			*ret = entry_emulator(&lines);
	}
	return found;
}

void guest_machine_note(const char *rootfs, bool traced, struct strv *notes)
{
	const char *name = guest_machine_foreign(rootfs);

	if (!name || (!traced && guest_machine_handler(name, NULL)))
		return;
	strv_addf(notes,
		ENGINE_NOTE_PLATFORM "the container's programs are for %s, %s; P1 runs them by qemu-%s", name,
		traced ? "which PRoot does not run in this mode"
		       : "which this kernel does not run (binfmt_misc)",
		name);
}
