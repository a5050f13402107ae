/* SPDX-License-Identifier: Apache-2.0 */
/* term: on a pseudo-terminal of our own. */
#include "pkg/base/term.h"

#include <sys/ioctl.h>

#include "tests/unit/tap.h"

static int open_pty(int *ret_slave)
{
	char name[64];
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0 ||
		ptsname_r(master, name, sizeof(name)) != 0)
		return -1;
	*ret_slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return *ret_slave < 0 ? -1 : master;
}

static void test_pty(int a, int b)
{
	struct winsize ws = { .ws_row = 33, .ws_col = 123 };
	struct termios before, raw, after, saved;

	ok(term_is_tty(b), "a terminal");
	is_int(term_width(b), 80, "80 columns when it does not know");
	is_int(term_height(b), 24, "24 lines when it does not know");
	is_int(ioctl(a, TIOCSWINSZ, &ws), 0, "size set");
	is_int(term_width(a), 123, "its columns");
	is_int(term_height(a), 33, "its lines");
	tcgetattr(b, &before);
	is_int(term_raw(b, &saved), 0, "raw");
	tcgetattr(b, &raw);
	ok(!(raw.c_lflag & (ICANON | ECHO | ISIG)) && !(raw.c_oflag & OPOST),
		"no line editing, echo or signals");
	term_restore(b, &saved);
	tcgetattr(b, &after);
	ok(after.c_lflag == before.c_lflag && after.c_oflag == before.c_oflag &&
			after.c_iflag == before.c_iflag,
		"restored");
}

static void test_copy(int a)
{
	struct winsize ws = { 0 };
	int slave = -1, master = open_pty(&slave);

	is_int(term_copy_size(a, master), 0, "size copied");
	ioctl(slave, TIOCGWINSZ, &ws);
	ok(ws.ws_col == 123 && ws.ws_row == 33, "to the other terminal");
	close(slave);
	close(master);
}

int main(void)
{
	struct termios saved;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), slave = -1, master = open_pty(&slave);

	ok(!term_is_tty(null) && !term_is_tty(-1), "no terminal");
	is_int(term_width(null), 80, "80 columns");
	is_int(term_raw(null, &saved), -1, "cannot be raw");
	is_int(term_copy_size(null, null), -1, "has no size");
	if (master < 0) {
		ok(1, "no pseudo-terminals here # SKIP");
		return tap_done();
	}
	test_pty(master, slave);
	test_copy(master);
	return tap_done();
}
