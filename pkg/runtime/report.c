/* SPDX-License-Identifier: Apache-2.0 */
/* "ok", or the kind of an error and its text. */
#include "pkg/runtime/report.h"

#include "engines/guest_init.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/str.h"
#include "pkg/runtime/launch.h"

#define STARTED "ok"

void report_write(int fd, const struct err *e)
{
	auto_str s = STR_INIT_MAX(REPORT_MAX);

	if (e && err_hint_text(e))
		(void)str_addf(&s, "%d %.1400s; %.600s", (int)err_kind(e), err_text(e), err_hint_text(e));
	else if (e)
		(void)str_addf(&s, "%d %.2000s", (int)err_kind(e), err_text(e));
	else
		(void)str_add(&s, STARTED);
	if (fd >= 0)
		(void)fd_write_all(fd, s.data, s.len); /* who waits may have been killed */
}

int report_parse(char *text, size_t n, const char *what, struct err **err)
{
	int kind, at;

	text[n] = '\0';
	if (strcmp(text, STARTED) == 0)
		return 0;
	if (n == 0 || sscanf(text, "%d %n", &kind, &at) != 1 || kind < 0 || kind > ERR_SYSTEM)
		return err_make(err, ERR_ENGINE, "%s ended while it was started", what);
	return err_make(err, (enum err_kind)kind, "%s", text + at);
}

/* The engine's own words, or none. */
static int never_came(char *text, size_t n, const char *what, struct err **err)
{
	if (n == 0)
		return err_make(err, ERR_ENGINE, "%s ended while it was started", what);
	for (size_t i = 0; i < n; i++)
		if (text[i] == '\n')
			text[i] = i + 1 < n ? ' ' : '\0';
	(void)err_make(err, ERR_ENGINE, "the engine ended before it ran the program");
	return err_hint(err, "it said: %s", text);
}

static bool is_report(const char *text)
{
	return strcmp(text, STARTED) == 0 || (*text >= '0' && *text <= '9');
}

int report_parse_start(char *text, size_t n, const char *name, const char *what, struct err **err)
{
	const char *here = memchr(text, GUEST_INIT_HERE, n);
	struct guest_init_status status;
	size_t left = here ? n - (size_t)(here + 1 - text) : 0;

	text[n] = '\0';
	if (!here)
		return is_report(text) ? report_parse(text, n, what, err) : never_came(text, n, what, err);
	if (left == 0)
		return 0;
	if (left != sizeof(status))
		return never_came(text, 0, what, err);
	memcpy(&status, here + 1, sizeof(status));
	return runtime_exec_failed(name, &status, err);
}

int report_read(int fd, const char *what, struct err **err)
{
	char text[REPORT_MAX + 1];
	ssize_t n = fd_read_full(fd, text, REPORT_MAX);

	return report_parse(text, n < 0 ? 0 : (size_t)n, what, err);
}
