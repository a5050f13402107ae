/* SPDX-License-Identifier: Apache-2.0 */
/* Which mappings hold code that may be changed. */
#include "engines/trap/text_map.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tests/unit/tap.h"

/* start_x86_64.S is no part of this build. */
long guest_copy(void *to, const void *from, size_t n);
long guest_copy_string(char *to, const char *from, size_t size);
long guest_copy(void *to, const void *from, size_t n)
{
	memcpy(to, from, n);
	return 0;
}

long guest_copy_string(char *to, const char *from, size_t size)
{
	strncat(to, from, size - 1);
	return (long)strlen(to);
}

static void is_code(const char *line, int want)
{
	struct text_range r;

	is_int(text_map_parse(line, &r), want, line);
}

int main(void)
{
	struct text_range r;
	void *jit = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int here = 0;

	is_code("7f00aa026000-7f00aa17c000 r-xp 00026000 fe:01 1234 /usr/lib/libc.so.6", 1);
	ok(text_map_parse("7f00aa026000-7f00aa17c000 r-xp 00026000 fe:01 1234 /x", &r) &&
			r.from == 0x7f00aa026000ul && r.to == 0x7f00aa17c000ul,
		"its range");
	is_code("7f00aa026000-7f00aa17c000 r--p 00026000 fe:01 1234 /usr/lib/libc.so.6", 0);
	is_code("7f00aa026000-7f00aa17c000 rwxp 00026000 fe:01 1234 /usr/lib/libc.so.6", 0);
	is_code("7f00aa026000-7f00aa17c000 r-xs 00026000 fe:01 1234 /memfd:jit", 0);
	is_code("7f00aa026000-7f00aa17c000 r-xp 00000000 00:00 0 ", 0);
	is_code("7ffd0000-7ffd1000 r-xp 00000000 00:00 0 [vdso]", 0);
	is_code("", 0);
	is_code("garbage", 0);
	ok(text_map_find((uintptr_t)&is_code, &r) && r.from <= (uintptr_t)&is_code &&
			(uintptr_t)&is_code < r.to,
		"this program's code");
	ok(text_map_find((uintptr_t)&is_code, &r), "again, from memory");
	ok(!text_map_find((uintptr_t)&here, &r), "its stack is none");
	ok(!text_map_find((uintptr_t)jit, &r), "nor is code from no file");
	ok(!text_map_find(16, &r), "nor is nothing");
	return tap_done();
}
