/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal. */
#include "pkg/base/term.h"

#include <sys/ioctl.h>

bool term_is_tty(int fd)
{
	return isatty(fd) == 1;
}

int term_width(int fd)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_col == 0)
		return 80;
	return ws.ws_col;
}

int term_height(int fd)
{
	struct winsize ws;

	if (ioctl(fd, TIOCGWINSZ, &ws) < 0 || ws.ws_row == 0)
		return 24;
	return ws.ws_row;
}

int term_raw(int fd, struct termios *saved)
{
	struct termios before, raw;

	if (tcgetattr(fd, &before) < 0)
		return -1;
	raw = before;
	cfmakeraw(&raw);
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0)
		return -1;
	*saved = before;
	return 0;
}

void term_restore(int fd, const struct termios *saved)
{
	/* The terminal may have hung up: then nothing is left to restore. */
	(void)tcsetattr(fd, TCSADRAIN, saved);
}

int term_copy_size(int from, int to)
{
	struct winsize ws;

	if (ioctl(from, TIOCGWINSZ, &ws) < 0 || ioctl(to, TIOCSWINSZ, &ws) < 0)
		return -1;
	return 0;
}
