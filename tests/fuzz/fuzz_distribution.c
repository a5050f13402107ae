/* SPDX-License-Identifier: Apache-2.0 */
/* distribution: challenges, error bodies and links from a registry stay within their limits and read as clean text. */
#include "oci-spec/distribution.h"
#include "pkg/base/mem.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void check_challenges(const char *text)
{
	auto_challenges c = { .n = 0 };

	challenges_parse(text, &c);
	challenges_parse(text, &c);
	must(c.n <= CHALLENGES_MAX);
	for (size_t i = 0; i < c.n; i++) {
		must(*c.v[i].scheme && c.v[i].params.n <= CHALLENGE_PARAMS_MAX);
		must(challenges_find(&c, c.v[i].scheme) != NULL);
		for (const char *p = c.v[i].scheme; *p; p++)
			must(*p > ' ' && *p < 0x7f && !(*p >= 'A' && *p <= 'Z'));
		for (size_t k = 0; k < c.v[i].params.n; k++)
			must(strchr(c.v[i].params.v[k], '=') != NULL);
	}
}

static void check_token(const char *text, size_t size)
{
	int64_t life = -7;
	autofree char *token = distribution_token(text, size, &life);

	must(!token || (*token && strlen(token) <= DISTRIBUTION_TOKEN_MAX));
	must(token || life == -7);
	for (const char *p = token; p && *p; p++)
		must(*p > ' ' && *p < 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmemdup(data, size);
	autofree char *error = distribution_error_text(text, size), *next = distribution_next_link(text);

	check_challenges(text);
	check_token(text, size);
	(void)distribution_error_has(text, size, "UNAUTHORIZED");
	(void)distribution_repository_is_valid(text);
	must(!error || strlen(error) <= DISTRIBUTION_TEXT_MAX + 3);
	for (const char *p = error; p && *p; p++)
		must((unsigned char)*p >= 0x20 && *p != 0x7f);
	must(!next || (*next && !strchr(next, '>')));
	return 0;
}
