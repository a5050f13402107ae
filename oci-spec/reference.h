/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Image references. The local name is literally what was typed (a folder path below repos/); the remote view, with the implied
 * registry and `library/`, exists for requests only (udocker-compat 2.2 and 4.1, docker's reference grammar for host:port).
 */
#ifndef UDOCKER_REFERENCE_H
#define UDOCKER_REFERENCE_H

#include "oci-spec/digest.h"
#include "pkg/base/base.h"

struct err;
struct strv;

#define REFERENCE_MAX 4096 /* bytes of the whole text */
#define REFERENCE_PART_MAX 255 /* bytes of a path component or of a tag's folder */

struct reference {
	char *text; /* as typed */
	char *name; /* "host:5000/a/b": the path below repos/, plain components only */
	char *tag; /* the tag's folder: "latest", "1.2", or "sha256:<hex>" */
	struct digest digest; /* what the content must have: NAME@DIGEST and NAME:TAG@DIGEST; else unset */
	bool has_tag; /* a tag was typed; false: "latest" or a digest stands in */
	bool has_host; /* the first component is a registry: it has a dot or a port, or is localhost */
};
#define REFERENCE_INIT ((struct reference){ 0 })

/*
 * NAME[:TAG][@DIGEST]. Also "NAME:sha256:<hex>", the form in which `images` shows a digest. Upper case is accepted in names, as 1.3.x does.
 * ERR_USAGE for empty, "." and ".." components, a leading '-' or '.', blanks, control and foreign characters, and lengths
 * beyond the limits; the message says which.
 */
int reference_parse(const char *text, struct reference *ret, struct err **err);
/* From a name and a tag's folder as they lie on disk (1.3.x may have written odd ones): only safety is checked. */
int reference_from_store(const char *name, const char *tag, struct reference *ret, struct err **err);
/* The same repository with another tag; name or tag may be NULL to keep that part. The digest is dropped. */
int reference_replace(const struct reference *from, const char *name, const char *tag, struct reference *ret,
	struct err **err);
void reference_copy(struct reference *ret, const struct reference *from);
void reference_free(struct reference *r); /* leaves it empty */
#define auto_reference CLEANUP(reference_free) struct reference

/* A valid name without tag and digest (the NAME of `load` and `import` may be one); a valid tag. */
bool reference_name_is_valid(const char *name);
bool reference_tag_is_valid(const char *tag);

/* "name:tag" as listings print it. Caller frees. */
char *reference_show(const struct reference *r);
/* "name/tag": the tag's folder below repos/. Caller frees. */
char *reference_dir(const struct reference *r);
/*
 * Folders below repos/ where udocker 1.3.x, which splits at the first colon, keeps the same image: "host/5000/app:1" for
 * host:5000/app:1 (FIX-12). Appended to ret, the likeliest first; nothing for names that it splits as we do.
 */
void reference_old_dirs(const struct reference *r, struct strv *ret);
/* The way back, for listings: the name and tag of an old folder ("host/5000", "app:1" -> "host:5000/app", "1"). False if it is not one. */
bool reference_from_old_dir(const char *dir, char **ret_name, char **ret_tag);

/* Where and how a registry is asked. */
struct reference_remote {
	char *host; /* "docker.io", "quay.io", "localhost:5000": without scheme; Docker Hub when none was typed */
	char *repository; /* "library/ubuntu" */
	const char *
		what; /* the tag, or the digest's text: last part of /v2/<repository>/manifests/<what>; inside the reference */
	bool is_hub; /* docker.io, index.docker.io, docker.com or no host: official images live in library/ */
};
#define REFERENCE_REMOTE_INIT ((struct reference_remote){ 0 })
/* `r` must outlive the result. */
void reference_remote(const struct reference *r, struct reference_remote *ret);
void reference_remote_free(struct reference_remote *r);

#endif
