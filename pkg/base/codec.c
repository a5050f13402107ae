/* SPDX-License-Identifier: Apache-2.0 */
/* Text codings. */
#include "pkg/base/codec.h"

#include "pkg/base/mem.h"

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char hex[] = "0123456789abcdef";

char *codec_base64_encode(const void *p, size_t n)
{
	const unsigned char *in = p;
	char *ret = xmalloc((n + 2) / 3 * 4 + 1), *out = ret;

	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v = (uint32_t)in[i] << 16;

		if (left > 1)
			v |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			v |= in[i + 2];
		*out++ = base64[v >> 18];
		*out++ = base64[v >> 12 & 63];
		*out++ = left > 1 ? base64[v >> 6 & 63] : '=';
		*out++ = left > 2 ? base64[v & 63] : '=';
	}
	*out = '\0';
	return ret;
}

static int base64_value(char c)
{
	const char *at = c ? strchr(base64, c) : NULL;

	return at ? (int)(at - base64) : -1;
}

char *codec_base64_decode(const char *text, size_t *ret_len)
{
	size_t n = strlen(text), pad = 0, len = 0;
	char *ret;
	uint32_t v = 0;

	while (pad < 2 && n > pad && text[n - 1 - pad] == '=')
		pad++;
	if (n % 4 != 0)
		return NULL;
	n -= pad;
	ret = xmalloc(n / 4 * 3 + 3);
	for (size_t i = 0; i < n; i++) {
		int digit = base64_value(text[i]);

		if (digit < 0)
			goto malformed;
		v = v << 6 | (uint32_t)digit;
		if (i % 4 == 3) {
			ret[len++] = (char)(v >> 16);
			ret[len++] = (char)(v >> 8);
			ret[len++] = (char)v;
			v = 0;
		}
	}
	/* The last group: 2 or 3 digits. Bits that belong to no byte must be zero, so that each value has one text. */
	if (pad == 2) {
		if (v & 15)
			goto malformed;
		ret[len++] = (char)(v >> 4);
	} else if (pad == 1) {
		if (v & 3)
			goto malformed;
		ret[len++] = (char)(v >> 10);
		ret[len++] = (char)(v >> 2);
	}
	ret[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return ret;

malformed:
	free(ret);
	return NULL;
}

void codec_hex_encode(const void *p, size_t n, char *ret)
{
	const unsigned char *in = p;

	for (size_t i = 0; i < n; i++) {
		*ret++ = hex[in[i] >> 4];
		*ret++ = hex[in[i] & 15];
	}
	*ret = '\0';
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int codec_hex_decode(const char *text, void *ret, size_t n)
{
	unsigned char *out = ret;

	if (strnlen(text, 2 * n + 1) != 2 * n)
		return -1;
	for (size_t i = 0; i < 2 * n; i++)
		if (hex_value(text[i]) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)((unsigned)hex_value(text[2 * i]) << 4 |
					 (unsigned)hex_value(text[2 * i + 1]));
	return 0;
}

bool codec_is_hex(const char *text, size_t n)
{
	return strspn(text, hex) == n && text[n] == '\0';
}

/* RFC 3986, section 2.3. */
static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
	       c == '.' || c == '_' || c == '~';
}

char *codec_url_encode(const char *text, const char *keep)
{
	static const char upper[] = "0123456789ABCDEF"; /* RFC 3986 asks for upper case */
	char *ret = xmalloc(3 * strlen(text) + 1), *out = ret;

	for (; *text; text++) {
		if (is_unreserved(*text) || (keep && strchr(keep, *text))) {
			*out++ = *text;
		} else {
			*out++ = '%';
			*out++ = upper[(unsigned char)*text >> 4];
			*out++ = upper[(unsigned char)*text & 15];
		}
	}
	*out = '\0';
	return ret;
}

char *codec_url_decode(const char *text)
{
	char *ret = xmalloc(strlen(text) + 1), *out = ret;

	while (*text) {
		if (*text != '%') {
			*out++ = *text++;
			continue;
		}
		if (hex_value(text[1]) < 0 || hex_value(text[2]) < 0 || (text[1] == '0' && text[2] == '0')) {
			free(ret);
			return NULL;
		}
		*out++ = (char)((unsigned)hex_value(text[1]) << 4 | (unsigned)hex_value(text[2]));
		text += 3;
	}
	*out = '\0';
	return ret;
}
