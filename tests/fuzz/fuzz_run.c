/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of a run and what an image says of its process, together: paragraphs of the input are the image's configuration, its /etc/passwd,
 * its /etc/group, and the words of the command line, one a line. What comes of them is refused in one line or is a valid config.json.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "oci-spec/image_config.h"
#include "oci-spec/runtime_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/host.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/options.h"
#include "pkg/cli/run_options.h"

static char top_path[512];
static int top = -1, etc = -1;

static void remove_top(void)
{
	(void)fs_rm_tree(AT_FDCWD, top_path, NULL);
}

static void make_top(void)
{
	log_set_level(LOG_LEVEL_ERROR);
	snprintf(top_path, sizeof(top_path), "%s/fuzz_run.XXXXXX",
		access("/dev/shm", W_OK) == 0 ? "/dev/shm" : host_tmpdir());
	if (!mkdtemp(top_path))
		abort();
	atexit(remove_top);
	top = open(top_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mkdirat(top, "ROOT", 0700) < 0 || mkdirat(top, "ROOT/etc", 0700) < 0 ||
		mkdirat(top, "ROOT/srv", 0700) < 0)
		abort();
	etc = openat(top, "ROOT/etc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void must_be_told(struct err *err)
{
	if (!err || strchr(err_text(err), '\n'))
		abort();
}

/* The next paragraph, which ends at an empty line. */
static char *paragraph(const char **at)
{
	const char *end = strstr(*at, "\n\n");
	char *text = end ? xstrndup(*at, (size_t)(end - *at)) : xstrdup(*at);

	*at = end ? end + 2 : *at + strlen(*at);
	return text;
}

static void write_etc(const char *name, const char *text)
{
	if (atomic_write(etc, name, text, strlen(text), 0644, 0, NULL) < 0)
		abort();
}

static struct json *image_of(const char *text)
{
	auto_json *j = NULL;
	auto_image_config *c = NULL;

	/* As create does it: what the image-spec does not allow never becomes a container. */
	if (json_parse(text, strlen(text), "image", NULL, &j, NULL) < 0 ||
		image_config_from_json(j, "image", &c, NULL) < 0)
		return NULL;
	return steal_ptr(&j);
}

static void make(const struct run_options *run, const struct strv *command, const struct json *image)
{
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	struct bundle_options o;
	auto_json *config = NULL;
	auto_err *err = NULL;

	bundle_options_from_run(run, &o);
	o.command = command;
	src.dir = top_path;
	src.dirfd = top;
	src.image = image;
	src.id = "12345678-0000-0000-0000-000000000000";
	src.image_name = "fuzz:1";
	if (bundle_config_make(&src, &o, &config, &err) < 0) {
		must_be_told(err);
		return;
	}
	if (runtime_config_check(config, &err) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cli_option *const tables[] = { run_config_options, NULL };
	autofree char *text = xstrndup((const char *)data, size);
	const char *at = text;
	autofree char *image_text = paragraph(&at), *passwd = paragraph(&at), *group = paragraph(&at);
	struct run_options run = { 0 };
	auto_strv words = STRV_INIT, command = STRV_INIT;
	auto_json *image = NULL;
	auto_err *err = NULL;
	int first = 0;

	if (top < 0)
		make_top();
	write_etc("passwd", passwd);
	write_etc("group", group);
	image = image_of(image_text);
	strv_split(&words, at, "\n");
	if (cli_parse(tables, &run, (int)words.n, words.n ? words.v : (char *[]){ NULL }, false, &first,
		    &err) < 0) {
		must_be_told(err);
	} else {
		for (size_t i = (size_t)first; i < words.n; i++)
			strv_add(&command, words.v[i]);
		make(&run, &command, image);
	}
	cli_free_options(tables, &run);
	return 0;
}
