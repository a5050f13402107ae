/* SPDX-License-Identifier: Apache-2.0 */
/* From the number of a system call to its handler. */
#include "engines/trap/call.h"

#include "engines/trap/filter.h"
#include "engines/trap/judge.h"
#include "engines/trap/owner.h"
#include "engines/trap/sys.h"

#define CALL_TABLE 512

#ifdef __aarch64__
#define ROW(x86_64, aarch64, handler) [(aarch64) < 0 ? CALL_TABLE : (aarch64)] = (handler),
#else
#define ROW(x86_64, aarch64, handler) [(x86_64) < 0 ? CALL_TABLE : (x86_64)] = (handler),
#endif
#define PASS(...)
#define FAIL(...)
#define FAIL_WHEN(...)
#define TRAP(name, x86_64, aarch64, handler) ROW(x86_64, aarch64, handler)
#define WHEN(name, x86_64, aarch64, handler, condition) ROW(x86_64, aarch64, handler)
#define IDS TRAP
#define IDS_WHEN WHEN
#define NAMES TRAP
#define ENDS TRAP

/* The last place takes the calls that this processor does not have: it is named more than once. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const call_handler handlers[CALL_TABLE + 1] = {
#include "engines/trap/calls.def"
};
#pragma GCC diagnostic pop

call_handler call_find(long nr)
{
	return nr < 0 || nr >= CALL_TABLE ? NULL : handlers[nr];
}

long call_pass(const struct call *c)
{
	return sys_call(c->nr, (long)c->arg[0], (long)c->arg[1], (long)c->arg[2], (long)c->arg[3],
		(long)c->arg[4], (long)c->arg[5]);
}

long call_answer(struct call *c)
{
	call_handler handler = call_find(c->nr);
	long r;

	if (!handler)
		return call_pass(c);
	if (judge_is_needed) {
		r = judge(c);
		if (r != -FILTER_ACQUITTED)
			return r;
	}
	r = handler(c);
	return r == -EACCES ? owner_answer(c, handler) : r;
}
