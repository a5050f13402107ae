/* SPDX-License-Identifier: Apache-2.0 */
/* manifest: documents of images from outside, read as each of the things they may be. */
#include "oci-spec/docker_v1.h"
#include "oci-spec/image_config.h"
#include "oci-spec/image_layout.h"
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/path.h"

static void must(bool cond)
{
	if (!cond)
		abort();
}

/* A failure has an error, a success none. */
static bool agrees(int r, struct err **err)
{
	bool good = r < 0 ? *err != NULL : *err == NULL;

	err_clear(err);
	return good;
}

static void as_manifest(const struct json *j)
{
	auto_manifest *m = NULL, *again = NULL;
	auto_json *built = NULL;
	auto_err *err = NULL;
	int r = manifest_from_json(j, "manifest", &m, &err);

	must(agrees(r, &err));
	if (r < 0 || m->kind != MEDIA_MANIFEST)
		return;
	for (size_t i = 0; i < m->n_layers; i++)
		must(digest_is_set(&m->layers[i].digest) && m->layers[i].size >= 0);
	built = manifest_build(m->docker, &m->config, m->layers, m->n_layers);
	must(manifest_from_json(built, "built", &again, NULL) == 0 && again->n_layers == m->n_layers);
}

static void as_index(const struct json *j)
{
	auto_index *x = NULL;
	auto_err *err = NULL;
	const struct descriptor *d = NULL;
	struct platform host;
	int r = index_from_json(j, "index", &x, &err);

	must(agrees(r, &err));
	if (r < 0)
		return;
	for (size_t i = 0; i < x->n_items; i++) {
		autofree char *name = NULL, *tag = NULL;

		image_layout_names(&x->items[i], &name, &tag);
	}
	platform_host(&host);
	r = index_select(x, &host, true, &d, &err);
	must(agrees(r, &err) && (r < 0 || d));
}

static void as_docker(const struct json *j)
{
	auto_docker_archive *a = NULL;
	auto_docker_repositories *repos = NULL;
	auto_strv list = STRV_INIT;
	auto_err *err = NULL;
	const char *id = NULL, *parent = NULL;
	int r = docker_archive_from_json(j, &a, &err);

	must(agrees(r, &err));
	for (size_t i = 0; r == 0 && i < a->n_items; i++) {
		must(path_is_plain(a->items[i].config));
		for (size_t k = 0; k < a->items[i].layers.n; k++)
			must(path_is_plain(a->items[i].layers.v[k]));
	}
	must(agrees(docker_repositories_from_json(j, &repos, &err), &err));
	must(agrees(docker_layer_from_json(j, "json", &id, &parent, &err), &err));
	must(agrees(docker_ancestry_from_json(j, &list, &err), &err));
	must(agrees(image_layout_check(j, &err), &err));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_json *j = NULL;
	auto_image_config *c = NULL;
	auto_err *err = NULL;

	if (json_parse((const char *)data, size, "input", NULL, &j, NULL) < 0)
		return 0;
	as_manifest(j);
	as_index(j);
	as_docker(j);
	must(agrees(image_config_from_json(j, "config", &c, &err), &err));
	(void)manifest_sniff(j, "application/json");
	return 0;
}
