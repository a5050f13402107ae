/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives by recipe: a fuzzer that changes bytes of a tar breaks its checksums and digests, one that changes a text does not. A line is an entry:
 * a letter, a name, and behind a tab what belongs to it.
 *
 *   f NAME\tCONTENT   d NAME   l NAME\tTARGET   h NAME\tTARGET   p NAME   c NAME   ? NAME (type of its first letter)
 *   x KEY\tVALUE (a PAX record for the next entry)   m OCTAL (mode of those that follow)   s BYTES (size that the next header claims)
 *   t NAME … .        a tar of the lines up to the one with a dot, as a file;   z NAME … .   the same in gzip
 *
 * In content and names @A is the SHA-256 of the first file's content in hexadecimal, @B of the second …, and #A its size.
 */
#ifndef UDOCKER_FUZZ_RECIPE_H
#define UDOCKER_FUZZ_RECIPE_H

#include "pkg/base/num.h"
#include "pkg/base/sha256.h"
#include "pkg/base/str.h"
#include "tests/unit/mktar.h"

#define RECIPE_FILES 26
#define RECIPE_INNER 8
#define RECIPE_MAX ((size_t)1 << 20)

struct recipe {
	const char *at, *end;
	struct {
		char hex[SHA_HEX_MAX + 1];
		size_t size;
	} files[RECIPE_FILES];
	size_t n_files;
	struct str inner[RECIPE_INNER]; /* what t and z made, in order */
	size_t n_inner;
};

struct recipe_state { /* of one tar */
	unsigned mode;
	bool lies;
	uint64_t size;
};

static inline void recipe_expand(const struct recipe *r, const char *p, size_t n, struct str *ret)
{
	for (size_t i = 0; i < n; i++) {
		size_t file = i + 1 < n ? (size_t)(p[i + 1] - 'A') : RECIPE_FILES;

		if ((p[i] != '@' && p[i] != '#') || file >= r->n_files) {
			if (p[i])
				str_add_char(ret, p[i]);
			continue;
		}
		if (p[i] == '@')
			str_add(ret, r->files[file].hex);
		else
			str_addf(ret, "%zu", r->files[file].size);
		i++;
	}
}

static inline void recipe_file(struct recipe *r, struct str *t, const struct recipe_state *st,
	const char *name, const struct str *content)
{
	if (r->n_files < RECIPE_FILES) {
		if (sha_buffer(SHA_256, str_text(content), content->len, r->files[r->n_files].hex, NULL) < 0)
			abort();
		r->files[r->n_files++].size = content->len;
	}
	tar_header(t, &(struct tar_member){ .type = '0',
			      .name = name,
			      .mode = st->mode,
			      .size = st->lies ? st->size : content->len,
			      .mtime = 1 });
	tar_body(t, str_text(content), content->len);
}

/* One line of an entry without lines below it. */
static inline void recipe_entry(
	struct recipe *r, struct str *t, struct recipe_state *st, char kind, const char *p, size_t n)
{
	const char *tab = memchr(p, '\t', n);
	size_t name_len = tab ? (size_t)(tab - p) : n;
	auto_str name = STR_INIT_MAX(RECIPE_MAX), rest = STR_INIT_MAX(RECIPE_MAX);

	recipe_expand(r, p, name_len, &name);
	if (tab)
		recipe_expand(r, tab + 1, n - name_len - 1, &rest);
	/* A name that no header can hold goes into a PAX record. */
	if (name.len > 100 && strchr("fdlhpc?", kind))
		tar_pax(t, "path", str_text(&name), name.len);
	switch (kind) {
	case 'f':
		recipe_file(r, t, st, str_text(&name), &rest);
		break;
	case 'd':
	case 'l':
	case 'h':
	case 'p':
	case 'c':
		tar_entry(t, "52163"[strchr("dlhpc", kind) - "dlhpc"], str_text(&name), str_text(&rest),
			st -> mode);
		break;
	case '?':
		tar_entry(t, *str_text(&name), str_text(&name), str_text(&rest), st->mode);
		break;
	case 'x':
		tar_pax(t, str_text(&name), str_text(&rest), rest.len);
		return;
	case 'm':
		(void)num_parse_octal(str_text(&name), 07777, &st->mode); /* or as before */
		return;
	case 's':
		st->lies = num_parse_u64(str_text(&name), ((uint64_t)1 << 33) - 1, &st->size) == 0;
		return;
	default:
		return;
	}
	st->lies = false;
}

/* Lines up to a dot, or to the end, into t. */
static inline void recipe_lines(struct recipe *r, struct str *t, int depth)
{
	struct recipe_state st = { .mode = 0644 };

	t->max = RECIPE_MAX;
	while (r->at < r->end) {
		const char *line = r->at, *eol = memchr(line, '\n', (size_t)(r->end - line));
		size_t n = (size_t)((eol ? eol : r->end) - line);

		r->at = eol ? eol + 1 : r->end;
		if (n == 1 && *line == '.')
			break;
		if (n < 2)
			continue;
		if ((*line == 't' || *line == 'z') && depth < 3) {
			auto_str tar = STR_INIT, packed = STR_INIT_MAX(RECIPE_MAX),
				 name = STR_INIT_MAX(RECIPE_MAX);

			recipe_lines(r, &tar, depth + 1);
			tar_end(&tar);
			if (*line == 'z')
				gzip_stored(&packed, str_text(&tar), tar.len);
			recipe_expand(r, line + 2, n - 2, &name);
			recipe_file(r, t, &st, str_text(&name), *line == 'z' ? &packed : &tar);
			if (r->n_inner < RECIPE_INNER)
				r->inner[r->n_inner++] = *line == 'z' ? packed : tar;
			else
				str_free(*line == 'z' ? &packed : &tar);
			if (*line == 'z')
				packed = STR_INIT;
			else
				tar = STR_INIT;
		} else {
			recipe_entry(r, t, &st, *line, line + 2, n - 2);
		}
	}
}

/* Freed by recipe_free(); the archive goes into ret. */
static inline void recipe_make(struct recipe *r, const void *text, size_t n, struct str *ret)
{
	*r = (struct recipe){ .at = text, .end = (const char *)text + n };
	recipe_lines(r, ret, 0);
	tar_end(ret);
}

static inline void recipe_free(struct recipe *r)
{
	for (size_t i = 0; i < r->n_inner; i++)
		str_free(&r->inner[i]);
}

#endif
