/* SPDX-License-Identifier: Apache-2.0 */
/* The edit of a loader, byte by byte; and which loader a root file system has. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engines/fakechroot_patch.h"
#include "pkg/base/err.h"
#include "tests/unit/tap.h"

static void test_edit(void)
{
	/* As large strings lie behind each other in a loader; the last but one only looks like one. */
	char text[] =
		"x\0/etc/ld.so.cache\0/lib/x86_64\0/usr/lib/\0LD_LIBRARY_PATH\0LD_LIBRARY_PATHS\0a/lib\0/lib";
	static const char want[] = "x\0/\0\0\0\0\0\0\0\0\0.cache\0/\0\0\0/x86_64\0/\0\0\0/lib/"
				   "\0LD_LIBRARY_REAL\0LD_LIBRARY_PATHS\0"
				   "a/lib\0/\0\0\0";

	is_int(sizeof(text), sizeof(want), "nothing gets longer");
	fakechroot_edit_loader(text, sizeof(text));
	ok(memcmp(text, want, sizeof(want)) == 0,
		"paths of the host are blanked, the variable has its other name");
	memcpy(text, "\0/li", 4);
	fakechroot_edit_loader(text, 4);
	ok(memcmp(text, "\0/li", 4) == 0, "the end is the end");
}

static void test_paths(void)
{
	autoclose int fd = open(TAP_DYNAMIC_PROGRAM, O_RDONLY | O_CLOEXEC);
	struct elf_facts facts;
	auto_elf_paths paths = { .items = NULL };
	char bytes[ELF_PATH_MAX] = "";

	if (fd < 0 || elf_read(fd, &facts) < 0)
		exit(99);
	is_int(elf_paths_read(fd, &paths), 0, "paths are read");
	if (paths.n == 0)
		exit(99);
	is_int(paths.items[0].kind, ELF_PATH_INTERP, "the loader is the first");
	is_str(paths.items[0].text, facts.interp, "it is the one that the file names");
	ok(pread(fd, bytes, strlen(facts.interp) + 1, (off_t)paths.items[0].at) > 0,
		"there is something where it is");
	is_str(bytes, facts.interp, "namely that");
}

static void test_original(void)
{
	char then[] = "/old/ROOT";
	const struct fakechroot_places p = { .now = "/s/ROOT", .then = then };
	static const char id[] = "/u/containers/0a1b2c3d-0000-1111-2222-333344445555/ROOT/bin/x";

	is_str(fakechroot_original(&p, "/s/ROOT/bin/x"), "/bin/x", "where ROOT is");
	is_str(fakechroot_original(&p, "/old/ROOT/bin/x"), "/bin/x", "where it was");
	is_str(fakechroot_original(&p, id), "/bin/x", "another container's");
	is_str(fakechroot_original(&p, "/s/ROOT"), "/", "ROOT itself");
	is_str(fakechroot_original(&p, "/s/ROOTS/x"), "/s/ROOTS/x", "only a whole component");
	is_str(fakechroot_original(&p, "/u/containers/none/ROOT/x"), "/u/containers/none/ROOT/x",
		"only an id");
}

static void test_find(void)
{
	const struct engine_ctx ctx = { .mode = "F2" };
	const struct fakechroot_places p = { .now = "/nowhere" };
	autoclose int host = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autoclose int none = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autofree char *loader = fakechroot_find_loader(&ctx, host, &p, NULL);
	auto_err *e = NULL;

	ok(loader && access(loader, R_OK) == 0, "this machine's programs have a loader");
	ok(fakechroot_find_loader(&ctx, none, &p, &e) == NULL && err_is(e, ERR_UNSUPPORTED),
		"where no programs are there is none");
}

int main(void)
{
	test_edit();
	test_paths();
	test_original();
	test_find();
	return tap_done();
}
