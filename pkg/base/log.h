/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages for people, to stderr, and for drivers, to a log file. Levels are udocker 1.3.x's: 0 errors, 1 messages, 2
 * warnings, 3 info (default), 4 verbose, 5 debug. Results are not messages: they go to stdout by cmd/.
 */
#ifndef UDOCKER_LOG_H
#define UDOCKER_LOG_H

#include "pkg/base/base.h"

enum log_level {
	LOG_LEVEL_ERROR = 0,
	LOG_LEVEL_MSG = 1,
	LOG_LEVEL_WARNING = 2,
	LOG_LEVEL_INFO = 3,
	LOG_LEVEL_VERBOSE = 4,
	LOG_LEVEL_DEBUG = 5
};
enum log_format { LOG_TEXT, LOG_JSON };

void log_set_level(int level);
int log_level(void);
/* "udocker-image: warning: …" by default; LOG_STYLE_WRAPPER prints "Warning: …" as 1.3.x. program is kept, not copied. */
enum log_style { LOG_STYLE_PROGRAM, LOG_STYLE_WRAPPER };
void log_set_style(enum log_style style, const char *program);
/*
 * Also write to this descriptor (owned from now on), as runc's --log: text time="…" level=… msg="…", or JSON objects. It
 * gets errors, warnings and info, and more when the level asks for more. As with runc, stderr then has errors alone.
 */
void log_set_file(int fd, enum log_format format);
bool log_has_file(void);
/* Without a log file, messages on stderr in one of these forms (runc's --log-format) instead of the style's. */
void log_set_stderr_format(enum log_format format);
/* Called around each message on stderr, so that it does not land inside what is drawn there (progress). NULL: nothing. */
void log_set_guard(void (*hide)(void), void (*show)(void));

/* Text from outside is to be quoted '…'; control characters are escaped here. A newline is added. One message
   is one write(2): processes share stderr. errno is kept. Thread-safe. */
void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_verbose(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
