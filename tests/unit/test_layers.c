/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs appear under their digest or not at all; rollbacks and prune remove only what no image links. */
#include "pkg/store/layers.h"

#include "oci-spec/digest.h"
#include "pkg/store/gc.h"
#include "tests/unit/storetest.h"

#define HELLO "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO512 \
	"sha512:" \
	"9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c" \
	"4663475c2e5c3adef46f73bcdec043"

static size_t count_files(struct store *s)
{
	auto_strv names = STRV_INIT;

	fs_list(s->layers_fd, ".", &names);
	return names.n;
}

static void test_names(void)
{
	ok(layer_name_is_digest(HELLO), "a digest");
	ok(!layer_name_is_digest("sha256:abc"), "too short");
	ok(layer_name_is_valid("0123abcd.layer"), "a v1 name");
	ok(!layer_name_is_valid("../x") && !layer_name_is_valid(".tmp-1") && !layer_name_is_valid(""),
		"not these");
	ok(!layer_name_is_valid("a\nb"), "no control characters");
}

static void test_write(struct store *s)
{
	struct layer_txn txn = LAYER_TXN_INIT;
	autofree char *digest = NULL;
	struct layer_writer *w;
	auto_err *e = NULL;
	uint64_t size = 0;

	ok(layer_writer_begin(s, HELLO, &w, NULL) == 0, "begin");
	ok(layer_writer_write(w, "hel", 3, NULL) == 0 && layer_writer_write(w, "lo", 2, NULL) == 0, "write");
	ok(!layer_exists(s, HELLO, NULL), "nothing to be seen before the commit");
	ok(layer_writer_commit(w, 5, &txn, &digest, NULL) == 0, "commit");
	is_str(digest, HELLO, "its digest");
	ok(layer_exists(s, HELLO, &size) && size == 5, "and there it is");
	is_int(txn.n, 1, "the transaction knows it");
	ok(layer_verify(s, HELLO, NULL) == 0, "verified");

	layer_writer_begin(s, HELLO, &w, NULL);
	layer_writer_write(w, "hallo", 5, NULL);
	ok(layer_writer_commit(w, 5, &txn, NULL, &e) < 0 && err_is(e, ERR_CORRUPT),
		"a wrong digest is refused");
	err_clear(&e);
	layer_writer_begin(s, HELLO, &w, NULL);
	layer_writer_write(w, "hello", 5, NULL);
	ok(layer_writer_commit(w, 4, &txn, NULL, &e) < 0 && err_is(e, ERR_CORRUPT),
		"a wrong size is refused");
	layer_writer_begin(s, NULL, &w, NULL);
	layer_writer_write(w, "gone", 4, NULL);
	layer_writer_abort(w);
	is_int(count_files(s), 1, "failures and aborts leave nothing");

	layer_writer_begin(s, HELLO, &w, NULL);
	layer_writer_write(w, "hello", 5, NULL);
	ok(layer_writer_commit(w, -1, &txn, NULL, NULL) == 0 && txn.n == 1,
		"an existing blob is not listed again");
	layer_writer_begin(s, HELLO512, &w, NULL);
	layer_writer_write(w, "hello", 5, NULL);
	ok(layer_writer_commit(w, -1, &txn, NULL, NULL) == 0 && txn.n == 2, "sha512 as well");
	layer_txn_rollback(s, &txn);
	is_int(count_files(s), 0, "rolled back: nobody links them");
}

static void test_mend(struct store *s)
{
	autofree char *digest = test_blob(s, "hello");
	int fd = openat(s->layers_fd, HELLO, O_WRONLY | O_CLOEXEC);
	auto_err *e = NULL;

	is_str(digest, HELLO, "a small blob");
	ok(fd >= 0 && write(fd, "HELLO", 5) == 5, "damaged");
	close(fd);
	ok(layer_verify(s, HELLO, &e) < 0 && err_is(e, ERR_CORRUPT), "verify sees it");
	free(test_blob(s, "hello"));
	ok(layer_verify(s, HELLO, NULL) == 0, "writing it again mends it");
	unlinkat(s->layers_fd, HELLO, 0);
}

static void test_open_errors(struct store *s)
{
	auto_err *e = NULL;

	ok(layer_open(s, HELLO, NULL, &e) < 0 && err_is(e, ERR_NOT_FOUND),
		"a blob that vanished is an answer");
	err_clear(&e);
	ok(layer_open(s, "../repos", NULL, &e) < 0 && err_is(e, ERR_CORRUPT), "no path");
	err_clear(&e);
	ok(symlinkat("/etc/passwd", s->layers_fd, "x.layer") == 0, "a link");
	ok(layer_open(s, "x.layer", NULL, &e) < 0 && err_is(e, ERR_CORRUPT), "is not followed");
	err_clear(&e);
	ok(mkdirat(s->layers_fd, "d.layer", 0700) == 0, "a directory");
	ok(layer_open(s, "d.layer", NULL, &e) < 0 && err_is(e, ERR_CORRUPT), "is no layer");
	unlinkat(s->layers_fd, "x.layer", 0);
	unlinkat(s->layers_fd, "d.layer", AT_REMOVEDIR);
}

static void test_prune(struct store *s)
{
	autofree char *config = test_blob(s, "{}"), *used = test_blob(s, "l1"), *unused = test_blob(s, "l2");
	autofree char *manifest = test_manifest(config, used, NULL);
	struct gc_result r = GC_RESULT_INIT;

	ok(image_put(s,
		   &(struct image_put){
			   .ref = "a/b:1", .manifest = manifest, .manifest_len = strlen(manifest) },
		   NULL, NULL) == 0,
		"an image");
	mkdirat(s->repos_fd, "empty", 0755);
	close(openat(s->repos_fd, "a/b/1/.tmp-1-00000000deadbeef", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ok(gc_collect(s, 0, 3600, &r, NULL) == 0 && r.blobs.n == 0, "what is young stays");
	ok(gc_collect(s, GC_DRY_RUN, 0, &r, NULL) == 0 && r.blobs.n == 1, "a dry run finds one");
	is_str(r.blobs.v[0], unused, "the one nobody links");
	is_int(r.bytes, 2, "with its size");
	gc_result_free(&r);
	ok(layer_exists(s, unused, NULL) && test_exists("layers/repos/empty"), "and removes nothing");
	ok(gc_collect(s, 0, 0, &r, NULL) == 0 && r.blobs.n == 1, "prune");
	gc_result_free(&r);
	ok(!layer_exists(s, unused, NULL) && layer_exists(s, used, NULL) && layer_exists(s, config, NULL),
		"removed it alone");
	ok(!test_exists("layers/repos/empty") && test_exists("layers/repos/a/b/1/TAG"),
		"and the empty folder");
	ok(!test_exists("layers/repos/a/b/1/.tmp-1-00000000deadbeef"),
		"and what a killed writer left in a tag");
	close(openat(s->repos_fd, "a/b/1/.tmp-1-00000000deadbeef", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ok(image_put(s,
		   &(struct image_put){
			   .ref = "a/b:1", .manifest = manifest, .manifest_len = strlen(manifest) },
		   NULL, NULL) == 0 &&
			!test_exists("layers/repos/a/b/1/.tmp-1-00000000deadbeef"),
		"so does the next writer of the tag");
}

int main(void)
{
	auto_store *s = NULL;

	test_begin();
	test_use("layers");
	s = test_open(STORE_WRITE);
	test_names();
	test_write(s);
	test_mend(s);
	test_open_errors(s);
	test_prune(s);
	test_end();
	return tap_done();
}
