/* SPDX-License-Identifier: Apache-2.0 */
/* The choice of a platform's manifest through indexes; the documents are a table here. */
#include "pkg/image/select.h"

#include "oci-spec/descriptor.h"
#include "oci-spec/digest.h"
#include "oci-spec/index.h"
#include "oci-spec/platform.h"
#include "pkg/base/err.h"
#include "pkg/base/json.h"
#include "pkg/base/mem.h"
#include "pkg/base/str.h"
#include "tests/unit/tap.h"

#define INDEX "application/vnd.oci.image.index.v1+json"
#define MANIFEST "application/vnd.oci.image.manifest.v1+json"

static char *documents[16];
static int n_documents, fetched;

static int fetch(void *arg UNUSED, const struct descriptor *d, struct json **ret, struct err **err)
{
	int i = d->digest.text[70] - 'a';

	fetched++;
	if (i < 0 || i >= n_documents)
		return err_make(err, ERR_NOT_FOUND, "no document %d", i);
	return json_parse(documents[i], strlen(documents[i]), "document", NULL, ret, err);
}

/* The last digit of the digest is the document's number. */
static char *entry(const char *type, int number, const char *platform)
{
	char zeros[64];

	memset(zeros, '0', 63);
	zeros[63] = '\0';
	return xasprintf("{\"mediaType\":\"%s\",\"digest\":\"sha256:%s%c\",\"size\":2%s%s}", type, zeros,
		'a' + number, platform ? ",\"platform\":" : "", platform ? platform : "");
}

static int add_index(char *a, char *b)
{
	documents[n_documents] =
		xasprintf("{\"schemaVersion\":2,\"manifests\":[%s%s%s]}", a, b ? "," : "", b ? b : "");
	free(a);
	free(b);
	return n_documents++;
}

static int choose(int top, const char *platform, struct descriptor *ret, struct err **err)
{
	const struct select_source from = { .fetch = fetch };
	auto_index *x = NULL;
	auto_json *j = NULL;
	struct platform want;

	if (json_parse(documents[top], strlen(documents[top]), "index", NULL, &j, err) < 0 ||
		index_from_json(j, "index", &x, err) < 0 || platform_parse(platform, &want, err) < 0)
		return -1;
	return select_manifest(&from, x, &want, ret, err);
}

static void forget(void)
{
	for (int i = 0; i < n_documents; i++)
		free(documents[i]);
	n_documents = 0;
}

#define AMD "{\"os\":\"linux\",\"architecture\":\"amd64\"}"
#define ARM "{\"os\":\"linux\",\"architecture\":\"arm64\"}"
#define X86 "{\"os\":\"linux\",\"architecture\":\"386\"}"

static void test_choice(void)
{
	int flat = add_index(entry(MANIFEST, 4, AMD), entry(MANIFEST, 5, ARM));
	int nested = add_index(entry(INDEX, flat, AMD), entry(MANIFEST, 5, ARM));
	int small = add_index(entry(MANIFEST, 5, X86), NULL);
	auto_descriptor d = { 0 };
	auto_err *e = NULL;

	ok(choose(flat, "linux/arm64", &d, NULL) == 0 && d.digest.text[70] == 'f', "by platform");
	ok(fetched == 0, "a manifest need not be read to be chosen");
	descriptor_free(&d);
	ok(choose(nested, "linux/amd64", &d, NULL) == 0 && d.digest.text[70] == 'e',
		"through a nested index");
	descriptor_free(&d);
	ok(choose(small, "linux/amd64", &d, NULL) == 0, "386 runs on amd64");
	descriptor_free(&d);
	ok(choose(flat, "linux/s390x", &d, &e) < 0 && err_is(e, ERR_UNSUPPORTED), "none serves");
	ok(strstr(err_text(e), "amd64") && strstr(err_text(e), "arm64"), "and says what there is: %s",
		err_text(e));
}

static void test_depth(void)
{
	int top = add_index(entry(MANIFEST, 5, AMD), NULL);
	auto_descriptor d = { 0 };
	auto_err *e = NULL;

	for (int i = 0; i < SELECT_DEPTH_MAX; i++)
		top = add_index(entry(INDEX, top, AMD), NULL);
	ok(choose(top, "linux/amd64", &d, NULL) == 0, "as deep as allowed");
	top = add_index(entry(INDEX, top, AMD), NULL);
	ok(choose(top, "linux/amd64", &d, &e) < 0 && err_is(e, ERR_CORRUPT), "deeper is an error");
}

int main(void)
{
	test_choice();
	forget();
	test_depth();
	forget();
	return tap_done();
}
