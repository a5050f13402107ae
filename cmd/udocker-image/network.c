/* SPDX-License-Identifier: Apache-2.0 */
/* What every command needs that speaks to a registry. */
#include "cmd/udocker-image/network.h"

#include <errno.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"

#define PROXY_MAX 16384 /* bytes of a proxy's URL */

const struct cli_option network_options[] = {
	CLI_STR("registry", 0, "URL", struct network_opts, registry,
		"ask this registry, whatever the name says; http:// means without TLS"),
	CLI_STR("httpproxy", 0, "URL", struct network_opts, proxy,
		"go through this proxy: http, https, socks4, socks4a, socks5 or socks5h"),
	{ .name = "httpproxy-fd",
		.kind = CLI_KIND_INT,
		.metavar = "FD",
		.offset = offsetof(struct network_opts, proxy_fd),
		.text = "read the URL of --httpproxy from this descriptor",
		.hidden = true },
	CLI_FLAG("insecure", 0, struct network_opts, insecure,
		"do not verify TLS certificates, and speak plain HTTP where TLS is not answered"),
	CLI_END,
};
const struct cli_option *const network_more_options[] = { network_options, NULL };

static int proxy_from_fd(int fd, struct err **err)
{
	auto_str url = STR_INIT_MAX(PROXY_MAX);
	int r;

	/* It is a file; whoever reads it again finds the same. */
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "--httpproxy-fd");
	if (fd_read_text(fd, PROXY_MAX, &url, "--httpproxy-fd", err) < 0)
		return -1;
	r = conf_set(CONF_HTTP_PROXY, str_text(&url), err);
	if (url.data)
		explicit_bzero(url.data, url.cap);
	return r;
}

int network_settings(const struct network_opts *o, struct registry_settings *ret, struct err **err)
{
	*ret = (struct registry_settings){ .url = o->registry, .insecure = o->insecure };
	if (o->proxy_fd)
		return proxy_from_fd(o->proxy_fd, err);
	if (o->proxy && strchr(o->proxy, '@')) { /* later it is "", and the setting counts */
		char *proxy = mem_take_argument(o->proxy);
		int r = conf_set(CONF_HTTP_PROXY, proxy, err);

		mem_wipe_free(proxy);
		return r;
	}
	ret->proxy = o->proxy && *o->proxy ? o->proxy : NULL;
	return 0;
}

int network_open(const struct network_opts *o, const char *text, struct reference *ret_ref,
	struct registry **ret, struct err **err)
{
	struct registry_settings settings;

	if (reference_parse(text, ret_ref, err) < 0)
		return -1;
	return network_settings(o, &settings, err) < 0 ? -1 : registry_open(ret_ref, &settings, ret, err);
}

int network_platform(const char *text, struct platform *p, const struct platform **ret, struct err **err)
{
	*ret = NULL;
	if (!text)
		return 0;
	if (platform_parse(text, p, err) < 0)
		return -1;
	*ret = p;
	return 0;
}
