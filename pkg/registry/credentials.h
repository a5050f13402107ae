/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where credentials come from: the keystore; else the auth files of Podman and Docker ($REGISTRY_AUTH_FILE, containers/auth.json, ~/.docker/config.json) with
 * the credential helpers they name (`docker-credential-NAME get`).
 */
#ifndef UDOCKER_CREDENTIALS_H
#define UDOCKER_CREDENTIALS_H

#include "pkg/base/base.h"

struct err;

struct credentials {
	char *user;
	char *secret; /* password, or identity token */
	bool identity_token; /* secret is a refresh token (OAuth 2), for token servers alone */
};
#define CREDENTIALS_INIT ((struct credentials){ 0 })
void credentials_free(struct credentials *c); /* wipes */
#define auto_credentials CLEANUP(credentials_free) struct credentials

struct credentials_query {
	const char *registry; /* URL or host, as the keystore has it */
	const char *authority; /* "host:5000" */
	const char *repository; /* Podman stores credentials for parts of a registry too; may be NULL */
	bool is_hub;
};
/* 1 found, 0 not. A file or helper that cannot be used is a warning, and the next one is asked. */
int credentials_find(const struct credentials_query *q, struct credentials *ret, struct err **err);

/* The same in the text of one auth file. False when it has none, or is none (*err). */
bool credentials_in_file(const char *text, size_t n, const struct credentials_query *q,
	struct credentials *ret, struct err **err);

/* "user:password" in base64, as stored and as sent. Caller wipes and frees. */
char *credentials_encode(const char *user, const char *secret);
/* From such a text; false if it is none. */
bool credentials_decode(const char *auth, struct credentials *ret);

/* Passwords are in our memory from now on: no core file may hold them. */
void credentials_protect(void);

#endif
