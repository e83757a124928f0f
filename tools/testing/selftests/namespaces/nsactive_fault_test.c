// SPDX-License-Identifier: GPL-2.0
/*
 * clone3(), unshare() and setns() with each allocation in them failing in turn: a
 * call that fails leaves its caller where it was, and no namespace behind; one that
 * copes with the failure does what it should. Then the caller dies, and all that it
 * had is gone: a count that was too high would show now, and one that was too low
 * would have shown before.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"
#include <linux/sched.h>
#include <sys/mount.h>

/* For headers that are older than the kernel under test. */
#ifndef CLONE_EMPTY_MNTNS
#define CLONE_EMPTY_MNTNS 0x2000000000ULL
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif

/* What a caller has of its own: all that it can get without a fork. */
#define OWN_TYPES (USER_NS | MNT_NS | UTS_NS | IPC_NS | CGROUP_NS)
#define MAX_KNOWN 64
#define NR_SETS ((1 << ns_nr_kinds) - 1)
#define FAULT_MS 60000		/* for each test, where all of this takes long */
#define MAX_NTH 20000
#define MAX_SETS 64

#define DEBUGFS "/sys/kernel/debug"

/* Have every allocation be one that can fail, and none of that be reported. */
static struct knob {
	const char *path;
	const char *value;
	char before[16];
} knobs[] = {
	{ DEBUGFS "/failslab/ignore-gfp-wait",			"N" },
	{ DEBUGFS "/failslab/cache-filter",			"N" },
	{ DEBUGFS "/failslab/verbose",				"0" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-wait",		"N" },
	{ DEBUGFS "/fail_page_alloc/ignore-gfp-highmem",	"N" },
	{ DEBUGFS "/fail_page_alloc/min-order",			"0" },
	{ DEBUGFS "/fail_page_alloc/verbose",			"0" },
};

enum call { CALL_CLONE, CALL_UNSHARE, CALL_SETNS };

static const char *const call_names[] = { "clone3", "unshare", "setns" };

/* Shared with the callers. */
static struct job {
	enum call call;
	__u64 flags;
	int fd;			/* setns(): of the namespace, or of the process */
	unsigned int nth;	/* the allocation that fails */
	unsigned int left;	/* 0 if one has failed */
	__s64 ret;
	char buf[16];		/* after a fork, the stack is copied on write: may fail */
} *job;

static const char *const link_names[] = {
	"mnt", "cgroup", "uts", "ipc", "user", "pid", "net", "time", "pid_for_children",
	"time_for_children",
};

struct caller {
	struct ns_actor *a;
	char links[ARRAY_SIZE(link_names)][40];
	char mounts[4096];	/* what its root shows of them */
	__u64 user;		/* the user namespace that it is in, */
	__u64 owned[MAX_KNOWN];	/* and what that owns */
	ssize_t nr_owned;
};

static int fail_nth = -1;
static int nr_calls, nr_failed, nr_left_out;
static __u64 begin, deadline;

/* What is to be invisible when all is over. */
static __u64 known[MAX_KNOWN];
static ssize_t nr_known;

static __s64 do_open_fail_nth(struct ns_actor *a, __u64 unused)
{
	fail_nth = open("/proc/self/fail-nth", O_RDWR | O_CLOEXEC);
	return fail_nth < 0 ? -errno : 0;
}

/* Runs in the caller, and does nothing else that allocates memory. */
static __s64 do_job(struct ns_actor *a, __u64 unused)
{
	/* The first fields of struct clone_args. */
	int pidfd = -1;
	__u64 args[8] = {
		[0] = job->flags | CLONE_PIDFD,
		[1] = (uintptr_t)&pidfd,
		[4] = SIGCHLD,
	};
	int len = snprintf(job->buf, sizeof(job->buf), "%u", job->nth);
	__s64 ret = -1;

	if (pwrite(fail_nth, job->buf, len, 0) != len)
		return -errno;
	switch (job->call) {
	case CALL_CLONE:
		ret = syscall(__NR_clone3, args, sizeof(args));
		if (ret == 0)
			_exit(0);
		break;
	case CALL_UNSHARE:
		ret = unshare(job->flags);
		break;
	case CALL_SETNS:
		ret = setns(job->fd, job->flags);
		break;
	}
	job->ret = ret < 0 ? -errno : ret;
	len = pread(fail_nth, job->buf, sizeof(job->buf) - 1, 0);
	if (len < 0 || pwrite(fail_nth, "0", 1, 0) != 1)
		return -errno;
	job->buf[len] = '\0';
	job->left = atoi(job->buf);
	if (job->call == CALL_CLONE && ret > 0) {
		close(pidfd);
		waitpid(ret, NULL, 0);
	}
	return 0;
}

static __s64 do_setns(struct ns_actor *a, __u64 fd)
{
	return setns(fd, USER_NS) ? -errno : 0;
}

static void know(__u64 id)
{
	if (id && !ns_in(known, nr_known, id) && nr_known < MAX_KNOWN)
		known[nr_known++] = id;
}

/* What user namespace @user owns, and itself. */
static ssize_t know_owned(__u64 user, __u64 *ids)
{
	ssize_t nr = ns_list_into(NS_REQ(.user_ns_id = user), MAX_KNOWN / 2, ids, MAX_KNOWN);

	know(user);
	for (ssize_t i = 0; i < nr; i++)
		know(ids[i]);
	return nr;
}

static void read_links(const struct ns_actor *a, char links[][40])
{
	for (size_t i = 0; i < ARRAY_SIZE(link_names); i++) {
		char path[64];

		memset(links[i], 0, sizeof(links[i]));
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)a->pid, link_names[i]);
		/* There is none for a pid namespace without an init. */
		if (readlink(path, links[i], sizeof(links[i]) - 1) < 0)
			snprintf(links[i], sizeof(links[i]), "%s", strerror(errno));
	}
}

/* In part, if they are many. */
static bool read_mounts(const struct ns_actor *a, char *buf, size_t size)
{
	char path[64];
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)a->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	memset(buf, 0, size);
	len = read(fd, buf, size);
	close(fd);
	return len > 0;
}

/* Make a caller in namespaces of its own, or in the user namespace of a file. */
static bool caller_make(struct caller *c, int user)
{
	c->a = ns_actor();
	if (ns_call(c->a, do_open_fail_nth, 0) ||
	    ns_call(c->a, user < 0 ? ns_do_enter : do_setns, user < 0 ? OWN_TYPES : user))
		return false;
	c->user = ns_id(c->a->pid, "user");
	read_links(c->a, c->links);
	c->nr_owned = know_owned(c->user, c->owned);
	return c->nr_owned > 0 && read_mounts(c->a, c->mounts, sizeof(c->mounts));
}

/* There are many of them, and they are large. */
static void caller_end(struct caller *c)
{
	struct ns_actor **at = &ns_actors;

	ns_actor_kill(c->a);
	while (*at != c->a)
		at = &(*at)->next;
	*at = c->a->next;
	munmap(c->a, sizeof(*c->a));
}

/* Is the caller where it was, and is there nothing new? */
static bool caller_unchanged(const struct caller *c)
{
	char links[ARRAY_SIZE(link_names)][40], mounts[sizeof(c->mounts)];
	__u64 ids[MAX_KNOWN];
	ssize_t nr;

	read_links(c->a, links);
	for (size_t i = 0; i < ARRAY_SIZE(link_names); i++) {
		if (!strcmp(links[i], c->links[i]))
			continue;
		ksft_print_msg("%s was %s and is %s\n", link_names[i], c->links[i], links[i]);
		return false;
	}
	if (!read_mounts(c->a, mounts, sizeof(mounts)) ||
	    memcmp(mounts, c->mounts, sizeof(mounts))) {
		ksft_print_msg("its root shows other mounts\n");
		return false;
	}
	nr = ns_list_into(NS_REQ(.user_ns_id = c->user), MAX_KNOWN / 2, ids, MAX_KNOWN);
	if (nr == c->nr_owned && !memcmp(ids, c->owned, nr * sizeof(*ids)))
		return true;
	ksft_print_msg("its user namespace owned %zd, and owns %zd namespaces\n", c->nr_owned, nr);
	return false;
}

/*
 * Has the caller, after unshare(), exactly those namespaces anew, or, after setns(),
 * those of @other?
 */
static bool caller_moved(const struct caller *c, __u64 flags, const struct ns_actor *other)
{
	char links[ARRAY_SIZE(link_names)][40], others[ARRAY_SIZE(link_names)][40] = {};
	__u64 ids[MAX_KNOWN], user;
	ssize_t nr;

	if (flags & UNSHARE_EMPTY_MNTNS)
		flags = (flags & ~UNSHARE_EMPTY_MNTNS) | MNT_NS;
	read_links(c->a, links);
	if (other)
		read_links(other, others);
	for (int i = 0; i < (int)ARRAY_SIZE(link_names); i++) {
		int k = i < NS_NR_KINDS ? i : i == NS_NR_KINDS ? NS_PID : NS_TIME;
		bool moves = flags & ns_kinds[k].type;
		const char *want = moves && other ? others[k] : c->links[i];

		/* Only children are in those, but for setns() to the time namespace. */
		if (i == NS_PID || (i == NS_TIME && !other)) {
			moves = false;
			want = c->links[i];
		}
		if (!strcmp(links[i], want) != (moves && !other))
			continue;
		ksft_print_msg("%s was %s and is %s\n", link_names[i], c->links[i], links[i]);
		return false;
	}

	nr = know_owned(c->user, ids);
	if (other)
		return nr == c->nr_owned;
	user = flags & USER_NS ? ids[nr - 1] : c->user;
	nr -= c->nr_owned;
	if (user != c->user)
		nr += know_owned(user, ids);
	/* Those that it was in, and nobody else, are gone. */
	if (nr == __builtin_popcountll(flags) -
		  __builtin_popcountll(flags & OWN_TYPES & ~USER_NS))
		return true;
	ksft_print_msg("there are %zd namespaces more\n", nr);
	return false;
}

static bool all_gone(void)
{
	bool gone = true;

	for (ssize_t i = 0; i < nr_known; i++) {
		struct ns_id_req req = NS_REQ(.ns_id = known[i] - 1);
		int fd = ns_open_handle(known[i], 0, 0);
		__u64 next = 0;

		if (fd >= 0)
			close(fd);
		if (fd == -ESTALE && sys_listns(&req, &next, 1, 0) >= 0 && next != known[i])
			continue;
		ksft_print_msg("%llu is not gone: handle %d, next %llu\n",
			       (unsigned long long)known[i], fd, (unsigned long long)next);
		gone = false;
	}
	nr_known = 0;
	return gone;
}

/* The time for what is first of @nr that still have to be done. */
static __u64 share(int nr)
{
	__u64 now = ns_now_ms();

	return now < deadline ? (deadline - now) / nr : 0;
}

/*
 * How far it is to the next one of @left faults. That is 1 if there is time for all of
 * them up to @end, as @calls since @start took it; else it is at random, and so much
 * that there is time on average.
 */
static unsigned int step(unsigned int left, unsigned int calls, __u64 start, __u64 end)
{
	__u64 now = ns_now_ms(), nr = left;

	if (calls)
		nr = now < end ? (end - now) * calls / (now - start + 1) : 0;
	return nr < left ? 1 + random() % (2 * (left / (nr + 1)) + 1) : 1;
}

/*
 * Have one allocation after the other fail in that call, until there are no more.
 * If @ms is not time enough for that, it is the first one and some others, each time
 * other ones. With @other it is setns() to what @fd says, and callers are in the user
 * namespace of the file @user; else each has its own.
 */
static bool every_fault(enum call call, __u64 flags, int user, int fd,
			const struct ns_actor *other, __u64 ms)
{
	unsigned int nth = MAX_NTH, calls = 0, total = 0;
	__u64 start = ns_now_ms(), end = start + ms;
	struct caller c;

	flags &= ~ns_lacking;
	if (!caller_make(&c, user))
		return false;
	/* The first call counts: its fault is too far away. */
	for (;;) {
		bool right;
		__s64 err;

		*job = (struct job){ .call = call, .flags = flags, .fd = fd, .nth = nth };
		err = ns_call(c.a, do_job, 0);
		if (err) {
			ksft_print_msg("the caller died, or has no fail-nth: %lld\n",
				       (long long)err);
			return false;
		}
		if (nth == MAX_NTH)
			total = MAX_NTH - job->left;
		nr_calls++;
		nr_failed += job->ret < 0;
		if (job->ret < 0 || call == CALL_CLONE)
			right = caller_unchanged(&c);
		else
			right = caller_moved(&c, flags, other);
		if (job->ret < 0 && job->left) {
			ksft_print_msg("without a fault: %s\n", strerror(-job->ret));
			right = false;
		}
		if (right && call != CALL_CLONE && job->ret >= 0) {
			caller_end(&c);
			/* Others still have the namespaces that it entered. */
			right = (other || all_gone()) && caller_make(&c, user);
		}
		if (!right) {
			ksft_print_msg("%s(%#llx), fault %u of %u: %lld\n", call_names[call],
				       (unsigned long long)flags, nth % MAX_NTH, total,
				       (long long)job->ret);
			return false;
		}
		if (nth == MAX_NTH) {
			nth = 0;
			start = ns_now_ms();
		} else {
			if (job->left)
				break;
			calls++;
		}
		nth += step(nth < total ? total - nth : 0, calls, start, end);
	}
	/* How many there are is not always quite the same. */
	nr_left_out += calls < total ? total - calls : 0;
	caller_end(&c);
	return other || all_gone();
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) > 0 && !close(fd);
}

FIXTURE(fault) {
};

FIXTURE_SETUP(fault)
{
	if (access("/proc/self/fail-nth", F_OK))
		SKIP(return, "no /proc/self/fail-nth: needs CONFIG_FAULT_INJECTION");
	if (access(knobs[0].path, F_OK)) {
		/* In a mount namespace of our own. Without it nothing is to be had. */
		ASSERT_EQ(0, unshare(CLONE_NEWNS));
		ASSERT_EQ(0, mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
		if (mount("debugfs", DEBUGFS, "debugfs", 0, NULL) ||
		    access(knobs[0].path, F_OK))
			SKIP(return, "no failslab in debugfs: needs CONFIG_FAILSLAB");
	}
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++) {
		struct knob *knob = &knobs[i];
		int fd = open(knob->path, O_RDONLY | O_CLOEXEC);

		/* There need not be fail_page_alloc. */
		if (fd < 0)
			continue;
		ASSERT_LT(0, read(fd, knob->before, sizeof(knob->before) - 1));
		close(fd);
		ASSERT_TRUE(write_file(knob->path, knob->value));
	}
	job = mmap(NULL, sizeof(*job), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		   -1, 0);
	ASSERT_TRUE(job != MAP_FAILED);
	begin = ns_now_ms();
	srandom(begin);
	deadline = begin + FAULT_MS;
}

FIXTURE_TEARDOWN(fault)
{
	ns_actors_kill();
	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (*knobs[i].before)
			write_file(knobs[i].path, knobs[i].before);
}

/* A process with all namespaces in a user namespace below that of another. */
struct target {
	struct ns_actor *owner, *a;
	int user, pidfd;
};

static bool target_make(struct target *t)
{
	__u64 ids[MAX_KNOWN];

	t->owner = ns_actor_new(OWN_TYPES);
	t->a = t->owner ? ns_actor_in(t->owner, USER_NS) : NULL;
	if (!t->a || ns_call(t->a, ns_do_enter, NS_ALL))
		return false;
	t->user = ns_open(t->owner->pid, "user");
	t->pidfd = syscall(__NR_pidfd_open, t->a->pid, 0);
	return t->user >= 0 && t->pidfd >= 0 &&
	       know_owned(ns_fd_id(t->user), ids) == NS_NR_KINDS - 3 &&
	       know_owned(ns_id(t->a->pid, "user"), ids) == ns_nr_kinds - 1;
}

static bool target_end(struct target *t)
{
	close(t->user);
	close(t->pidfd);
	ns_actor_kill(t->a);
	ns_actor_kill(t->owner);
	return all_gone();
}

static void log_calls(struct __test_metadata *_metadata)
{
	EXPECT_LT(0, nr_failed);
	TH_LOG("%d calls, of which %d failed; %d faults left out for lack of time", nr_calls,
	       nr_failed, nr_left_out);
}

TEST_F(fault, setns_by_file_fails_without_a_trace)
{
	struct target t;

	ASSERT_TRUE(target_make(&t));
	for (int k = 0; k < ns_nr_kinds; k++) {
		int fd = ns_open(t.a->pid, ns_kinds[k].name);

		ASSERT_LE(0, fd);
		EXPECT_TRUE(every_fault(CALL_SETNS, ns_kinds[k].type, t.user, fd, t.a,
					share(ns_nr_kinds - k)));
		close(fd);
	}
	log_calls(_metadata);
	EXPECT_TRUE(target_end(&t));
}

TEST_F(fault, setns_by_pidfd_fails_without_a_trace)
{
	struct target t;
	int nr;

	ASSERT_TRUE(target_make(&t));
	/* All sets of types; where there is no time for that, others each time. */
	for (nr = 0; nr < NR_SETS && ns_now_ms() < deadline; nr++) {
		unsigned int set = 1 + (begin + nr * 101) % NR_SETS;
		__u64 flags = 0;

		for (int k = 0; k < ns_nr_kinds; k++)
			if (set & (1 << k))
				flags |= ns_kinds[k].type;
		ASSERT_TRUE(every_fault(CALL_SETNS, flags, t.user, t.pidfd, t.a, share(1)));
	}
	TH_LOG("%d of %d sets of types", nr, NR_SETS);
	log_calls(_metadata);
	EXPECT_TRUE(target_end(&t));
}

/*
 * Namespaces are made one after the other: what matters is what there is when the
 * next one cannot be made. So each alone, each in a new user namespace, and all;
 * and the same for a mount namespace that starts empty.
 */
static int add_every_kind(__u64 *sets, __u64 empty)
{
	int nr = 0;

	for (int k = 0; k < ns_nr_kinds; k++) {
		sets[nr++] = ns_kinds[k].type;
		if (k != NS_USER)
			sets[nr++] = ns_kinds[k].type | USER_NS;
	}
	sets[nr++] = empty;
	sets[nr++] = empty | USER_NS;
	sets[nr++] = empty | (NS_ALL & ~NET_NS);
	/* Network namespaces take hundreds of allocations. */
	sets[nr++] = NS_NOT_USER & ~NET_NS;
	sets[nr++] = NS_ALL & ~NET_NS;
	sets[nr++] = NS_ALL;
	return nr;
}

static bool every_set(enum call call, const __u64 *sets, int nr)
{
	for (int i = 0; i < nr; i++)
		if (!every_fault(call, sets[i], -1, -1, NULL, share(nr - i)))
			return false;
	return true;
}

TEST_F(fault, unshare_fails_without_a_trace)
{
	__u64 sets[MAX_SETS];
	int nr = add_every_kind(sets, UNSHARE_EMPTY_MNTNS);

	/* Without the expensive ones also two at a time. */
	for (int i = 0; i < ns_nr_kinds; i++) {
		for (int j = i + 1; j < ns_nr_kinds; j++) {
			__u64 flags = ns_kinds[i].type | ns_kinds[j].type;

			if (!(flags & (USER_NS | NET_NS)))
				sets[nr++] = flags;
		}
	}
	EXPECT_TRUE(every_set(CALL_UNSHARE, sets, nr));
	log_calls(_metadata);
}

TEST_F(fault, clone3_fails_without_a_trace)
{
	__u64 sets[MAX_SETS] = { 0 };

	EXPECT_TRUE(every_set(CALL_CLONE, sets, 1 + add_every_kind(sets + 1, CLONE_EMPTY_MNTNS)));
	log_calls(_metadata);
}

TEST_HARNESS_MAIN
