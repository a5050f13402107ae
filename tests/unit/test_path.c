/* SPDX-License-Identifier: Apache-2.0 */
/* path: joining, cleaning, comparing, all as text. */
#include "pkg/base/path.h"

#include "tests/unit/tap.h"

static void joins(const char *a, const char *b, const char *want)
{
	autofree char *got = path_join(a, b);

	is_str(got, want, "path_join");
}

static void cleans(const char *path, const char *want)
{
	autofree char *got = path_clean(path), *again = path_clean(got);

	is_str(got, want, path);
	is_str(again, want, "  and is clean");
}

static void splits(const char *path, const char *dir, const char *base)
{
	autofree char *got = path_dir(path);

	is_str(got, dir, "path_dir");
	is_str(path_base(path), base, "path_base");
}

static void test_below(void)
{
	ok(path_is_below("/a/b", "/a") && path_is_below("/a", "/a") && path_is_below("/a", "/"), "below");
	ok(!path_is_below("/ab", "/a") && !path_is_below("/", "/a") && !path_is_below("a", "/"), "not below");
	ok(path_is_below("a/b", "a") && !path_is_below("ab", "a"), "relative paths");
	ok(path_is_below("a", ".") && path_is_below("..a", ".") && !path_is_below("../a", ".") &&
			!path_is_below("..", ".") && !path_is_below("/a", "."),
		"below the current directory");
}

static void test_plain(void)
{
	ok(path_is_plain("a") && path_is_plain("a/b.c/..d") && path_is_plain("..."), "plain");
	ok(!path_is_plain("") && !path_is_plain("/a") && !path_is_plain("a/") && !path_is_plain("a//b") &&
			!path_is_plain(".") && !path_is_plain("a/./b") && !path_is_plain("..") &&
			!path_is_plain("a/..") && !path_is_plain("../a"),
		"not plain");
}

int main(void)
{
	joins("a", "b", "a/b");
	joins("a/", "/b", "a/b");
	joins("/", "b", "/b");
	joins("a//", "b/", "a/b/");
	joins("", "b", "b");
	joins("a", "", "a/");
	cleans("", ".");
	cleans(".", ".");
	cleans("/", "/");
	cleans("//a//b/", "/a/b");
	cleans("./a/./b/.", "a/b");
	cleans("a/b/../c", "a/c");
	cleans("a/..", ".");
	cleans("/a/..", "/");
	cleans("/..", "/");
	cleans("/../../a", "/a");
	cleans("../a", "../a");
	cleans("a/../../b", "../b");
	cleans("../../a/..", "../..");
	cleans("..a/...", "..a/...");
	splits("a", ".", "a");
	splits("a/b", "a", "b");
	splits("a//b", "a", "b");
	splits("/a", "/", "a");
	splits("//a", "/", "a");
	splits("/a/b/", "/a/b", "");
	splits("/", "/", "");
	test_below();
	test_plain();
	return tap_done();
}
