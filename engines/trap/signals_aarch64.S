/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the kernel enters for SIGSYS, SIGSEGV and SIGBUS. What lies in x30 as the return address is the guest's handler: the kernel keeps it
 * as the action's restorer. The functions in signals.c get its place as a fourth argument and say where to go on: at the guest's handler, with the
 * stack as the kernel left it and a restorer of ours, or, 0, behind the signal.
 */
	.text

	.macro	entry name, function
	.globl	\name
	.hidden	\name
\name:
	stp	x0, x1, [sp, #-32]!
	stp	x2, x30, [sp, #16]
	add	x3, sp, #24
	bl	\function
	b	signals_leave
	.endm

	entry	signals_enter_sigsys, signals_on_sigsys
	entry	signals_enter_fault, signals_on_fault
	entry	signals_enter_fault_once, signals_on_fault_once
	entry	signals_enter_default, signals_on_default
	entry	signals_enter_ignored, signals_on_ignored
	entry	signals_enter_cancel, signals_on_cancel

signals_leave:
	mov	x16, x0
	ldr	x2, [sp, #16]
	ldp	x0, x1, [sp], #32
	cbz	x16, signals_restorer
	adr	x30, signals_restorer
	br	x16

/* rt_sigreturn() in the very instructions that unwinders know a signal's frame by; they look for what is one before. */
	nop
	.globl	signals_restorer
	.hidden	signals_restorer
signals_restorer:
	mov	x8, #139
	svc	#0

	.section .note.GNU-stack, "", %progbits
