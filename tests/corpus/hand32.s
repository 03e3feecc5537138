	# Shapes that only assembly has, 32 bit; the depths are counted by hand in
	# tests/kernel/extract/test_extract.py.
	.text
	.globl caller
	.type caller, @function
caller:
	push %ebp
	mov %esp, %ebp
	sub $12, %esp
	push $1
	push $2
	call pops_eight
	push $3
	call plain
	add $4, %esp
	leave
	ret
	.size caller, . - caller
	.type pops_eight, @function
pops_eight:
	push %ebx
	call plain
	pop %ebx
	ret $8
	.size pops_eight, . - pops_eight
	.globl plain
	.type plain, @function
plain:
	call 1f
1:	pop %eax
	ret
	.size plain, . - plain
	.globl on_other_stack
	.type on_other_stack, @function
on_other_stack:
	push %ebx
	mov %esp, (%eax)
	mov %eax, %esp
	call other
	pop %esp
	pop %ebx
	ret
	.size on_other_stack, . - on_other_stack
	.globl through_thunk
	.type through_thunk, @function
through_thunk:
	sub $12, %esp
	push $1
	call __x86_indirect_thunk_eax
	add $16, %esp
	jmp __x86_indirect_thunk_edx
	.size through_thunk, . - through_thunk
	.globl returns_by_thunk
	.type returns_by_thunk, @function
returns_by_thunk:
	push %ebx
	call other
	pop %ebx
	jmp __x86_return_thunk
	.size returns_by_thunk, . - returns_by_thunk
	.globl aligned_twice
	.type aligned_twice, @function
aligned_twice:
	push %ebp
	mov %esp, %ebp
	and $-32, %esp
	sub $72, %esp
	and $-16, %esp
	call other
	leave
	ret
	.size aligned_twice, . - aligned_twice
	.globl stops
	.type stops, @function
stops:
	sub $8, %esp
	push %edi
	call panic
	.size stops, . - stops
	.globl traced
	.type traced, @function
traced:
	call __fentry__
	push %ebx
	call other
	jne traced.cold
2:	pop %ebx
	ret
	.size traced, . - traced
	.section .text.unlikely, "ax"
	.type traced.cold, @function
traced.cold:
	sub $12, %esp
	call complain
	add $12, %esp
	jmp 2b
	.size traced.cold, . - traced.cold
	.section .note.GNU-stack, "", @progbits
