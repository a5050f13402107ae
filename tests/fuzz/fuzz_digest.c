/* SPDX-License-Identifier: Apache-2.0 */
/* digest: what is taken for one has the exact shape, survives its blob path and equals itself. */
#include "oci-spec/digest.h"
#include "oci-spec/image_layout.h"
#include "pkg/base/codec.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	autofree char *text = xmemdup(data, size), *path = NULL;
	struct digest d, again;
	auto_err *err = NULL;

	(void)image_layout_is_blob(text, &again); /* any answer, no harm */
	if (digest_parse(text, &d, &err) < 0) {
		must(err && !strchr(err_text(err), '\n') && !digest_is_valid(text));
		return 0;
	}
	must(digest_is_valid(text) && str_eq(d.text, text));
	must(codec_is_hex(digest_hex(&d), d.kind == SHA_512 ? 128 : 64));
	must(digest_from_hex(d.kind, digest_hex(&d), &again) && digest_eq(&d, &again));
	path = image_layout_blob_path(&d);
	must(image_layout_is_blob(path, &again) && digest_eq(&d, &again));
	return 0;
}
