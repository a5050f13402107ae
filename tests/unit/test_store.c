/* SPDX-License-Identifier: Apache-2.0 */
/* The store as a place: who creates it, who may not, staging that is cleaned only when its owner is gone, the lock. */
#include "pkg/store/store.h"

#include <sys/file.h>
#include <sys/wait.h>

#include "tests/unit/storetest.h"

static void test_reads_create_nothing(void)
{
	auto_store *s = NULL;

	test_use("absent");
	s = test_open(STORE_READ);
	ok(s && !s->exists && s->repos_fd == -1, "a store that does not exist is an empty one");
	ok(!test_exists("absent"), "reading created nothing");
	store_close(s);
	s = test_open(STORE_UPDATE);
	ok(s && !s->exists && !test_exists("absent"), "updating what is not there creates nothing");
}

static void test_writes_create(void)
{
	autofree char *top = path_join(test_dir, "new/deep");
	auto_store *s = NULL;
	struct stat st;

	test_use("new/deep");
	s = test_open(STORE_WRITE);
	ok(s && s->exists && s->writable && s->layers_fd >= 0, "a writer creates the tree");
	ok(stat(top, &st) == 0 && (st.st_mode & 07777) == 0700, "for the caller alone");
	ok(store_is_repository(top), "1.3.x takes it for a repository");
	store_close(s);
	s = test_open(STORE_READ);
	ok(s && s->exists && s->writable && s->lock_fd == -1, "a reader takes no lock");
}

static void test_refused(void)
{
	autofree char *file = path_join(test_dir, "file");
	auto_store *s = NULL;
	auto_err *e = NULL;
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	close(fd);
	test_use("file");
	ok(store_open(STORE_WRITE, &s, &e) < 0 && err_is(e, ERR_EXISTS), "a file in the way is an error");
	err_clear(&e);
	ok(conf_set(CONF_TOPDIR, "/", NULL) == 0, "the root directory as a store");
	if (geteuid() != 0) {
		ok(store_open(STORE_WRITE, &s, &e) < 0 && err_is(e, ERR_DENIED),
			"another user's store is not written");
		ok(strstr(err_text(e), "another user") != NULL, "and says whose: %s", err_text(e));
		err_clear(&e);
	}
	test_use("readonly");
	s = test_open(STORE_WRITE);
	store_close(steal_ptr(&s));
	if (geteuid() != 0) {
		autofree char *top = path_join(test_dir, "readonly");

		ok(chmod(top, 0500) == 0, "a store without write permission");
		ok(store_open(STORE_WRITE, &s, &e) < 0 && err_is(e, ERR_DENIED), "is not written");
		s = test_open(STORE_READ);
		ok(s && s->exists && !s->writable, "but read");
		chmod(top, 0700);
	}
}

static void test_no_home(void)
{
	auto_store *s = NULL;
	auto_err *e = NULL;
	int status = -1;
	pid_t pid = fork();

	/* Settings are read once a process. */
	if (pid == 0) {
		bool fine;

		conf_set(CONF_TOPDIR, "/nonexistent", NULL);
		fine = store_open(STORE_WRITE, &s, &e) < 0 && e;
		_exit(fine ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	ok(status == 0 || geteuid() == 0, "a place that cannot be created is an error");
}

static void test_make(void)
{
	autofree char *dir = path_join(test_dir, "made");
	auto_err *e = NULL;

	ok(store_make(dir, NULL) == 0 && store_is_repository(dir) && test_exists("made/doc"), "mkrepo");
	ok(store_make(dir, &e) < 0 && err_is(e, ERR_EXISTS), "twice is an error");
	ok(!store_is_repository(test_dir), "any directory is none");
}

static void test_stage(void)
{
	struct store_stage a = STORE_STAGE_INIT, b = STORE_STAGE_INIT;
	auto_strv names = STRV_INIT;
	auto_store *s = NULL;
	int fd;

	test_use("stage");
	s = test_open(STORE_WRITE);
	ok(store_stage_begin(s, &a, NULL) == 0, "staging");
	fd = openat(a.fd, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	ok(fd >= 0, "something in it");
	close(fd);
	store_clean_stage(s);
	ok(fs_exists(a.fd, "file"), "a living one is not cleaned");
	close(a.fd); /* as when the process is gone */
	a.fd = -1;
	store_close(steal_ptr(&s));
	s = test_open(STORE_UPDATE);
	ok(store_stage_begin(s, &b, NULL) == 0, "the next writer");
	ok(!fs_exists(a.parent_fd, a.name), "removes the dead one");
	store_stage_drop(&a);
	ok(renameat(b.parent_fd, b.name, s->containers_fd, "published") == 0, "published");
	store_stage_drop(&b);
	ok(test_exists("stage/containers/published"), "dropping a published one leaves it");
	ok(fs_list(s->top_fd, ".stage", &names) == 0 && names.n == 0, "nothing is left in .stage");
}

/* Who gets the lock of a staging directory has it whole: a cleaner holds it as long as it removes. */
static void test_stage_cleaned_locked(void)
{
	const int files = 3000;
	struct store_stage a = STORE_STAGE_INIT;
	auto_store *s = NULL;
	autoclose int dir = -1;
	struct stat st = { .st_nlink = 1 };
	bool whole = true;
	pid_t pid;

	test_use("cleaned");
	s = test_open(STORE_WRITE);
	ok(store_stage_begin(s, &a, NULL) == 0, "staging");
	for (int i = 0; i < files; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		close(openat(a.fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	}
	dir = openat(a.parent_fd, a.name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	close(a.fd);
	a.fd = -1;
	pid = fork();
	if (pid == 0) {
		while (fs_exists(a.parent_fd, a.name))
			store_clean_stage(s);
		_exit(0);
	}
	while (fstat(dir, &st) == 0 && st.st_nlink > 0) {
		auto_strv names = STRV_INIT;

		if (flock(dir, LOCK_SH | LOCK_NB) == 0) {
			fs_list(dir, ".", &names);
			whole = whole && (names.n == (size_t)files || (fstat(dir, &st) == 0 && !st.st_nlink));
			flock(dir, LOCK_UN);
		}
		usleep(1000);
	}
	ok(waitpid(pid, NULL, 0) == pid && whole, "a cleaner holds the lock until all is removed");
	store_stage_drop(&a);
}

static void test_lock(void)
{
	auto_store *a = NULL, *b = NULL;

	test_use("lock");
	a = test_open(STORE_WRITE);
	ok(store_lock_exclusive(a, NULL) == 1, "alone: exclusive");
	ok(store_lock_shared(a, NULL) == 0, "and back");
	b = test_open(STORE_WRITE);
	ok(b != NULL, "two writers at once");
	ok(store_lock_exclusive(a, NULL) == 0, "not exclusive beside another writer");
	ok(a->lock_fd >= 0, "the shared lock is held again");
	store_close(steal_ptr(&b));
	ok(store_lock_exclusive(a, NULL) == 1, "exclusive when the other has gone");
}

int main(void)
{
	test_begin();
	test_reads_create_nothing();
	test_writes_create();
	test_refused();
	test_no_home();
	test_make();
	test_stage();
	test_stage_cleaned_locked();
	test_lock();
	test_end();
	return tap_done();
}
