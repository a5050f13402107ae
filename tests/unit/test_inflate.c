/* SPDX-License-Identifier: Apache-2.0 */
/* Decompression: every format, digests, concatenation, padding, garbage, damage, truncation, ceilings, slow pipes. */
#include "pkg/archive/inflate.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "tests/unit/compressed.h"
#include "tests/unit/mktar.h"
#include "tests/unit/tap.h"

static char pattern[PATTERN_LEN];

static int file_of(const void *p, size_t n)
{
	int fd = fd_anon("test");

	fd_write_all(fd, p, n);
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static const char *hex_of(const void *p, size_t n)
{
	static char hex[SHA_HEX_MAX + 1];

	sha_buffer(SHA_256, p, n, hex, NULL);
	return hex;
}

/* Unpack a descriptor into ret; the outcome of inflate_finish(). */
static int unpack(
	int fd, struct inflate_options o, struct str *ret, struct inflate_result *result, struct err **err)
{
	auto_inflate *in = NULL;
	const void *p;
	ssize_t n;

	o.what = "test";
	if (inflate_start(fd, &o, &in, err) < 0)
		return -1;
	while ((n = inflate_read(in, &p, err)) > 0)
		str_add_mem(ret, p, (size_t)n);
	return n < 0 ? -1 : inflate_finish(in, result, err);
}

static int unpack_mem(
	const void *p, size_t n, struct str *ret, struct inflate_result *result, struct err **err)
{
	autoclose int fd = file_of(p, n);

	return unpack(
		fd, (struct inflate_options){ .hash_input = true, .hash_plain = true }, ret, result, err);
}

static void fails_with(const void *p, size_t n, const char *text, const char *name)
{
	auto_str out = STR_INIT;
	auto_err *err = NULL;

	ok(unpack_mem(p, n, &out, NULL, &err) < 0 && err_is(err, ERR_CORRUPT), "%s is an error", name);
	if (!ok(err && strstr(err_text(err), text), "%s: says '%s'", name, text))
		printf("#  got: %s\n", err ? err_text(err) : "no error");
}

struct sample {
	enum inflate_kind kind;
	const unsigned char *p;
	size_t n;
};
static const struct sample samples[] = {
	{ INFLATE_GZIP, pattern_gzip, sizeof(pattern_gzip) },
	{ INFLATE_ZSTD, pattern_zstd, sizeof(pattern_zstd) },
	{ INFLATE_XZ, pattern_xz, sizeof(pattern_xz) },
	{ INFLATE_BZIP2, pattern_bzip2, sizeof(pattern_bzip2) },
};

static void test_formats(void)
{
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		const struct sample *s = &samples[i];
		const char *name = inflate_kind_name(s->kind);
		struct inflate_result r = { 0 };
		auto_str out = STR_INIT, twice = STR_INIT;
		autofree unsigned char *two = xmalloc(2 * s->n);
		auto_err *err = NULL;

		ok(unpack_mem(s->p, s->n, &out, &r, &err) == 0, "%s unpacks", name);
		ok(out.len == PATTERN_LEN && memcmp(out.data, pattern, PATTERN_LEN) == 0, "%s: the bytes",
			name);
		is_int(r.kind, s->kind, "the kind");
		is_int(r.plain_bytes, PATTERN_LEN, "the plain size");
		is_int(r.input_bytes, s->n, "the packed size");
		is_str(r.input_hex, hex_of(s->p, s->n), "the digest");
		is_str(r.plain_hex, hex_of(pattern, PATTERN_LEN), "the diff id");

		memcpy(two, s->p, s->n);
		memcpy(two + s->n, s->p, s->n);
		ok(unpack_mem(two, 2 * s->n, &twice, &r, NULL) == 0 && twice.len == 2 * PATTERN_LEN,
			"%s: two members in a row", name);
		fails_with(s->p, s->n - 10, "truncated", name);
		fails_with(s->p, s->n / 2, "truncated", name);
		memcpy(two, s->p, s->n);
		two[s->n * 2 / 3] ^= 0x5a;
		fails_with(two, s->n, "damaged", name);
	}
}

static void test_plain(void)
{
	struct inflate_result r;
	auto_str out = STR_INIT, big = STR_INIT;
	size_t n = (size_t)5 << 20;
	autofree char *data = xmalloc(n);

	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	data[0] = 'p';
	ok(unpack_mem(data, n, &big, &r, NULL) == 0, "plain bytes, more than the ring holds");
	ok(big.len == n && memcmp(big.data, data, n) == 0, "come through");
	is_str(r.plain_hex, hex_of(data, n), "hashed once");
	is_str(r.input_hex, r.plain_hex, "for both digests");
	ok(unpack_mem("", 0, &out, &r, NULL) == 0 && out.len == 0, "nothing is nothing");
	is_str(r.input_hex, hex_of("", 0), "with its digest");
	ok(unpack_mem("\x1f", 1, &out, &r, NULL) == 0 && out.len == 1, "one byte");
}

static void test_two_algorithms(void)
{
	autoclose int fd = file_of(pattern, PATTERN_LEN);
	struct inflate_options o = { .hash_input = true, .hash_plain = true, .input_sha = SHA_512 };
	struct inflate_result r;
	auto_str out = STR_INIT;

	ok(unpack(fd, o, &out, &r, NULL) == 0, "sha512 and sha256");
	is_int(strlen(r.input_hex), 128, "sha512 of the source");
	is_str(r.plain_hex, hex_of(pattern, PATTERN_LEN), "sha256 of the plain bytes");
}

static void test_gzip_tails(void)
{
	unsigned char buf[sizeof(pattern_gzip) + 700] = { 0 };
	struct inflate_result r;
	auto_str a = STR_INIT, b = STR_INIT;

	memcpy(buf, pattern_gzip, sizeof(pattern_gzip));
	ok(unpack_mem(buf, sizeof(buf), &a, &r, NULL) == 0 && a.len == PATTERN_LEN,
		"zeros behind gzip data are padding");
	is_str(r.input_hex, hex_of(buf, sizeof(buf)), "and belong to the digest");
	memcpy(buf + sizeof(pattern_gzip), "rubbish", 7);
	ok(unpack_mem(buf, sizeof(buf), &b, &r, NULL) == 0 && b.len == PATTERN_LEN, "garbage is ignored");
	is_str(r.input_hex, hex_of(buf, sizeof(buf)), "and belongs to the digest");
}

/* Members of every size around the reader's block, so that each boundary falls everywhere once. */
static void test_gzip_boundaries(void)
{
	auto_str g = STR_INIT, out = STR_INIT;
	autofree char *want = xmalloc((size_t)8 << 20);
	size_t n = 0;
	struct inflate_result r;

	for (size_t i = 0; i < 24; i++) {
		size_t k = 65500 + 11 * i;

		memcpy(want + n, pattern + i, k);
		gzip_stored(&g, want + n, k);
		n += k;
	}
	ok(unpack_mem(g.data, g.len, &out, &r, NULL) == 0, "members across blocks");
	ok(out.len == n && memcmp(out.data, want, n) == 0, "all bytes");
	g.data[g.len - 5] ^= 1;
	fails_with(g.data, g.len, "damaged", "a wrong checksum");
	g.data[g.len - 5] ^= 1;
	g.data[g.len - 1] ^= 1;
	fails_with(g.data, g.len, "damaged", "a wrong length");
	fails_with("\x1f\x8b\x07\0\0\0\0\0\0\0\0\0", 12, "damaged", "an unknown method");
	fails_with("\x1f\x8b\x08\x20\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20, "unknown header flags",
		"a flag of the future");
}

static void test_ceilings(void)
{
	struct inflate_options size = { .limit = { 1000, 0 } }, ratio = { .limit = { 16 << 20, 100 } };
	auto_str out = STR_INIT;
	auto_err *err = NULL;
	autoclose int a = file_of(pattern_gzip, sizeof(pattern_gzip));
	autofree char *many = xmalloc(80 * sizeof(pattern_zstd));
	int fd;

	ok(unpack(a, size, &out, NULL, &err) < 0 && err_is(err, ERR_CORRUPT),
		"more plain bytes than allowed");
	ok(err && strstr(err_text(err), "1 kB"), "the limit is named: %s", err ? err_text(err) : "");
	err_clear(&err);
	for (size_t i = 0; i < 80; i++)
		memcpy(many + i * sizeof(pattern_zstd), pattern_zstd, sizeof(pattern_zstd));
	fd = file_of(many, 80 * sizeof(pattern_zstd));
	ok(unpack(fd, ratio, &out, NULL, &err) < 0 && err && strstr(err_text(err), "bomb"),
		"a bomb is called one");
	close(fd);
	fd = file_of(many, 80 * sizeof(pattern_zstd));
	str_truncate(&out, 0);
	ok(unpack(fd, (struct inflate_options){ .limit = { 16 << 20, 100000 } }, &out, NULL, NULL) == 0,
		"unless it is allowed");
	close(fd);
}

/* "hello" with windows of 1.5 GiB and 1 GiB: whoever unpacks it is asked for that much memory. */
static void test_windows(void)
{
	static const unsigned char xz[] = { 0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00, 0x00, 0x04, 0xe6, 0xd6, 0xb4,
		0x46, 0x02, 0x00, 0x21, 0x01, 0x25, 0x00, 0x00, 0x00, 0x3b, 0x78, 0x7b, 0x41, 0x01, 0x00,
		0x04, 0x68, 0x65, 0x6c, 0x6c, 0x6f, 0x00, 0x00, 0x00, 0x00, 0xb1, 0x37, 0xb9, 0xdb, 0xe5,
		0xda, 0x1e, 0x9b, 0x00, 0x01, 0x1d, 0x05, 0xb8, 0x2d, 0x80, 0xaf, 0x1f, 0xb6, 0xf3, 0x7d,
		0x01, 0x00, 0x00, 0x00, 0x00, 0x04, 0x59, 0x5a };
	static const unsigned char zstd[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0, 0x29, 0x00, 0x00, 0x68,
		0x65, 0x6c, 0x6c, 0x6f };

	fails_with(xz, sizeof(xz), "more than 128 MiB of memory", "a large window of xz");
	fails_with(zstd, sizeof(zstd), "more than 128 MiB of memory", "a large window of zstd");
}

/* What comes in is written elsewhere too, to its end. */
static void test_copy(const unsigned char *p, size_t n, const char *name)
{
	autoclose int in = file_of(p, n), copy = file_of("", 0);
	struct inflate_options o = { .hash_input = true, .copy = true, .copy_to = copy };
	auto_str out = STR_INIT;
	char back[1024];

	ok(unpack(in, o, &out, NULL, NULL) == 0, "%s, copied", name);
	ok(fd_pread_full(copy, back, sizeof(back), 0) == (ssize_t)n && memcmp(back, p, n) == 0,
		"%s: the copy is whole", name);
}

struct slow {
	int fd;
	const unsigned char *p;
	size_t n;
};

static void *write_slowly(void *arg)
{
	struct slow *s = arg;

	for (size_t i = 0; i < s->n; i += 50) {
		fd_write_all(s->fd, s->p + i, s->n - i < 50 ? s->n - i : 50);
		usleep(500);
	}
	close(s->fd);
	return NULL;
}

static void test_pipe(void)
{
	struct inflate_options o = { .hash_plain = true };
	struct inflate *in = NULL;
	struct inflate_result r;
	auto_str out = STR_INIT;
	struct slow s;
	int ends[2];
	pthread_t t;

	fd_pipe(ends);
	s = (struct slow){ ends[1], pattern_gzip, sizeof(pattern_gzip) };
	pthread_create(&t, NULL, write_slowly, &s);
	ok(unpack(ends[0], o, &out, &r, NULL) == 0, "a slow pipe");
	is_str(r.plain_hex, hex_of(pattern, PATTERN_LEN), "the same bytes");
	is_str(r.input_hex, "", "a digest that nobody asked for is empty");
	pthread_join(t, NULL);
	close(ends[0]);

	fd_pipe(ends);
	ok(inflate_start(ends[0], &o, &in, NULL) == 0, "a pipe that says nothing");
	inflate_free(in);
	ok(true, "can be given up");
	close(ends[0]);
	close(ends[1]);
}

/* A file that another writes: some bytes more each time its end is reached. */
struct growing {
	int fd;
	const unsigned char *p;
	size_t n, at, step;
	bool fails;
};

static int grow(void *arg, struct err **err)
{
	struct growing *g = arg;
	size_t n = g->n - g->at < g->step ? g->n - g->at : g->step;

	if (!n)
		return g->fails ? err_make(err, ERR_NETWORK, "given up") : 0;
	if (pwrite(g->fd, g->p + g->at, n, (off_t)g->at) < 0)
		return err_sys(err, errno, "test");
	g->at += n;
	return 1;
}

static void test_growing(void)
{
	static const size_t steps[] = { 1, 3, 1000, 5000, 300000 };

	for (size_t i = 0; i < ARRAY_LEN(samples) * ARRAY_LEN(steps); i++) {
		const struct sample *s = &samples[i / ARRAY_LEN(steps)];
		autoclose int fd = fd_anon("test");
		struct growing g = { .fd = fd, .p = s->p, .n = s->n, .step = steps[i % ARRAY_LEN(steps)] };
		struct inflate_options o = {
			.hash_input = true, .hash_plain = true, .more = grow, .more_arg = &g, .size = s->n
		};
		struct inflate_result r;
		auto_str out = STR_INIT;
		auto_err *e = NULL;

		ok(unpack(fd, o, &out, &r, NULL) == 0 && r.input_bytes == s->n, "%s, %zu bytes at a time",
			inflate_kind_name(s->kind), g.step);
		is_str(r.plain_hex, hex_of(pattern, PATTERN_LEN), "the same bytes");
		is_str(r.input_hex, hex_of(s->p, s->n), "the same compressed bytes");
		g.n = s->n / 2;
		g.at = 0;
		g.fails = true;
		ok(ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0, "again");
		ok(unpack(fd, o, &out, &r, &e) < 0 && err_is(e, ERR_NETWORK), "given up half-way");
	}
}

static void test_finish_early(void)
{
	struct inflate_options o = { .what = "x", .hash_plain = true };
	autoclose int fd = file_of(pattern_xz, sizeof(pattern_xz));
	auto_inflate *in = NULL;
	struct inflate_result r;

	ok(inflate_start(fd, &o, &in, NULL) == 0 && inflate_finish(in, &r, NULL) == 0,
		"finish without reading");
	is_str(r.plain_hex, hex_of(pattern, PATTERN_LEN), "hashes all");
}

static void test_finish_twice(void)
{
	struct inflate_options o = { .what = "x", .hash_input = true, .hash_plain = true };
	autoclose int packed = file_of(pattern_gzip, sizeof(pattern_gzip));
	autoclose int plain = file_of(pattern, PATTERN_LEN);
	const int fds[] = { packed, plain };

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		auto_inflate *in = NULL;
		struct inflate_result once, twice;

		ok(inflate_start(fds[i], &o, &in, NULL) == 0 && inflate_finish(in, &once, NULL) == 0 &&
				inflate_finish(in, &twice, NULL) == 0,
			"finish twice");
		ok(*twice.input_hex && *twice.plain_hex, "both digests are there");
		ok(memcmp(&once, &twice, sizeof(once)) == 0, "and the same");
	}
}

/* gzip data and more zeros than anybody waits for. */
static int endless_padding(void)
{
	int fd = file_of(pattern_gzip, sizeof(pattern_gzip));

	ok(ftruncate(fd, (off_t)1 << 42) == 0, "4 TB of padding");
	return fd;
}

static void test_padding_given_up(void)
{
	struct inflate_options o = { .what = "x" };
	autoclose int fd = endless_padding();
	struct inflate *in = NULL;

	ok(inflate_start(fd, &o, &in, NULL) == 0, "padding without end");
	usleep(20000);
	inflate_free(in);
	ok(true, "can be given up");
}

/* The flag stays set: the last test. */
static void test_padding_interrupted(void)
{
	struct inflate_options o = { .what = "x", .hash_input = true };
	autoclose int fd = endless_padding();
	auto_inflate *in = NULL;
	auto_err *err = NULL;

	sig_catch_interrupts();
	ok(inflate_start(fd, &o, &in, NULL) == 0, "and again");
	usleep(20000);
	raise(SIGTERM);
	ok(inflate_finish(in, NULL, &err) < 0, "an interrupt ends it");
	is_str(err_text(err), "interrupted", "and says so");
}

static void test_bad_source(void)
{
	struct inflate_options o = { .what = "here" };
	autoclose int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_inflate *in = NULL;
	auto_err *err = NULL;

	ok(inflate_start(fd, &o, &in, &err) < 0, "a directory is refused");
}

int main(void)
{
	for (int i = 0; i < PATTERN_LEN; i++)
		pattern[i] = (char)(32 + i % 61);
	test_formats();
	test_plain();
	test_two_algorithms();
	test_gzip_tails();
	test_gzip_boundaries();
	setenv("UDOCKER_TEST_NO_ISAL", "1", 1);
	test_formats();
	test_gzip_tails();
	test_gzip_boundaries();
	unsetenv("UDOCKER_TEST_NO_ISAL");
	test_ceilings();
	test_windows();
	test_copy(pattern_zstd, sizeof(pattern_zstd), "zstd");
	test_copy((const unsigned char *)"plain", 5, "plain");
	test_pipe();
	test_growing();
	test_finish_early();
	test_finish_twice();
	test_padding_given_up();
	test_bad_source();
	test_padding_interrupted();
	return tap_done();
}
