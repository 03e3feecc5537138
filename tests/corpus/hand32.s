	# Arguments popped by the callee, and the address of the next instruction as data.
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
	.section .note.GNU-stack, "", @progbits
