/* SPDX-License-Identifier: Apache-2.0 */
/* progress: modes, what stays on the screen, threads. */
#include "pkg/base/progress.h"

#include <pthread.h>

#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "tests/unit/capture.h"
#include "tests/unit/tap.h"

static const char *one_step(enum progress_mode mode, const char *title, uint64_t total, uint64_t done)
{
	struct progress *p;

	capture_begin();
	progress_set_mode(mode);
	p = progress_begin(title, total);
	progress_update(p, done / 2);
	progress_update(p, done);
	progress_end(p, "done");
	return capture_end();
}

static void test_modes(void)
{
	is_str(one_step(PROGRESS_PLAIN, "layer\n1", 3400000, 3400000), "layer\\n1: done (3.4 MB)\n",
		"plain: one line");
	is_str(one_step(PROGRESS_PLAIN, "layer", 0, 0), "layer: done\n", "nothing counted");
	is_str(one_step(PROGRESS_NONE, "layer", 10, 10), "", "none: nothing");
	log_set_level(LOG_LEVEL_MSG);
	is_str(one_step(PROGRESS_AUTO, "layer", 10, 10), "", "auto: nothing when quiet");
	log_set_level(LOG_LEVEL_INFO);
	is_str(one_step(PROGRESS_AUTO, "layer", 10, 10), "layer: done (10 B)\n",
		"auto: plain where no terminal is");
	progress_update(NULL, 1);
	progress_end(NULL, "done");
}

static void test_terminal(void)
{
	struct progress *a, *b;
	const char *text, *line;

	log_set_style(LOG_STYLE_WRAPPER, NULL);
	capture_begin();
	progress_set_mode(PROGRESS_TTY);
	a = progress_begin("first", 1000);
	usleep(110000);
	progress_update(a, 500);
	progress_update(a, 600); /* too soon after the other: not drawn */
	b = progress_begin("a title that is longer than its column and would wrap", 0);
	usleep(110000);
	progress_update(b, 7);
	log_warning("between");
	progress_end(a, "done");
	progress_end(b, "failed");
	text = capture_end();
	ok(strstr(text, "500 B / 1 kB") && strstr(text, "/s"), "amount and rate");
	ok(!strstr(text, "\033[2A\r\033[J\033"), "wiped once before each drawing");
	ok(strstr(text, "\033[2A\r\033[JWarning: between\n"), "a message replaces the block");
	ok(strstr(text, "\033[2A\r\033[Jfirst: done (600 B)\n"), "what ends is printed above it");
	ok(str_ends(text, "would wrap: failed (7 B)\n"), "the last leaves no block behind");
	for (line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		size_t escape = str_starts(line, "\033") ? strlen("\033[2A\r\033[J") : 0;

		if (strcspn(line, "\n") - escape > 79)
			break;
	}
	ok(!line || !*line, "no line is as wide as the terminal");
}

static void *worker(void *arg UNUSED)
{
	for (int i = 0; i < 20; i++) {
		struct progress *p = progress_begin("step", 1000);

		for (int done = 0; done < 1000; done++)
			progress_update(p, (uint64_t)done);
		log_info("message");
		progress_end(p, "done");
	}
	return NULL;
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	for (; (text = strstr(text, part)); text += strlen(part))
		n++;
	return n;
}

static void test_threads(void)
{
	pthread_t threads[4];
	const char *text;

	capture_begin();
	progress_set_mode(PROGRESS_TTY);
	for (size_t i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, worker, NULL);
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	text = capture_end();
	is_int(count(text, "step: done (999 B)\n"), 80, "every step of every thread has ended once");
	is_int(count(text, "Info: message\n"), 80, "every message is whole");
	progress_set_mode(PROGRESS_NONE);
}

int main(void)
{
	test_modes();
	test_terminal();
	test_threads();
	return tap_done();
}
