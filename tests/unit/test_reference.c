/* SPDX-License-Identifier: Apache-2.0 */
/* References: what is typed, where it lies, what a registry is asked for. */
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "tests/unit/tap.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define SHA "sha256:" HEX64

static void accepted(
	const char *text, const char *name, const char *tag, const char *host, const char *remote)
{
	auto_err *err = NULL;
	auto_reference r = REFERENCE_INIT;
	struct reference_remote rem = REFERENCE_REMOTE_INIT;

	if (!ok(reference_parse(text, &r, &err) == 0, "accepted: %s", text)) {
		printf("# %s\n", err ? err_text(err) : "?");
		return;
	}
	is_str(r.name, name, "  its folder");
	is_str(r.tag, tag, "  its tag");
	reference_remote(&r, &rem);
	is_str(rem.host, host, "  its registry");
	is_str(rem.repository, remote, "  its remote repository");
	reference_remote_free(&rem);
}

static void refused(const char *text)
{
	auto_err *err = NULL;
	auto_reference r = REFERENCE_INIT;

	ok(reference_parse(text, &r, &err) < 0 && err_is(err, ERR_USAGE), "refused: '%.60s'", text);
}

static void hostile(void)
{
	char *longname = xstrdup(""), *many;

	refused("");
	refused("/");
	refused("/abs");
	refused("a//b");
	refused("a/");
	refused("../x");
	refused("a/../b");
	refused("a/./b");
	refused("a/.hidden");
	refused("-rf");
	refused("a/-b");
	refused("_x");
	refused("a b");
	refused("a\tb");
	refused("a\nb");
	refused("a\x1b[31m");
	refused("a\\b");
	refused("a;b");
	refused("a$b");
	refused("caf\xc3\xa9");
	refused(":tag");
	refused("a:");
	refused("a:b:c");
	refused("a:.x");
	refused("a:-x");
	refused("a:x/y:z:");
	refused("host:port/a");
	refused("host:/a");
	refused("host:123456/a");
	refused("h/b:5/c");
	refused("[::1/x");
	refused("[zz]/x");
	refused("[::1]x/y");
	refused("@" SHA);
	refused("a@");
	refused("a@sha256:1234");
	refused("a@" SHA "@" SHA);
	refused("a:b@" SHA "/..");
	free(longname);
	longname = xcalloc(1, 300);
	memset(longname, 'a', 256);
	refused(longname);
	longname[255] = '\0';
	ok(reference_name_is_valid(longname), "a component of 255 bytes is fine");
	memset(longname, 'a', 129);
	longname[129] = '\0';
	ok(!reference_tag_is_valid(longname), "a tag of 129 bytes is not");
	longname[128] = '\0';
	ok(reference_tag_is_valid(longname), "one of 128 is");
	many = xcalloc(1, 5002);
	for (int i = 0; i < 5000; i += 2)
		memcpy(many + i, "a/", 2);
	many[4999] = '\0';
	refused(many);
	free(many);
	free(longname);
}

static void old_folders(void)
{
	auto_reference r = REFERENCE_INIT, q = REFERENCE_INIT, p = REFERENCE_INIT, d = REFERENCE_INIT;
	auto_strv dirs = STRV_INIT;
	autofree char *name = NULL, *tag = NULL;

	ok(reference_parse("host:5000/app:1", &r, NULL) == 0, "a port");
	reference_old_dirs(&r, &dirs);
	is_int(dirs.n, 1, "one old folder");
	is_str(dirs.v[0], "host/5000/app:1", "as 1.3.x splits it");
	strv_free(&dirs);
	(void)reference_parse("host:5000/a/b", &q, NULL);
	reference_old_dirs(&q, &dirs);
	is_int(dirs.n, 1, "without a tag one as well");
	is_str(dirs.n ? dirs.v[0] : NULL, "host/5000/a/b", "the folder without a tag");
	strv_free(&dirs);
	(void)reference_parse("plain/app:1", &p, NULL);
	reference_old_dirs(&p, &dirs);
	(void)reference_parse("host:5000/app@" SHA, &d, NULL);
	reference_old_dirs(&d, &dirs);
	is_int(dirs.n, 0, "none where both split alike");
	ok(reference_from_old_dir("host/5000/app:1", &name, &tag), "the way back");
	is_str(name, "host:5000/app", "name of an old folder");
	is_str(tag, "1", "tag of an old folder");
	ok(!reference_from_old_dir("org/app", &(char *){ NULL }, &(char *){ NULL }), "no old folder");
	ok(!reference_from_old_dir("org/5000", &(char *){ NULL }, &(char *){ NULL }), "nor this");
}

static void others(void)
{
	auto_reference r = REFERENCE_INIT, s = REFERENCE_INIT, t = REFERENCE_INIT, c = REFERENCE_INIT;
	autofree char *dir = NULL, *show = NULL;

	(void)reference_parse("a/b:1@" SHA, &r, NULL);
	is_str(r.digest.text, SHA, "NAME:TAG@DIGEST carries the digest");
	ok(r.has_tag, "and has a tag");
	dir = reference_dir(&r);
	is_str(dir, "a/b/1", "its folder is the tag's");
	show = reference_show(&r);
	is_str(show, "a/b:1", "it is shown by its tag");
	ok(reference_replace(&r, "x/y", NULL, &s, NULL) == 0, "another name");
	is_str(s.text, "x/y:1", "keeps the tag");
	ok(!digest_is_set(&s.digest), "and drops the digest");
	reference_copy(&c, &r);
	is_str(c.text, r.text, "a copy");
	ok(reference_from_store("host/5000", "app:1", &t, NULL) == 0, "odd names from the disk");
	is_str(t.tag, "app:1", "are kept");
	ok(reference_from_store("a/../b", "x", &(struct reference){ 0 }, NULL) < 0, "unsafe ones are not");
	ok(reference_from_store("a", "x/y", &(struct reference){ 0 }, NULL) < 0, "nor tags with slashes");
	ok(reference_from_store("a\n", "x", &(struct reference){ 0 }, NULL) < 0, "nor control characters");
}

int main(void)
{
	accepted("ubuntu", "ubuntu", "latest", "docker.io", "library/ubuntu");
	accepted("x", "x", "latest", "docker.io", "library/x");
	accepted("Ubuntu:22.04", "Ubuntu", "22.04", "docker.io", "library/Ubuntu");
	accepted("library/ubuntu", "library/ubuntu", "latest", "docker.io", "library/ubuntu");
	accepted("docker.io/ubuntu", "docker.io/ubuntu", "latest", "docker.io", "library/ubuntu");
	accepted(
		"docker.io/library/ubuntu:1", "docker.io/library/ubuntu", "1", "docker.io", "library/ubuntu");
	accepted("quay.io/org/app:1.2", "quay.io/org/app", "1.2", "quay.io", "org/app");
	accepted("quay.io/app", "quay.io/app", "latest", "quay.io", "app");
	accepted("host:5000/app:1", "host:5000/app", "1", "host:5000", "app");
	accepted("host:5000/a/b/c", "host:5000/a/b/c", "latest", "host:5000", "a/b/c");
	accepted("localhost/x", "localhost/x", "latest", "localhost", "x");
	accepted("localhost:5000", "localhost", "5000", "docker.io", "library/localhost");
	accepted("org/app", "org/app", "latest", "docker.io", "org/app");
	accepted("[::1]:5000/x:2", "[::1]:5000/x", "2", "[::1]:5000", "x");
	accepted("app@" SHA, "app", SHA, "docker.io", "library/app");
	accepted("app:" SHA, "app", SHA, "docker.io", "library/app");
	accepted("a/b-c_d.e:1@" SHA, "a/b-c_d.e", "1", "docker.io", "a/b-c_d.e");
	accepted("host:5000/app@" SHA, "host:5000/app", SHA, "host:5000", "app");
	accepted("a/_b", "a/_b", "latest", "docker.io", "a/_b");
	hostile();
	old_folders();
	others();
	return tap_done();
}
