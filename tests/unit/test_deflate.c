/* SPDX-License-Identifier: Apache-2.0 */
/* What is compressed comes back as it was, at every size around the borders of blocks; the bytes do not depend on how the input is cut. */
#include "pkg/archive/deflate.h"

#include "pkg/archive/hasher.h"
#include "pkg/archive/inflate.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

#define BLOCK ((size_t)512 << 10) /* of deflate_gzip.c */

static int collect(void *arg, const void *p, size_t n, struct err **err UNUSED)
{
	return str_add_mem(arg, p, n);
}

static int refuse(void *arg, const void *p UNUSED, size_t n UNUSED, struct err **err)
{
	int *calls = arg;

	return ++*calls > 1 ? err_make(err, ERR_SYSTEM, "full") : 0;
}

/* Compressed in pieces of `step` bytes. */
static bool compress(enum inflate_kind kind, const char *p, size_t n, size_t step, struct str *ret)
{
	auto_deflate *d = NULL;

	ret->max = (size_t)64 << 20;
	if (deflate_start(kind, collect, ret, &d, NULL) < 0)
		return false;
	for (size_t at = 0; at < n; at += step)
		if (deflate_data(d, p + at, n - at < step ? n - at : step, NULL) < 0)
			return false;
	return deflate_end(d, NULL) == 0;
}

static bool comes_back(const struct str *packed, const char *p, size_t n)
{
	const struct inflate_options o = { .what = "packed" };
	int fd = fd_anon("packed");
	auto_inflate *in = NULL;
	const void *q;
	size_t at = 0;
	ssize_t got;

	fd_write_all(fd, packed->data, packed->len);
	lseek(fd, 0, SEEK_SET);
	if (inflate_start(fd, &o, &in, NULL) < 0)
		return false;
	while ((got = inflate_read(in, &q, NULL)) > 0) {
		if (at + (size_t)got > n || memcmp(p + at, q, (size_t)got) != 0)
			return false;
		at += (size_t)got;
	}
	inflate_free(steal_ptr(&in));
	close(fd);
	return got == 0 && at == n;
}

static void test_sizes(const char *data)
{
	static const size_t sizes[] = { 0, 1, 32767, 32769, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK,
		5 * BLOCK + 7 };
	static const enum inflate_kind kinds[] = { INFLATE_PLAIN, INFLATE_GZIP, INFLATE_ZSTD };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
			auto_str one = STR_INIT, other = STR_INIT;

			ok(compress(kinds[k], data, sizes[i], BLOCK, &one), "%s: %zu bytes",
				inflate_kind_name(kinds[k]), sizes[i]);
			ok(comes_back(&one, data, sizes[i]), "they come back");
			ok(compress(kinds[k], data, sizes[i], 4093, &other) && other.len == one.len &&
					(!one.len || memcmp(one.data, other.data, one.len) == 0),
				"however the input is cut");
		}
}

static void test_dictionary(void)
{
	const size_t n = 4 * BLOCK;
	auto_str packed = STR_INIT;
	autofree char *data = xmalloc(n);

	/* What repeats across the border of two blocks is found there. */
	for (size_t i = 0; i < n; i++)
		data[i] = (char)((i % 20000) * 2654435761U >> 11);
	ok(compress(INFLATE_GZIP, data, n, BLOCK, &packed) && comes_back(&packed, data, n), "a long period");
	ok(packed.len < 60000, "is compressed well: %zu bytes", packed.len);
}

static void test_failures(const char *data)
{
	static const enum inflate_kind kinds[] = { INFLATE_GZIP, INFLATE_ZSTD };

	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct deflate *d = NULL;
		auto_err *err = NULL;
		int calls = 0, r = 0;

		ok(deflate_start(kinds[k], refuse, &calls, &d, NULL) == 0, "a sink that is full");
		for (int i = 0; r == 0 && i < 100; i++)
			r = deflate_data(d, data, 5 * BLOCK, &err);
		ok(r < 0 && err && strcmp(err_text(err), "full") == 0, "says so");
		deflate_free(d);
	}
	auto_err *err = NULL;
	struct deflate *d = NULL;
	ok(deflate_start(INFLATE_XZ, refuse, NULL, &d, &err) < 0 && err_is(err, ERR_UNSUPPORTED),
		"nothing in xz");
}

static void test_hasher(const char *data)
{
	static const size_t steps[] = { 1000, 40000, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		auto_hasher *h = hasher_begin(SHA_256, NULL);
		char got[SHA_HEX_MAX + 1], want[SHA_HEX_MAX + 1];
		const size_t n = 3 * BLOCK;

		for (size_t at = 0; at < n; at += steps[i])
			hasher_update(h, data + at, n - at < steps[i] ? n - at : steps[i]);
		hasher_finish(h, got);
		sha_buffer(SHA_256, data, n, want, NULL);
		is_str(got, want, "a digest beside the caller's work");
	}
	hasher_free(hasher_begin(SHA_512, NULL));
	hasher_free(NULL);
}

int main(void)
{
	const size_t n = 6 * BLOCK;
	autofree char *data = xmalloc(n);
	uint64_t x = 1;

	/* Half of it noise, half of it text. */
	for (size_t i = 0; i < n; i++) {
		x = x * 6364136223846793005ULL + 1442695040888963407ULL;
		data[i] = i / 4096 % 2 ? (char)(x >> 56) : "some text that repeats "[i % 23];
	}
	test_sizes(data);
	test_dictionary();
	test_failures(data);
	test_hasher(data);
	return tap_done();
}
