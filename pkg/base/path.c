/* SPDX-License-Identifier: Apache-2.0 */
/* Paths as text. */
#include "pkg/base/path.h"

#include "pkg/base/mem.h"

char *path_join(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len, slash = a_len > 0;
	char *ret;

	while (a_len && a[a_len - 1] == '/')
		a_len--;
	b += strspn(b, "/");
	b_len = strlen(b);
	ret = xmalloc(a_len + slash + b_len + 1);
	memcpy(ret, a, a_len);
	if (slash)
		ret[a_len] = '/';
	memcpy(ret + a_len + slash, b, b_len + 1);
	return ret;
}

/* The next component: *len bytes from the result on. NULL at the end. *p moves behind it. */
static const char *next_component(const char **p, size_t *len)
{
	const char *start = *p + strspn(*p, "/");

	*len = strcspn(start, "/");
	*p = start + *len;
	return *len ? start : NULL;
}

static bool is_dot(const char *p, size_t len)
{
	return len == 1 && p[0] == '.';
}

static bool is_dotdot(const char *p, size_t len)
{
	return len == 2 && p[0] == '.' && p[1] == '.';
}

char *path_clean(const char *path)
{
	bool absolute = path[0] == '/';
	char *ret = xmalloc(strlen(path) + 2);
	size_t n = 0, depth = 0, len;
	const char *p = path, *c;

	if (absolute)
		ret[n++] = '/';
	while ((c = next_component(&p, &len))) {
		if (is_dot(c, len))
			continue;
		if (is_dotdot(c, len)) {
			if (depth) {
				/* Cut the last component and the slash in front of it. */
				while (n > absolute && ret[n - 1] != '/')
					n--;
				if (n > absolute)
					n--;
				depth--;
				continue;
			}
			if (absolute)
				continue;
		} else {
			depth++;
		}
		if (n > absolute)
			ret[n++] = '/';
		memcpy(ret + n, c, len);
		n += len;
	}
	if (!n)
		ret[n++] = '.';
	ret[n] = '\0';
	return ret;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

char *path_dir(const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t n;

	if (!slash)
		return xstrdup(".");
	n = (size_t)(slash - path);
	while (n && path[n - 1] == '/')
		n--;
	return n ? xmemdup(path, n) : xstrdup("/");
}

bool path_is_below(const char *path, const char *top)
{
	size_t n = strlen(top);

	if (str_eq(top, "/"))
		return path[0] == '/';
	if (str_eq(top, "."))
		return path[0] != '/' && !str_eq(path, "..") && !str_starts(path, "../");
	return strncmp(path, top, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

bool path_is_plain(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!len || is_dot(path, len) || is_dotdot(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}
