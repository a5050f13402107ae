/* SPDX-License-Identifier: Apache-2.0 */
/* udocker-image fetch-engines: engines from an archive into the store, or out of it. */
#include "cmd/udocker-image/program.h"
#include "pkg/base/err.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "pkg/conf/conf.h"
#include "pkg/image/englib_install.h"
#include "pkg/image/englib_set.h"
#include "pkg/store/store.h"

struct fetch_opts {
	const char *from, *proxy;
	bool force, purge;
};

static const struct cli_option fetch_options[] = {
	{ .name = "from",
		.kind = CLI_KIND_STRING,
		.metavar = "FILE|URL",
		.offset = offsetof(struct fetch_opts, from),
		.text = "take this archive; else those of the setting tarball (UDOCKER_TARBALL) in turn",
		.complete = CLI_COMPLETE_FILE },
	CLI_FLAG("force", 'f', struct fetch_opts, force,
		"also an older version, and where engines are installed already"),
	CLI_FLAG("purge", 0, struct fetch_opts, purge, "remove what was installed before, and nothing else"),
	CLI_STR("httpproxy", 0, "URL", struct fetch_opts, proxy,
		"go through this proxy: http, https, socks4, socks4a, socks5 or socks5h"),
	CLI_END,
};

static int purge(struct err **err)
{
	auto_englib_set set = ENGLIB_SET_INIT;
	auto_store *store = NULL;

	if (store_open(STORE_UPDATE, &store, err) < 0)
		return -1;
	if (!store->exists)
		return 0;
	if (englib_set_open(&set, err) < 0 || englib_set_purge(&set, err) < 0)
		return -1;
	log_info("the engines in %s are removed", conf_str(CONF_BINDIR));
	return 0;
}

static int fetch_run(const struct cli_call *call, struct err **err)
{
	const struct fetch_opts *o = call->options;
	const struct englib_install_options options = {
		.from = o->from, .proxy = o->proxy, .again = o->purge, .force = o->force
	};
	autofree char *version = NULL;

	if (o->from && !*o->from)
		return err_make(err, ERR_USAGE, "--from: the name of a file, or a URL");
	/* With a new set the files of the one before go anyway. Alone it only removes: of a download nothing was said. */
	if (o->purge && !o->from && !o->force &&
		(conf_is_default(CONF_TARBALL) || conf_list(CONF_TARBALL)->n == 0))
		return purge(err);
	if (englib_install(&options, &version, err) < 0)
		return -1;
	if (version)
		log_info("engines %s are installed in %s and %s", version, conf_str(CONF_BINDIR),
			conf_str(CONF_LIBDIR));
	return 0;
}

const struct cli_command cmd_image_fetch_engines = {
	.name = "fetch-engines",
	.max_args = 0,
	.summary = "install engines from an archive, or remove them",
	.about = "Installs PRoot, crun, patchelf and the libraries of Fakechroot from an archive in the "
		 "layout of "
		 "udocker-englib, such as 'make engines' makes: what is below udocker_dir/bin, lib and doc "
		 "goes into "
		 "the directories of the settings bindir, libdir and docdir. An archive whose digest is "
		 "known must "
		 "have it, and one that holds a list of digests, doc/SHA256SUMS, must agree with it. Engines "
		 "that "
		 "are installed stay as they are until all of the archive is there and checked, and whatever "
		 "stops "
		 "it: the next call ends what was begun. Where engines of the version tarball_release or "
		 "later are "
		 "installed nothing happens, unless --from or --force says so.",
	.examples = "udocker-image fetch-engines --from udocker-engines-1.2.100.tar.gz\n"
		    "UDOCKER_TARBALL=https://example.org/udocker-englib-1.2.11.tar.gz udocker-image "
		    "fetch-engines\n",
	.options = fetch_options,
	.run = fetch_run,
	.size = sizeof(struct fetch_opts),
};
