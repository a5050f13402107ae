/* SPDX-License-Identifier: Apache-2.0 */
/* Digests against the vectors of FIPS 180-4, at once, in pieces and from many threads. */
#include "pkg/base/sha256.h"

#include <pthread.h>

#include "pkg/base/err.h"
#include "tests/unit/tap.h"

#define ABC_256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define ABC_512 \
	"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" \
	"2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"

static void *hash_abc(void *arg)
{
	char hex[SHA_HEX_MAX + 1] = "";

	return sha_buffer(SHA_256, "abc", 3, hex, NULL) == 0 && strcmp(hex, ABC_256) == 0 ? arg : NULL;
}

static void test_threads(void)
{
	pthread_t threads[4];
	int good = 0;

	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, hash_abc, &good);
	for (int i = 0; i < 4; i++) {
		void *ret;

		pthread_join(threads[i], &ret);
		good += ret != NULL;
	}
	is_int(good, 4, "four threads that begin at the same time");
}

static void test_vectors(void)
{
	char hex[SHA_HEX_MAX + 1];

	ok(sha_buffer(SHA_256, "", 0, hex, NULL) == 0, "hash nothing");
	is_str(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "SHA-256 of nothing");
	ok(sha_buffer(SHA_256, "abc", 3, hex, NULL) == 0, "hash abc");
	is_str(hex, ABC_256, "SHA-256 of abc");
	ok(sha_buffer(SHA_512, "abc", 3, hex, NULL) == 0, "hash abc again");
	is_str(hex, ABC_512, "SHA-512 of abc");
}

static void test_pieces(void)
{
	auto_err *err = NULL;
	auto_sha *h = sha_begin(SHA_256, &err);
	char chunk[1000], hex[SHA_HEX_MAX + 1];

	ok(h && !err, "begin");
	memset(chunk, 'a', sizeof(chunk));
	for (int i = 0; i < 1000; i++)
		sha_update(h, chunk, sizeof(chunk));
	sha_update(h, chunk, 0);
	sha_finish(h, hex);
	is_str(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0", "a million times a");
	sha_free(NULL);
}

int main(void)
{
	test_threads();
	test_vectors();
	test_pieces();
	return tap_done();
}
