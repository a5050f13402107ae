/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the program inside a root file system and its bind mounts, with links that lead across them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "oci-spec/runtime_config.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/runtime/bundle.h"
#include "tests/unit/scratch.h"

static char top[64];
static int topfd;

static void put_program(const char *name)
{
	put(topfd, name, "#!/bin/sh\n");
	ok(fchmodat(topfd, name, 0755, 0) == 0, "%s is executable", name);
}

static void put_link(const char *target, const char *name)
{
	ok(symlinkat(target, topfd, name) == 0, "%s is a link", name);
}

static void load(struct runtime_bundle *b)
{
	const struct runtime_bundle_source from = { .dir = top, .config_fd = -1 };
	auto_err *e = NULL;

	ok(runtime_bundle_load(&from, b, &e) == 0, "the bundle loads%s%s", e ? ": " : "",
		e ? err_text(e) : "");
}

/* Where argv[0] is found, or the kind of error as text. */
static char *find(const struct runtime_bundle *b, const char *name, const char *path)
{
	auto_runtime_process p = RUNTIME_PROCESS_INIT;
	auto_err *e = NULL;
	char *found = NULL;

	strv_add(&p.args, name);
	if (path)
		strv_addf(&p.env, "PATH=%s", path);
	p.cwd = xstrdup("/work");
	if (runtime_find_program(b, &p, &found, &e) == 0)
		return found;
	return xstrdup(err_is(e, ERR_NOT_FOUND) ? "not found"
		       : err_is(e, ERR_DENIED)  ? "denied"
						: err_text(e));
}

static void expect(const struct runtime_bundle *b, const char *name, const char *path, const char *want)
{
	autofree char *got = find(b, name, path);

	is_str(got, want, name);
}

static void make_bundle(void)
{
	static const char *const dirs[] = { "rootfs", "rootfs/bin", "rootfs/usr", "rootfs/usr/bin",
		"rootfs/work", "rootfs/data", "outside", "outside/bin" };
	autofree char *config = xasprintf(
		"{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"rootfs\"},\"process\":{\"cwd\":\"/\","
		"\"args\":[\"x\"]},\"mounts\":[{\"destination\":\"/data\",\"type\":\"bind\",\"source\":"
		"\"%s/outside\",\"options\":[\"rbind\"]},{\"destination\":\"/bin/bound\",\"source\":"
		"\"%s/outside/link\",\"type\":\"bind\",\"options\":[\"bind\"]},{\"destination\":"
		"\"/made/for/it\",\"source\":\"%s/outside/link\",\"type\":\"bind\"}]}",
		top, top, top);

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		(void)mkdirat(topfd, dirs[i], 0755);
	put(topfd, "config.json", config);
	put_program("rootfs/usr/bin/true");
	put_program("rootfs/work/here");
	put_program("rootfs/data/hidden");
	put_program("outside/bin/tool");
	put(topfd, "rootfs/bin/plain", "no program");
	put(topfd, "rootfs/usr/bin/plain", "no program");
	put_link("/usr/bin/true", "rootfs/bin/absolute");
	put_link("../../../../usr/bin/true", "rootfs/bin/above");
	put_link("../data/bin/tool", "rootfs/bin/across");
	put_link("loop", "rootfs/bin/loop");
	put_link("/etc/passwd", "rootfs/bin/host");
	put_link("/usr/bin/true", "outside/bin/back");
	put_link("bin/tool", "outside/link");
}

/* Exchange two names for as long as somebody reads. */
static NORETURN void exchange(const char *a, const char *b)
{
	for (;;)
		(void)syscall(
			SYS_renameat2, topfd, a, topfd, b, 2 /* RENAME_EXCHANGE, which musl does not name */);
}

/* A program in the container that puts links in the place of files and folders shows nothing from outside. */
static void test_read(const struct runtime_bundle *b, const char *path, const char *name, const char *other)
{
	int right = 0, wrong = 0;
	pid_t pid = fork();

	if (pid == 0)
		exchange(name, other);
	for (int i = 0; i < 200000 && (i < 5000 || right == 0); i++) {
		auto_str text = STR_INIT;

		if (runtime_read_inside(b, path, 1000, &text) < 0)
			continue;
		right += str_eq(str_text(&text), "inside");
		wrong += !str_eq(str_text(&text), "inside");
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	ok(right > 0, "%s is read (%d times)", path, right);
	is_int(wrong, 0, "and nothing else");
}

static void test_swapped(const struct runtime_bundle *b)
{
	autofree char *secret = xasprintf("%s/secret/file", top);
	autofree char *secrets = xasprintf("%s/secret", top);
	auto_str text = STR_INIT;

	(void)mkdirat(topfd, "secret", 0755);
	(void)mkdirat(topfd, "rootfs/dir", 0755);
	(void)mkdirat(topfd, "outside/dir", 0755);
	put(topfd, "secret/file", "outside");
	put(topfd, "rootfs/file", "inside");
	put(topfd, "rootfs/dir/file", "inside");
	put(topfd, "outside/dir/file", "inside");
	put_link(secret, "rootfs/file.other");
	put_link(secrets, "rootfs/dir.other");
	put_link(secrets, "outside/dir.other");
	is_int(runtime_read_inside(b, "/file.other", 1000, &text), -1, "a link that leads nowhere inside");
	test_read(b, "/file", "rootfs/file", "rootfs/file.other");
	test_read(b, "/dir/file", "rootfs/dir", "rootfs/dir.other");
	test_read(b, "/data/dir/file", "outside/dir", "outside/dir.other");
}

int main(void)
{
	auto_runtime_bundle b = RUNTIME_BUNDLE_INIT;

	topfd = scratch_open(top);
	make_bundle();
	load(&b);
	expect(&b, "/usr/bin/true", NULL, "/usr/bin/true");
	expect(&b, "true", "/bin:/usr/bin", "/usr/bin/true");
	expect(&b, "true", NULL, "/usr/bin/true");
	expect(&b, "true", "/bin", "not found");
	expect(&b, "absolute", "/bin", "/bin/absolute");
	expect(&b, "above", "/bin", "/bin/above");
	expect(&b, "across", "/bin", "/bin/across");
	expect(&b, "/data/bin/back", NULL, "/data/bin/back");
	expect(&b, "/data/hidden", NULL, "not found");
	expect(&b, "/bin/bound", NULL, "/bin/bound");
	/* Its folders are not in the root file system: the mount makes them. */
	expect(&b, "/made/for/it", NULL, "/made/for/it");
	expect(&b, "it", "/made/for", "/made/for/it");
	expect(&b, "/made/for/other", NULL, "not found");
	expect(&b, "/made/for", NULL, "denied");
	expect(&b, "loop", "/bin", "denied");
	expect(&b, "host", "/bin", "not found");
	expect(&b, "plain", "/bin:/usr/bin", "denied");
	expect(&b, "/usr/bin", NULL, "denied");
	expect(&b, "./here", NULL, "/work/./here");
	expect(&b, "here", ".", "/work/./here");
	expect(&b, "/usr/bin/true/x", NULL, "not found");
	expect(&b, "", "/bin", "not found");
	test_swapped(&b);
	runtime_bundle_free(&b);
	scratch_close(topfd, top);
	return tap_done();
}
