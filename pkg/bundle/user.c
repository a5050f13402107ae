/* SPDX-License-Identifier: Apache-2.0 */
/* Users of a container: grammar, look-up, and entries for those nobody knows. */
#include "pkg/bundle/user.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/passwd.h"
#include "pkg/base/proc.h"
#include "pkg/base/str.h"
#include "pkg/bundle/mounts.h"

#define FILE_MAX ((size_t)1 << 20) /* a passwd or group file: larger ones are taken for none */
#define NAME_MAX_ 256
#define ENTRY_MAX ((size_t)16 << 10) /* what the host's services may say of one user */
#define GETENT_MS 30000 /* until they are given up: a directory of the network may be slow */
#define GROUPS_MAX 1024
#define ORIGINALS ".bind_orig_files/" /* where R modes of 1.3.x keep files they replaced */
#define HOST_FILES "/.bind_host_files/" /* where the links that they leave lead to */

/* ---- grammar ---- */

static bool is_number(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static const char *name_fault(const char *s)
{
	if (*s == '\0')
		return "an empty name";
	if (*s == '-')
		return "a name that begins with '-'";
	if (strlen(s) > NAME_MAX_)
		return "a name of more than 256 bytes";
	for (; *s; s++)
		if (*s <= ' ' || *s > '~' || *s == '/' || *s == ':')
			return "a character that no name may have";
	return NULL;
}

/* A name or a number; -1 as an id means "none" to the kernel. */
static const char *read_part(const char *s, char **ret_name, bool *ret_has, uint32_t *ret_id)
{
	const char *fault = name_fault(s);

	if (fault)
		return fault;
	if (!is_number(s)) {
		*ret_name = xstrdup(s);
		return NULL;
	}
	if (num_parse_u32(s, ret_id) < 0 || *ret_id == UINT32_MAX)
		return "a number that is no id";
	*ret_has = true;
	return NULL;
}

int bundle_user_parse(const char *text, struct bundle_user_spec *ret, struct err **err)
{
	const char *colon = strchr(text, ':'), *fault;
	autofree char *first = colon ? xstrndup(text, (size_t)(colon - text)) : xstrdup(text);
	struct bundle_user_spec s = { .user = NULL };

	fault = read_part(first, &s.user, &s.has_uid, &s.uid);
	if (!fault && colon)
		fault = read_part(colon + 1, &s.group, &s.has_gid, &s.gid);
	if (fault) {
		bundle_user_spec_free(&s);
		err_make(err, ERR_USAGE, "invalid user '%.300s': %s", text, fault);
		return err_hint(err, "a user is NAME or UID, or either with :GROUP or :GID");
	}
	*ret = s;
	return 0;
}

void bundle_user_spec_free(struct bundle_user_spec *s)
{
	free(s->user);
	free(s->group);
	*s = (struct bundle_user_spec){ .user = NULL };
}

void bundle_user_free(struct bundle_user *u)
{
	free(u->name);
	free(u->groups);
	free(u->home);
	free(u->shell);
	free(u->passwd);
	free(u->group);
	*u = BUNDLE_USER_INIT;
}

/* ---- the files ---- */

struct auth_file {
	struct str text;
	bool users_own; /* the user put it there: it stays as it is */
};

static void read_host(const char *path, struct str *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_err *err = NULL;

	if (fd < 0)
		return;
	if (fd_read_text(fd, FILE_MAX, ret, path, &err) < 0) {
		log_warning("%s, taking it for empty", err_text(err));
		str_truncate(ret, 0);
	}
}

/* 1.3.x has put it aside, and a link in its place: whatever lies where that leads to is a mount point. */
static bool read_put_aside(const struct bundle_user_query *q, const char *path, struct str *ret)
{
	const char *name = NULL;
	autofree char *aside = NULL, *text = NULL;
	autoclose int dirfd = q->dirfd < 0 ? -1 : fs_open_parent(q->rootfd, path, FS_IN_ROOT, &name);
	bool left;

	if (dirfd < 0)
		return false;
	text = fs_readlink(dirfd, name);
	left = text ? str_starts(text, HOST_FILES) : errno == ENOENT;
	aside = xasprintf(ORIGINALS "#etc#%s", name);
	if (left && fs_read(q->dirfd, aside, FILE_MAX, ret, FS_BENEATH) == 0)
		return true;
	str_truncate(ret, 0);
	return false;
}

/* `name` is "passwd" or "group". A missing or unusable file is an empty one. */
static void read_auth(const struct bundle_user_query *q, const char *name, struct auth_file *ret)
{
	autofree char *path = xasprintf("/etc/%s", name);
	const struct bundle_volume *v = q->volumes ? bundle_volumes_find(q->volumes, path) : NULL;

	ret->text = STR_INIT_MAX(2 * FILE_MAX);
	if (v) {
		autofree char *there = bundle_volume_host_path(v, path);

		ret->users_own = true;
		read_host(there, &ret->text);
		return;
	}
	if (q->hostauth) {
		read_host(path, &ret->text);
		return;
	}
	if (read_put_aside(q, path, &ret->text) ||
		fs_read(q->rootfd, path + 1, FILE_MAX, &ret->text, FS_IN_ROOT) == 0)
		return;
	str_truncate(&ret->text, 0);
	if (errno == EFBIG || errno == EINVAL || errno == EACCES)
		log_warning(
			"the container's %s cannot be used (%s), taking it for empty", path, strerror(errno));
}

/* ---- look-up ---- */

static int find_entry(const char *text, const struct bundle_user_spec *s, struct passwd_entry *ret)
{
	return s->user ? passwd_find_name(text, s->user, ret) : passwd_find_uid(text, s->uid, ret);
}

/* A static program has no services of names; the host's own program for asking them does. Its line is to be held to what was asked. */
static bool ask_getent(const char *database, const char *name, uint32_t id, struct str *line)
{
	autofree char *getent = proc_find("getent", host_env("PATH"));
	autofree char *base = xstrdup(database), *key = name ? xstrdup(name) : xasprintf("%u", id);
	char *argv[] = { (char[]){ "getent" }, base, key, NULL };
	struct proc_spawn how = PROC_SPAWN_INIT;
	int status = 0;

	if (!getent)
		return false;
	how.path = getent;
	how.argv = argv;
	how.fd_in = how.fd_err = PROC_NULL;
	return proc_capture(&how, ENTRY_MAX, GETENT_MS, line, &status, NULL) >= 0 && status == 0;
}

static int find_by_getent(const struct bundle_user_spec *s, struct passwd_entry *ret)
{
	auto_str line = STR_INIT_MAX(ENTRY_MAX);

	return ask_getent("passwd", s->user, s->uid, &line) ? find_entry(str_text(&line), s, ret) : 0;
}

/* Users whom the host knows from LDAP or the like (FIX-65); the text files were asked before. */
static int find_in_nss(const struct bundle_user_spec *s, struct passwd_entry *ret)
{
	char buf[ENTRY_MAX];
	struct passwd pw, *found = NULL;
	int e;

	if (s->user)
		e = getpwnam_r(s->user, &pw, buf, sizeof(buf), &found);
	else
		e = getpwuid_r(s->uid, &pw, buf, sizeof(buf), &found);
	if (e != 0 || !found)
		return find_by_getent(s, ret);
	*ret = (struct passwd_entry){ .name = xstrdup(pw.pw_name),
		.uid = pw.pw_uid,
		.gid = pw.pw_gid,
		.gecos = xstrdup(pw.pw_gecos ? pw.pw_gecos : ""),
		.home = xstrdup(pw.pw_dir ? pw.pw_dir : "/"),
		.shell = xstrdup(pw.pw_shell ? pw.pw_shell : "/bin/sh") };
	return 1;
}

/* The same for a group: by its name, or by its id where that is NULL. */
static bool find_group_in_nss(const char *name, gid_t gid, struct group_entry *ret)
{
	auto_str line = STR_INIT_MAX(ENTRY_MAX);
	char buf[ENTRY_MAX];
	struct group gr, *found = NULL;
	int e = name ? getgrnam_r(name, &gr, buf, sizeof(buf), &found)
		     : getgrgid_r(gid, &gr, buf, sizeof(buf), &found);

	if (e == 0 && found) {
		*ret = (struct group_entry){ .name = xstrdup(gr.gr_name), .gid = gr.gr_gid };
		return true;
	}
	if (!ask_getent("group", name, gid, &line))
		return false;
	return name ? passwd_find_group(str_text(&line), name, ret)
		    : passwd_find_gid(str_text(&line), gid, ret);
}

/* A name nobody has, for an id nobody knows. */
static char *free_name(const char *text, uid_t uid)
{
	autofree char *name = uid == geteuid() ? xstrdup(host_user_name()) : xasprintf("udocker%u", uid);
	struct passwd_entry e;

	if (!name_fault(name) && !is_number(name) && !passwd_find_name(text, name, &e))
		return steal_ptr(&name);
	if (!name_fault(name) && !is_number(name))
		passwd_entry_free(&e);
	return xasprintf("udocker-uid-%u", uid);
}

static void make_up(const char *text, const struct bundle_user_spec *s, struct passwd_entry *ret)
{
	bool root = s->user ? str_eq(s->user, "root") : s->uid == 0;

	*ret = (struct passwd_entry){ .uid = s->has_uid ? s->uid : root ? 0 : geteuid() };
	ret->gid = s->has_gid ? s->gid : root ? 0 : getegid();
	if (s->user)
		ret->name = xstrdup(s->user);
	else if (root)
		ret->name = xstrdup("root");
	else
		ret->name = free_name(text, s->uid);
	ret->gecos = xstrdup("*UDOCKER*");
	ret->home = xstrdup("/");
	ret->shell = xstrdup("/bin/sh");
}

static void add_line(struct str *text, const char *line)
{
	if (text->len > 0 && text->data[text->len - 1] != '\n')
		str_add_char(text, '\n');
	str_add(text, line);
}

/* A field of a line is ended by a colon or a newline: what has one cannot be written. */
static bool is_field(const char *s)
{
	return s[strcspn(s, ":\n")] == '\0';
}

static void add_entry(struct str *text, const struct passwd_entry *e)
{
	autofree char *line = NULL;

	if (!is_field(e->name) || !is_field(e->home) || !is_field(e->shell))
		return;
	line = xasprintf("%s:x:%u:%u:%s:%s:%s\n", e->name, e->uid, e->gid, is_field(e->gecos) ? e->gecos : "",
		e->home, e->shell);
	add_line(text, line);
}

static int resolve_user(const struct bundle_user_query *q, const struct bundle_user_spec *s, struct str *text,
	struct passwd_entry *ret, struct err **err)
{
	if (find_entry(str_text(text), s, ret))
		return 0;
	if (q->hostauth && find_in_nss(s, ret)) {
		add_entry(text, ret);
		return 1;
	}
	if (q->hostauth || q->containerauth) {
		const char *where = q->hostauth ? "on the host" : "in the container";

		if (s->user)
			return err_make(err, ERR_NOT_FOUND, "no user '%s' %s", s->user, where);
		return err_make(err, ERR_NOT_FOUND, "no user with id %u %s", s->uid, where);
	}
	make_up(str_text(text), s, ret);
	add_entry(text, ret);
	return 1;
}

static void add_group(struct str *text, const char *name, gid_t gid, const char *member)
{
	autofree char *line = xasprintf("%s:x:%u:%s\n", name, gid, member);

	add_line(text, line);
}

/* 1 when its line was added, since only the host's services of names know it. */
static int resolve_group(const struct bundle_user_query *q, const struct bundle_user_spec *s,
	struct str *text, gid_t *gid, struct err **err)
{
	struct group_entry g;
	bool added = false;

	if (s->has_gid) {
		*gid = s->gid;
		return 0;
	}
	if (!s->group)
		return 0;
	if (!passwd_find_group(str_text(text), s->group, &g)) {
		if (str_eq(s->group, "root")) { /* the one that needs no file */
			*gid = 0;
			return 0;
		}
		added = q->hostauth && find_group_in_nss(s->group, 0, &g);
		if (!added)
			return err_make(err, ERR_NOT_FOUND, "no group '%s' %s", s->group,
				q->hostauth ? "on the host" : "in the container");
		add_group(text, g.name, g.gid, "");
	}
	*gid = g.gid;
	group_entry_free(&g);
	return added;
}

/* --group-add: the engine says when it cannot give them. */
static int add_groups(
	const struct bundle_user_query *q, struct str *text, struct bundle_user *u, struct err **err)
{
	const struct strv *list = q->groups;
	size_t n = list ? list->n : 0;
	int added = 0;

	if (n == 0)
		return 0;
	u->groups = xcalloc(n, sizeof(*u->groups));
	for (size_t i = 0; i < n; i++) {
		struct bundle_user_spec s = { .group = list->v[i] };

		if (is_number(list->v[i])) {
			s.has_gid = num_parse_u32(list->v[i], &s.gid) == 0 && s.gid != UINT32_MAX;
			if (!s.has_gid)
				return err_make(err, ERR_USAGE, "invalid group '%s'", list->v[i]);
		}
		int r = resolve_group(q, &s, text, &u->groups[i], err);

		if (r < 0)
			return -1;
		added |= r;
		u->n_groups++;
	}
	return added;
}

static bool group_is_known(const char *text, gid_t gid)
{
	struct group_entry g;

	if (!passwd_find_gid(text, gid, &g))
		return false;
	group_entry_free(&g);
	return true;
}

static bool group_name_is_free(const char *text, const char *name)
{
	struct group_entry g;

	if (!is_field(name) || !*name)
		return false;
	if (!passwd_find_group(text, name, &g))
		return true;
	group_entry_free(&g);
	return false;
}

/* Its name on the host, if that is to be shown and is free; else `made_up` if that is, else one of its number. */
static char *group_name(const struct bundle_user_query *q, const char *text, gid_t gid, const char *made_up)
{
	struct group_entry g = { .name = NULL };
	autofree char *name = NULL;

	if (q->hostauth && find_group_in_nss(NULL, gid, &g)) {
		name = xstrdup(g.name);
		group_entry_free(&g);
		if (group_name_is_free(text, name))
			return steal_ptr(&name);
	}
	if (made_up && group_name_is_free(text, made_up))
		return xstrdup(made_up);
	return xasprintf("G%u", gid);
}

/*
 * Names for the user's group and the caller's further groups, where the program keeps them: without them a shell in the container complains
 * at every start. True if something was added.
 */
static bool complete_groups(const struct bundle_user_query *q, struct str *text, const struct passwd_entry *e)
{
	gid_t list[GROUPS_MAX];
	int n = q->own_groups ? 0 : getgroups(GROUPS_MAX, list);
	bool added = false;

	if (!group_is_known(str_text(text), e->gid)) {
		autofree char *name = group_name(q, str_text(text), e->gid, e->name);

		add_group(text, name, e->gid, "");
		added = true;
	}
	for (int i = 0; i < n; i++) {
		autofree char *name = NULL;

		if (group_is_known(str_text(text), list[i]))
			continue;
		name = group_name(q, str_text(text), list[i], NULL);
		add_group(text, name, list[i], is_field(e->name) ? e->name : "");
		added = true;
	}
	return added;
}

/* What the entry of F modes is for: the caller's true ids under a name that the container knows, or a new one. */
static void become_caller(const struct bundle_user_query *q, struct passwd_entry *e)
{
	if (!q->as_caller)
		return;
	if (e->uid == 0 && geteuid() != 0)
		log_warning("this execution mode cannot emulate root, running as uid %u", geteuid());
	e->uid = geteuid();
	e->gid = getegid();
}

static int resolve(const struct bundle_user_query *q, const struct bundle_user_spec *s,
	struct auth_file files[2], struct bundle_user *u, struct err **err)
{
	struct passwd_entry e;
	bool both_free = !files[0].users_own && !files[1].users_own, groups_added;
	int made = resolve_user(q, s, &files[0].text, &e, err), group_made, more = 0;

	if (made < 0)
		return -1;
	group_made = resolve_group(q, s, &files[1].text, &e.gid, err);
	if (group_made >= 0)
		more = add_groups(q, &files[1].text, u, err);
	if (group_made < 0 || more < 0) {
		passwd_entry_free(&e);
		return -1;
	}
	become_caller(q, &e);
	groups_added = complete_groups(q, &files[1].text, &e) || group_made || more;
	u->uid = e.uid;
	u->gid = e.gid;
	if (both_free && !q->containerauth) {
		if (made)
			u->passwd = str_steal(&files[0].text);
		if (groups_added)
			u->group = str_steal(&files[1].text);
		u->host_passwd = q->hostauth && !u->passwd;
		u->host_group = q->hostauth && !u->group;
	}
	u->name = steal_ptr(&e.name);
	u->home = e.home && e.home[0] == '/' ? steal_ptr(&e.home) : xstrdup("/");
	u->shell = e.shell && e.shell[0] == '/' ? steal_ptr(&e.shell) : xstrdup("/bin/sh");
	passwd_entry_free(&e);
	return 0;
}

int bundle_user_resolve(const struct bundle_user_query *q, struct bundle_user *ret, struct err **err)
{
	struct bundle_user_spec s = { .has_uid = true, .uid = q->as_caller ? geteuid() : 0 };
	struct auth_file files[2] = { { .users_own = false }, { .users_own = false } };
	struct bundle_user_query own = *q;
	struct bundle_user u = BUNDLE_USER_INIT;
	int r;

	if (q->user && bundle_user_parse(q->user, &s, err) < 0)
		return -1;
	/* 6.4: files that the user binds end both kinds of auth. */
	if (q->volumes && (bundle_volumes_find(q->volumes, "/etc/passwd") ||
				  bundle_volumes_find(q->volumes, "/etc/group")))
		own.hostauth = own.containerauth = false;
	read_auth(&own, "passwd", &files[0]);
	read_auth(&own, "group", &files[1]);
	r = resolve(&own, &s, files, &u, err);
	str_free(&files[0].text);
	str_free(&files[1].text);
	bundle_user_spec_free(&s);
	if (r < 0) {
		bundle_user_free(&u);
		return -1;
	}
	*ret = u;
	return 0;
}
