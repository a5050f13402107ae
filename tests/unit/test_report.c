/* SPDX-License-Identifier: Apache-2.0 */
/* What a process that stays behind reports, and what who waits for it makes of that. */
#include "pkg/runtime/report.h"

#include <errno.h>

#include "engines/guest_init.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "tests/unit/tap.h"

static int through(const struct err *e, struct err **ret)
{
	int ends[2], r;

	if (fd_pipe(ends) < 0)
		return -2;
	report_write(ends[1], e);
	close(ends[1]);
	r = report_read(ends[0], "it", ret);
	close(ends[0]);
	return r;
}

static void test_through(void)
{
	auto_err *e = NULL, *got = NULL, *hinted = NULL, *again = NULL, *longest = NULL, *cut = NULL;
	char text[REPORT_MAX * 2];

	ok(through(NULL, NULL) == 0, "that it has worked");
	(void)err_make(&e, ERR_DENIED, "exec: \"x\": permission denied");
	ok(through(e, &got) == -1 && err_is(got, ERR_DENIED), "the kind of an error");
	is_str(err_text(got), err_text(e), "its text");
	(void)err_make(&hinted, ERR_BUSY, "it is busy");
	(void)err_hint(&hinted, "come back");
	ok(through(hinted, &again) == -1 && strstr(err_text(again), "come back"), "its hint");
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	(void)err_make(&longest, ERR_ENGINE, "%s", text);
	ok(through(longest, &cut) == -1 && err_is(cut, ERR_ENGINE) && strlen(err_text(cut)) > 1000,
		"of a long one the beginning");
}

static void test_nonsense(void)
{
	static const char *const words[] = { "", "o", "okay", "x y", "-1 no", "99 no" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		auto_err *e = NULL;
		char text[REPORT_MAX + 1];
		size_t n = strlen(words[i]);

		memcpy(text, words[i], n + 1);
		ok(report_parse(text, n, "it", &e) == -1 && err_is(e, ERR_ENGINE), "'%s' is no report",
			words[i]);
	}
}

/* A process that has become the program says less. */
static int alone(const char *text, const struct guest_init_status *status, struct err **ret)
{
	char buf[REPORT_MAX + 1];
	size_t n = strlen(text);

	memcpy(buf, text, n);
	if (status) {
		memcpy(buf + n, status, sizeof(*status));
		n += sizeof(*status);
	}
	return report_parse_start(buf, n, "prog", "it", ret);
}

static void test_alone(void)
{
	static const char here[] = { GUEST_INIT_HERE, '\0' };
	struct guest_init_status absent = { GUEST_INIT_STAGE_EXEC, ENOENT },
				 cwd = { GUEST_INIT_STAGE_CWD, ENOTDIR };
	auto_err *e = NULL, *f = NULL, *g = NULL, *h = NULL, *i = NULL;

	ok(alone("ok", NULL, NULL) == 0, "one that is supervised");
	ok(alone(here, NULL, NULL) == 0, "one that is the program");
	ok(alone(here, &absent, &e) == -1 && err_is(e, ERR_NOT_FOUND) && strstr(err_text(e), "\"prog\""),
		"one that is not there");
	ok(alone(here, &cwd, &f) == -1 && err_is(f, ERR_SYSTEM) && strstr(err_text(f), "working directory"),
		"one that could not be prepared");
	ok(alone("2 no\n", NULL, &g) == -1 && strstr(err_text(g), "no"), "a report");
	ok(alone("engine: cannot\ndo it\n", NULL, &h) == -1 && err_is(h, ERR_ENGINE),
		"the engine's own words");
	is_str(err_hint_text(h), "it said: engine: cannot do it", "on one line");
	ok(alone("", NULL, &i) == -1 && err_is(i, ERR_ENGINE), "nothing");
}

int main(void)
{
	test_through();
	test_nonsense();
	test_alone();
	return tap_done();
}
