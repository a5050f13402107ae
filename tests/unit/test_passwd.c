/* SPDX-License-Identifier: Apache-2.0 */
/* passwd: entries found, nonsense left out. */
#include "pkg/base/passwd.h"

#include "tests/unit/tap.h"

static const char users[] = "# comment\n"
			    "\n"
			    "root:x:0:0:root:/root:/bin/sh\n"
			    "broken:x:1\n"
			    "negative:x:-5:0::/:/\n"
			    "nobody:x:4294967295:0::/:/\n" /* (uid_t)-1 */
			    "huge:x:4294967296:0::/:/\n"
			    "text:x:abc:0::/:/\n"
			    "many:x:7:7:a:b:c:d\n"
			    ":x:8:8:::\n"
			    "root:x:9:9:second:/2:/2\n"
			    "empty:x:10:10:::\n"
			    "last:x:11:12:g:/l:/bin/l";

static void test_users(void)
{
	static const char *const missing[] = { "broken", "negative", "nobody", "huge", "text", "many", "",
		"roo", "rootx", "# comment" };
	struct passwd_entry e = { 0 };

	is_int(passwd_find_name(users, "root", &e), 1, "root");
	ok(e.uid == 0 && e.gid == 0, "the first of its name");
	is_str(e.name, "root", "name");
	is_str(e.gecos, "root", "gecos");
	is_str(e.home, "/root", "home");
	is_str(e.shell, "/bin/sh", "shell");
	passwd_entry_free(&e);
	passwd_entry_free(&e);
	passwd_entry_free(NULL);
	ok(passwd_find_name(users, "last", &e) == 1 && e.uid == 11 && e.gid == 12,
		"a last line without newline");
	is_str(e.shell, "/bin/l", "its shell");
	passwd_entry_free(&e);
	ok(passwd_find_uid(users, 10, &e) == 1, "by uid");
	is_str(e.home, "", "an empty home");
	passwd_entry_free(&e);
	ok(!passwd_find_uid(users, 7, &e) && !passwd_find_uid(users, 8, &e) &&
			!passwd_find_uid(users, 1, &e) && !passwd_find_uid(users, (uid_t)-1, &e) &&
			!passwd_find_uid("", 0, &e),
		"not found by uid");
	for (size_t i = 0; i < ARRAY_LEN(missing); i++)
		is_int(passwd_find_name(users, missing[i], &e), 0, missing[i]);
	ok(!e.name, "nothing written when nothing found");
}

static const char groups[] = "root:x:0:\n"
			     "wheel:x:10:alice,bob\n"
			     "short:x:11\n"
			     "bad:x:x:alice\n"
			     "video:x:44:bob,alice\n"
			     "twice:x:44:alice\n"
			     "prefix:x:45:alicex,xalice,,\n"
			     "end:x:46:alice";

static void test_groups(void)
{
	gid_t gids[8];
	struct group_entry g = { 0 };

	ok(passwd_find_group(groups, "wheel", &g) == 1 && g.gid == 10, "by name");
	is_str(g.name, "wheel", "its name");
	group_entry_free(&g);
	group_entry_free(NULL);
	ok(passwd_find_gid(groups, 11, &g) == 1, "without a list of members");
	is_str(g.name, "short", "its name");
	group_entry_free(&g);
	ok(!passwd_find_group(groups, "bad", &g) && !passwd_find_gid(groups, 1, &g), "not found");
	is_int(passwd_groups_of(groups, "alice", gids, 8), 3, "groups of a user");
	ok(gids[0] == 10 && gids[1] == 44 && gids[2] == 46, "each once");
	is_int(passwd_groups_of(groups, "alice", gids, 2), 2, "at most as many as there is room");
	is_int(passwd_groups_of(groups, "alice", gids, 0), 0, "no room");
	is_int(passwd_groups_of(groups, "", gids, 8), 0, "nobody");
	is_int(passwd_groups_of("", "alice", gids, 8), 0, "no groups");
}

int main(void)
{
	test_users();
	test_groups();
	return tap_done();
}
