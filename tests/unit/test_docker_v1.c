/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of docker archives: items, repositories, layer chains, ancestry. */
#include "oci-spec/docker_v1.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "tests/unit/tap.h"

static struct json *document(const char *text)
{
	struct json *j = NULL;

	ok(json_parse(text, strlen(text), "test", NULL, &j, NULL) == 0, "json");
	return j;
}

static void refused(const char *text, const char *path)
{
	auto_json *j = document(text);
	auto_docker_archive *a = NULL;
	auto_err *err = NULL;

	ok(docker_archive_from_json(j, &a, &err) < 0 && strstr(err_text(err), path),
		"refused with its path: %s", path);
}

static void archives(void)
{
	auto_json *j = document(
		"[{\"Config\":\"./c.json\",\"RepoTags\":null,\"Layers\":[\"a/layer.tar\",\"b/layer.tar\"]},"
		"{\"Config\":\"blobs/sha256/x\",\"RepoTags\":[\"n:1\",\"n:2\"],\"Layers\":null}]");
	auto_docker_archive *a = NULL;

	if (!ok(docker_archive_from_json(j, &a, NULL) == 0, "manifest.json"))
		return;
	is_int(a->n_items, 2, "two images");
	is_str(a->items[0].config, "c.json", "a leading ./ goes");
	is_int(a->items[0].repo_tags.n, 0, "RepoTags null");
	is_str(a->items[0].layers.v[1], "b/layer.tar", "layers");
	is_str(a->items[1].repo_tags.v[1], "n:2", "tags");
	refused("{}", "manifest.json");
	refused("[1]", "manifest.json[0]");
	refused("[{}]", "manifest.json[0].Config");
	refused("[{\"Config\":\"../x\"}]", "manifest.json[0].Config");
	refused("[{\"Config\":\"/x\"}]", "manifest.json[0].Config");
	refused("[{\"Config\":\"x\",\"Layers\":[\"a/../../b\"]}]", "manifest.json[0].Layers[0]");
	refused("[{\"Config\":\"x\",\"Layers\":[\"\"]}]", "manifest.json[0].Layers[0]");
	refused("[{\"Config\":\"x\",\"Layers\":[7]}]", "Layers[0]");
	refused("[{\"Config\":\"x\",\"RepoTags\":\"n\"}]", "RepoTags");
}

static void chains(void)
{
	static const char *const ids[] = { "top", "base", "mid", "loop1", "loop2", "orphan" };
	static const char *const parents[] = { "mid", NULL, "base", "loop2", "loop1", "gone" };
	auto_strv chain = STRV_INIT;

	ok(docker_layer_chain(ids, parents, 6, "top", &chain, NULL) == 0, "chain");
	is_int(chain.n, 3, "its length");
	is_str(chain.v[0], "base", "base first");
	is_str(chain.v[2], "top", "top last");
	ok(docker_layer_chain(ids, parents, 6, "loop1", &chain, NULL) < 0, "a circle");
	ok(docker_layer_chain(ids, parents, 6, "orphan", &chain, NULL) < 0, "a missing parent");
	ok(docker_layer_chain(ids, parents, 6, "none", &chain, NULL) < 0, "a missing top");
	is_int(chain.n, 3, "nothing added by failures");
}

int main(void)
{
	auto_json *repos = document("{\"a/b\":{\"1\":\"x\",\"2\":\"y\"},\"c\":{}}"),
		  *bad = document("{\"a\":{\"1\":2}}");
	auto_json *layer = document("{\"id\":\"sha256:aa\",\"parent\":\"bb\"}"),
		  *noid = document("{\"parent\":\"bb\"}");
	auto_json *evil = document("{\"id\":\"../x\"}"), *anc = document("[\"top\",\"base\"]"),
		  *bada = document("[\"../x\"]");
	auto_docker_repositories *r = NULL, *r2 = NULL;
	const char *id = NULL, *parent = NULL;
	auto_strv list = STRV_INIT;
	auto_json *back = NULL;

	archives();
	ok(docker_repositories_from_json(repos, &r, NULL) == 0 && r->n_items == 2, "repositories");
	is_str(r->items[1].tag, "2", "tag");
	ok(docker_repositories_from_json(bad, &r2, NULL) < 0, "wrong repositories");
	ok(docker_layer_from_json(layer, "json", &id, &parent, NULL) == 0, "layer json");
	is_str(id, "aa", "id without algorithm");
	is_str(parent, "bb", "parent");
	ok(docker_layer_from_json(noid, "json", &id, &parent, NULL) < 0, "no id");
	ok(docker_layer_from_json(evil, "json", &id, &parent, NULL) < 0, "an id that is a path");
	chains();
	ok(docker_ancestry_from_json(anc, &list, NULL) == 0 && list.n == 2, "ancestry");
	is_str(list.v[0], "base", "read base first");
	back = docker_ancestry_to_json(&list);
	is_str(json_str(json_at(back, 0)), "top", "written top first");
	ok(docker_ancestry_from_json(bada, &list, NULL) < 0, "wrong ancestry");
	return tap_done();
}
