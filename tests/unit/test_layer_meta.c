/* SPDX-License-Identifier: Apache-2.0 */
/* What layers say about files beside their content: times of directories, attributes, owners; and paths that change under a layer. */
#include "tests/unit/layertest.h"

#define ENTRY_TIME 1000000000 /* of every entry of mktar.h */
#define OWNER "user.rootlesscontainers"

static void dir_at(struct str *t, const char *name, int64_t mtime)
{
	tar_header(t, &(struct tar_member){ .type = '5', .name = name, .mode = 0755, .mtime = mtime });
}

static int64_t time_of(const char *path)
{
	return stat_of(path).st_mtim.tv_sec;
}

/* a, a/b, a/b/c, o, o/kept and ROOT, each with a time of its own. */
static void lower(void)
{
	struct str t = STR_INIT;

	fresh_root();
	dir_at(&t, "./", 100);
	dir_at(&t, "a/", 101);
	dir_at(&t, "a/b", 102);
	dir_at(&t, "a/b/c", 103);
	dir_at(&t, "o", 104);
	dir_at(&t, "o/kept", 105);
	tar_file(&t, "a/f", 0644, "f");
	tar_file(&t, "a/b/c/f", 0644, "f");
	tar_file(&t, "o/gone", 0644, "x");
	tar_file(&t, "o/kept/gone", 0644, "x");
	tar_entry(&t, '2', "way", "a/b", 0777);
	ok(applies(&t), "directories with times");
}

static void test_dir_times(void)
{
	struct str t = STR_INIT;

	lower();
	ok(time_of(".") == 100 && time_of("a") == 101 && time_of("a/b") == 102 && time_of("a/b/c") == 103,
		"each has its own, whatever came into it later");
	tar_file(&t, "a/new", 0644, "n");
	tar_file(&t, "a/b/.wh.c", 0644, "");
	tar_file(&t, "a/made/deep/f", 0644, "n");
	tar_file(&t, "top", 0644, "n");
	tar_entry(&t, '1', "a/hard", "o/gone", 0644);
	ok(applies(&t) && there("a/made/deep/f") && !there("a/b/c"),
		"a layer without entries for its directories");
	ok(time_of(".") == 100 && time_of("a") == 101 && time_of("a/b") == 102 && time_of("o") == 104,
		"leaves their times");
	tar_file(&t, "o/kept/sub/new", 0644, "n");
	dir_at(&t, "o", 200);
	tar_file(&t, "o/.wh..wh..opq", 0644, "");
	ok(applies(&t) && !there("o/gone") && !there("o/kept/gone") && there("o/kept/sub/new"),
		"an opaque directory");
	ok(time_of("o") == 200 && time_of("o/kept") == 105,
		"has the time that its entry gave, and one below it its own");
	lower();
	tar_file(&t, "way/one", 0644, "1");
	tar_file(&t, "a/b/two", 0644, "2");
	tar_file(&t, "way/three", 0644, "3");
	ok(applies(&t) && time_of("a/b") == 102 && there("a/b/three"), "by two paths in turn");
	dir_at(&t, "a/b", 300);
	tar_file(&t, "a/b/four", 0644, "4");
	dir_at(&t, "a/b", 301);
	tar_file(&t, "way/five", 0644, "5");
	ok(applies(&t) && time_of("a/b") == 301, "the last entry decides");
	tar_file(&t, ".wh..wh.plnk/1.2", 0644, "l");
	tar_entry(&t, '1', "a/l", ".wh..wh.plnk/1.2", 0644);
	ok(applies(&t) && holds("a/l", "l") && time_of(".") == 100,
		"AUFS's own directory comes and goes unseen");
}

/* Many more directories than stay open, in an order that no tar program has. */
static void test_scattered(void)
{
	struct str t = STR_INIT;
	int wrong = 0;
	char name[40];

	fresh_root();
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "s/%d", i);
		dir_at(&t, name, 1000 + i);
	}
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 300; i++) {
			snprintf(name, sizeof(name), "s/%d/%d", i * 7 % 300, round);
			tar_file(&t, name, 0644, "x");
		}
	}
	dir_at(&t, "s", 7);
	ok(applies(&t) && time_of("s") == 7, "entries here and there");
	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "s/%d", i);
		wrong += time_of(name) != 1000 + i;
		snprintf(name, sizeof(name), "s/%d/2", i);
		wrong += !there(name);
	}
	is_int(wrong, 0, "all lie where they belong, in directories with their times");
}

/* A directory on the way to later entries is replaced while it is open. */
static void test_moving_ground(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_file(&t, "a/b/c/one", 0644, "1");
	tar_file(&t, "e/b/c/one", 0644, "1");
	tar_entry(&t, '2', "a", "e", 0777);
	tar_file(&t, "a/b/c/two", 0644, "2");
	ok(applies(&t) && holds("e/b/c/two", "2") && S_ISLNK(stat_of("a").st_mode),
		"a directory far above becomes a link: what follows goes where it leads");
	tar_file(&t, "a/b/c/three", 0644, "3");
	tar_entry(&t, '2', "e/b", "/f", 0777);
	tar_file(&t, "f/c/one", 0644, "1");
	tar_file(&t, "a/b/c/four", 0644, "4");
	ok(applies(&t) && holds("f/c/four", "4"), "one behind a link too");
	tar_file(&t, "a/b/c/five", 0644, "5");
	tar_dir(&t, "a", 0755);
	tar_file(&t, "a/b/c/six", 0644, "6");
	ok(applies(&t) && holds("f/c/five", "5") && holds("a/b/c/six", "6") && !there("f/c/six"),
		"a link becomes a directory: what follows goes into it");
	tar_file(&t, "a/b/c/seven", 0644, "7");
	tar_file(&t, "a/b", 0644, "a file");
	tar_dir(&t, "a/b", 0755);
	tar_file(&t, "a/b/c/eight", 0644, "8");
	ok(applies(&t) && holds("a/b/c/eight", "8") && !there("a/b/c/seven"),
		"a directory that goes and comes again is a new one");
	tar_file(&t, "keep/c/one", 0644, "1");
	ok(applies(&t), "a lower layer");
	tar_entry(&t, '1', "keep/hard", "keep/c/one", 0644);
	tar_file(&t, "keep/.wh.c", 0644, "");
	tar_file(&t, "keep/c/two", 0644, "2");
	ok(applies(&t) && !there("keep/c/one") && holds("keep/c/two", "2") && holds("keep/hard", "1"),
		"hidden between two entries: what was linked before stays");
	tar_file(&t, "w/c/one", 0644, "1");
	tar_entry(&t, '2', "x", "w", 0777);
	tar_file(&t, "x/c/two", 0644, "2");
	tar_file(&t, ".wh.x", 0644, "");
	tar_entry(&t, '2', "x", "keep", 0777);
	tar_file(&t, "x/c/three", 0644, "3");
	ok(applies(&t) && holds("w/c/two", "2") && holds("keep/c/three", "3"),
		"a link that leads elsewhere now");
}

static void test_hard_links(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_file(&t, "lib/a", 0644, "a");
	tar_file(&t, "lib/b", 0644, "b");
	tar_entry(&t, '2', "lib/soft", "a", 0777);
	ok(applies(&t), "a lower layer");
	tar_entry(&t, '1', "across", "lib/a", 0644);
	tar_entry(&t, '1', "lib/b", "lib/a", 0644);
	tar_file(&t, "lib/.wh.a", 0644, "");
	tar_entry(&t, '1', "soft", "lib/soft", 0777);
	ok(applies(&t) && holds("across", "a") && holds("lib/b", "a") && !there("lib/a"),
		"links to what lies below, which is hidden after them");
	is_int(stat_of("across").st_nlink, 2, "are links");
	ok(S_ISLNK(stat_of("soft").st_mode), "a link to a symbolic link is one");
	tar_file(&t, ".wh.across", 0644, "");
	tar_entry(&t, '1', "late", "across", 0644);
	refused(&t, "hard link to 'across'", "to what was hidden before");
	tar_file(&t, "lib/b", 0644, "new b");
	tar_entry(&t, '1', "lib/c", "lib/b", 0644);
	tar_file(&t, "lib/.wh.b", 0644, "");
	ok(applies(&t) && holds("lib/c", "new b") && stat_of("lib/b").st_nlink == 2,
		"a whiteout hides nothing of its own layer, linked or not");
	tar_file(&t, "d/in", 0644, "in");
	tar_entry(&t, '1', "d", "lib/c", 0644);
	ok(applies(&t) && holds("d", "new b"), "a link takes the place of a folder");
	tar_file(&t, "e/in", 0644, "in");
	tar_entry(&t, '1', "e", "e/in", 0644);
	refused(&t, "entry 'e'", "but not of the one its target lies in");
	tar_header(&t, &(struct tar_member){ .type = '3', .name = "dev/n", .mode = 0666, .major = 1 });
	tar_entry(&t, '1', "dev/m", "dev/n", 0666);
	tar_file(&t, "dev/n", 0644, "a file");
	tar_entry(&t, '1', "dev/o", "dev/n", 0666);
	ok(applies(&t) && !there("dev/m") && holds("dev/o", "a file") && stats.devices == 2,
		"a link to a device node is left out, and one to the file in its place is not");
}

static ssize_t attr(const char *path, const char *name, char value[64])
{
	autoclose int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	return fgetxattr(fd, name, value, 64);
}

static bool takes_attrs(void)
{
	autoclose int fd = openat(top, "out/file", O_RDWR | O_CLOEXEC);

	return fsetxattr(fd, "user.try", "", 0, 0) == 0 && fremovexattr(fd, "user.try") == 0;
}

#define CAPABILITY "\0\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void test_attrs(void)
{
	struct str t = STR_INIT;
	char v[64];

	fresh_root();
	tar_pax(&t, "SCHILY.xattr.user.colour", "blue\0\xff", 6);
	tar_file(&t, "f", 0644, "f");
	tar_pax(&t, "LIBARCHIVE.xattr.user.colour", "cmVk", 4);
	tar_dir(&t, "d", 0755);
	tar_pax(&t, "SCHILY.xattr.security.selinux", "host's", 6);
	tar_file(&t, "h", 0644, "h");
	tar_pax(&t, "SCHILY.xattr.user.overlay.redirect", "/../..", 6);
	tar_dir(&t, "i", 0755);
	tar_pax(&t, "SCHILY.xattr." OWNER, "\10\1", 2);
	tar_file(&t, "j", 0644, "j");
	ok(applies(&t), "extended attributes");
	ok(attr("f", "user.colour", v) == 6 && memcmp(v, "blue\0\xff", 6) == 0, "of a file, any bytes");
	ok(attr("d", "user.colour", v) == 3 && memcmp(v, "red", 3) == 0,
		"of a directory, as libarchive writes them");
	ok(attr("h", "security.selinux", v) != 6, "the host's labels are the host's");
	ok(attr("i", "user.overlay.redirect", v) < 0, "orders for an overlay are not taken");
	ok(attr("j", OWNER, v) < 0, "nor a recorded owner that is not ours");
	is_int(stats.attrs, 0, "what is passed over is not counted");

	tar_pax(&t, "SCHILY.xattr.security.capability", CAPABILITY, 20);
	tar_file(&t, "ping", 0755, "f");
	tar_pax(&t, "SCHILY.xattr.trusted.own", "x", 1);
	tar_file(&t, "t", 0644, "g");
	tar_pax(&t, "SCHILY.xattr.user.of", "x", 1);
	tar_entry(&t, '2', "l", "f", 0777);
	ok(applies(&t), "attributes that need privileges");
	is_int(attr("ping", "security.capability", v), geteuid() ? -1 : 20, "are root's to set");
	is_int(stats.attrs, geteuid() ? 3 : 1, "what cannot be set is counted, a link's too");

	tar_pax(&t, "SCHILY.xattr.user.shape", "round", 5);
	tar_dir(&t, "d", 0700);
	tar_file(&t, "f", 0644, "again");
	ok(applies(&t) && attr("d", "user.shape", v) == 5 && attr("d", "user.colour", v) < 0 &&
			has_mode("d", 0700),
		"a directory that comes again has what its new entry says");
	ok(holds("f", "again") && attr("f", "user.colour", v) < 0, "so has a file");
}

static void owned(struct str *t, char type, const char *name, unsigned uid, unsigned gid)
{
	tar_header(t, &(struct tar_member){ .type = type,
			      .name = name,
			      .mode = 0755,
			      .link = type == '2' ? "x" : NULL,
			      .uid = uid,
			      .gid = gid });
}

static void test_owners(void)
{
	const struct layer_options o = { .record_owner = true };
	auto_str t = STR_INIT;
	auto_err *err = NULL;
	char v[64];

	fresh_root();
	owned(&t, '0', "f", 1000, 100);
	owned(&t, '5', "d", 0, 5);
	owned(&t, '0', "big", 2097151, 128);
	owned(&t, '0', "roots", 0, 0);
	owned(&t, '2', "l", 1, 1);
	tar_pax(&t, "uid", "4294967294", 10);
	owned(&t, '0', "most", 0, 0);
	tar_end(&t);
	ok(apply_with(&t, &o, &err) == 0, "owners are recorded");
	ok(attr("f", OWNER, v) == 5 && memcmp(v, "\x08\xe8\x07\x10\x64", 5) == 0, "of a file");
	ok(attr("d", OWNER, v) == 8 && memcmp(v, "\x08\xff\xff\xff\xff\x0f\x10\x05", 8) == 0,
		"of a directory, where zero is as it is");
	ok(attr("big", OWNER, v) == 7 && memcmp(v, "\x08\xff\xff\x7f\x10\x80\x01", 7) == 0,
		"numbers of several bytes");
	ok(attr("most", OWNER, v) == 12 &&
			memcmp(v, "\x08\xfe\xff\xff\xff\x0f\x10\xff\xff\xff\xff\x0f", 12) == 0,
		"up to the largest");
	ok(attr("roots", OWNER, v) < 0, "root's own have none");
	str_free(&t);
	owned(&t, '5', "d", 0, 0);
	tar_end(&t);
	ok(apply_with(&t, &o, &err) == 0 && attr("d", OWNER, v) < 0,
		"a directory that comes again as root's");
	str_free(&t);
	tar_pax(&t, "uid", "4294967295", 10);
	owned(&t, '0', "none", 0, 0);
	tar_end(&t);
	ok(apply_with(&t, &o, &err) < 0 && err_is(err, ERR_CORRUPT), "a number that no user can have");
	err_clear(&err);
	ok(apply_with(&t, NULL, &err) == 0, "which matters to nobody who does not ask");
}

static void test_times(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_pax(&t, "mtime", "1.5", 3);
	tar_file(&t, "f", 0644, "");
	tar_pax(&t, "mtime", "1234567890.987654321012", 23);
	tar_dir(&t, "d", 0755);
	tar_pax(&t, "mtime", "-9223372036854775807", 20);
	tar_file(&t, "before", 0644, "");
	tar_pax(&t, "mtime", "9223372036854775807.999999999", 29);
	tar_dir(&t, "after", 0755);
	tar_pax(&t, "mtime", "99999999999999999999999999", 26);
	tar_entry(&t, '2', "link", "x", 0777);
	tar_pax(&t, "mtime", "nonsense", 8);
	tar_file(&t, "none", 0644, "");
	ok(applies(&t), "times of all kinds");
	ok(time_of("f") == 1 && stat_of("f").st_mtim.tv_nsec == 500000000, "half a second");
	ok(time_of("d") == 1234567890 && stat_of("d").st_mtim.tv_nsec == 987654321,
		"more digits than there are nanoseconds");
	ok(there("before") && there("after") && there("link") && there("none"),
		"those that cannot be are no failure");
}

int main(void)
{
	if (!layertest_begin("test_layer_meta"))
		return 1;
	test_dir_times();
	test_scattered();
	test_moving_ground();
	test_hard_links();
	if (takes_attrs()) {
		test_attrs();
		test_owners();
	} else {
		printf("# skipped: the file system takes no attributes\n");
	}
	test_times();
	return layertest_end();
}
