/* SPDX-License-Identifier: Apache-2.0 */
/* Scope-exit cleanup and hand-over. */
#include "pkg/base/base.h"

#include <errno.h>

#include "tests/unit/tap.h"

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int open_null(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void test_autoclose(void)
{
	int seen;

	{
		autoclose int fd = open_null();

		seen = fd;
		ok(is_open(seen), "open inside the scope");
		errno = ENOTTY;
	}
	is_int(errno, ENOTTY, "closing keeps errno");
	ok(!is_open(seen), "closed when the scope ends");
	{
		autoclose int none = -1;

		errno = EXDEV;
		(void)none;
	}
	is_int(errno, EXDEV, "a negative number is not closed");
}

static void test_steal(void)
{
	autofree char *copy = NULL;
	int kept;

	{
		autoclose int fd = open_null();
		autofree char *text = strdup("kept");

		kept = steal_fd(&fd);
		is_int(fd, -1, "the variable is empty after steal_fd");
		copy = steal_ptr(&text);
		ok(text == NULL, "the variable is empty after steal_ptr");
	}
	ok(is_open(kept), "a stolen descriptor stays open");
	is_str(copy, "kept", "a stolen pointer stays valid");
	close(kept);
}

int main(void)
{
	test_autoclose();
	test_steal();
	return tap_done();
}
