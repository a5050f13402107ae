/* SPDX-License-Identifier: Apache-2.0 */
/* The container of a run: one that is there, or made of an image, which is pulled first where it is absent. */
#include "cmd/udocker/run.h"

#include <errno.h>
#include <fcntl.h>

#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/setup.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

void run_target_free(struct run_target *t)
{
	store_close(t->store);
	json_free(t->config);
	free(t->id);
	free(t->dir);
	free(t->mode);
}

/* The last line a sibling printed into an anonymous file: an id. */
static int read_id(int fd, char **ret, struct err **err)
{
	auto_str text = STR_INIT_MAX(4096);

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "output of udocker-bundle");
	if (fd_read_text(fd, 4096, &text, "output of udocker-bundle", err) < 0)
		return -1;
	str_trim(&text);
	if (!id_is_container(str_text(&text)))
		return err_make(err, ERR_CORRUPT, "udocker-bundle create printed no container id");
	*ret = str_steal(&text);
	return 0;
}

/* Its messages go to fd_err; -1: our stderr. */
static int create_container(const struct cli_call *call, const char *image, int fd_err,
	struct run_target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_strv words = STRV_INIT;
	autoclose int out = fd_anon("udocker-id");

	if (out < 0)
		return err_sys(err, errno, "temporary file");
	if (udocker_sibling_words(call, "udocker-bundle", "create", &words, err) < 0)
		return -1;
	if (o->name)
		strv_addf(&words, "--name=%s", o->name);
	strv_add(&words, image);
	if (udocker_ask_sibling(&words, out, fd_err, ret_status, err) < 0)
		return -1;
	if (*ret_status != 0)
		return 0;
	ret->created = true;
	return read_id(out, &ret->id, err);
}

static int name_container(const struct cli_call *call, const char *id, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	auto_strv words = STRV_INIT;

	if (udocker_sibling_words(call, "udocker-bundle", "name", &words, err) < 0)
		return -1;
	strv_add(&words, id);
	strv_add(&words, o->name);
	return udocker_run_sibling(&words, ret_status, err);
}

static int not_found(const char *what, struct err **err)
{
	(void)err_make(err, ERR_NOT_FOUND, "no such container or image: '%s'", what);
	return err_hint(err, "see 'udocker ps' and 'udocker images', or get it with 'udocker pull' or "
			     "'udocker load -i FILE'");
}

/* What must fail later fails before anything is fetched. */
static int may_fetch(const struct cli_call *call, struct store *s, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];

	if (str_eq(o->pull, "never") || !udocker_may_fetch(image))
		return not_found(image, err);
	if (o->name && container_is_exact(s, o->name))
		return err_make(err, ERR_EXISTS, "container name '%s' is taken", o->name);
	if (!image_exists(s, image))
		log_info("image %s is not in the store, pulling it", image);
	return 0;
}

static int fetch_image(const struct cli_call *call, struct store *s, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;

	return may_fetch(call, s, err) < 0 ? -1
					   : udocker_fetch(call, &o->fetch, call->argv[0], ret_status, err);
}

/* What a sibling has said meanwhile. */
static void show_messages(int fd)
{
	auto_str text = STR_INIT_MAX(65536);

	if (lseek(fd, 0, SEEK_SET) == 0 && fd_read_text(fd, 65536, &text, "messages", NULL) == 0)
		(void)fd_write_all(STDERR_FILENO, str_text(&text), text.len); /* nobody to tell it to */
}

/*
 * Of an image that is absent: its layers are unpacked while they arrive (store/coming.h). A pull that fails says why; that the container could not be
 * made is no news then.
 */
static int fetch_and_create(
	const struct cli_call *call, struct run_target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];
	autoclose int messages = -1;
	int made = 0, pulled = 0, r;
	bool told = false;
	pid_t pid;

	if (may_fetch(call, ret->store, err) < 0 ||
		udocker_fetch_begin(call, &o->fetch, image, &pid, ret_status, err) < 0 || *ret_status != 0)
		return -1;
	if (!pid)
		return create_container(call, image, -1, ret, ret_status, err);
	messages = fd_anon("udocker-messages");
	r = create_container(call, image, messages, ret, &made, err);
	if (udocker_fetched(pid, &pulled, &told, r < 0 ? NULL : err) < 0)
		return -1;
	if (pulled == 0 || !told)
		show_messages(messages);
	/* A container that was made is of an image that was stored, whatever came then. */
	*ret_status = r < 0 || made == 0 || !pulled ? made : pulled;
	return r;
}

/* Ranks share a container: with an image each would make one of its own. */
static int refuse_for_ranks(const char *what, struct err **err)
{
	(void)err_make(err, ERR_NOT_FOUND, "no such container: '%s', and --mpi makes none of an image", what);
	return err_hint(err, "make one for all ranks first: 'udocker create --name=NAME IMAGE'");
}

static int make_container(
	const struct cli_call *call, struct run_target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *image = call->argv[0];

	if (o->config.mpi)
		return refuse_for_ranks(image, err);
	if (!image_exists(ret->store, image))
		return fetch_and_create(call, ret, ret_status, err);
	/* A container that is made meanwhile would be of the old one. */
	if (str_eq(o->pull, "always") &&
		(fetch_image(call, ret->store, ret_status, err) < 0 || *ret_status != 0))
		return -1;
	return create_container(call, image, -1, ret, ret_status, err);
}

int run_target_find(const struct cli_call *call, struct run_target *ret, int *ret_status, struct err **err)
{
	const struct run_opts *o = call->options;
	const char *what = call->argv[0];
	bool reuse = o->name && str_eq(o->pull, "reuse");
	struct store *s;

	*ret_status = 0;
	if (store_open(STORE_READ, &ret->store, err) < 0)
		return -1;
	s = ret->store;
	if (reuse && container_is_exact(s, o->name) && container_exists(s, o->name)) {
		if (container_resolve(s, o->name, &ret->id, err) < 0)
			return -1;
	} else if (udocker_means_container(s, what)) {
		if (container_resolve(s, what, &ret->id, err) < 0)
			return -1;
		if (o->name && (name_container(call, ret->id, ret_status, err) < 0 || *ret_status != 0))
			return -1;
	} else {
		if (make_container(call, ret, ret_status, err) < 0 || *ret_status != 0)
			return -1;
		/* It may have come into being with the container. */
		store_close(steal_ptr(&ret->store));
		return store_open(STORE_READ, &ret->store, err);
	}
	return 0;
}

int run_location_config(
	const char *location, const struct bundle_options *o, struct run_target *ret, struct err **err)
{
	autoclose int root = open(location, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	autofree char *path = root >= 0 ? fs_fd_path(root) : NULL, *dir = NULL;
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	int r;

	if (!path)
		return err_sys(err, errno, "--location '%s'", location);
	if (str_eq(path, "/"))
		return err_make(err, ERR_USAGE, "--location: the host's root directory is no container's");
	dir = path_dir(path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "--location '%s'", location);
	src.dir = dir;
	src.dirfd = fd;
	src.root = path_base(path);
	ret->mode = bundle_mode(fd, path);
	src.execmode = ret->mode;
	r = bundle_config_make(&src, o, &ret->config, err);
	ret->dir = steal_ptr(&dir);
	ret->id = xstrdup("location");
	return r < 0 ? err_add(err, "--location '%s'", location) : 0;
}
