/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's functions, opened when the first connection is wanted. For the files of this room that speak to libcurl alone. */
#ifndef UDOCKER_REGISTRY_CURL_H
#define UDOCKER_REGISTRY_CURL_H

/* Its type checks wrap the functions in macros, which would not see that these are pointers. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "pkg/base/base.h"

struct err;

#define CURL_FUNCTIONS(X) \
	X(curl_global_init) \
	X(curl_version_info) \
	X(curl_getdate) \
	X(curl_free) \
	X(curl_easy_init) \
	X(curl_easy_cleanup) \
	X(curl_easy_setopt) \
	X(curl_easy_getinfo) \
	X(curl_easy_pause) \
	X(curl_easy_strerror) \
	X(curl_slist_append) \
	X(curl_slist_free_all) \
	X(curl_multi_init) \
	X(curl_multi_cleanup) \
	X(curl_multi_setopt) \
	X(curl_multi_add_handle) \
	X(curl_multi_remove_handle) \
	X(curl_multi_perform) \
	X(curl_multi_poll) \
	X(curl_multi_info_read) \
	X(curl_multi_strerror) \
	X(curl_url) \
	X(curl_url_cleanup) \
	X(curl_url_set) \
	X(curl_url_get)

struct curl_api {
#define CURL_SLOT(fn) __typeof__(fn) *fn;
	CURL_FUNCTIONS(CURL_SLOT)
#undef CURL_SLOT
};

/* NULL with *err when there is no libcurl. Not thread-safe: registries are spoken to from one thread. */
const struct curl_api *curl_load(struct err **err);

#endif
