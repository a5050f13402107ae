/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the kernel enters for SIGSYS, SIGSEGV and SIGBUS. What lies on the stack as the return address is the guest's handler: the kernel keeps it
 * as the action's restorer. The functions in signals.c get its place as a fourth argument and say where to go on: at the guest's handler, with the
 * stack as the kernel left it and a restorer of ours, or, 0, behind the signal.
 */
	.text

	.macro	entry name, function
	.globl	\name
	.hidden	\name
\name:
	push	%rdi
	push	%rsi
	push	%rdx
	lea	24(%rsp), %rcx
	call	\function
	jmp	signals_leave
	.endm

	entry	signals_enter_sigsys, signals_on_sigsys
	entry	signals_enter_fault, signals_on_fault
	entry	signals_enter_fault_once, signals_on_fault_once
	entry	signals_enter_default, signals_on_default
	entry	signals_enter_ignored, signals_on_ignored
	entry	signals_enter_cancel, signals_on_cancel

signals_leave:
	pop	%rdx
	pop	%rsi
	pop	%rdi
	lea	signals_restorer(%rip), %rcx
	test	%rax, %rax
	je	1f
	mov	%rcx, (%rsp)
	mov	%rax, %rcx
	xor	%eax, %eax
	jmp	*%rcx
1:	lea	8(%rsp), %rsp
	jmp	*%rcx

/* rt_sigreturn() in the very bytes that unwinders know a signal's frame by */
	.globl	signals_restorer
	.hidden	signals_restorer
signals_restorer:
	.byte	0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05

	.section .note.GNU-stack, "", @progbits
