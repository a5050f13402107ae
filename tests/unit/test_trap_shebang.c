/* SPDX-License-Identifier: Apache-2.0 */
/* First lines of scripts, as the kernel reads them. */
#include "engines/trap/shebang.h"

#include <errno.h>
#include <stdlib.h>

#include "tests/unit/tap.h"

static int parse(const char *text, size_t n, struct shebang *ret)
{
	static char head[SHEBANG_MAX];

	memset(head, 'Z', sizeof(head)); /* what lies there from before must not matter */
	memcpy(head, text, n);
	*ret = (struct shebang){ NULL, NULL };
	return shebang_parse(head, n, ret);
}

static void is_line(const char *text, int want, const char *program, const char *argument)
{
	struct shebang s;

	ok(parse(text, strlen(text), &s) == want, "%.*s: %d", (int)strcspn(text, "\r\n"), text, want);
	if (want == 1) {
		is_str(s.program, program, "  its program");
		is_str(s.argument, argument, "  its argument");
	}
}

static void test_long(void)
{
	char text[400];
	struct shebang s;

	memset(text, 'a', sizeof(text));
	memcpy(text, "#!/", 3);
	is_int(parse(text, SHEBANG_MAX, &s), -ENOEXEC, "a program's name that does not end");
	text[200] = ' ';
	is_int(parse(text, SHEBANG_MAX, &s), 1, "a line whose argument is cut");
	is_int(strlen(s.program), 198, "  the whole name");
	is_int(strlen(s.argument), SHEBANG_MAX - 1 - 201, "  and what there is of the argument");
	memset(text + 2, ' ', sizeof(text) - 2);
	is_int(parse(text, SHEBANG_MAX, &s), -ENOEXEC, "nothing but blanks");
	memset(text, 'a', sizeof(text));
	memcpy(text, "#!/", 3);
	text[SHEBANG_MAX - 1] = '\n';
	is_int(parse(text, SHEBANG_MAX, &s), 1, "a line that just fits");
	is_int(strlen(s.program), SHEBANG_MAX - 3, "  its program");
	text[SHEBANG_MAX - 1] = ' ';
	is_int(parse(text, SHEBANG_MAX, &s), 1, "a blank as the last byte that is read");
	is_int(parse("#!/bin/x\0y z", 12, &s), 1, "a NUL in the line");
	ok(strcmp(s.program, "/bin/x") == 0 && !s.argument, "  ends it");
}

int main(void)
{
	is_line("", 0, NULL, NULL);
	is_line("#", 0, NULL, NULL);
	is_line("# !/bin/sh\n", 0, NULL, NULL);
	is_line("#!/bin/sh\n", 1, "/bin/sh", NULL);
	is_line("#!/bin/sh", 1, "/bin/sh", NULL);
	is_line("#! \t/bin/sh -e \t\nexit", 1, "/bin/sh", "-e");
	is_line("#!/usr/bin/env  -S a  b\n", 1, "/usr/bin/env", "-S a  b");
	is_line("#!/bin/sh\r\n", 1, "/bin/sh\r", NULL);
	is_line("#!/bin/sh \r\n", 1, "/bin/sh", "\r");
	is_line("#!sh\n", 1, "sh", NULL);
	is_line("#!\n", -ENOEXEC, NULL, NULL);
	is_line("#! \t \n/bin/sh\n", -ENOEXEC, NULL, NULL);
	is_line("#!", 1, "", NULL);
	test_long();
	return tap_done();
}
