/* SPDX-License-Identifier: Apache-2.0 */
/* ld_cache: what a cache names, and caches that lie. */
#include "pkg/bundle/ld_cache.h"

#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "tests/unit/tap.h"

static const char *const prefixes[] = { "libcuda.so", NULL };

static void put32(struct str *s, uint32_t v)
{
	str_add_mem(s, &v, sizeof(v));
}

/* A cache of these paths that says it has `claimed` of them; each text is `shift` bytes from where it is. */
static void make(struct str *s, const char *const *paths, uint32_t n, uint32_t claimed, uint32_t shift)
{
	uint32_t at = 48 + 24 * n;

	str_add(s, "glibc-ld.so.cache1.1");
	put32(s, claimed);
	for (int i = 0; i < 6; i++)
		put32(s, 0);
	for (uint32_t i = 0; i < n; i++) {
		put32(s, 0x303);
		put32(s, at + shift);
		put32(s, at + shift);
		put32(s, 0);
		put32(s, 0);
		put32(s, 0);
		at += (uint32_t)strlen(paths[i]) + 1;
	}
	for (uint32_t i = 0; i < n; i++)
		str_add_mem(s, paths[i], strlen(paths[i]) + 1);
}

static char *dirs_of(const char *data, size_t n)
{
	auto_strv dirs = STRV_INIT;

	/* A copy of its own: a read behind its end is one that the sanitizer sees. */
	autofree char *exact = xmalloc(n + 1);

	memcpy(exact, data, n);
	ld_cache_dirs(exact, n, prefixes, &dirs);
	return strv_join(&dirs, " ");
}

static void test_paths(void)
{
	static const char *const paths[] = { "/usr/lib/libc.so.6", "/opt/a/libcuda.so.1", "/opt/a/libcuda.so",
		"/opt/b/libcuda.so.1", "libcuda.so.9" };
	auto_str new = STR_INIT, old = STR_INIT;
	autofree char *alone = NULL, *behind = NULL;

	make(&new, paths, 5, 5, 0);
	alone = dirs_of(str_text(&new), new.len);
	is_str(alone, "/opt/a /opt/b", "each directory once, in order");
	str_add(&old, "ld.so-1.7.0 and what glibc 2.0 read");
	str_add_mem(&old, str_text(&new), new.len);
	behind = dirs_of(str_text(&old), old.len);
	is_str(behind, "/opt/a /opt/b", "behind the older format");
}

static void test_lies(void)
{
	static const char *const paths[] = { "/opt/a/libcuda.so.1" };
	auto_str many = STR_INIT, far = STR_INIT, whole = STR_INIT;
	autofree char *a = NULL, *b = NULL, *none = dirs_of("", 0);

	make(&many, paths, 1, UINT32_MAX, 0);
	a = dirs_of(str_text(&many), many.len);
	is_str(a, "/opt/a", "a number of libraries that the file has no room for");
	make(&far, paths, 1, 1, 1U << 30);
	b = dirs_of(str_text(&far), far.len);
	is_str(b, "", "a text behind the end");
	is_str(none, "", "nothing");
	make(&whole, paths, 1, 1, 0);
	for (size_t n = 1; n < whole.len; n++) {
		autofree char *cut = dirs_of(str_text(&whole), n);

		if (*cut)
			ok(false, "cut to %zu bytes it names %s", n, cut);
	}
	ok(true, "a cache that is cut off names nothing");
}

int main(void)
{
	test_paths();
	test_lies();
	return tap_done();
}
