/* SPDX-License-Identifier: Apache-2.0 */
/* Tar archives made in memory, without the library that is to read them: whatever a test wants to be in a header, it gets. */
#ifndef UDOCKER_TEST_MKTAR_H
#define UDOCKER_TEST_MKTAR_H

#include <stdint.h>
#include <stdio.h>

#include "pkg/base/mem.h"
#include "pkg/base/str.h"

#define TAR_MAX ((size_t)1 << 30)

struct tar_member {
	char type; /* '0' … '7', 'x', 'L' … */
	const char *name, *link;
	unsigned mode;
	uint64_t size; /* as the header has it */
	int64_t mtime;
	unsigned major, minor, uid, gid;
};

static inline void tar_header(struct str *t, const struct tar_member *m)
{
	char h[512] = { 0 };
	unsigned sum = 0;

	memcpy(h, m->name, strnlen(m->name, 100));
	snprintf(h + 100, 8, "%07o", m->mode);
	snprintf(h + 108, 8, "%07o", m->uid);
	snprintf(h + 116, 8, "%07o", m->gid);
	snprintf(h + 124, 12, "%011llo", (unsigned long long)m->size);
	snprintf(h + 136, 12, "%011llo", (unsigned long long)m->mtime);
	h[156] = m->type;
	if (m->link)
		memcpy(h + 157, m->link, strnlen(m->link, 100));
	memcpy(h + 257, "ustar\00000", 8);
	snprintf(h + 329, 8, "%07o", m->major);
	snprintf(h + 337, 8, "%07o", m->minor);
	memset(h + 148, ' ', 8);
	for (size_t i = 0; i < sizeof(h); i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	if (!t->max)
		t->max = TAR_MAX;
	str_add_mem(t, h, sizeof(h));
}

static inline void tar_body(struct str *t, const void *p, size_t n)
{
	str_add_mem(t, p, n);
	str_add_repeat(t, 0, (512 - n % 512) % 512);
}

/* Anything without a body. */
static inline void tar_entry(struct str *t, char type, const char *name, const char *link, unsigned mode)
{
	tar_header(t, &(struct tar_member){
			      .type = type, .name = name, .link = link, .mode = mode, .mtime = 1000000000 });
}

static inline void tar_dir(struct str *t, const char *name, unsigned mode)
{
	tar_entry(t, '5', name, NULL, mode);
}

static inline void tar_file(struct str *t, const char *name, unsigned mode, const char *text)
{
	tar_header(t,
		&(struct tar_member){
			.type = '0', .name = name, .mode = mode, .size = strlen(text), .mtime = 1000000000 });
	tar_body(t, text, strlen(text));
}

/* A PAX record for the entry that follows. */
static inline void tar_pax(struct str *t, const char *key, const void *value, size_t n)
{
	struct str body = { .max = TAR_MAX };
	size_t base = strlen(key) + n + 3, len = base + 1;
	char digits[24];

	while (len != base + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = base + (size_t)snprintf(digits, sizeof(digits), "%zu", len);
	str_addf(&body, "%zu %s=", len, key);
	str_add_mem(&body, value, n);
	str_add_char(&body, '\n');
	tar_header(t, &(struct tar_member){ .type = 'x', .name = "pax", .mode = 0644, .size = body.len });
	tar_body(t, body.data, body.len);
	str_free(&body);
}

static inline void tar_end(struct str *t)
{
	str_add_repeat(t, 0, 1024);
}

/* gzip by stored blocks alone. */
static inline uint32_t tar_crc32(const unsigned char *p, size_t n)
{
	uint32_t c = ~(uint32_t)0;

	while (n--) {
		c ^= *p++;
		for (int k = 0; k < 8; k++)
			c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
	}
	return ~c;
}

static inline void gzip_stored(struct str *g, const void *data, size_t n)
{
	const unsigned char *p = data;
	uint32_t crc = tar_crc32(p, n), len = (uint32_t)n;

	if (!g->max)
		g->max = TAR_MAX;
	str_add_mem(g, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
	do {
		size_t k = n < 65535 ? n : 65535;
		unsigned char h[5] = { k == n, k & 255, (unsigned char)(k >> 8), ~k & 255,
			(unsigned char)(~k >> 8) };

		str_add_mem(g, h, 5);
		str_add_mem(g, p, k);
		p += k;
		n -= k;
	} while (n);
	str_add_mem(g, &crc, 4); /* both little endian, as the machines are that this runs on */
	str_add_mem(g, &len, 4);
}

#endif
