/* SPDX-License-Identifier: Apache-2.0 */
/* Library folders of ROOT and its C library. The choice of libfakechroot is guest_library.c's. */
#include "engines/guest_root.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define CONF_FILE_MAX ((size_t)64 << 10)
#define CONF_DEPTH 4
#define FOLDERS_MAX 64

static char *below(const char *rootfs, const char *path)
{
	return xjoin3(rootfs, *path == '/' ? "" : "/", path);
}

static void add_folder(const char *rootfs, const char *path, struct strv *ret)
{
	autofree char *clean = path_clean(path);
	autofree char *host = below(rootfs, clean);
	struct stat st;

	/* A ':' could not be said in a list of them. */
	if (*clean == '/' && !strchr(clean, ':') && ret->n < FOLDERS_MAX && !strv_has(ret, host) &&
		stat(host, &st) == 0 && S_ISDIR(st.st_mode))
		strv_add(ret, host);
}

static void read_conf(const char *rootfs, const char *path, int depth, struct strv *ret);

/* Patterns are of the last component only, as every distribution has them. */
static void include(const char *rootfs, const char *from, const char *pattern, int depth, struct strv *ret)
{
	autofree char *here = path_dir(from);
	autofree char *full = *pattern == '/' ? xstrdup(pattern) : path_join(here, pattern);
	autofree char *dir = path_dir(full), *host = below(rootfs, dir);
	autoclose int fd = open(host, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++)
		if (fnmatch(path_base(full), names.v[i], FNM_PERIOD) == 0) {
			autofree char *file = path_join(dir, names.v[i]);

			read_conf(rootfs, file, depth + 1, ret);
		}
}

static void read_conf(const char *rootfs, const char *path, int depth, struct strv *ret)
{
	autofree char *host = below(rootfs, path);
	autoclose int fd = open(host, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	auto_strv lines = STRV_INIT;
	auto_str text = STR_INIT;
	struct stat st;

	if (depth > CONF_DEPTH || fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		fd_read_text(fd, CONF_FILE_MAX, &text, path, NULL) < 0)
		return;
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		auto_strv words = STRV_INIT;

		lines.v[i][strcspn(lines.v[i], "#")] = '\0';
		strv_split(&words, lines.v[i], " \t,:=");
		for (size_t k = 0; k < words.n; k++) {
			if (k == 0 && str_eq(words.v[k], "include")) {
				for (k = 1; k < words.n; k++)
					include(rootfs, path, words.v[k], depth, ret);
				break;
			}
			if (*words.v[k] == '/')
				add_folder(rootfs, words.v[k], ret);
		}
	}
}

void guest_root_libraries(const char *rootfs, struct strv *ret)
{
	const struct strv *essential = conf_list(CONF_LIB_DIRS_LIST_ESSENTIAL);
	const struct strv *last = conf_list(CONF_LIB_DIRS_LIST_APPEND);
	static const char *const known[] = { "/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu",
		"/lib/i386-linux-gnu", "/usr/lib/i386-linux-gnu", "/lib/riscv64-linux-gnu",
		"/usr/lib/riscv64-linux-gnu", "/lib/powerpc64le-linux-gnu",
		"/usr/lib/powerpc64le-linux-gnu" };

	read_conf(rootfs, "/etc/ld.so.conf", 0, ret);
	for (size_t i = 0; i < essential->n; i++)
		add_folder(rootfs, essential->v[i], ret);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		add_folder(rootfs, known[i], ret);
	/* The working directory, 1.3.x's ".", is left out: it is none of the container's. */
	for (size_t i = 0; i < last->n; i++)
		add_folder(rootfs, last->v[i], ret);
}

/* The version of the libc.so.6 that programs of this machine load; 0: there is none. */
static unsigned glibc_version(const struct strv *libraries)
{
	for (size_t i = 0; i < libraries->n; i++) {
		autofree char *path = path_join(libraries->v[i], "libc.so.6");
		autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		autofree struct elf_facts *libc = xcalloc(1, sizeof(*libc));

		if (fd >= 0 && elf_read(fd, libc) == 0 && elf_is_native(libc) && libc->has_glibc)
			return libc->has_glibc;
	}
	return 0;
}

static bool has_musl(const char *rootfs)
{
	autofree char *dir = below(rootfs, "/lib");
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++)
		if (str_starts(names.v[i], "ld-musl-"))
			return true;
	return false;
}

void guest_root_libc(const char *rootfs, const struct strv *libraries, struct guest_facts *ret)
{
	ret->version = glibc_version(libraries);
	ret->libc = ret->version ? GUEST_LIBC_GLIBC : has_musl(rootfs) ? GUEST_LIBC_MUSL : GUEST_LIBC_NONE;
}
