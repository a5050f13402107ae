/* SPDX-License-Identifier: Apache-2.0 */
/* The record of a container, read and written, and the judgement of its processes. */
#include "pkg/runtime/state.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "engines/oci_quirks.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/json_plain.h"
#include "pkg/base/lock.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/passwd.h"
#include "pkg/base/path.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/runtime/mark.h"
#include "pkg/runtime/root.h"

#define RECORD_MAX_BYTES ((size_t)1 << 20)
#define PLAIN_MAX_BYTES ((size_t)64 << 10) /* of a record that is not read in full */
#define PASSWD_MAX_BYTES ((size_t)1 << 20)

void runtime_record_free(struct runtime_record *r)
{
	free(r->oci_version);
	free(r->bundle);
	free(r->rootfs);
	free(r->created);
	free(r->engine);
	free(r->mode);
	json_free(r->annotations);
	strv_free(&r->prefix);
	strv_free(&r->tracer);
	strv_free(&r->tracer_ids);
	*r = (struct runtime_record){ 0 };
}

void instance_free(struct instance *c)
{
	free(c->id);
	free(c->path);
	if (c->dirfd >= 0)
		close(c->dirfd);
	runtime_record_free(&c->rec);
	*c = INSTANCE_INIT;
}

/* ---- processes ---- */

struct runtime_proc runtime_proc_of(pid_t pid)
{
	struct runtime_proc p = { .pid = pid };

	(void)proc_start_time(pid, &p.start, NULL); /* without /proc the pid alone has to do */
	return p;
}

static bool belongs_to(pid_t pid, uid_t owner)
{
	char path[32];
	struct stat st;

	if (owner == (uid_t)-1)
		return true;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	return stat(path, &st) == 0 && st.st_uid == owner;
}

bool runtime_proc_alive(const struct runtime_proc *p, uid_t owner)
{
	uint64_t start;
	bool zombie = false;

	if (p->pid <= 0)
		return false;
	if (p->start == 0)
		return kill(p->pid, 0) == 0 || errno == EPERM;
	return proc_start_time(p->pid, &start, &zombie) == 0 && !zombie && start == p->start &&
	       belongs_to(p->pid, owner);
}

int runtime_proc_signal(const struct runtime_proc *p, uid_t owner, int sig)
{
	if (p->pid <= 0 || !belongs_to(p->pid, owner)) {
		errno = ESRCH;
		return -1;
	}
	return proc_kill(p->pid, p->start, sig);
}

/* ---- the record ---- */

static struct json *record_to_json(const struct instance *c)
{
	const struct runtime_record *r = &c->rec;
	struct json *j = json_new_object();

	json_set_i64(j, "version", 1);
	json_set_str(j, "ociVersion", r->oci_version);
	json_set_i64(j, "pid", r->proc.pid);
	json_set_i64(j, "startTime", (int64_t)r->proc.start);
	json_set_str(j, "bundle", r->bundle);
	json_set_str(j, "rootfs", r->rootfs);
	json_set_str(j, "created", r->created);
	json_set_str(j, "engine", r->engine);
	json_set_str(j, "mode", r->mode);
	json_set_bool(j, "delegate", r->delegate);
	json_set_i64(j, "mark", (int64_t)r->mark);
	json_set_bool(j, "foreground", r->foreground);
	if (r->guard_devices)
		json_set_bool(j, "guardDevices", true);
	if (r->prefix.n > 0)
		json_set(j, "prefix", json_new_strv(&r->prefix));
	if (r->tracer.n > 0)
		json_set(j, "tracer", json_new_strv(&r->tracer));
	if (r->tracer_ids.n > 0)
		json_set(j, "tracerIds", json_new_strv(&r->tracer_ids));
	if (r->annotations)
		json_set(j, "annotations", json_clone(r->annotations));
	return j;
}

/* The members of a record that say what its container does now. */
static char **text_member(struct runtime_record *r, const struct json_plain_member *m)
{
	const struct {
		const char *key;
		char **at;
	} texts[] = {
		{ "ociVersion", &r->oci_version },
		{ "bundle", &r->bundle },
		{ "rootfs", &r->rootfs },
		{ "created", &r->created },
		{ "engine", &r->engine },
		{ "mode", &r->mode },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (json_plain_is(m, texts[i].key))
			return texts[i].at;
	return NULL;
}

static bool take_number(const struct json_plain_member *m, uint64_t max, uint64_t *ret)
{
	char digits[24];

	if (m->type != JSON_NUMBER || m->len >= sizeof(digits))
		return false;
	memcpy(digits, m->text, m->len);
	digits[m->len] = '\0';
	return num_parse_u64(digits, max, ret) == 0;
}

/* False: not as instance_write() writes it, or not right. Of annotations and what only running takes it is looked that they are plain. */
static bool take_member(struct runtime_record *r, const struct json_plain_member *m)
{
	static const char *const lists[] = { "prefix", "tracer", "tracerIds" };
	char **text = text_member(r, m);
	uint64_t n;

	if (text) {
		if (m->type != JSON_STRING)
			return false;
		free(*text);
		*text = xstrndup(m->text, m->len);
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (json_plain_is(m, lists[i]))
			return m->type == JSON_ARRAY;
	if (json_plain_is(m, "annotations"))
		return m->type == JSON_OBJECT;
	if (json_plain_is(m, "delegate") || json_plain_is(m, "foreground") ||
		json_plain_is(m, "guardDevices")) {
		if (m->type != JSON_BOOL)
			return false;
		r->delegate = json_plain_is(m, "delegate") ? m->text[0] == 't' : r->delegate;
		return true;
	}
	if (json_plain_is(m, "pid")) {
		if (!take_number(m, INT32_MAX, &n))
			return false;
		r->proc.pid = (pid_t)n;
		return true;
	}
	if (json_plain_is(m, "startTime"))
		return take_number(m, INT64_MAX, &r->proc.start);
	if (json_plain_is(m, "mark"))
		return take_number(m, INT64_MAX, &r->mark);
	return true;
}

/* What a list tells of a container, without a tree of its record. False: the record is to be read in full. */
static bool record_from_plain(const struct str *text, struct runtime_record *r)
{
	struct json_plain p = JSON_PLAIN_INIT(str_text(text), text->len);
	struct json_plain_member m;
	int more;

	while ((more = json_plain_next(&p, &m)) > 0 && take_member(r, &m))
		;
	return more == 0 && r->oci_version && r->bundle && r->created && r->engine && r->mode;
}

static int get_text(const struct json *j, const char *key, bool required, char **ret, struct err **err)
{
	const char *text = NULL;
	int r = json_get_str(j, STATE_RECORD, key, &text, err);

	if (r < 0)
		return -1;
	if (!text && required)
		return err_make(err, ERR_CORRUPT, "%s.%s: missing", STATE_RECORD, key);
	*ret = xstrdup_null(text);
	return 0;
}

static int record_from_json(const struct json *j, struct runtime_record *r, struct err **err)
{
	struct json *annotations = NULL;
	int64_t pid = 0, start = 0, mark = 0;

	if (get_text(j, "ociVersion", true, &r->oci_version, err) < 0 ||
		get_text(j, "bundle", true, &r->bundle, err) < 0 ||
		get_text(j, "rootfs", false, &r->rootfs, err) < 0 ||
		get_text(j, "created", true, &r->created, err) < 0 ||
		get_text(j, "engine", true, &r->engine, err) < 0 ||
		get_text(j, "mode", true, &r->mode, err) < 0 ||
		json_get_i64(j, STATE_RECORD, "pid", 0, INT32_MAX, &pid, err) < 0 ||
		json_get_i64(j, STATE_RECORD, "startTime", 0, INT64_MAX, &start, err) < 0 ||
		json_get_i64(j, STATE_RECORD, "mark", 0, INT64_MAX, &mark, err) < 0 ||
		json_get_bool(j, STATE_RECORD, "delegate", &r->delegate, err) < 0 ||
		json_get_bool(j, STATE_RECORD, "foreground", &r->foreground, err) < 0 ||
		json_get_bool(j, STATE_RECORD, "guardDevices", &r->guard_devices, err) < 0 ||
		json_get_strv(j, STATE_RECORD, "prefix", &r->prefix, err) < 0 ||
		json_get_strv(j, STATE_RECORD, "tracer", &r->tracer, err) < 0 ||
		json_get_strv(j, STATE_RECORD, "tracerIds", &r->tracer_ids, err) < 0 ||
		json_get_object(j, STATE_RECORD, "annotations", &annotations, err) < 0)
		return -1;
	r->proc = (struct runtime_proc){ .pid = (pid_t)pid, .start = (uint64_t)start };
	r->mark = (uint64_t)mark;
	r->annotations = annotations ? json_clone(annotations) : NULL;
	return 0;
}

bool instance_read_pid_file(struct instance *c)
{
	auto_str text = STR_INIT;
	uint32_t pid;

	if (fs_read(c->dirfd, STATE_PIDFILE, 32, &text, FS_BENEATH) < 0)
		return false;
	str_trim(&text);
	if (num_parse_u32(str_text(&text), &pid) < 0 || pid == 0 || pid > INT32_MAX)
		return false;
	c->rec.proc = runtime_proc_of((pid_t)pid);
	return true;
}

static bool sets_mark_itself(const struct instance *c)
{
	auto_json *config = NULL;

	return instance_config(c, &config, NULL) == 0 && !mark_config(config, c->rec.mark);
}

/*
 * Nobody wrote down when the process of the pid file started: long after a create that was killed the number may be a stranger's. Whoever
 * may not ask has nothing to do to it either.
 */
static bool is_of_container(const struct instance *c)
{
	uint64_t mark;

	if (c->rec.mark == 0 || (instance_is_foreign(c) && geteuid() != 0))
		return true;
	mark = mark_of(c->rec.proc.pid);
	return mark == c->rec.mark || mark == mark_of_maker(c->rec.mark) || sets_mark_itself(c);
}

/* In the foreground it comes after the record, and who makes a container may be killed in between. */
static void read_unwritten_pid(struct instance *c)
{
	if (instance_read_pid_file(c) && !is_of_container(c))
		c->rec.proc = (struct runtime_proc){ 0 };
}

static int read_record(struct instance *c, struct err **err)
{
	const struct json_limits limits = { .bytes = RECORD_MAX_BYTES };
	auto_json *j = NULL;

	return json_read(c->dirfd, STATE_RECORD, &limits, &j, err) < 0 ? -1
								       : record_from_json(j, &c->rec, err);
}

/* The same, less what a list does not tell. */
static int glance_at_record(struct instance *c, struct err **err)
{
	auto_str text = STR_INIT;

	if (fs_read(c->dirfd, STATE_RECORD, PLAIN_MAX_BYTES, &text, FS_BENEATH) == 0 &&
		record_from_plain(&text, &c->rec))
		return 0;
	runtime_record_free(&c->rec);
	return read_record(c, err);
}

static int open_with(int (*read)(struct instance *c, struct err **err), const struct runtime_root *root,
	const char *id, struct instance *c, struct err **err)
{
	struct stat st;

	if (!id_is_runtime_id(id))
		return err_make(err, ERR_USAGE, "'%s' is not a container id (letters, digits, _ + - .)", id);
	c->id = xstrdup(id);
	c->dirfd = root->fd < 0 ? -1 : fs_open(root->fd, id, O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	if (c->dirfd < 0) {
		if (root->fd < 0 || errno == ENOENT || errno == ENOTDIR)
			return err_make(err, ERR_NOT_FOUND, "container '%s' does not exist", id);
		return err_sys(err, errno, "container '%s'", id);
	}
	c->path = path_join(root->path, id);
	if (fstat(c->dirfd, &st) < 0)
		return err_sys(err, errno, "container '%s'", id);
	c->owner = st.st_uid;
	if (read(c, err) < 0) {
		runtime_record_free(&c->rec);
		(void)err_add(err, "container '%s'", id);
		(void)err_hint(err, "remove it with delete --force");
		return err_set_kind(err, ERR_CORRUPT);
	}
	if (c->rec.delegate && c->rec.proc.pid == 0)
		read_unwritten_pid(c);
	return 0;
}

int instance_open(const struct runtime_root *root, const char *id, struct instance *c, struct err **err)
{
	return open_with(read_record, root, id, c, err);
}

int instance_glance(const struct runtime_root *root, const char *id, struct instance *c, struct err **err)
{
	return open_with(glance_at_record, root, id, c, err);
}

int instance_write(const struct instance *c, bool fresh, struct err **err)
{
	auto_json *j = record_to_json(c);
	autofree char *text = json_text(j, 0);
	autoclose int fd = -1;

	if (!fresh)
		return atomic_write(c->dirfd, STATE_RECORD, text, strlen(text), 0600, 0, err);
	fd = fs_open(c->dirfd, STATE_RECORD, O_WRONLY | O_CREAT | O_EXCL, 0600, FS_BENEATH);
	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		return err_sys(err, errno, "container '%s': write its state", c->id);
	return 0;
}

int instance_config(const struct instance *c, struct json **ret, struct err **err)
{
	const struct json_limits limits = { .bytes = 2 * RUNTIME_CONFIG_MAX_BYTES };

	if (json_read(c->dirfd, STATE_CONFIG, &limits, ret, err) < 0)
		return err_add(err, "container '%s'", c->id);
	return 0;
}

/* ---- the program ---- */

int instance_write_program(int dirfd, pid_t pid, pid_t tracer)
{
	struct runtime_proc p = runtime_proc_of(pid);
	char text[80];
	int n = snprintf(
		text, sizeof(text), "%d %llu %d\n", (int)pid, (unsigned long long)p.start, (int)tracer);
	autoclose int fd = fs_open(dirfd, STATE_PROGRAM, O_WRONLY | O_CREAT | O_TRUNC, 0600, FS_BENEATH);

	return fd < 0 ? -1 : fd_write_all(fd, text, (size_t)n);
}

bool instance_program(const struct instance *c, struct runtime_proc *ret, pid_t *ret_tracer)
{
	auto_str text = STR_INIT;
	unsigned long long start;
	int pid, tracer;
	char newline;

	if (fs_read(c->dirfd, STATE_PROGRAM, 80, &text, FS_BENEATH) < 0)
		return false;
	/* One short write, but a reader may be between open and write: only a whole line counts. */
	if (sscanf(str_text(&text), "%d %llu %d%c", &pid, &start, &tracer, &newline) != 4 ||
		newline != '\n' || pid <= 0 || tracer < 0)
		return false;
	*ret = (struct runtime_proc){ .pid = pid, .start = start };
	*ret_tracer = tracer;
	return true;
}

/* ---- judging ---- */

bool instance_is_locked(const struct instance *c)
{
	auto_lock l = LOCK_INIT;
	auto_err *e = NULL;

	return lock_try(&l, c->dirfd, STATE_LOCK, LOCK_EXCLUSIVE, &e) == 0;
}

bool instance_is_foreign(const struct instance *c)
{
	return c->owner != geteuid();
}

int instance_check_owner(const struct instance *c, struct err **err)
{
	return instance_is_foreign(c)
		       ? err_make(err, ERR_DENIED, "container '%s' belongs to uid %lu, who has to do this",
				 c->id, (unsigned long)c->owner)
		       : 0;
}

uid_t instance_trusted_owner(const struct instance *c)
{
	return instance_is_foreign(c) ? c->owner : (uid_t)-1;
}

char *instance_delegate_name(const struct instance *c)
{
	return instance_own_kernel(c) ? xasprintf(STATE_DELEGATE "/%s_sandbox:%s.state", c->id, c->id)
				      : xasprintf(STATE_DELEGATE "/%s", c->id);
}

bool instance_own_kernel(const struct instance *c)
{
	return c->rec.delegate && (oci_quirk_flags(c->rec.engine, NULL) & QUIRK_OWN_KERNEL);
}

/* runsc has no fifo: its own record says it. */
static bool is_recorded_created(const struct instance *c)
{
	autofree char *name = instance_delegate_name(c);
	auto_json *j = NULL;

	return json_read(c->dirfd, name, NULL, &j, NULL) == 0 &&
	       str_eq(json_str(json_get(j, "status")), "created");
}

static bool waits_for_start(const struct instance *c)
{
	autofree char *name = NULL;

	if (!c->rec.delegate)
		return fs_exists(c->dirfd, STATE_FIFO);
	if (instance_own_kernel(c))
		return is_recorded_created(c);
	name = xasprintf(STATE_DELEGATE "/%s/" STATE_FIFO, c->id);
	return fs_exists(c->dirfd, name);
}

enum runtime_status instance_status(const struct instance *c)
{
	const struct runtime_record *r = &c->rec;

	if (r->proc.pid == 0)
		return instance_is_locked(c) ? STATUS_CREATING : STATUS_STOPPED;
	if (!runtime_proc_alive(&r->proc, instance_trusted_owner(c)))
		return STATUS_STOPPED;
	if (waits_for_start(c))
		return STATUS_CREATED;
	return fs_exists(c->dirfd, STATE_PAUSED) ? STATUS_PAUSED : STATUS_RUNNING;
}

/* Through the files of the host, never NSS, which would load half a directory service for a column. */
static char *read_owner_name(uid_t uid)
{
	auto_str text = STR_INIT;
	struct passwd_entry e;
	char *name;
	autoclose int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)fd_read_text(fd, PASSWD_MAX_BYTES, &text, "/etc/passwd", NULL);
	if (!passwd_find_uid(str_text(&text), uid, &e))
		return xasprintf("%lu", (unsigned long)uid);
	name = xstrdup(e.name);
	passwd_entry_free(&e);
	return name;
}

/* A list has one owner, nearly always. */
static char *owner_name(uid_t uid)
{
	static uid_t last_uid;
	static char *last_name;

	if (!last_name || last_uid != uid) {
		free(last_name);
		last_name = read_owner_name(uid);
		last_uid = uid;
	}
	return xstrdup(last_name);
}

void instance_state(const struct instance *c, enum runtime_status status, struct runtime_state *ret)
{
	const struct runtime_record *r = &c->rec;

	/* A record that cannot be read still is a container, for list and delete. */
	*ret = (struct runtime_state){
		.oci_version = xstrdup(r->oci_version ? r->oci_version : RUNTIME_SPEC_VERSION),
		.id = xstrdup(c->id),
		.status = status,
		.pid = status == STATUS_STOPPED ? 0 : r->proc.pid,
		.bundle = xstrdup(r->bundle ? r->bundle : ""),
		.rootfs = xstrdup_null(r->rootfs),
		.created = xstrdup_null(r->created),
		.owner = owner_name(c->owner),
		.annotations = r->annotations ? json_clone(r->annotations) : NULL,
	};
}
