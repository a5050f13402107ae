/* SPDX-License-Identifier: Apache-2.0 */
/* Platforms: spellings, normal form and preference, after the rules of containerd's platforms package. */
#include "oci-spec/platform.h"

#include <ctype.h>

#include "pkg/base/err.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"

/* Spellings of uname, udocker 1.3.x and others. A NULL variant leaves the given one. */
static const struct {
	const char *from, *arch, *variant;
} spellings[] = {
	{ "x86_64", "amd64", NULL },
	{ "x86-64", "amd64", NULL },
	{ "aarch64", "arm64", NULL },
	{ "armhf", "arm", "v7" },
	{ "armv7l", "arm", "v7" },
	{ "armv8l", "arm", "v8" },
	{ "armv6l", "arm", "v6" },
	{ "armel", "arm", "v6" },
	{ "x86", "386", NULL },
	{ "i386", "386", NULL },
	{ "i486", "386", NULL },
	{ "i586", "386", NULL },
	{ "i686", "386", NULL },
	{ "ppc64el", "ppc64le", NULL },
	{ "mips64el", "mips64le", NULL },
	{ "mipsel", "mipsle", NULL },
	{ "loongarch64", "loong64", NULL },
};

static const char *const known_os[] = { "linux", "windows", "darwin", "freebsd", "netbsd", "openbsd",
	"android", "solaris", "illumos", "aix", "plan9", "dragonfly", "zos", "wasip1" };

static void set_part(char part[PLATFORM_PART_MAX + 1], const char *s)
{
	size_t n = strlen(s);

	if (n > PLATFORM_PART_MAX)
		n = PLATFORM_PART_MAX;
	memcpy(part, s, n);
	part[n] = '\0';
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

void platform_normalise(struct platform *p)
{
	lower(p->os);
	lower(p->arch);
	lower(p->variant);
	if (str_eq(p->os, "macos"))
		set_part(p->os, "darwin");
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		if (!str_eq(p->arch, spellings[i].from))
			continue;
		set_part(p->arch, spellings[i].arch);
		if (spellings[i].variant && p->variant[0] == '\0')
			set_part(p->variant, spellings[i].variant);
		break;
	}
	if (p->variant[0] >= '0' && p->variant[0] <= '9' && strlen(p->variant) < 4) {
		memmove(p->variant + 1, p->variant, strlen(p->variant) + 1);
		p->variant[0] = 'v';
	}
	/* The variants that go without saying. */
	if ((str_eq(p->arch, "arm64") && str_eq(p->variant, "v8")) ||
		(str_eq(p->arch, "amd64") && str_eq(p->variant, "v1")))
		p->variant[0] = '\0';
	if (str_eq(p->arch, "arm") && p->variant[0] == '\0')
		set_part(p->variant, "v7");
}

static bool is_os(const char *s)
{
	for (size_t i = 0; i < ARRAY_LEN(known_os); i++)
		if (str_eq(s, known_os[i]))
			return true;
	return false;
}

static int refuse(const char *text, struct err **err)
{
	err_make(err, ERR_USAGE, "invalid platform '%.80s'", text);
	return err_hint(err, "a platform is OS/ARCH[/VARIANT], as linux/amd64 or linux/arm/v7");
}

int platform_parse(const char *text, struct platform *ret, struct err **err)
{
	char part[3][PLATFORM_PART_MAX + 1] = { "", "", "" };
	size_t n = 0, len = 0;
	struct platform p = { .os = "" };

	for (const char *s = text; *s; s++) {
		if (*s == '/') {
			if (len == 0 || ++n > 2)
				return refuse(text, err);
			len = 0;
			continue;
		}
		if ((!isalnum((unsigned char)*s) && !strchr("_.-", *s)) || len == PLATFORM_PART_MAX)
			return refuse(text, err);
		part[n][len++] = *s;
	}
	if (len == 0)
		return refuse(text, err);
	if (n == 0) {
		lower(part[0]);
		if (is_os(part[0])) {
			platform_host(&p);
			set_part(p.os, part[0]);
			*ret = p;
			return 0;
		}
		set_part(p.os, "linux");
		set_part(p.arch, part[0]);
	} else {
		set_part(p.os, part[0]);
		set_part(p.arch, part[1]);
		set_part(p.variant, part[2]);
	}
	platform_normalise(&p);
	*ret = p;
	return 0;
}

static int get_part(const struct json *j, const char *where, const char *key,
	char part[PLATFORM_PART_MAX + 1], struct err **err)
{
	const char *s = NULL;

	if (json_get_str(j, where, key, &s, err) < 0)
		return -1;
	if (!s)
		return 0;
	if (strlen(s) > PLATFORM_PART_MAX)
		return err_make(
			err, ERR_CORRUPT, "%s.%s: longer than %d bytes", where, key, PLATFORM_PART_MAX);
	for (const char *c = s; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("_.-", *c))
			return err_make(
				err, ERR_CORRUPT, "%s.%s: '%s' is not a platform's name", where, key, s);
	set_part(part, s);
	return 0;
}

int platform_from_json(const struct json *j, const char *where, struct platform *ret, struct err **err)
{
	struct platform p = { .os = "" };

	if (get_part(j, where, "os", p.os, err) < 0 || get_part(j, where, "architecture", p.arch, err) < 0 ||
		get_part(j, where, "variant", p.variant, err) < 0)
		return -1;
	platform_normalise(&p);
	*ret = p;
	return 0;
}

void platform_to_json(const struct platform *p, struct json *object)
{
	json_set_str(object, "architecture", p->arch);
	json_set_str(object, "os", p->os);
	json_set_str(object, "variant", p->variant[0] ? p->variant : NULL);
}

void platform_host(struct platform *ret)
{
	*ret = (struct platform){ .os = "linux" };
	set_part(ret->arch, host_oci_arch());
	set_part(ret->variant, host_oci_variant());
	platform_normalise(ret);
}

const char *platform_text(const struct platform *p, char buf[PLATFORM_TEXT_MAX])
{
	snprintf(buf, PLATFORM_TEXT_MAX, "%s/%s%s%s", p->os[0] ? p->os : "?", p->arch[0] ? p->arch : "?",
		p->variant[0] ? "/" : "", p->variant);
	return buf;
}

bool platform_eq(const struct platform *a, const struct platform *b)
{
	struct platform x = *a, y = *b;

	platform_normalise(&x);
	platform_normalise(&y);
	return str_eq(x.os, y.os) && str_eq(x.arch, y.arch) && str_eq(x.variant, y.variant);
}

/* The N of "vN", or `none`. */
static int version(const struct platform *p, int none)
{
	const char *v = p->variant;

	return v[0] == 'v' && v[1] >= '1' && v[1] <= '9' && v[2] == '\0' ? v[1] - '0' : none;
}

/* Ranks: a stated exact match is 0; a lower version of the same family next; a family that also runs behind all of these. */
enum { RANK_UNSTATED = 20, RANK_OTHER_FAMILY = 40 };

static int rank_versions(const struct platform *want, const struct platform *have, int lowest, int assumed)
{
	int w = version(want, assumed), h = version(have, assumed);

	if (str_eq(want->variant, have->variant))
		return 0;
	if (have->variant[0] && version(have, -1) < 0)
		return -1; /* a variant nobody knows */
	return h <= w && h >= lowest ? w - h : -1;
}

static int rank_arch(const struct platform *want, const struct platform *have, bool compat)
{
	if (have->arch[0] == '\0' || want->arch[0] == '\0')
		return RANK_UNSTATED;
	if (str_eq(want->arch, have->arch)) {
		if (str_eq(want->arch, "arm"))
			return rank_versions(want, have, 5, 7);
		if (str_eq(want->arch, "arm64"))
			return rank_versions(want, have, 8, 8);
		if (str_eq(want->arch, "amd64"))
			return rank_versions(want, have, 1, 1);
		if (str_eq(want->variant, have->variant))
			return 0;
		return want->variant[0] == '\0' || have->variant[0] == '\0' ? 1 : -1;
	}
	if (compat && str_eq(want->arch, "amd64") && str_eq(have->arch, "386"))
		return RANK_OTHER_FAMILY;
	if (compat && str_eq(want->arch, "arm64") && str_eq(have->arch, "arm")) {
		struct platform arm = { .arch = "arm", .variant = "v8" };
		int r = rank_versions(&arm, have, 5, 7);

		return r < 0 ? -1 : RANK_OTHER_FAMILY + r;
	}
	return -1;
}

int platform_rank(const struct platform *want, const struct platform *have, bool compat)
{
	struct platform w = *want, h = *have;
	int r, extra = 0;

	platform_normalise(&w);
	platform_normalise(&h);
	if (h.os[0] == '\0' || w.os[0] == '\0')
		extra = RANK_UNSTATED;
	else if (!str_eq(w.os, h.os))
		return -1;
	r = rank_arch(&w, &h, compat);
	return r < 0 ? -1 : r + extra;
}
