/* SPDX-License-Identifier: Apache-2.0 */
/* Loading libcurl, whichever build of it there is. */
#include "pkg/registry/curl.h"

#include "pkg/base/dl.h"
#include "pkg/base/err.h"

static struct curl_api api
#ifdef UDOCKER_STATIC
#define CURL_ADDRESS(fn) .fn = fn,
	= { CURL_FUNCTIONS(CURL_ADDRESS) }
#endif
;

#define CURL_ENTRY(symbol) { .name = #symbol, .slot = (void **)&api.symbol },
static const struct dl_symbol symbols[] = { CURL_FUNCTIONS(CURL_ENTRY) DL_END };

/* Debian has one build with OpenSSL and one with GnuTLS, and a machine may have either. */
static int load(struct err **err)
{
	auto_err *e = NULL;

	if (dl_load("libcurl.so.4", "libcurl4", symbols, &e) == 0)
		return 0;
	if (dl_load("libcurl-gnutls.so.4", "libcurl4", symbols, NULL) == 0)
		return 0;
	return err_move(err, &e);
}

const struct curl_api *curl_load(struct err **err)
{
	static bool loaded;

	if (loaded)
		return &api;
	if (load(err) < 0)
		return NULL;
	if (api.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_make(err, ERR_UNSUPPORTED, "libcurl cannot be initialised");
		return NULL;
	}
	loaded = true;
	return &api;
}
