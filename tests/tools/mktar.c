/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mktar: writes tar headers exactly as told, so that a test can make what no honest tar program makes. One entry or
 * setting a line on stdin, words separated by blanks, C escapes (\n \t \s for a space, \\ \xHH \ooo) in each; the archive
 * on stdout. Lines that are empty or start with # are passed over.
 *
 *   dir PATH [MODE]          file PATH [MODE [CONTENT…]]   zeros PATH MODE SIZE
 *   link PATH TARGET         hard PATH TARGET              fifo PATH [MODE]
 *   char PATH MAJOR MINOR    block PATH MAJOR MINOR        raw-size PATH SIZE [CONTENT…]   a header that lies
 *   pax KEY=VALUE            gpax KEY=VALUE                bytes TEXT                      as it is, unpadded
 *   uid N  gid N  uname X  gname X  mtime N                hold until they are changed; numbers may be negative
 *   typeflag X  bad-checksum  no-magic                     for the next entry only
 *   gnu-name TEXT  gnu-link TEXT                           the next entry's long name as GNU tar writes it
 *   pax-raw TEXT             text of the next entry's pax header, as it is
 *   end                      two blocks of zeros
 *   repeat N LINE            that line N times, each {} in it replaced by 0 to N-1
 *
 * A path of more than 100 bytes goes into the prefix if it can be split at a slash, else into a pax record of its own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 512
#define WORDS 64
#define TEXT_MAX ((size_t)4 << 20) /* of one line's content, of the pax records of one entry */

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100];
	char magic[6], version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a tar header is one block");

struct text {
	char *p;
	size_t n;
};

/* One entry to be written. */
struct entry {
	struct text path, target, data;
	char type;
	unsigned mode;
	int64_t size, major, minor;
};

static struct {
	int64_t uid, gid, mtime;
	char uname[32], gname[32];
	char type; /* of the next entry, 0: its own */
	bool bad_sum, no_magic;
	char pax[TEXT_MAX]; /* records for the next entry */
	size_t pax_len;
} set;

static long line_number;

static void fail(const char *why)
{
	fprintf(stderr, "mktar: line %ld: %s\n", line_number, why);
	exit(2);
}

static void emit(const void *p, size_t n)
{
	if (n && fwrite(p, 1, n, stdout) != n) {
		perror("mktar: write");
		exit(1);
	}
}

static void emit_zeros(uint64_t n)
{
	static const char zeros[BLOCK];

	for (; n > BLOCK; n -= BLOCK)
		emit(zeros, BLOCK);
	emit(zeros, (size_t)n);
}

static void emit_padding(uint64_t n)
{
	emit_zeros((BLOCK - n % BLOCK) % BLOCK);
}

/* Octal with a NUL, or base 256 where that is too small or the number negative. */
static void put_number(char *field, size_t width, int64_t v)
{
	char digits[32];

	if (v >> (3 * (width - 1)) == 0) {
		snprintf(digits, sizeof(digits), "%0*llo", (int)width - 1, (unsigned long long)v);
		memcpy(field, digits, width);
		return;
	}
	for (size_t i = width; i-- > 0; v >>= 8)
		field[i] = (char)(v & 255);
	field[0] = (char)((unsigned char)field[0] | 0x80);
}

/* As long as it fits without a NUL; a longer one is cut. */
static void put_text(char *field, size_t width, const char *p, size_t n)
{
	memcpy(field, p, n < width ? n : width);
}

static void put_sum(struct header *h)
{
	unsigned sum = 0;

	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < BLOCK; i++)
		sum += ((const unsigned char *)h)[i];
	snprintf(h->sum, sizeof(h->sum), "%06o", (sum + set.bad_sum) & 0777777);
	h->sum[7] = ' ';
}

static void add_pax(const char *key, const char *value, size_t n)
{
	char *out = set.pax + set.pax_len;
	size_t body = strlen(key) + n + 3, total = body + 1, room = sizeof(set.pax) - set.pax_len;

	/* The length counts itself. */
	while (total != body + (size_t)snprintf(NULL, 0, "%zu", total))
		total = body + (size_t)snprintf(NULL, 0, "%zu", total);
	if (total >= room)
		fail("too many pax records");
	out += snprintf(out, room, "%zu %s=", total, key);
	memcpy(out, value, n);
	out[n] = '\n';
	set.pax_len += total;
}

/* A long path: split it at a slash into prefix and name, or describe it in a pax record. */
static void put_path(struct header *h, struct text path)
{
	if (path.n <= sizeof(h->name)) {
		put_text(h->name, sizeof(h->name), path.p, path.n);
		return;
	}
	for (size_t at = path.n < sizeof(h->prefix) ? path.n - 1 : sizeof(h->prefix); at > 0; at--) {
		if (path.p[at] != '/' || path.n - at - 1 > sizeof(h->name) || at + 1 == path.n)
			continue;
		put_text(h->prefix, sizeof(h->prefix), path.p, at);
		put_text(h->name, sizeof(h->name), path.p + at + 1, path.n - at - 1);
		return;
	}
	add_pax("path", path.p, path.n);
	put_text(h->name, sizeof(h->name), path.p, path.n);
}

static void emit_header(struct header *h, char type, int64_t size)
{
	put_number(h->size, sizeof(h->size), size);
	h->type = type;
	if (!set.no_magic)
		memcpy(h->magic,
			"ustar\0"
			"00",
			8);
	put_sum(h);
	emit(h, BLOCK);
}

static void emit_pax(char type)
{
	struct header h = { .name = "PaxHeader" };
	size_t n = set.pax_len;

	if (!n)
		return;
	put_number(h.mode, sizeof(h.mode), 0644);
	put_number(h.uid, sizeof(h.uid), 0);
	put_number(h.gid, sizeof(h.gid), 0);
	put_number(h.mtime, sizeof(h.mtime), 0);
	emit_header(&h, type, (int64_t)n);
	emit(set.pax, n);
	emit_padding(n);
	set.pax_len = 0;
}

static void emit_gnu_long(char type, struct text name)
{
	struct header h = { .name = "././@LongLink" };

	put_number(h.mode, sizeof(h.mode), 0644);
	emit_header(&h, type, (int64_t)name.n + 1);
	emit(name.p, name.n);
	emit_zeros(1);
	emit_padding(name.n + 1);
}

static void emit_entry(const struct entry *e)
{
	struct header h = { 0 };

	put_path(&h, e->path);
	if (e->target.n > sizeof(h.link))
		add_pax("linkpath", e->target.p, e->target.n);
	put_text(h.link, sizeof(h.link), e->target.p ? e->target.p : "", e->target.n);
	emit_pax('x');
	put_number(h.mode, sizeof(h.mode), e->mode);
	put_number(h.uid, sizeof(h.uid), set.uid);
	put_number(h.gid, sizeof(h.gid), set.gid);
	put_number(h.mtime, sizeof(h.mtime), set.mtime);
	put_number(h.major, sizeof(h.major), e->major);
	put_number(h.minor, sizeof(h.minor), e->minor);
	put_text(h.uname, sizeof(h.uname), set.uname, strlen(set.uname));
	put_text(h.gname, sizeof(h.gname), set.gname, strlen(set.gname));
	emit_header(&h, set.type ? set.type : e->type, e->size);
	set.type = '\0';
	set.bad_sum = set.no_magic = false;
}

/* ---- the lines ------------------------------------------------------------------------------------------------ */

static int escape(const char **from)
{
	static const char names[] = "nrtsabefv0", values[] = "\n\r\t \a\b\033\f\v";
	const char *p = *from, *known;
	char number[4] = "";
	int digits = *p == 'x' ? 2 : 3, skip = *p == 'x';

	if (*p == 'x' || (*p >= '0' && *p <= '7')) {
		for (int i = 0; i < digits && p[skip] &&
				strchr(skip ? "0123456789abcdefABCDEF" : "01234567", p[skip]);
			i++)
			number[i] = *(p++ + skip);
		*from = p + skip;
		return (int)strtol(number, NULL, skip ? 16 : 8) & 255;
	}
	(*from)++;
	known = *p ? strchr(names, *p) : NULL;
	return known ? values[known - names] : *p;
}

/* Resolve the escapes in place. */
static struct text unescape(char *word)
{
	struct text t = { word, 0 };
	const char *p = word;

	while (*p) {
		int c = (unsigned char)*p++;

		if (c == '\\' && *p)
			c = escape(&p);
		t.p[t.n++] = (char)c;
	}
	return t;
}

static size_t split(char *line, struct text *words, char **raw)
{
	size_t n = 0;

	for (char *p = line; n < WORDS;) {
		p += strspn(p, " \t");
		if (!*p)
			break;
		raw[n] = p;
		p += strcspn(p, " \t");
		if (*p)
			*p++ = '\0';
		words[n] = unescape(raw[n]);
		words[n].p[words[n].n] = '\0';
		n++;
	}
	return n;
}

static int64_t number(const struct text *t, int base)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(t->p, &end, base);
	if (errno || *end || end == t->p)
		fail("not a number");
	return v;
}

/* The words from `at` on as they were: one blank between them. */
static struct text rest_of(const struct text *words, size_t n, size_t at)
{
	static char buf[TEXT_MAX];
	struct text t = { buf, 0 };

	for (size_t i = at; i < n; i++) {
		if (t.n + words[i].n + 1 >= sizeof(buf))
			fail("too much content");
		if (i > at)
			buf[t.n++] = ' ';
		memcpy(buf + t.n, words[i].p, words[i].n);
		t.n += words[i].n;
	}
	return t;
}

/* One of the settings; false if it is none. */
static bool do_setting(const char *what, struct text *w, size_t n)
{
	char *eq;

	if (strcmp(what, "bad-checksum") == 0)
		return set.bad_sum = true;
	if (strcmp(what, "no-magic") == 0)
		return set.no_magic = true;
	if (strcmp(what, "pax") == 0 || strcmp(what, "gpax") == 0) {
		w[1] = rest_of(w, n, 1);
		w[1].p[w[1].n] = '\0';
		eq = strchr(w[1].p, '=');
		if (n < 2 || !eq)
			fail("KEY=VALUE expected");
		*eq++ = '\0';
		add_pax(w[1].p, eq, w[1].n - (size_t)(eq - w[1].p));
		if (*what == 'g')
			emit_pax('g');
		return true;
	}
	if (strcmp(what, "pax-raw") == 0) {
		w[1] = rest_of(w, n, 1);
		memcpy(set.pax, w[1].p, w[1].n);
		set.pax_len = w[1].n;
		return true;
	}
	if (n != 2)
		return false;
	if (strncmp(what, "gnu-", 4) == 0)
		emit_gnu_long(what[4] == 'n' ? 'L' : 'K', w[1]);
	else if (strcmp(what, "uid") == 0)
		set.uid = number(&w[1], 10);
	else if (strcmp(what, "gid") == 0)
		set.gid = number(&w[1], 10);
	else if (strcmp(what, "mtime") == 0)
		set.mtime = number(&w[1], 10);
	else if (strcmp(what, "uname") == 0)
		snprintf(set.uname, sizeof(set.uname), "%s", w[1].p);
	else if (strcmp(what, "gname") == 0)
		snprintf(set.gname, sizeof(set.gname), "%s", w[1].p);
	else if (strcmp(what, "typeflag") == 0)
		set.type = w[1].p[0];
	else
		return false;
	return true;
}

static bool do_entry(const char *what, const struct text *w, size_t n)
{
	struct entry e = { .path = w[1], .mode = 0644 };

	if (n < 2)
		return false;
	if (strcmp(what, "dir") == 0 || strcmp(what, "fifo") == 0) {
		e.type = *what == 'd' ? '5' : '6';
		e.mode = n > 2 ? (unsigned)number(&w[2], 8) : *what == 'd' ? 0755 : 0644;
	} else if (strcmp(what, "file") == 0 || strcmp(what, "raw-size") == 0) {
		e.type = '0';
		e.data = rest_of(w, n, 3);
		e.size = *what == 'r' && n > 2 ? number(&w[2], 10) : (int64_t)e.data.n;
		e.mode = *what == 'f' && n > 2 ? (unsigned)number(&w[2], 8) : 0644;
	} else if (strcmp(what, "zeros") == 0 && n == 4) {
		e.type = '0';
		e.mode = (unsigned)number(&w[2], 8);
		e.size = number(&w[3], 10);
	} else if ((strcmp(what, "link") == 0 || strcmp(what, "hard") == 0) && n == 3) {
		e.type = *what == 'l' ? '2' : '1';
		e.mode = *what == 'l' ? 0777 : 0644;
		e.target = w[2];
	} else if ((strcmp(what, "char") == 0 || strcmp(what, "block") == 0) && n == 4) {
		e.type = *what == 'c' ? '3' : '4';
		e.major = number(&w[2], 10);
		e.minor = number(&w[3], 10);
	} else {
		return false;
	}
	emit_entry(&e);
	if (*what == 'z')
		emit_zeros((uint64_t)e.size);
	emit(e.data.p, e.data.n);
	emit_padding(*what == 'z' ? (uint64_t)e.size : e.data.n);
	return true;
}

static void do_line(char *line);

/* The line with each {} replaced by the counter. */
static void do_numbered(const char *line, long long i)
{
	size_t room = strlen(line) * 10 + 1, n = 0; /* a {} becomes 20 digits at most */
	char *copy = malloc(room);

	if (!copy)
		fail("no memory");
	for (const char *p = line; *p;) {
		if (p[0] == '{' && p[1] == '}') {
			n += (size_t)snprintf(copy + n, room - n, "%lld", i);
			p += 2;
		} else {
			copy[n++] = *p++;
		}
	}
	copy[n] = '\0';
	do_line(copy);
	free(copy);
}

/* repeat N LINE */
static void do_repeat(const char *rest)
{
	char *line;
	long long n = strtoll(rest, &line, 10);

	if (line == rest || *line++ != ' ')
		fail("repeat N LINE expected");
	for (long long i = 0; i < n; i++)
		do_numbered(line, i);
}

static void do_line(char *line)
{
	struct text words[WORDS], content;
	char *raw[WORDS];
	size_t n;

	if (strncmp(line, "repeat ", 7) == 0) {
		do_repeat(line + 7);
		return;
	}
	n = split(line, words, raw);

	if (n == 0 || *raw[0] == '#')
		return;
	if (strcmp(raw[0], "end") == 0 && n == 1)
		emit_zeros(2 * BLOCK);
	else if (strcmp(raw[0], "bytes") == 0) {
		content = rest_of(words, n, 1);
		emit(content.p, content.n);
	} else if (!do_setting(raw[0], words, n) && !do_entry(raw[0], words, n))
		fail("not understood");
}

int main(int argc, char **argv)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t n;

	if (argc > 1) {
		fprintf(stderr, "%s: takes lines on stdin, no arguments; see the head of its source\n",
			argv[0]);
		return 2;
	}
	while ((n = getline(&line, &cap, stdin)) >= 0) {
		line_number++;
		if (n && line[n - 1] == '\n')
			line[n - 1] = '\0';
		do_line(line);
	}
	free(line);
	return fflush(stdout) ? 1 : 0;
}
