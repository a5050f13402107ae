/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/store/file_hash.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "tests/unit/tap.h"

#define BYTES ((size_t)11 << 20) /* more than all blocks hold */

static char data[BYTES];

static int memory_file(void)
{
	return memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

static struct file_hash *begin(enum sha_kind kind, int fd, uint64_t size)
{
	struct file_hash *h = file_hash_begin(kind, fd, size, NULL);

	if (!h)
		abort();
	return h;
}

static void put(struct file_hash *h, size_t from, size_t to)
{
	if (file_hash_write(h, data + from, to - from) < 0)
		abort();
}

static uint64_t size_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? (uint64_t)st.st_size : UINT64_MAX;
}

/* It has exactly the first n bytes of `data`. */
static bool has(int fd, size_t n)
{
	char *got = malloc(n + 1);
	bool r = got && fd_pread_full(fd, got, n + 1, 0) == (ssize_t)n && memcmp(got, data, n) == 0;

	free(got);
	return r;
}

static bool is_right(struct file_hash *h, enum sha_kind kind, size_t n)
{
	char want[SHA_HEX_MAX + 1], got[SHA_HEX_MAX + 1] = "";

	return sha_buffer(kind, data, n, want, NULL) == 0 && file_hash_wait(h, got, NULL) == 0 &&
	       strcmp(got, want) == 0;
}

/* In steps of all sizes. */
static void grows(void)
{
	static const size_t steps[] = { 1000, 1000, 70000, 600000, 600001, 2000000, BYTES };
	autoclose int fd = memory_file();
	autoclose int wake = eventfd(0, EFD_CLOEXEC);
	struct pollfd p = { .fd = wake, .events = POLLIN };
	struct file_hash *h = begin(SHA_256, fd, 0);

	for (size_t i = 0, at = 0; i < ARRAY_LEN(steps); at = steps[i++])
		put(h, at, steps[i]);
	ok(!file_hash_is_settled(h), "a file that may grow is not settled");
	file_hash_settle(h, wake);
	ok(poll(&p, 1, 60000) == 1, "the eventfd is told");
	ok(file_hash_is_settled(h), "settled then");
	ok(is_right(h, SHA_256, BYTES) && has(fd, BYTES), "the digest of all that was written");
	file_hash_free(h);
}

static void flushed(void)
{
	autoclose int fd = memory_file();
	struct file_hash *h = begin(SHA_256, fd, 0);
	size_t at = 10;

	put(h, 0, 10);
	ok(size_of(fd) == 0, "small pieces are collected");
	ok(file_hash_flush(h) == 0 && has(fd, 10), "until a flush");
	ok(file_hash_flush(h) == 0 && size_of(fd) == 10, "which does nothing when there is nothing");
	for (; at < 3000000; at += 99999) {
		put(h, at, at + 99999);
		if (at % 2 && (file_hash_flush(h) < 0 || size_of(fd) != at + 99999))
			ok(false, "flushed at %zu", at);
	}
	put(h, at, 3333333);
	file_hash_settle(h, -1);
	ok(is_right(h, SHA_256, 3333333) && has(fd, 3333333), "whatever was flushed when");
	file_hash_free(h);
}

/* What is there before is hashed first, while more comes. */
static void goes_on(void)
{
	static const size_t before[] = { 1, 131072, 5000000, BYTES };

	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		autoclose int fd = memory_file();
		struct file_hash *h;

		if (fd_write_all(fd, data, before[i]) < 0)
			abort();
		h = begin(SHA_256, fd, before[i]);
		for (size_t at = before[i]; at < BYTES; at += 16384)
			put(h, at, at + 16384 < BYTES ? at + 16384 : BYTES);
		file_hash_settle(h, -1);
		ok(is_right(h, SHA_256, BYTES) && has(fd, BYTES), "behind %zu bytes", before[i]);
		file_hash_free(h);
	}
}

/* Several share the blocks, and there are more of them than blocks. */
static void many(void)
{
	struct file_hash *h[50];
	int fds[ARRAY_LEN(h)];
	bool right = true;

	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		fds[i] = memory_file();
		h[i] = begin(SHA_256, fds[i], 0);
	}
	for (size_t at = 0; at < 1500000; at += 50000)
		for (size_t i = 0; i < ARRAY_LEN(h); i++)
			put(h[i], at, at + 50000);
	for (size_t i = 0; i < ARRAY_LEN(h); i++)
		file_hash_settle(h[i], -1);
	for (size_t i = 0; i < ARRAY_LEN(h); i++) {
		right = is_right(h[i], SHA_256, 1500000) && has(fds[i], 1500000) && right;
		file_hash_free(h[i]);
		close(fds[i]);
	}
	ok(right, "many at once");
}

static void empty(void)
{
	autoclose int fd = memory_file();
	struct file_hash *h = begin(SHA_512, fd, 0);

	file_hash_settle(h, -1);
	ok(is_right(h, SHA_512, 0) && size_of(fd) == 0, "an empty file");
	file_hash_free(h);
}

static void cut(uint64_t before, const char *what)
{
	char got[SHA_HEX_MAX + 1];
	autoclose int fd = memory_file();
	auto_err *e = NULL;
	struct file_hash *h = begin(SHA_256, fd, before); /* more than there is */

	put(h, 0, 1000);
	if (file_hash_flush(h) < 0 || ftruncate(fd, 999) < 0)
		abort();
	file_hash_settle(h, -1);
	ok(file_hash_wait(h, got, &e) < 0 && strstr(err_text(e), "read it back"), "%s is an error", what);
	file_hash_free(h);
}

static void cannot_write(void)
{
	char got[SHA_HEX_MAX + 1];
	auto_err *e = NULL;
	autoclose int fd = memory_file();
	struct file_hash *h;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		abort();
	h = begin(SHA_256, fd, 0);
	put(h, 0, 1000);
	ok(file_hash_flush(h) < 0 && errno == EPERM, "a flush fails");
	ok(file_hash_write(h, data, BYTES) < 0 && errno == EPERM, "and what comes behind it");
	file_hash_settle(h, -1);
	ok(file_hash_wait(h, got, &e) < 0 && strstr(err_text(e), "write it"), "there is no digest then");
	file_hash_free(h);
}

/* At any moment, also with much left to do. */
static void stopped(void)
{
	for (int i = 0; i < 200; i++) {
		autoclose int fd = memory_file();
		struct file_hash *h;

		if (i % 4 == 3 && fd_write_all(fd, data, BYTES) < 0)
			abort();
		h = begin(SHA_256, fd, i % 4 == 3 ? BYTES : 0);
		if (i % 4)
			put(h, 0, BYTES / 4);
		if (i % 4 == 2)
			file_hash_settle(h, -1);
		file_hash_free(h);
	}
	ok(true, "stopped at any moment");
}

int main(void)
{
	for (size_t i = 0; i < BYTES; i++)
		data[i] = (char)(i * 7 + i / 1021);
	grows();
	flushed();
	goes_on();
	many();
	empty();
	cut(0, "a file that was cut");
	cut(BYTES, "one that was shorter from the beginning");
	cannot_write();
	stopped();
	file_hash_free(NULL);
	return tap_done();
}
