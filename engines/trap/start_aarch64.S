/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What has no C: the entry, the stub that a trapped or rewritten call runs through, and looks at the guest's memory, where a fault is an
 * answer: between guest_access_begin and guest_access_end the return address is in x30 and nothing lies on the stack.
 */
	.text

	.globl _start
_start:
	mov	x29, #0
	mov	x30, #0
	mov	x0, sp
	bl	trap_main
	brk	#0

/* Begin a program: its stack, its entry. All registers as the kernel leaves them, but the one that its entry may be reached by. */
	.globl trap_enter
	.hidden trap_enter
trap_enter:
	mov	sp, x0
	mov	x16, x1
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30
	mov	x\n, #0
	.endr
	br	x16

/*
 * Entered by a jump with struct frame_entry on the stack, which holds the guest's x16 and x17, and x17: where to go on. x8 is the number, the arguments
 * are where the kernel takes them. A system call changes x0 alone, so everything else is kept; where to go on takes the frame_entry away.
 */
	.globl trap_stub
	.hidden trap_stub
trap_stub:
	sub	sp, sp, #256		/* struct frame_stub */
	stp	x8, x0, [sp]
	stp	x1, x2, [sp, #16]
	stp	x3, x4, [sp, #32]
	stp	x5, xzr, [sp, #48]	/* struct call: mask */
	mrs	x16, nzcv
	stp	x16, x17, [sp, #64]
	stp	x6, x7, [sp, #80]
	stp	x9, x10, [sp, #96]
	stp	x11, x12, [sp, #112]
	stp	x13, x14, [sp, #128]
	stp	x15, x18, [sp, #144]
	stp	x19, x20, [sp, #160]	/* these for frame.h alone: what C saves of them it saves where nobody finds it */
	stp	x21, x22, [sp, #176]
	stp	x23, x24, [sp, #192]
	stp	x25, x26, [sp, #208]
	stp	x27, x28, [sp, #224]
	stp	x29, x30, [sp, #240]
	mov	x0, sp
	adr	x16, trap_stub_answered
	stp	x16, x0, [sp, #-16]!	/* struct frame_stub, beside an address that says so */
	bl	call_answer
	stp	xzr, xzr, [sp], #16	/* it is not to be found when it is no longer true */
	.globl trap_stub_answered
	.hidden trap_stub_answered
trap_stub_answered:			/* no return address, for these lie on the stack too */
	ldp	x16, x17, [sp, #64]
	msr	nzcv, x16
	ldr	x8, [sp]
	ldp	x1, x2, [sp, #16]
	ldp	x3, x4, [sp, #32]
	ldr	x5, [sp, #48]
	ldp	x6, x7, [sp, #80]
	ldp	x9, x10, [sp, #96]
	ldp	x11, x12, [sp, #112]
	ldp	x13, x14, [sp, #128]
	ldp	x15, x18, [sp, #144]
	ldr	x30, [sp, #248]
	add	sp, sp, #256
	br	x17

/*
 * Where to go on after a call that trapped: no instruction jumps to an address and leaves all registers as they are, but the end of a signal handler does. So
 * one is made up: 128 bytes of siginfo, ucontext with the mask at 168 and the machine's part at 304, with the floating point registers at 592.
 */
	.globl trap_stub_resume
	.hidden trap_stub_resume
	.equ	frame, 1152
trap_stub_resume:
	sub	sp, sp, #frame
	add	x16, sp, #312
	stp	x0, x1, [x16]
	stp	x2, x3, [x16, #16]
	stp	x4, x5, [x16, #32]
	stp	x6, x7, [x16, #48]
	stp	x8, x9, [x16, #64]
	stp	x10, x11, [x16, #80]
	stp	x12, x13, [x16, #96]
	stp	x14, x15, [x16, #112]
	stp	x18, x19, [x16, #144]
	stp	x20, x21, [x16, #160]
	stp	x22, x23, [x16, #176]
	stp	x24, x25, [x16, #192]
	stp	x26, x27, [x16, #208]
	stp	x28, x29, [x16, #224]
	add	x17, sp, #frame		/* struct frame_entry */
	ldp	x0, x1, [x17]
	stp	x0, x1, [x16, #128]	/* x16, x17 */
	ldp	x2, x3, [x17, #16]
	add	x17, x17, #32
	stp	x30, x17, [x16, #240]	/* and the stack */
	stp	x2, x3, [x16, #256]	/* pc, pstate */
	stp	xzr, xzr, [sp, #128]	/* flags, link */
	mov	w0, #-1
	stp	xzr, x0, [sp, #144]	/* a signal stack that the kernel does not take */
	stp	xzr, xzr, [sp, #160]
	add	x16, sp, #592
	movz	w0, #0x8001		/* FPSIMD_MAGIC, 0x46508001 */
	movk	w0, #0x4650, lsl #16
	mov	w1, #528
	stp	w0, w1, [x16]
	mrs	x0, fpsr
	mrs	x1, fpcr
	stp	w0, w1, [x16, #8]
	stp	q0, q1, [x16, #16]
	stp	q2, q3, [x16, #48]
	stp	q4, q5, [x16, #80]
	stp	q6, q7, [x16, #112]
	stp	q8, q9, [x16, #144]
	stp	q10, q11, [x16, #176]
	stp	q12, q13, [x16, #208]
	stp	q14, q15, [x16, #240]
	stp	q16, q17, [x16, #272]
	stp	q18, q19, [x16, #304]
	stp	q20, q21, [x16, #336]
	stp	q22, q23, [x16, #368]
	stp	q24, q25, [x16, #400]
	stp	q26, q27, [x16, #432]
	stp	q28, q29, [x16, #464]
	stp	q30, q31, [x16, #496]
	add	x16, x16, #528
	stp	xzr, xzr, [x16]
	mov	x0, #0
	mov	x1, #0
	add	x2, sp, #168
	mov	x3, #8
	mov	x8, #135		/* rt_sigprocmask(): as it is now */
	svc	#0
	mov	x8, #139		/* rt_sigreturn() */
	svc	#0
	brk	#0

/*
 * clone() with a signal stack for the child at x16, or none; x17: where both go on. FRAME_CHILD_STACK is its size, in frame_aarch64.h.
 */
	.globl trap_clone
	.hidden trap_clone
trap_clone:
	svc	#0
	cbnz	x0, 1f
	cbz	x16, 1f
	stp	x1, x8, [sp, #-48]!
	stp	x16, xzr, [sp, #16]	/* stack_t */
	mov	x0, #24576
	str	x0, [sp, #32]
	add	x0, sp, #16
	mov	x1, #0
	mov	x8, #132		/* sigaltstack() */
	svc	#0
	ldp	x1, x8, [sp], #48
	mov	x0, #0
1:	br	x17

	.globl guest_access_begin
	.hidden guest_access_begin
guest_access_begin:

/* long guest_copy(void *to, const void *from, size_t n) */
	.globl guest_copy
	.hidden guest_copy
guest_copy:
	subs	x2, x2, #8
	b.lo	2f
1:	ldr	x3, [x1], #8
	str	x3, [x0], #8
	subs	x2, x2, #8
	b.hs	1b
2:	adds	x2, x2, #8
	b.eq	4f
3:	ldrb	w3, [x1], #1
	strb	w3, [x0], #1
	subs	x2, x2, #1
	b.ne	3b
4:	mov	x0, #0
	ret

/* long guest_copy_string(char *to, const char *from, size_t size): its length, or size if it does not end before */
	.globl guest_copy_string
	.hidden guest_copy_string
guest_copy_string:
	mov	x4, #0
1:	cmp	x4, x2
	b.hs	2f
	ldrb	w3, [x1, x4]
	strb	w3, [x0, x4]
	cbz	w3, 2f
	add	x4, x4, #1
	b	1b
2:	mov	x0, x4
	ret

	.globl guest_access_end
	.hidden guest_access_end
guest_access_end:

	.globl guest_access_fault
	.hidden guest_access_fault
guest_access_fault:
	mov	x0, #-14		/* -EFAULT */
	ret

	.section .note.GNU-stack, "", %progbits
