/* SPDX-License-Identifier: Apache-2.0 */
/* Headers and error bodies of registries. */
#include "oci-spec/distribution.h"

#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

static const char *param(const struct challenges *c, const char *scheme, const char *key)
{
	const struct challenge *one = challenges_find(c, scheme);

	return one ? challenge_param(one, key) : "(no such scheme)";
}

static void test_bearer(void)
{
	auto_challenges c = { .n = 0 };

	challenges_parse("Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\","
			 "scope=\"repository:library/x:pull,push\"",
		&c);
	is_int(c.n, 1, "one challenge");
	is_str(param(&c, "bearer", "realm"), "https://auth.docker.io/token", "its realm");
	is_str(param(&c, "bearer", "service"), "registry.docker.io", "its service");
	is_str(param(&c, "bearer", "scope"), "repository:library/x:pull,push", "a comma inside quotes");
	is_str(param(&c, "bearer", "error"), NULL, "what is not there");
}

static void test_odd_places(void)
{
	auto_challenges c = { .n = 0 };

	challenges_parse(" , ,Negotiate YII/abc+==, BASIC Realm = \"a, \\\"b\\\"\" ,, bEaReR realm=x , "
			 "scope=\"\",realm=second",
		&c);
	is_int(c.n, 3, "three challenges in one line");
	ok(challenges_find(&c, "negotiate") && challenges_find(&c, "negotiate")->params.n == 0,
		"a token68 is no parameter");
	is_str(param(&c, "basic", "realm"), "a, \"b\"",
		"blanks around the equals sign, escaped quotes, a comma");
	is_str(param(&c, "bearer", "realm"), "x", "a bare value; the first of a name counts");
	is_str(param(&c, "bearer", "scope"), "", "an empty value");
}

static void test_malformed(void)
{
	auto_challenges a = { .n = 0 }, b = { .n = 0 }, c = { .n = 0 }, d = { .n = 0 };
	auto_str many = STR_INIT;

	challenges_parse("Basic realm=\"r\", Bearer realm=\"unclosed, service=x", &a);
	is_int(a.n, 2, "an unclosed quote");
	is_str(param(&a, "basic", "realm"), "r", "what came before it stays");
	is_str(param(&a, "bearer", "realm"), NULL, "what is malformed is left out");
	challenges_parse("", &b);
	challenges_parse("   ", &b);
	challenges_parse("\"quoted\"", &b);
	challenges_parse("=x", &b);
	is_int(b.n, 0, "no challenge at all");
	challenges_parse("Basic", &c);
	is_int(c.n, 1, "a scheme alone");
	challenges_parse("Digest realm=\"d\"", &c);
	is_int(c.n, 2, "two header lines");
	for (int i = 0; i < 1000; i++)
		(void)str_addf(&many, "S%d a=b,", i);
	challenges_parse(str_text(&many), &d);
	is_int(d.n, CHALLENGES_MAX, "a thousand challenges");
}

static void is_error(const char *body, const char *want, const char *name)
{
	autofree char *text = distribution_error_text(body, strlen(body));

	is_str(text, want, name);
}

static void test_errors(void)
{
	static const char denied[] = "{\"errors\":[{\"code\":\"DENIED\"}]}";
	auto_str longer = STR_INIT;
	autofree char *text = NULL;

	is_error("{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication "
		 "required\",\"detail\":[]}]}",
		"UNAUTHORIZED: authentication required", "an error of the specification");
	is_error("{\"errors\":[{\"code\":\"A\"},{\"message\":\"b\"}]}", "A; b", "two, each with a half");
	is_error("{\"details\":\"incorrect username or password\"}", "incorrect username or password",
		"a token server's");
	is_error("{\"error\":\"invalid_grant\",\"error_description\":\"no\"}", "invalid_grant: no",
		"an OAuth error");
	is_error("{\"errors\":[{\"code\":\"X\\n\",\"message\":\"\\u001b[31mred\"}]}", "X :  [31mred",
		"no control characters");
	is_error("<html>", NULL, "no JSON");
	is_error("{\"errors\":{}}", NULL, "of another shape");
	is_error("{\"errors\":[1,null,{\"code\":2}]}", NULL, "of wrong types");
	(void)str_add(&longer, "{\"message\":\"");
	(void)str_add_repeat(&longer, 'x', 5000);
	(void)str_add(&longer, "\"}");
	text = distribution_error_text(str_text(&longer), longer.len);
	is_int(strlen(text), DISTRIBUTION_TEXT_MAX + 3, "a long one is cut");
	ok(distribution_error_has(denied, strlen(denied), "DENIED"), "a code is found");
	ok(!distribution_error_has(denied, strlen(denied), "UNKNOWN"), "and another is not");
}

static void is_next(const char *header, const char *want, const char *name)
{
	autofree char *next = distribution_next_link(header);

	is_str(next, want, name);
}

static void test_links(void)
{
	is_next("</v2/_catalog?last=b&n=2>; rel=\"next\"", "/v2/_catalog?last=b&n=2", "a next page");
	is_next("<https://h/a>; rel=prev, <b>;title=\"a, b; c\" ; REL=next", "b", "behind another link");
	is_next("<a>; rel=first", NULL, "no next page");
	is_next("<a>", NULL, "no relation");
	is_next("<a; rel=next", NULL, "an unclosed target");
	is_next("<>; rel=next", NULL, "an empty target");
	is_next("garbage", NULL, "no link");
	is_next(NULL, NULL, "no header");
}

static void is_token(const char *body, const char *want, int64_t want_life, const char *name)
{
	int64_t life = -1;
	autofree char *got = distribution_token(body, strlen(body), &life);

	is_str(got, want, name);
	is_int(life, want_life, "how long it is good");
}

static void test_tokens(void)
{
	is_token("{\"token\":\"abc\",\"expires_in\":60}", "abc", 60, "a token");
	is_token("{\"access_token\":\"abc\"}", "abc", -1, "under its other name");
	is_token("{\"token\":\"\",\"access_token\":\"abc\",\"expires_in\":\"x\"}", "abc", -1,
		"an empty one does not count");
	is_token("{\"token\":\"a b\",\"expires_in\":60}", NULL, -1, "a blank");
	is_token("{\"token\":\"a\\r\\nX: y\"}", NULL, -1, "a line break");
	is_token("{\"token\":7}", NULL, -1, "a number");
	is_token("<html>", NULL, -1, "no JSON");
}

int main(void)
{
	test_tokens();
	test_bearer();
	test_odd_places();
	test_malformed();
	test_errors();
	test_links();
	ok(distribution_repository_is_valid("library/a_b-c.d"), "a repository");
	ok(!distribution_repository_is_valid("a//b") && !distribution_repository_is_valid("/a") &&
			!distribution_repository_is_valid("a/") && !distribution_repository_is_valid("A") &&
			!distribution_repository_is_valid("a b") && !distribution_repository_is_valid("") &&
			!distribution_repository_is_valid("a\033"),
		"names that are none");
	return tap_done();
}
