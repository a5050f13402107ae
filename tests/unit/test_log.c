/* SPDX-License-Identifier: Apache-2.0 */
/* log: styles, levels, runc's two forms, one write a line. */
#include "pkg/base/log.h"

#include <errno.h>
#include <sys/socket.h>

#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/capture.h"
#include "tests/unit/tap.h"

static void all_levels(void)
{
	log_error("e %d", 1);
	log_warning("w");
	log_info("i");
	log_verbose("v");
	log_debug("d");
}

static void test_styles(void)
{
	log_set_level(LOG_LEVEL_DEBUG);
	log_set_style(LOG_STYLE_PROGRAM, "udocker-x");
	capture_begin();
	all_levels();
	is_str(capture_end(),
		"udocker-x: error: e 1\nudocker-x: warning: w\nudocker-x: i\nudocker-x: v\nudocker-x: debug: "
		"d\n",
		"a program");
	log_set_style(LOG_STYLE_WRAPPER, "udocker");
	capture_begin();
	all_levels();
	is_str(capture_end(), "Error: e 1\nWarning: w\nInfo: i\nInfo: v\nDebug: d\n", "the wrapper");
}

static void test_levels(void)
{
	static const char *const want[] = { "Error: e 1\n", "Error: e 1\n", "Error: e 1\nWarning: w\n",
		"Error: e 1\nWarning: w\nInfo: i\n", "Error: e 1\nWarning: w\nInfo: i\nInfo: v\n" };

	for (int level = 0; level < 5; level++) {
		log_set_level(level);
		is_int(log_level(), level, "level");
		capture_begin();
		all_levels();
		is_str(capture_end(), want[level], "  lets through");
	}
}

static void test_text(void)
{
	log_set_level(LOG_LEVEL_INFO);
	capture_begin();
	errno = EAGAIN;
	log_error("'%s'", "evil\nError: \033[1m\xff");
	is_int(errno, EAGAIN, "errno is kept");
	is_str(capture_end(), "Error: 'evil\\nError: \\x1b[1m\\xff'\n", "control characters are escaped");
}

static int guard_calls;

static void count_hide(void)
{
	guard_calls += 1;
}

static void count_show(void)
{
	guard_calls += 100;
}

static void test_guard(void)
{
	log_set_guard(count_hide, count_show);
	capture_begin();
	log_error("x");
	log_debug("x");
	capture_end();
	is_int(guard_calls, 101, "the guard stands around what is printed, and only that");
	log_set_guard(NULL, NULL);
}

/* Datagrams keep the borders of writes: each message must come as one. */
static void test_one_write(void)
{
	char buf[8192];
	int pair[2], saved = dup(STDERR_FILENO);
	autofree char *longer = xmalloc(5001);

	memset(longer, 'x', 5000);
	longer[5000] = '\0';
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	dup2(pair[1], STDERR_FILENO);
	log_error("%s", longer);
	log_warning("y");
	dup2(saved, STDERR_FILENO);
	close(saved);
	is_int(recv(pair[0], buf, sizeof(buf), MSG_DONTWAIT), 5000 + 8, "a long message is one write");
	is_int(recv(pair[0], buf, sizeof(buf), MSG_DONTWAIT), 11, "and so is the next");
	close(pair[0]);
	close(pair[1]);
}

/* One line of JSON with exactly runc's keys. */
static void is_entry(const char *line, const char *level, const char *msg)
{
	auto_json *j = NULL;

	is_int(json_parse(line, strlen(line), "log", NULL, &j, NULL), 0, "valid JSON");
	ok(json_len(j) == 3 && str_eq(json_key_at(j, 0), "level") && str_eq(json_key_at(j, 1), "msg"),
		"runc's keys");
	is_str(json_str(json_get(j, "level")), level, "level");
	is_str(json_str(json_get(j, "msg")), msg, "msg");
	is_str(json_str(json_get(j, "time")), "2001-09-09T01:46:40Z", "time");
}

static void test_stderr_json(void)
{
	log_set_stderr_format(LOG_JSON);
	capture_begin();
	log_error("say \"%s\"\n", "hi");
	is_entry(capture_end(), "error", "say \"hi\"\n");
	log_set_stderr_format(LOG_TEXT);
	capture_begin();
	log_error("say \"%s\"", "hi");
	is_str(capture_end(), "time=\"2001-09-09T01:46:40Z\" level=error msg=\"say \\\"hi\\\"\"\n",
		"logrus' text");
}

static void test_file(void)
{
	char name[] = "/tmp/test-log.XXXXXX", buf[4096];
	int fd = mkstemp(name), again = dup(fd);
	ssize_t n;

	unlink(name);
	log_set_file(fd, LOG_TEXT);
	capture_begin();
	all_levels();
	log_warning("say \"%s\"\n", "hi");
	is_str(capture_end(), "Error: e 1\n", "with a log file stderr has errors alone");
	n = pread(again, buf, sizeof(buf) - 1, 0);
	buf[n < 0 ? 0 : n] = '\0';
	is_str(buf,
		"time=\"2001-09-09T01:46:40Z\" level=error msg=\"e 1\"\n"
		"time=\"2001-09-09T01:46:40Z\" level=warning msg=\"w\"\n"
		"time=\"2001-09-09T01:46:40Z\" level=info msg=\"i\"\n"
		"time=\"2001-09-09T01:46:40Z\" level=warning msg=\"say \\\"hi\\\"\\n\"\n",
		"runc's text");
	ftruncate(again, 0) == 0 ? lseek(again, 0, SEEK_SET) : 0;
	log_set_file(again, LOG_JSON);
	ok(fcntl(fd, F_GETFD) < 0, "the former log file is closed");
	log_set_level(LOG_LEVEL_DEBUG);
	capture_begin();
	log_debug("dbg");
	is_str(capture_end(), "", "debug goes to the file alone");
	n = pread(again, buf, sizeof(buf) - 1, 0);
	buf[n < 0 ? 0 : n] = '\0';
	is_entry(buf, "debug", "dbg");
	log_set_file(-1, LOG_TEXT);
}

int main(void)
{
	setenv("SOURCE_DATE_EPOCH", "1000000000", 1);
	test_styles();
	test_levels();
	test_text();
	test_guard();
	test_one_write();
	test_stderr_json();
	test_file();
	return tap_done();
}
