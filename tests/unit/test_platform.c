/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: spellings, normal form, order of preference. */
#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "tests/unit/tap.h"

static void spelled(const char *text, const char *want)
{
	char buf[PLATFORM_TEXT_MAX];
	struct platform p;

	ok(platform_parse(text, &p, NULL) == 0, "accepted: %s", text);
	is_str(platform_text(&p, buf), want, "  its normal form");
}

static void refused(const char *text)
{
	auto_err *err = NULL;
	struct platform p;

	ok(platform_parse(text, &p, &err) < 0 && err_is(err, ERR_USAGE), "refused: '%s'", text);
}

static int rank(const char *want, const char *have, bool compat)
{
	struct platform w, h;

	if (platform_parse(want, &w, NULL) < 0 || platform_parse(have, &h, NULL) < 0)
		return -99;
	return platform_rank(&w, &h, compat);
}

int main(void)
{
	struct platform p, host, none = { .os = "" };
	auto_json *j = NULL;
	auto_err *err = NULL;
	static const char text[] = "{\"os\":\"linux\",\"architecture\":\"arm\",\"variant\":7}";

	spelled("linux/amd64", "linux/amd64");
	spelled("linux/x86_64", "linux/amd64");
	spelled("Linux/AMD64", "linux/amd64");
	spelled("aarch64", "linux/arm64");
	spelled("linux/arm64/v8", "linux/arm64");
	spelled("linux/arm", "linux/arm/v7");
	spelled("linux/arm/6", "linux/arm/v6");
	spelled("armel", "linux/arm/v6");
	spelled("armhf", "linux/arm/v7");
	spelled("i686", "linux/386"); /* FIX-44 */
	spelled("linux/ppc64le", "linux/ppc64le");
	spelled("windows/amd64", "windows/amd64");
	refused("");
	refused("/");
	refused("linux/");
	refused("linux//v8");
	refused("a/b/c/d");
	refused("linux/am d64");
	refused("linux/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");

	platform_host(&host);
	is_str(host.os, "linux", "the host is linux");
	ok(platform_parse("linux", &p, NULL) == 0 && platform_eq(&p, &host),
		"an os alone is the host's machine");

	is_int(rank("linux/amd64", "linux/amd64", true), 0, "exact");
	is_int(rank("linux/amd64", "linux/arm64", true), -1, "another machine");
	is_int(rank("linux/amd64", "windows/amd64", true), -1, "another system");
	is_int(rank("linux/amd64", "linux/386", false), -1, "no 386 unless compatible ones may come");
	ok(rank("linux/amd64", "linux/386", true) > rank("linux/amd64", "linux/amd64", true),
		"386 behind amd64");
	is_int(rank("linux/386", "linux/amd64", true), -1, "never upwards");
	ok(rank("linux/arm/v7", "linux/arm/v6", true) > rank("linux/arm/v7", "linux/arm/v7", true),
		"v6 after v7");
	ok(rank("linux/arm/v7", "linux/arm/v5", true) > rank("linux/arm/v7", "linux/arm/v6", true),
		"v5 after v6");
	is_int(rank("linux/arm/v6", "linux/arm/v7", true), -1, "v6 does not run v7");
	is_int(rank("linux/arm64", "linux/arm64/v8", true), 0, "arm64 is v8");
	ok(rank("linux/arm64", "linux/arm/v8", true) < rank("linux/arm64", "linux/arm/v7", true),
		"arm v8, then v7");
	ok(rank("linux/arm64", "linux/arm/v7", true) > rank("linux/arm64", "linux/arm64", true),
		"arm behind arm64");
	is_int(rank("linux/amd64", "linux/amd64/v3", true), -1, "amd64 does not promise v3");
	ok(rank("linux/amd64/v3", "linux/amd64", true) > 0, "v3 runs plain amd64");
	(void)platform_parse("linux/amd64", &p, NULL);
	ok(platform_rank(&p, &none, true) > 0, "an unstated platform is tolerated");

	ok(json_parse(text, sizeof(text) - 1, "x", NULL, &j, NULL) == 0, "json");
	ok(platform_from_json(j, "x", &p, &err) < 0 && strstr(err_text(err), "x.variant"),
		"wrong type names its path");
	return tap_done();
}
