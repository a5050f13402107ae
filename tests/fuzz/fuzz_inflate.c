/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed data: the two decoders of gzip must agree on what is in it and on what is damaged; the others must not harm. */
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "pkg/archive/inflate.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/str.h"

#define PLAIN_MAX ((size_t)1 << 20)

/* -1 when it is damaged; what came out before counts in any case. */
static int unpack(const void *p, size_t n, struct inflate_result *result, struct str *ret)
{
	const struct inflate_options o = {
		.what = "data", .hash_input = true, .hash_plain = true, .limit = { .size = PLAIN_MAX }
	};
	autoclose int fd = fd_anon("data");
	auto_inflate *in = NULL;
	auto_err *err = NULL;
	const void *block;
	ssize_t r;

	ret->max = PLAIN_MAX;
	if (fd < 0 || fd_write_all(fd, p, n) < 0 || lseek(fd, 0, SEEK_SET) < 0 ||
		inflate_start(fd, &o, &in, &err) < 0)
		abort();
	while ((r = inflate_read(in, &block, &err)) > 0)
		if (str_add_mem(ret, block, (size_t)r) < 0)
			abort(); /* more than allowed */
	if (r == 0 && inflate_finish(in, result, &err) == 0)
		return 0;
	if (!err_is(err, ERR_CORRUPT) || strchr(err_text(err), '\n'))
		abort();
	return -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct inflate_result a, b;
	auto_str one = STR_INIT, two = STR_INIT;
	int r;

	log_set_level(LOG_LEVEL_ERROR);
	r = unpack(data, size, &a, &one);
	if (r == 0 && (a.plain_bytes != one.len || a.input_bytes != size))
		abort();
	if (inflate_detect(data, size) != INFLATE_GZIP)
		return 0;
	setenv("UDOCKER_TEST_NO_ISAL", "1", 1);
	if (unpack(data, size, &b, &two) != r)
		abort();
	unsetenv("UDOCKER_TEST_NO_ISAL");
	if (r == 0 && (one.len != two.len || memcmp(str_text(&one), str_text(&two), one.len) != 0))
		abort();
	return 0;
}
