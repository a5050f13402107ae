/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image import: the tar of a root file system becomes an image of one layer. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cmd/udocker-image/program.h"
#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/cli/import_options.h"
#include "pkg/cli/input.h"
#include "pkg/cli/output.h"
#include "pkg/conf/conf.h"
#include "pkg/image/import.h"
#include "pkg/store/store.h"

static int import_run(const struct cli_call *call, struct err **err)
{
	struct import_options options = { .ref = call->argv[1] };
	const struct import_args *o = call->options;
	autofree char *name = NULL;
	struct platform platform;
	auto_store *s = NULL;
	autoclose int fd = -1;

	if (conf_set_unpack_limits(o->max_size, o->max_ratio, err) < 0)
		return -1;
	if (o->platform) {
		if (platform_parse(o->platform, &platform, err) < 0)
			return -1;
		options.platform = &platform;
	}
	if (o->move && strcmp(call->argv[0], "-") != 0)
		options.path = call->argv[0];
	fd = input_open(call->argv[0], &options.what, err);
	if (fd < 0 || store_open(STORE_WRITE, &s, err) < 0 || import_image(s, fd, &options, &name, err) < 0)
		return -1;
	if (options.path)
		input_remove(options.path, fd);
	output_line(name);
	return 0;
}

const struct cli_command cmd_image_import = {
	.name = "import",
	.args = "FILE|- NAME[:TAG]",
	.min_args = 2,
	.max_args = 2,
	.summary = "make an image of a root file system archive",
	.about = "The tar of a root file system, compressed with gzip, zstd, xz, bzip2 or not at all, "
		 "becomes an image of one "
		 "layer. Prints NAME:TAG. The name must be free.\n\n"
		 "With --mv the file is gone when the image is stored; on the file system of the store it is "
		 "not "
		 "copied.",
	.examples = "tar -C /srv/root -c . | udocker-image import - my/root:1\n",
	.options = import_arg_options,
	.complete = CLI_COMPLETE_FILE,
	.run = import_run,
	.size = sizeof(struct import_args),
	.options_anywhere = true,
};
