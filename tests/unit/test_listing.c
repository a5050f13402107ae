/* SPDX-License-Identifier: Apache-2.0 */
/* What a listing keeps: written and read again, and a file that is torn, changed or hostile counts as none. */
#include "pkg/store/listing.h"

#include "pkg/base/time.h"
#include "tests/unit/storetest.h"

#define HEAD 24

static const struct listing_stamp old_stamp = { .ino = 7, .size = 8, .mtime_ns = 9, .ctime_ns = 10 };

/* repos/a/1 and repos/a/2, of which the second is not a known image. */
static void build(struct listing *l)
{
	struct listing_image i = { .manifest = old_stamp,
		.config = old_stamp,
		.digest = "sha256:1",
		.created = NULL,
		.os = "linux",
		.architecture = "",
		.config_file = "sha256:c",
		.n_layers = 3 };

	(void)listing_blob(l, "unused");
	listing_add_layer(l, listing_blob(l, "base"));
	listing_add_layer(l, listing_blob(l, "top"));
	listing_add_layer(l, listing_blob(l, "base"));
	(void)listing_add_image(l, &i);
	(void)listing_add_dir(
		l, &(struct listing_dir){ .name = "", .stamp = old_stamp, .end = 4, .image = LISTING_NONE });
	(void)listing_add_dir(
		l, &(struct listing_dir){ .name = "a", .stamp = old_stamp, .end = 4, .image = LISTING_NONE });
	(void)listing_add_dir(
		l, &(struct listing_dir){ .name = "1", .stamp = old_stamp, .end = 3, .tag = true });
	(void)listing_add_dir(
		l, &(struct listing_dir){ .name = "2", .end = 4, .image = LISTING_NONE, .protect = true });
}

static void test_round(struct store *s)
{
	auto_listing l, again;
	const struct listing_image *i;

	listing_init(&l);
	build(&l);
	listing_save(s, &l);
	listing_init(&again);
	listing_load(s, &again);
	if (!ok(again.old.n_dirs == 4 && again.old.n_images == 1, "directories and images"))
		return;
	i = &again.old.images[0];
	is_str(i->digest, "sha256:1", "digest");
	is_str(i->created, NULL, "none");
	is_str(i->architecture, "", "empty");
	is_str(i->config_file, "sha256:c", "configuration");
	ok(listing_same(&i->config, &old_stamp), "stamp");
	is_int(again.n_blobs, 2, "the blob nobody has is left out");
	ok(i->n_layers == 3 && again.old.layers[0] == again.old.layers[2], "layers");
	is_str(again.blobs[again.old.layers[1]].name, "top", "second layer");
	is_str(again.old.dirs[2].name, "1", "tag");
	ok(again.old.dirs[2].tag && again.old.dirs[2].image == 0 && !again.old.dirs[2].protect, "its image");
	ok(again.old.dirs[3].protect && again.old.dirs[3].image == LISTING_NONE, "no image");
	ok(!listing_same(&again.old.dirs[3].stamp, &again.old.dirs[3].stamp), "no stamp equals nothing");
}

static void test_settled(void)
{
	auto_listing l;
	struct listing_stamp s = old_stamp;

	listing_init(&l);
	ok(listing_is_settled(&l, &s), "old");
	s.ctime_ns = (uint64_t)time_now_ns();
	ok(!listing_is_settled(&l, &s), "changed just now");
	s.ctime_ns += UINT64_C(3600) * 1000000000;
	ok(!listing_is_settled(&l, &s), "in the future");
}

/* The sum of a body that was tampered with, as the module makes it: what lies behind it must be safe as well. */
static uint64_t sum_of(const char *p, size_t n)
{
	uint64_t h = n;

	for (size_t i = 0; i < n; i += sizeof(h)) {
		uint64_t word = 0;

		memcpy(&word, p + i, n - i < sizeof(word) ? n - i : sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	return h;
}

static bool counts(struct store *s, const char *p, size_t n)
{
	autoclose int fd = openat(s->top_fd, LISTING_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	auto_listing l;
	auto_image_list list = { 0 };

	if (fd < 0 || write(fd, p, n) != (ssize_t)n)
		return false;
	listing_init(&l);
	listing_load(s, &l);
	/* Whatever it says, a listing comes to an end. */
	if (image_list(s, IMAGE_LIST_DETAILS | IMAGE_LIST_REMEMBER, &list, NULL) < 0 || list.n != 0)
		return ok(false, "a listing with what is left of the file");
	return l.old.n_dirs > 0;
}

static void test_damage(struct store *s)
{
	auto_str file = STR_INIT;
	size_t believed = 0;
	uint64_t sum;

	ok(fs_read(s->top_fd, LISTING_FILE, 1 << 20, &file, FS_BENEATH) == 0, "the file");
	memcpy(&sum, file.data + 16, sizeof(sum));
	ok(sum_of(file.data + HEAD, file.len - HEAD) == sum, "the sum is the module's");
	ok(counts(s, file.data, file.len), "whole");
	for (size_t i = 0; i < file.len; i++)
		believed += counts(s, file.data, i);
	is_int(believed, 0, "cut off anywhere");
	for (size_t i = 0; i < file.len; i++) {
		file.data[i] ^= 0x10;
		believed += counts(s, file.data, file.len);
		file.data[i] ^= 0x10;
	}
	is_int(believed, 0, "one bit anywhere");
	for (size_t i = HEAD; i < file.len; i++) {
		char was = file.data[i];

		for (int k = 0; k < 3; k++) {
			file.data[i] = (char)(k == 0 ? 0 : k == 1 ? 0xff : was + 1);
			sum = sum_of(file.data + HEAD, file.len - HEAD);
			memcpy(file.data + 16, &sum, sizeof(sum));
			(void)counts(
				s, file.data, file.len); /* some changes are allowed ones; none may do harm */
		}
		file.data[i] = was;
	}
	sum = sum_of(file.data + HEAD, file.len - HEAD);
	memcpy(file.data + 16, &sum, sizeof(sum));
	ok(counts(s, file.data, file.len), "whole again");
}

static void test_distrust(struct store *s)
{
	auto_listing l, open_to_all, linked;

	listing_init(&l);
	build(&l);
	listing_save(s, &l);
	listing_init(&open_to_all);
	ok(fchmodat(s->top_fd, LISTING_FILE, 0666, 0) == 0, "chmod");
	listing_load(s, &open_to_all);
	is_int(open_to_all.old.n_dirs, 0, "everybody could have written it");
	ok(fchmodat(s->top_fd, LISTING_FILE, 0644, 0) == 0 &&
			renameat(s->top_fd, LISTING_FILE, s->top_fd, "elsewhere") == 0 &&
			symlinkat("elsewhere", s->top_fd, LISTING_FILE) == 0,
		"a link");
	listing_init(&linked);
	listing_load(s, &linked);
	is_int(linked.old.n_dirs, 0, "a link is not followed");
	listing_save(s, &l);
	ok(test_exists("store/elsewhere"), "nor written through");
}

int main(void)
{
	auto_store *s = NULL;

	test_begin();
	test_use("store");
	s = test_open(STORE_WRITE);
	if (ok(s != NULL, "store")) {
		test_round(s);
		test_settled();
		test_damage(s);
		test_distrust(s);
	}
	store_close(steal_ptr(&s));
	test_end();
	return tap_done();
}
