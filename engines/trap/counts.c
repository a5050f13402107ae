/* SPDX-License-Identifier: Apache-2.0 */
/* With -d: what a process cost, said when it ends. */
#include <stddef.h>

#include "engines/trap/call.h"
#include "engines/trap/exec.h"
#include "engines/trap/mem.h"
#include "engines/trap/rewrite.h"
#include "engines/trap/state.h"
#include "engines/trap/sys.h"

static char *put(char *to, const char *s)
{
	size_t n = strlen(s);

	memcpy(to, s, n + 1);
	return to + n;
}

long call_exit_group(struct call *c)
{
	const char *program = exec_program();
	char line[64 + 256 + REWRITE_TEXT], *end = line;

	if (trap_has(TRAP_DEBUG) && strlen(program) < 256) {
		end = put(text_number(put(end, "udocker-trap: "), (unsigned long)SYS(getpid)), " ");
		end = put(put(end, program), ": ");
		rewrite_text(end);
		end = put(end + strlen(end), "\n");
		(void)SYS(write, 2, line, (size_t)(end - line)); /* as well as it can be said */
	}
	return call_pass(c);
}
