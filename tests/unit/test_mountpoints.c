/* SPDX-License-Identifier: Apache-2.0 */
/* Mount points made in a ROOT, recorded as 1.3.x records them, and unmade; hostile and half-made folders. */
#include "engines/mountpoints.h"

#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

struct folder {
	char top[64];
	int fd, root;
};

static void make_dir(int dirfd, const char *path)
{
	if (mkdirat(dirfd, path, 0755) < 0) {
		perror(path);
		exit(99);
	}
}

static struct folder folder_make(void)
{
	struct folder f;

	f.fd = scratch_open(f.top);
	make_dir(f.fd, "ROOT");
	make_dir(f.fd, "ROOT/etc");
	make_dir(f.fd, "src");
	put(f.fd, "file", "x");
	f.root = openat(f.fd, "ROOT", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return f;
}

static void folder_free(struct folder *f)
{
	close(f->root);
	scratch_close(f->fd, f->top);
}

static int make(const struct folder *f, const char *mounts, struct err **err)
{
	autofree char *text = xasprintf("{\"root\":{\"path\":\"ROOT\"},\"mounts\":[%s]}", mounts);
	auto_json *j = NULL;

	if (json_parse(text, strlen(text), "test", NULL, &j, NULL) < 0)
		exit(99);
	return mountpoints_make(&(struct mountpoints_at){ f->root, f->fd, -1, NULL }, j, err);
}

/* 'd', 'f', 'l', or '-' when it is not there. */
static char kind(int dirfd, const char *path)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return '-';
	return S_ISDIR(st.st_mode) ? 'd' : S_ISREG(st.st_mode) ? 'f' : S_ISLNK(st.st_mode) ? 'l' : '?';
}

static void is_link(int dirfd, const char *path, const char *want)
{
	char buf[256];
	ssize_t n = readlinkat(dirfd, path, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = '\0';
	is_str(buf, want, path);
}

#define BIND(dest, src) \
	"{\"destination\":\"" dest "\",\"type\":\"bind\",\"source\":\"" src "\",\"options\":[\"bind\"]}"

static void test_make(void)
{
	struct folder f = folder_make();

	put(f.fd, "container.json", "{}");
	is_int(make(&f,
		       "{\"destination\":\"/dev\",\"type\":\"tmpfs\"},{\"destination\":\"/dev/"
		       "pts\",\"type\":\"devpts\"}," BIND("/mnt/d", "src") "," BIND(
			       "/etc/hosts", "file") "," BIND("/mnt/d/below", "src"),
		       NULL),
		0, "mount points");
	is_int(kind(f.root, "dev"), 'd', "a directory for a file system");
	is_int(kind(f.root, "dev/pts"), '-', "nothing below another mount");
	is_int(kind(f.root, "mnt/d"), 'd', "a directory for a directory");
	is_int(kind(f.root, "mnt/d/below"), '-', "nothing below a bind");
	is_int(kind(f.root, "etc/hosts"), 'f', "a file for a file");
	is_link(f.fd, ".mountpoints/#mnt#d", "#");
	is_link(f.fd, ".mountpoints/#etc#hosts", "#etc");
	is_link(f.fd, ".mountpoints/#dev", "#");
	is_int(make(&f, BIND("/mnt/d", "src") "," BIND("/etc/hosts", "file"), NULL), 0,
		"again: nothing to do");

	is_int(mountpoints_purge(f.root, f.fd, NULL), 0, "purge");
	ok(kind(f.root, "mnt") == '-' && kind(f.root, "dev") == '-' && kind(f.root, "etc/hosts") == '-',
		"all is gone");
	is_int(kind(f.root, "etc"), 'd', "what was there stays");
	is_int(kind(f.fd, ".mountpoints"), '-', "and so are the records");
	is_int(mountpoints_purge(f.root, f.fd, NULL), 0, "again: nothing to do");
	folder_free(&f);
}

static void test_parents(void)
{
	static const char mounts[] =
		BIND("/mnt/d", "src") "," BIND("/opt/deep/file", "file") "," BIND("/etc/hosts", "file");
	autofree char *text = xasprintf("{\"root\":{\"path\":\"ROOT\"},\"mounts\":[%s]}", mounts);
	struct folder f = folder_make();
	const struct mountpoints_at at = { f.root, f.fd, -1, NULL };
	auto_json *j = NULL;

	put(f.fd, "container.json", "{}");
	if (json_parse(text, strlen(text), "test", NULL, &j, NULL) < 0)
		exit(99);
	is_int(mountpoints_make_parents(&at, j, NULL), 0, "what lies above targets");
	is_int(kind(f.root, "mnt"), 'd', "of a folder");
	is_int(kind(f.root, "opt/deep"), 'd', "of a file");
	ok(kind(f.root, "mnt/d") == '-' && kind(f.root, "opt/deep/file") == '-', "no target");
	is_int(mountpoints_make_parents(&at, j, NULL), 0, "again: nothing to do");
	is_int(mountpoints_purge(f.root, f.fd, NULL), 0, "purge");
	ok(kind(f.root, "mnt") == '-' && kind(f.root, "opt") == '-', "all is gone");
	folder_free(&f);
}

static void test_wrong(void)
{
	struct folder f = folder_make();
	auto_err *file = NULL, *dir = NULL;

	is_int(make(&f, BIND("/new", "src"), NULL), 0, "a bundle that is not of the store");
	is_int(kind(f.fd, ".mountpoints"), '-', "gets no records");
	put(f.root, "plain", "x");
	is_int(make(&f, BIND("/plain", "src"), &file), -1, "a file where a directory is needed");
	ok(file && strstr(err_text(file), "mount point /plain"), "is named");
	is_int(make(&f, BIND("/etc", "file"), &dir), -1, "and the other way round");
	folder_free(&f);
}

/* A link of the image that leads out of ROOT resolves inside it. */
static void test_hostile(void)
{
	struct folder f = folder_make();

	make_dir(f.fd, "outside");
	if (symlinkat("../../outside", f.root, "away") < 0 || symlinkat("/etc", f.root, "within") < 0)
		exit(99);
	put(f.fd, "container.json", "{}");
	is_int(make(&f, BIND("/within/new", "src") "," BIND("/away/x", "src"), NULL), -1,
		"a link that dangles in the root");
	is_int(kind(f.root, "etc/new"), 'd', "an absolute link is the root's");
	is_int(kind(f.fd, "outside/x"), '-', "nothing is made outside");
	/* Records that name what the container owns, or climb out. */
	put(f.root, "etc/passwd", "root:x:0:0");
	put(f.fd, "outside/kept", "");
	if (symlinkat("#", f.fd, ".mountpoints/#etc#passwd") < 0 ||
		symlinkat("#", f.fd, ".mountpoints/#..#..#outside#kept") < 0)
		exit(99);
	is_int(mountpoints_purge(f.root, f.fd, NULL), 0, "purge");
	is_int(kind(f.root, "etc/passwd"), 'f', "a file with content is never removed");
	is_int(kind(f.fd, "outside/kept"), 'f', "nor anything outside");
	is_int(kind(f.root, "etc/new"), '-', "what we made is");
	folder_free(&f);
}

/* What 1.3.x leaves after an R mode: originals moved away, links in their place, both recorded (FIX-15). */
static void test_originals(void)
{
	struct folder f = folder_make();
	auto_str s = STR_INIT;

	make_dir(f.fd, ".mountpoints");
	make_dir(f.fd, ".bind_orig_files");
	make_dir(f.root, ".bind_host_files");
	put(f.fd, ".bind_orig_files/#etc#passwd", "original");
	put(f.fd, ".bind_orig_files/#etc#group", "");
	put(f.fd, ".bind_orig_files/#etc#shadow", "old");
	put(f.root, "etc/shadow", "new");
	if (symlinkat("/.bind_host_files/#etc#passwd", f.root, "etc/passwd") < 0 ||
		symlinkat("/.bind_host_files/#etc#group", f.root, "etc/group") < 0 ||
		symlinkat("/.bind_host_files/#etc#hosts", f.root, "etc/hosts") < 0 ||
		symlinkat("#etc", f.fd, ".mountpoints/#etc#passwd") < 0 ||
		symlinkat("#etc", f.fd, ".mountpoints/#etc#group") < 0 ||
		symlinkat("#etc", f.fd, ".mountpoints/#etc#hosts") < 0)
		exit(99);
	is_int(mountpoints_purge(f.root, f.fd, NULL), 0, "purge");
	is_int(fs_read(f.root, "etc/passwd", 100, &s, FS_BENEATH), 0, "passwd is back");
	is_str(str_text(&s), "original", "as it was");
	is_int(kind(f.root, "etc/group"), 'f', "an empty original, too");
	is_int(kind(f.root, "etc/hosts"), '-', "a link without an original goes");
	str_truncate(&s, 0);
	is_int(fs_read(f.root, "etc/shadow", 100, &s, FS_BENEATH), 0, "a file written since");
	is_str(str_text(&s), "new", "is the container's now");
	is_int(kind(f.fd, ".bind_orig_files/#etc#shadow"), 'f', "its original is kept");
	is_int(kind(f.root, ".bind_host_files"), '-', "the mount point of 1.3.x is gone");
	folder_free(&f);
}

int main(void)
{
	test_make();
	test_parents();
	test_wrong();
	test_hostile();
	test_originals();
	return tap_done();
}
