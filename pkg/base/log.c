/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: one line and one write(2) each, to stderr and to a log file in runc's forms. */
#include "pkg/base/log.h"

#include <errno.h>
#include <stdarg.h>

#include "pkg/base/json.h"
#include "pkg/base/str.h"
#include "pkg/base/time.h"

struct severity {
	int level;
	const char *runc; /* logrus' name: runc knows no verbose */
	const char *program; /* behind the program's name */
	const char *wrapper;
};

static const struct severity severity_error = { LOG_LEVEL_ERROR, "error", "error: ", "Error: " };
static const struct severity severity_warning = { LOG_LEVEL_WARNING, "warning", "warning: ", "Warning: " };
static const struct severity severity_info = { LOG_LEVEL_INFO, "info", "", "Info: " };
static const struct severity severity_verbose = { LOG_LEVEL_VERBOSE, "debug", "", "Info: " };
static const struct severity severity_debug = { LOG_LEVEL_DEBUG, "debug", "debug: ", "Debug: " };

static struct {
	int level;
	enum log_style style;
	const char *program;
	int file;
	enum log_format file_format;
	const enum log_format *stderr_format; /* NULL: the style's */
	void (*_Atomic hide)(void);
	void (*_Atomic show)(void);
} state = { .level = LOG_LEVEL_INFO, .file = -1 };

void log_set_level(int level)
{
	state.level = level;
}

int log_level(void)
{
	return state.level;
}

void log_set_style(enum log_style style, const char *program)
{
	state.style = style;
	state.program = program;
}

void log_set_file(int fd, enum log_format format)
{
	if (state.file >= 0 && state.file != fd)
		close(state.file);
	state.file = fd;
	state.file_format = format;
}

bool log_has_file(void)
{
	return state.file >= 0;
}

void log_set_stderr_format(enum log_format format)
{
	static const enum log_format forms[] = { [LOG_TEXT] = LOG_TEXT, [LOG_JSON] = LOG_JSON };

	state.stderr_format = &forms[format];
}

void log_set_guard(void (*hide)(void), void (*show)(void))
{
	state.hide = hide;
	state.show = show;
}

/* A log that cannot be written must not stop the work, and there is nobody left to tell. */
static void write_line(int fd, const struct str *line)
{
	size_t done = 0;

	while (done < line->len) {
		ssize_t n = write(fd, line->data + done, line->len - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return;
	}
}

static void quote_text(struct str *line, const char *text)
{
	auto_str escaped = STR_INIT;

	(void)str_add_escaped(&escaped, text);
	(void)str_add_char(line, '"');
	for (const char *p = str_text(&escaped); *p; p++) {
		if (*p == '"')
			(void)str_add_char(line, '\\');
		(void)str_add_char(line, *p);
	}
	(void)str_add_char(line, '"');
}

/* As logrus writes it: whole seconds, JSON keys sorted. */
static void runc_line(struct str *line, enum log_format format, const struct severity *sev, const char *text)
{
	char now[TIME_RFC3339_LEN];

	time_format_rfc3339(time_now_ns() / 1000000000 * 1000000000, now);
	if (format == LOG_JSON) {
		auto_json *entry = json_new_object();

		json_set_str(entry, "level", sev->runc);
		json_set_str(entry, "msg", text);
		json_set_str(entry, "time", now);
		json_write(entry, 0, line);
	} else {
		(void)str_addf(line, "time=\"%s\" level=%s msg=", now, sev->runc);
		quote_text(line, text);
	}
	(void)str_add_char(line, '\n');
}

static void style_line(struct str *line, const struct severity *sev, const char *text)
{
	if (state.style == LOG_STYLE_WRAPPER)
		(void)str_add(line, sev->wrapper);
	else
		(void)str_addf(line, "%s: %s", state.program ? state.program : program_invocation_short_name,
			sev->program);
	(void)str_add_escaped(line, text);
	(void)str_add_char(line, '\n');
}

static void to_file(const struct severity *sev, const char *text)
{
	auto_str line = STR_INIT;

	runc_line(&line, state.file_format, sev, text);
	write_line(state.file, &line);
}

static void to_stderr(const struct severity *sev, const char *text)
{
	/* Read together: show ends what hide began, whatever is set meanwhile. */
	void (*hide)(void) = state.hide, (*show)(void) = state.show;
	auto_str line = STR_INIT;

	if (state.file < 0 && state.stderr_format)
		runc_line(&line, *state.stderr_format, sev, text);
	else
		style_line(&line, sev, text);
	if (hide && show)
		hide();
	write_line(STDERR_FILENO, &line);
	if (hide && show)
		show();
}

static PRINTF_LIKE(2, 0) void emit(const struct severity *sev, const char *fmt, va_list ap)
{
	bool file = state.file >= 0 && (sev->level <= LOG_LEVEL_INFO || sev->level <= state.level);
	bool terminal = sev->level <= state.level && (state.file < 0 || sev->level == LOG_LEVEL_ERROR);
	auto_str text = STR_INIT;
	int saved = errno;

	if (!file && !terminal)
		return;
	(void)str_vaddf(&text, fmt, ap); /* beyond the ceiling the line stays empty rather than half */
	if (file)
		to_file(sev, str_text(&text));
	if (terminal)
		to_stderr(sev, str_text(&text));
	errno = saved;
}

#define LOG_FUNCTION(name) \
	void log_##name(const char *fmt, ...) \
	{ \
		va_list ap; \
\
		va_start(ap, fmt); \
		emit(&severity_##name, fmt, ap); \
		va_end(ap); \
	} \
	struct base_semicolon_eater

LOG_FUNCTION(error);
LOG_FUNCTION(warning);
LOG_FUNCTION(info);
LOG_FUNCTION(verbose);
LOG_FUNCTION(debug);
