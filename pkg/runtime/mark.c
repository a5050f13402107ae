/* SPDX-License-Identifier: Apache-2.0 */
/* Marks on processes. */
#include "pkg/runtime/mark.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "pkg/base/fd.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

#define LIMIT_NAME "RLIMIT_RTTIME"
#define LIMIT_LABEL "Max realtime timeout" /* in /proc/PID/limits */
#define MARK_BASE \
	((uint64_t)1 << 51) /* microseconds: 71 years; below 2^53, which every JSON parser keeps exactly */
#define MARK_DIGITS 12 /* hexadecimal */
#define LIMITS_MAX 4096

uint64_t mark_new(void)
{
	char hex[MARK_DIGITS + 1];
	struct rlimit have;
	unsigned long long n;
	uint64_t mark;

	id_random_hex(hex, MARK_DIGITS);
	if (getrlimit(RLIMIT_RTTIME, &have) < 0 || sscanf(hex, "%llx", &n) != 1)
		return 0;
	mark = MARK_BASE + n;
	if (have.rlim_max == RLIM_INFINITY || have.rlim_max > mark)
		return mark;
	/* Inside a marked container: it cannot be raised, and there is room enough below. */
	if (have.rlim_max < MARK_BASE / 2)
		return 0;
	return have.rlim_max - 1 - n % (MARK_BASE / 1024);
}

void mark_ourselves(uint64_t mark)
{
	const struct rlimit limit = { mark, mark };

	if (mark)
		(void)setrlimit(RLIMIT_RTTIME, &limit); /* mark_new() has looked that it can be set */
}

uint64_t mark_of_maker(uint64_t mark)
{
	return mark ? mark + 1 : 0;
}

bool mark_config(struct json *config, uint64_t mark)
{
	struct json *process = json_get(config, "process");
	struct json *limits, *limit;

	if (!mark || !json_is(process, JSON_OBJECT))
		return false;
	limits = json_need_array(process, "rlimits");
	for (size_t i = 0; i < json_len(limits); i++)
		if (str_eq(json_str(json_get(json_at(limits, i), "type")), LIMIT_NAME))
			return false;
	limit = json_new_object();
	json_set_str(limit, "type", LIMIT_NAME);
	json_set_i64(limit, "hard", (int64_t)mark);
	json_set_i64(limit, "soft", (int64_t)mark);
	json_append(limits, limit);
	return true;
}

/* Of a process of our user whom we may not ask, since it has another group than we have. */
static uint64_t read_mark(pid_t pid)
{
	char path[32], text[LIMITS_MAX];
	autoclose int fd = -1;
	unsigned long long soft;
	const char *line;
	struct stat st;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/limits", (int)pid);
	if (stat(path, &st) < 0 || st.st_uid != geteuid())
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : fd_read_full(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	line = strstr(text, LIMIT_LABEL);
	/* "unlimited" is no number. */
	return line && sscanf(line + strlen(LIMIT_LABEL), "%llu", &soft) == 1 ? soft : 0;
}

uint64_t mark_of(pid_t pid)
{
	struct rlimit soft;

	if (prlimit(pid, RLIMIT_RTTIME, NULL, &soft) == 0)
		return soft.rlim_cur == RLIM_INFINITY ? 0 : soft.rlim_cur;
	return errno == EPERM ? read_mark(pid) : 0;
}
