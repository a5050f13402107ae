/* SPDX-License-Identifier: Apache-2.0 */
/* strv: order, termination, splitting, environments. */
#include "pkg/base/strv.h"

#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

static void holds(const struct strv *s, const char *want)
{
	autofree char *got = strv_join(s, "|");

	is_str(got, want, "holds");
	ok(!strv_argv(s)[s->n], "  and ends with NULL");
}

static void test_list(void)
{
	static const char *const more[] = { "m", "n", NULL };
	auto_strv s = STRV_INIT, copy = STRV_INIT;

	holds(&s, "");
	strv_sort(&s);
	strv_add_all(&s, NULL);
	strv_add(&s, "b");
	strv_add_owned(&s, xstrdup("a"));
	strv_addf(&s, "%d%s", 7, "x");
	strv_add_all(&s, more);
	holds(&s, "b|a|7x|m|n");
	strv_insert(&s, 0, "first");
	strv_insert(&s, 6, "last");
	strv_insert(&s, 3, "mid");
	holds(&s, "first|b|a|mid|7x|m|n|last");
	strv_remove(&s, 7);
	strv_remove(&s, 0);
	strv_remove(&s, 2);
	holds(&s, "b|a|7x|m|n");
	ok(strv_has(&s, "7x") && !strv_has(&s, "7"), "strv_has");
	strv_add(&s, "B");
	strv_add(&s, "\xc3\xa9");
	strv_sort(&s);
	holds(&s, "7x|B|a|b|m|n|\xc3\xa9");
	strv_dup(&copy, &s);
	strv_free(&s);
	holds(&copy, "7x|B|a|b|m|n|\xc3\xa9");
	strv_add(&s, "again");
	holds(&s, "again");
}

static void test_split(void)
{
	auto_strv s = STRV_INIT;

	strv_split(&s, ":a::bc, d:", ":, ");
	holds(&s, "a|bc|d");
	strv_split(&s, "", ":");
	strv_split(&s, "::", ":");
	strv_split(&s, "one", ":");
	holds(&s, "a|bc|d|one");
}

static void test_env(void)
{
	auto_strv s = STRV_INIT;

	strv_add(&s, "A=1");
	strv_add(&s, "AB=2");
	strv_add(&s, "A=3");
	strv_add(&s, "NOVALUE");
	is_str(strv_env_get(&s, "A"), "1", "the first counts, as for getenv()");
	is_str(strv_env_get(&s, "AB"), "2", "no prefix match");
	is_str(strv_env_get(&s, "NOVALUE"), NULL, "an entry without '='");
	is_str(strv_env_get(&s, "B"), NULL, "missing");
	strv_env_set(&s, "A", "x=y");
	holds(&s, "A=x=y|AB=2|NOVALUE");
	strv_env_put(&s, "AB=");
	strv_env_put(&s, "NOVALUE=now");
	strv_env_put(&s, "C=4");
	holds(&s, "A=x=y|AB=|NOVALUE=now|C=4");
	is_str(strv_env_get(&s, "AB"), "", "empty is not unset");
	strv_env_unset(&s, "A");
	strv_env_unset(&s, "nothing");
	holds(&s, "AB=|NOVALUE=now|C=4");
}

int main(void)
{
	test_list();
	test_split();
	test_env();
	return tap_done();
}
