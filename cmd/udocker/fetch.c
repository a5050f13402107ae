/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is to be run and is not in the store, or is to be looked for anew, comes from its registry (udocker-compat 6.2). */
#include "cmd/udocker/program.h"

#include "oci-spec/reference.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"

bool udocker_may_fetch(const char *image)
{
	auto_reference ref = REFERENCE_INIT;

	return reference_parse(image, &ref, NULL) == 0;
}

int udocker_fetch(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	int *ret_status, struct err **err)
{
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, "udocker-image", "pull", &words, err) < 0)
		return -1;
	if (o->platform)
		strv_addf(&words, "--platform=%s", o->platform);
	if (o->registry)
		strv_addf(&words, "--registry=%s", o->registry);
	if (o->proxy)
		strv_addf(&words, "--httpproxy=%s", o->proxy);
	strv_add(&words, "--");
	strv_add(&words, image);
	/* Our standard output is the program's: the name that pull prints is not for its reader. */
	return udocker_run_sibling(&words, PROC_NULL, ret_status, err);
}
