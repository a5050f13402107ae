/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities while ids are emulated: what prctl() asks and changes of them. */
#ifndef UDOCKER_TRAP_CAPS_H
#define UDOCKER_TRAP_CAPS_H

struct call;

/* PR_CAPBSET_READ, PR_CAPBSET_DROP, PR_CAP_AMBIENT, PR_GET_KEEPCAPS, PR_SET_KEEPCAPS, PR_GET_SECUREBITS, PR_SET_SECUREBITS. */
long caps_prctl(struct call *c);

#endif
