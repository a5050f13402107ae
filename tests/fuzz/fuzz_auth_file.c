/* SPDX-License-Identifier: Apache-2.0 */
/* credentials, schema1: auth files of other tools, stored pairs, and signed manifests, whatever is in them. Helpers are found nowhere. */
#include "pkg/registry/credentials.h"

#include "oci-spec/digest.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/registry/schema1.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

static void prepare(void)
{
	static bool done;

	if (!done && setenv("PATH", "", 1) == 0)
		log_set_level(LOG_LEVEL_ERROR);
	done = true;
}

static void file(const char *text, size_t size, bool hub)
{
	const struct credentials_query q = {
		.registry = "https://quay.io", .authority = "quay.io", .repository = "org/app", .is_hub = hub
	};
	auto_credentials c = CREDENTIALS_INIT;
	auto_err *err = NULL;
	bool found = credentials_in_file(text, size, &q, &c, &err);

	must(!found || (c.user && c.secret && !err));
}

static void pair(const char *text)
{
	auto_credentials c = CREDENTIALS_INIT;

	if (!credentials_decode(text, &c))
		return;
	must(c.user && c.secret && !strchr(c.user, ':'));
}

static void manifest(const char *text, size_t size)
{
	struct digest d = { 0 };
	auto_err *err = NULL;
	int r = schema1_digest(SHA_256, text, size, &d, &err);

	must((r < 0) == (err != NULL) && (r < 0 || digest_is_set(&d)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmemdup(data, size);

	prepare();
	file(text, size, false);
	file(text, size, true);
	pair(text);
	manifest(text, size);
	return 0;
}
