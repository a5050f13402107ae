/* SPDX-License-Identifier: Apache-2.0 */
/* An image that is to be run and is not in the store, or is to be looked for anew, comes from its registry (udocker-compat 6.2). */
#include "cmd/udocker/program.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "oci-spec/reference.h"
#include "pkg/base/err.h"
#include "pkg/base/fd.h"
#include "pkg/base/mem.h"
#include "pkg/base/proc.h"
#include "pkg/store/coming.h"
#include "pkg/store/store.h"

#define LOOK_NS 2000000L

bool udocker_may_fetch(const char *image)
{
	auto_reference ref = REFERENCE_INIT;

	return reference_parse(image, &ref, NULL) == 0;
}

int udocker_hide_proxy(struct udocker_fetch *o, struct err **err)
{
	char *proxy;
	int r;

	if (!o->proxy || !strchr(o->proxy, '@'))
		return 0;
	proxy = mem_take_argument(o->proxy);
	o->proxy = NULL;
	o->proxy_fd = fd_anon("udocker-proxy");
	r = o->proxy_fd < 0 || fd_write_all(o->proxy_fd, proxy, strlen(proxy)) < 0
		    ? err_sys(err, errno, "temporary file")
		    : 0;
	mem_wipe_free(proxy);
	return r;
}

void udocker_forget_proxy(struct udocker_fetch *o)
{
	if (o->proxy_fd > 0)
		close(o->proxy_fd);
	o->proxy_fd = 0;
}

static int pull_words(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	struct strv *words, struct err **err)
{
	if (udocker_sibling_words(call, "udocker-image", "pull", words, err) < 0)
		return -1;
	if (o->platform)
		strv_addf(words, "--platform=%s", o->platform);
	if (o->registry)
		strv_addf(words, "--registry=%s", o->registry);
	if (o->proxy)
		strv_addf(words, "--httpproxy=%s", o->proxy);
	if (o->proxy_fd > 0)
		strv_addf(words, "--httpproxy-fd=%d", o->proxy_fd);
	strv_add(words, "--");
	strv_add(words, image);
	return 0;
}

static int start_pull(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	pid_t *ret_pid, struct err **err)
{
	const int keep[] = { o->proxy_fd, -1 };
	struct proc_spawn spawn = PROC_SPAWN_INIT;
	auto_strv words = STRV_INIT;

	if (pull_words(call, o, image, &words, err) < 0)
		return -1;
	spawn.path = words.v[0];
	spawn.argv = strv_argv(&words);
	/* Our standard output is the program's: the name that pull prints is not for its reader. */
	spawn.fd_out = PROC_NULL;
	spawn.ends_with_us = SIGTERM;
	spawn.keep = o->proxy_fd > 0 ? keep : NULL;
	return proc_spawn(&spawn, ret_pid, err);
}

int udocker_fetch(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	int *ret_status, struct err **err)
{
	pid_t pid;

	return start_pull(call, o, image, &pid, err) < 0 ? -1 : proc_wait(pid, ret_status, err);
}

/* ---- in the background ---- */

static int reap(pid_t pid, int flags, int *ret_status, bool *ret_told, struct err **err)
{
	int status;
	pid_t got;

	do {
		got = waitpid(pid, &status, flags);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(err, errno, "wait for udocker-image");
	if (got == 0)
		return 0;
	*ret_told = WIFEXITED(status);
	*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 1;
}

/* The pull makes the store if there is none. */
static bool is_announced(struct store **s, const char *image)
{
	if ((*s)->layers_fd < 0) {
		store_close(steal_ptr(s));
		if (store_open(STORE_READ, s, NULL) < 0)
			return false;
	}
	return coming_exists(*s, image);
}

int udocker_fetch_begin(const struct cli_call *call, const struct udocker_fetch *o, const char *image,
	pid_t *ret_pid, int *ret_status, struct err **err)
{
	auto_store *s = NULL;
	bool told;
	pid_t pid;
	int ended;

	*ret_pid = 0;
	*ret_status = 0;
	if (store_open(STORE_READ, &s, err) < 0 || start_pull(call, o, image, &pid, err) < 0)
		return -1;
	/* It is the pull's reading of the store that is waited for; a few looks at a name cost nothing beside it. */
	while ((ended = reap(pid, WNOHANG, ret_status, &told, err)) == 0) {
		if (s && is_announced(&s, image)) {
			*ret_pid = pid;
			return 0;
		}
		(void)nanosleep(
			&(struct timespec){ .tv_nsec = LOOK_NS }, NULL); /* a signal may end it early */
	}
	return ended < 0 ? -1 : 0;
}

int udocker_fetched(pid_t pid, int *ret_status, bool *ret_told, struct err **err)
{
	return reap(pid, 0, ret_status, ret_told, err) < 0 ? -1 : 0;
}
