/* SPDX-License-Identifier: Apache-2.0 */
/* Where an engine archive comes from, whether it is the right one, and when there is nothing to do. */
#include "pkg/image/englib_install.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/progress.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "pkg/image/englib_set.h"
#include "pkg/registry/http.h"
#include "pkg/store/store.h"

#define DOWNLOAD ".archive"

static const struct {
	const char *name, *sha256;
} known[] = {
	{ "udocker-englib-1.2.11.tar.gz",
		"2a4804ba82e087ca3e99305fce9887227925d2b56aaefcad6474c4cb86b7a157" },
};

const char *englib_known_digest(const char *from)
{
	const char *name = path_base(from);
	size_t n = strcspn(name, "?#");

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (strlen(known[i].name) == n && strncmp(known[i].name, name, n) == 0)
			return known[i].sha256;
	return NULL;
}

/* ---- an archive from the network ---- */

struct download {
	int fd;
	uint64_t bytes;
	const char *url;
	struct progress *progress;
};

static int take(void *arg, const void *p, size_t n, struct err **err)
{
	struct download *d = arg;

	if (sig_interrupted())
		return err_sys(err, EINTR, "%s", d->url);
	if (n > ENGLIB_ARCHIVE_MAX - d->bytes)
		return err_make(err, ERR_CORRUPT, "%s is more than an engine archive can be", d->url);
	if (fd_write_all(d->fd, p, n) < 0)
		return err_sys(err, errno, "write what comes from %s", d->url);
	d->bytes += n;
	progress_update(d->progress, d->bytes);
	return 0;
}

static int fetch(const char *url, const char *proxy, int fd, struct err **err)
{
	const struct http_settings settings = { .proxy = proxy };
	struct http_request req = HTTP_REQUEST_INIT;
	struct download d = { .fd = fd, .url = url };
	auto_http_reply reply = HTTP_REPLY_INIT;
	auto_http *h = NULL;
	int r;

	if (http_open(&settings, &h, err) < 0)
		return -1;
	d.progress = progress_begin(path_base(url), 0);
	req.url = url;
	req.sink = take;
	req.sink_arg = &d;
	r = http_do(h, &req, &reply, err);
	if (r < 0) {
		err_add(err, "%s", url);
		err_hint_else(err, ERR_NETWORK, "name another archive with --from or UDOCKER_TARBALL");
	} else if (reply.status != 200) {
		r = err_make(err, http_is_temporary(&reply) ? ERR_NETWORK : ERR_NOT_FOUND,
			"%s: HTTP status %d", url, reply.status);
	}
	progress_end(d.progress, r == 0 ? "done" : NULL);
	return r < 0 || lseek(fd, 0, SEEK_SET) == 0 ? r : err_sys(err, errno, "%s", url);
}

/* A descriptor at the beginning of the archive; what is fetched has no name, and is gone with its descriptor. */
static int open_archive(const struct englib_install_options *o, const struct englib_set *s, const char *from,
	struct err **err)
{
	autoclose int fd = -1;
	struct stat st;

	if (str_starts(from, "http://") || str_starts(from, "https://")) {
		fd = openat(s->stage[ENGLIB_LIB], DOWNLOAD,
			O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 || unlinkat(s->stage[ENGLIB_LIB], DOWNLOAD, 0) < 0)
			return err_sys(err, errno, "write to %s", conf_str(CONF_LIBDIR));
		return fetch(from, o->proxy, fd, err) < 0 ? -1 : steal_fd(&fd);
	}
	if (strstr(from, "://") && !str_starts(from, "file://"))
		return err_make(err, ERR_USAGE, "'%s': engines come from a file, or by http or https", from);
	fd = open(str_starts(from, "file://") ? from + strlen("file://") : from,
		O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "'%s'", from);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return err_make(err, ERR_UNSUPPORTED, "'%s' is not a file", from);
	if ((uint64_t)st.st_size > ENGLIB_ARCHIVE_MAX)
		return err_make(err, ERR_CORRUPT, "'%s' is more than an engine archive can be", from);
	return steal_fd(&fd);
}

/* ---- whether it is the right one ---- */

static int check_digest(const char *from, const struct englib_archive *a, struct err **err)
{
	const char *digest = englib_known_digest(from);

	if (digest && !str_eq(digest, a->digest)) {
		err_make(err, ERR_CORRUPT, "'%s' is not what it is known as: its SHA-256 is %s, not %s", from,
			a->digest, digest);
		return err_hint(err, "nothing was installed; fetch it again, or from somewhere else");
	}
	if (!digest && strstr(from, "://"))
		log_warning("no digest is known of '%s': compare its SHA-256, %s, with what its maker says",
			from, a->digest);
	return 0;
}

static int check_version(const char *from, const struct englib_archive *a, bool force, struct err **err)
{
	const char *least = conf_str(CONF_TARBALL_RELEASE);

	if (force || englib_version_number(a->version) >= englib_version_number(least))
		return 0;
	err_make(err, ERR_UNSUPPORTED, "'%s' has engines of version %s, and %s is the least that is taken",
		from, a->version, least);
	return err_hint(err, "nothing was installed; --force installs it all the same");
}

static int install_from(const struct englib_install_options *o, struct englib_set *s, const char *from,
	char **ret_version, struct err **err)
{
	auto_englib_archive a = ENGLIB_ARCHIVE_INIT;
	autoclose int fd = -1;

	log_verbose("engines from %s", from);
	if (englib_set_stage(s, err) < 0)
		return -1;
	fd = open_archive(o, s, from, err);
	if (fd < 0 || englib_archive_stage(fd, from, s->stage, &a, err) < 0 ||
		check_digest(from, &a, err) < 0 || check_version(from, &a, o->force, err) < 0)
		return -1;
	log_info("installing engines %s", a.version);
	if (englib_set_publish(s, err) < 0)
		return -1;
	*ret_version = steal_ptr(&a.version);
	return 0;
}

/* The places in turn: what a place has told is a warning when there is another one. */
static int install_from_any(const struct englib_install_options *o, struct englib_set *s,
	const struct strv *places, char **ret_version, struct err **err)
{
	int64_t rounds = conf_int(CONF_INSTALLRETRY);

	for (int64_t round = 1;; round++) {
		bool may_pass = false;

		for (size_t i = 0; i < places->n; i++) {
			struct err *e = NULL;

			if (install_from(o, s, places->v[i], ret_version, &e) == 0)
				return 0;
			may_pass |= err_is(e, ERR_NETWORK);
			if (sig_interrupted() || (i + 1 == places->n && (round >= rounds || !may_pass)))
				return err_move(err, &e);
			log_warning("%s", err_text(e));
			err_free(e);
		}
	}
}

/* Whether there is anything to do at all. */
static bool is_sufficient(const struct englib_install_options *o)
{
	autofree char *version = englib_set_version();

	if (o->from || o->again || o->force || !*version ||
		englib_version_number(version) < englib_version_number(conf_str(CONF_TARBALL_RELEASE)))
		return false;
	log_info("engines %s are installed; --force installs them again", version);
	return true;
}

int englib_install(const struct englib_install_options *o, char **ret_version, struct err **err)
{
	const struct strv *places = conf_list(CONF_TARBALL);
	auto_englib_set set = ENGLIB_SET_INIT;
	auto_store *store = NULL;

	*ret_version = NULL;
	if (!o->from && !places->n) {
		log_info("the setting tarball is empty: no engines are installed");
		return 0;
	}
	if (is_sufficient(o))
		return 0;
	if (store_open(STORE_WRITE, &store, err) < 0 || englib_set_open(&set, err) < 0)
		return -1;
	if (is_sufficient(o)) /* another one did it meanwhile */
		return 0;
	return o->from ? install_from(o, &set, o->from, ret_version, err)
		       : install_from_any(o, &set, places, ret_version, err);
}
