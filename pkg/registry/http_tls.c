/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Certificates of one host, as docker and containers/image have them: certs.d/HOST[:PORT]/ with *.crt (CAs besides the system's) and
 * NAME.cert with NAME.key (ours, for that host alone).
 */
#include <errno.h>
#include <fcntl.h>

#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/registry/http_priv.h"

#define BUNDLE_MAX ((size_t)8 << 20)

struct host_certs {
	struct strv authorities; /* files with CAs */
	char *cert, *key; /* paths, or NULL */
};

static void host_certs_free(struct host_certs *c)
{
	strv_free(&c->authorities);
	free(c->cert);
	free(c->key);
}

/* The folders in which a host's certificates may lie; the user's first, and the first that exists counts. */
static void folders(const char *authority, struct strv *ret)
{
	const char *home = host_home();

	/* It comes from a parsed URL, but becomes a file's name here. */
	if (strchr(authority, '/') || str_starts(authority, "."))
		return;
	if (home)
		strv_addf(ret, "%s/.config/containers/certs.d/%s", home, authority);
	strv_addf(ret, "/etc/containers/certs.d/%s", authority);
	strv_addf(ret, "/etc/docker/certs.d/%s", authority);
}

static int look(const char *dir, struct host_certs *ret, struct err **err)
{
	autoclose int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_strv names = STRV_INIT;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fs_list(fd, ".", &names) < 0)
		return err_sys(err, errno, "read %s", dir);
	for (size_t i = 0; i < names.n; i++) {
		const char *name = names.v[i];

		if (str_ends(name, ".crt")) {
			strv_add_owned(&ret->authorities, path_join(dir, name));
		} else if (str_ends(name, ".cert") && !ret->cert) {
			ret->cert = path_join(dir, name);
			ret->key = xasprintf("%.*s.key", (int)(strlen(ret->cert) - 5), ret->cert);
			if (faccessat(AT_FDCWD, ret->key, R_OK, 0) < 0)
				return err_sys(err, errno, "key %s of %s", ret->key, name);
		}
	}
	return 1;
}

static int find(const char *authority, struct host_certs *ret, struct err **err)
{
	auto_strv dirs = STRV_INIT;

	folders(authority, &dirs);
	for (size_t i = 0; i < dirs.n; i++) {
		int r = look(dirs.v[i], ret, err);

		if (r != 0)
			return r;
	}
	return 0;
}

static int add_file(const char *path, struct str *ret, struct err **err)
{
	autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[8192];
	ssize_t n;

	if (fd < 0)
		return err_sys(err, errno, "certificates in %s", path);
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (str_add_mem(ret, buf, (size_t)n) < 0)
			return err_make(err, ERR_CORRUPT, "certificates in %s: too long", path);
	if (n < 0)
		return err_sys(err, errno, "certificates in %s", path);
	(void)str_add_char(ret, '\n');
	return 0;
}

/* Where distributions keep theirs: Debian, Alpine and Arch; RHEL and Fedora; SUSE; the BSDs and others. */
static const char *const known_bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/ca-bundle.pem",
	"/var/lib/ca-certificates/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static bool is_readable(const char *path)
{
	return path && faccessat(AT_FDCWD, path, R_OK, 0) == 0;
}

/* The CAs that hold for every host: SSL_CERT_FILE, CURL_CA_BUNDLE, what libcurl was built with, the first that is there; or NULL. */
static const char *system_bundle(const struct http *h)
{
	const curl_version_info_data *info = h->c->curl_version_info(CURLVERSION_NOW);
	const char *file = host_env("SSL_CERT_FILE");

	if (!file)
		file = host_env("CURL_CA_BUNDLE");
	if (file)
		return file;
	if (info->age >= CURLVERSION_SEVENTH && is_readable(info->cainfo))
		return info->cainfo;
	for (size_t i = 0; i < ARRAY_LEN(known_bundles); i++)
		if (is_readable(known_bundles[i]))
			return known_bundles[i];
	return NULL;
}

static bool has_directory(const struct http *h)
{
	const curl_version_info_data *info = h->c->curl_version_info(CURLVERSION_NOW);

	return host_env("SSL_CERT_DIR") ||
	       (info->age >= CURLVERSION_SEVENTH && info->capath && *info->capath);
}

/* The host's own CAs and the system's as one text, since libcurl takes one. */
static int set_authorities(struct http *h, CURL *easy, const struct host_certs *certs, struct err **err)
{
	auto_str bundle = STR_INIT_MAX(BUNDLE_MAX);
	const char *common = system_bundle(h);
	struct curl_blob blob = { 0 };

	for (size_t i = 0; i < certs->authorities.n; i++)
		if (add_file(certs->authorities.v[i], &bundle, err) < 0)
			return -1;
	if (is_readable(common) && add_file(common, &bundle, err) < 0)
		return -1;
	blob.data = bundle.data;
	blob.len = bundle.len;
	blob.flags = CURL_BLOB_COPY;
	if (h->c->curl_easy_setopt(easy, CURLOPT_CAINFO_BLOB, &blob) != CURLE_OK)
		return err_make(err, ERR_UNSUPPORTED, "this libcurl cannot take the certificates of %s",
			certs->authorities.v[0]);
	return 0;
}

int tls_setup(struct http *h, CURL *easy, const struct url *u, struct err **err)
{
	CLEANUP(host_certs_free) struct host_certs certs = { 0 };
	const char *file, *dir = host_env("SSL_CERT_DIR");

	if (!u->tls)
		return 0;
	file = system_bundle(h);
	if (h->insecure) {
		(void)h->c->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		(void)h->c->curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (find(u->authority, &certs, err) < 0)
		return -1;
	if (!file && !certs.authorities.n && !h->insecure && !has_directory(h)) {
		(void)err_make(
			err, ERR_NOT_FOUND, "no certificates of authorities, to know %s by", u->authority);
		return err_hint(err, "install the package ca-certificates, or name a file in SSL_CERT_FILE");
	}
	if (file)
		(void)h->c->curl_easy_setopt(easy, CURLOPT_CAINFO, file);
	if (dir)
		(void)h->c->curl_easy_setopt(easy, CURLOPT_CAPATH, dir);
	if (certs.authorities.n && set_authorities(h, easy, &certs, err) < 0)
		return -1;
	if (certs.cert) {
		(void)h->c->curl_easy_setopt(easy, CURLOPT_SSLCERT, certs.cert);
		(void)h->c->curl_easy_setopt(easy, CURLOPT_SSLKEY, certs.key);
	}
	return 0;
}
