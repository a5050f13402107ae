/* SPDX-License-Identifier: Apache-2.0 */
/* passwd(5) and group(5) files as data. The text may come from an image: every line may be nonsense. */
#include "pkg/base/passwd.h"

#include "pkg/base/mem.h"
#include "pkg/base/num.h"

#define MAX_FIELDS 7

struct field {
	const char *p;
	size_t n;
};

/*
 * The fields of the line at *text, which moves to the next line. Returns their number, MAX_FIELDS + 1 for more,
 * and -1 at the end of the text.
 */
static int next_line(const char **text, struct field f[MAX_FIELDS])
{
	const char *p = *text, *end;
	int n = 0;

	if (!*p)
		return -1;
	end = strchrnul(p, '\n');
	*text = *end ? end + 1 : end;
	while (n < MAX_FIELDS) {
		const char *colon = memchr(p, ':', (size_t)(end - p));

		f[n].p = p;
		f[n++].n = (size_t)((colon ? colon : end) - p);
		if (!colon)
			return n;
		p = colon + 1;
	}
	return n + 1;
}

static bool field_is(const struct field *f, const char *text)
{
	return strlen(text) == f->n && memcmp(f->p, text, f->n) == 0;
}

/* -1 is no id: chown and setresuid take it for "leave as it is". */
static int field_id(const struct field *f, uint32_t *ret)
{
	char digits[16];
	uint32_t v;

	if (f->n >= sizeof(digits))
		return -1;
	memcpy(digits, f->p, f->n);
	digits[f->n] = '\0';
	if (num_parse_u32(digits, &v) < 0 || v == UINT32_MAX)
		return -1;
	*ret = v;
	return 0;
}

static char *field_dup(const struct field *f)
{
	return xmemdup(f->p, f->n);
}

/* The first entry with this name, or this uid when name is NULL. */
static int find_user(const char *text, const char *name, uid_t uid, struct passwd_entry *ret)
{
	struct field f[MAX_FIELDS];
	int n;

	while ((n = next_line(&text, f)) >= 0) {
		uint32_t u, g;

		if (n != 7 || !f[0].n || field_id(&f[2], &u) < 0 || field_id(&f[3], &g) < 0)
			continue;
		if (name ? !field_is(&f[0], name) : u != uid)
			continue;
		*ret = (struct passwd_entry){ .name = field_dup(&f[0]),
			.uid = u,
			.gid = g,
			.gecos = field_dup(&f[4]),
			.home = field_dup(&f[5]),
			.shell = field_dup(&f[6]) };
		return 1;
	}
	return 0;
}

int passwd_find_name(const char *text, const char *name, struct passwd_entry *ret)
{
	return find_user(text, name, 0, ret);
}

int passwd_find_uid(const char *text, uid_t uid, struct passwd_entry *ret)
{
	return find_user(text, NULL, uid, ret);
}

/* The next well-formed line of a group file: 1, or 0 at the end. */
static int next_group(const char **text, struct field f[MAX_FIELDS], gid_t *gid)
{
	int n;

	while ((n = next_line(text, f)) >= 0) {
		uint32_t g;

		/* The list of members may be missing together with its colon, as glibc takes it. */
		if ((n == 3 || n == 4) && f[0].n && field_id(&f[2], &g) == 0) {
			if (n == 3)
				f[3] = (struct field){ "", 0 };
			*gid = g;
			return 1;
		}
	}
	return 0;
}

static int find_group(const char *text, const char *name, gid_t gid, struct group_entry *ret)
{
	struct field f[MAX_FIELDS];
	gid_t g;

	while (next_group(&text, f, &g)) {
		if (name ? !field_is(&f[0], name) : g != gid)
			continue;
		*ret = (struct group_entry){ .name = field_dup(&f[0]), .gid = g };
		return 1;
	}
	return 0;
}

int passwd_find_group(const char *text, const char *name, struct group_entry *ret)
{
	return find_group(text, name, 0, ret);
}

int passwd_find_gid(const char *text, gid_t gid, struct group_entry *ret)
{
	return find_group(text, NULL, gid, ret);
}

static bool has_member(const struct field *list, const char *user)
{
	const char *p = list->p, *end = p + list->n;

	while (p < end) {
		const char *comma = memchr(p, ',', (size_t)(end - p));
		struct field member = { p, (size_t)((comma ? comma : end) - p) };

		if (member.n && field_is(&member, user))
			return true;
		p += member.n + 1;
	}
	return false;
}

size_t passwd_groups_of(const char *text, const char *user, gid_t *ret, size_t max)
{
	struct field f[MAX_FIELDS];
	size_t count = 0;
	gid_t g;

	while (count < max && next_group(&text, f, &g)) {
		size_t i = 0;

		if (!has_member(&f[3], user))
			continue;
		while (i < count && ret[i] != g)
			i++;
		if (i == count)
			ret[count++] = g;
	}
	return count;
}

void passwd_entry_free(struct passwd_entry *e)
{
	if (!e)
		return;
	free(e->name);
	free(e->gecos);
	free(e->home);
	free(e->shell);
	*e = (struct passwd_entry){ 0 };
}

void group_entry_free(struct group_entry *e)
{
	if (!e)
		return;
	free(e->name);
	*e = (struct group_entry){ 0 };
}
