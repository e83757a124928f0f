// SPDX-License-Identifier: GPL-2.0
/*
 * A cgroup that has as many tasks as it may have refuses a fork late, when all
 * namespaces have been made and the task was counted. Nothing of that is left.
 */
#define _GNU_SOURCE
#include <linux/io_uring.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef CLONE_EMPTY_MNTNS
#define CLONE_EMPTY_MNTNS 0x2000000000ULL
#endif

#define ROOT "/tmp/cgroup"
#define CONTROL ROOT "/cgroup.subtree_control"

/* The first fields of struct clone_args. */
#define CLONE_ARGS_CGROUP 10
#define CLONE_ARGS_NR (CLONE_ARGS_CGROUP + 1)

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) > 0 && !close(fd);
}

static bool has_pids(const char *path)
{
	char names[256] = {};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, names, sizeof(names) - 1) < 0)
		return false;
	close(fd);
	return strstr(names, "pids");
}

/* The actor is in namespaces of its own, and all of them in one that home is in. */
FIXTURE(pids) {
	struct ns_actor *home, *a;
	struct ns_id_req req;
};

FIXTURE_VARIANT(pids) {
	bool into;
};

/* The task's own cgroup has no room, or that which the child is to be born in. */
FIXTURE_VARIANT_ADD(pids, of_parent) { false };
FIXTURE_VARIANT_ADD(pids, of_child) { true };

/* The actor has it, too. */
static int cgroup;
static char dir[64];
static bool switched_on;

static bool write_to_file(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return write_to(path, text);
}

/* The hierarchy is that of the system, and shall be as it was before. */
static bool leave_cgroup(void)
{
	bool done = !dir[0] || !rmdir(dir);

	if (switched_on)
		done = write_to(CONTROL, "-pids") && done;
	return done;
}

static bool make_cgroup(void)
{
	if (!has_pids(CONTROL)) {
		if (!write_to(CONTROL, "+pids"))
			return false;
		switched_on = true;
	}
	snprintf(dir, sizeof(dir), ROOT "/nsactive_pids_%d", (int)getpid());
	if (mkdir(dir, 0700)) {
		dir[0] = 0;
		return false;
	}
	cgroup = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return cgroup >= 0;
}

FIXTURE_SETUP(pids)
{
	ASSERT_TRUE(ns_own_tmp());
	ASSERT_EQ(0, mkdir(ROOT, 0700));
	if (mount("cgroup2", ROOT, "cgroup2", 0, NULL) ||
	    !has_pids(ROOT "/cgroup.controllers"))
		SKIP(return, "no limit for the tasks of a cgroup: needs CONFIG_CGROUP_PIDS");
	if (make_cgroup()) {
		self->home = ns_actor_new(NS_ALL);
		self->a = ns_actor_in(self->home, NS_ALL);
	}
	/* There is no teardown after a setup that fails. */
	if (!self->a) {
		ns_actors_kill();
		leave_cgroup();
	}
	ASSERT_TRUE(!!self->a);
	self->req = NS_REQ(.user_ns_id = ns_id(self->home->pid, "user"));
}

FIXTURE_TEARDOWN(pids)
{
	ns_actors_kill();
	EXPECT_TRUE(leave_cgroup());
}

static __s64 do_unshare(struct ns_actor *a, __u64 types)
{
	return unshare(types) ? -errno : 0;
}

static __s64 do_clone(struct ns_actor *a, __u64 flags)
{
	__u64 args[CLONE_ARGS_NR] = {
		[0] = flags & ~ns_lacking,
		[4] = SIGCHLD,
		[CLONE_ARGS_CGROUP] = flags & CLONE_INTO_CGROUP ? cgroup : 0,
	};
	pid_t pid = syscall(__NR_clone3, args, sizeof(args));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : waitpid(pid, NULL, 0) == pid ? 0 : -ECHILD;
}

static int in_thread(void *unused)
{
	return 0;
}

static __s64 do_clone_thread(struct ns_actor *a, __u64 unused)
{
	static char stack[1 << 14];

	return clone(in_thread, stack + sizeof(stack), CLONE_VM | CLONE_THREAD | CLONE_SIGHAND,
		     NULL) < 0 ? -errno : 0;
}

static __s64 do_vfork(struct ns_actor *a, __u64 unused)
{
	pid_t pid = vfork();

	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : waitpid(pid, NULL, 0) == pid ? 0 : -ECHILD;
}

static bool has_uring(void)
{
	return syscall(__NR_io_uring_setup, 0, NULL) == -1 && errno == EFAULT;
}

/* With a thread that polls. */
static __s64 do_make_ring(struct ns_actor *a, __u64 unused)
{
	struct io_uring_params p = { .flags = IORING_SETUP_SQPOLL };
	int fd = syscall(__NR_io_uring_setup, 1, &p);

	return fd < 0 ? -errno : close(fd);
}

TEST_F(pids, fork_that_the_cgroup_refuses_leaves_nothing_to_see)
{
	__u64 before[2 * NS_NR_KINDS], after[2 * NS_NR_KINDS];
	__u64 into = variant->into ? CLONE_INTO_CGROUP : 0;
	struct ns_actor *a = self->a;
	char pid[16];
	ssize_t nr;

	/* It is the only one that is in some of its namespaces. */
	ASSERT_EQ(0, ns_call(a, do_unshare, UTS_NS | IPC_NS | NET_NS));
	nr = ns_list_into(self->req, ARRAY_SIZE(before), before, ARRAY_SIZE(before));
	ASSERT_EQ(ns_nr_kinds - 1 + 3, nr);

	ASSERT_TRUE(write_to_file("pids.max", variant->into ? "0" : "1"));
	if (!into) {
		snprintf(pid, sizeof(pid), "%d", a->pid);
		ASSERT_TRUE(write_to_file("cgroup.procs", pid));
		EXPECT_EQ(-EAGAIN, ns_call(a, do_clone_thread, 0));
		EXPECT_EQ(-EAGAIN, ns_call(a, do_vfork, 0));
		if (has_uring())
			EXPECT_EQ(-EAGAIN, ns_call(a, do_make_ring, 0));
	}
	EXPECT_EQ(-EAGAIN, ns_call(a, do_clone, into));
	for (int k = 0; k < ns_nr_kinds; k++) {
		EXPECT_EQ(-EAGAIN, ns_call(a, do_clone, into | ns_kinds[k].type));
		EXPECT_EQ(-EAGAIN, ns_call(a, do_clone, into | ns_kinds[k].type | USER_NS));
	}
	EXPECT_EQ(-EAGAIN, ns_call(a, do_clone, into | NS_ALL));
	EXPECT_EQ(-EAGAIN, ns_call(a, do_clone, into | CLONE_EMPTY_MNTNS));

	EXPECT_EQ(nr, ns_list_into(self->req, ARRAY_SIZE(after), after, ARRAY_SIZE(after)));
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*after)));

	/* Where it is let in, it comes and goes. */
	ASSERT_TRUE(write_to_file("pids.max", "max"));
	EXPECT_EQ(0, ns_call(a, do_clone, into));
	EXPECT_EQ(0, ns_call(a, do_clone, into | NS_ALL));
	EXPECT_EQ(nr, ns_list_into(self->req, ARRAY_SIZE(after), after, ARRAY_SIZE(after)));
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*after)));

	ns_actor_kill(a);
	EXPECT_EQ(nr - 3, ns_list_into(self->req, ARRAY_SIZE(after), after, ARRAY_SIZE(after)));
	ns_actor_kill(self->home);
	EXPECT_EQ(-EINVAL, ns_list_into(self->req, 1, after, 1));
}

/* The only task of a user, whose user namespace no other task is in. */
TEST_F(pids, user_ns_goes_with_its_task_after_a_fork_was_refused)
{
	__u64 into = variant->into ? CLONE_INTO_CGROUP : 0;
	struct ns_key key;
	char pid[16];

	ASSERT_EQ(0, ns_call(self->a, ns_do_enter, USER_NS));
	key = ns_key(self->a->pid, "user");
	ASSERT_TRUE(write_to_file("pids.max", variant->into ? "0" : "1"));
	/* Other users may not put anybody into it. */
	if (!into) {
		ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
		snprintf(pid, sizeof(pid), "%d", self->a->pid);
		ASSERT_TRUE(write_to_file("cgroup.procs", pid));
		EXPECT_EQ(-EAGAIN, ns_call(self->a, do_clone_thread, 0));
	}
	EXPECT_EQ(-EAGAIN, ns_call(self->a, do_clone, into));
	EXPECT_EQ(-EAGAIN, ns_call(self->a, do_clone, into | USER_NS));
	EXPECT_SEEN(&key);
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&key);
}

TEST_HARNESS_MAIN
