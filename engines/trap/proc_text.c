/* SPDX-License-Identifier: Apache-2.0 */
#include "engines/trap/proc_text.h"

#include <fcntl.h>
#include <linux/memfd.h>

#include "engines/trap/mem.h"
#include "engines/trap/path.h"
#include "engines/trap/root.h"
#include "engines/trap/sys.h"

long proc_lines_open(struct proc_lines *l, int dirfd, const char *path)
{
	l->fd = SYS(openat, dirfd, path, O_RDONLY | O_CLOEXEC);
	if (l->fd < 0)
		return l->fd;
	l->buffer = buffer_take();
	l->at = l->have = 0;
	return 0;
}

static char *line_end(struct proc_lines *l)
{
	for (size_t i = l->at; i < l->have; i++)
		if (l->buffer[i] == '\n')
			return l->buffer + i;
	return NULL;
}

char *proc_lines_next(struct proc_lines *l)
{
	char *start, *end;
	long n;

	while (!(end = line_end(l))) {
		memmove(l->buffer, l->buffer + l->at, l->have - l->at);
		l->have -= l->at;
		l->at = 0;
		if (l->have == TRAP_PATH_ROOM - 1)
			break;
		n = SYS(read, l->fd, l->buffer + l->have, TRAP_PATH_ROOM - 1 - l->have);
		if (n == -EINTR)
			continue;
		if (n <= 0)
			break;
		l->have += (size_t)n;
	}
	if (l->at == l->have)
		return NULL;
	start = l->buffer + l->at;
	if (!end)
		end = l->buffer + l->have;
	l->at = (size_t)(end - l->buffer) + (l->at + (size_t)(end - start) < l->have);
	*end = '\0';
	return start;
}

void proc_lines_close(struct proc_lines *l)
{
	SYS(close, l->fd);
	buffer_give(l->buffer);
}

long proc_make(struct proc_maker *m, unsigned long flags)
{
	m->fd = SYS(memfd_create, "proc", flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
	if (m->fd < 0)
		return m->fd;
	m->buffer = buffer_take();
	m->n = 0;
	m->error = 0;
	return 0;
}

static void flush(struct proc_maker *m)
{
	size_t done = 0;

	while (done < m->n && !m->error) {
		long r = SYS(write, m->fd, m->buffer + done, m->n - done);

		if (r < 0 && r != -EINTR)
			m->error = r;
		else if (r > 0)
			done += (size_t)r;
	}
	m->n = 0;
}

void proc_put(struct proc_maker *m, const char *s, size_t n)
{
	while (n) {
		size_t room = TRAP_PATH_ROOM - m->n, now = n < room ? n : room;

		memcpy(m->buffer + m->n, s, now);
		m->n += now;
		s += now;
		n -= now;
		if (m->n == TRAP_PATH_ROOM)
			flush(m);
	}
}

void proc_put_text(struct proc_maker *m, const char *s)
{
	proc_put(m, s, strlen(s));
}

void proc_put_number(struct proc_maker *m, uint64_t v)
{
	char text[24];

	proc_put(m, text, (size_t)(text_number(text, v) - text));
}

long proc_made(struct proc_maker *m)
{
	flush(m);
	buffer_give(m->buffer);
	if (!m->error)
		m->error = SYS(lseek, m->fd, 0, SEEK_SET);
	if (m->error < 0)
		SYS(close, m->fd);
	return m->error < 0 ? m->error : m->fd;
}

const char *proc_field(const char *line, int n)
{
	while (--n) {
		while (*line && *line != ' ')
			line++;
		while (*line == ' ')
			line++;
	}
	return line;
}

static bool is_octal(const char *s)
{
	return s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' && s[3] >= '0' &&
	       s[3] <= '7';
}

size_t proc_unescape(char *to, const char *s)
{
	size_t n = 0;

	while (*s && *s != ' ' && n < TRAP_PATH_MAX - 1) {
		if (is_octal(s)) {
			to[n++] = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			to[n++] = *s++;
		}
	}
	to[n] = '\0';
	return n;
}

static bool is_among(char c, const char *which)
{
	while (*which && *which != c)
		which++;
	return *which;
}

void proc_put_escaped(struct proc_maker *m, const char *s, const char *which)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		char octal[] = { '\\', (char)('0' + (c >> 6)), (char)('0' + (c >> 3 & 7)),
			(char)('0' + (c & 7)) };

		if (is_among(*s, which))
			proc_put(m, octal, 4);
		else
			proc_put(m, s, 1);
	}
}

long proc_show_name(char *name, size_t len)
{
	static const char mark[] = " (deleted)";
	const size_t n = sizeof(mark) - 1;
	bool deleted = len > n && text_eq(name + len - n, mark);
	long r;

	if (name[0] != '/')
		return (long)len;
	if (deleted)
		name[len - n] = '\0';
	r = path_to_guest(name, deleted ? len - n : len);
	if (r >= 0 && root_is_changed) {
		long shown = root_show(name, (size_t)r);

		r = shown < 0 ? r : shown;
	}
	if (!deleted)
		return r < 0 ? (long)len : r;
	if (r < 0)
		r = (long)(len - n);
	memcpy(name + r, mark, n + 1);
	return r + (long)n;
}
