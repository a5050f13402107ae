/* SPDX-License-Identifier: Apache-2.0 */
/* Users: the grammar, who is found where, what is made up and what the files become. */
#include <fcntl.h>
#include <sys/stat.h>

#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/mounts.h"
#include "pkg/bundle/user.h"
#include "tests/unit/tap.h"

static int rootfd;

static void accepted(const char *text, const char *user, long uid, const char *group, long gid)
{
	struct bundle_user_spec s;
	auto_err *err = NULL;

	if (!ok(bundle_user_parse(text, &s, &err) == 0, "accepted: %s", text)) {
		printf("# %s\n", err_text(err));
		return;
	}
	is_str(s.user, user, "  user");
	is_int(s.has_uid ? (long)s.uid : -1, uid, "  uid");
	is_str(s.group, group, "  group");
	is_int(s.has_gid ? (long)s.gid : -1, gid, "  gid");
	bundle_user_spec_free(&s);
}

static void refused(const char *text)
{
	struct bundle_user_spec s;
	auto_err *err = NULL;

	ok(bundle_user_parse(text, &s, &err) < 0 && err_is(err, ERR_USAGE), "refused: '%.40s'", text);
}

static void grammar(void)
{
	accepted("root", "root", -1, NULL, -1);
	accepted("1000", NULL, 1000, NULL, -1);
	accepted("0:0", NULL, 0, NULL, 0);
	accepted("5000:6000", NULL, 5000, NULL, 6000);
	accepted("www-data:www.data", "www-data", -1, "www.data", -1);
	accepted("a.b@c:12", "a.b@c", -1, NULL, 12);
	accepted("12:staff", NULL, 12, "staff", -1);
	refused("");
	refused(":");
	refused(":0");
	refused("root:");
	refused("a:b:c");
	refused("a b");
	refused("a\nroot:x:0:0");
	refused("../x");
	refused("-1");
	refused("4294967295");
	refused("4294967296");
	refused("1:99999999999999999999");
	refused("caf\xc3\xa9");
}

static int resolve(const char *user, bool containerauth, struct bundle_user *u, struct err **err)
{
	struct bundle_user_query q = {
		.user = user, .rootfd = rootfd, .dirfd = -1, .containerauth = containerauth
	};

	return bundle_user_resolve(&q, u, err);
}

static void found(const char *user, const char *name, unsigned uid, unsigned gid, const char *home)
{
	auto_bundle_user u = BUNDLE_USER_INIT;
	auto_err *err = NULL;

	if (!ok(resolve(user, false, &u, &err) == 0, "found: %s", user ? user : "(default)")) {
		printf("# %s\n", err_text(err));
		return;
	}
	is_str(u.name, name, "  name");
	is_int(u.uid, uid, "  uid");
	is_int(u.gid, gid, "  gid");
	is_str(u.home, home, "  home");
	ok(!u.passwd, "  no passwd file is needed");
}

static void made_up(const char *user, const char *name, unsigned uid, unsigned gid, const char *line)
{
	auto_bundle_user u = BUNDLE_USER_INIT;
	auto_err *err = NULL;

	if (!ok(resolve(user, false, &u, &err) == 0, "made up: %s", user ? user : "(default)")) {
		printf("# %s\n", err_text(err));
		return;
	}
	is_str(u.name, name, "  name");
	is_int(u.uid, uid, "  uid");
	is_int(u.gid, gid, "  gid");
	if (!ok(u.passwd && strstr(u.passwd, line), "  its line"))
		printf("# %s\n", u.passwd ? u.passwd : "(none)");
}

static void not_found(const char *user, bool containerauth)
{
	auto_bundle_user u = BUNDLE_USER_INIT;
	auto_err *err = NULL;

	ok(resolve(user, containerauth, &u, &err) < 0 && err_is(err, ERR_NOT_FOUND), "not found: %s", user);
}

static void put(const char *name, const char *text)
{
	if (atomic_write(rootfd, name, text, strlen(text), 0644, 0, NULL) < 0)
		ok(false, "write %s", name);
}

static void with_files(void)
{
	auto_bundle_user u = BUNDLE_USER_INIT, root = BUNDLE_USER_INIT;

	found(NULL, "root", 0, 0, "/root");
	found("0:33", "root", 0, 33, "/root");
	found("www", "www", 33, 33, "/srv");
	found("33", "www", 33, 33, "/srv");
	found("www:staff", "www", 33, 50, "/srv");
	found("www:7", "www", 33, 7, "/srv");
	found("www:root", "www", 33, 0, "/srv");
	made_up("5000:6000", "udocker5000", 5000, 6000, "\nudocker5000:x:5000:6000:*UDOCKER*:/:/bin/sh\n");
	made_up("alice", "alice", geteuid(), getegid(), "\nalice:x:");
	not_found("alice", true);
	not_found("77", true);
	not_found("www:nogroup", false);
	ok(resolve("5000:6000", false, &u, NULL) == 0 && u.group && strstr(u.group, "udocker5000:x:6000:\n"),
		"a group for the new gid");
	ok(str_starts(u.passwd, "root:x:0:0:root:/root:/bin/sh\n"), "behind the container's own lines");
	ok(resolve("root", true, &root, NULL) == 0 && !root.passwd && !root.group,
		"containerauth adds nothing");
}

static void without_files(void)
{
	auto_bundle_user u = BUNDLE_USER_INIT;

	made_up(NULL, "root", 0, 0, "root:x:0:0:*UDOCKER*:/:/bin/sh\n");
	not_found("root", true);
	ok(resolve(NULL, false, &u, NULL) == 0 && u.group && str_starts(u.group, "root:x:0:\n"),
		"and a group file");
}

static void odd_files(void)
{
	auto_bundle_user u = BUNDLE_USER_INIT;

	/* An entry in the way of the name we would make; no newline at the end; lines that are none. */
	put("etc/passwd", "rubbish\n::::\nudocker5000:x:1:1::/:/bin/sh\nbad:x:0:0::relative:sh");
	made_up("5000", "udocker-uid-5000", 5000, getegid(), "relative:sh\nudocker-uid-5000:x:5000:");
	found("bad", "bad", 0, 0, "/");
	if (unlinkat(rootfd, "etc/passwd", 0) < 0 ||
		symlinkat("../../../../../../etc/passwd", rootfd, "etc/passwd") < 0)
		ok(false, "symlink");
	ok(resolve(NULL, false, &u, NULL) == 0 && u.passwd && str_starts(u.passwd, "root:x:0:0:*UDOCKER*"),
		"a link out of the root is not followed");
	if (unlinkat(rootfd, "etc/passwd", 0) < 0 || mkfifoat(rootfd, "etc/passwd", 0644) < 0)
		ok(false, "fifo");
	made_up(NULL, "root", 0, 0, "root:x:0:0:");
	(void)unlinkat(rootfd, "etc/passwd", 0);
}

static void bound(const char *top)
{
	struct bundle_volume item;
	struct bundle_volumes v = { .items = &item, .n = 1, .cap = 1 };
	struct bundle_user_query q = {
		.user = "bound", .rootfd = rootfd, .dirfd = -1, .volumes = &v, .containerauth = true
	};
	auto_bundle_user u = BUNDLE_USER_INIT, w = BUNDLE_USER_INIT;
	autofree char *text = xasprintf("%s/mine:/etc/passwd", top);

	put("../mine", "bound:x:12:13::/b:/bin/sh\n");
	if (bundle_volume_parse(text, &item, NULL) < 0) {
		ok(false, "volume");
		return;
	}
	ok(bundle_user_resolve(&q, &u, NULL) == 0 && u.uid == 12 && !u.passwd && !u.group,
		"a file that the user binds");
	q.user = "nobodyknows";
	ok(bundle_user_resolve(&q, &w, NULL) == 0 && !w.passwd, "ends containerauth and stays as it is");
	bundle_volume_free(&item);
}

static void host(void)
{
	struct bundle_user_query q = { .user = "root", .rootfd = rootfd, .dirfd = -1, .hostauth = true };
	struct bundle_user_query f = { .rootfd = rootfd, .dirfd = -1, .as_caller = true };
	auto_bundle_user u = BUNDLE_USER_INIT, w = BUNDLE_USER_INIT, c = BUNDLE_USER_INIT;
	auto_err *err = NULL;

	ok(bundle_user_resolve(&q, &u, NULL) == 0 && u.uid == 0 && u.host_passwd,
		"hostauth binds the host's file");
	q.user = "no-such-user-here";
	ok(bundle_user_resolve(&q, &w, &err) < 0 && err_is(err, ERR_NOT_FOUND), "and knows its users only");
	ok(bundle_user_resolve(&f, &c, NULL) == 0 && c.uid == geteuid() && c.gid == getegid(),
		"F modes: the caller");
}

int main(void)
{
	char top[] = "/tmp/udocker-test-XXXXXX";
	int fd;

	log_set_level(LOG_LEVEL_ERROR);
	if (!mkdtemp(top))
		return 1;
	fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || mkdirat(fd, "ROOT", 0755) < 0 || mkdirat(fd, "ROOT/etc", 0755) < 0)
		return 1;
	rootfd = openat(fd, "ROOT", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	grammar();
	without_files();
	put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nwww:x:33:33:w:/srv:/bin/sh\n");
	put("etc/group", "root:x:0:\nwww:x:33:\nstaff:x:50:\n");
	with_files();
	bound(top);
	host();
	odd_files();

	close(rootfd);
	close(fd);
	fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok(fs_rm_tree(fd, top + strlen("/tmp/"), NULL) == 0, "cleaned up");
	close(fd);
	return tap_done();
}
