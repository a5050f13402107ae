/* SPDX-License-Identifier: Apache-2.0 */
/* The registers of a thread that a signal has stopped, by what they are to a system call; and what the stub in start_*.S has on the stack. */
#ifndef UDOCKER_TRAP_FRAME_H
#define UDOCKER_TRAP_FRAME_H

#ifdef __aarch64__
#include "engines/trap/frame_aarch64.h"
#else
#include "engines/trap/frame_x86_64.h"
#endif

#endif
