/* SPDX-License-Identifier: Apache-2.0 */
/* Late loading: what is found works, what is missing is named and leaves no half-filled table. */
#include "pkg/base/dl.h"

#include <math.h>

#include "pkg/base/err.h"
#include "tests/unit/tap.h"

int no_such_function_anywhere(void);

DL_SLOT(cbrt);
DL_SLOT(no_such_function_anywhere);

static const struct dl_symbol good[] = { DL_ENTRY(cbrt), DL_END };
static const struct dl_symbol bad[] = { DL_ENTRY(cbrt), DL_ENTRY(no_such_function_anywhere), DL_END };

int main(void)
{
	auto_err *missing = NULL, *symbol = NULL;

	ok(dl_load("libm.so.6", "libc6", good, NULL) == 0, "a library and its function are found");
	ok(dl_cbrt && dl_cbrt(27.0) > 2.99 && dl_cbrt(27.0) < 3.01, "the function can be called");

	ok(dl_load("libno-such-thing.so.9", "libno-such9", good, &missing) < 0,
		"a missing library is an error");
	ok(err_is(missing, ERR_UNSUPPORTED), "of kind unsupported");
	ok(strstr(err_text(missing), "libno-such-thing.so.9") != NULL, "that names the library");
	ok(strstr(err_hint_text(missing), "libno-such9") != NULL, "and hints at the package");

	ok(dl_load("libm.so.6", "libc6", bad, &symbol) < 0, "a missing function is an error");
	ok(strstr(err_text(symbol), "no_such_function_anywhere") != NULL, "that names the function");
	ok(!dl_cbrt && !dl_no_such_function_anywhere, "and no slot is left filled");
	return tap_done();
}
