// SPDX-License-Identifier: GPL-2.0
/*
 * When a task ends, the active references of its nsproxy are dropped at exit.
 * Those on its user and its pid namespace are dropped when it is reaped,
 * because /proc/<pid>/ns/ shows these until then.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

static void learn(struct ns_key keys[NS_NR_KINDS], pid_t pid)
{
	for (int k = 0; k < ns_nr_kinds; k++)
		keys[k] = ns_key(pid, ns_kinds[k].name);
}

/* What is seen of them, as a mask of kinds; negative if it is neither. */
static int seen(const struct ns_key keys[NS_NR_KINDS])
{
	int mask = 0;

	for (int k = 0; k < ns_nr_kinds; k++) {
		int ret = ns_seen(&keys[k]);

		if (ret && ret != NS_SEEN)
			return -1;
		mask |= !!ret << k;
	}
	return mask;
}

enum {
	NONE		= 0,
	OF_ZOMBIE	= 1 << NS_USER | 1 << NS_PID,
};

#define ALL ((1 << ns_nr_kinds) - 1)

/* What can be read below /proc/<pid>/ns. */
static int readable(pid_t pid)
{
	int mask = 0;

	for (int k = 0; k < ns_nr_kinds; k++)
		mask |= !!ns_id(pid, ns_kinds[k].name) << k;
	return mask;
}

static bool await_zombie(pid_t pid)
{
	siginfo_t info;

	return !waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

static bool kill_to_zombie(pid_t pid)
{
	return !kill(pid, SIGKILL) && await_zombie(pid);
}

static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, 0) == pid;
}

FIXTURE(reap) {
	/* A child of the test in new namespaces of all types, init of the one. */
	struct ns_actor *a;
	struct ns_key keys[NS_NR_KINDS];
};

FIXTURE_SETUP(reap)
{
	self->a = ns_actor_born(NS_ALL);
	ASSERT_TRUE(!!self->a);
	learn(self->keys, self->a->pid);
	ASSERT_EQ(ALL, seen(self->keys));
}

FIXTURE_TEARDOWN(reap)
{
	ns_actors_kill();
}

TEST_F(reap, zombie_keeps_its_user_and_pid_namespaces_only)
{
	pid_t pid = self->a->pid;

	ASSERT_TRUE(kill_to_zombie(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	EXPECT_EQ(OF_ZOMBIE, readable(pid));
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(NONE, seen(self->keys));
}

TEST_F(reap, file_of_a_zombie_keeps_its_namespace)
{
	pid_t pid = self->a->pid;
	int fds[2];

	ASSERT_TRUE(kill_to_zombie(pid));
	fds[0] = ns_open(pid, "user");
	fds[1] = ns_open(pid, "pid");
	ASSERT_LE(0, fds[0]);
	ASSERT_LE(0, fds[1]);
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	/* It is not the zombie any more that makes them be there. */
	close(fds[1]);
	EXPECT_EQ(1 << NS_USER, seen(self->keys));
	close(fds[0]);
	EXPECT_EQ(NONE, seen(self->keys));
}

static __s64 do_unshare(struct ns_actor *a, __u64 types)
{
	return unshare(types) ? -errno : 0;
}

/* While the leader is a zombie that cannot be waited for. */
TEST_F(reap, thread_keeps_namespaces_when_the_leader_has_exited)
{
	pid_t pid = self->a->pid;
	struct ns_key uts;

	ASSERT_EQ(0, ns_call(self->a, ns_do_thread, true));
	EXPECT_EQ(OF_ZOMBIE, readable(pid));
	EXPECT_EQ(ALL, readable(self->a->tid));
	EXPECT_EQ(ALL, seen(self->keys));

	/* It is the only one that is in its namespaces now. */
	ASSERT_EQ(0, ns_call(self->a, do_unshare, UTS_NS));
	uts = ns_key(self->a->tid, "uts");
	EXPECT_SEEN(&uts);
	EXPECT_EQ(ALL & ~(1 << NS_UTS), seen(self->keys));

	ASSERT_TRUE(ns_start(self->a, ns_do_thread_exit, 0));
	ASSERT_TRUE(await_zombie(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	EXPECT_UNSEEN(&uts);
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(NONE, seen(self->keys));
}

TEST_F(reap, leader_keeps_namespaces_when_a_thread_has_exited)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_thread, false));
	ASSERT_TRUE(ns_thread_kill(self->a));
	EXPECT_EQ(ALL, readable(self->a->pid));
	EXPECT_EQ(ALL, seen(self->keys));
	ASSERT_TRUE(kill_to_zombie(self->a->pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	ASSERT_TRUE(reap(self->a->pid));
	EXPECT_EQ(NONE, seen(self->keys));
}

/* Then the leader is released without anybody waiting for it. */
TEST_F(reap, thread_that_executes_goes_on_with_the_namespaces)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_thread, false));
	ASSERT_EQ(0, ns_call(self->a, ns_do_exec, 0));
	EXPECT_EQ(ALL, seen(self->keys));
	ASSERT_EQ(0, ns_call(self->a, ns_do_thread, true));
	ASSERT_EQ(0, ns_call(self->a, ns_do_exec, 0));
	EXPECT_EQ(ALL, readable(self->a->pid));
	EXPECT_EQ(ALL, seen(self->keys));
	ASSERT_TRUE(kill_to_zombie(self->a->pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	ASSERT_TRUE(reap(self->a->pid));
	EXPECT_EQ(NONE, seen(self->keys));
}

/* What the user namespace owns, in @ids: how many of them are listed. */
static int nr_listed(const __u64 *ids, ssize_t nr)
{
	int listed = 0;

	for (ssize_t i = 0; i < nr; i++)
		listed += ns_is_listed(ids[i], 0, 0);
	return listed;
}

#define NR_MANY 32
/* What each of them makes for itself, beside what the fixture has. */
#define NR_OWNED (ns_nr_kinds - 1 + 2 * NR_MANY)

static int make_two(void *arg)
{
	struct ns_actor *a = arg;
	char c = 0;

	/* The second one last: a thread cannot make one. */
	if (unshare(CLONE_NEWUTS) || unshare(a->arg) || write(a->pipe[1], &c, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

/* Threads or processes, as the type that they make besides says. */
static __s64 do_make_many(struct ns_actor *a, __u64 type)
{
	int flags = type == USER_NS ? SIGCHLD : CLONE_VM | CLONE_THREAD | CLONE_SIGHAND;
	const size_t size = 1 << 14;
	char c;

	if (pipe(a->pipe))
		return -errno;
	for (int i = 0; i < NR_MANY; i++) {
		char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (stack == MAP_FAILED || clone(make_two, stack + size, flags, a) < 0 ||
		    read(a->pipe[0], &c, 1) != 1)
			return -errno;
	}
	return 0;
}

static void expect_many_to_go(struct __test_metadata *_metadata,
			      struct ns_actor *a, const struct ns_key *keys,
			      __u64 type)
{
	struct ns_id_req req = NS_REQ(.user_ns_id = keys[NS_USER].ns.ns_id);
	__u64 ids[NS_NR_KINDS + 2 * NR_MANY];

	ASSERT_EQ(0, ns_call(a, do_make_many, type));
	ASSERT_EQ(NR_OWNED, ns_list_into(req, NR_OWNED + 1, ids, NR_OWNED + 1));
	ASSERT_TRUE(kill_to_zombie(a->pid));
	/* The pid namespace. */
	EXPECT_EQ(1, nr_listed(ids, NR_OWNED));
	EXPECT_EQ(OF_ZOMBIE, seen(keys));
	ASSERT_TRUE(reap(a->pid));
	EXPECT_EQ(0, nr_listed(ids, NR_OWNED));
	EXPECT_EQ(NONE, seen(keys));
}

TEST_F(reap, threads_that_are_killed_are_all_gone_with_the_process)
{
	expect_many_to_go(_metadata, self->a, self->keys, IPC_NS);
}

TEST_F(reap, init_of_a_pid_namespace_takes_its_children_along)
{
	expect_many_to_go(_metadata, self->a, self->keys, USER_NS);
}

TEST_F(reap, init_of_a_pid_namespace_takes_nested_ones_along)
{
	struct ns_key nested[4][NS_NR_KINDS];

	for (size_t i = 0; i < ARRAY_SIZE(nested); i++) {
		ASSERT_EQ(0, ns_call(self->a, ns_do_enter, NS_ALL));
		learn(nested[i], self->a->pid);
		EXPECT_EQ(ALL, seen(nested[i]));
	}
	ASSERT_TRUE(kill_to_zombie(self->a->child));
	/* It had gone on to the first of the user namespaces itself. */
	for (size_t i = 0; i < ARRAY_SIZE(nested); i++)
		EXPECT_EQ(i ? NONE : 1 << NS_USER, seen(nested[i]));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	ASSERT_TRUE(reap(self->a->child));
	EXPECT_EQ(NONE, seen(nested[0]));
	EXPECT_EQ(NONE, seen(self->keys));
}

/* Its init is not done before the last task in it has been waited for. */
TEST_F(reap, pid_namespace_waits_for_a_task_from_outside)
{
	int there = ns_open(self->a->pid, "pid"), home = ns_open(0, "pid");
	struct ns_actor *outsider;
	siginfo_t info = {};

	ASSERT_EQ(0, setns(there, CLONE_NEWPID));
	outsider = ns_actor();
	ASSERT_EQ(0, setns(home, CLONE_NEWPID));
	ASSERT_TRUE(!!outsider);
	close(there);
	EXPECT_EQ(self->keys[NS_PID].ns.ns_id, ns_id(outsider->pid, "pid"));

	ASSERT_EQ(0, kill(self->a->pid, SIGKILL));
	ASSERT_TRUE(await_zombie(outsider->pid));
	ASSERT_EQ(0, waitid(P_PID, self->a->pid, &info, WEXITED | WNOWAIT | WNOHANG));
	EXPECT_EQ(0, info.si_pid);
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	ASSERT_TRUE(reap(outsider->pid));
	ASSERT_TRUE(await_zombie(self->a->pid));
	EXPECT_EQ(OF_ZOMBIE, seen(self->keys));
	ASSERT_TRUE(reap(self->a->pid));
	EXPECT_EQ(NONE, seen(self->keys));
}

/* The pidfd hangs up when the task is nowhere to be found any more. */
TEST_F(reap, child_that_nobody_waits_for_is_gone_when_its_pidfd_hangs_up)
{
	int pidfd = syscall(__NR_pidfd_open, self->a->pid, 0);

	ASSERT_LE(0, pidfd);
	ASSERT_TRUE(signal(SIGCHLD, SIG_IGN) != SIG_ERR);
	ASSERT_EQ(0, kill(self->a->pid, SIGKILL));
	ASSERT_TRUE(ns_wait_pidfd(pidfd, POLLHUP));
	EXPECT_EQ(NONE, seen(self->keys));
	EXPECT_FALSE(reap(self->a->pid));
}

/* Runs in the actor: a child that does nothing. It gets to live on. */
static __s64 do_make_child(struct ns_actor *a, __u64 types)
{
	pid_t pid = ns_clone(types, NULL);

	if (pid == 0)
		for (;;)
			pause();
	return pid < 0 ? -errno : pid;
}

TEST_F(reap, child_of_a_dead_parent_is_reaped_by_another)
{
	struct ns_actor *parent = ns_actor();
	__s64 pid = ns_call(parent, do_make_child, NS_ALL);
	struct ns_key keys[NS_NR_KINDS];

	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	ASSERT_LT(0, pid);
	learn(keys, pid);
	ns_actor_kill(parent);
	EXPECT_EQ(ALL, seen(keys));
	ASSERT_TRUE(kill_to_zombie(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(keys));
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(NONE, seen(keys));
}

TEST_F(reap, zombie_of_a_dead_parent_keeps_the_user_namespace)
{
	struct ns_actor *parent = ns_actor_new(USER_NS | UTS_NS);
	__s64 pid = ns_call(parent, do_make_child, 0);
	struct ns_key user, uts;
	int pidfd;

	ASSERT_LT(0, pid);
	ASSERT_EQ(0, prctl(PR_SET_CHILD_SUBREAPER, 1));
	user = ns_key(parent->pid, "user");
	uts = ns_key(parent->pid, "uts");
	pidfd = syscall(__NR_pidfd_open, (pid_t)pid, 0);
	ASSERT_LE(0, pidfd);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(ns_wait_pidfd(pidfd, POLLIN));
	EXPECT_SEEN(&user);
	EXPECT_SEEN(&uts);
	/* The test is its parent now, and has not waited for it. */
	ns_actor_kill(parent);
	EXPECT_SEEN(&user);
	EXPECT_UNSEEN(&uts);
	ASSERT_TRUE(reap(pid));
	EXPECT_UNSEEN(&user);
}

/* Two who are to fork at the same moment, or almost. */
static struct gate {
	bool is_there, is_open;
} *gate;

/* Runs in the actor: its children will be the first in a new pid namespace. */
static __s64 do_new_pid_ns(struct ns_actor *a, __u64 unused)
{
	int home = ns_open(0, "pid");
	bool done = !setns(home, CLONE_NEWPID) && !unshare(CLONE_NEWPID);

	close(home);
	return done ? 0 : -errno;
}

/* Runs in the actor: fork, and fail when the pid is assigned already. */
static __s64 do_fail_to_fork(struct ns_actor *a, __u64 unused)
{
	__atomic_store_n(&gate->is_there, true, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&gate->is_open, __ATOMIC_ACQUIRE))
		sched_yield();
	return ns_clone(0, (int *)sizeof(int)) < 0 ? -errno : 0;
}

#define NR_GATES 250
#define GATES_MS 20000		/* at most, where they take long */

/* Else there would be nobody to reap its children. */
TEST_F(reap, nobody_precedes_the_init_of_a_pid_namespace)
{
	int home = ns_open(0, "pid"), pidfd, nr_children = 0, i;
	__u64 end = ns_now_ms() + GATES_MS;
	struct ns_actor *a;

	gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		    -1, 0);
	ASSERT_TRUE(gate != MAP_FAILED);
	a = ns_actor();
	ASSERT_TRUE(!!a);
	pidfd = syscall(__NR_pidfd_open, a->pid, 0);

	for (i = 0; i < NR_GATES && ns_now_ms() < end; i++) {
		int there, status;
		__s64 ret;
		pid_t pid;

		ASSERT_EQ(0, ns_call(a, do_new_pid_ns, 0));
		/* PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE */
		there = ioctl(pidfd, NS_OF_PIDFD(6), 0);
		ASSERT_EQ(0, setns(there, CLONE_NEWPID));
		close(there);

		*gate = (struct gate){};
		ASSERT_TRUE(ns_start(a, do_fail_to_fork, 0));
		while (!__atomic_load_n(&gate->is_there, __ATOMIC_ACQUIRE))
			sched_yield();
		__atomic_store_n(&gate->is_open, true, __ATOMIC_RELEASE);
		for (int turns = i % 32; turns; turns--)
			getppid();
		pid = fork();
		if (pid == 0)
			_exit(getpid() != 1);
		if (pid > 0) {
			nr_children++;
			ASSERT_EQ(pid, waitpid(pid, &status, 0));
			EXPECT_EQ(0, status) {
				TH_LOG("round %d", i);
			}
		} else {
			ASSERT_EQ(ENOMEM, errno);
		}
		/* The child may have come, and gone, before it began. */
		ret = ns_finish(a);
		ASSERT_TRUE(ret == -EFAULT || ret == -ENOMEM);
		ASSERT_EQ(0, setns(home, CLONE_NEWPID));
	}
	TH_LOG("%d of %d were the first", nr_children, i);
}

/* It would have killed them. Nobody is there to kill what has had no init itself. */
TEST_F(reap, nobody_follows_the_init_of_the_parent_of_a_pid_namespace)
{
	int home = ns_open(0, "pid"), pidfd, there;
	pid_t pid;

	ASSERT_EQ(0, ns_call(self->a, do_unshare, PID_NS));
	pidfd = syscall(__NR_pidfd_open, self->a->pid, 0);
	/* PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE */
	there = ioctl(pidfd, NS_OF_PIDFD(6), 0);
	ASSERT_LE(0, there);
	ns_actor_kill(self->a);

	/* That it is a dead end only shows when somebody is to live there. */
	ASSERT_EQ(0, setns(there, CLONE_NEWPID));
	pid = fork();
	if (pid == 0)
		_exit(0);
	EXPECT_EQ(-1, pid);
	EXPECT_EQ(ENOMEM, errno);
	if (pid > 0)
		EXPECT_TRUE(reap(pid));
	EXPECT_EQ(0, setns(home, CLONE_NEWPID));
}

#define NR_ENDS 100
#define ENDS_MS 20000		/* at most, where they take long */

/* Either it kills who comes, or nobody comes. */
TEST_F(reap, nobody_outlives_the_init_of_the_parent_of_a_pid_namespace)
{
	__u64 end = ns_now_ms() + ENDS_MS;
	int home = ns_open(0, "pid"), nr_children = 0, i;

	for (i = 0; i < NR_ENDS && ns_now_ms() < end; i++) {
		struct ns_actor *a = ns_actor_new(PID_NS);
		int pidfd, there;
		pid_t pid;

		ASSERT_EQ(0, ns_call(a, do_unshare, PID_NS));
		pidfd = syscall(__NR_pidfd_open, a->pid, 0);
		/* PIDFD_GET_PID_FOR_CHILDREN_NAMESPACE */
		there = ioctl(pidfd, NS_OF_PIDFD(6), 0);
		close(pidfd);
		ASSERT_EQ(0, setns(there, CLONE_NEWPID));
		close(there);

		ASSERT_EQ(0, kill(a->pid, SIGKILL));
		for (int turns = 8 * (i % 64); turns; turns--)
			getppid();
		pid = ns_clone(0, &pidfd);
		if (pid == 0) {
			for (;;)
				pause();
		}
		if (pid > 0) {
			struct pollfd p = { .fd = pidfd, .events = POLLIN };

			nr_children++;
			EXPECT_EQ(1, poll(&p, 1, 30000)) {
				TH_LOG("round %d", i);
				kill(pid, SIGKILL);
			}
			close(pidfd);
			ASSERT_TRUE(reap(pid));
		} else {
			ASSERT_EQ(ENOMEM, errno);
		}
		ASSERT_EQ(0, setns(home, CLONE_NEWPID));
		ns_actor_kill(a);
	}
	TH_LOG("%d of %d came", nr_children, i);
}

TEST_HARNESS_MAIN
