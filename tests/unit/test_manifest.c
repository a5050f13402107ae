/* SPDX-License-Identifier: Apache-2.0 */
/* Manifests, indexes and descriptors: both families, schema 1, and what is refused. */
#include "oci-spec/index.h"
#include "oci-spec/manifest.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "tests/unit/tap.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define CONF "\"config\":{\"mediaType\":\"" MEDIA_DOCKER_CONFIG "\",\"digest\":\"sha256:" C "\",\"size\":7}"
#define LAYER(d, s) \
	"{\"mediaType\":\"" MEDIA_DOCKER_LAYER_GZIP "\",\"digest\":\"sha256:" d "\",\"size\":" s "}"

static struct manifest *parse(const char *text)
{
	struct manifest *m = NULL;
	auto_err *err = NULL;

	if (manifest_parse(text, strlen(text), "manifest", &m, &err) < 0)
		printf("# %s\n", err_text(err));
	return m;
}

static void refused(const char *text, enum err_kind kind, const char *path)
{
	auto_err *err = NULL;
	struct manifest *m = NULL;
	int r = manifest_parse(text, strlen(text), "manifest", &m, &err);

	ok(r < 0 && err_is(err, kind) && strstr(err_text(err), path), "refused with its path: %s", path);
	if (r < 0)
		printf("# %s\n", err_text(err));
	manifest_free(m);
}

static void schema2(void)
{
	auto_manifest *m =
		parse("{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER(A, "1") "," LAYER(B, "2") "]}");

	if (!ok(m != NULL, "schema 2 without a media type"))
		return;
	ok(m->docker, "is Docker's by its config");
	is_str(m->media_type, MEDIA_DOCKER_MANIFEST, "media type concluded");
	is_int(m->n_layers, 2, "layers");
	is_str(m->layers[0].digest.text, "sha256:" A, "base first");
	is_int(m->layers[1].size, 2, "size");
	is_str(m->config.digest.text, "sha256:" C, "config");
	ok(manifest_is_image(m), "is an image");
}

static void schema1(void)
{
	auto_manifest *m = parse(
		"{\"schemaVersion\":1,\"name\":\"x\",\"fsLayers\":[{\"blobSum\":\"sha256:" B "\"},"
		"{\"blobSum\":\"sha256:" A "\"}],\"history\":[{\"v1Compatibility\":\"{\\\"id\\\":1}\"},{}]}");

	if (!ok(m != NULL, "schema 1"))
		return;
	is_int(m->kind, MEDIA_SCHEMA1, "kind");
	is_str(m->layers[0].digest.text, "sha256:" A, "turned round: base first");
	is_str(m->v1_config, "{\"id\":1}", "the config is inside");
	is_int(m->layers[0].size, -1, "no sizes");
	ok(!digest_is_set(&m->config.digest), "no config digest");
}

static void built(void)
{
	auto_manifest *m = parse("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_DOCKER_MANIFEST "\"," CONF
				 ",\"layers\":[" LAYER(A, "1") "]}");
	auto_json *j = manifest_build(true, &m->config, m->layers, m->n_layers);
	autofree char *text = json_text(j, 0);
	auto_manifest *again = parse(text);

	ok(again && again->n_layers == 1 && digest_eq(&again->layers[0].digest, &m->layers[0].digest),
		"built and read");
	is_str(again ? again->media_type : NULL, MEDIA_DOCKER_MANIFEST, "with its media type");
}

static void wrong(void)
{
	refused("[]", ERR_CORRUPT, "manifest: expected an object");
	refused("{}", ERR_CORRUPT, "manifest.config: missing");
	refused("{\"schemaVersion\":2," CONF "}", ERR_CORRUPT, "manifest.layers: missing");
	refused("{\"schemaVersion\":3," CONF ",\"layers\":[]}", ERR_CORRUPT, "manifest.schemaVersion");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[7]}", ERR_CORRUPT, "manifest.layers[0]");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER(A, "-1") "]}", ERR_CORRUPT,
		"manifest.layers[0].size");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER(A, "9223372036854775807") "]}",
		ERR_CORRUPT, "manifest.layers[0].size");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER(A, "1.5") "]}", ERR_CORRUPT,
		"layers[0].size");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[" LAYER(A, "\"1\"") "]}", ERR_CORRUPT,
		"layers[0].size");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[],\"manifests\":[]}", ERR_CORRUPT,
		"an index to others");
	refused("{\"schemaVersion\":2,\"layers\":[],\"manifests\":[]}", ERR_CORRUPT, "an index to others");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[],\"fsLayers\":[]}", ERR_CORRUPT,
		"an index to others");
	refused("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_INDEX "\"," CONF ",\"layers\":[]}",
		ERR_CORRUPT, "an index to others");
	refused("{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_OCI_MANIFEST "\",\"manifests\":[]}",
		ERR_CORRUPT, "an index to others");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[{\"digest\":\"sha256:" A "\"}]}", ERR_CORRUPT,
		"layers[0].size: missing");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[{\"size\":1}]}", ERR_CORRUPT,
		"layers[0].digest: missing");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[{\"size\":1,\"digest\":\"sha256:../x\"}]}",
		ERR_CORRUPT, "layers[0].digest");
	refused("{\"schemaVersion\":2,\"config\":[],\"layers\":[]}", ERR_CORRUPT, "manifest.config");
	refused("{\"schemaVersion\":2,\"manifests\":[]}", ERR_UNSUPPORTED, "index");
	refused("{\"schemaVersion\":1,\"fsLayers\":[{\"blobSum\":1}],\"history\":[{\"v1Compatibility\":\"\"}]"
		"}",
		ERR_CORRUPT, "fsLayers[0].blobSum");
	refused("{\"schemaVersion\":1,\"fsLayers\":[],\"history\":[{\"v1Compatibility\":\"{}\"}]}",
		ERR_CORRUPT, "history: of 1 layers, but there are 0");
	refused("{\"schemaVersion\":1,\"fsLayers\":[]}", ERR_CORRUPT, "history[0].v1Compatibility");
	refused("{\"schemaVersion\":2," CONF ",\"layers\":[{\"size\":1,\"digest\":\"sha256:" A
		"\",\"annotations\":{\"a\":1}}]}",
		ERR_CORRUPT, "layers[0].annotations.a");
	refused("{", ERR_CORRUPT, "manifest");
}

static struct json *document(const char *text)
{
	struct json *j = NULL;

	ok(json_parse(text, strlen(text), "test", NULL, &j, NULL) == 0, "json");
	return j;
}

#define ITEM(d, os, arch, more) \
	"{\"digest\":\"sha256:" d "\",\"size\":3,\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch \
	"\"}" more "}"

static void indexes(void)
{
	auto_json *j = document("{\"schemaVersion\":2,\"manifests\":[" ITEM(
		C, "unknown", "unknown", "") "," ITEM(A, "linux", "amd64",
		",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}") "," ITEM(A,
		"linux", "386", "") "," ITEM(B, "linux", "amd64", "") "]}");
	auto_json *bad = document("{\"manifests\":[{\"digest\":\"x\",\"size\":1}]}");
	auto_index *x = NULL, *y = NULL;
	const struct descriptor *d = NULL;
	auto_err *err = NULL, *err2 = NULL;
	struct platform p;

	is_int(manifest_sniff(j, NULL), MEDIA_INDEX, "an index is seen by its content");
	if (!ok(index_from_json(j, "index", &x, NULL) == 0, "index"))
		return;
	is_int(x->n_items, 4, "entries");
	(void)platform_parse("linux/amd64", &p, NULL);
	ok(index_select(x, &p, true, &d, NULL) == 0, "one for amd64");
	is_str(d ? d->digest.text : NULL, "sha256:" B, "the image, not its attestation");
	(void)platform_parse("linux/s390x", &p, NULL);
	ok(index_select(x, &p, true, &d, &err) < 0 && err_is(err, ERR_UNSUPPORTED), "none for s390x");
	ok(strstr(err_text(err), "linux/386, linux/amd64"), "and says what there is");
	ok(index_from_json(bad, "index", &y, &err2) < 0 &&
			strstr(err_text(err2), "index.manifests[0].digest"),
		"wrong entries are named");
}

int main(void)
{
	auto_json *none = document("{}");
	struct descriptor zero = { .size = -1 }, copy;

	schema2();
	schema1();
	built();
	wrong();
	indexes();
	is_int(manifest_sniff(none, MEDIA_OCI_MANIFEST), MEDIA_MANIFEST, "a header is a hint");
	is_int(manifest_sniff(none, "text/html"), MEDIA_UNKNOWN, "not any header");
	descriptor_copy(&copy, &zero);
	descriptor_free(&copy);
	ok(descriptor_annotation(&zero, "x") == NULL, "no annotations");
	return tap_done();
}
