/* SPDX-License-Identifier: Apache-2.0 */
/* "ok", or the kind of an error and its text. */
#include "pkg/runtime/report.h"

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/str.h"

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

int report_read(int fd, const char *what, struct err **err)
{
	char text[REPORT_MAX + 1];
	ssize_t n = fd_read_full(fd, text, REPORT_MAX);

	return report_parse(text, n < 0 ? 0 : (size_t)n, what, err);
}
