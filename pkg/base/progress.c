/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Progress of long steps. On a terminal the running steps are a block of lines at the bottom: it is wiped and
 * drawn again, and what has ended (or is logged) is printed above it, where it stays.
 */
#include "pkg/base/progress.h"

#include <pthread.h>
#include <stdatomic.h>

#include "pkg/base/fd.h"
#include "pkg/base/host.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/num.h"
#include "pkg/base/str.h"
#include "pkg/base/term.h"
#include "pkg/base/time.h"

#define DRAW_EVERY_NS INT64_C(100000000)
#define NS_PER_S INT64_C(1000000000)
#define MAX_LINES 12
#define TITLE_WIDTH 30 /* and less, down to this, where the numbers need the room */
#define TITLE_WIDTH_MIN 12
#define NUMBERS_WIDTH 47 /* " 999.9 MB / 999.9 MB, 999.9 MB/s, 59m59s left" and one that stays free */
#define TOTAL_MIN_WIDTH 60 /* narrower terminals get no " / 999.9 MB" */
#define BAR_MIN_WIDTH 100
#define BAR_WIDTH 20

struct progress {
	struct progress *next;
	char *title;
	uint64_t total;
	int64_t started;
	atomic_uint_fast64_t done;
	atomic_uint_fast64_t first; /* of the first update: a resumed download starts far from 0 */
	atomic_bool moved;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum progress_mode asked_mode;
static atomic_int mode = PROGRESS_NONE; /* never AUTO */
static struct progress *running; /* in the order they began */
static size_t drawn; /* lines of the block that are on the screen */
static atomic_int_fast64_t last_draw;

static enum progress_mode effective_mode(void)
{
	const char *terminal = host_env("TERM");

	if (asked_mode != PROGRESS_AUTO)
		return asked_mode;
	if (log_level() < LOG_LEVEL_INFO)
		return PROGRESS_NONE;
	if (!terminal || !*terminal || str_eq(terminal, "dumb"))
		return PROGRESS_PLAIN;
	return term_is_tty(STDERR_FILENO) ? PROGRESS_TTY : PROGRESS_PLAIN;
}

/* Cut to `width` columns, a code point counting as one; the result is how many are left. */
static size_t add_cut(struct str *out, const char *text, size_t width)
{
	size_t len;

	for (; width && (len = str_utf8_len(text)); width--, text += len)
		(void)str_add_mem(out, text, len);
	return width;
}

static size_t title_width(size_t width)
{
	if (width >= TITLE_WIDTH + NUMBERS_WIDTH)
		return TITLE_WIDTH;
	return width > TITLE_WIDTH_MIN + NUMBERS_WIDTH ? width - NUMBERS_WIDTH : TITLE_WIDTH_MIN;
}

static void add_bar(struct str *out, uint64_t done, uint64_t total)
{
	size_t filled = (size_t)((double)done / (double)total * BAR_WIDTH);

	(void)str_add_char(out, '[');
	(void)str_add_repeat(out, '=', filled);
	if (filled < BAR_WIDTH)
		(void)str_add_char(out, '>');
	(void)str_add_repeat(out, ' ', filled < BAR_WIDTH ? BAR_WIDTH - filled - 1 : 0);
	(void)str_add(out, "] ");
}

static void add_duration(struct str *out, uint64_t s)
{
	if (s < 60)
		(void)str_addf(out, "%us", (unsigned)s);
	else if (s < 3600)
		(void)str_addf(out, "%um%02us", (unsigned)(s / 60), (unsigned)(s % 60));
	else if (s < 360000)
		(void)str_addf(out, "%uh%02um", (unsigned)(s / 3600), (unsigned)(s / 60 % 60));
	else
		(void)str_add(out, "days");
}

/* One line of the block, cut to the terminal: a line that wraps could not be wiped. */
static void add_line(struct str *out, struct progress *p, int64_t now, size_t width)
{
	uint64_t done = atomic_load(&p->done), first = atomic_load(&p->first);
	double seconds = (double)(now - p->started) / NS_PER_S;
	double rate = done > first && seconds > 0 ? (double)(done - first) / seconds : 0;
	char size[NUM_SIZE_LEN];
	auto_str line = STR_INIT;

	(void)str_add_repeat(&line, ' ', add_cut(&line, p->title, title_width(width)) + 1);
	if (p->total && width >= BAR_MIN_WIDTH)
		add_bar(&line, done < p->total ? done : p->total, p->total);
	(void)str_add(&line, num_format_size(done, size));
	if (p->total && width >= TOTAL_MIN_WIDTH)
		(void)str_addf(&line, " / %s", num_format_size(p->total, size));
	if (rate >= 1)
		(void)str_addf(&line, ", %s/s", num_format_size((uint64_t)rate, size));
	if (rate >= 1 && p->total > done) {
		(void)str_add(&line, ", ");
		add_duration(&line, (uint64_t)((double)(p->total - done) / rate) + 1);
		(void)str_add(&line, " left");
	}
	(void)add_cut(out, str_text(&line), width - 1);
	(void)str_add_char(out, '\n');
}

static void wipe_block(struct str *out)
{
	if (drawn)
		(void)str_addf(out, "\033[%zuA\r\033[J", drawn);
	drawn = 0;
}

static void draw_block(struct str *out)
{
	int64_t now = time_monotonic_ns();
	size_t width = (size_t)term_width(STDERR_FILENO), height = (size_t)term_height(STDERR_FILENO);
	/* The cursor stands below the block: what does not fit above it could not be wiped. */
	size_t most = height > MAX_LINES ? MAX_LINES : height - 1;

	for (struct progress *p = running; p && drawn < most; p = p->next, drawn++)
		add_line(out, p, now, width);
	atomic_store(&last_draw, now);
}

static void flush(const struct str *out)
{
	/* A terminal that is gone takes nothing any more, and the work goes on. */
	(void)fd_write_all(STDERR_FILENO, str_text(out), out->len);
}

/* Around a message of the log: the lock is held from hide to show. */
static void hide(void)
{
	auto_str out = STR_INIT;

	pthread_mutex_lock(&lock);
	wipe_block(&out);
	flush(&out);
}

static void show(void)
{
	auto_str out = STR_INIT;

	draw_block(&out);
	flush(&out);
	pthread_mutex_unlock(&lock);
}

/* Under the lock. */
static void apply_mode(void)
{
	enum progress_mode m = effective_mode();

	atomic_store(&mode, m);
	log_set_guard(m == PROGRESS_TTY ? hide : NULL, m == PROGRESS_TTY ? show : NULL);
}

void progress_set_mode(enum progress_mode new_mode)
{
	pthread_mutex_lock(&lock);
	asked_mode = new_mode;
	apply_mode();
	pthread_mutex_unlock(&lock);
}

struct progress *progress_begin(const char *title, uint64_t total)
{
	struct progress *p = xcalloc(1, sizeof(*p)), **end = &running;
	auto_str escaped = STR_INIT;

	(void)str_add_escaped(&escaped, title);
	p->title = str_steal(&escaped);
	p->total = total;
	p->started = time_monotonic_ns();
	pthread_mutex_lock(&lock);
	if (!running)
		apply_mode();
	while (*end)
		end = &(*end)->next;
	*end = p;
	pthread_mutex_unlock(&lock);
	return p;
}

void progress_update(struct progress *p, uint64_t done)
{
	auto_str out = STR_INIT;

	if (!p)
		return;
	if (!atomic_exchange(&p->moved, true))
		atomic_store(&p->first, done);
	atomic_store(&p->done, done);
	if (atomic_load(&mode) != PROGRESS_TTY ||
		time_monotonic_ns() - atomic_load(&last_draw) < DRAW_EVERY_NS)
		return;
	if (pthread_mutex_trylock(&lock) != 0)
		return; /* another thread is drawing */
	wipe_block(&out);
	draw_block(&out);
	flush(&out);
	pthread_mutex_unlock(&lock);
}

/* "title: outcome (3.4 MB)" */
static void add_outcome(struct str *out, struct progress *p, const char *outcome)
{
	uint64_t done = atomic_load(&p->done);
	char size[NUM_SIZE_LEN];

	(void)str_addf(out, "%s: %s", p->title, outcome);
	if (done)
		(void)str_addf(out, " (%s)", num_format_size(done, size));
	(void)str_add_char(out, '\n');
}

void progress_end(struct progress *p, const char *outcome)
{
	struct progress **at = &running;
	auto_str out = STR_INIT;

	if (!p)
		return;
	pthread_mutex_lock(&lock);
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	wipe_block(&out);
	if (outcome && atomic_load(&mode) != PROGRESS_NONE)
		add_outcome(&out, p, outcome);
	if (atomic_load(&mode) == PROGRESS_TTY)
		draw_block(&out);
	flush(&out);
	pthread_mutex_unlock(&lock);
	free(p->title);
	free(p);
}
