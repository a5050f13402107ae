/* SPDX-License-Identifier: Apache-2.0 */
/* Terminals of programs in the foreground. Which signals arrive and what they mean is supervise.c's. */
#include "pkg/runtime/foreground.h"

#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/term.h"

#define CONTROL_D 4

int foreground_terminal(void)
{
	for (int fd = 0; fd < 3; fd++)
		/* tcgetpgrp() works on the controlling terminal only: others are just files to us. */
		if (isatty(fd) && tcgetpgrp(fd) >= 0)
			return fd_dup(fd);
	return -1;
}

bool foreground_is_ours(int tty)
{
	return tty >= 0 && tcgetpgrp(tty) == getpgrp();
}

void foreground_give(int tty, pid_t group)
{
	if (tty >= 0)
		(void)tcsetpgrp(tty, group); /* the terminal may have hung up, or the group be gone */
}

/* ---- relay ---- */

int relay_open(struct relay *r, int master, struct err **err)
{
	*r = (struct relay){ .master = master, .in = -1, .out = -1 };
	r->in = fd_dup(0);
	r->out = fd_dup(1);
	if (r->in < 0 || r->out < 0)
		return err_sys(err, errno, "terminal");
	(void)fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
	if (isatty(r->in)) {
		(void)term_copy_size(r->in, master);
		r->raw = foreground_is_ours(r->in) && term_raw(r->in, &r->saved) == 0;
	}
	return 0;
}

void relay_prepare(const struct relay *r, struct pollfd *p)
{
	const struct relay_way *down = &r->to_program, *up = &r->from_program;

	p[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
	p[1] = (struct pollfd){ .fd = r->master };
	p[2] = (struct pollfd){ .fd = -1, .events = POLLOUT };
	if (!down->eof && down->at == down->end)
		p[0].fd = r->in;
	if (down->at < down->end)
		p[1].events |= POLLOUT;
	if (up->at == up->end && !up->eof)
		p[1].events |= POLLIN;
	else if (up->at < up->end)
		p[2].fd = r->out;
	if (!p[1].events)
		p[1].fd = -1; /* a hung-up master would wake us again and again */
}

static void fill(struct relay_way *w, int fd)
{
	ssize_t n = read(fd, w->data, sizeof(w->data));

	w->at = w->end = 0;
	if (n > 0)
		w->end = (size_t)n;
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		w->eof = true; /* EIO: nobody has the other side open any more */
}

static void empty(struct relay_way *w, int fd)
{
	ssize_t n = write(fd, w->data + w->at, w->end - w->at);

	if (n > 0)
		w->at += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		w->at = w->end; /* nobody wants it */
}

/* The end of a file becomes what a terminal has for it. */
static void end_input(struct relay_way *w)
{
	w->data[0] = CONTROL_D;
	w->at = 0;
	w->end = 1;
}

void relay_handle(struct relay *r, const struct pollfd *p)
{
	struct relay_way *down = &r->to_program, *up = &r->from_program;

	if (p[0].fd >= 0 && p[0].revents) {
		fill(down, r->in);
		if (down->eof)
			end_input(down);
	}
	if (p[1].fd >= 0 && (p[1].revents & POLLOUT))
		empty(down, r->master);
	if (p[1].fd >= 0 && (p[1].events & POLLIN) && (p[1].revents & (POLLIN | POLLHUP | POLLERR)))
		fill(up, r->master);
	if (p[2].fd >= 0 && p[2].revents)
		empty(up, r->out);
}

void relay_resize(struct relay *r)
{
	if (isatty(r->in))
		(void)term_copy_size(r->in, r->master);
}

void relay_drain(struct relay *r)
{
	struct relay_way *up = &r->from_program;

	for (;;) {
		while (up->at < up->end) {
			struct pollfd p = { .fd = r->out, .events = POLLOUT };

			empty(up, r->out);
			if (up->at < up->end && poll(&p, 1, 1000) <= 0)
				return;
		}
		if (up->eof)
			return;
		fill(up, r->master);
		if (up->at == up->end)
			return; /* nothing is waiting */
	}
}

void relay_close(struct relay *r)
{
	if (r->raw)
		term_restore(r->in, &r->saved);
	r->raw = false;
	if (r->in >= 0)
		close(r->in);
	if (r->out >= 0)
		close(r->out);
	if (r->master >= 0)
		close(r->master);
	r->in = r->out = r->master = -1;
}
