/* SPDX-License-Identifier: Apache-2.0 */
/* Order of work: ask what can be asked, stage, unpack, write the small files, sync once, rename, name. */
#include "pkg/bundle/create.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "engines/engine.h"
#include "oci-spec/digest.h"
#include "oci-spec/image_config.h"
#include "pkg/base/atomic.h"
#include "pkg/base/err.h"
#include "pkg/base/fs.h"
#include "pkg/base/id.h"
#include "pkg/base/json.h"
#include "pkg/base/log.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"
#include "pkg/base/sig.h"
#include "pkg/base/str.h"
#include "pkg/bundle/config.h"
#include "pkg/bundle/options.h"
#include "pkg/bundle/setup.h"
#include "pkg/bundle/unpack.h"
#include "pkg/store/containers.h"
#include "pkg/store/images.h"
#include "pkg/store/store.h"

#define BUNDLE_ROOT "rootfs"

/* The image, read and checked as far as that goes without its layers. */
struct origin {
	struct image *image;
	struct str text; /* its configuration, as stored */
	struct json *json;
	struct image_config *config;
};

static void origin_free(struct origin *o)
{
	image_free(o->image);
	str_free(&o->text);
	json_free(o->json);
	image_config_free(o->config);
}
#define auto_origin CLEANUP(origin_free) struct origin

static int check_config_digest(const struct origin *o, struct err **err)
{
	struct digest want, got;

	if (!o->image->config_digest)
		return 0;
	if (digest_parse(o->image->config_digest, &want, err) < 0 ||
		digest_of(want.kind, str_text(&o->text), o->text.len, &got, err) < 0)
		return -1;
	if (digest_eq(&want, &got))
		return 0;
	return err_make(err, ERR_CORRUPT, "configuration %s of %s: digest mismatch (got %s)", want.text,
		o->image->name, got.text);
}

static int origin_read(struct store *s, const char *ref, struct origin *ret, struct err **err)
{
	struct json_limits limits = { .bytes = IMAGE_CONFIG_MAX };

	if (image_open(s, ref, &ret->image, err) < 0)
		return -1;
	if (image_read_config(s, ret->image, &ret->text, err) < 0 || check_config_digest(ret, err) < 0)
		return -1;
	if (json_parse(str_text(&ret->text), ret->text.len, "image configuration", &limits, &ret->json, err) <
			0 ||
		image_config_from_json(ret->json, "image configuration", &ret->config, err) < 0)
		return err_add(err, "%s", ret->image->name);
	return 0;
}

/* ---- what lies in the folder --------------------------------------------------------------------------------------------- */

static int write_text(int dirfd, const char *name, const char *p, size_t n, struct err **err)
{
	/* Not synced one by one: the whole folder is, before it gets its place. */
	return atomic_write(dirfd, name, p, n, 0644, 0, err);
}

int bundle_write_config(const struct bundle_source *src, struct err **err)
{
	struct bundle_options none = { .quiet = true }; /* a run that takes a default says so itself */
	auto_json *config = NULL;
	auto_str text = STR_INIT;

	if (bundle_config_make(src, &none, &config, err) < 0)
		return -1;
	json_write(config, JSON_PRETTY, &text);
	return write_text(src->dirfd, CONTAINER_FILE_CONFIG, str_text(&text), text.len, err);
}

/* 1.3.x warns in the same way: an image need not be a root file system. */
static void warn_unusual_root(int root_fd, const char *image)
{
	static const char *const usual[] = { "bin", "usr", "etc", "lib", "var", "tmp", "sys", "dev", "data",
		"home", "system", "root", "proc" };

	for (size_t i = 0; i < ARRAY_LEN(usual); i++)
		if (fs_exists(root_fd, usual[i]))
			return;
	log_warning("%s has none of the usual directories; its container is made all the same", image);
}

static int fill_root(struct store *s, const struct origin *from, int dirfd, const char *root,
	const struct bundle_create_options *o, struct err **err)
{
	struct unpack_source src = { .image = from->image, .config = from->config };
	struct unpack_options uo = { .progress = o->progress,
		.keep_setid = o->keep_setid,
		.record_owner = o->record_owner,
		.write_out = !o->no_sync };
	struct unpack_stats stats;
	autoclose int root_fd = -1;

	if (mkdirat(dirfd, root, 0755) < 0)
		return err_sys(err, errno, "make %s", root);
	root_fd = openat(dirfd, root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root_fd < 0 || fchmod(root_fd, 0755) < 0)
		return err_sys(err, errno, "open %s", root);
	if (bundle_unpack(s, &src, root_fd, &uo, &stats, err) < 0)
		return -1;
	if (stats.left_out)
		log_info("%s: %llu device nodes and sockets were left out", from->image->name,
			(unsigned long long)stats.left_out);
	if (stats.attrs)
		log_warning("%s: %llu extended attributes may not be set here, leaving them out",
			from->image->name, (unsigned long long)stats.attrs);
	warn_unusual_root(root_fd, from->image->name);
	return 0;
}

static int sync_folder(int dirfd, const struct bundle_create_options *o, struct err **err)
{
	if (sig_interrupted())
		return err_make(err, ERR_SYSTEM, "interrupted");
	if (!o->no_sync && syncfs(dirfd) < 0)
		return err_sys(err, errno, "write to disk");
	return 0;
}

/* What was going on when the user had enough does not matter to him. */
static int give_up(struct err **err)
{
	if (sig_interrupted()) {
		err_clear(err);
		err_make(err, ERR_SYSTEM, "interrupted: nothing was made");
	}
	return -1;
}

/* ---- a container of the store -------------------------------------------------------------------------------------------- */

struct birth {
	struct store *store;
	const struct bundle_create_options *o;
	const char *name;
	char mode[BUNDLE_MODE_LEN + 1]; /* "" for none */
	char id[ID_UUID_LEN + 1];
	char *dir; /* where it will lie */
};

static int write_small_files(const struct birth *b, const struct origin *from, int dirfd, struct err **err)
{
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	const char *image = from->image->name;
	auto_strv names = STRV_INIT;

	if (write_text(dirfd, CONTAINER_FILE_METADATA, str_text(&from->text), from->text.len, err) < 0 ||
		write_text(dirfd, CONTAINER_FILE_IMAGE, image, strlen(image), err) < 0)
		return -1;
	if (b->name)
		strv_add(&names, b->name);
	src.dir = b->dir;
	src.dirfd = dirfd;
	src.root = CONTAINER_ROOT;
	src.image = from->json;
	src.id = b->id;
	src.names = &names;
	src.image_name = image;
	src.execmode = b->mode[0] ? b->mode : NULL;
	if (bundle_write_config(&src, err) < 0)
		return -1;
	return b->mode[0] ? bundle_mode_write(dirfd, b->dir, b->mode, 0, err) : 0;
}

/* A name may be taken between the question and now: with force the container then stays without one. */
static int publish(const struct birth *b, struct store_stage *stage, struct err **err)
{
	auto_err *e = NULL;

	if (container_publish(b->store, stage, b->id, b->name, &e) == 0)
		return 0;
	if (!b->o->force || !b->name || !err_is(e, ERR_EXISTS))
		return err_move(err, &e);
	log_warning("%s; the container stays without a name", err_text(e));
	return container_publish(b->store, stage, b->id, NULL, err);
}

static int give_birth(struct birth *b, const struct origin *from, struct err **err)
{
	CLEANUP(store_stage_drop) struct store_stage stage = STORE_STAGE_INIT;

	id_uuid(b->id);
	b->dir = path_join(b->store->containers, b->id);
	if (store_stage_begin(b->store, &stage, err) < 0)
		return -1;
	stage.no_sync = b->o->no_sync;
	if (fill_root(b->store, from, stage.fd, CONTAINER_ROOT, b->o, err) < 0)
		return -1;
	if (write_small_files(b, from, stage.fd, err) < 0)
		return err_add(err, "container of %s", from->image->name);
	if (sync_folder(stage.fd, b->o, err) < 0)
		return err_add(err, "container of %s", from->image->name);
	return publish(b, &stage, err);
}

static int check_name(struct birth *b, struct err **err)
{
	auto_err *e = NULL;

	if (!b->name || container_name_check(b->store, b->name, &e) == 0)
		return 0;
	if (!b->o->force)
		return err_move(err, &e);
	log_warning("%s; the container stays without a name", err_text(e));
	b->name = NULL;
	return 0;
}

int bundle_create(struct store *s, const char *ref, const struct bundle_create_options *o, char **ret_id,
	struct err **err)
{
	struct birth b = { .store = s, .o = o, .name = o->name };
	auto_origin from = { .image = NULL };
	int r;

	if (check_name(&b, err) < 0)
		return -1;
	if (o->execmode && bundle_mode_check(o->execmode, b.mode, err) < 0)
		return -1;
	if (origin_read(s, ref, &from, err) < 0)
		return -1;
	r = give_birth(&b, &from, err);
	free(b.dir);
	if (r < 0)
		return give_up(err);
	*ret_id = xstrdup(b.id);
	return 0;
}

/* ---- a bundle anywhere --------------------------------------------------------------------------------------------------- */

/* Staging beside the place where the bundle will lie, locked while we live. */
struct place {
	int parent_fd, fd;
	char *base; /* last component of the place */
	char *tmp; /* ".BASE.udocker-<random>" until it is renamed */
};
#define PLACE_INIT ((struct place){ .parent_fd = -1, .fd = -1 })

static void place_drop(struct place *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->tmp)
		(void)fs_rm_tree(
			p->parent_fd, p->tmp, NULL); /* what cannot be removed is no reason to fail twice */
	if (p->parent_fd >= 0)
		close(p->parent_fd);
	free(p->tmp);
	free(p->base);
}

/* What killed predecessors of ours left for this very place. */
static void clean_dead(const struct place *p, const char *prefix)
{
	auto_strv names = STRV_INIT;

	if (fs_list(p->parent_fd, ".", &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		autoclose int fd = -1;

		if (!str_starts(names.v[i], prefix))
			continue;
		fd = openat(p->parent_fd, names.v[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			(void)fs_rm_tree(p->parent_fd, names.v[i], NULL); /* the next one tries again */
	}
}

static bool is_free(const struct place *p)
{
	auto_strv names = STRV_INIT;
	struct stat st;

	if (fstatat(p->parent_fd, p->base, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT;
	return S_ISDIR(st.st_mode) && fs_list(p->parent_fd, p->base, &names) == 0 && names.n == 0;
}

static int place_begin(struct place *p, const char *dir, struct err **err)
{
	autofree char *clean = path_clean(dir);
	autofree char *above = path_dir(clean);
	autofree char *prefix = NULL;
	char random[13];

	p->base = xstrdup(path_base(clean));
	if (!*p->base || str_eq(p->base, ".") || str_eq(p->base, ".."))
		return err_make(err, ERR_USAGE, "'%s' cannot become a bundle: name a new directory", dir);
	p->parent_fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (p->parent_fd < 0)
		return err_sys(err, errno, "%s", above);
	if (!is_free(p)) {
		err_make(err, ERR_EXISTS, "%s exists and is no empty directory", dir);
		return err_hint(err, "name a new one");
	}
	prefix = xasprintf(".%s.udocker-", p->base);
	clean_dead(p, prefix);
	id_random_hex(random, 12);
	p->tmp = xasprintf("%s%s", prefix, random);
	if (mkdirat(p->parent_fd, p->tmp, 0700) < 0) {
		free(steal_ptr(&p->tmp));
		return err_sys(err, errno, "make a directory in %s", above);
	}
	p->fd = openat(p->parent_fd, p->tmp, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (p->fd < 0)
		return err_sys(err, errno, "open %s/%s", above, p->tmp);
	(void)flock(p->fd,
		LOCK_EX | LOCK_NB); /* refused by some file systems: then nothing of ours is cleaned there */
	return 0;
}

static int place_publish(struct place *p, const char *dir, bool no_sync, struct err **err)
{
	mode_t mask = umask(022);

	umask(mask);
	if (fchmod(p->fd, 0777 & ~mask) < 0)
		return err_sys(err, errno, "%s", dir);
	/* Takes the place of an empty directory, and of nothing else. */
	if (renameat(p->parent_fd, p->tmp, p->parent_fd, p->base) < 0)
		return err_sys(err, errno, "%s", dir);
	free(steal_ptr(&p->tmp));
	if (!no_sync)
		(void)fs_sync_dir(
			p->parent_fd); /* it is complete; when the disk knows its name is its own affair */
	return 0;
}

int bundle_create_at(struct store *s, const char *ref, const char *dir, const struct bundle_create_options *o,
	struct err **err)
{
	CLEANUP(place_drop) struct place p = PLACE_INIT;
	struct bundle_source src = BUNDLE_SOURCE_INIT;
	auto_origin from = { .image = NULL };
	autofree char *above = NULL, *path = NULL;

	if (place_begin(&p, dir, err) < 0 || origin_read(s, ref, &from, err) < 0)
		return -1;
	if (fill_root(s, &from, p.fd, BUNDLE_ROOT, o, err) < 0)
		return give_up(err);
	above = fs_fd_path(p.parent_fd);
	path = path_join(above ? above : ".", p.base);
	src.dir = path;
	src.dirfd = p.fd;
	src.root = BUNDLE_ROOT;
	src.image = from.json;
	src.image_name = from.image->name;
	if (bundle_write_config(&src, err) < 0 || sync_folder(p.fd, o, err) < 0)
		return err_add(err, "bundle of %s", from.image->name);
	return place_publish(&p, dir, o->no_sync, err);
}
