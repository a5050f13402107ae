/* SPDX-License-Identifier: Apache-2.0 */
/* The Test Anything Protocol for the unit tests: one line per check, the plan at the end, status 1 if one failed. */
#ifndef UDOCKER_TAP_H
#define UDOCKER_TAP_H

#include <stdio.h>
#include <string.h>

/* A dynamic program of this machine: ourselves, unless we are static. */
#ifdef UDOCKER_STATIC
#define TAP_DYNAMIC_PROGRAM "/bin/true"
#else
#define TAP_DYNAMIC_PROGRAM "/proc/self/exe"
#endif

static int tap_count, tap_failed;

#define ok(cond, ...) \
	({ \
		int tap_c = !!(cond); \
		tap_count++; \
		tap_failed += !tap_c; \
		printf("%sok %d - ", tap_c ? "" : "not ", tap_count); \
		printf(__VA_ARGS__); \
		if (!tap_c) \
			printf("\n# %s:%d: %s", __FILE__, __LINE__, #cond); \
		printf("\n"); \
		tap_c; \
	})

#define is_str(got, want, name) \
	({ \
		const char *tap_g = (got), *tap_w = (want); \
		int tap_e = tap_g == tap_w || (tap_g && tap_w && strcmp(tap_g, tap_w) == 0); \
		ok(tap_e, "%s", name); \
		if (!tap_e) \
			printf("#  got: %s\n# want: %s\n", tap_g ? tap_g : "(null)", \
				tap_w ? tap_w : "(null)"); \
		tap_e; \
	})

#define is_int(got, want, name) \
	({ \
		long long tap_g = (long long)(got), tap_w = (long long)(want); \
		ok(tap_g == tap_w, "%s", name); \
		if (tap_g != tap_w) \
			printf("#  got: %lld\n# want: %lld\n", tap_g, tap_w); \
		tap_g == tap_w; \
	})

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
