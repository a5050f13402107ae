/* SPDX-License-Identifier: Apache-2.0 */
/* Which libfakechroot is chosen for which container, with files that say they are one; and what C library a ROOT has. */
#include <elf.h>

#include "engines/find.h"
#include "engines/guest_root.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "tests/unit/scratch.h"

#define FILE_MAX ((size_t)64 << 20)

static int top;
static char top_path[64];

static void write_file(const char *name, const void *head, size_t n, const char *text, size_t text_len)
{
	autoclose int fd = openat(top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, head, n) < 0 || fd_write_all(fd, text, text_len) < 0)
		exit(99);
}

/* A program that is linked with glibc, and the library's words behind it. Not we, who have all of them in us, and versions besides. */
static void put_glibc(const char *name, const char *more)
{
	static const char words[] = "\0FAKECHROOT_BASE\0002.20.1";
	autoclose int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	auto_str bytes = STR_INIT_MAX(FILE_MAX), tail = STR_INIT;

	if (fd < 0 || fd_read_text(fd, FILE_MAX, &bytes, "program", NULL) < 0)
		exit(99);
	(void)str_add_mem(&tail, words, sizeof(words));
	(void)str_add_mem(&tail, more, strlen(more) + 1);
	write_file(name, bytes.data, bytes.len, tail.data, tail.len);
}

/* The same as a program's head alone, which needs no C library's symbols, as one for musl. */
static void put_musl(const char *name)
{
	static const char words[] = "\0FAKECHROOT_BASE\0002.20.1";
	autoclose int fd = open("/bin/sh", O_RDONLY | O_CLOEXEC);
	Elf64_Ehdr head;

	if (fd < 0 || fd_read_full(fd, (char *)&head, sizeof(head)) != (ssize_t)sizeof(head))
		exit(99);
	head.e_type = ET_EXEC;
	head.e_phoff = 0;
	head.e_phnum = 0;
	head.e_shnum = 0;
	write_file(name, &head, sizeof(head), words, sizeof(words));
}

static char *named(const char *rest)
{
	return xasprintf("lib/libfakechroot%s-%s.so", rest, find_arch_name(host_machine()));
}

static void release(const char *name, const char *version)
{
	autofree char *text = xasprintf("ID=x\nNAME=\"%s\"\nVERSION_ID=\"%s\"\n", name, version);

	put(top, "ROOT/etc/os-release", text);
}

/* What is chosen, relative to the scratch directory; else the error. */
static char *choose(const struct guest_facts *guest, struct guest_library *ret)
{
	autofree char *root = path_join(top_path, "ROOT");
	auto_err *err = NULL;

	if (guest_library_find(top_path, root, guest, ret, &err) < 0)
		return xasprintf("error: %s", err_text(err));
	return xstrdup(str_starts(ret->path, top_path) ? ret->path + strlen(top_path) + 1 : ret->path);
}

static const struct guest_facts glibc = { GUEST_LIBC_GLIBC, 0 };
static const struct guest_facts old = { GUEST_LIBC_GLIBC, ELF_GLIBC(2, 1) };
static const struct guest_facts new = { GUEST_LIBC_GLIBC, ELF_GLIBC(2, 99) };
static const struct guest_facts musl = { GUEST_LIBC_MUSL, 0 };

static void is_choice(const struct guest_facts *guest, const char *want, const char *what)
{
	auto_guest_library l = { .path = NULL };
	autofree char *got = choose(guest, &l);

	is_str(got, want, what);
}

/* The set of udocker's engine tarball: a name for each distribution. */
static void test_named(void)
{
	autofree char *debian = named("-Debian-12"), *alpine = named("-Alpine-3.18"), *any = named("");

	put_glibc(debian, "FAKECHROOT_DIR_MAP");
	put_musl(alpine);
	release("Debian GNU/Linux", "12");
	is_choice(&glibc, debian, "the one that is named after the distribution");
	release("Alpine Linux", "3.18.4");
	is_choice(&musl, alpine, "Alpine's minor releases have their own");
	is_choice(&glibc, debian, "what a file is counts, not its name");
	put_glibc(any, "");
	release("Alpine Linux", "3.19.0");
	is_choice(&musl, alpine, "another release's, if it fits");
}

static void test_abilities(void)
{
	auto_guest_library mapped = { .path = NULL }, plain = { .path = NULL };
	autofree char *debian = named("-Debian-12"), *first = NULL, *second = NULL;

	release("Debian GNU/Linux", "12.4");
	first = choose(&glibc, &mapped);
	ok(mapped.has_map && !mapped.has_patch && !mapped.musl, "the fork's maps are seen in its file");
	is_str(mapped.version, "2.20.1", "and its version");
	put_glibc(debian, "FAKECHROOT_PATCH_PATCHELF");
	second = choose(&glibc, &plain);
	ok(!plain.has_map && plain.has_patch, "as are other abilities");
}

static void has_reason(const struct guest_facts *guest, const char *part, const char *what)
{
	auto_guest_library l = { .path = NULL };
	autofree char *got = choose(guest, &l);

	ok(str_starts(got, "error: no libfakechroot for it: ") && strstr(got, part), "%s: %s", what, got);
}

static void test_setting(void)
{
	put_glibc("mine.so", "");
	put(top, "none.so", "text");
	put_glibc("libfakechroot.so", "");
	is_choice(&glibc, "libfakechroot.so", "the container's own comes first");
	for (int i = 0; i < 3; i++) {
		static const char *const names[] = { "mine.so", "none.so", "absent.so" };
		autofree char *path = path_join(top_path, names[i]);

		if (conf_set(CONF_FAKECHROOT_SO, path, NULL) < 0)
			exit(99);
		if (i == 0) {
			is_choice(&glibc, "mine.so", "the setting comes before it");
			has_reason(&musl, "is for glibc", "and is the only one");
			has_reason(&old, "the container has 2.1", "an older glibc");
			has_reason(&new, "knows nothing of stat()", "a newer glibc");
		} else {
			has_reason(&glibc, i == 1 ? "is not a library" : "No such file", names[i]);
		}
	}
}

static void test_libc(void)
{
	autofree char *root = path_join(top_path, "ROOT");
	auto_strv folders = STRV_INIT;
	struct guest_facts facts = { GUEST_LIBC_GLIBC, 1 };

	put(top, "ROOT/etc/ld.so.conf", "include ld.so.conf.d/*.conf\n");
	put(top, "ROOT/etc/ld.so.conf.d/a.conf", "# words\n/opt/lib\n/absent\n");
	put(top, "ROOT/opt/last/file", "");
	is_int(conf_set(CONF_LIB_DIRS_LIST_APPEND, ". /opt/last", NULL), 0, "lib_dirs_list_append");
	guest_root_libraries(root, &folders);
	ok(folders.n >= 2 && strcmp(folders.v[folders.n - 1] + strlen(root), "/opt/last") == 0,
		"those of lib_dirs_list_append come last");
	ok(folders.n >= 1 && strcmp(folders.v[0] + strlen(root), "/opt/lib") == 0,
		"folders are those of ld.so.conf and what it includes");
	guest_root_libc(root, &folders, &facts);
	ok(facts.libc == GUEST_LIBC_NONE && facts.version == 0, "no C library");
	put(top, "ROOT/lib/ld-musl-x86_64.so.1", "");
	guest_root_libc(root, &folders, &facts);
	ok(facts.libc == GUEST_LIBC_MUSL, "musl is known by its loader");
	put(top, "ROOT/opt/lib/libc.so.6", "GNU ld script");
	guest_root_libc(root, &folders, &facts);
	ok(facts.libc == GUEST_LIBC_MUSL, "a libc.so.6 that is no library is none");
}

int main(void)
{
	static const char *const folders[] = { "lib", "ROOT", "ROOT/etc", "ROOT/etc/ld.so.conf.d", "ROOT/lib",
		"ROOT/opt", "ROOT/opt/lib", "ROOT/opt/last" };
	autofree char *libdir = NULL;

	top = scratch_open(top_path);
	for (size_t i = 0; i < ARRAY_LEN(folders); i++)
		if (mkdirat(top, folders[i], 0755) < 0)
			exit(99);
	libdir = path_join(top_path, "lib");
	if (conf_set(CONF_LIBDIR, libdir, NULL) < 0)
		exit(99);
	test_named();
	test_abilities();
	test_setting();
	test_libc();
	scratch_close(top, top_path);
	return tap_done();
}
