/* SPDX-License-Identifier: Apache-2.0 */
/* Looks at a few programs that nearly every root file system has. */
#include "engines/guest_machine.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include "engines/elf_file.h"
#include "engines/find.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"

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

static bool is_run_by_kernel(const char *name)
{
	return (str_eq(host_machine(), "x86_64") && str_eq(name, "i386")) ||
	       (str_eq(host_machine(), "aarch64") && str_eq(name, "arm"));
}

const char *guest_machine_foreign(const char *rootfs)
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
			return is_run_by_kernel(machines[i].name) ? NULL : machines[i].name;
	return NULL;
}

char *guest_machine_emulator(const char *name)
{
	autofree char *path = find_path(), *fixed = xasprintf("qemu-%s-static", name);
	autofree char *plain = xasprintf("qemu-%s", name);
	char *found = proc_find(fixed, path);

	return found ? found : proc_find(plain, path);
}
