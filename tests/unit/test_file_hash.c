/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/store/file_hash.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "tests/unit/tap.h"

#define BYTES ((size_t)3 << 20)

static char data[BYTES];

static int memory_file(void)
{
	return memfd_create("test", MFD_CLOEXEC);
}

static void put(int fd, size_t from, size_t to)
{
	if (fd_write_all(fd, data + from, to - from) < 0)
		abort();
}

/* In steps of all sizes, with what is there before the hash begins. */
static void grows(void)
{
	static const size_t steps[] = { 1000, 1000, 70000, 600000, 600001, 2000000, BYTES };
	char want[SHA_HEX_MAX + 1], got[SHA_HEX_MAX + 1] = "";
	autoclose int fd = memory_file();
	autoclose int wake = eventfd(0, EFD_CLOEXEC);
	struct pollfd p = { .fd = wake, .events = POLLIN };
	struct file_hash *h = file_hash_begin(SHA_256, fd, NULL);

	for (size_t i = 0, at = 0; i < ARRAY_LEN(steps); at = steps[i++]) {
		put(fd, at, steps[i]);
		file_hash_grow(h, steps[i]);
	}
	ok(!file_hash_is_settled(h), "a file that may grow is not settled");
	file_hash_settle(h, wake);
	ok(poll(&p, 1, 60000) == 1, "the eventfd is told");
	ok(file_hash_is_settled(h), "settled then");
	ok(sha_buffer(SHA_256, data, BYTES, want, NULL) == 0 && file_hash_wait(h, got, NULL) == 0 &&
			strcmp(got, want) == 0,
		"the digest of all that was written");
	file_hash_free(h);
}

static void empty(void)
{
	char want[SHA_HEX_MAX + 1], got[SHA_HEX_MAX + 1] = "";
	autoclose int fd = memory_file();
	struct file_hash *h = file_hash_begin(SHA_512, fd, NULL);

	file_hash_settle(h, -1);
	ok(sha_buffer(SHA_512, "", 0, want, NULL) == 0 && file_hash_wait(h, got, NULL) == 0 &&
			strcmp(got, want) == 0,
		"an empty file");
	file_hash_free(h);
}

static void cut(void)
{
	char got[SHA_HEX_MAX + 1];
	autoclose int fd = memory_file();
	auto_err *e = NULL;
	struct file_hash *h = file_hash_begin(SHA_256, fd, NULL);

	put(fd, 0, 1000);
	file_hash_grow(h, BYTES); /* more than there is: as if somebody had cut it */
	file_hash_grow(h, BYTES);
	file_hash_settle(h, -1);
	ok(file_hash_wait(h, got, &e) < 0 && strstr(err_text(e), "read it back"),
		"a file that was cut is an error");
	file_hash_free(h);
}

/* At any moment, also with much left to do. */
static void stopped(void)
{
	for (int i = 0; i < 200; i++) {
		autoclose int fd = memory_file();
		struct file_hash *h = file_hash_begin(SHA_256, fd, NULL);

		put(fd, 0, BYTES);
		if (i % 3)
			file_hash_grow(h, BYTES);
		if (i % 3 == 2)
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
	empty();
	cut();
	stopped();
	file_hash_free(NULL);
	return tap_done();
}
