/* SPDX-License-Identifier: Apache-2.0 */
/* What a test's own code writes to stderr, as text. */
#ifndef UDOCKER_CAPTURE_H
#define UDOCKER_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int capture_saved = -1;
static FILE *capture_file;

/* From here on stderr goes to a file. */
static inline void capture_begin(void)
{
	capture_file = tmpfile();
	if (!capture_file)
		abort();
	capture_saved = dup(STDERR_FILENO);
	dup2(fileno(capture_file), STDERR_FILENO);
}

/* stderr is back; what was written is returned. Static, until the next call. */
static inline const char *capture_end(void)
{
	static char text[65536];
	ssize_t n;

	dup2(capture_saved, STDERR_FILENO);
	close(capture_saved);
	n = pread(fileno(capture_file), text, sizeof(text) - 1, 0);
	text[n < 0 ? 0 : n] = '\0';
	fclose(capture_file);
	return text;
}

#endif
