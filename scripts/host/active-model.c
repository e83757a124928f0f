// SPDX-License-Identifier: GPL-2.0
/*
 * All interleavings of a few threads in __ns_ref_active_get() and
 * __ns_ref_active_put(), as they stand in kernel/nscommon.c: active-model.sh puts that
 * part of the file into "code.c".
 *
 * An atomic operation is a step, and which thread takes the next one is tried in all
 * ways, from each state that can be reached. In each state, what is above an active
 * namespace is active, and so is what somebody holds; no assertion of the code fails; and
 * in the end the counts are what they were. Memory is sequentially consistent here, which
 * the operations that return a value promise.
 *
 * Exit code 0 if all of this holds; otherwise 1, and the way there on stdout.
 */
#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef struct { int counter; } atomic_t;

#define CLONE_NEWUTS	0x04000000
#define CLONE_NEWUSER	0x10000000
#define CLONE_NEWPID	0x20000000
#define MAX_USER_NS_LEVEL	33
#define MAX_PID_NS_LEVEL	32
#define NS_LAST_INIT_ID		8
#undef __always_inline
#define __always_inline	inline
#define noinline
#define __uninitialized
#define static_assert	_Static_assert
#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))
#define likely(x)	(x)
#define unlikely(x)	(x)

struct user_namespace;
struct ns_common {
	u64 ns_id;
	u32 ns_type;
	struct user_namespace *owner;
	atomic_t __ns_ref;
	atomic_t __ns_ref_active;
	const char *name;
	int held;
};
struct user_namespace { struct ns_common ns; };
struct pid_namespace { struct ns_common ns; struct pid_namespace *parent; };

#define MAX_THREADS	3
#define MAX_STEPS	200

/* A program: upper case gets the namespace of that letter, lower case puts it. */
struct thread {
	const char *prog;
	jmp_buf where;
	char stack[4 << 10];
	u64 seen;			/* what it knows: a hash of the results so far */
	bool done;
};

static struct thread threads[MAX_THREADS];
static int nr_threads, current;
static jmp_buf scheduler;
static bool peek;			/* an assertion looks: no step */
static int outside;			/* somebody else holds the outer user namespace */
static const char *wrong;

static void fails(const char *what)
{
	if (!wrong)
		wrong = what;
}

#define VFS_WARN_ON_ONCE(cond) do {						\
	bool was = peek;							\
	peek = true;								\
	if (cond)								\
		fails("assertion: " #cond);					\
	peek = was;								\
} while (0)

static void step(void)
{
	if (!peek && !_setjmp(threads[current].where))
		_longjmp(scheduler, 1);
}

static int result(int val)
{
	if (!peek)
		threads[current].seen = (threads[current].seen ^ (u32)(val + 1)) * 0x100000001b3;
	return val;
}

static int atomic_read(const atomic_t *v)
{
	step();
	return result(v->counter);
}

static int atomic_fetch_add(int n, atomic_t *v)
{
	int old;

	step();
	old = v->counter;
	v->counter += n;
	return result(old);
}

static bool atomic_inc_not_zero(atomic_t *v)
{
	step();
	return result(v->counter ? v->counter++, 1 : 0);
}

static void atomic_inc(atomic_t *v)
{
	step();
	v->counter++;
	result(-1);
}

static void atomic_dec(atomic_t *v)
{
	step();
	v->counter--;
	result(-2);
}

#define atomic_fetch_inc(v)	atomic_fetch_add(1, v)
#define atomic_inc_return(v)	(atomic_fetch_add(1, v) + 1)
#define atomic_dec_and_test(v)	(atomic_fetch_add(-1, v) == 1)
#define atomic_dec_return(v)	(atomic_fetch_add(-1, v) - 1)
#define refcount_read(r)	1

/* As in <linux/ns_common.h> */
static bool is_ns_init_id(const struct ns_common *ns)
{
	return ns->ns_id - 1 < NS_LAST_INIT_ID;
}

static int __ns_ref_active_read(const struct ns_common *ns)
{
	return atomic_read(&ns->__ns_ref_active);
}

static bool ns_is_active(const struct ns_common *ns)
{
	return __ns_ref_active_read(ns) > 0;
}

static bool ns_active_static(const struct ns_common *ns)
{
	return is_ns_init_id(ns);
}

void __ns_ref_active_get(struct ns_common *ns);
void __ns_ref_active_put(struct ns_common *ns);
bool ns_ref_active_tryget(struct ns_common *ns);

#include "code.c"

#define NS(id, type, up)	{ .ns_id = id, .ns_type = type, .owner = up, .name = #id }

/* Two user namespaces, one below the other, and what they own */
static struct user_namespace I = { { 3, CLONE_NEWUSER, NULL, { 1 }, { 1 } } };
static struct user_namespace U = { { 10, CLONE_NEWUSER, &I } };
static struct user_namespace V = { { 11, CLONE_NEWUSER, &U } };
static struct pid_namespace init_pid = { { 4, CLONE_NEWPID, &I, { 1 }, { 1 } } };
static struct pid_namespace P = { { 12, CLONE_NEWPID, &U }, &init_pid };
static struct pid_namespace Q = { { 13, CLONE_NEWPID, &V }, &P };
static struct pid_namespace R = { { 14, CLONE_NEWPID, &V }, &Q };
static struct ns_common M = { 15, CLONE_NEWUTS, &U };
static struct ns_common N = { 16, CLONE_NEWUTS, &V };
static struct ns_common O = { 17, CLONE_NEWUTS, &V };

static struct ns_common *const all[] = { &U.ns, &V.ns, &P.ns, &Q.ns, &R.ns, &M, &N, &O };
static const char names[] = "UVPQRMNO";
enum { NR_NS = sizeof(names) - 1 };

static void run(void)
{
	struct thread *t = &threads[current];

	for (const char *p = t->prog; *p; p++) {
		struct ns_common *ns = all[strchr(names, *p & ~32) - names];

		if (*p & 32) {
			ns->held--;
			__ns_ref_active_put(ns);
		} else {
			__ns_ref_active_get(ns);
			ns->held++;
		}
		/* All that it remembers of this */
		t->seen = p - t->prog + 1;
	}
	t->done = true;
	_longjmp(scheduler, 1);
}

static void advance(int i)
{
	current = i;
	if (!_setjmp(scheduler))
		_longjmp(threads[i].where, 1);
}

/* What has to hold at any moment */
static void check(void)
{
	bool done = true;

	peek = true;
	for (int i = 0; i < NR_NS; i++) {
		struct ns_common *ns = all[i];
		int n = ns->__ns_ref_active.counter;

		if (n < 0)
			fails("a count is negative");
		if (n > 0 && !ns_all_above_active(ns))
			fails("what is above an active namespace is not");
		if (ns->held && n <= 0)
			fails("what is held is not active");
	}
	for (int i = 0; i < nr_threads; i++)
		done &= threads[i].done;
	for (int i = 0; done && i < NR_NS; i++)
		if (all[i]->__ns_ref_active.counter != (all[i] == &U.ns ? outside : 0))
			fails("a reference is left");
	peek = false;
}

/* All threads up to their first step */
static void begin(void)
{
	static ucontext_t ctx;

	for (int i = 0; i < NR_NS; i++)
		all[i]->__ns_ref_active.counter = all[i]->held = 0;
	U.ns.__ns_ref_active.counter = outside;
	for (current = 0; current < nr_threads; current++) {
		struct thread *t = &threads[current];

		memset(t->stack, 0, sizeof(t->stack));
		t->done = false;
		t->seen = 0;
		getcontext(&ctx);
		ctx.uc_stack.ss_sp = t->stack;
		ctx.uc_stack.ss_size = sizeof(t->stack);
		makecontext(&ctx, run, 0);
		if (!_setjmp(scheduler))
			setcontext(&ctx);
	}
}

/* All that a step changes */
struct snapshot {
	struct thread threads[MAX_THREADS];
	struct ns_common ns[NR_NS];
};

static void save(struct snapshot *s)
{
	memcpy(s->threads, threads, nr_threads * sizeof(*threads));
	for (int i = 0; i < NR_NS; i++)
		s->ns[i] = *all[i];
}

static void restore(const struct snapshot *s)
{
	memcpy(threads, s->threads, nr_threads * sizeof(*threads));
	for (int i = 0; i < NR_NS; i++)
		*all[i] = s->ns[i];
}

static u64 state(void)
{
	u64 h = 1;

	for (int i = 0; i < nr_threads; i++)
		h = (h ^ threads[i].seen ^ threads[i].done) * 0x9e3779b97f4a7c15;
	for (int i = 0; i < NR_NS; i++)
		h = (h ^ (h >> 29) ^ (u32)all[i]->__ns_ref_active.counter) * 0xbf58476d1ce4e5b9;
	return h ?: 1;
}

#define NR_SLOTS (1 << 24)
static u64 slots[NR_SLOTS];
static u32 taken[NR_SLOTS / 2], nr_slots;
static unsigned long nr_states, nr_runs;

static bool is_new(u64 s)
{
	unsigned int i = s % NR_SLOTS;

	while (slots[i] && slots[i] != s)
		i = (i + 1) % NR_SLOTS;
	if (slots[i])
		return false;
	slots[i] = s;
	taken[nr_slots++] = i;
	if (nr_slots == NR_SLOTS / 2) {
		fprintf(stderr, "too many states\n");
		for (int i = 0; i < nr_threads; i++)
			fprintf(stderr, "%s ", threads[i].prog);
		exit(2);
	}
	return true;
}

static unsigned char path[MAX_STEPS];
static struct snapshot snapshots[MAX_STEPS];

static void explore(int len)
{
	check();
	if (len == MAX_STEPS)
		fails("it does not end");
	if (wrong) {
		for (int i = 0; i < nr_threads; i++)
			printf("thread %d: %s\n", i, threads[i].prog);
		printf("steps of: ");
		for (int i = 0; i < len; i++)
			printf("%d", path[i]);
		printf("\n%s\n", wrong);
		exit(1);
	}
	if (!is_new(state()))
		return;
	nr_states++;
	save(&snapshots[len]);
	for (int i = 0; i < nr_threads; i++) {
		if (snapshots[len].threads[i].done)
			continue;
		restore(&snapshots[len]);
		path[len] = i;
		advance(i);
		explore(len + 1);
	}
}

static void try(int nr)
{
	nr_threads = nr;
	nr_runs++;
	while (nr_slots)
		slots[taken[--nr_slots]] = 0;
	begin();
	explore(0);
}

int main(void)
{
	static const char *const three[] = { "VMNO", "VPQN" };
	char prog[MAX_THREADS][5];

	for (int i = 0; i < MAX_THREADS; i++)
		threads[i].prog = prog[i];

	/* Three who get and put one, with less above it that is inactive */
	for (outside = 0; outside < 2; outside++)
		for (const char *a = three[outside]; *a; a++)
			for (const char *b = a; *b; b++)
				for (const char *c = b; *c; c++) {
					/* Would take minutes */
					if (*a == 'Q' && *c == 'Q')
						continue;
					sprintf(prog[0], "%c%c", *a, *a | 32);
					sprintf(prog[1], "%c%c", *b, *b | 32);
					sprintf(prog[2], "%c%c", *c, *c | 32);
					try(3);
				}
	outside = 0;

	/* Two who get and put two, one after the other or both at a time */
	for (int a = 0; a < NR_NS; a++)
		for (int b = 0; b < NR_NS; b++)
			for (int c = 0; c < NR_NS; c++)
				for (int nested = 0; nested < 2; nested++) {
					const char x = names[a], y = names[b], z = names[c];

					sprintf(prog[0], "%c%c", x, x | 32);
					if (nested)
						sprintf(prog[1], "%c%c%c%c", y, z, y | 32, z | 32);
					else
						sprintf(prog[1], "%c%c%c%c", y, y | 32, z, z | 32);
					try(2);
				}
	printf("%lu states in %lu arrangements\n", nr_states, nr_runs);
	return 0;
}
