/* SPDX-License-Identifier: Apache-2.0 */
/* Which libfakechroot: what each one needs and can is read from the file, whatever its name says. */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/find.h"
#include "engines/guest_root.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define LIBRARY_MAX ((size_t)8 << 20)
#define RELEASE_MAX ((size_t)16 << 10)

void guest_library_free(struct guest_library *l)
{
	free(l->path);
	free(l->version);
	*l = (struct guest_library){ .path = NULL };
}

/* The first string of the form "2.20.1" that stands alone. */
static char *find_version(const char *bytes, size_t n)
{
	for (size_t i = 1; i + 6 < n; i++) {
		size_t len;

		if (bytes[i - 1] != '\0' || bytes[i] < '1' || bytes[i] > '9' || bytes[i + 1] != '.')
			continue;
		len = strspn(bytes + i, "0123456789.");
		if (i + len < n && bytes[i + len] == '\0' && len >= 4 && len < 12)
			return xstrdup(bytes + i);
	}
	return xstrdup("");
}

static bool has_text(const struct str *s, const char *text)
{
	return memmem(s->data, s->len, text, strlen(text)) != NULL;
}

/* Why a file is not the library that is looked for, "" if it is one. */
static const char *inspect(const char *path, struct guest_library *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	autofree struct elf_facts *facts = xcalloc(1, sizeof(*facts));
	auto_str bytes = STR_INIT_MAX(LIBRARY_MAX);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return strerror(errno);
	if (!S_ISREG(st.st_mode) || elf_read(fd, facts) < 0 || facts->kind == ELF_NONE ||
		fd_read_text(fd, LIBRARY_MAX, &bytes, path, NULL) < 0 || bytes.len == 0)
		return "is not a library";
	if (!elf_is_native(facts))
		return "is for another machine";
	if (!has_text(&bytes, "FAKECHROOT_BASE"))
		return "is not libfakechroot";
	*ret = (struct guest_library){
		.path = xstrdup(path),
		.version = find_version(bytes.data, bytes.len),
		.has_map = has_text(&bytes, "FAKECHROOT_DIR_MAP"),
		.has_patch = has_text(&bytes, "FAKECHROOT_PATCH_PATCHELF"),
		.musl = !facts->needs_libc_so_6 && facts->needs_glibc == 0,
		.needs_glibc = facts->needs_glibc,
		.has_stat = facts->has_stat,
	};
	return "";
}

/* Why the guest cannot use it, NULL if it can; the caller frees. */
static char *misfit(const struct guest_library *l, const struct guest_facts *guest)
{
	if (!guest)
		return NULL;
	if (l->musl != (guest->libc == GUEST_LIBC_MUSL))
		return xstrdup(l->musl ? "is for musl" : "is for glibc");
	if (guest->libc != GUEST_LIBC_GLIBC || guest->version == 0)
		return NULL;
	if (l->needs_glibc > guest->version)
		return xasprintf("needs glibc %u.%u, the container has %u.%u", l->needs_glibc / 1000,
			l->needs_glibc % 1000, guest->version / 1000, guest->version % 1000);
	/* Programs of newer releases call what it does not know, and would see the host. */
	if (guest->version >= ELF_GLIBC(2, 33) && !l->has_stat)
		return xasprintf("knows nothing of stat(), which programs of glibc %u.%u call",
			guest->version / 1000, guest->version % 1000);
	return NULL;
}

struct search {
	const struct guest_facts *guest;
	struct guest_library best;
	struct str reasons;
};

/* Is it of use? Then it is the best so far; else the reasons say why it is not. A file that is missing is nothing to speak of. */
static bool try(struct search *s, const char *path)
{
	struct guest_library l = { .path = NULL };
	const char *why = access(path, F_OK) < 0 ? NULL : inspect(path, &l);
	autofree char *unfit = NULL;

	if (!why)
		return false;
	unfit = *why ? xstrdup(why) : misfit(&l, s->guest);
	if (unfit) {
		(void)str_addf(&s->reasons, "%s%s %s", s->reasons.len ? "; " : "", path, unfit);
		guest_library_free(&l);
		return false;
	}
	if (s->best.path && s->best.needs_glibc >= l.needs_glibc) {
		guest_library_free(&l);
		return true;
	}
	guest_library_free(&s->best);
	s->best = l;
	return true;
}

/* "Debian" and "12" of an os-release, as 1.3.x takes them for the names of its libraries. */
static void distribution(const char *rootfs, char **ret_name, char **ret_version)
{
	static const char *const files[] = { "/etc/os-release", "/usr/lib/os-release" };
	auto_str text = STR_INIT;
	auto_strv lines = STRV_INIT;

	for (size_t i = 0; i < ARRAY_LEN(files) && !text.len; i++) {
		autofree char *path = xjoin3(rootfs, files[i], "");
		autoclose int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

		if (fd >= 0)
			(void)fd_read_text(fd, RELEASE_MAX, &text, files[i], NULL); /* none: no name */
	}
	strv_split(&lines, str_text(&text), "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *eq = strchr(lines.v[i], '=');
		const char *value = eq ? eq + 1 + (eq[1] == '"') : "";
		size_t n = strcspn(value, " \"/");

		if (str_starts(lines.v[i], "NAME=") && !*ret_name)
			*ret_name = xstrndup(value, n);
		if (str_starts(lines.v[i], "VERSION_ID=") && !*ret_version)
			*ret_version = xstrndup(value, n);
	}
}

static char *major_of(const char *name, const char *version)
{
	size_t n = strcspn(version, ".");

	/* Alpine's minor releases have libraries of their own. */
	if (str_eq(name, "Alpine") && version[n] == '.')
		n += 1 + strcspn(version + n + 1, ".");
	return xstrndup(version, n);
}

static bool try_named(struct search *s, const char *libdir, const char *rootfs)
{
	const char *arch = find_arch_name(host_machine());
	autofree char *name = NULL, *version = NULL, *major = NULL;
	autofree char *exact = NULL;

	distribution(rootfs, &name, &version);
	if (!name || !version)
		return false;
	major = major_of(name, version);
	exact = xasprintf("%s/libfakechroot-%s-%s-%s.so", libdir, name, major, arch);
	return try(s, exact);
}

/* Every pattern that names libraries: the newest that fits is taken. */
static bool try_pattern(struct search *s, const char *pattern)
{
	glob_t found = { 0 };
	bool any = false;

	if (glob(pattern, 0, NULL, &found) == 0)
		for (size_t i = 0; i < found.gl_pathc; i++)
			any |= try(s, found.gl_pathv[i]);
	globfree(&found);
	return any;
}

static bool try_libdir(struct search *s, const char *libdir)
{
	autofree char *pattern = xasprintf("%s/libfakechroot*-%s.so", libdir, find_arch_name(host_machine()));
	autofree char *plain = path_join(libdir, "libfakechroot.so");

	return try_pattern(s, pattern) || try(s, plain);
}

static bool try_bundled(struct search *s, const char *libdir, const char *rootfs)
{
	return *libdir == '/' && ((rootfs && try_named(s, libdir, rootfs)) || try_libdir(s, libdir));
}

static bool try_host(struct search *s)
{
	static const char *const places[] = { "/usr/local/lib/fakechroot/libfakechroot.so",
		"/usr/lib/*/fakechroot/libfakechroot.so", "/usr/lib64/fakechroot/libfakechroot.so",
		"/usr/lib/fakechroot/libfakechroot.so", "/usr/lib/libfakechroot/libfakechroot.so" };

	for (size_t i = 0; i < ARRAY_LEN(places); i++)
		if (try_pattern(s, places[i]))
			return true;
	return false;
}

static bool try_setting(struct search *s, const char *setting, const char *libdir)
{
	autofree char *path = strchr(setting, '/') ? xstrdup(setting) : path_join(libdir, setting);

	if (access(path, F_OK) < 0)
		(void)str_addf(&s->reasons, "%s (setting fakechroot_so): %s", path, strerror(errno));
	return try(s, path);
}

static bool search(struct search *s, const char *bundle, const char *rootfs)
{
	const char *setting = conf_str(CONF_FAKECHROOT_SO), *libdir = conf_str(CONF_LIBDIR);
	autofree char *own = bundle ? path_join(bundle, "libfakechroot.so") : NULL;
	autofree char *shipped = *setting ? NULL : proc_sibling_folder(FIND_SHIPPED "/lib");

	if (*setting)
		return try_setting(s, setting, libdir);
	if (own && try(s, own))
		return true;
	if (try_bundled(s, libdir, rootfs) || try_host(s))
		return true;
	return shipped && try_bundled(s, shipped, rootfs);
}

int guest_library_find(const char *bundle, const char *rootfs, const struct guest_facts *guest,
	struct guest_library *ret, struct err **err)
{
	struct search s = { .guest = guest };
	int r = 0;

	if (search(&s, bundle, rootfs)) {
		*ret = s.best;
	} else {
		err_make(err, ERR_ENGINE, "no libfakechroot for it%s%s", s.reasons.len ? ": " : "",
			str_text(&s.reasons));
		r = err_hint(err, "install libfakechroot (Debian: apt install libfakechroot), or set "
				  "UDOCKER_FAKECHROOT_SO to one");
	}
	str_free(&s.reasons);
	return r;
}
