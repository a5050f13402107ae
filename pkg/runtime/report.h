/* SPDX-License-Identifier: Apache-2.0 */
/* How a process that stays behind tells the command that waits for it whether the program has been started. */
#ifndef UDOCKER_RUNTIME_REPORT_H
#define UDOCKER_RUNTIME_REPORT_H

#include "pkg/base/base.h"

struct err;

#define REPORT_MAX 2048 /* bytes; longer errors are cut */

/* One write: that it has worked (e NULL), or the error. Nobody need be listening. */
void report_write(int fd, const struct err *e);
/* 0, or the error that `text` (of n bytes, room for one more behind) reports. ERR_ENGINE "<what> ended …" when it reports nothing. */
int report_parse(char *text, size_t n, const char *what, struct err **err);
/*
 * The same from a process that may also have become the program (runtime_become()), whose name it is: then it is what the engine complained of, or
 * what guest_init says.
 */
int report_parse_start(char *text, size_t n, const char *name, const char *what, struct err **err);
/* Read until the other side has closed it, and parse. */
int report_read(int fd, const char *what, struct err **err);

#endif
