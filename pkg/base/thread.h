/* SPDX-License-Identifier: Apache-2.0 */
/* Threads of our own, which signals never reach. */
#ifndef UDOCKER_THREAD_H
#define UDOCKER_THREAD_H

#include <pthread.h>

#include "pkg/base/base.h"

struct err;

/* pthread_create(3) with every signal blocked, so that interrupts reach the main thread alone. ERR_SYSTEM. */
int thread_start(pthread_t *ret, void *(*fn)(void *), void *arg, struct err **err);

#endif
