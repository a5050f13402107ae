/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has no C: the entry, the stub that a trapped or rewritten call runs through, and looks at the guest's memory, where a fault is an
 * answer: between guest_access_begin and guest_access_end nothing but the return address lies on the stack.
 */
	.text

	.globl _start
_start:
	xor	%ebp, %ebp
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	trap_main
	hlt

/* Begin a program: its stack, its entry. All registers as the kernel leaves them. */
	.globl trap_enter
	.hidden trap_enter
trap_enter:
	mov	%rdi, %rsp
	mov	%rsi, %rcx
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d
	xor	%r12d, %r12d
	xor	%r13d, %r13d
	xor	%r14d, %r14d
	xor	%r15d, %r15d
	jmp	*%rcx

/*
 * Entered by a jump with rcx: where to go on, rax: the number, the arguments as the kernel takes them. Runs on the guest's stack, past its
 * red zone, and changes what the kernel changes: rax, rcx, r11. Its frame can be unwound, for cancellation.
 */
	.globl trap_stub
	.hidden trap_stub
trap_stub:
	.cfi_startproc
	.cfi_def_cfa %rsp, 0
	.cfi_register %rip, %rcx
	lea	-128(%rsp), %rsp
	.cfi_def_cfa_offset 128
	push	%rcx
	.cfi_def_cfa_offset 136
	.cfi_offset %rip, -136
	push	%rbp
	.cfi_def_cfa_offset 144
	.cfi_offset %rbp, -144
	mov	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	push	%r9
	push	%r8
	push	%rbx			/* these for frame.h alone: what C saves of them it saves where nobody finds it */
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	$0			/* struct call: mask */
	push	%r9
	push	%r8
	push	%r10
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rax
	mov	%rsp, %rdi
	cld
	and	$-16, %rsp
	push	%rdi			/* struct frame_stub, beside a return address that says so */
	push	%rdi
	call	call_answer
	.globl trap_stub_answered
	.hidden trap_stub_answered
trap_stub_answered:
	movq	$0, -8(%rsp)		/* it is not to be found when it is no longer true */
	mov	-112(%rbp), %rdi
	mov	-104(%rbp), %rsi
	mov	-96(%rbp), %rdx
	mov	-88(%rbp), %r10
	mov	-16(%rbp), %r8
	mov	-8(%rbp), %r9
	mov	%rbp, %rsp
	pop	%rbp
	.cfi_def_cfa %rsp, 136
	pop	%rcx
	.cfi_def_cfa_offset 128
	.cfi_register %rip, %rcx
	lea	128(%rsp), %rsp
	.cfi_def_cfa_offset 0
	jmp	*%rcx
	.cfi_endproc

	.globl guest_access_begin
	.hidden guest_access_begin
guest_access_begin:

/* long guest_copy(void *to, const void *from, size_t n) */
	.globl guest_copy
	.hidden guest_copy
guest_copy:
	mov	%rdx, %rcx
	rep movsb
	xor	%eax, %eax
	ret

/* long guest_copy_string(char *to, const char *from, size_t size): its length, or size if it does not end before */
	.globl guest_copy_string
	.hidden guest_copy_string
guest_copy_string:
	xor	%eax, %eax
	test	%rdx, %rdx
	je	2f
1:	movzbl	(%rsi,%rax), %ecx
	movb	%cl, (%rdi,%rax)
	test	%cl, %cl
	je	2f
	inc	%rax
	cmp	%rdx, %rax
	jb	1b
2:	ret

	.globl guest_access_end
	.hidden guest_access_end
guest_access_end:

	.globl guest_access_fault
	.hidden guest_access_fault
guest_access_fault:
	mov	$-14, %rax		/* -EFAULT */
	ret

	.section .note.GNU-stack, "", @progbits
