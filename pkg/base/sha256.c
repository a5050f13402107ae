/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digests by libcrypto, which knows what the processor can do. It is opened when the first hash is begun, without its
 * configuration file: what openssl.cnf says must not change what a digest is, nor cost a file's reading.
 */
#include "pkg/base/sha256.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "pkg/base/dl.h"
#include "pkg/base/err.h"
#include "pkg/base/mem.h"

#ifdef __clang__
#pragma clang diagnostic ignored "-Wcast-qual"
#endif

DL_SLOT(OPENSSL_init_crypto);
DL_SLOT(EVP_MD_CTX_new);
DL_SLOT(EVP_MD_CTX_free);
DL_SLOT(EVP_DigestInit_ex);
DL_SLOT(EVP_DigestUpdate);
DL_SLOT(EVP_DigestFinal_ex);
DL_SLOT(EVP_sha256);
DL_SLOT(EVP_sha512);

static const struct dl_symbol crypto_symbols[] = {
	DL_ENTRY(OPENSSL_init_crypto),
	DL_ENTRY(EVP_MD_CTX_new),
	DL_ENTRY(EVP_MD_CTX_free),
	DL_ENTRY(EVP_DigestInit_ex),
	DL_ENTRY(EVP_DigestUpdate),
	DL_ENTRY(EVP_DigestFinal_ex),
	DL_ENTRY(EVP_sha256),
	DL_ENTRY(EVP_sha512),
	DL_END,
};

struct sha {
	EVP_MD_CTX *ctx;
	bool failed;
};

static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;
static bool loaded;

static int load_locked(struct err **err)
{
	if (loaded)
		return 0;
	if (dl_load("libcrypto.so.3", "libssl3", crypto_symbols, err) < 0) {
		if (dl_load("libcrypto.so.1.1", "libssl1.1", crypto_symbols, NULL) < 0)
			return -1;
		err_clear(err);
	}
	dl_OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
	loaded = true;
	return 0;
}

/* A mutex and not pthread_once, so that every caller is told what failed. */
static int load(struct err **err)
{
	int r;

	pthread_mutex_lock(&load_lock);
	r = load_locked(err);
	pthread_mutex_unlock(&load_lock);
	return r;
}

struct sha *sha_begin(enum sha_kind kind, struct err **err)
{
	auto_sha *h = NULL;

	if (load(err) < 0)
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->ctx = dl_EVP_MD_CTX_new();
	if (!h->ctx || dl_EVP_DigestInit_ex(
			       h->ctx, kind == SHA_256 ? dl_EVP_sha256() : dl_EVP_sha512(), NULL) != 1) {
		err_make(err, ERR_UNSUPPORTED, "libcrypto offers no %s",
			kind == SHA_256 ? "SHA-256" : "SHA-512");
		return NULL;
	}
	return steal_ptr(&h);
}

void sha_update(struct sha *h, const void *p, size_t n)
{
	if (dl_EVP_DigestUpdate(h->ctx, p, n) != 1)
		h->failed = true;
}

/* A hash that failed gives "", which no digest is equal to. */
void sha_finish(struct sha *h, char ret_hex[SHA_HEX_MAX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	ret_hex[0] = '\0';
	if (h->failed || dl_EVP_DigestFinal_ex(h->ctx, md, &n) != 1 || n > SHA_HEX_MAX / 2)
		return;
	for (unsigned i = 0; i < n; i++) {
		ret_hex[2 * i] = digits[md[i] >> 4];
		ret_hex[2 * i + 1] = digits[md[i] & 15];
	}
	ret_hex[2 * n] = '\0';
}

void sha_free(struct sha *h)
{
	if (!h)
		return;
	if (h->ctx)
		dl_EVP_MD_CTX_free(h->ctx);
	free(h);
}

int sha_buffer(enum sha_kind kind, const void *p, size_t n, char ret_hex[SHA_HEX_MAX + 1], struct err **err)
{
	auto_sha *h = sha_begin(kind, err);

	if (!h)
		return -1;
	sha_update(h, p, n);
	sha_finish(h, ret_hex);
	if (!*ret_hex)
		return err_make(err, ERR_SYSTEM, "libcrypto failed to compute a digest");
	return 0;
}
