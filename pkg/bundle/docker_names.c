/* SPDX-License-Identifier: Apache-2.0 */
/* --add-host, --link, --dns…: /etc/hosts and /etc/resolv.conf of the run. */
#include "pkg/bundle/docker.h"

#include <arpa/inet.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/strv.h"
#include "pkg/bundle/mounts.h"
#include "pkg/cli/docker_options.h"

#define FILE_MAX ((size_t)1 << 20)
#define BLANKS " \t\r\n"

void bundle_names_free(struct bundle_names *n)
{
	free(n->hosts);
	free(n->resolv);
	*n = BUNDLE_NAMES_INIT;
}

static bool is_address(const char *s)
{
	unsigned char buf[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, s, buf) == 1 || inet_pton(AF_INET6, s, buf) == 1;
}

static bool is_word(const char *s)
{
	for (const char *c = s; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '#')
			return false;
	return *s && strlen(s) < 256;
}

static void read_host(const char *path, struct str *ret)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	auto_err *err = NULL;

	if (fd >= 0 && fd_read_text(fd, FILE_MAX, ret, path, &err) < 0)
		str_truncate(ret, 0);
}

static void add_line(struct str *text, const char *line)
{
	if (text->len > 0 && text->data[text->len - 1] != '\n')
		str_add_char(text, '\n');
	str_add(text, line);
	str_add_char(text, '\n');
}

/* NAME:ADDRESS or NAME=ADDRESS; an IPv6 address may stand in brackets. */
static int host_line(const char *text, struct str *ret, struct err **err)
{
	size_t n = strcspn(text, ":=");
	autofree char *name = xstrndup(text, n), *address = text[n] ? xstrdup(text + n + 1) : xstrdup("");
	size_t len = strlen(address);

	if (len > 1 && address[0] == '[' && address[len - 1] == ']') {
		memmove(address, address + 1, len - 2);
		address[len - 2] = '\0';
	}
	if (str_eq(address, "host-gateway")) { /* the container is on the host's network */
		free(address);
		address = xstrdup("127.0.0.1");
	}
	if (!is_word(name) || !is_address(address))
		return err_make(err, ERR_USAGE, "--add-host: '%s' is not NAME:ADDRESS", text);
	{
		autofree char *line = xasprintf("%s\t%s", address, name);

		add_line(ret, line);
	}
	return 0;
}

static int link_line(const char *text, struct str *ret, struct err **err)
{
	size_t n = strcspn(text, ":");
	autofree char *name = xstrndup(text, n), *line = NULL;
	const char *alias = text[n] ? text + n + 1 : name;

	if (!is_word(name) || !is_word(alias))
		return err_make(err, ERR_USAGE, "--link: '%s' is not CONTAINER[:ALIAS]", text);
	line = xasprintf(
		"127.0.0.1\t%s%s%s", alias, str_eq(alias, name) ? "" : " ", str_eq(alias, name) ? "" : name);
	add_line(ret, line);
	return 0;
}

static int make_hosts(const struct docker_options *d, int rootfd, char **ret, struct err **err)
{
	auto_str text = STR_INIT_MAX(2 * FILE_MAX);

	if (d->add_host.n + d->link.n == 0)
		return 0;
	if (rootfd < 0 || fs_read(rootfd, "etc/hosts", FILE_MAX, &text, FS_IN_ROOT) < 0)
		str_truncate(&text, 0);
	if (text.len == 0 && rootfd >= 0)
		read_host("/etc/hosts", &text);
	for (size_t i = 0; i < d->add_host.n; i++)
		if (host_line(d->add_host.v[i], &text, err) < 0)
			return -1;
	for (size_t i = 0; i < d->link.n; i++)
		if (link_line(d->link.v[i], &text, err) < 0)
			return -1;
	*ret = str_steal(&text);
	return 0;
}

/* The host's lines but for the kinds that options replace, as docker does. */
static void keep_lines(const struct docker_options *d, const char *old, struct str *ret)
{
	auto_strv lines = STRV_INIT;

	strv_split(&lines, old, "\n");
	for (size_t i = 0; i < lines.n; i++) {
		const char *line = lines.v[i] + strspn(lines.v[i], BLANKS);

		if ((d->dns.n && str_starts(line, "nameserver")) ||
			(d->dns_search.n && (str_starts(line, "search") || str_starts(line, "domain"))) ||
			(d->dns_option.n && str_starts(line, "options")))
			continue;
		add_line(ret, lines.v[i]);
	}
}

static int add_words(
	const char *key, const char *option, const struct strv *words, struct str *ret, struct err **err)
{
	autofree char *all = words->n ? strv_join(words, " ") : NULL, *line = NULL;

	for (size_t i = 0; i < words->n; i++)
		if (!is_word(words->v[i]))
			return err_make(err, ERR_USAGE, "%s: '%s' is not a word", option, words->v[i]);
	if (!all || str_eq(all, ".")) /* docker's word for none */
		return 0;
	line = xasprintf("%s %s", key, all);
	add_line(ret, line);
	return 0;
}

static int make_resolv(const struct docker_options *d, bool host, char **ret, struct err **err)
{
	auto_str old = STR_INIT_MAX(2 * FILE_MAX), text = STR_INIT_MAX(4 * FILE_MAX);

	if (d->dns.n + d->dns_search.n + d->dns_option.n == 0)
		return 0;
	if (host)
		read_host("/etc/resolv.conf", &old);
	for (size_t i = 0; i < d->dns.n; i++) {
		autofree char *line = xasprintf("nameserver %s", d->dns.v[i]);

		if (!is_address(d->dns.v[i]))
			return err_make(err, ERR_USAGE, "--dns: '%s' is not an address", d->dns.v[i]);
		add_line(&text, line);
	}
	if (add_words("search", "--dns-search", &d->dns_search, &text, err) < 0 ||
		add_words("options", "--dns-option", &d->dns_option, &text, err) < 0)
		return -1;
	keep_lines(d, str_text(&old), &text);
	*ret = str_steal(&text);
	return 0;
}

static void take_place(struct bundle_volumes *v, const char *path, char **text)
{
	if (!*text)
		return;
	if (bundle_volumes_find(v, path)) {
		log_warning("%s is one of the volumes: --add-host, --link and --dns do not change it", path);
		free(*text);
		*text = NULL;
		return;
	}
	bundle_volumes_drop_system(v, path);
}

int bundle_docker_names(const struct docker_options *d, int rootfd, struct bundle_volumes *v,
	struct bundle_names *ret, struct err **err)
{
	if (make_hosts(d, rootfd, &ret->hosts, err) < 0 ||
		make_resolv(d, rootfd >= 0, &ret->resolv, err) < 0) {
		bundle_names_free(ret);
		return -1;
	}
	if (!v)
		return 0;
	take_place(v, "/etc/hosts", &ret->hosts);
	take_place(v, "/etc/resolv.conf", &ret->resolv);
	return 0;
}
