/* SPDX-License-Identifier: Apache-2.0 */
/* The tar writer, read back by the reader: every field that has a limit in ustar, sparse files, late headers, whole trees. */
#include "pkg/archive/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "pkg/archive/inflate.h"
#include "pkg/archive/reader.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

/* ---- what an archive holds, as text: one line an entry ---- */

static void show_entry(struct reader *r, const struct reader_entry *e, bool full, struct str *ret)
{
	static const char letters[] = "fdlhpcbs?";
	const char *name;
	const void *value;
	size_t n;

	str_addf(ret, "%c %o %s", letters[e->type], (unsigned)e->mode, e->name);
	if (*e->link)
		str_addf(ret, " -> %s", e->link);
	if (e->type == READER_FILE)
		str_addf(ret, " %lld", (long long)e->size);
	if (full)
		str_addf(ret, " %lld:%lld %lld.%09ld", (long long)e->uid, (long long)e->gid,
			(long long)e->mtime.tv_sec, e->mtime.tv_nsec);
	if (e->type == READER_CHAR)
		str_addf(ret, " %u,%u", e->dev_major, e->dev_minor);
	while (reader_xattr(r, &name, &value, &n) > 0)
		str_addf(ret, " %s=%.*s", name, (int)n, (const char *)value);
	str_add_char(ret, '\n');
}

static char *show(int fd, bool full)
{
	const struct inflate_options o = { .what = "archive" };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	auto_str ret = STR_INIT;
	auto_err *err = NULL;
	struct reader_entry e;
	int more = -1;

	lseek(fd, 0, SEEK_SET);
	if (inflate_start(fd, &o, &in, &err) == 0 && reader_open(in, "archive", &r, &err) == 0)
		while ((more = reader_next(r, &e, &err)) > 0)
			show_entry(r, &e, full, &ret);
	if (more < 0)
		str_addf(&ret, "error: %s\n", err_text(err));
	return str_steal(&ret);
}

/* The content of the n-th entry. */
static char *content(int fd, int n, size_t *ret_n)
{
	const struct inflate_options o = { .what = "archive" };
	auto_inflate *in = NULL;
	auto_reader *r = NULL;
	auto_str ret = STR_INIT;
	struct reader_entry e;

	lseek(fd, 0, SEEK_SET);
	if (inflate_start(fd, &o, &in, NULL) == 0 && reader_open(in, "archive", &r, NULL) == 0)
		while (n-- >= 0 && reader_next(r, &e, NULL) > 0)
			;
	reader_text(r, (size_t)64 << 20, &ret, NULL);
	*ret_n = ret.len;
	return str_steal(&ret);
}

static struct writer *begin(int *ret_fd)
{
	struct writer *w = NULL;

	*ret_fd = fd_anon("archive");
	ok(writer_open(*ret_fd, "archive", &w, NULL) == 0, "a writer");
	return w;
}

static bool end(struct writer *w)
{
	auto_err *err = NULL;
	int r = writer_end(w, &err);

	writer_free(w);
	return r == 0;
}

static void add(struct writer *w, const struct writer_entry *e, const char *text)
{
	auto_err *err = NULL;
	int r = text ? writer_text(w, e, text, strlen(text), &err) : writer_entry(w, e, &err);

	ok(r == 0, "an entry: %.40s %s", e->name, err ? err_text(err) : "");
}

static void is_shown(int fd, bool full, const char *want, const char *name)
{
	autofree char *got = show(fd, full);

	is_str(got, want, name);
	close(fd);
}

static void test_types(void)
{
	int fd;
	struct writer *w = begin(&fd);

	add(w, &(struct writer_entry){ .type = READER_DIR, .name = "d", .mode = 01777 }, NULL);
	add(w, &(struct writer_entry){ .type = READER_FILE, .name = "d/f", .mode = 04755 }, "text");
	add(w, &(struct writer_entry){ .type = READER_FILE, .name = "d/empty", .mode = 0600 }, "");
	add(w, &(struct writer_entry){ .type = READER_SYMLINK, .name = "d/s", .link = "../x", .mode = 0777 },
		NULL);
	add(w, &(struct writer_entry){ .type = READER_HARDLINK, .name = "d/h", .link = "d/f", .mode = 04755 },
		NULL);
	add(w, &(struct writer_entry){ .type = READER_FIFO, .name = "d/p", .mode = 0644 }, NULL);
	add(w,
		&(struct writer_entry){
			.type = READER_CHAR, .name = "d/c", .mode = 0666, .dev_major = 1, .dev_minor = 300 },
		NULL);
	end(w);
	is_shown(fd, false,
		"d 1777 d/\nf 4755 d/f 4\nf 600 d/empty 0\nl 777 d/s -> ../x\nh 4755 d/h -> d/f\np 644 d/p\n"
		"c 666 d/c 1,300\n",
		"each type");
}

static void repeat(char *to, const char *unit, size_t n)
{
	size_t unit_n = strlen(unit);

	for (size_t i = 0; i < n; i++)
		to[i] = unit[i % unit_n];
	to[n] = 0;
}

static void test_names(void)
{
	static const char *const short_names[] = { "a", "\xc3\xa9t\xc3\xa9", "\xff\xfe raw", "with\nnewline",
		"a/./b" };
	static const size_t lengths[] = { 99, 100, 101, 155, 156, 254, 255, 256, 257, 4095, 100000 };
	static const char *const units[] = { "x", "dir/", "\xc3\xa9", "\xff/" };
	auto_str want = STR_INIT;
	int fd;
	struct writer *w = begin(&fd);

	for (size_t i = 0; i < ARRAY_LEN(short_names); i++) {
		add(w, &(struct writer_entry){ .type = READER_FILE, .name = short_names[i], .mode = 0644 },
			"");
		str_addf(&want, "f 644 %s 0\n", short_names[i]);
	}
	for (size_t u = 0; u < ARRAY_LEN(units); u++)
		for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
			autofree char *name = xmalloc(lengths[i] + 2);

			repeat(name, units[u], lengths[i]);
			name[lengths[i] - 1] = 'n';
			if (u == 2) /* whole characters only */
				repeat(name, units[u], lengths[i] & ~(size_t)1);
			add(w, &(struct writer_entry){ .type = READER_FILE, .name = name, .mode = 0644 }, "");
			str_addf(&want, "f 644 %s 0\n", name);
			add(w,
				&(struct writer_entry){
					.type = READER_SYMLINK, .name = "l", .link = name, .mode = 0777 },
				NULL);
			str_addf(&want, "l 777 l -> %s\n", name);
		}
	end(w);
	is_shown(fd, false, str_text(&want), "names of any bytes and lengths come back");
}

static void test_numbers(void)
{
	int fd;
	struct writer *w = begin(&fd);
	struct writer_entry e = { .type = READER_FILE, .name = "f", .mode = 0644, .uid = 07777777, .gid = 1 };

	add(w, &e, "");
	e.uid = 010000000;
	e.gid = 4294967294;
	add(w, &e, "");
	e.uid = e.gid = 0;
	e.mtime = (struct timespec){ 1700000000, 5 };
	add(w, &e, "");
	e.mtime = (struct timespec){ -86400, 0 };
	add(w, &e, "");
	e.mtime = (struct timespec){ 0x200000000LL, 0 };
	add(w, &e, "");
	end(w);
	is_shown(fd, true,
		"f 644 f 0 2097151:1 0.000000000\nf 644 f 0 2097152:4294967294 0.000000000\n"
		"f 644 f 0 0:0 1700000000.000000005\n"
		"f 644 f 0 0:0 -86400.000000000\nf 644 f 0 0:0 8589934592.000000000\n",
		"ids and times beyond ustar's");
}

/* Looked at in the archive itself: libarchive reads the fraction of a negative time with the wrong sign. */
static void test_negative_fraction(void)
{
	int fd;
	struct writer *w = begin(&fd);
	char buf[2048] = "";

	add(w, &(struct writer_entry){ .type = READER_FILE, .name = "f", .mtime = { -2, 500000000 } }, "");
	add(w, &(struct writer_entry){ .type = READER_FILE, .name = "g", .mtime = { -1, 250000000 } }, "");
	end(w);
	ok(pread(fd, buf, 512, 512) == 512, "read");
	is_str(buf, "14 mtime=-1.5\n", "a second and a half before 1970");
	ok(pread(fd, buf, 512, 512 * 4) == 512, "read");
	is_str(buf, "15 mtime=-0.75\n", "less than a second before 1970");
	close(fd);
}

static void test_xattrs(void)
{
	const struct writer_xattr x[] = { { "user.a", "one", 3 }, { "user.long", "=\n=", 3 } };
	int fd;
	struct writer *w = begin(&fd);

	add(w,
		&(struct writer_entry){
			.type = READER_FILE, .name = "f", .mode = 0644, .xattrs = x, .n_xattrs = 2 },
		"abc");
	end(w);
	autofree char *got = show(fd, false);

	ok(strstr(got, "user.a=one") && strstr(got, "user.long==\n="), "attributes come back: %s", got);
	close(fd);
}

static void resize(int fd, int64_t size)
{
	ok(ftruncate(fd, size) == 0, "a size of %lld", (long long)size);
}

/* The content is read back byte by byte, whatever path it took through the writer. */
static void test_content(void)
{
	static const size_t sizes[] = { 1, 511, 512, 513, 65535, 65536, 262143, 262144, 262145, 3000000 };
	autofree char *data = xmalloc(3000000);
	int fd, from = fd_anon("from");
	struct writer *w = begin(&fd);

	for (size_t i = 0; i < 3000000; i++)
		data[i] = (char)(i * 7919 >> 5);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct writer_entry e = {
			.type = READER_FILE, .name = "f", .mode = 0644, .size = (int64_t)sizes[i]
		};

		writer_text(w, &e, data, sizes[i], NULL);
		resize(from, 0);
		lseek(from, 0, SEEK_SET);
		fd_write_all(from, data, sizes[i]);
		writer_file(w, &e, from, false, NULL);
		lseek(from, 0, SEEK_SET);
		writer_entry(w, &e, NULL);
		ok(writer_copy(w, from, sizes[i], "from", NULL) == 0, "%zu bytes copied", sizes[i]);
	}
	end(w);
	for (int i = 0; i < (int)ARRAY_LEN(sizes) * 3; i++) {
		size_t n = 0, want = sizes[i / 3];
		autofree char *got = content(fd, i, &n);

		ok(n == want && memcmp(got, data, n) == 0, "%zu bytes, way %d", want, i % 3);
	}
	close(fd);
	close(from);
}

static void test_shrinking(void)
{
	auto_err *err = NULL;
	size_t n = 0;
	int fd, from = fd_anon("from");
	struct writer *w = begin(&fd);
	struct writer_entry e = { .type = READER_FILE, .name = "f", .mode = 0644, .size = 100000 };

	fd_write_all(from, "0123456789", 10);
	ok(writer_file(w, &e, from, false, NULL) == 0, "a file that became shorter is filled up");
	lseek(from, 0, SEEK_SET);
	writer_entry(w, &e, NULL);
	ok(writer_copy(w, from, 100000, "from", &err) < 0 && err_is(err, ERR_CORRUPT),
		"a blob that became shorter is an error");
	writer_free(w);
	autofree char *got = content(fd, 0, &n);

	ok(n == 100000 && memcmp(got, "0123456789", 11) == 0, "with zeros");
	close(fd);
	close(from);
}

static void test_sparse(void)
{
	const int64_t size = 40 << 20;
	char top[64];
	int dir = scratch_open(top), fd, from = openat(dir, "sparse", O_RDWR | O_CREAT, 0644);
	struct writer *w = begin(&fd);
	size_t n = 0;
	struct writer_entry e = { .type = READER_FILE, .name = "d/sparse", .mode = 0644, .size = size };

	ok(pwrite(from, "begin", 5, 0) == 5 && pwrite(from, "middle", 6, 20 << 20) == 6, "two islands");
	resize(from, size);
	ok(writer_file(w, &e, from, true, NULL) == 0, "a sparse file");
	resize(from, 0);
	resize(from, size);
	ok(writer_file(w, &e, from, true, NULL) == 0, "one of nothing but a hole");
	add(w, &(struct writer_entry){ .type = READER_FILE, .name = "next", .mode = 0644 }, "x");
	ok(writer_position(w) < 1 << 20, "holes are not written");
	end(w);
	autofree char *got = content(fd, 0, &n), *hole = content(fd, 1, &n);

	ok((int64_t)n == size, "the whole size");
	ok(memcmp(got, "begin", 6) == 0 && memcmp(got + (20 << 20), "middle", 7) == 0, "data where it was");
	ok(hole[0] == 0 && memcmp(hole, hole + 1, (size_t)size - 1) == 0, "and zeros");
	is_shown(fd, false, "f 644 d/sparse 41943040\nf 644 d/sparse 41943040\nf 644 next 1\n",
		"names of sparse files");
	close(from);
	scratch_close(dir, top);
}

static void test_late(void)
{
	int fd, ends[2];
	struct writer *w = begin(&fd), *pipe_writer = NULL;
	struct writer_entry e = { .type = READER_FILE, .name = "unknown", .mode = 0644 };

	ok(writer_can_late(w), "a file can be written again");
	add(w, &(struct writer_entry){ .type = READER_DIR, .name = "d", .mode = 0755 }, NULL);
	writer_late(w, &e, NULL);
	writer_data(w, "some ", 5, NULL);
	writer_data(w, "text", 4, NULL);
	ok(writer_late_end(w, "d/known", NULL) == 0, "name and size behind the content");
	writer_late(w, &e, NULL);
	ok(writer_late_end(w, NULL, NULL) == 0, "nothing at all");
	end(w);
	is_shown(fd, false, "d 755 d/\nf 644 d/known 9\nf 644 unknown 0\n", "late headers");
	ok(pipe2(ends, O_CLOEXEC) == 0 && writer_open(ends[1], "pipe", &pipe_writer, NULL) == 0 &&
			!writer_can_late(pipe_writer),
		"a pipe cannot");
	writer_free(pipe_writer);
	close(ends[0]);
	close(ends[1]);
}

/* 9 GiB, most of which is never written: the header alone counts. */
static void test_huge(void)
{
	char top[64];
	int dir = scratch_open(top), fd, from = openat(dir, "huge", O_RDWR | O_CREAT, 0644);
	struct writer *w = begin(&fd);
	struct writer_entry e = {
		.type = READER_FILE, .name = "huge", .mode = 0644, .size = (int64_t)9 << 30
	};

	if (ftruncate(from, e.size) == 0) {
		ok(writer_file(w, &e, from, true, NULL) == 0, "a file of 9 GiB");
		end(w);
		is_shown(fd, false, "f 644 huge 9663676416\n", "its size");
	}
	close(from);
	scratch_close(dir, top);
}

/* ---- trees ---- */

static int edit(struct writer_entry *e, int dirfd UNUSED, const char *name, const char *path,
	const struct stat *st UNUSED, void *arg UNUSED, struct err **err)
{
	if (strcmp(name, "leave") == 0)
		return WRITER_SKIP;
	if (strcmp(path, "fail") == 0)
		return err_make(err, ERR_UNSUPPORTED, "no");
	e->uid = 5;
	return 0;
}

static char *pack(int dir, const struct writer_tree_options *o, struct err **err)
{
	int fd;
	struct writer *w = begin(&fd);
	int r = writer_tree(w, dir, o, err);
	char *got;

	if (r < 0)
		writer_free(w);
	else
		end(w);
	got = r < 0 ? NULL : show(fd, false);
	close(fd);
	return got;
}

static void make_socket(int dir)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "/proc/self/fd/%d/socket", dir);
	ok(bind(s, (struct sockaddr *)&a, sizeof(a)) == 0, "a socket");
	close(s);
}

static void test_tree(void)
{
	char top[64];
	int dir = scratch_open(top);
	struct writer_tree_options o = { .what = "tree", .whole_seconds = true };
	auto_err *err = NULL;

	fchmod(dir, 0755);
	mkdirat(dir, "b", 0700);
	mkdirat(dir, "b/leave", 0700);
	put(dir, "b/leave/z", "z");
	put(dir, "b/file", "content");
	put(dir, "b.txt", "");
	ok(linkat(dir, "b/file", dir, "a", 0) == 0 && symlinkat("b/file", dir, "link") == 0 &&
			mkfifoat(dir, "pipe", 0600) == 0,
		"two links and a pipe");
	make_socket(dir);
	autofree char *plain = pack(dir, &o, &err);
	is_str(plain,
		"f 644 a 7\nd 700 b/\nh 644 b/file -> a\nd 700 b/leave/\nf 644 b/leave/z 1\nf 644 b.txt 0\n"
		"l 777 link -> b/file\np 600 pipe\n",
		"a tree in order, with a hard link");
	o.prefix = ".";
	o.edit = edit;
	autofree char *edited = pack(dir, &o, &err);
	ok(edited && str_starts(edited, "d 755 ./\nf 644 ./a 7\n") && !strstr(edited, "leave") &&
			strstr(edited, "h 644 ./b/file -> ./a\n"),
		"with a prefix, a part left out: %s", edited);
	put(dir, "fail", "");
	ok(!pack(dir, &o, &err) && err_is(err, ERR_UNSUPPORTED), "an error of the caller's");
	scratch_close(dir, top);
}

static void unreadable_part(void *arg)
{
	int dir = *(int *)arg;
	struct writer_tree_options o = { .what = "tree", .xattrs = true };
	bool root = geteuid() == 0;
	auto_err *err = NULL;
	struct stat st;

	mkdirat(dir, "own", 0755);
	autoclose int own = openat(dir, "own", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(own, "of-another", 0);
	become_nobody(dir);
	ok(!root || (!pack(own, &o, &err) && err_is(err, ERR_DENIED) &&
			    strstr(err_text(err), "'of-another'")),
		"a directory that cannot be read is named: %s", err ? err_text(err) : "");
	mkdirat(dir, "mine", 0755);
	autoclose int mine = openat(dir, "mine", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	mkdirat(mine, "a", 0755);
	mkdirat(mine, "a/b", 0755);
	put(mine, "a/b/file", "x");
	put(mine, "shut", "yz");
	ok(fchmodat(mine, "shut", 0, 0) == 0 && fchmodat(mine, "a/b", 0, 0) == 0 &&
			fchmodat(mine, "a", 0200, 0) == 0,
		"modes that keep their owner out");
	autofree char *got = pack(mine, &o, NULL);
	is_str(got, "d 200 a/\nd 0 a/b/\nf 644 a/b/file 1\nf 0 shut 2\n", "he lets himself in");
	ok(fstatat(mine, "a", &st, 0) == 0 && (st.st_mode & 07777) == 0200 &&
			fstatat(mine, "shut", &st, 0) == 0 && (st.st_mode & 07777) == 0 &&
			fchmodat(mine, "a", 0700, 0) == 0 && fstatat(mine, "a/b", &st, 0) == 0 &&
			(st.st_mode & 07777) == 0,
		"and leaves all as it was");
	ok(fchmodat(mine, "a/b", 0700, 0) == 0, "open again");
}

static void test_tree_details(void)
{
	char top[64];
	int dir = scratch_open(top), at = fcntl(dir, F_DUPFD_CLOEXEC, 3);
	struct writer_tree_options o = { .what = "tree", .xattrs = true, .root_owner = true };

	put(dir, "f", "x");
	int f = openat(dir, "f", O_RDWR);
	if (fsetxattr(f, "user.k", "v", 1, 0) == 0) {
		autofree char *got = pack(dir, &o, NULL);

		ok(got && strstr(got, "user.k=v"), "attributes of files: %s", got);
	}
	close(f);
	for (int i = 0; i < 3000; i++) {
		int next;

		mkdirat(at, "d", 0700);
		next = openat(at, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
	}
	put(at, "deep", "x");
	close(at);
	autofree char *deep = pack(dir, &o, NULL);
	ok(deep && strstr(deep, "/d/d/d/deep"), "3,000 levels deep");
	scratch_close(dir, top);
	dir = scratch_open(top);
	in_child(unreadable_part, &dir);
	scratch_close(dir, top);
}

int main(void)
{
	test_types();
	test_names();
	test_numbers();
	test_negative_fraction();
	test_xattrs();
	test_content();
	test_shrinking();
	test_sparse();
	test_late();
	test_huge();
	test_tree();
	test_tree_details();
	return tap_done();
}
