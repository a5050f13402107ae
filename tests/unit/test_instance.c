/* SPDX-License-Identifier: Apache-2.0 */
/* The state root and the records in it: staging, names that are taken, what is left by a crash, how a status is judged. */
#include "pkg/runtime/state.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/json.h"
#include "pkg/base/lock.h"
#include "pkg/base/mem.h"
#include "pkg/runtime/root.h"
#include "tests/unit/scratch.h"

static char top[64];
static int topfd;

static void open_root(struct runtime_root *r, const char *name)
{
	autofree char *path = xasprintf("%s/%s", top, name);

	ok(runtime_root_open(path, true, r, NULL) == 0, "the root %s opens", name);
}

/* Make a container of this process or another. */
static void make(struct runtime_root *r, const char *id, struct runtime_proc proc)
{
	autofree char *name = NULL;
	auto_instance c = INSTANCE_INIT;

	c.id = xstrdup(id);
	c.dirfd = runtime_root_stage(r, 0, &name, NULL);
	c.rec = (struct runtime_record){
		.oci_version = xstrdup("1.0.2"),
		.bundle = xstrdup("/bundle"),
		.rootfs = xstrdup("/bundle/rootfs"),
		.created = xstrdup("2026-01-01T00:00:00Z"),
		.engine = xstrdup("proot"),
		.mode = xstrdup("P1"),
		.proc = proc,
		.mark = 42,
	};
	ok(c.dirfd >= 0 && instance_write(&c, true, NULL) == 0, "%s is staged", id);
	ok(runtime_root_publish(r, name, id, NULL) == 0, "%s is published", id);
}

static void test_root(void)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	auto_runtime_root none = RUNTIME_ROOT_INIT;
	auto_strv ids = STRV_INIT;
	auto_err *e = NULL;
	autofree char *name = NULL;
	autofree char *missing = xasprintf("%s/none", top);
	struct stat st;
	int fd;

	open_root(&r, "a/b");
	ok(fstat(r.fd, &st) == 0 && (st.st_mode & 07777) == 0700, "a new root is closed to others");
	ok(r.own, "and our own");
	ok(runtime_root_open(missing, false, &none, NULL) == 0 && none.fd < 0, "who only looks makes none");
	ok(runtime_root_list(&none, &ids, NULL) == 0 && ids.n == 0, "and lists nothing");
	make(&r, "one", (struct runtime_proc){ 0 });
	fd = runtime_root_stage(&r, 0, &name, NULL);
	ok(fd >= 0, "a second is staged");
	put(fd, "x", "x");
	ok(runtime_root_publish(&r, name, "one", &e) < 0 && err_is(e, ERR_EXISTS),
		"an id that is taken is refused");
	ok(runtime_root_list(&r, &ids, NULL) == 0 && ids.n == 1, "what is staged is not listed");
	runtime_root_clean(&r);
	ok(fs_exists(r.fd, name), "its maker lives: it stays");
	close(fd);
	runtime_root_clean(&r);
	ok(!fs_exists(r.fd, name), "its maker is gone: so is it");
	ok(runtime_root_remove(&r, "one", NULL) == 0 && !fs_exists(r.fd, "one"), "a container is removed");
	ok(runtime_root_remove(&r, "one", NULL) == 0, "and removed again");
}

static void test_foreign_root(void *arg)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	auto_err *e = NULL;
	autofree char *path = xasprintf("%s/run/udocker-runtime", top);
	autofree char *run = xasprintf("%s/run", top);

	(void)arg;
	ok(setenv("XDG_RUNTIME_DIR", run, 1) == 0 && mkdir(run, 0755) == 0 && mkdir(path, 0755) == 0,
		"a root that others can read");
	become_nobody(topfd);
	ok(runtime_root_open(NULL, true, &r, &e) < 0 && err_is(e, ERR_DENIED),
		"is not taken as the default one");
}

static void test_record(void)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_err *e = NULL;
	auto_runtime_state state = RUNTIME_STATE_INIT;
	struct runtime_proc program;
	pid_t tracer = 0;

	open_root(&r, "c");
	make(&r, "c1", runtime_proc_of(getpid()));
	ok(instance_open(&r, "c1", &c, NULL) == 0, "the record is read");
	ok(c.rec.mark == 42 && c.rec.proc.pid == getpid() && c.owner == geteuid(), "as it was written");
	is_int(instance_status(&c), STATUS_RUNNING, "a live process without a fifo is running");
	put(c.dirfd, STATE_FIFO, "");
	is_int(instance_status(&c), STATUS_CREATED, "with one it waits");
	c.rec.proc.start++;
	is_int(instance_status(&c), STATUS_STOPPED, "another process of the same number is not it");
	instance_state(&c, STATUS_STOPPED, &state);
	ok(state.pid == 0, "a stopped container has no pid");
	ok(!instance_program(&c, &program, &tracer), "no program is known");
	put(c.dirfd, STATE_PROGRAM, "12 34");
	ok(!instance_program(&c, &program, &tracer), "half a line is none");
	ok(instance_write_program(c.dirfd, getpid(), 7) == 0 && instance_program(&c, &program, &tracer) &&
			program.pid == getpid() && tracer == 7,
		"a whole one is");
	put(c.dirfd, STATE_RECORD, "{\"version\": 1");
	instance_free(&c);
	ok(instance_open(&r, "c1", &c, &e) < 0 && err_is(e, ERR_CORRUPT), "half a record is corrupt");
	ok(c.dirfd >= 0, "and its directory is there for delete");
	err_clear(&e);
	instance_free(&c);
	ok(instance_open(&r, "c2", &c, &e) < 0 && err_is(e, ERR_NOT_FOUND), "an unknown id");
	err_clear(&e);
	instance_free(&c);
	ok(instance_open(&r, "../c", &c, &e) < 0 && err_is(e, ERR_USAGE), "a path is no id");
}

/* A list sees what everybody else sees, of records of whatever form: the same members, or the same error. */
static void same_at_a_glance(const struct runtime_root *r, const char *record, bool good)
{
	auto_instance whole = INSTANCE_INIT, c = INSTANCE_INIT;
	auto_err *e = NULL, *e2 = NULL;
	autoclose int dirfd = openat(r->fd, "g1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int a, b;

	put(dirfd, STATE_RECORD, record);
	a = instance_open(r, "g1", &whole, &e);
	b = instance_glance(r, "g1", &c, &e2);
	ok(a == b && (a == 0) == good, "%s: %.60s", good ? "read" : "refused", record);
	if (!good) {
		is_str(e2 ? err_text(e2) : "", e ? err_text(e) : "", "  with the same words");
		return;
	}
	ok(str_eq(c.rec.oci_version, whole.rec.oci_version) && str_eq(c.rec.bundle, whole.rec.bundle) &&
			str_eq(c.rec.rootfs, whole.rec.rootfs) && str_eq(c.rec.created, whole.rec.created) &&
			str_eq(c.rec.engine, whole.rec.engine) && str_eq(c.rec.mode, whole.rec.mode),
		"  the same texts");
	ok(c.rec.proc.pid == whole.rec.proc.pid && c.rec.proc.start == whole.rec.proc.start &&
			c.rec.mark == whole.rec.mark && c.rec.delegate == whole.rec.delegate,
		"  the same process");
}

#define RECORD_START \
	"{\"version\":1,\"ociVersion\":\"1.0.2\",\"pid\":7,\"startTime\":12345678901,\"bundle\":\"/" \
	"b\",\"rootfs\":\"/b/r\"," \
	"\"created\":\"2024-01-01T00:00:00Z\",\"engine\":\"proot\",\"mode\":\"P1\""

static void test_glance(void)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;

	open_root(&r, "g");
	make(&r, "g1", runtime_proc_of(getpid()));
	ok(instance_glance(&r, "g1", &c, NULL) == 0 && c.rec.proc.pid == getpid() && c.rec.mark == 42,
		"as it was written");
	same_at_a_glance(&r, RECORD_START ",\"delegate\":true,\"mark\":42}", true);
	same_at_a_glance(
		&r, RECORD_START ",\"annotations\":{\"a\":\"b\"},\"tracer\":[\"x\",\"y\"],\"new\":1}", true);
	same_at_a_glance(&r, RECORD_START ",\"annotations\":{\"a\":\"b\\n\"}}", true);
	same_at_a_glance(&r, RECORD_START ",\"bundle\":\"/other\",\"pid\":8}", true);
	same_at_a_glance(&r, RECORD_START ",\"bundle\":\"/\u00e4\"}", true);
	same_at_a_glance(&r, RECORD_START ",\"rootfs\":null}", true);
	same_at_a_glance(&r, RECORD_START " }\n", true);
	same_at_a_glance(&r, RECORD_START, false);
	same_at_a_glance(&r, RECORD_START "}}", false);
	same_at_a_glance(&r, RECORD_START ",\"pid\":\"8\"}", false);
	same_at_a_glance(&r, RECORD_START ",\"pid\":2147483648}", false);
	same_at_a_glance(&r, RECORD_START ",\"mark\":9223372036854775808}", false);
	same_at_a_glance(&r, RECORD_START ",\"delegate\":1}", false);
	same_at_a_glance(&r, RECORD_START ",\"foreground\":\"\"}", false);
	same_at_a_glance(&r, RECORD_START ",\"tracer\":\"x\"}", false);
	same_at_a_glance(&r, RECORD_START ",\"annotations\":[]}", false);
	same_at_a_glance(&r, RECORD_START ",\"mode\":7}", false);
	same_at_a_glance(&r, "{\"ociVersion\":\"1.0.2\",\"bundle\":\"/b\"}", false);
	same_at_a_glance(&r, "{}", false);
	same_at_a_glance(&r, "", false);
}

static void test_creating(void)
{
	auto_runtime_root r = RUNTIME_ROOT_INIT;
	auto_instance c = INSTANCE_INIT;
	auto_lock lock = LOCK_INIT;

	open_root(&r, "d");
	make(&r, "d1", (struct runtime_proc){ 0 });
	ok(instance_open(&r, "d1", &c, NULL) == 0, "a record without a pid");
	is_int(instance_status(&c), STATUS_STOPPED, "is stopped when nobody makes it");
	ok(lock_take(&lock, c.dirfd, STATE_LOCK, LOCK_EXCLUSIVE, NULL) == 0, "somebody does");
	is_int(instance_status(&c), STATUS_CREATING, "then it is being created");
	c.rec.delegate = true;
	put(c.dirfd, STATE_PIDFILE, "x1");
	ok(!instance_read_pid_file(&c), "a pid file with anything else is none");
	put(c.dirfd, STATE_PIDFILE, "1");
	ok(instance_read_pid_file(&c) && c.rec.proc.pid == 1, "a delegate's pid file is read");
}

static void test_signal(void)
{
	struct runtime_proc p;
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		(void)pause();
		_exit(0);
	}
	p = runtime_proc_of(pid);
	ok(runtime_proc_alive(&p, (uid_t)-1), "a child lives");
	ok(!runtime_proc_alive(&p, geteuid() + 1), "but not as somebody else's");
	ok(runtime_proc_signal(&p, geteuid() + 1, SIGKILL) < 0 && errno == ESRCH, "nor is it signalled then");
	p.start++;
	ok(runtime_proc_signal(&p, (uid_t)-1, SIGKILL) < 0 && errno == ESRCH, "nor under another start time");
	p.start--;
	ok(runtime_proc_signal(&p, (uid_t)-1, SIGKILL) == 0, "it is, if it is the one");
	(void)waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT);
	ok(!runtime_proc_alive(&p, (uid_t)-1), "a zombie does not live");
	(void)waitpid(pid, &status, 0);
}

int main(void)
{
	topfd = scratch_open(top);
	test_root();
	in_child(test_foreign_root, NULL);
	test_record();
	test_glance();
	test_creating();
	test_signal();
	scratch_close(topfd, top);
	return tap_done();
}
