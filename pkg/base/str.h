/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing strings with a ceiling. An append that would pass the ceiling adds nothing and marks the
 * string as overflowed, which the caller asks for once at the end. The mark stays until str_free().
 */
#ifndef UDOCKER_STR_H
#define UDOCKER_STR_H

#include <stdarg.h>

#include "pkg/base/base.h"

struct str {
	char *data; /* NUL-terminated; NULL while empty and never grown */
	size_t len;
	size_t cap;
	size_t max; /* ceiling in bytes, without the NUL; 0 is STR_DEFAULT_MAX */
	bool overflow;
};

#define STR_DEFAULT_MAX ((size_t)64 << 20)
#define STR_INIT ((struct str){ 0 })
#define STR_INIT_MAX(n) ((struct str){ .max = (n) })

/* Each returns 0, or -1 when the ceiling was hit (now or before). */
int str_add(struct str *s, const char *text);
int str_add_mem(struct str *s, const void *p, size_t n);
int str_add_char(struct str *s, char c);
int str_addf(struct str *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
int str_vaddf(struct str *s, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
int str_add_repeat(struct str *s, char c, size_t n);

/* Text from outside for people: control characters and invalid UTF-8 bytes become \n, \t, \xNN. */
int str_add_escaped(struct str *s, const char *text);

/*
 * The same text with those left out, and with characters that turn the direction of writing, so that a line says what it seems to say. Stops at
 * the first line break.
 */
int str_add_clean_line(struct str *s, const char *text);

/* Bytes of the UTF-8 character at p: 1 for ASCII, 0 at the NUL and where the bytes are not valid UTF-8. */
size_t str_utf8_len(const char *p);

bool str_is_utf8(const char *text);

/* Cut back to n bytes, or to nothing; storage is kept. */
void str_truncate(struct str *s, size_t n);
void str_trim(struct str *s); /* white space at both ends */

/* The text, never NULL ("" when empty). Owned by s. */
const char *str_text(const struct str *s);

/* Hand the buffer over (never NULL) and leave s empty. The caller frees it. */
char *str_steal(struct str *s);

void str_free(struct str *s); /* leaves it empty and reusable */
#define auto_str CLEANUP(str_free) struct str

#endif
