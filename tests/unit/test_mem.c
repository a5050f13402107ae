/* SPDX-License-Identifier: Apache-2.0 */
/* mem: sizes that overflow abort, growth keeps the content, string tests. */
#include "pkg/base/mem.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/tap.h"

static volatile size_t huge = SIZE_MAX / 2 + 2; /* times 2 is 2 in a size_t; the compiler must not see it */

static void overflow_array(void)
{
	free(xreallocarray(NULL, huge, 2));
}

static void overflow_calloc(void)
{
	free(xcalloc(huge, 2));
}

static void overflow_dup(void)
{
	free(xmemdup("", huge * 2 - 3)); /* SIZE_MAX: no room for the NUL */
}

static void overflow_grow(void)
{
	size_t cap = 0;

	free(mem_grow(NULL, &cap, huge, 16));
}

static void aborts(void (*fn)(void), const char *name)
{
	static const struct rlimit no_core = { 0, 0 };
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		close(STDERR_FILENO);
		fn();
		_exit(0);
	}
	/* The sanitizer's allocator ends the process with a status instead of a signal. */
	ok(waitpid(pid, &status, 0) == pid && status != 0, "%s ends the process", name);
}

static void test_grow(void)
{
	size_t cap = 0;
	int *v = NULL, wrong = 0;

	for (int i = 0; i < 1000; i++) {
		v = mem_grow(v, &cap, (size_t)i + 1, sizeof(*v));
		v[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		wrong += v[i] != i;
	ok(cap >= 1000 && cap < 2048, "capacity doubles");
	is_int(wrong, 0, "the content moves along");
	free(v);
}

static void test_copies(void)
{
	autofree char *dup = xmemdup("a\0b", 3), *n = xstrndup("abcdef", 3), *shorter = xstrndup("ab", 9);
	autofree char *text = xasprintf("%s-%d", "x", 5), *copy = xstrdup_null("y");
	autofree void *empty = xmalloc(0), *zeroed = xcalloc(0, 5), *re = xrealloc(NULL, 0);

	ok(memcmp(dup, "a\0b", 4) == 0, "xmemdup adds a NUL");
	is_str(n, "abc", "xstrndup cuts");
	is_str(shorter, "ab", "xstrndup stops at the NUL");
	is_str(text, "x-5", "xasprintf");
	is_str(copy, "y", "xstrdup_null copies");
	ok(!xstrdup_null(NULL), "xstrdup_null of NULL");
	ok(empty && zeroed && re, "nothing is something");
	mem_wipe_free(NULL);
	mem_wipe_free(xstrdup("secret"));
}

static void test_tests(void)
{
	ok(str_eq("a", "a") && !str_eq("a", "b") && str_eq(NULL, NULL) && !str_eq("", NULL) &&
			!str_eq(NULL, ""),
		"str_eq");
	ok(str_starts("abc", "ab") && str_starts("abc", "") && !str_starts("ab", "abc") &&
			!str_starts(NULL, "a"),
		"str_starts");
	ok(str_ends("abc", "bc") && str_ends("abc", "") && !str_ends("bc", "abc") && !str_ends("abc", "ab") &&
			!str_ends(NULL, ""),
		"str_ends");
}

int main(void)
{
	test_grow();
	test_copies();
	test_tests();
	aborts(overflow_array, "xreallocarray");
	aborts(overflow_calloc, "xcalloc");
	aborts(overflow_dup, "xmemdup");
	aborts(overflow_grow, "mem_grow");
	return tap_done();
}
