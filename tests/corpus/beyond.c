/* Shapes of which gcc's own account is not the whole truth: padding of a realigned frame, pushes
 * in inline assembly, variable-length arrays; and control flow that only tables show. */

typedef unsigned long ulong;

int sink(int, ...);
void use(void *);

int aligned32(int a) { char b[64] __attribute__((aligned(32))); use(b); return b[a]; }
int in_a_loop(int n)
{
	int r = 0;

	while (n--) {
		char *b = __builtin_alloca(n + 16);

		use(b);
		r += b[n];
	}
	return r;
}
int save_flags(int a)
{
	ulong f;

#ifdef __x86_64__
	__asm__ volatile("pushfq; popq %0" : "=r"(f));
#else
	__asm__ volatile("pushfl; popl %0" : "=r"(f));
#endif
	return sink(a) + (int)f;
}
int faults(int *p)
{
	int v = 0, bad = 0;

	__asm__ volatile("1: movl (%2), %0\n2:\n"
			 ".section .fixup,\"ax\"\n3: movl $-14, %1\n jmp 2b\n.previous\n"
			 ".section __ex_table,\"a\"\n.long 1b - ., 3b - ., 0\n.previous\n"
			 : "+r"(v), "+r"(bad) : "r"(p));
	return sink(v, bad);
}
int static_key(int a)
{
	char x[64];

	__asm__ goto("1: .byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n"
		     ".section __jump_table,\"aw\"\n"
		     ".long 1b - ., %l[slow] - .\n"
#ifdef __x86_64__
		     ".quad 0\n"
#else
		     ".long 0\n"
#endif
		     ".previous\n" : : : : slow);
	return a;
slow:
	use(x);
	return x[a] + sink(a, x, 1, 2, 3, 4, 5, 6, 7);
}
