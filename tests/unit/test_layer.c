/* SPDX-License-Identifier: Apache-2.0 */
/* Layers applied to a ROOT: what each kind of entry becomes, what whiteouts hide, and that nothing reaches outside. */
#include "pkg/archive/layer.h"

#include "tests/unit/layertest.h"

static void test_kinds(void)
{
	struct str t = STR_INIT;
	autofree char *target = NULL;

	fresh_root();
	tar_dir(&t, "./", 0711);
	tar_dir(&t, "bin/", 0755);
	tar_file(&t, "./bin/sh", 0755, "shell");
	tar_file(&t, "/etc/passwd", 0644, "root");
	tar_entry(&t, '1', "bin/hard", "bin/sh", 0755);
	tar_entry(&t, '1', "bin/hard2", "/bin/sh", 0755);
	tar_entry(&t, '2', "bin/soft", "../../../etc/passwd", 0777);
	tar_entry(&t, '1', "hardsoft", "./bin/soft", 0777);
	tar_entry(&t, '6', "run/fifo", NULL, 0666);
	tar_dir(&t, "tmp", 01777);
	tar_file(&t, "suid", 06755, "x");
	tar_file(&t, "secret", 0, "s");
	tar_dir(&t, "shut", 0);
	tar_file(&t, "shut/in", 0400, "in");
	tar_file(&t, "empty", 0644, "");
	ok(applies(&t), "every kind of entry");
	ok(holds("bin/sh", "shell") && has_mode("bin/sh", 0755), "a file");
	ok(holds("etc/passwd", "root") && has_mode("etc", 0755),
		"an absolute name, its parent made 0755 under umask 077");
	ok(has_mode(".", 0711), "the root's own mode");
	is_int(stat_of("bin/sh").st_nlink, 3, "hard links");
	target = fs_readlink(root, "bin/soft");
	is_str(target, "../../../etc/passwd", "a symbolic link is kept to the letter");
	ok(stat_of("hardsoft").st_ino == stat_of("bin/soft").st_ino, "a hard link to a symbolic link");
	ok(S_ISFIFO(stat_of("run/fifo").st_mode) && has_mode("run/fifo", 0666), "a FIFO");
	ok(has_mode("tmp", 01777), "the sticky bit is kept");
	ok(has_mode("suid", 0755), "set-id bits are dropped");
	ok(has_mode("secret", 0600) && has_mode("shut", 0700) && has_mode("shut/in", 0600),
		"the owner can read and write");
	ok(stat_of("empty").st_size == 0, "an empty file");
	is_int(stats.files, 6, "files counted");
	is_int(stats.dirs, 3, "directories counted");
	is_int(stats.links, 5, "links counted");
	is_int(stats.bytes, 13, "bytes counted");
}

static void test_setid(void)
{
	auto_str t = STR_INIT;

	fresh_root();
	tar_file(&t, "suid", 04755, "x");
	tar_dir(&t, "sgid", 02775);
	tar_end(&t);
	ok(apply_with(&t, &(struct layer_options){ .keep_setid = true }, NULL) == 0,
		"set-id bits on request");
	ok(has_mode("suid", 04755) && has_mode("sgid", 02775), "are kept");
}

static void test_times(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_dir(&t, "d", 0755);
	tar_pax(&t, "mtime", "1234567890.123456789", 20);
	tar_file(&t, "d/f", 0644, "f");
	tar_entry(&t, '2', "d/l", "f", 0777);
	tar_pax(&t, "mtime", "-5", 2);
	tar_file(&t, "old", 0644, "");
	tar_pax(&t, "mtime", "99999999999999999", 17);
	tar_file(&t, "far", 0644, "");
	ok(applies(&t), "times");
	is_int(stat_of("d").st_mtime, 1000000000, "a directory's time survives what is put into it");
	is_int(stat_of("d/f").st_mtim.tv_nsec, 123456789, "nanoseconds");
	is_int(stat_of("d/l").st_mtime, 1000000000, "a link's own time");
	ok(stat_of("old").st_mtime < 0, "before 1970");
	ok(there("far"), "a time beyond everything is no failure");
}

static void test_special(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_file(&t, "dev/null", 0644, "from below");
	ok(applies(&t), "a file called dev/null");
	tar_header(&t, &(struct tar_member){
			       .type = '3', .name = "dev/null", .mode = 0666, .major = 1, .minor = 3 });
	tar_header(&t, &(struct tar_member){ .type = '4', .name = "dev/sda", .mode = 0666, .major = 8 });
	tar_entry(&t, '1', "dev/zero", "dev/null", 0666);
	tar_file(&t, "app/dev/keep", 0644, "kept");
	ok(applies(&t), "device nodes");
	ok(!there("dev/null") && !there("dev/sda") && !there("dev/zero"),
		"are left out, and hide what was there");
	is_int(stats.devices, 3, "and counted, a link to one too");
	ok(holds("app/dev/keep", "kept"), "other things in a folder called dev are not");
}

/* etc/{a,b,sub/{x,y}}, top, and a link to etc. */
static void lower(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_file(&t, "etc/a", 0644, "a");
	tar_file(&t, "etc/b", 0644, "b");
	tar_file(&t, "etc/sub/x", 0644, "x");
	tar_file(&t, "etc/sub/y", 0644, "y");
	tar_file(&t, "top", 0644, "top");
	tar_entry(&t, '2', "lnk", "etc", 0777);
	if (!applies(&t))
		printf("Bail out! the lower layer does not apply\n");
}

static void test_whiteouts(void)
{
	struct str t = STR_INIT;

	lower();
	tar_file(&t, ".wh.top", 0644, "");
	tar_file(&t, "./etc/.wh.a", 0644, "");
	tar_file(&t, "etc/.wh.nothing", 0644, "");
	tar_file(&t, "no/such/.wh.dir", 0644, "");
	tar_file(&t, "lnk/sub/.wh.x", 0644, "");
	ok(applies(&t), "whiteouts");
	ok(!there("top"), "at the root, without ./");
	ok(!there("etc/a") && there("etc/b"), "in a folder");
	ok(!there("etc/sub/x") && there("etc/sub/y"), "through a link inside ROOT");
	is_int(stats.whiteouts, 5, "counted");
	tar_file(&t, ".wh.etc", 0644, "");
	ok(applies(&t) && !there("etc") && there("lnk"), "a whole folder");
	lower();
	tar_file(&t, "etc/a", 0644, "new");
	tar_file(&t, "etc/.wh.a", 0644, "");
	tar_file(&t, ".wh.etc", 0644, "");
	tar_entry(&t, '2', "lnk2", "etc", 0777);
	tar_file(&t, ".wh.lnk2", 0644, "");
	ok(applies(&t), "whiteouts of what the same layer has put there");
	ok(holds("etc/a", "new"), "keep it");
	ok(!there("etc/b") && !there("etc/sub"), "and hide what was below");
	lower();
	tar_file(&t, ".wh.lnk", 0644, "");
	ok(applies(&t) && !there("lnk") && there("etc/a"), "a link goes, its target stays");
}

static void test_opaque(void)
{
	struct str t = STR_INIT;

	lower();
	tar_file(&t, "etc/new", 0644, "n");
	tar_file(&t, "etc/sub/z", 0644, "z");
	tar_file(&t, "etc/.wh..wh..opq", 0644, "");
	tar_file(&t, "etc/later", 0644, "l");
	ok(applies(&t), "an opaque folder");
	ok(!there("etc/a") && !there("etc/b") && !there("etc/sub/x"), "hides what lower layers left");
	ok(there("etc/new") && there("etc/sub/z") && there("etc/later"), "and nothing of its own layer");
	ok(there("top"), "nor anything outside");
	tar_file(&t, ".wh..wh..opq", 0644, "");
	tar_file(&t, "only", 0644, "o");
	ok(applies(&t) && there("only") && !there("etc") && !there("top"), "an opaque root");
	lower();
	tar_entry(&t, '2', "etc/new", "/", 0777);
	tar_file(&t, "etc/.wh.new", 0644, "");
	ok(applies(&t) && there("top"), "a link of the same layer is not followed by a whiteout");
}

static void test_bad_whiteouts(void)
{
	static const char *const bad[] = { ".wh.", ".wh..", ".wh...", "etc/.wh.", "etc/.wh...",
		"etc/.wh.x/y" };

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct str t = STR_INIT;

		lower();
		tar_file(&t, bad[i], 0644, "");
		refused(&t, "whiteout", bad[i]);
		ok(there("etc/a") && there("top"), "and nothing is gone");
	}
}

static void test_aufs(void)
{
	struct str t = STR_INIT;

	fresh_root();
	tar_dir(&t, ".wh..wh.plnk", 0700);
	tar_file(&t, ".wh..wh.plnk/12.34", 0644, "linked");
	tar_entry(&t, '1', "a", ".wh..wh.plnk/12.34", 0644);
	tar_file(&t, ".wh..wh.aufs", 0644, "");
	tar_file(&t, ".wh..wh.orph/x", 0644, "");
	ok(applies(&t), "an AUFS layer");
	ok(holds("a", "linked") && !there(".wh..wh.plnk") && !there(".wh..wh.aufs") && !there(".wh..wh.orph"),
		"its links work and its bookkeeping is left out");
}

static void test_replacing(void)
{
	struct str t = STR_INIT;

	lower();
	tar_entry(&t, '1', "kept", "etc/a", 0644);
	ok(applies(&t), "a second name");
	tar_file(&t, "etc/a", 0644, "changed");
	tar_file(&t, "etc/sub", 0644, "now a file");
	tar_dir(&t, "etc/b", 0755);
	tar_file(&t, "etc/b/in", 0644, "in");
	tar_dir(&t, "lnk", 0755);
	tar_file(&t, "lnk/own", 0644, "own");
	tar_file(&t, "twice", 0644, "one");
	tar_file(&t, "twice", 0600, "two");
	tar_entry(&t, '2', "top", "etc", 0777);
	tar_file(&t, "top/through", 0644, "t");
	tar_entry(&t, '1', "etc/a", "etc/a", 0644);
	ok(applies(&t), "replacing");
	ok(holds("etc/a", "changed") && holds("kept", "a"), "a changed file leaves its other names alone");
	ok(holds("etc/sub", "now a file"), "a folder becomes a file");
	ok(holds("etc/b/in", "in"), "a file becomes a folder");
	ok(S_ISDIR(stat_of("lnk").st_mode) && holds("lnk/own", "own") && !there("etc/own"),
		"a link becomes a folder");
	ok(holds("twice", "two") && has_mode("twice", 0600), "the last one wins");
	ok(holds("etc/through", "t"), "a link inside ROOT leads there");
}

/* `out` beside ROOT must stay as it is, whatever a layer tries. */
static bool outside_untouched(void)
{
	auto_str s = STR_INIT;
	struct stat st;

	return fs_read(top, "out/file", 100, &s, FS_BENEATH) == 0 && strcmp(str_text(&s), "mine") == 0 &&
	       fstatat(top, "out/file", &st, 0) == 0 && st.st_nlink == 1 && (st.st_mode & 0777) == 0640 &&
	       !fs_exists(top, "out/evil") && !fs_exists(top, "evil");
}

static void test_escapes(void)
{
	autofree char *out = xasprintf("%s/out", top_path);
	autofree char *secret = xasprintf("%s/file", out);
	struct str t = STR_INIT;
	struct {
		const char *link, *name;
	} ways[] = { { out, "evil" }, { "../out", "evil" }, { "../../../../../../..", "evil" },
		{ "/proc/self/root", "evil" } };

	tar_file(&t, "../evil", 0644, "");
	refused(&t, "'..'", "..");
	tar_file(&t, "a/../../evil", 0644, "");
	refused(&t, "'..'", "a/../..");
	tar_entry(&t, '1', "hard", "../out/file", 0644);
	refused(&t, "'..'", "a hard link with ..");
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		fresh_root();
		tar_entry(&t, '2', "way", ways[i].link, 0777);
		tar_file(&t, "way/evil", 0777, "evil");
		tar_end(&t);
		(void)apply_with(&t, NULL, NULL); /* either answer will do: it is about what is outside */
		str_free(&t);
		ok(outside_untouched(), "a link to %s leads nowhere", ways[i].link);
	}
	fresh_root();
	tar_entry(&t, '2', "way", out, 0777);
	tar_entry(&t, '1', "stolen", "way/file", 0644);
	refused(&t, "hard link to 'way/file'", "a hard link through a link");
	ok(outside_untouched(), "nothing happened outside");
	fresh_root();
	tar_entry(&t, '2', "f", secret, 0777);
	tar_file(&t, "f", 0777, "evil");
	tar_entry(&t, '2', "g", secret, 0777);
	tar_entry(&t, '1', "h", "g", 0777);
	tar_dir(&t, "h/", 0777);
	ok(applies(&t) && outside_untouched() && holds("f", "evil"),
		"a link is replaced, not written through");
	fresh_root();
	tar_dir(&t, "d", 0755);
	tar_file(&t, "d/one", 0644, "1");
	tar_entry(&t, '2', "d", out, 0777);
	tar_file(&t, "d/evil", 0644, "evil");
	tar_end(&t);
	(void)apply_with(&t, NULL, NULL); /* as above */
	str_free(&t);
	ok(outside_untouched(), "a folder swapped for a link between two of its entries");
	fresh_root();
	tar_entry(&t, '2', "d", out, 0777);
	ok(applies(&t), "a lower layer with a link");
	tar_file(&t, "d/.wh..wh..opq", 0644, "");
	tar_file(&t, "d/.wh.file", 0644, "");
	ok(applies(&t) && outside_untouched(), "whiteouts through it reach nothing");
}

static void test_names(void)
{
	struct str t = STR_INIT;
	char name[300], deep[5000];
	size_t n = 0;

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	fresh_root();
	tar_pax(&t, "path", name, 255);
	tar_file(&t, "short", 0644, "pax");
	tar_header(&t, &(struct tar_member){ .type = 'L', .name = "././@LongLink", .size = 201 });
	tar_body(&t, name, 200);
	tar_file(&t, "short2", 0644, "gnu");
	tar_pax(&t, "path", "e\xcc\x81", 3);
	tar_file(&t, "short3", 0644, "decomposed");
	tar_pax(&t, "path", "\xff\xfe", 2);
	tar_file(&t, "short4", 0644, "no UTF-8");
	tar_file(&t, "raw\xe9", 0644, "latin1");
	tar_pax(&t, "linkpath", "\xc3\xa9", 2);
	tar_entry(&t, '2', "soft", "x", 0777);
	ok(applies(&t), "long and odd names");
	ok(holds(name, "pax"), "255 bytes by PAX");
	ok(holds("e\xcc\x81", "decomposed"), "UTF-8 is not normalised");
	ok(holds("\xff\xfe", "no UTF-8") && holds("raw\xe9", "latin1"), "other bytes are kept");
	name[200] = '\0';
	ok(holds(name, "gnu"), "200 bytes by GNU's extension");
	memset(name, 'n', 256);
	tar_pax(&t, "path", name, 256);
	tar_file(&t, "x", 0644, "");
	refused(&t, "more than 255 bytes", "256 bytes");
	while (n < 4096) {
		memcpy(deep + n, "dir/", 4);
		n += 4;
	}
	tar_pax(&t, "path", deep, n - 2);
	tar_file(&t, "x", 0644, "");
	ok(applies(&t), "4094 bytes of path");
	tar_pax(&t, "path", deep, 4096);
	tar_file(&t, "x", 0644, "");
	ok(applies(&t), "a slash more or less");
	memcpy(deep + 4092, "dirs", 4);
	tar_pax(&t, "path", deep, 4096);
	tar_file(&t, "x", 0644, "");
	refused(&t, "more than 4095 bytes", "4096 bytes of path");
	tar_entry(&t, '2', "./", "x", 0777);
	refused(&t, "root directory", "a link in the place of ROOT");
	tar_file(&t, "file", 0644, "");
	tar_file(&t, "file/below", 0644, "");
	refused(&t, "file/below", "something below a file");
	tar_entry(&t, '1', "l", "nowhere", 0644);
	refused(&t, "hard link to 'nowhere'", "a hard link to nothing");
	tar_dir(&t, "d", 0755);
	tar_entry(&t, '1', "l", "d", 0644);
	refused(&t, "hard link to a directory", "a hard link to a folder");
}

static void test_sparse(void)
{
	struct str t = STR_INIT;
	auto_str got = STR_INIT, body = STR_INIT;
	struct stat st;

	fresh_root();
	str_add(&body, "28 GNU.sparse.size=10485760\n38 GNU.sparse.map=1048576,4,8388608,3\n");
	tar_header(&t, &(struct tar_member){ .type = 'x', .name = "p", .size = body.len });
	tar_body(&t, body.data, body.len);
	tar_file(&t, "sparse", 0644, "dataend");
	ok(applies(&t), "a sparse file");
	st = stat_of("sparse");
	is_int(st.st_size, 10485760, "its size");
	ok(st.st_blocks * 512 < 1 << 20, "with holes");
	ok(fs_read(root, "sparse", 16 << 20, &got, FS_BENEATH) == 0 &&
			memcmp(got.data + 1048576, "data", 4) == 0 &&
			memcmp(got.data + 8388608, "end", 3) == 0 && got.data[8388611] == 0,
		"and its bytes where they belong");
}

static void test_damage(void)
{
	struct str t = STR_INIT;
	auto_err *err = NULL;
	autofree char *big = xcalloc(1, 2 << 20);

	fresh_root();
	tar_file(&t, "f", 0644, "content");
	str_truncate(&t, 512 + 3);
	ok(apply_with(&t, NULL, &err) < 0 && err_is(err, ERR_CORRUPT) && strstr(err_text(err), "truncated"),
		"an archive that ends within a file");
	err_clear(&err);
	str_truncate(&t, 300);
	ok(apply_with(&t, NULL, &err) < 0 && err_is(err, ERR_CORRUPT), "within a header");
	err_clear(&err);
	str_free(&t);
	str_add_repeat(&t, 'x', 5000);
	ok(apply_with(&t, NULL, &err) < 0 && err && strstr(err_text(err), "not a tar archive"),
		"no tar at all");
	str_free(&t);
	ok(apply_with(&t, NULL, NULL) == 0, "nothing at all is an empty layer");
	memset(big, 'x', 2 << 20);
	tar_pax(&t, "comment", big, 2 << 20);
	tar_file(&t, "f", 0644, "");
	refused(&t, "", "a header of two megabytes");
	tar_header(&t, &(struct tar_member){ .type = '0', .name = "f", .mode = 0644, .size = 1 << 30 });
	refused(&t, "truncated", "a size that the archive does not have");
	tar_file(&t, "f", 0644, "content");
	tar_file(&t, "g", 0644, "content");
	memset(t.data + 1024 + 148, '7', 6);
	refused(&t, "damaged", "a wrong header checksum");
}

/* Seconds of processor time since it was last asked for. */
static double cpu_spent(void)
{
	static double before;
	struct timespec now;
	double spent;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	spent = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec - before;
	before += spent;
	return spent;
}

/* Small archives that would take minutes if the work for an entry grew with what is there already. */
static void test_effort(void)
{
	struct str t = STR_INIT;
	char name[32];
	double spent;

	fresh_root();
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "d/%d", i);
		tar_file(&t, name, 0644, "");
	}
	for (int i = 0; i < 3000; i++)
		tar_file(&t, i % 2 ? "d/.wh..wh..opq" : ".wh.d", 0644, "");
	cpu_spent();
	ok(applies(&t) && there("d/4999"), "many markers for one large directory");
	spent = cpu_spent();
	ok(spent < 10, "in %.2f s", spent);

	fresh_root();
	for (int i = 0; i < 10; i++) {
		struct str path = STR_INIT;

		str_addf(&path, "%d/", i);
		for (int k = 0; k < 900; k++)
			str_add(&path, "a/");
		str_add(&path, "x");
		tar_pax(&t, "path", path.data, path.len);
		tar_file(&t, "x", 0644, "");
		str_free(&path);
	}
	cpu_spent();
	ok(applies(&t), "deep paths without entries for their directories");
	spent = cpu_spent();
	ok(spent < 6, "in %.2f s", spent);
}

int main(void)
{
	if (!layertest_begin("test_layer"))
		return 1;
	test_kinds();
	test_setid();
	test_times();
	test_special();
	test_whiteouts();
	test_opaque();
	test_bad_whiteouts();
	test_aufs();
	test_replacing();
	test_escapes();
	test_names();
	test_sparse();
	test_damage();
	test_effort();
	return layertest_end();
}
