/* SPDX-License-Identifier: Apache-2.0 */
/* Signed schema 1 manifests: their digest is that of the payload, without the signatures that were put into it. */
#ifndef UDOCKER_REGISTRY_SCHEMA1_H
#define UDOCKER_REGISTRY_SCHEMA1_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct err;

/* The digest of a manifest's bytes, of any kind: of the payload when it is a signed schema 1, else of all of it. ERR_CORRUPT for a broken signature's frame. */
int schema1_digest(enum sha_kind kind, const char *text, size_t n, struct digest *ret, struct err **err);

#endif
