/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: random ones, and the alphabets of those that come from outside. */
#include "pkg/base/id.h"

#include <errno.h>
#include <sys/random.h>

#include "pkg/base/mem.h"

/* Random bytes for names. Kernels before 3.17 have no getrandom. Without any source nothing is safe: abort. */
static void random_bytes(unsigned char *p, size_t n)
{
	int fd = -1;

	while (n) {
		ssize_t r = fd < 0 ? getrandom(p, n, 0) : read(fd, p, n);

		if (r > 0) {
			p += r;
			n -= (size_t)r;
		} else if (r == 0 || errno != EINTR) {
			if (fd >= 0)
				abort();
			fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
			if (fd < 0)
				abort();
		}
	}
	if (fd >= 0)
		close(fd);
}

static const char hex[] = "0123456789abcdef";

void id_uuid(char ret[ID_UUID_LEN + 1])
{
	unsigned char b[16];
	char *p = ret;

	random_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40; /* version 4 */
	b[8] = (b[8] & 0x3f) | 0x80; /* variant of RFC 4122 */
	for (size_t i = 0; i < sizeof(b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[b[i] >> 4];
		*p++ = hex[b[i] & 15];
	}
	*p = '\0';
}

void id_random_hex(char *ret, size_t n)
{
	unsigned char b[32];

	for (size_t i = 0; i < n; i++) {
		if (i % sizeof(b) == 0)
			random_bytes(b, sizeof(b));
		ret[i] = hex[b[i % sizeof(b)] & 15];
	}
	ret[n] = '\0';
}

bool id_is_container(const char *s)
{
	for (int group = 1;; group++) {
		size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789");

		if (!n)
			return false;
		s += n;
		if (group == 5)
			return *s == '\0';
		if (*s++ != '-')
			return false;
	}
}

bool id_is_container_name(const char *s)
{
	size_t n = strnlen(s, 256);

	if (!n || n > 255 || s[0] == '-' || id_is_container(s))
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f || strchr("/. []", s[i]))
			return false;
	return true;
}

bool id_is_runtime_id(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-");

	return n && n <= 1024 && !s[n] && !str_eq(s, ".") && !str_eq(s, "..");
}
