/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image inspect: the image's configuration as 1.3.x prints it. */
#include <stdio.h>

#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

static int inspect_run(const struct cli_call *call, struct err **err)
{
	autofree char *text = NULL;
	auto_json *config = NULL;
	auto_image *img = NULL;
	auto_store *s = NULL;

	if (store_open(STORE_READ, &s, err) < 0 || image_open(s, call->argv[0], &img, err) < 0 ||
		image_config(s, img, &config, err) < 0)
		return -1;
	text = json_text(config, JSON_PRETTY | JSON_INDENT4 | JSON_SORT | JSON_ASCII);
	fputs(text, stdout);
	return 0;
}

const struct cli_command cmd_image_inspect = {
	.name = "inspect",
	.args = "NAME[:TAG|@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "show the configuration of an image",
	.complete = CLI_COMPLETE_IMAGE,
	.run = inspect_run,
};
