/* SPDX-License-Identifier: Apache-2.0 */
/* Containers: the store that 1.3.16 wrote, names that are never replaced, prefixes, birth from staging, death. */
#include "pkg/store/containers.h"

#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pkg/base/json.h"
#include "tests/unit/storetest.h"

#define C1 "ff11d4d0-9588-3ee1-8a29-f0017ca28b82"
#define C3 "c34759e5-3eb0-3ddb-b32f-793797c9d863"
#define C0 "e7174335-5ccb-3f4f-a66d-48722cf45c7e"

/* A container that stays where it is whoever moves it, and what happens meanwhile. */
static const struct container *stuck;
static bool protects;

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (!stuck)
		return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
	if (protects)
		(void)container_protect(stuck, true, NULL);
	errno = EBUSY;
	return -1;
}

static const char *resolve(struct store *s, const char *text)
{
	static char id[ID_UUID_LEN + 1];
	autofree char *found = NULL;

	if (container_resolve(s, text, &found, NULL) < 0)
		return NULL;
	snprintf(id, sizeof(id), "%s", found);
	return id;
}

static const struct container_info *find(const struct container_list *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].id, id) == 0)
			return &l->v[i];
	return NULL;
}

static void test_old(struct store *s)
{
	auto_container_list l = { 0 };
	const struct container_info *c1, *c3, *c0;

	ok(container_list(s, CONTAINER_LIST_DETAILS, &l, NULL) == 0 && l.n == 3, "three containers");
	c1 = find(&l, C1);
	c3 = find(&l, C3);
	c0 = find(&l, C0);
	if (!ok(c1 && c3 && c0, "all of them"))
		return;
	ok(c3->protected && !c1->protected, "one is protected");
	is_str(c3->mode, "P2", "its mode");
	is_str(c1->mode, "", "no execmode file");
	is_str(c1->image, "lib/bb:1", "its image");
	ok(c1->access == 'W', "ROOT can be written");
	ok(c1->names.n == 2 && c0->names.n == 0 && c3->names.n == 1, "names");
	is_str(c1->names.v[0], "alias1", "sorted");
	is_str(c0->image, "imported:v1", "another image");
	is_str(c3->names.v[0], "c3", "c3");
}

static void test_old_resolve(struct store *s)
{
	auto_container *c = NULL;
	auto_json *meta = NULL;
	auto_err *e = NULL;

	is_str(resolve(s, "c1"), resolve(s, "alias1"), "two names of one container");
	is_str(resolve(s, C3), C3, "an id");
	is_str(resolve(s, "c347"), C3, "the beginning of an id");
	is_str(resolve(s, "c34"), NULL, "which needs four characters");
	is_str(resolve(s, "zzzz"), NULL, "none begins so");
	ok(!resolve(s, "../containers") && !resolve(s, "") && !resolve(s, ".stage"), "no paths");
	ok(container_open(s, "c3", &c, &e) == 0 && str_ends(c->root, C3 "/ROOT"), "opened");
	ok(container_metadata(c->fd, &meta, NULL) == 0 && json_get(meta, "config"), "container.json");
	ok(container_remove(s, "c3", &e) < 0 && err_is(e, ERR_DENIED), "a protected one stays");
	ok(container_protect(c, false, NULL) == 0 && container_remove(s, "c3", NULL) == 0, "until it is not");
	ok(!test_exists(".udocker/containers/c3") && !test_exists(".udocker/containers/" C3),
		"name and folder are gone");
}

static void test_names(struct store *s)
{
	static const char *const bad[] = { "", "a/b", "a.b", "a b", "[x]", "-x", "a\n", C0 };
	auto_strv names = STRV_INIT;
	auto_err *e = NULL;

	ok(container_name_add(s, C0, "new", NULL) == 0, "a name");
	is_str(resolve(s, "new"), C0, "leads to it");
	ok(container_name_add(s, C1, "new", &e) < 0 && err_is(e, ERR_EXISTS), "is not replaced");
	is_str(resolve(s, "new"), C0, "and leads where it did");
	err_clear(&e);
	ok(container_name_rename(s, "new", "newer", NULL) == 0 && !resolve(s, "new"), "renamed");
	ok(container_name_rename(s, "newer", "alias1", &e) < 0 && err_is(e, ERR_EXISTS), "not over another");
	err_clear(&e);
	ok(container_name_rename(s, C1, "other", &e) < 0 && err_is(e, ERR_USAGE), "an id is no name");
	err_clear(&e);
	ok(container_names(s, C0, &names, NULL) == 0 && strv_has(&names, "newer"), "listed");
	ok(container_name_remove(s, "newer", NULL) == 0 && !resolve(s, "newer"), "removed");
	ok(container_name_remove(s, "newer", &e) < 0 && err_is(e, ERR_NOT_FOUND), "once");
	err_clear(&e);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ok(container_name_add(s, C1, bad[i], NULL) < 0, "bad name %zu", i);
	ok(container_name_add(s, "0000", "x", &e) < 0 && err_is(e, ERR_NOT_FOUND), "of nothing");
}

static int stage_one(struct store *s, struct store_stage *st, const char *image)
{
	if (store_stage_begin(s, st, NULL) < 0 || mkdirat(st->fd, "ROOT", 0755) < 0)
		return -1;
	return container_file_write(st->fd, CONTAINER_FILE_IMAGE, image, strlen(image), NULL);
}

static void test_birth(struct store *s)
{
	CLEANUP(store_stage_drop) struct store_stage st = STORE_STAGE_INIT;
	char id[ID_UUID_LEN + 1];
	auto_container *c = NULL;
	autofree char *image = NULL;
	auto_err *e = NULL;

	id_uuid(id);
	ok(stage_one(s, &st, "a/b:1") == 0, "staged");
	ok(container_publish(s, &st, id, "alias1", &e) < 0 && err_is(e, ERR_EXISTS), "a taken name");
	ok(fs_exists(st.fd, "ROOT") && !resolve(s, id), "publishes nothing");
	ok(container_publish(s, &st, id, "born", NULL) == 0, "published");
	is_str(resolve(s, "born"), id, "under its name");
	store_stage_drop(&st);
	ok(container_open(s, "born", &c, NULL) == 0, "and stays");
	image = container_image_name(c->fd);
	is_str(image, "a/b:1", "with what was staged");
	close(openat(c->fd, ".tmp-1-00000000deaddead", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ok(container_file_write(c->fd, CONTAINER_FILE_MODE, "P1", 2, NULL) == 0 &&
			!fs_exists(c->fd, ".tmp-1-00000000deaddead"),
		"a write clears away what a killed one left");
	ok(fchmodat(c->fd, "ROOT", 0, 0) == 0 && fchmod(c->fd, 0500) == 0, "hard to remove");
	ok(container_remove(s, "born", NULL) == 0 && !resolve(s, id) && !resolve(s, "born"),
		"and yet removed");
	ok(container_remove(s, "born", NULL) < 0, "once");
}

static void test_in_place(struct store *s)
{
	auto_container *c = NULL;
	auto_err *e = NULL;

	if (!ok(container_open(s, "c1", &c, NULL) == 0, "a container with two names"))
		return;
	stuck = c;
	protects = true;
	ok(container_remove(s, "c1", &e) < 0 && err_is(e, ERR_DENIED),
		"protected while it is removed, where it cannot be moved");
	stuck = NULL;
	ok(test_exists(".udocker/containers/" C1 "/ROOT"), "it stays");
	is_str(resolve(s, "c1"), C1, "with its name");
	is_str(resolve(s, "alias1"), C1, "and the other");
	ok(container_protect(c, false, NULL) == 0, "not protected any more");
	stuck = c;
	protects = false;
	ok(container_remove(s, "c1", NULL) == 0, "it is removed in its place");
	stuck = NULL;
	ok(!test_exists(".udocker/containers/" C1) && !resolve(s, "alias1"), "with all its names");
}

static void test_ambiguous(struct store *s)
{
	auto_err *e = NULL;
	autofree char *id = NULL;

	mkdirat(s->containers_fd, "abcd1111-0000-0000-0000-000000000000", 0755);
	mkdirat(s->containers_fd, "abcd2222-0000-0000-0000-000000000000", 0755);
	ok(container_resolve(s, "abcd", &id, &e) < 0 && err_is(e, ERR_USAGE), "an ambiguous prefix");
	ok(strstr(err_text(e), "abcd1111") && strstr(err_text(e), "abcd2222"), "lists both: %s", err_text(e));
	ok(resolve(s, "abcd1") != NULL, "one more character decides");
	ok(symlinkat("no-such-container", s->containers_fd, "abcd") == 0, "a name that leads nowhere");
	ok(!resolve(s, "abcd") && !container_exists(s, "abcd"), "is no container");
	ok(container_name_remove(s, "abcd", NULL) == 0, "and can be removed");
}

static void test_none(void)
{
	auto_container_list l = { 0 };
	auto_store *s = NULL;

	test_use("absent");
	s = test_open(STORE_READ);
	ok(container_list(s, 0, &l, NULL) == 0 && l.n == 0, "no store, no containers");
	ok(!container_exists(s, "x"), "none of that name");
}

int main(void)
{
	auto_store *s = NULL;

	test_begin();
	test_fixture_store();
	s = test_open(STORE_WRITE);
	test_old(s);
	test_old_resolve(s);
	test_names(s);
	test_birth(s);
	test_in_place(s);
	test_ambiguous(s);
	test_none();
	test_end();
	return tap_done();
}
