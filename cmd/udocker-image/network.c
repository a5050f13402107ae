/* SPDX-License-Identifier: Apache-2.0 */
/* What every command needs that speaks to a registry. */
#include "cmd/udocker-image/network.h"

#include "pkg/base/err.h"
#include "pkg/conf/conf.h"

const struct cli_option network_options[] = {
	CLI_STR("registry", 0, "URL", struct network_opts, registry,
		"ask this registry, whatever the name says; http:// means without TLS"),
	CLI_STR("httpproxy", 0, "URL", struct network_opts, proxy,
		"go through this proxy: http, https, socks4, socks4a, socks5 or socks5h"),
	CLI_FLAG("insecure", 0, struct network_opts, insecure,
		"do not verify TLS certificates, and speak plain HTTP where TLS is not answered"),
	CLI_END,
};
const struct cli_option *const network_more_options[] = { network_options, NULL };

void network_settings(const struct network_opts *o, struct registry_settings *ret)
{
	*ret = (struct registry_settings){ .url = o->registry, .proxy = o->proxy, .insecure = o->insecure };
}

int network_open(const struct network_opts *o, const char *text, struct reference *ret_ref,
	struct registry **ret, struct err **err)
{
	struct registry_settings settings;

	if (reference_parse(text, ret_ref, err) < 0)
		return -1;
	network_settings(o, &settings);
	return registry_open(ret_ref, &settings, ret, err);
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
