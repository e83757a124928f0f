// SPDX-License-Identifier: GPL-2.0
/*
 * A user namespace is visible for as long as a task has credentials of it. It
 * does not become inactive for a moment when they are changed.
 */
#define _GNU_SOURCE
#include <grp.h>
#include <linux/keyctl.h>
#include <linux/securebits.h>
#include <sys/fsuid.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#define UID 1000

/* What a task does with its credentials; in the end they are what they were. */
static bool change_setresuid(void)
{
	return !setresuid(UID, UID, 0) && !setresuid(0, 0, 0);
}

static bool change_setreuid(void)
{
	return !setreuid(UID, 0) && !setreuid(0, 0);
}

/* Without the capability there would be no way back. */
static bool change_setuid(void)
{
	return !prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) &&
	       !setuid(UID) && !setuid(0) && !prctl(PR_SET_SECUREBITS, 0);
}

static bool change_seteuid(void)
{
	return !seteuid(UID) && !seteuid(0);
}

static bool change_setfsuid(void)
{
	return setfsuid(UID) == 0 && setfsuid(0) == UID;
}

static bool change_setgid(void)
{
	return !setgid(UID) && !setgid(0);
}

static bool change_setresgid(void)
{
	return !setresgid(UID, UID + 1, UID + 2) && !setresgid(0, 0, 0);
}

static bool change_setfsgid(void)
{
	return setfsgid(UID) == 0 && setfsgid(0) == UID;
}

static bool change_setgroups(void)
{
	const gid_t groups[] = { 1, 2, UID };

	return !setgroups(ARRAY_SIZE(groups), groups) && !setgroups(0, NULL);
}

static bool change_capset(void)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2], less[2];

	if (syscall(__NR_capget, &hdr, data))
		return false;
	memcpy(less, data, sizeof(less));
	less[0].effective = 0;
	return !syscall(__NR_capset, &hdr, less) && !syscall(__NR_capset, &hdr, data);
}

static bool change_keyring(void)
{
	return syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0;
}

/* In a child, which has a user, or a user namespace, that the parent has not. */
static bool change_in_child(bool (*change)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(!change());
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status;
}

/*
 * The child's becomes that of its parent, who changes its own credentials on the way out
 * of the system call that it is in.
 */
static bool change_keyring_of_parent(void)
{
	__s64 before = syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 1);
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(!(change_keyring() && !syscall(__NR_keyctl, KEYCTL_SESSION_TO_PARENT)));
	return pid > 0 && waitpid(pid, &status, 0) == pid && !status && before >= 0 &&
	       syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) != before;
}

static int exit_thread(void *unused)
{
	return 0;
}

/* It has other credentials than the other threads, and so has each that it makes. */
static bool change_keyring_of_thread(void)
{
	const int flags = CLONE_VM | CLONE_THREAD | CLONE_SIGHAND | CLONE_CHILD_CLEARTID;
	static char stack[1 << 14];
	static pid_t tid;
	pid_t now;

	if (syscall(__NR_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_THREAD_KEYRING, 1) < 0)
		return false;
	__atomic_store_n(&tid, -1, __ATOMIC_SEQ_CST);
	if (clone(exit_thread, stack + sizeof(stack), flags, NULL, NULL, NULL, &tid) < 0)
		return false;
	while ((now = __atomic_load_n(&tid, __ATOMIC_SEQ_CST)))
		syscall(__NR_futex, &tid, 0 /* FUTEX_WAIT */, now, NULL, NULL, 0);
	return true;
}

static bool change_for_good(void)
{
	return !setresuid(UID, UID, UID);
}

static bool change_user_of_child(void)
{
	return change_in_child(change_for_good);
}

static bool change_user_ns(void)
{
	return !unshare(CLONE_NEWUSER);
}

static bool change_user_ns_of_child(void)
{
	return change_in_child(change_user_ns);
}

/* The only task of a user namespace, which is below one that no task is in. */
static struct ns_actor *task;
static struct ns_key keys[2];
/* Looks for both, all the time. */
static struct ns_actor *lister;

static bool set_up(void)
{
	task = ns_actor();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (ns_call(task, ns_do_enter, USER_NS))
			return false;
		keys[i] = ns_key(task->pid, "user");
	}
	lister = ns_watch(keys, ARRAY_SIZE(keys), true);
	return lister;
}

/* What is seen of both, which is to be the same. */
static int both(void)
{
	int seen = ns_seen(&keys[0]);

	return ns_seen(&keys[1]) == seen ? seen : -EBADMSG;
}

/* They were there all the time, and go with the last task. */
#define EXPECT_GONE_WITH(last) do {		\
	EXPECT_LT(0, ns_watch_end(lister));	\
	EXPECT_EQ(NS_SEEN, both());			\
	ns_actor_kill(last);			\
	EXPECT_EQ(0, both());				\
} while (0)

FIXTURE(change) {
};

struct change {
	bool (*fn)(void);
	int rounds;
};

FIXTURE_VARIANT(change) {
	struct change change;
};

FIXTURE_VARIANT_ADD(change, setuid) { { change_setuid, 300 } };
FIXTURE_VARIANT_ADD(change, seteuid) { { change_seteuid, 300 } };
FIXTURE_VARIANT_ADD(change, setreuid) { { change_setreuid, 300 } };
FIXTURE_VARIANT_ADD(change, setresuid) { { change_setresuid, 300 } };
FIXTURE_VARIANT_ADD(change, setfsuid) { { change_setfsuid, 300 } };
FIXTURE_VARIANT_ADD(change, setgid) { { change_setgid, 300 } };
FIXTURE_VARIANT_ADD(change, setresgid) { { change_setresgid, 300 } };
FIXTURE_VARIANT_ADD(change, setfsgid) { { change_setfsgid, 300 } };
FIXTURE_VARIANT_ADD(change, setgroups) { { change_setgroups, 300 } };
FIXTURE_VARIANT_ADD(change, capset) { { change_capset, 300 } };
FIXTURE_VARIANT_ADD(change, keyring) { { change_keyring, 300 } };
FIXTURE_VARIANT_ADD(change, keyring_of_parent) { { change_keyring_of_parent, 30 } };
FIXTURE_VARIANT_ADD(change, keyring_of_thread) { { change_keyring_of_thread, 30 } };
FIXTURE_VARIANT_ADD(change, user_of_child) { { change_user_of_child, 30 } };
FIXTURE_VARIANT_ADD(change, user_ns_of_child) { { change_user_ns_of_child, 30 } };

FIXTURE_SETUP(change)
{
	/* No such operation, rather than no such system call. */
	if ((variant->change.fn == change_keyring ||
	     variant->change.fn == change_keyring_of_parent ||
	     variant->change.fn == change_keyring_of_thread) &&
	    syscall(__NR_keyctl, -1, 0) == -1 && errno != EOPNOTSUPP)
		SKIP(return, "the kernel has no keyrings");
	ASSERT_TRUE(set_up());
}

FIXTURE_TEARDOWN(change)
{
	ns_actors_kill();
}

static __s64 do_change(struct ns_actor *a, __u64 arg)
{
	const struct change *change = (const void *)(uintptr_t)arg;

	for (int round = 0; round < change->rounds; round++)
		if (!change->fn())
			return -errno ?: -EPROTO;
	return 0;
}

TEST_F(change, user_ns_is_visible_all_the_time_and_goes_with_the_last_task)
{
	struct ns_actor *other = ns_actor_in(task, USER_NS);

	ASSERT_TRUE(ns_start(task, do_change, (uintptr_t)&variant->change));
	ASSERT_TRUE(ns_start(other, do_change, (uintptr_t)&variant->change));
	EXPECT_EQ(0, ns_finish(task));
	EXPECT_EQ(0, ns_finish(other));
	ns_actor_kill(task);
	/* Nobody takes its turn with anybody any more. */
	EXPECT_EQ(0, ns_call(other, do_change, (uintptr_t)&variant->change));
	EXPECT_GONE_WITH(other);
}

FIXTURE(cred) {
};

FIXTURE_SETUP(cred)
{
	/* For files that are executed. */
	ASSERT_TRUE(ns_own_tmp());
	ASSERT_TRUE(set_up());
}

FIXTURE_TEARDOWN(cred)
{
	ns_actors_kill();
}

TEST_F(cred, user_ns_goes_with_the_last_task_of_whatever_user)
{
	struct ns_actor *users[3];

	for (size_t i = 0; i < ARRAY_SIZE(users); i++) {
		users[i] = ns_actor_in(task, USER_NS);
		ASSERT_EQ(0, ns_call(users[i], ns_do_setuid, UID + i));
	}
	ns_actor_kill(task);
	for (size_t i = 0; i < ARRAY_SIZE(users) - 1; i++) {
		ns_actor_kill(users[i]);
		EXPECT_EQ(NS_SEEN, both());
	}
	EXPECT_GONE_WITH(users[ARRAY_SIZE(users) - 1]);
}

/* As many processes as it has, and no more. */
static __s64 do_fail_fork(struct ns_actor *a, __u64 unused)
{
	const struct rlimit limit = { 1, 1 };
	pid_t pid;

	if (setrlimit(RLIMIT_NPROC, &limit))
		return -errno;
	pid = fork();
	if (pid == 0)
		_exit(0);
	return pid < 0 ? -errno : 0;
}

TEST_F(cred, user_ns_is_visible_as_before_when_a_fork_fails)
{
	ASSERT_EQ(0, ns_call(task, ns_do_setuid, UID));
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(-EAGAIN, ns_call(task, do_fail_fork, 0));
	EXPECT_GONE_WITH(task);
}

/* Copy the test to a file that runs as user @uid, whoever executes it. */
static bool make_suid(const char *path, uid_t uid)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	char buf[4096];
	ssize_t nr;

	while ((nr = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, nr) != nr)
			return false;
	return !nr && !fchown(out, uid, uid) && !fchmod(out, 06755) && !close(out) &&
	       !close(in);
}

static __s64 do_geteuid(struct ns_actor *a, __u64 unused)
{
	return geteuid();
}

TEST_F(cred, user_ns_is_visible_while_its_task_executes)
{
	ASSERT_TRUE(make_suid("/tmp/root", 0));
	ASSERT_TRUE(make_suid("/tmp/user", UID));
	for (int i = 0; i < 5; i++) {
		ASSERT_EQ(0, ns_call(task, ns_do_exec, 0));
		ASSERT_EQ(0, ns_call(task, ns_do_exec, (uintptr_t)"/tmp/user"));
		EXPECT_EQ(UID, ns_call(task, do_geteuid, 0));
		ASSERT_EQ(0, ns_call(task, ns_do_exec, (uintptr_t)"/tmp/root"));
		EXPECT_EQ(0, ns_call(task, do_geteuid, 0));
	}
	EXPECT_GONE_WITH(task);
}

/* The C library would have all threads do it. */
static __s64 do_setuid_of_thread(struct ns_actor *a, __u64 uid)
{
	return syscall(__NR_setresuid, (uid_t)uid, (uid_t)uid, (uid_t)uid) ? -errno : 0;
}

TEST_F(cred, user_ns_is_visible_while_threads_differ_in_credentials)
{
	ASSERT_EQ(0, ns_call(task, ns_do_thread, false));
	ASSERT_EQ(0, ns_call(task, do_setuid_of_thread, UID));
	EXPECT_EQ(NS_SEEN, both());
	/* The leader goes, with the other ones, and the thread is the process. */
	ASSERT_EQ(0, ns_call(task, ns_do_exec, 0));
	EXPECT_EQ(UID, ns_call(task, do_geteuid, 0));
	EXPECT_GONE_WITH(task);
}

/* What is left of the memory of a process does not make its user namespace visible. */
TEST_F(cred, user_ns_is_not_visible_because_of_memory)
{
	char path[32];
	int mem;

	ASSERT_EQ(0, ns_call(task, ns_do_exec, 0));
	snprintf(path, sizeof(path), "/proc/%d/mem", task->pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	EXPECT_GONE_WITH(task);
	close(mem);
	EXPECT_EQ(0, both());
}

/* Each time it is the only task that goes, and it goes on to where it owns it. */
static __s64 do_join(struct ns_actor *a, __u64 id)
{
	int fd = ns_open_handle(id, 0, 0);
	int ret = setns(fd, CLONE_NEWUSER) ? -errno : 0;

	close(fd);
	return ret;
}

TEST_F(cred, user_ns_is_visible_while_tasks_join_and_leave)
{
	for (int i = 0; i < 16; i++) {
		struct ns_actor *next = ns_actor();
		struct ns_key nested;

		/* From the one above, which it has to itself, or from far away. */
		if (i % 2)
			ASSERT_EQ(0, ns_call(next, do_join, keys[0].ns.ns_id));
		ASSERT_EQ(0, ns_call(next, do_join, keys[1].ns.ns_id));
		ns_actor_kill(task);
		task = next;
		EXPECT_EQ(NS_SEEN, both());
		/* Now no task is in it, but it owns one that is active. */
		ASSERT_EQ(0, ns_call(task, ns_do_enter, USER_NS));
		nested = ns_key(task->pid, "user");
		EXPECT_SEEN(&nested);
		EXPECT_EQ(keys[1].ns.ns_id, nested.owner);
		EXPECT_EQ(NS_SEEN, both());
	}
	EXPECT_GONE_WITH(task);
}

TEST_F(cred, user_ns_is_visible_while_its_task_goes_deeper)
{
	struct ns_key nested[16];

	for (size_t i = 0; i < ARRAY_SIZE(nested); i++) {
		ASSERT_EQ(0, ns_call(task, ns_do_enter, USER_NS));
		nested[i] = ns_key(task->pid, "user");
		EXPECT_SEEN(&nested[i]);
	}
	EXPECT_GONE_WITH(task);
	for (size_t i = 0; i < ARRAY_SIZE(nested); i++)
		EXPECT_UNSEEN(&nested[i]);
}

TEST_HARNESS_MAIN
