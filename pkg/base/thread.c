/* SPDX-License-Identifier: Apache-2.0 */
#include "pkg/base/thread.h"

#include <signal.h>

#include "pkg/base/err.h"

int thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, struct err **err)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return err_sys(err, r, "start a thread");
	return 0;
}
