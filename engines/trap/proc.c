/* SPDX-License-Identifier: Apache-2.0 */
/* Magic links of /proc and files that tell of ids and mappings: see proc.h. */
#include "engines/trap/proc.h"

#include <fcntl.h>
#include <sys/resource.h>

#include "engines/trap/exec.h"
#include "engines/trap/ids.h"
#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/proc_text.h"
#include "engines/trap/root.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

/* What a made-up file may need; who may write less would get a signal for it. */
#define PROC_FILE_MAX (16ul << 20)

/* "PID/leaf" and "PID/task/TID/leaf": the leaf, or NULL. */
static const char *leaf_of(const char *rest, int *ret_pid)
{
	unsigned long pid, tid;

	if (!text_to_number(&rest, INT32_MAX, &pid) || *rest++ != '/')
		return NULL;
	*ret_pid = (int)pid;
	if (!text_begins(rest, "task/"))
		return rest;
	rest += 5;
	if (!text_to_number(&rest, INT32_MAX, &tid) || *rest++ != '/')
		return NULL;
	return rest;
}

/* The leaf of a canonical guest name in a procfs. */
static const char *leaf_of_name(const char *name, int *ret_pid)
{
	const char *rest = name + 6;

	if (!text_begins(name, "/proc/"))
		path_locate(name, &rest);
	return leaf_of(rest, ret_pid);
}

/* Is it the link to the program of a process that runs in this engine: our image? */
static bool is_image(const char *target, long n)
{
	char *own = buffer_take();
	long r = SYS(readlinkat, AT_FDCWD, "/proc/self/exe", own, TRAP_PATH_MAX);
	bool same = r == n && !memcmp(own, target, (size_t)n);

	buffer_give(own);
	return same;
}

static bool is_of_image(const char *line)
{
	unsigned long start = 0;

	for (; *line && *line != '-'; line++)
		start = start << 4 | (unsigned)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
	return start >= TRAP_BASE && start < TRAP_BASE + TRAP_SPAN;
}

/* The lowest file that a process has mapped, but for our image, is its program: it is placed so. */
static long program_of(int pid, char *target)
{
	struct proc_lines l;
	char path[32], *line;
	long r;

	memcpy(path, "/proc/", 6);
	memcpy(text_number(path + 6, (unsigned long)pid), "/maps", 6);
	r = proc_lines_open(&l, AT_FDCWD, path);
	if (r)
		return r;
	r = -ENOENT;
	while (r == -ENOENT && (line = proc_lines_next(&l))) {
		const char *name = proc_field(line, 6);
		size_t n = strlen(name);

		if (*name != '/' || n >= TRAP_PATH_MAX || is_of_image(line))
			continue;
		memcpy(target, name, n + 1);
		r = (long)n;
	}
	proc_lines_close(&l);
	return r;
}

/* The program of `pid` as the guest names it; -ENOENT if it has no name for it. */
static long exe_of(int pid, char *target, long n)
{
	long r = n;

	if (is_image(target, n))
		r = program_of(pid, target);
	return r < 0 ? r : path_to_guest(target, (size_t)r);
}

static bool is_own(int pid)
{
	return pid == (int)SYS(getpid) || pid == (int)SYS(gettid);
}

static bool is_name(const char *target, long n)
{
	static const char mark[] = " (deleted)";
	const long m = sizeof(mark) - 1;

	return target[0] == '/' && !text_begins(target, "/memfd:") &&
	       !(n > m && text_eq(target + n - m, mark));
}

static bool is_translated(const char *leaf)
{
	return text_eq(leaf, "cwd") || text_begins(leaf, "fd/") || text_begins(leaf, "map_files/");
}

long proc_link(const char *name, char *target, long n)
{
	int pid;
	const char *leaf = leaf_of_name(name, &pid);
	size_t root_len;
	long r;

	if (!leaf)
		return n;
	target[n] = '\0';
	if (text_eq(leaf, "exe")) {
		if (is_own(pid))
			return PROC_LINK_EXE;
		r = exe_of(pid, target, n);
	} else if (text_eq(leaf, "root")) {
		const char *root = root_name(&root_len);

		memcpy(target, root_len ? root : "/", root_len ? root_len + 1 : 2);
		return root_len ? (long)root_len : 1;
	} else if (is_translated(leaf)) {
		r = is_name(target, n) ? path_to_guest(target, (size_t)n) : -ENOENT;
	} else {
		return n;
	}
	return r < 0 ? PROC_LINK_MAGIC : r;
}

/* As the kernel does, what lies outside of the process's root as it is. */
static long show(char *name, long n)
{
	long r = root_show(name, (size_t)n);

	return r < 0 ? n : r;
}

long proc_readlink(const char *name, char *target, long n)
{
	int pid;
	const char *leaf = leaf_of_name(name, &pid);

	if (!leaf)
		return n;
	target[n] = '\0';
	if (text_eq(leaf, "exe")) {
		const char *own = is_own(pid) ? exec_program() : NULL;
		long r = own ? (long)strlen(own) : exe_of(pid, target, n);

		if (own)
			memcpy(target, own, (size_t)r + 1);
		return r < 0 ? n : show(target, r);
	}
	if (text_eq(leaf, "root")) {
		target[0] = '/';
		return 1;
	}
	return is_translated(leaf) ? proc_show_name(target, (size_t)n) : n;
}

/* ---- maps and smaps ---- */

/* "START-END …" as opposed to smaps' "Name: …". */
static bool is_mapping(const char *line)
{
	while ((*line >= '0' && *line <= '9') || (*line >= 'a' && *line <= 'f'))
		line++;
	return *line == '-';
}

static void put_maps(struct proc_maker *m, struct proc_lines *l)
{
	char *room = buffer_take(), *line;

	while ((line = proc_lines_next(l))) {
		const char *name = is_mapping(line) ? proc_field(line, 6) : "";
		size_t n = strlen(name);

		if (*name == '/' && n < TRAP_PATH_MAX) {
			memcpy(room, name, n + 1);
			proc_put(m, line, (size_t)(name - line));
			proc_put(m, room, (size_t)proc_show_name(room, n));
		} else {
			proc_put_text(m, line);
		}
		proc_put(m, "\n", 1);
	}
	buffer_give(room);
}

/* A name ends at a blank here, and has its own ones as numbers. */
static void put_numa_maps(struct proc_maker *m, struct proc_lines *l)
{
	char *room = buffer_take();
	const char *line;

	while ((line = proc_lines_next(l))) {
		const char *name = proc_field(line, 3);
		size_t n;

		if (text_begins(name, "file=/")) {
			name += 5;
			proc_put(m, line, (size_t)(name - line));
			n = proc_unescape(room, name);
			(void)proc_show_name(room, n);
			proc_put_escaped(m, room, "\n\t= ");
			while (*name && *name != ' ')
				name++;
			line = name;
		}
		proc_put_text(m, line);
		proc_put(m, "\n", 1);
	}
	buffer_give(room);
}

/* ---- status ---- */
static void put_hex(struct proc_maker *m, uint64_t v)
{
	char text[16];

	for (int i = 0; i < 16; i++)
		text[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
	proc_put(m, text, sizeof(text));
}

/* "Uid:" and "Gid:" of a process whose ids are not known: as stat shows owners. */
static void put_shown(struct proc_maker *m, const char *numbers, bool uids)
{
	unsigned long v;

	while (*numbers == '\t' || *numbers == ' ') {
		proc_put(m, numbers++, 1);
		if (text_to_number(&numbers, UINT32_MAX, &v))
			proc_put_number(m, uids ? ids_show_uid((uint32_t)v) : ids_show_gid((uint32_t)v));
	}
}

static void put_four(struct proc_maker *m, const uint32_t id[4])
{
	for (int i = 0; i < 4; i++) {
		proc_put(m, "\t", 1);
		proc_put_number(m, id[i]);
	}
}

static const char *after(const char *line, const char *name)
{
	return text_begins(line, name) ? line + strlen(name) : NULL;
}

/* A line about ids; false: it is about something else. `e` NULL: not known. */
static bool put_ids(struct proc_maker *m, const char *line, const struct ids *e)
{
	static const char caps[IDS_CAP_SETS][8] = { "CapEff:", "CapPrm:", "CapInh:", "CapBnd:", "CapAmb:" };
	const char *rest;

	if ((rest = after(line, "Uid:")) || (rest = after(line, "Gid:"))) {
		proc_put(m, line, 4);
		if (e)
			put_four(m, line[0] == 'U' ? e->uid : e->gid);
		else
			put_shown(m, rest, line[0] == 'U');
		return true;
	}
	if (e && after(line, "Groups:")) {
		proc_put_text(m, "Groups:\t");
		for (uint32_t i = 0; i < e->n_groups; i++) {
			proc_put_number(m, e->group[i]);
			proc_put(m, " ", 1);
		}
		return true;
	}
	for (int i = 0; e && i < IDS_CAP_SETS; i++)
		if (after(line, caps[i])) {
			proc_put(m, caps[i], 7);
			proc_put(m, "\t", 1);
			put_hex(m, e->cap[i]);
			return true;
		}
	return false;
}

static bool put_security(struct proc_maker *m, const char *line, const struct ids *e)
{
	const char *rest;
	unsigned long n;

	if (!e)
		return false;
	if (after(line, "NoNewPrivs:")) {
		proc_put_text(m, e->no_new_privs ? "NoNewPrivs:\t1" : "NoNewPrivs:\t0");
		return true;
	}
	if (after(line, "Seccomp:")) {
		proc_put_text(m, e->filtered ? "Seccomp:\t2" : "Seccomp:\t0");
		return true;
	}
	rest = after(line, "Seccomp_filters:\t");
	if (rest && text_to_number(&rest, UINT32_MAX, &n) && n) {
		proc_put_text(m, "Seccomp_filters:\t");
		proc_put_number(m, e->filtered ? n - 1 : 0); /* one is the engine's */
		return true;
	}
	return false;
}

static void put_status(struct proc_maker *m, struct proc_lines *l, int pid)
{
	struct ids e, *known = ids_peek(pid, &e) ? &e : NULL;
	char *line;

	while ((line = proc_lines_next(l))) {
		if (!(trap_has(TRAP_IDS) && put_ids(m, line, known)) && !put_security(m, line, known))
			proc_put_text(m, line);
		proc_put(m, "\n", 1);
	}
}

static long make_from(const char *name, const char *leaf, int pid, unsigned long flags)
{
	const char *rest;
	const struct trap_bind *b = path_locate(name, &rest);
	struct proc_lines l;
	struct proc_maker m;
	long r = proc_lines_open(&l, b->fd, rest);

	if (r)
		return r;
	r = proc_make(&m, flags);
	if (!r) {
		if (text_eq(leaf, "status"))
			put_status(&m, &l, pid);
		else if (text_eq(leaf, "numa_maps"))
			put_numa_maps(&m, &l);
		else
			put_maps(&m, &l);
		r = proc_made(&m);
	}
	proc_lines_close(&l);
	return r;
}

static bool may_write_enough(void)
{
	struct rlimit limit;

	return SYS(prlimit64, 0, RLIMIT_FSIZE, NULL, &limit) || limit.rlim_cur >= PROC_FILE_MAX;
}

long proc_open(const char *name, unsigned long flags)
{
	int pid;
	const char *leaf = leaf_of_name(name, &pid);
	bool info;

	if (!leaf || flags & (O_ACCMODE | O_PATH | O_DIRECTORY))
		return PROC_NOT_MINE;
	info = text_eq(leaf, "mountinfo");
	if (info || text_eq(leaf, "mounts"))
		return may_write_enough() ? proc_mounts(info, flags) : PROC_NOT_MINE;
	if (text_eq(leaf, "status") || text_eq(leaf, "maps") || text_eq(leaf, "smaps") ||
		text_eq(leaf, "numa_maps"))
		return may_write_enough() ? make_from(name, leaf, pid, flags) : PROC_NOT_MINE;
	return PROC_NOT_MINE;
}
