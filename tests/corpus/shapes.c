/* Every shape of frame that the interpreter must follow; compiled by tests/kernel/extract/test_extract.py. */

typedef int (*hook)(int, void *);

int sink(int, ...);
void use(void *);
void use2(void *, void *);
__attribute__((noreturn)) void never(const char *);
__attribute__((cold)) void complain(const char *, int, int);

int leaf(int a) { return a + 1; }
int wrapper(int a) { return leaf(a) + sink(a); }
int locals(int a) { char b[200]; use(b); return b[a]; }
int many(int a, int b, int c, int d, int e, int f, int g, int h)
{
	return sink(a, b, c, d, e, f, g, h, a + h, b + g) + a * h;
}
int sites(int a)
{
	int r = sink(a);

	if (a > 3)
		r += sink(a, 1, 2, 3, 4, 5, 6, 7, 8, 9);
	else
		r += sink(r, a);
	return r + sink(r);
}
int tail(int a) { return sink(a + 1); }
int tail_pointer(hook h, int a) { return h(a, 0); }
int pointer(hook h, int a) { char b[40]; use(b); return h(a, b) + h(a + 1, b); }
int recursive(int n) { int x[4]; use(x); return n ? recursive(n - 1) + x[1] : x[0]; }
int early(int a)
{
	char b[100];

	if (!a)
		return 0;
	use(b);
	return b[a] + sink(a);
}
int loops(int n)
{
	int i, j, r = 0;

	for (i = 0; i < n; i++)
		for (j = 0; j < i; j++)
			r += sink(i, j, r);
	return r;
}
int aligned64(int a, int c)
{
	char b[100] __attribute__((aligned(64)));

	use(b);
	return sink(a, c, b, 1, 2, 3, 4, 5, 6);
}
int dynamic(int n) { char b[n]; use(b); return b[n / 2] + sink(n); }
int dynamic_aligned(int n)
{
	char c[50] __attribute__((aligned(32)));
	char b[n];

	use2(b, c);
	return b[1] + c[2];
}
int stops(int a)
{
	char b[32];

	if (a < 0)
		never("negative");
	use(b);
	if (b[0] == 7)
		never("seven");
	return b[1];
}
int unreachable(int a)
{
	char b[48];

	use(b);
	switch (a) {
	case 1: return sink(b[1]);
	case 2: return b[2];
	default: __builtin_unreachable();
	}
}
int traps(int a) { if (a > 5) __builtin_trap(); return sink(a) + 1; }
int cold(int a, int b)
{
	int x[20];

	use(x);
	if (__builtin_expect(x[0] > 5, 0)) {
		complain("too large", x[0], a);
		complain("too large again", x[1], b);
		return -1;
	}
	return x[a] + x[b];
}
static __attribute__((noinline)) int specialised(int a, int b, int c)
{
	char x[72];

	use(x);
	return x[a] + sink(b) * c;
}
int clones(int a) { return specialised(a, 3, 4) + specialised(a + 1, 3, 4); }
int partly(int a)
{
	if (!a)
		return -1;
	return specialised(a, 3, 4) - specialised(a, 3, 4) + sink(a);
}
int table(int a, int b)
{
	char x[24];

	use(x);
	switch (a) {
	case 0: return sink(1) + b;
	case 1: return sink(x) * b;
	case 2: return sink(b, x) - 3;
	case 3: return b << x[3];
	case 4: return sink(a, b, x, 1, 2, 3, 4, 5);
	case 5: use(x + 2); return x[5];
	case 6: return sink(x[3]) ^ b;
	case 7: return b / (x[1] | 1);
	case 8: return sink(a - b) + x[8];
	}
	return 0;
}
int table_leaf(int a, int b, int c)
{
	switch (a) {
	case 0: return b + c;
	case 1: return b - c;
	case 2: return b * c;
	case 3: return b & c;
	case 4: return sink(b);
	case 5: return b | c;
	case 6: return c - b;
	case 7: return sink(c);
	}
	return a;
}
int computed(int a, int n)
{
	static void *const to[] = { &&one, &&two, &&three };
	char x[30];

	use(x);
	goto *to[a];
one:
	return sink(n);
two:
	use(x);
	if (--n)
		goto *to[x[n] & 1];
three:
	return x[1];
}
struct big { int v[12]; };
struct big make(int a) { struct big b; use(&b); b.v[3] = a; return b; }
int takes(struct big b, int i) { return b.v[i] + sink(i); }
int passes(int a) { struct big b = make(a); return takes(b, a) + make(3).v[a]; }
long long wide(long long a, long long b) { return a / (b | 1) + sink((int)a); }
int locked(int *p, int a)
{
	int old;

	do {
		old = *p;
	} while (!__sync_bool_compare_and_swap(p, old, old + a));
	return old ? sink(old) : leaf(a);
}
int nested(int a, int b)
{
	return sink(sink(a, 1, 2, 3, 4, 5, 6, 7), sink(b, 1, 2, 3, 4, 5, 6, 7, 8, 9), 3, 4, 5, 6, 7);
}
