/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/mounts and mountinfo as they would be in a chroot with real binds: a line for the root and for each bind, made of the host's
 * mount that it lies in; and the host's mounts below them, under the guest's names.
 */
#include <fcntl.h>
#include <sys/mman.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/proc_text.h"
#include "engines/trap/root.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

#define HOST_MAX (4ul << 20) /* of address space; what is longer is cut */
#define ID_SECOND 1000000 /* of binds that lie in a mount that another one lies in too */
#define ESCAPED " \t\n\\#"
#define ID_ROOT 1 /* the parent of the root: no mount that is listed */

struct host {
	uint32_t line[TRAP_MAX_BINDS + 1]; /* where in the text the mount is that a bind lies in */
	char text[];
};

/* Where the fields of a line begin. */
struct mount {
	const char *id, *parent, *dev, *root, *point, *options, *tail;
};

static struct mount mount_parse(const char *line)
{
	struct mount m = { .id = line };
	const char **to[] = { &m.parent, &m.dev, &m.root, &m.point, &m.options };

	for (int i = 0; i < 5; i++)
		*to[i] = line = proc_field(line, 2);
	/* Optional fields end with a dash; behind it: type, source, options of the file system. */
	while (*line && *line != '-')
		line = proc_field(line, 2);
	m.tail = proc_field(line, 2);
	return m;
}

static size_t field_len(const char *s)
{
	size_t n = 0;

	while (s[n] && s[n] != ' ')
		n++;
	return n;
}

/* ---- the host's ---- */
static const char *next_line(const char *line)
{
	return line + strlen(line) + 1;
}

/* All lines, each ended by NUL, an empty one at the end. */
static struct host *host_read(void)
{
	long fd = SYS(openat, AT_FDCWD, "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC), n;
	long map = SYS(mmap, 0, HOST_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		-1, 0);
	struct host *h = (void *)map;
	size_t have = 0, room = HOST_MAX - sizeof(*h) - 2;

	if (sys_failed(map)) {
		SYS(close, fd);
		return NULL;
	}
	while (fd >= 0 && have < room && (n = SYS(read, fd, h->text + have, room - have)) > 0)
		have += (size_t)n;
	SYS(close, fd);
	for (size_t i = 0; i < have; i++)
		if (h->text[i] == '\n')
			h->text[i] = '\0';
	return h;
}

/* Does `name` lie in `dir`, or is it that? */
static bool lies_in(const char *name, const char *dir, size_t n)
{
	return n == 1 || (text_begins(name, dir) && (!name[n] || name[n] == '/'));
}

/* For each bind the deepest mount that its source lies in; the last one of equals hides the others. */
static void find_mounts(struct host *h, char *room)
{
	for (unsigned i = 0; i < trap_state->n_binds; i++) {
		const char *source = trap_bind_host(&trap_state->bind[i]);
		size_t best = 0;

		for (const char *line = h->text; *line; line = next_line(line)) {
			size_t n = proc_unescape(room, mount_parse(line).point);

			if (n >= best && lies_in(source, room, n)) {
				best = n;
				h->line[i] = (uint32_t)(line - h->text);
			}
		}
	}
}

/* ---- the guest's ---- */

static void put_id(struct proc_maker *m, const struct host *h, unsigned bind)
{
	unsigned first = 0;

	while (h->line[first] != h->line[bind])
		first++;
	if (first != bind)
		proc_put_number(m, ID_SECOND + bind);
	else
		proc_put(m, h->text + h->line[bind], field_len(h->text + h->line[bind]));
}

static unsigned bind_above(const struct trap_bind *b, char *room)
{
	size_t n = b->guest_len;
	const char *rest;

	memcpy(room, trap_bind_guest(b), n);
	while (n && room[n - 1] != '/')
		n--;
	room[n ? n - 1 : 0] = '\0';
	return (unsigned)(path_locate(room, &rest) - trap_state->bind);
}

/* "rw,…" of the mount, "ro,…" for a read-only bind. */
static void put_options(struct proc_maker *m, const struct mount *from, bool readonly)
{
	const char *o = from->options;
	size_t n = field_len(o);

	proc_put(m, readonly ? "ro" : o, n < 2 ? n : 2);
	if (n > 2)
		proc_put(m, o + 2, n - 2);
}

/* "SOURCE POINT TYPE OPTIONS 0 0": the tail has them as "TYPE SOURCE OPTIONS". */
static void put_short(struct proc_maker *m, const struct mount *from, const char *point, bool readonly)
{
	const char *source = proc_field(from->tail, 2), *options = proc_field(from->tail, 3);
	size_t n = field_len(options);

	proc_put(m, source, field_len(source));
	proc_put(m, " ", 1);
	proc_put_escaped(m, point, ESCAPED);
	proc_put(m, " ", 1);
	proc_put(m, from->tail, field_len(from->tail));
	proc_put(m, " ", 1);
	put_options(m, from, readonly);
	if (n > 2)
		proc_put(m, options + 2, n - 2);
	proc_put_text(m, " 0 0\n");
}

static void put_bind(
	struct proc_maker *m, const struct host *h, unsigned bind, bool info, char *room, char *shown)
{
	const struct trap_bind *b = &trap_state->bind[bind];
	const struct mount from = mount_parse(h->text + h->line[bind]);
	const char *below = trap_bind_host(b) + proc_unescape(room, from.point), *guest = trap_bind_guest(b);
	bool readonly = b->flags & TRAP_BIND_READONLY, top = field_len(from.root) == 1;

	if (!room[1])
		below = trap_bind_host(b) + (trap_bind_host(b)[1] ? 0 : 1);
	if (root_is_changed) {
		memcpy(shown, guest, b->guest_len + 1u);
		if (root_show(shown, b->guest_len) < 0)
			return;
		guest = shown;
	}
	if (!*guest)
		guest = "/";
	if (!info) {
		put_short(m, &from, guest, readonly);
		return;
	}
	put_id(m, h, bind);
	proc_put(m, " ", 1);
	if (b == trap_root())
		proc_put_number(m, ID_ROOT);
	else
		put_id(m, h, bind_above(b, room));
	proc_put(m, " ", 1);
	proc_put(m, from.dev, field_len(from.dev) + 1);
	if (!top || !*below)
		proc_put(m, from.root, field_len(from.root));
	proc_put_escaped(m, below, ESCAPED);
	proc_put(m, " ", 1);
	proc_put_escaped(m, guest, ESCAPED);
	proc_put(m, " ", 1);
	put_options(m, &from, readonly);
	proc_put_text(m, " - ");
	proc_put_text(m, from.tail);
	proc_put(m, "\n", 1);
}

/* A mount of the host that the guest sees below its root or a bind. */
static void put_below(struct proc_maker *m, const char *line, bool info, char *room)
{
	const struct mount from = mount_parse(line);
	const char *rest;
	long n = path_to_guest(room, proc_unescape(room, from.point));

	if (n < 0)
		return;
	path_locate(room, &rest);
	if (!*rest || root_show(room, (size_t)n) < 0)
		return;
	if (!info) {
		put_short(m, &from, room, false);
		return;
	}
	proc_put(m, line, (size_t)(from.point - line));
	proc_put_escaped(m, room, ESCAPED);
	proc_put(m, " ", 1);
	proc_put_text(m, from.options);
	proc_put(m, "\n", 1);
}

long proc_mounts(bool info, unsigned long flags)
{
	struct host *h = host_read();
	struct proc_maker m;
	unsigned n = trap_state->n_binds;
	char *room, *shown;
	long r;

	if (!h)
		return -ENOMEM;
	r = proc_make(&m, flags);
	if (r) {
		SYS(munmap, h, HOST_MAX);
		return r;
	}
	room = buffer_take();
	shown = buffer_take();
	find_mounts(h, room);
	/* Without the host's list there is nothing to make them of. */
	for (unsigned i = 0; *h->text && i < n; i++)
		put_bind(&m, h, i, info, room, shown);
	for (const char *line = h->text; *line; line = next_line(line))
		put_below(&m, line, info, room);
	buffer_give(shown);
	buffer_give(room);
	SYS(munmap, h, HOST_MAX);
	return proc_made(&m);
}
