/* SPDX-License-Identifier: Apache-2.0 */
/* Which steps lead from one transport to another. */
#include "pkg/image/copy.h"

#include <errno.h>
#include <fcntl.h>

#include "oci-spec/image_layout.h"
#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"
#include "pkg/base/strv.h"
#include "pkg/image/copy_set.h"
#include "pkg/image/copy_source.h"
#include "pkg/image/copy_target.h"
#include "pkg/image/load.h"
#include "pkg/image/save.h"
#include "pkg/image/scratch.h"
#include "pkg/registry/upload.h"
#include "pkg/store/store.h"

#define SCRATCH_NAME "copied:latest"

struct copy {
	const struct transport *src, *dst;
	const struct copy_options *o;
	struct reference src_ref, dst_ref; /* of registries */
	struct registry *src_registry, *dst_registry;
	struct scratch scratch; /* what is read */
	struct scratch packed; /* what becomes a docker archive */
	struct store *store;
	struct copy_from from;
	struct copy_set set;
};

static void copy_free(struct copy *c)
{
	copy_set_free(&c->set);
	copy_from_free(&c->from);
	registry_close(c->dst_registry); /* it shares the other one's connections */
	registry_close(c->src_registry);
	store_close(c->store);
	scratch_close(&c->packed);
	scratch_close(&c->scratch);
	reference_free(&c->src_ref);
	reference_free(&c->dst_ref);
}

/* ---- what is read ---- */

static int from_registry(struct copy *c, struct err **err)
{
	if (reference_parse(c->src->name, &c->src_ref, err) < 0 ||
		registry_open(&c->src_ref, &c->o->registry, &c->src_registry, err) < 0)
		return -1;
	return copy_from_registry(&c->from, c->src_registry, &c->src_ref, err);
}

static int from_archive(struct copy *c, struct err **err)
{
	if (scratch_open(&c->scratch, err) < 0)
		return -1;
	return copy_from_archive(&c->from, c->scratch.store, c->src->path, c->src->name, err);
}

/* The image of a docker archive that is meant, by the names that load gave them. */
static int choose(
	const struct copy *c, const char *what, const struct strv *names, const char **ret, struct err **err)
{
	auto_reference want = REFERENCE_INIT;
	autofree char *text = NULL, *shown = NULL;

	if (!c->src->name) {
		if (names->n != 1)
			return err_make(err, ERR_USAGE, "%s: there are several images in it: name one", what);
		*ret = names->v[0];
		return 0;
	}
	if (reference_parse(c->src->name, &want, err) < 0)
		return -1;
	shown = reference_show(&want);
	text = image_layout_familiar(shown);
	for (size_t i = 0; i < names->n; i++) {
		autofree char *name =
			image_layout_familiar(names->v[i]); /* skopeo writes docker.io/library/x */

		if (!str_eq(name, text))
			continue;
		*ret = names->v[i];
		return 0;
	}
	return err_make(err, ERR_NOT_FOUND, "%s: no image is called '%s'", what, text);
}

static int from_docker_archive(struct copy *c, struct err **err)
{
	struct load_options o = { .platform = c->o->platform };
	autoclose int fd = copy_open_archive(c->src->path, &o.what, err);
	auto_strv names = STRV_INIT;
	const char *name = NULL;

	if (fd < 0 || scratch_open(&c->scratch, err) < 0 ||
		load_images(c->scratch.store, fd, &o, &names, err) < 0 ||
		choose(c, o.what, &names, &name, err) < 0)
		return -1;
	return copy_from_store(&c->from, c->scratch.store, name, false, err);
}

static int need_store(struct copy *c, struct err **err)
{
	if (c->store)
		return 0;
	if (store_open(c->dst->kind == TRANSPORT_STORE ? STORE_WRITE : STORE_READ, &c->store, err) < 0)
		return -1;
	store_hold(c->store);
	return 0;
}

static int from_store(struct copy *c, struct err **err)
{
	if (need_store(c, err) < 0)
		return -1;
	return copy_from_store(&c->from, c->store, c->src->name, c->o->all, err);
}

static int read_source(struct copy *c, struct err **err)
{
	switch (c->src->kind) {
	case TRANSPORT_REGISTRY:
		return from_registry(c, err);
	case TRANSPORT_OCI:
		return copy_from_layout(&c->from, c->src->path, c->src->name, err);
	case TRANSPORT_OCI_ARCHIVE:
		return from_archive(c, err);
	case TRANSPORT_DOCKER_ARCHIVE:
		return from_docker_archive(c, err);
	default:
		return from_store(c, err);
	}
}

/* ---- what is written ---- */

static int to_registry(struct copy *c, struct err **err)
{
	struct registry_settings settings = c->o->registry;
	auto_strv from = STRV_INIT;

	settings.push = true;
	settings.beside = c->src_registry;
	if (reference_parse(c->dst->name, &c->dst_ref, err) < 0 ||
		registry_open(&c->dst_ref, &settings, &c->dst_registry, err) < 0)
		return -1;
	if (c->src_registry) {
		char *repository = registry_neighbour(c->dst_registry, &c->src_ref);

		if (repository)
			strv_add_owned(&from, repository);
	}
	return copy_to_registry(&c->set, c->dst_registry, &c->dst_ref, &from, c->o->jobs, err);
}

/* Its layers are plain and stand under names that only they themselves tell: complete first. */
static int to_docker_archive(struct copy *c, struct err **err)
{
	const struct save_options o = { .format = SAVE_DOCKER_ARCHIVE,
		.path = c->dst->path,
		.replace = c->o->replace,
		.name = c->dst->name ? c->dst->name : "" };
	char name[] = SCRATCH_NAME;
	char *refs[] = { name, NULL };

	if (scratch_open(&c->packed, err) < 0 ||
		copy_to_store(&c->set, c->packed.store, name, c->o->jobs, err) < 0)
		return -1;
	return save_images(c->packed.store, refs, &o, err);
}

static int to_store(struct copy *c, struct err **err)
{
	if (need_store(c, err) < 0)
		return -1;
	return copy_to_store(&c->set, c->store, c->dst->name, c->o->jobs, err);
}

static int write_target(struct copy *c, struct err **err)
{
	switch (c->dst->kind) {
	case TRANSPORT_REGISTRY:
		return to_registry(c, err);
	case TRANSPORT_OCI:
		return copy_to_layout(&c->set, c->dst->path, c->dst->name, c->o->jobs, err);
	case TRANSPORT_OCI_ARCHIVE:
		return copy_to_archive(&c->set, c->dst->path, c->o->replace, c->dst->name, err);
	case TRANSPORT_DOCKER_ARCHIVE:
		return to_docker_archive(c, err);
	default:
		return to_store(c, err);
	}
}

/* ---- both ---- */

static bool is_layout(const struct transport *t)
{
	return t->kind == TRANSPORT_OCI || t->kind == TRANSPORT_OCI_ARCHIVE;
}

static int check_options(const struct copy *c, struct err **err)
{
	bool one = c->dst->kind == TRANSPORT_STORE || c->dst->kind == TRANSPORT_DOCKER_ARCHIVE;

	if (c->o->all && c->o->platform)
		return err_make(err, ERR_USAGE, "--all and --platform exclude each other");
	if (c->o->all && one) {
		err_make(err, ERR_USAGE, "'%s' holds an image for one platform", c->dst->text);
		return err_hint(err, "choose it with --platform; 'load --all' stores those of a layout");
	}
	if (c->o->format == COPY_FORMAT_DOCKER && is_layout(c->dst))
		return err_make(err, ERR_USAGE, "'%s': a layout has OCI manifests", c->dst->text);
	return 0;
}

static int convert(struct copy *c, struct err **err)
{
	if (c->o->format == COPY_FORMAT_OWN && !is_layout(c->dst))
		return 0;
	return copy_set_convert(&c->set, c->o->format == COPY_FORMAT_DOCKER, err);
}

int copy_image(const struct transport *from, const struct transport *to, const struct copy_options *o,
	struct err **err)
{
	CLEANUP(copy_free)
	struct copy c = { .src = from,
		.dst = to,
		.o = o,
		.scratch = SCRATCH_INIT,
		.packed = SCRATCH_INIT,
		.from = COPY_FROM_INIT };

	if (check_options(&c, err) < 0 || read_source(&c, err) < 0 ||
		copy_set_fill(&c.set, &c.from.source, &c.from.top, o->all, o->platform, err) < 0 ||
		convert(&c, err) < 0)
		return -1;
	return write_target(&c, err);
}
