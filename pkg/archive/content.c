/* SPDX-License-Identifier: Apache-2.0 */
/* Blocks that hold anything but zeros are hashed, each behind its number. */
#include "pkg/archive/content.h"

#include <errno.h>
#include <sys/stat.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/sha256.h"
#include "pkg/base/sig.h"

#define READ_BYTES ((size_t)128 << 10)

int content_begin(struct content *c, struct err **err)
{
	c->begun = false;
	c->sha = sha_begin(SHA_256, err);
	return c->sha ? 0 : -1;
}

static void add_block(struct content *c, uint64_t index, const unsigned char *p)
{
	if (p[0] == 0 && memcmp(p, p + 1, CONTENT_BLOCK - 1) == 0)
		return;
	sha_update(c->sha, &index, sizeof(index));
	sha_update(c->sha, p, CONTENT_BLOCK);
}

static void flush(struct content *c)
{
	if (c->begun)
		add_block(c, c->index, c->block);
	c->begun = false;
}

void content_add(struct content *c, uint64_t offset, const void *p, size_t n)
{
	const unsigned char *from = p;

	while (n) {
		size_t at = (size_t)(offset % CONTENT_BLOCK), part = CONTENT_BLOCK - at;

		if (part > n)
			part = n;
		if (c->begun && c->index != offset / CONTENT_BLOCK)
			flush(c);
		if (!c->begun && part == CONTENT_BLOCK) {
			add_block(c, offset / CONTENT_BLOCK, from);
		} else {
			if (!c->begun)
				memset(c->block, 0, sizeof(c->block));
			c->begun = true;
			c->index = offset / CONTENT_BLOCK;
			memcpy(c->block + at, from, part);
		}
		from += part;
		offset += part;
		n -= part;
	}
}

void content_end(struct content *c, char ret[CONTENT_LEN])
{
	char hex[SHA_HEX_MAX + 1];

	flush(c);
	sha_finish(c->sha, hex);
	memcpy(ret, hex, CONTENT_LEN);
	content_drop(c);
}

void content_drop(struct content *c)
{
	sha_free(c->sha);
	c->sha = NULL;
}

/* From one hole to the next; a file system that does not tell has none. */
static int add_data(struct content *c, int fd, unsigned char *buffer, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint64_t want = end - at < READ_BYTES ? end - at : READ_BYTES;
		ssize_t n = fd_pread_full(fd, buffer, (size_t)want, (off_t)at);

		if (sig_interrupted())
			errno = EINTR;
		if (n < 0 || sig_interrupted())
			return -1;
		if (n == 0)
			return 0;
		content_add(c, at, buffer, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static int add_file(struct content *c, int fd, unsigned char *buffer)
{
	struct stat st;
	off_t end = 0;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_blocks >= st.st_size / 512)
		return add_data(c, fd, buffer, 0, (uint64_t)st.st_size);
	while (end < st.st_size) {
		off_t from = end, data = lseek(fd, from, SEEK_DATA);

		if (data < 0 && errno == ENXIO)
			return 0;
		end = data < 0 ? -1 : lseek(fd, data, SEEK_HOLE);
		if (end < 0) {
			data = from;
			end = st.st_size;
		}
		if (add_data(c, fd, buffer, (uint64_t)data, (uint64_t)end) < 0)
			return -1;
	}
	return 0;
}

int content_of_file(int fd, char ret[CONTENT_LEN], struct err **err)
{
	autofree unsigned char *buffer = xmalloc(READ_BYTES);
	CLEANUP(content_drop) struct content c = { .sha = NULL };

	if (content_begin(&c, err) < 0)
		return -1;
	if (add_file(&c, fd, buffer) < 0)
		return err_sys(err, errno, "read");
	content_end(&c, ret);
	return 0;
}
