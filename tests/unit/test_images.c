/* SPDX-License-Identifier: Apache-2.0 */
/* Images: the store that 1.3.16 wrote is read in full; tags are put, replaced, tagged, protected, removed; damage is named. */
#include "pkg/store/images.h"

#include "oci-spec/digest.h"
#include "pkg/base/json.h"
#include "pkg/store/fsck.h"
#include "pkg/store/gc.h"
#include "tests/unit/storetest.h"

#define BB_CONFIG "sha256:a25aa97b21dfd007465bf4f822693390be54a9c1dbd0b8d3662c7bc9c8b93f3c"
#define BB_LAYER1 "sha256:248258553181ed84c2694bda0bfa367445ac3611c16520d7dbc65a7edae6fc0f"
#define BB_LAYER2 "sha256:71fa6a9b3182877f0733712e1bee8081ec4d191365104bbe6c2cb36fa611fe6b"

static struct image *open_image(struct store *s, const char *ref)
{
	struct image *img = NULL;
	auto_err *e = NULL;

	if (image_open(s, ref, &img, &e) < 0)
		printf("# %s: %s\n", ref, err_text(e));
	return img;
}

static int put(struct store *s, const char *ref, const char *manifest, struct err **err)
{
	return image_put(s,
		&(struct image_put){ .ref = ref, .manifest = manifest, .manifest_len = strlen(manifest) },
		NULL, err);
}

/* ---- what 1.3.16 wrote ---- */

static void test_old_list(struct store *s)
{
	static const char *const names[] = { "docker.io/example/bb:1.0", "imported:v1", "lib/bb:1",
		"mine/copy:2", "oci/bb:latest" };
	auto_image_list l = { 0 };

	ok(image_list(s, IMAGE_LIST_DETAILS, &l, NULL) == 0, "list");
	if (!ok(l.n == ARRAY_LEN(names), "five images"))
		return;
	for (size_t i = 0; i < l.n; i++)
		is_str(l.v[i].name, names[i], names[i]);
	ok(l.v[1].protected && !l.v[2].protected, "the imported one is protected");
	ok(l.v[0].broken && !l.v[2].broken, "the layers of the docker archive are the broken kind");
	is_int(l.v[2].size, 801 + 332, "size");
	is_int(l.v[2].n_layers, 2, "layers");
	is_str(l.v[2].architecture, "amd64", "architecture");
	ok(l.v[2].digest && digest_is_valid(l.v[2].digest), "a digest");
	is_str(l.v[4].digest, NULL, "no digest of a v1 image");
}

static void test_old_v2(struct store *s)
{
	auto_image *img = open_image(s, "lib/bb:1");
	auto_json *config = NULL;

	if (!ok(img && img->version == 2 && img->n_layers == 2, "a pulled image"))
		return;
	is_str(img->config_file, BB_CONFIG, "its config");
	is_str(img->layers[0].file, BB_LAYER1, "base layer first");
	is_str(img->layers[1].digest, BB_LAYER2, "then the next");
	is_int(img->layers[0].size, 801, "size from the manifest");
	ok(strstr(img->layers[0].media_type, "tar+gzip") != NULL, "media type");
	ok(image_config(s, img, &config, NULL) == 0, "the configuration");
	is_str(json_str(json_at(json_path(config, "config", "Cmd", NULL), 0)), "/bin/sh", "Cmd");
}

static void test_old_v1(struct store *s)
{
	auto_image *oci = open_image(s, "oci/bb"), *imported = open_image(s, "imported:v1");
	auto_json *config = NULL;

	if (!ok(oci && oci->version == 1 && oci->n_layers == 2,
		    "an OCI archive loaded by 1.3.x, without its tag"))
		return;
	is_str(oci->name, "oci/bb:latest", "is the tag latest");
	is_str(oci->layers[0].file, "248258553181ed84c2694bda0bfa367445ac3611c16520d7dbc65a7edae6fc0f.layer",
		"ancestry is top first, we are not");
	is_str(oci->layers[0].digest, NULL, "an id is no digest");
	is_str(oci->config_file, "a25aa97b21dfd007465bf4f822693390be54a9c1dbd0b8d3662c7bc9c8b93f3c.layer",
		"the config by container.json's target");
	ok(image_config(s, oci, &config, NULL) == 0, "which is read");
	ok(imported && imported->protected && imported->n_layers == 1, "an imported image");
	is_str(imported->config_file, "e5b122940377ff4f0d7268d9e2c8aa6ae8bec42248c1de6551d95a45f197c0cb.json",
		"config by the layer's id");
}

struct seen {
	int ok, unchecked, bad;
	char text[512];
};

static void see(
	enum fsck_state state, enum fsck_part part UNUSED, const char *what, const char *text, void *arg)
{
	struct seen *seen = arg;

	seen->ok += state == FSCK_OK;
	seen->unchecked += state == FSCK_UNCHECKED;
	seen->bad += state == FSCK_BAD;
	if (text)
		snprintf(seen->text, sizeof(seen->text), "%s: %s", what, text);
}

static void verify(struct store *s, const char *ref, struct seen *seen)
{
	auto_image *img = open_image(s, ref);

	*seen = (struct seen){ 0 };
	ok(img && fsck_image(s, img, see, seen, NULL) == seen->bad, "%s is looked at", ref);
}

static void test_old_verify(struct store *s)
{
	struct seen seen;

	verify(s, "lib/bb:1", &seen);
	ok(seen.ok == 3 && seen.bad == 0, "a pulled image is whole");
	verify(s, "oci/bb:latest", &seen);
	ok(seen.bad == 0 && seen.ok == 2, "so is one loaded from an OCI archive");
	verify(s, "imported:v1", &seen);
	ok(seen.bad == 0 && seen.ok == 1, "and an imported one, by its diff id");
	verify(s, "docker.io/example/bb:1.0", &seen);
	ok(seen.bad == 2, "both broken layers are named: %s", seen.text);
}

static void test_old_tag_and_remove(struct store *s)
{
	struct seen seen;
	auto_err *e = NULL;

	ok(image_tag(s, "oci/bb:latest", "oci/two:1", NULL) == 0, "a v1 image is tagged");
	verify(s, "oci/two:1", &seen);
	ok(seen.bad == 0 && seen.ok == 2, "with its config (FIX-14)");
	ok(image_remove(s, "oci/bb:latest", NULL, NULL) == 0, "the first name goes");
	ok(!test_exists(".udocker/repos/oci/bb"), "with its empty folders");
	verify(s, "oci/two:1", &seen);
	ok(seen.bad == 0, "the config that both linked as container.json stays");
	ok(image_remove(s, "oci/two:1", NULL, NULL) == 0, "the second goes");
	ok(!test_exists(
		   ".udocker/layers/a25aa97b21dfd007465bf4f822693390be54a9c1dbd0b8d3662c7bc9c8b93f3c.layer"),
		"and the config with it");
	ok(image_remove(s, "lib/bb:1", NULL, NULL) == 0, "a pulled image of two names");
	verify(s, "mine/copy:2", &seen);
	ok(seen.bad == 0, "the other name keeps the layers");
	ok(image_remove(s, "imported:v1", NULL, &e) < 0 && err_is(e, ERR_DENIED), "a protected image stays");
	err_clear(&e);
	ok(image_protect(s, "imported:v1", false, NULL) == 0 &&
			image_remove(s, "imported:v1", NULL, NULL) == 0,
		"until it is unprotected");
	ok(image_remove(s, "imported:v1", NULL, &e) < 0 && err_is(e, ERR_NOT_FOUND), "gone is gone");
}

/* ---- what we write ---- */

/* As if another process had brought them. */
static void forget_blobs(struct store *s)
{
	store_stage_drop(s->scratch);
	free(s->scratch);
	s->scratch = NULL;
}

static void test_put(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *l1 = test_blob(s, "l1"), *l2 = test_blob(s, "l2");
	autofree char *one = test_manifest(config, l1, l2), *two = test_manifest(config, l2, NULL),
		      *name = NULL, *text = NULL, *path = NULL;
	auto_image *img = NULL;
	auto_err *e = NULL;

	ok(image_put(s,
		   &(struct image_put){
			   .ref = "host:5000/a/b", .manifest = one, .manifest_len = strlen(one) },
		   &name, NULL) == 0,
		"put");
	is_str(name, "host:5000/a/b:latest", "its name");
	ok(test_exists("own/repos/host:5000/a/b/latest/TAG") &&
			test_exists("own/repos/host:5000/a/b/latest/v2"),
		"its files");
	path = xasprintf("%s/own/repos/host:5000/a/b/latest/%s", test_dir, l1);
	text = fs_readlink(AT_FDCWD, path);
	ok(text && str_starts(text, "../../../../../layers/sha256:"), "a relative link: %s", text);
	img = open_image(s, "host:5000/a/b:latest");
	ok(img && strcmp(img->manifest, one) == 0, "the manifest's own bytes");
	ok(put(s, "host:5000/a/b", two, NULL) == 0, "replaced");
	ok(!layer_exists(s, l1, NULL) && layer_exists(s, l2, NULL), "what only the old image had is gone");
	ok(!fs_exists(img->fd, l1), "its link too");
	ok(put(s, "own:1", one, NULL) == 0 && layer_exists(s, l1, NULL),
		"what this process brought it brings again");
	ok(image_remove(s, "own:1", NULL, NULL) == 0 && !layer_exists(s, l1, NULL), "and removes again");
	forget_blobs(s);
	ok(put(s, "x:1", one, &e) < 0 && err_is(e, ERR_NOT_FOUND),
		"an image without its blobs is not stored");
	ok(!test_exists("own/repos/x"), "and leaves nothing");
	err_clear(&e);
	ok(put(s, "host:5000/a/b", one, &e) < 0 && err_is(e, ERR_NOT_FOUND), "nor in place of another");
	ok(fs_exists(img->fd, l2) && !fs_exists(img->fd, l1), "which stays as it was");
	err_clear(&e);
	ok(image_protect(s, "host:5000/a/b", true, NULL) == 0, "protect");
	ok(put(s, "host:5000/a/b", two, &e) < 0 && err_is(e, ERR_DENIED), "a protected tag is not replaced");
	err_clear(&e);
	ok(image_tag(s, "host:5000/a/b", "y", &e) < 0 && err_is(e, ERR_DENIED),
		"nor tagged, as 1.3.x has it");
	image_protect(s, "host:5000/a/b", false, NULL);
	err_clear(&e);
	ok(image_tag(s, "host:5000/a/b", "y:2", NULL) == 0 && image_exists(s, "y:2"), "tag");
	ok(image_tag(s, "host:5000/a/b", "y:2", &e) < 0 && err_is(e, ERR_EXISTS), "not over another");
}

static void test_digest_reference(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *l1 = test_blob(s, "d1"),
		      *m = test_manifest(config, l1, NULL);
	autofree char *by_digest = NULL, *shown = NULL;
	auto_image *img = NULL, *other = NULL;
	struct digest d;

	digest_of(SHA_256, m, strlen(m), &d, NULL);
	by_digest = xasprintf("dig/est@%s", d.text);
	shown = xasprintf("dig/est:%s", d.text);
	ok(put(s, "dig/est:5", m, NULL) == 0, "a tag");
	img = open_image(s, by_digest);
	is_str(img ? img->tag : NULL, "5", "found by its digest");
	ok(put(s, by_digest, m, NULL) == 0, "stored by digest");
	other = open_image(s, shown);
	is_str(other ? other->tag : NULL, d.text, "found as listings show it");
	is_str(other ? image_digest(other) : NULL, d.text, "the digest of our manifest is the registry's");
}

/* Both markers are what a pull of 1.3.x leaves over a loaded image (FIX-66). */
static void test_v1_to_v2(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *layer = test_blob(s, "v2"), *old = test_blob(s, "old"),
		      *m = test_manifest(config, layer, NULL), *text = xasprintf("../../../layers/%s", old);
	auto_image *img = NULL;
	int fd = fs_mkdir_p(s->repos_fd, "both/1", 0755, FS_BENEATH);

	close(fd);
	fd = fs_open(s->repos_fd, "both/1", O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	close(openat(fd, "TAG", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	close(openat(fd, "v1", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	ok(symlinkat(text, fd, "container.json") == 0, "a v1 image");
	ok(put(s, "both:1", m, NULL) == 0, "replaced by a v2 image");
	ok(!fs_exists(fd, "v1") && fs_exists(fd, "v2") && !fs_exists(fd, "container.json"),
		"one marker is left");
	ok(!layer_exists(s, old, NULL), "the old config is gone");
	close(openat(fd, "v1", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
	img = open_image(s, "both:1");
	is_int(img ? img->version : 0, 2, "with both markers what was pulled is the image");
	close(fd);
}

static void test_misplaced(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *layer = test_blob(s, "mis"),
		      *m = test_manifest(config, layer, NULL);
	auto_image_list l = { 0 };
	auto_image *img = NULL;
	int fd;

	ok(put(s, "oldhost/5000/app:tmp", m, NULL) == 0, "an image");
	fd = fs_open(s->repos_fd, "oldhost/5000/app", O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	close(fd);
	fd = fs_open(s->repos_fd, "oldhost/5000", O_RDONLY | O_DIRECTORY, 0, FS_BENEATH);
	ok(renameat(fd, "app/tmp", fd, "app:1") == 0 && unlinkat(fd, "app", AT_REMOVEDIR) == 0,
		"moved to where 1.3.x keeps oldhost:5000/app:1");
	close(fd);
	img = open_image(s, "oldhost:5000/app:1");
	is_str(img ? img->name : NULL, "oldhost:5000/app:1", "is found there (FIX-12)");
	image_list(s, 0, &l, NULL);
	for (size_t i = 0; i < l.n; i++)
		if (str_starts(l.v[i].name, "oldhost"))
			is_str(l.v[i].name, "oldhost:5000/app:1", "and listed so");
	ok(put(s, "oldhost:5000/app:1", m, NULL) == 0, "put again");
	ok(test_exists("own/repos/oldhost:5000/app/1/TAG") && !test_exists("own/repos/oldhost"),
		"it moves to the right folder");
}

static void test_damage(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *layer = test_blob(s, "dm"),
		      *m = test_manifest(config, layer, NULL);
	auto_image *img = NULL;
	auto_err *e = NULL;
	struct seen seen;
	int fd;

	ok(put(s, "dam/age:1", m, NULL) == 0, "an image");
	verify(s, "dam/age:1", &seen);
	ok(seen.bad == 0, "is whole");
	fd = openat(s->layers_fd, layer, O_WRONLY | O_CLOEXEC);
	ok(write(fd, "xx", 2) == 2, "damaged");
	close(fd);
	verify(s, "dam/age:1", &seen);
	ok(seen.bad == 1 && strstr(seen.text, "digest mismatch"), "%s", seen.text);
	fd = openat(s->layers_fd, layer, O_WRONLY | O_TRUNC | O_CLOEXEC);
	close(fd);
	verify(s, "dam/age:1", &seen);
	ok(seen.bad == 1 && strstr(seen.text, "size is 0"), "%s", seen.text);
	unlinkat(s->layers_fd, layer, 0);
	verify(s, "dam/age:1", &seen);
	ok(seen.bad == 1 && strstr(seen.text, "not in the store"), "%s", seen.text);
	fd = fs_open(s->repos_fd, "dam/age/1/manifest", O_WRONLY | O_TRUNC, 0, FS_BENEATH);
	ok(write(fd, "{\"a\":", 5) == 5, "a truncated manifest");
	close(fd);
	ok(image_open(s, "dam/age:1", &img, &e) < 0 && err_is(e, ERR_CORRUPT), "is an error");
	ok(image_remove(s, "dam/age:1", NULL, NULL) == 0, "and can be removed");
}

static void test_names(struct store *s)
{
	static const char *const bad[] = { "", "../x", "a/../b", "-x", "a b", "a\nb", "/a", "a//b", "a:b:c" };
	auto_image *img = NULL;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_err *e = NULL;

		ok(image_open(s, bad[i], &img, &e) < 0 && err_is(e, ERR_USAGE), "bad name %zu", i);
	}
}

int main(void)
{
	auto_store *s = NULL;

	test_begin();
	test_fixture_store();
	s = test_open(STORE_WRITE);
	test_old_list(s);
	test_old_v2(s);
	test_old_v1(s);
	test_old_verify(s);
	test_old_tag_and_remove(s);
	store_close(s);
	test_use("own");
	s = test_open(STORE_WRITE);
	test_put(s);
	test_digest_reference(s);
	test_v1_to_v2(s);
	test_misplaced(s);
	test_damage(s);
	test_names(s);
	test_end();
	return tap_done();
}
