/* SPDX-License-Identifier: Apache-2.0 */
/* The loader of ROOT's programs: found, and edited as 1.3.x does (udocker-compat 7.4, F2). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "engines/fakechroot_patch.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/strv.h"

#define PROGRAMS_MAX 4096 /* of a folder */

int fakechroot_open_inside(int root, const char *path, struct stat *ret)
{
	autoclose int fd = fs_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, FS_IN_ROOT);

	if (fd < 0 || fstat(fd, ret) < 0)
		return -1;
	if (!S_ISREG(ret->st_mode)) {
		errno = EINVAL;
		return -1;
	}
	return steal_fd(&fd);
}

/* What the program names, if both are there and of this machine; caller frees. */
static char *loader_of(int root, const char *path, const struct fakechroot_places *places)
{
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));
	struct stat st;
	autoclose int fd = fakechroot_open_inside(root, path, &st), loader = -1;
	const char *name;

	if (fd < 0 || elf_read(fd, facts) < 0 || facts->kind != ELF_DYNAMIC || facts->has_soname ||
		!elf_is_native(facts))
		return NULL;
	name = fakechroot_original(places, facts->interp);
	name += name != facts->interp && name[0] == '/' && name[1] == '/'; /* "ROOT/" was put in front */
	loader = fakechroot_open_inside(root, name, &st);
	return loader < 0 ? NULL : xstrdup(name);
}

static char *loader_of_any(int root, const char *folder, const struct fakechroot_places *places)
{
	autoclose int fd = fs_open(root, folder, O_RDONLY | O_DIRECTORY, 0, FS_IN_ROOT);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return NULL;
	for (size_t i = 0; i < names.n && i < PROGRAMS_MAX; i++) {
		autofree char *path = path_join(folder, names.v[i]);
		char *loader = loader_of(root, path, places);

		if (loader)
			return loader;
	}
	return NULL;
}

char *fakechroot_find_loader(
	const struct engine_ctx *ctx, int root, const struct fakechroot_places *places, struct err **err)
{
	static const char *const folders[] = { "/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin",
		"/lib64", "/lib" };

	for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
		char *loader = loader_of_any(root, folders[i], places);

		if (loader)
			return loader;
	}
	err_make(err, ERR_UNSUPPORTED,
		"mode %s: no program in the container names a loader of this machine's kind", ctx->mode);
	err_hint(err, "choose P1 or R1 with udocker setup --execmode");
	return NULL;
}

void fakechroot_edit_loader(char *bytes, size_t n)
{
	static const struct {
		const char *from, *to; /* of one length */
		size_t len;
	} edits[] = {
		{ "\0/etc/ld.so", "\0/\0\0\0\0\0\0\0\0\0", sizeof("\0/etc/ld.so") - 1 },
		{ "\0/lib", "\0/\0\0\0", sizeof("\0/lib") - 1 },
		{ "\0/usr", "\0/\0\0\0", sizeof("\0/usr") - 1 },
		{ "\0LD_LIBRARY_PATH", "\0LD_LIBRARY_REAL", sizeof("\0LD_LIBRARY_PATH") },
	};

	for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
		char *p = bytes;

		while ((p = memmem(p, n - (size_t)(p - bytes), edits[i].from, edits[i].len))) {
			memcpy(p, edits[i].to, edits[i].len);
			p++;
		}
	}
}
