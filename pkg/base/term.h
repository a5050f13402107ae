/* SPDX-License-Identifier: Apache-2.0 */
/* The terminal: is it one, how wide, raw mode and back, window sizes. */
#ifndef UDOCKER_TERM_H
#define UDOCKER_TERM_H

#include <termios.h>

#include "pkg/base/base.h"

bool term_is_tty(int fd);
int term_width(int fd); /* columns; 80 when it is not a terminal */
int term_height(int fd); /* lines; 24 when it is not a terminal */

/* Save fd's state into *saved and set it raw. 0 or -1 with errno. term_restore() is async-signal-safe. */
int term_raw(int fd, struct termios *saved);
void term_restore(int fd, const struct termios *saved);
int term_copy_size(int from, int to); /* window size, 0 or -1 */

#endif
