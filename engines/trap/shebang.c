/* SPDX-License-Identifier: Apache-2.0 */
/* The first line of a script: see shebang.h. */
#include "engines/trap/shebang.h"

#include <errno.h>
#include <stdbool.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *s, const char *end)
{
	while (s < end && is_blank(*s))
		s++;
	return s;
}

static char *skip_word(char *s, const char *end)
{
	while (s < end && *s && !is_blank(*s))
		s++;
	return s;
}

/* Where the line ends. A line that does not end in `head` is cut there, as long as the program's name is whole: something follows it. */
static char *find_end(char *head)
{
	char *last = head + SHEBANG_MAX - 1, *s = head + 2;

	while (s <= last && *s != '\n')
		s++;
	if (s <= last)
		return s;
	s = skip_word(skip_blanks(head + 2, last), last);
	return s < last || !*last || is_blank(*last) ? last : NULL;
}

int shebang_parse(char head[SHEBANG_MAX], size_t n, struct shebang *ret)
{
	char *end, *program, *rest;

	if (n < 2 || head[0] != '#' || head[1] != '!')
		return 0;
	for (size_t i = n; i < SHEBANG_MAX; i++)
		head[i] = '\0';
	end = find_end(head);
	if (!end)
		return -ENOEXEC;
	while (end > head + 2 && is_blank(end[-1]))
		end--;
	program = skip_blanks(head + 2, end);
	if (program == end)
		return -ENOEXEC;
	*end = '\0';
	rest = skip_word(program, end);
	ret->argument = NULL;
	if (rest < end && *rest) {
		*rest = '\0';
		ret->argument = skip_blanks(rest + 1, end);
	}
	ret->program = program;
	return 1;
}
