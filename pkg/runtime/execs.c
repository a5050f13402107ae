/* SPDX-License-Identifier: Apache-2.0 */
/* The files of further programs. */
#include "pkg/runtime/execs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/lock.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/runtime/launch.h"

#define RECORD_MAX 160
#define LOCK_MS 1000 /* a hook of the container's own start may call us */
#define END_MS 5000
#define STEP_MS 5

static char *name_of(pid_t pid)
{
	return xasprintf(STATE_EXECS "/%d", (int)pid);
}

static int write_record(int dirfd, const struct launched *run)
{
	autofree char *name = name_of(getpid());
	struct runtime_proc self = runtime_proc_of(getpid());
	struct runtime_proc program = run ? runtime_proc_of(run->program) : (struct runtime_proc){ 0 };
	autofree char *text = xasprintf("%llu %d %llu %d\n", (unsigned long long)self.start, (int)program.pid,
		(unsigned long long)program.start, run && run->engine != run->program ? (int)run->engine : 0);
	autoclose int fd = fs_open(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, FS_BENEATH);

	return fd < 0 ? -1 : fd_write_all(fd, text, strlen(text));
}

/* ---- entering ---- */

/* Deleting holds it. So may a start, for as long as its hooks take. */
static void lock_shortly(struct lock *l, int dirfd)
{
	for (int waited = 0; waited < LOCK_MS; waited += STEP_MS) {
		if (lock_try(l, dirfd, STATE_LOCK, LOCK_SHARED, NULL) != 0)
			return; /* an error comes again with the record */
		(void)poll(NULL, 0, STEP_MS);
	}
}

int execs_check(const struct instance *c, struct err **err)
{
	enum runtime_status status = instance_status(c);

	if (status == STATUS_PAUSED)
		return err_make(err, ERR_BUSY, "container '%s': cannot exec in a paused container", c->id);
	if (status != STATUS_RUNNING && status != STATUS_CREATED)
		return err_make(err, ERR_BUSY,
			"container not running: '%s': cannot exec in a container that is %s", c->id,
			runtime_status_name(status));
	return 0;
}

int execs_enter(const struct instance *c, struct err **err)
{
	auto_lock lock = LOCK_INIT;

	lock_shortly(&lock, c->dirfd);
	if (execs_check(c, err) < 0)
		return -1;
	if ((mkdirat(c->dirfd, STATE_EXECS, 0700) < 0 && errno != EEXIST) || write_record(c->dirfd, NULL) < 0)
		return errno == ENOENT ? err_make(err, ERR_NOT_FOUND, "container '%s' does not exist", c->id)
				       : err_sys(err, errno, "container '%s'", c->id);
	/* Whoever has not seen the record has ended it before: then that is seen here. */
	if (execs_check(c, err) < 0) {
		execs_leave(c->dirfd);
		return -1;
	}
	return 0;
}

void execs_note(int dirfd, const struct launched *run)
{
	(void)write_record(
		dirfd, run); /* without it the mark and the supervisor are left to find the program by */
}

void execs_leave(int dirfd)
{
	autofree char *name = name_of(getpid());

	(void)unlinkat(dirfd, name, 0); /* it may have gone with the directory */
}

/* ---- reading ---- */

static bool read_record(int dirfd, const char *text_pid, uid_t owner, struct exec_record *ret)
{
	autofree char *name = xasprintf(STATE_EXECS "/%s", text_pid);
	auto_str text = STR_INIT;
	unsigned long long start, program_start;
	int pid, program, tracer;
	char newline;

	if (num_parse_int(text_pid, 1, INT32_MAX, &pid) < 0 ||
		fs_read(dirfd, name, RECORD_MAX, &text, FS_BENEATH) < 0)
		return false;
	*ret = (struct exec_record){ .supervisor = { .pid = pid } };
	/* One that is being written counts with what its name says. */
	if (sscanf(str_text(&text), "%llu %d %llu %d%c", &start, &program, &program_start, &tracer,
		    &newline) == 5 &&
		newline == '\n' && program >= 0 && tracer >= 0) {
		ret->supervisor.start = start;
		ret->program = (struct runtime_proc){ .pid = program, .start = program_start };
		ret->tracer = tracer;
	}
	return ret->supervisor.start ? runtime_proc_alive(&ret->supervisor, owner)
				     : runtime_proc_signal(&ret->supervisor, owner, 0) == 0;
}

void execs_read(int dirfd, uid_t owner, struct exec_records *ret)
{
	auto_strv names = STRV_INIT;
	struct exec_record r;

	*ret = (struct exec_records){ 0 };
	if (fs_list(dirfd, STATE_EXECS, &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		if (!read_record(dirfd, names.v[i], owner, &r))
			continue;
		ret->v = mem_grow(ret->v, &ret->cap, ret->n + 1, sizeof(*ret->v));
		ret->v[ret->n++] = r;
	}
}

void execs_free(struct exec_records *e)
{
	free(e->v);
	*e = (struct exec_records){ 0 };
}

size_t execs_kill(int dirfd, uid_t owner)
{
	auto_execs e;

	execs_read(dirfd, owner, &e);
	for (size_t i = 0; i < e.n; i++) {
		/* One that is not known yet is its supervisor's, who sees that the container ends. */
		if (e.v[i].program.pid)
			(void)runtime_proc_signal(&e.v[i].program, owner, SIGKILL);
		/* A tracer or supervisor that is stopped sees nothing end. */
		if (e.v[i].tracer)
			(void)runtime_proc_signal(
				&(struct runtime_proc){ .pid = e.v[i].tracer }, owner, SIGCONT);
		(void)runtime_proc_signal(&e.v[i].supervisor, owner, SIGCONT);
	}
	return e.n;
}

void execs_end(int dirfd)
{
	struct stat st;

	if (fstatat(dirfd, STATE_EXECS, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	for (int waited = 0; waited < END_MS && execs_kill(dirfd, (uid_t)-1) > 0; waited += STEP_MS)
		(void)poll(NULL, 0, STEP_MS);
}
