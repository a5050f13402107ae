/* SPDX-License-Identifier: Apache-2.0 */
/* An image on its way: announced while its pull lives, blobs followed while they grow, begun anew, completed or given up; blobs over several runs. */
#include "pkg/store/coming.h"

#include <sys/file.h>

#include "oci-spec/digest.h"
#include "pkg/base/fd.h"
#include "pkg/store/partial.h"
#include "tests/unit/storetest.h"

#define NAME "lib/app:1"
#define BIG ((size_t)3 << 20)

static char *big;
static struct digest small_digest, big_digest;

static char *manifest_text(void)
{
	return test_manifest("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
		small_digest.text, big_digest.text);
}

static struct announcement *announce(struct store *s)
{
	autofree char *text = manifest_text();

	return coming_announce(s, NAME, text, strlen(text));
}

static struct partial *begin(struct store *s, const struct digest *d)
{
	struct partial *p = NULL;

	ok(partial_begin(s, d, &p, NULL) == 1, "a blob is begun");
	return p;
}

static void test_announcement(struct store *s)
{
	struct announcement *one, *two;
	struct coming *c = NULL;

	ok(!coming_exists(s, NAME) && coming_open(s, NAME, &c, NULL) == 0, "nobody pulls it");
	one = announce(s);
	ok(one && coming_exists(s, NAME) && coming_exists(s, "lib/app:1"), "it is announced");
	ok(!coming_exists(s, "lib/app:2") && !coming_exists(s, "not a name"), "others are not");
	ok(coming_open(s, NAME, &c, NULL) == 1, "it is followed");
	is_str(coming_image(c)->name, NAME, "its name");
	is_int(coming_image(c)->n_layers, 2, "its layers");
	two = announce(s);
	coming_end(one);
	ok(!coming_is_alive(c), "the one that was followed has ended");
	ok(coming_wait(c, NULL) == 0, "and is waited for no longer");
	coming_close(c);
	ok(coming_exists(s, NAME), "another one goes on");
	one = announce(s);
	coming_end(two);
	ok(coming_exists(s, NAME), "whichever began first");
	coming_end(one);
	ok(!coming_exists(s, NAME), "all have ended");
	coming_end(NULL);
}

/* A pull that was killed: its file is there, and nobody holds its lock. */
static void test_dead(struct store *s)
{
	struct announcement *a = announce(s);
	auto_strv names = STRV_INIT;
	autoclose int fd = -1;

	fs_list(s->layers_fd, ".", &names);
	ok(names.n > 0 && str_starts(names.v[0], ".partial-image-"), "the announcement");
	fd = openat(s->layers_fd, names.v[0], O_RDWR | O_CLOEXEC);
	ok(linkat(s->layers_fd, names.v[0], s->layers_fd, "kept", 0) == 0, "a second name");
	coming_end(a);
	renameat(s->layers_fd, "kept", s->layers_fd, names.v[0]);
	ok(!coming_exists(s, NAME), "without its lock it says nothing");
	ok(linkat(s->layers_fd, names.v[0], s->layers_fd, "kept", 0) == 0, "a second name");
	a = announce(s);
	ok(coming_exists(s, NAME), "the next one takes its place");
	coming_end(a);
	ok(!fs_exists(s->layers_fd, names.v[0]), "and leaves nothing");
	renameat(s->layers_fd, "kept", s->layers_fd, names.v[0]);
	flock(fd, LOCK_EX);
	partial_clean(s, 0);
	ok(coming_exists(s, NAME), "one that is locked is not cleaned away");
	flock(fd, LOCK_UN);
	partial_clean(s, 0);
	ok(!fs_exists(s->layers_fd, names.v[0]), "a dead one is");
}

static size_t read_some(struct coming_blob *b)
{
	static char buf[1 << 16];
	ssize_t n = read(coming_blob_fd(b), buf, sizeof(buf));

	return n > 0 ? (size_t)n : 0;
}

/* So that others see it. */
static void put(struct partial *p, const char *text)
{
	if (partial_write(p, text, strlen(text), NULL) < 0 || partial_flush(p, NULL) < 0)
		abort();
}

static void test_growing(struct store *s)
{
	struct announcement *a = announce(s);
	struct coming_blob *b = NULL;
	struct coming *c = NULL;
	struct partial *p;

	ok(coming_open(s, NAME, &c, NULL) == 1, "followed");
	ok(coming_blob_open(c, small_digest.text, 5, &b, NULL) == 0, "a blob that has not begun");
	p = begin(s, &small_digest);
	put(p, "he");
	ok(coming_blob_open(c, small_digest.text, 5, &b, NULL) == 1 && read_some(b) == 2, "one that grows");
	ok(coming_blob_more(b, NULL) == 1 && read_some(b) == 0, "there will be more");
	partial_write(p, "l", 1, NULL);
	ok(partial_size(p) == 3 && read_some(b) == 0, "what was written is collected");
	ok(partial_flush(p, NULL) == 0 && coming_blob_more(b, NULL) == 1 && read_some(b) == 1,
		"there is more when it is flushed");
	ok(partial_restart(p, NULL) == 0 && coming_blob_more(b, NULL) == 1, "one that is begun anew");
	put(p, "hello");
	ok(coming_blob_more(b, NULL) == 1 && read_some(b) == 2, "goes on behind what was read");
	ok(coming_blob_more(b, NULL) == 0, "as many bytes as it has");
	coming_blob_close(b);
	ok(coming_blob_open(c, small_digest.text, -1, &b, NULL) == 1 && read_some(b) == 5,
		"of unknown length");
	ok(coming_blob_more(b, NULL) == 1, "it may grow further");
	ok(partial_commit(p, 5, NULL, NULL) == 0 && coming_blob_more(b, NULL) == 0, "until it is complete");
	coming_blob_close(b);
	ok(coming_blob_open(c, small_digest.text, 5, &b, NULL) == 1 && read_some(b) == 5,
		"one that is complete");
	coming_blob_close(b);
	coming_end(a);
	ok(coming_blob_open(c, small_digest.text, 5, &b, NULL) == 1, "also when the pull has ended");
	coming_blob_close(b);
	coming_close(c);
}

static void test_given_up(struct store *s)
{
	struct announcement *a = announce(s);
	struct coming_blob *b = NULL;
	struct coming *c = NULL;
	auto_err *e = NULL;
	struct partial *p;

	ok(coming_open(s, NAME, &c, NULL) == 1, "followed");
	p = begin(s, &big_digest);
	put(p, "x");
	ok(coming_blob_open(c, big_digest.text, (int64_t)BIG, &b, NULL) == 1 && read_some(b) == 1,
		"it grows");
	ok(partial_commit(p, (int64_t)BIG, NULL, &e) < 0 && err_is(e, ERR_CORRUPT), "wrong size");
	err_clear(&e);
	ok(coming_blob_more(b, &e) < 0 && err_is(e, ERR_CORRUPT), "its file is gone");
	err_clear(&e);
	coming_blob_close(b);
	p = begin(s, &big_digest);
	put(p, "x");
	ok(coming_blob_open(c, big_digest.text, (int64_t)BIG, &b, NULL) == 1 && read_some(b) == 1, "again");
	coming_end(a);
	ok(coming_blob_more(b, &e) < 0 && err_is(e, ERR_NETWORK), "the pull has ended");
	coming_blob_close(b);
	err_clear(&e);
	ok(coming_blob_open(c, big_digest.text, (int64_t)BIG, &b, &e) < 0 && err_is(e, ERR_NETWORK),
		"nothing is begun then");
	partial_restart(p, NULL);
	partial_keep(p);
	coming_close(c);
}

/* Broken off in the middle, gone on with; wrong; begun anew. */
static void test_hash(struct store *s)
{
	struct partial *p = begin(s, &big_digest);
	auto_err *e = NULL;

	for (size_t at = 0; at < BIG / 2; at += 10240)
		partial_write(p, big + at, 10240, NULL);
	partial_keep(p);
	p = begin(s, &big_digest);
	ok(partial_size(p) >= BIG / 2, "what was written is there");
	partial_write(p, big + partial_size(p), BIG - partial_size(p), NULL);
	ok(partial_commit(p, (int64_t)BIG, NULL, &e) == 0, "complete and right");
	ok(layer_verify(s, big_digest.text, NULL) == 0, "verified");
	unlinkat(s->layers_fd, big_digest.text, 0);
	p = begin(s, &big_digest);
	partial_write(p, "y", 1, NULL);
	partial_write(p, big + 1, BIG - 1, NULL);
	ok(partial_commit(p, (int64_t)BIG, NULL, &e) < 0 && err_is(e, ERR_CORRUPT), "one wrong byte");
	err_clear(&e);
	p = begin(s, &big_digest);
	partial_write(p, "y", 1, NULL);
	partial_write(p, big + 1, BIG - 1, NULL);
	ok(partial_restart(p, NULL) == 0 && partial_size(p) == 0, "begun anew");
	partial_write(p, big, BIG, NULL);
	ok(partial_commit(p, (int64_t)BIG, NULL, &e) == 0, "is right");
}

int main(void)
{
	struct store *s;

	test_begin();
	test_use("store");
	s = test_open(STORE_WRITE);
	big = xcalloc(1, BIG);
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)(i * 7 + i / 251);
	digest_of(SHA_256, "hello", 5, &small_digest, NULL);
	digest_of(SHA_256, big, BIG, &big_digest, NULL);
	test_announcement(s);
	test_dead(s);
	test_growing(s);
	test_given_up(s);
	test_hash(s);
	store_close(s);
	free(big);
	test_end();
	return tap_done();
}
