/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image manifest: what a registry has under a name, as it is or for one platform. Nothing is stored. */
#include "cmd/udocker-image/network.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/base/term.h"
#include "pkg/cli/output.h"
#include "pkg/image/pull.h"

struct manifest_opts {
	struct network_opts network;
	const char *platform;
	bool raw;
};

static const struct cli_option manifest_options[] = {
	CLI_STR("platform", 0, "OS/ARCH[/VARIANT]", struct manifest_opts, platform,
		"choose from images for several platforms"),
	CLI_FLAG("raw", 0, struct manifest_opts, raw, "print the registry's bytes, an index as it is"),
	{ .name = "index",
		.kind = CLI_KIND_IGNORED_VALUE,
		.metavar = "URL",
		.text = "accepted as in udocker 1.3.x: an index is for search alone" },
	CLI_END,
};

/* The registry's bytes. A terminal is not commanded by them: what is no text is shown as its number there. */
static void print_raw(const struct str *bytes)
{
	const char *p = str_text(bytes);
	size_t left = bytes->len;

	if (!term_is_tty(STDOUT_FILENO)) {
		(void)fwrite(p, 1, left, stdout); /* cli_main() looks at stdout at the end */
		return;
	}
	while (left) {
		size_t n = strcspn(p, "\n\t"); /* or a NUL byte, at the end if nowhere else */
		autofree char *piece = xstrndup(p, n);
		auto_str shown = STR_INIT;

		(void)str_add_escaped(&shown, piece); /* a manifest is far below the ceiling */
		(void)fputs(str_text(&shown), stdout);
		left -= n;
		if (!left)
			break;
		(void)fputs(p[n] == '\n' ? "\n" : p[n] == '\t' ? "\t" : "\\x00", stdout);
		p += n + 1;
		left--;
	}
}

static int manifest_run(const struct cli_call *call, struct err **err)
{
	const struct manifest_opts *o = call->options;
	auto_registry_manifest m = REGISTRY_MANIFEST_INIT;
	const struct platform *want;
	auto_reference ref = REFERENCE_INIT;
	struct platform platform;
	auto_registry *r = NULL;
	auto_json *j = NULL;
	autofree char *text = NULL;
	/* 1.3.x shows an index as it is unless a platform is asked for. */
	bool as_it_is = o->raw || (cli_called_as() && !o->platform);

	if (network_platform(o->platform, &platform, &want, err) < 0 ||
		network_open(&o->network, call->argv[0], &ref, &r, err) < 0 ||
		pull_manifest(r, &ref, want, as_it_is, &m, err) < 0)
		return -1;
	if (o->raw) {
		print_raw(&m.bytes);
		return 0;
	}
	if (json_parse(str_text(&m.bytes), m.bytes.len, "manifest", NULL, &j, err) < 0)
		return err_add(err, "%s", ref.text);
	if (!cli_called_as()) {
		output_json(j);
		return 0;
	}
	text = json_text(j, JSON_PRETTY | JSON_INDENT4 | JSON_SORT | JSON_ASCII);
	fputs(text, stdout);
	return 0;
}

const struct cli_command cmd_image_manifest = {
	.name = "manifest",
	.args = "NAME[:TAG][@DIGEST]",
	.min_args = 1,
	.max_args = 1,
	.summary = "show the manifest of an image in its registry",
	.about = "Of an image for several platforms the manifest of one is shown: of --platform, else of "
		 "this machine. --raw "
		 "prints exactly what the registry has under the name; sha256sum of that is its digest. On a "
		 "terminal control characters in it are shown as numbers.",
	.options = manifest_options,
	.more_options = network_more_options,
	.run = manifest_run,
	.size = sizeof(struct manifest_opts),
	.options_anywhere = true,
};
