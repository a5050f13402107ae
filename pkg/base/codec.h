/* SPDX-License-Identifier: Apache-2.0 */
/* Text codings: base64 (RFC 4648), hexadecimal, percent-encoding (RFC 3986). Results belong to the caller. */
#ifndef UDOCKER_CODEC_H
#define UDOCKER_CODEC_H

#include "pkg/base/base.h"

char *codec_base64_encode(const void *p, size_t n);
/* NULL if the text is not base64. *ret_len may be NULL; one NUL byte stands behind the result. */
char *codec_base64_decode(const char *text, size_t *ret_len);

void codec_hex_encode(const void *p, size_t n, char *ret /* 2 * n + 1 bytes */);
int codec_hex_decode(const char *text, void *ret, size_t n); /* exactly n bytes, lower or upper case */
bool codec_is_hex(const char *text, size_t n); /* n characters of [0-9a-f] and then the end */

char *codec_url_encode(const char *text, const char *keep); /* unreserved and `keep` stay as they are */
char *codec_url_decode(const char *text); /* NULL if malformed or with NUL */

#endif
