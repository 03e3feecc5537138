	# Shapes that only assembly has; the depths are counted by hand in tests/kernel/extract/test_extract.py.
	.text
	.macro function name
	.globl \name
	.type \name, @function
\name:
	.endm
	function on_other_stack
	push %rbx
	mov %rdi, %rax
	mov %rsp, (%rax)
	mov %rax, %rsp
	call other
	pop %rsp
	pop %rbx
	ret
	.size on_other_stack, . - on_other_stack
	function aligned_twice
	push %rbp
	mov %rsp, %rbp
	and $-64, %rsp
	sub $72, %rsp
	and $-32, %rsp
	call other
	leave
	ret
	.size aligned_twice, . - aligned_twice
	function through_thunk
	sub $24, %rsp
	call __x86_indirect_thunk_rax
	add $24, %rsp
	jmp __x86_indirect_thunk_rdx
	.size through_thunk, . - through_thunk
	function returns_by_thunk
	push %rbx
	call other
	pop %rbx
	jmp __x86_return_thunk
	.size returns_by_thunk, . - returns_by_thunk
	function warns
	sub $40, %rsp
	test %edi, %edi
	je 1f
	ud2
	call other
1:	add $40, %rsp
	ret
	.size warns, . - warns
	function stops
	sub $8, %rsp
	push %rdi
	call panic
	function after_stops
	call other
	ret
	.size stops, after_stops - stops
	.size after_stops, . - after_stops
	function traced
	call __fentry__
	push %rbx
	call traced_part.cold.target
	jne traced.cold
2:	pop %rbx
	ret
	.size traced, . - traced
	.section .text.unlikely, "ax"
	.type traced.cold, @function
traced.cold:
	sub $16, %rsp
	call complain
	add $16, %rsp
	jmp 2b
	.size traced.cold, . - traced.cold
	.section .note.GNU-stack, "", @progbits
