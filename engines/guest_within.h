/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of guest_init that is the first process of a container of runc or crun whose program runs under a tracer (R2, R3). A tracer
 * swallows signals and ends with the status of whichever tracee ended last, so it is not the one that the container is judged by: this process
 * is. It starts the tracer, in which guest_init runs the program and gives it to this process; it hands on signals, holds none of
 * the caller's descriptors, and ends as the program does.
 *
 *     guest_init within NAME=VALUE… [=FILTER] TRACER ARG… -- PROGRAM ARG…
 *
 * TRACER is an absolute path; the variables are the tracer's alone. FILTER is a seccomp program in base64, for both: runc would have to
 * compile one from names first.
 * Its exit status is the program's; 125, 126 and 127 with a line on standard error where that could not be run.
 */
#ifndef UDOCKER_GUEST_WITHIN_H
#define UDOCKER_GUEST_WITHIN_H

#define GUEST_WITHIN "within"
#define GUEST_WITHIN_FILTER '=' /* begins that word */
#define GUEST_WITHIN_END "--" /* ends the tracer's words */

/* Returns if the words on the stack (the kernel's: argc, argv, environment) are not for us. */
void guest_within_main(long *stack);

#endif
