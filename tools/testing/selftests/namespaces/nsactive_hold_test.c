// SPDX-License-Identifier: GPL-2.0
/*
 * What makes a namespace active, and so visible: a task has it, a file or a
 * mount of it exists, or it owns or is the parent of an active one. It is
 * visible for as long as that lasts and not longer: when the system call that
 * ends it has returned, or the task was waited for, it is not visible any more.
 * Nothing else that keeps a namespace in the kernel makes it visible.
 *
 * Nothing has to be waited for beyond that. close() puts the file itself. What is
 * left to task work, as with munmap(), umount() and messages that nobody received,
 * is done before the call returns to user space or, by a task that exits, before
 * it is a zombie. RCU and workqueues free namespaces, but drop no active
 * reference. What
 * none of the cases does is to have a file put by a task that the test has no
 * news of, as when that one is in a system call with it.
 *
 * The test looks from where it was started, which is none of these namespaces.
 */
#define _GNU_SOURCE
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/inotify.h>
#include <sys/shm.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#ifndef FSCONFIG_CMD_CREATE
#define FSCONFIG_CMD_CREATE 6
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif

#define MOUNTPOINT "/tmp/ns"

/* A way to hold a namespace that an actor is in. */
struct way {
	int kind;
	/* Returns what is to be dropped, or a negative number. */
	int (*take)(struct ns_actor *in, const struct way *w);
	int (*drop)(int fd);	/* if it is not close() */
	bool hidden;		/* has no active reference */
	__u32 also;		/* other types that the actor has to be in */
	/* What the function has to know. */
	struct ns_socket socket;
	const char *name;
	__u32 type;
};

static const char *path_of(const struct ns_actor *a, const char *dir, const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s%s", a->pid, dir, name);
	return path;
}

static const char *ns_path_of(const struct ns_actor *a, const struct way *w)
{
	return path_of(a, "ns/", ns_kinds[w->kind].name);
}

static int open_file(struct ns_actor *in, const struct way *w)
{
	return open(ns_path_of(in, w), O_RDONLY | O_CLOEXEC);
}

static int open_as_path(struct ns_actor *in, const struct way *w)
{
	return open(ns_path_of(in, w), O_PATH | O_CLOEXEC);
}

static int open_handle(struct ns_actor *in, const struct way *w)
{
	return ns_open_handle(ns_id(in->pid, ns_kinds[w->kind].name), 0, 0);
}

static int open_pidfd(struct ns_actor *in, const struct way *w)
{
	return syscall(__NR_pidfd_open, in->pid, 0);
}

static int open_by_pidfd(struct ns_actor *in, const struct way *w)
{
	int pidfd = open_pidfd(in, w), fd = ioctl(pidfd, ns_kinds[w->kind].of_pidfd, 0);

	close(pidfd);
	return fd;
}

/* In a message that nobody receives. */
static int pass_file(struct ns_actor *in, const struct way *w)
{
	int ends[2], fd = open_file(in, w);

	if (fd < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) ||
	    ns_pass_fd(ends[0], fd) < 0)
		return -1;
	close(fd);
	close(ends[0]);
	return ends[1];
}

static bool make_mountpoint(void)
{
	return ns_own_tmp() && !mknod(MOUNTPOINT, S_IFREG | 0600, 0);
}

static int bind_file(struct ns_actor *in, const struct way *w)
{
	return mount(ns_path_of(in, w), MOUNTPOINT, NULL, MS_BIND, NULL);
}

static int unbind_file(int unused)
{
	return umount2(MOUNTPOINT, 0);
}

static int unbind_file_lazily(int unused)
{
	return umount2(MOUNTPOINT, MNT_DETACH);
}

/* A mount that is attached nowhere. */
static int clone_mount(struct ns_actor *in, const struct way *w)
{
	return syscall(__NR_open_tree, AT_FDCWD, ns_path_of(in, w),
		       OPEN_TREE_CLONE | O_CLOEXEC);
}

static struct ns_actor *second;

static int add_task(struct ns_actor *in, const struct way *w)
{
	second = ns_actor_in(in, ns_kinds[w->kind].type);
	return second ? 0 : -1;
}

static int kill_task(int unused)
{
	ns_actor_kill(second);
	return 0;
}

/* A namespace of another type that it owns, or one below it. */
static int make_child(struct ns_actor *in, const struct way *w)
{
	return ns_open_handle(ns_call(in, ns_do_new, w->type), 0, 0);
}

static int make_socket(struct ns_actor *in, const struct way *w)
{
	return ns_take_fd(in, ns_call(in, ns_do_socket, (uintptr_t)&w->socket));
}

static __s64 do_open(struct ns_actor *a, __u64 name)
{
	return open((const char *)(uintptr_t)name, O_RDONLY);
}

/* It is the opener whose credentials and namespaces the file refers to. */
static int make_file(struct ns_actor *in, const struct way *w)
{
	return ns_take_fd(in, ns_call(in, do_open, (uintptr_t)w->name));
}

static __s64 do_fsopen(struct ns_actor *a, __u64 name)
{
	return syscall(__NR_fsopen, (const char *)(uintptr_t)name, 0);
}

static int make_fs_context(struct ns_actor *in, const struct way *w)
{
	return ns_take_fd(in, ns_call(in, do_fsopen, (uintptr_t)w->name));
}

static __s64 do_mount(struct ns_actor *a, __u64 name)
{
	int fd = do_fsopen(a, name);

	if (fd < 0 || syscall(__NR_fsconfig, fd, FSCONFIG_CMD_CREATE, 0, 0, 0))
		return -1;
	return syscall(__NR_fsmount, fd, 0, 0);
}

static int make_mount(struct ns_actor *in, const struct way *w)
{
	return ns_take_fd(in, ns_call(in, do_mount, (uintptr_t)w->name));
}

static int open_file_of_proc(struct ns_actor *in, const struct way *w)
{
	return open(path_of(in, "", w->name), O_RDONLY | O_CLOEXEC);
}

static void *segment;

/* The test goes there and comes back with a shared memory segment. */
static int attach_shm(struct ns_actor *in, const struct way *w)
{
	int home = ns_open(0, "ipc"), there = open_file(in, w), id, ret;

	if (home < 0 || there < 0 || setns(there, CLONE_NEWIPC))
		return -1;
	id = shmget(IPC_PRIVATE, 1, IPC_CREAT | 0600);
	segment = shmat(id, NULL, 0);
	ret = segment == (void *)-1 || setns(home, CLONE_NEWIPC) ? -1 : 0;
	close(home);
	close(there);
	return ret;
}

static int detach_shm(int unused)
{
	return shmdt(segment);
}

FIXTURE(held) {
	struct ns_actor *in;
};

FIXTURE_VARIANT(held) {
	struct way way;
};

FIXTURE_VARIANT_ADD(held, file_time) { { NS_TIME, open_file } };
FIXTURE_VARIANT_ADD(held, file_mnt) { { NS_MNT, open_file } };
FIXTURE_VARIANT_ADD(held, file_cgroup) { { NS_CGROUP, open_file } };
FIXTURE_VARIANT_ADD(held, file_uts) { { NS_UTS, open_file } };
FIXTURE_VARIANT_ADD(held, file_ipc) { { NS_IPC, open_file } };
FIXTURE_VARIANT_ADD(held, file_user) { { NS_USER, open_file } };
FIXTURE_VARIANT_ADD(held, file_pid) { { NS_PID, open_file } };
FIXTURE_VARIANT_ADD(held, file_net) { { NS_NET, open_file } };

FIXTURE_VARIANT_ADD(held, path_file_time) { { NS_TIME, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_mnt) { { NS_MNT, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_cgroup) { { NS_CGROUP, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_uts) { { NS_UTS, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_ipc) { { NS_IPC, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_user) { { NS_USER, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_pid) { { NS_PID, open_as_path } };
FIXTURE_VARIANT_ADD(held, path_file_net) { { NS_NET, open_as_path } };

FIXTURE_VARIANT_ADD(held, file_by_handle_time) { { NS_TIME, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_mnt) { { NS_MNT, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_cgroup) { { NS_CGROUP, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_uts) { { NS_UTS, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_ipc) { { NS_IPC, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_user) { { NS_USER, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_pid) { { NS_PID, open_handle } };
FIXTURE_VARIANT_ADD(held, file_by_handle_net) { { NS_NET, open_handle } };

FIXTURE_VARIANT_ADD(held, file_by_pidfd_time) { { NS_TIME, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_mnt) { { NS_MNT, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_cgroup) { { NS_CGROUP, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_uts) { { NS_UTS, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_ipc) { { NS_IPC, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_user) { { NS_USER, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_pid) { { NS_PID, open_by_pidfd } };
FIXTURE_VARIANT_ADD(held, file_by_pidfd_net) { { NS_NET, open_by_pidfd } };

FIXTURE_VARIANT_ADD(held, file_in_flight_time) { { NS_TIME, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_mnt) { { NS_MNT, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_cgroup) { { NS_CGROUP, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_uts) { { NS_UTS, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_ipc) { { NS_IPC, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_user) { { NS_USER, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_pid) { { NS_PID, pass_file } };
FIXTURE_VARIANT_ADD(held, file_in_flight_net) { { NS_NET, pass_file } };

FIXTURE_VARIANT_ADD(held, bind_mount_time) { { NS_TIME, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_mnt) { { NS_MNT, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_cgroup) { { NS_CGROUP, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_uts) { { NS_UTS, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_ipc) { { NS_IPC, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_user) { { NS_USER, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_pid) { { NS_PID, bind_file, unbind_file } };
FIXTURE_VARIANT_ADD(held, bind_mount_net) { { NS_NET, bind_file, unbind_file } };

FIXTURE_VARIANT_ADD(held, bind_mount_detached_time) {
	{ NS_TIME, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_mnt) {
	{ NS_MNT, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_cgroup) {
	{ NS_CGROUP, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_uts) {
	{ NS_UTS, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_ipc) {
	{ NS_IPC, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_user) {
	{ NS_USER, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_pid) {
	{ NS_PID, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, bind_mount_detached_net) {
	{ NS_NET, bind_file, unbind_file_lazily }
};

FIXTURE_VARIANT_ADD(held, mount_file_time) { { NS_TIME, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_mnt) { { NS_MNT, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_cgroup) { { NS_CGROUP, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_uts) { { NS_UTS, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_ipc) { { NS_IPC, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_user) { { NS_USER, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_pid) { { NS_PID, clone_mount } };
FIXTURE_VARIANT_ADD(held, mount_file_net) { { NS_NET, clone_mount } };

/* Not that of pids, where nothing outlives the first task. */
FIXTURE_VARIANT_ADD(held, second_task_time) { { NS_TIME, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_mnt) { { NS_MNT, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_cgroup) { { NS_CGROUP, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_uts) { { NS_UTS, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_ipc) { { NS_IPC, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_user) { { NS_USER, add_task, kill_task } };
FIXTURE_VARIANT_ADD(held, second_task_net) { { NS_NET, add_task, kill_task } };

FIXTURE_VARIANT_ADD(held, owner_of_time) { { NS_USER, make_child, .type = TIME_NS } };
FIXTURE_VARIANT_ADD(held, owner_of_mnt) { { NS_USER, make_child, .type = MNT_NS } };

FIXTURE_VARIANT_ADD(held, owner_of_cgroup) {
	{ NS_USER, make_child, .type = CGROUP_NS }
};

FIXTURE_VARIANT_ADD(held, owner_of_uts) { { NS_USER, make_child, .type = UTS_NS } };
FIXTURE_VARIANT_ADD(held, owner_of_ipc) { { NS_USER, make_child, .type = IPC_NS } };
FIXTURE_VARIANT_ADD(held, owner_of_user) { { NS_USER, make_child, .type = USER_NS } };
FIXTURE_VARIANT_ADD(held, owner_of_pid) { { NS_USER, make_child, .type = PID_NS } };
FIXTURE_VARIANT_ADD(held, owner_of_net) { { NS_USER, make_child, .type = NET_NS } };
FIXTURE_VARIANT_ADD(held, parent_of_pid) { { NS_PID, make_child, .type = PID_NS } };

/*
 * What does not count. There is nothing in the kernel that keeps a UTS or a time
 * namespace but what does.
 */
FIXTURE_VARIANT_ADD(held, hidden_in_udp_socket) {
	{ NS_NET, make_socket, .hidden = true, .socket = { AF_INET, SOCK_DGRAM } }
};

FIXTURE_VARIANT_ADD(held, hidden_in_tcp_socket) {
	{ NS_NET, make_socket, .hidden = true, .socket = { AF_INET, SOCK_STREAM } }
};

FIXTURE_VARIANT_ADD(held, hidden_in_raw_socket) {
	{ NS_NET, make_socket, .hidden = true, .socket = { AF_INET, SOCK_RAW, IPPROTO_ICMP } }
};

FIXTURE_VARIANT_ADD(held, hidden_in_unix_socket) {
	{ NS_NET, make_socket, .hidden = true, .socket = { AF_UNIX, SOCK_STREAM } }
};

FIXTURE_VARIANT_ADD(held, hidden_in_netlink_socket) {
	{ NS_NET, make_socket, .hidden = true, .socket = { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE } }
};

FIXTURE_VARIANT_ADD(held, hidden_in_credentials_of_file) {
	{ NS_USER, make_file, .hidden = true, .name = "/" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_sysvipc_file) {
	{ NS_IPC, make_file, .hidden = true, .name = "/proc/sysvipc/shm" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_mountinfo_file) {
	{ NS_MNT, open_file_of_proc, .hidden = true, .name = "mountinfo" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_fs_context_pid) {
	{ NS_PID, make_fs_context, .hidden = true, .name = "proc" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_fs_context_ipc) {
	{ NS_IPC, make_fs_context, .hidden = true, .name = "mqueue" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_fs_context_net) {
	{ NS_NET, make_fs_context, .hidden = true, .name = "tmpfs" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_fs_context_cgroup) {
	{ NS_CGROUP, make_fs_context, .hidden = true, .name = "cgroup2" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_proc_mount) {
	{ NS_PID, make_mount, .hidden = true, .name = "proc" }
};

FIXTURE_VARIANT_ADD(held, hidden_in_mqueue_mount) {
	{ NS_IPC, make_mount, .hidden = true, .name = "mqueue" }
};

/* There it takes a user namespace that owns the mount namespace, too. */
FIXTURE_VARIANT_ADD(held, hidden_in_fs_context_user) {
	{ NS_USER, make_fs_context, .hidden = true, .name = "tmpfs", .also = MNT_NS }
};

FIXTURE_VARIANT_ADD(held, hidden_in_tmpfs_mount) {
	{ NS_USER, make_mount, .hidden = true, .name = "tmpfs", .also = MNT_NS }
};

FIXTURE_VARIANT_ADD(held, hidden_in_pidfd) { { NS_PID, open_pidfd, .hidden = true } };

FIXTURE_VARIANT_ADD(held, hidden_in_shared_memory) {
	{ NS_IPC, attach_shm, detach_shm, .hidden = true }
};

FIXTURE_SETUP(held)
{
	if ((ns_kinds[variant->way.kind].type | variant->way.type) & ns_lacking)
		SKIP(return, "no time namespaces");
	/* A mount namespace can be mounted in an older one. */
	if (variant->way.take == bind_file)
		ASSERT_TRUE(make_mountpoint());
	self->in = ns_actor_new(ns_kinds[variant->way.kind].type | variant->way.also);
	ASSERT_TRUE(!!self->in);
}

FIXTURE_TEARDOWN(held)
{
	ns_actors_kill();
}

TEST_F(held, is_visible_while_it_is_held_and_not_after)
{
	const struct way *way = &variant->way;
	struct ns_key key = ns_key(self->in->pid, ns_kinds[way->kind].name);
	int fd;

	EXPECT_SEEN(&key);
	fd = way->take(self->in, way);
	ASSERT_LE(0, fd);
	EXPECT_SEEN(&key);

	/* Now it is this way alone. */
	ns_actor_kill(self->in);
	EXPECT_EQ(way->hidden ? 0 : NS_SEEN, ns_seen(&key));
	ASSERT_EQ(0, way->drop ? way->drop(fd) : close(fd));
	EXPECT_UNSEEN(&key);
}

/* A task that has a namespace, and a user namespace of its own around it. */
FIXTURE(used) {
	struct ns_actor *home, *a;
	__u64 user;
};

FIXTURE_VARIANT(used) {
	__u32 type;
	const char *name;
};

FIXTURE_VARIANT_ADD(used, mnt) { MNT_NS, "mnt" };
FIXTURE_VARIANT_ADD(used, cgroup) { CGROUP_NS, "cgroup" };
FIXTURE_VARIANT_ADD(used, uts) { UTS_NS, "uts" };
FIXTURE_VARIANT_ADD(used, ipc) { IPC_NS, "ipc" };
FIXTURE_VARIANT_ADD(used, net) { NET_NS, "net" };
/* Where the task itself does not get. */
FIXTURE_VARIANT_ADD(used, pid_for_children) { PID_NS, "pid_for_children" };
FIXTURE_VARIANT_ADD(used, time_for_children) { TIME_NS, "time_for_children" };

FIXTURE_SETUP(used)
{
	if (variant->type & ns_lacking)
		SKIP(return, "no time namespaces");
	/* There is no way back to where it may not make things. */
	self->home = ns_actor_new(NS_ALL);
	self->a = ns_actor_in(self->home, NS_ALL);
	ASSERT_TRUE(!!self->a);
	self->user = ns_id(self->home->pid, "user");
}

FIXTURE_TEARDOWN(used)
{
	ns_actors_kill();
}

static __s64 do_unshare(struct ns_actor *a, __u64 types)
{
	return unshare(types) ? -errno : 0;
}

static __s64 do_setns(struct ns_actor *a, __u64 types)
{
	return setns(a->pidfd, types) ? -errno : 0;
}

TEST_F(used, is_visible_until_its_task_goes_back)
{
	struct ns_key key;

	for (int i = 0; i < 2; i++) {
		ASSERT_EQ(0, ns_call(self->a, do_unshare, variant->type));
		key = ns_last_key(self->user, variant->type);
		EXPECT_SEEN(&key);
		ASSERT_EQ(0, ns_call(self->a, do_setns, variant->type));
		EXPECT_UNSEEN(&key);
	}
}

TEST_F(used, is_visible_until_its_task_makes_another)
{
	/* While there is no init in one, no other can be made. */
	__s64 again = variant->type == PID_NS ? -EINVAL : 0;
	struct ns_key first, next;

	ASSERT_EQ(0, ns_call(self->a, do_unshare, variant->type));
	first = ns_last_key(self->user, variant->type);
	ASSERT_EQ(again, ns_call(self->a, do_unshare, variant->type));
	EXPECT_EQ(again ? NS_SEEN : 0, ns_seen(&first));
	next = ns_last_key(self->user, variant->type);
	EXPECT_SEEN(&next);
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&first);
	EXPECT_UNSEEN(&next);
}

TEST_F(used, is_visible_until_its_task_is_waited_for)
{
	struct ns_key key;

	ASSERT_EQ(0, ns_call(self->a, do_unshare, variant->type));
	key = ns_last_key(self->user, variant->type);
	EXPECT_SEEN(&key);
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&key);
}

TEST_F(used, is_visible_until_its_only_thread_exits)
{
	struct ns_key key;

	ASSERT_EQ(0, ns_call(self->a, ns_do_thread, false));
	ASSERT_EQ(0, ns_call(self->a, do_unshare, variant->type));
	key = ns_last_key(self->user, variant->type);
	EXPECT_SEEN(&key);
	EXPECT_NE(key.ns.ns_id, ns_id(self->a->pid, variant->name));
	ASSERT_TRUE(ns_thread_kill(self->a));
	EXPECT_UNSEEN(&key);
	EXPECT_EQ(0, kill(self->a->pid, 0));
}

/* A child that shares all namespaces of the actor, and ends. */
static __s64 do_share(struct ns_actor *a, __u64 is_vfork)
{
	pid_t pid = is_vfork ? vfork() : fork();

	if (pid == 0)
		_exit(0);
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

TEST_F(used, is_visible_as_before_when_what_shared_it_is_gone)
{
	struct ns_key key;

	ASSERT_EQ(0, ns_call(self->a, do_unshare, variant->type));
	key = ns_last_key(self->user, variant->type);
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, ns_call(self->a, do_share, i % 2));
		EXPECT_SEEN(&key);
		/* A pid namespace has one init, and that was it. */
		if (variant->type == PID_NS)
			break;
	}
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&key);
}

static __s64 do_bind_uts(struct ns_actor *a, __u64 pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/uts", (int)pid);
	return mount(path, MOUNTPOINT, NULL, MS_BIND, NULL);
}

TEST(bind_mount_goes_with_its_mount_namespace)
{
	struct ns_actor *in, *binder;
	struct ns_key key, mnt;
	int mountinfo;

	ASSERT_TRUE(make_mountpoint());
	in = ns_actor_new(UTS_NS);
	ASSERT_TRUE(!!in);
	binder = ns_actor_new(MNT_NS);
	ASSERT_EQ(0, ns_call(binder, do_bind_uts, in->pid));
	key = ns_key(in->pid, "uts");
	mnt = ns_key(binder->pid, "mnt");
	ns_actor_kill(in);
	EXPECT_SEEN(&key);

	/* The mount is there as long as its namespace is, if nobody sees that. */
	mountinfo = open(path_of(binder, "", "mountinfo"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mountinfo);
	ns_actor_kill(binder);
	EXPECT_UNSEEN(&mnt);
	EXPECT_SEEN(&key);
	close(mountinfo);
	EXPECT_UNSEEN(&key);
}

/* It has the inode, to which no path leads any more. */
TEST(inotify_watch_does_not_hold)
{
	int watch = inotify_init1(IN_CLOEXEC);
	struct ns_actor *in;
	struct ns_key key;

	if (watch < 0)
		SKIP(return, "no inotify: needs CONFIG_INOTIFY_USER");
	in = ns_actor_new(UTS_NS);
	ASSERT_TRUE(!!in);
	key = ns_key(in->pid, "uts");
	ASSERT_LE(0, inotify_add_watch(watch, path_of(in, "ns/", "uts"), IN_ALL_EVENTS));
	EXPECT_SEEN(&key);
	ns_actor_kill(in);
	EXPECT_UNSEEN(&key);
	close(watch);
	EXPECT_UNSEEN(&key);
}

TEST(mount_namespace_that_is_not_visible_is_stepped_over)
{
	int before = ns_new(MNT_NS), after, mountinfo;
	struct ns_actor *in = ns_actor_new(MNT_NS);
	__u64 id = ns_id(in->pid, "mnt");

	after = ns_new(MNT_NS);
	mountinfo = open(path_of(in, "", "mountinfo"), O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mountinfo);
	EXPECT_TRUE(ns_walk_meets(before, NS_MNT_GET_NEXT, id, ns_fd_id(after)));
	EXPECT_TRUE(ns_walk_meets(after, NS_MNT_GET_PREV, id, ns_fd_id(before)));
	ns_actor_kill(in);
	EXPECT_FALSE(ns_walk_meets(before, NS_MNT_GET_NEXT, id, ns_fd_id(after)));
	EXPECT_FALSE(ns_walk_meets(after, NS_MNT_GET_PREV, id, ns_fd_id(before)));
}

/* Exec enters the time namespace for children. */
TEST(time_namespace_is_visible_until_its_task_executes_in_another)
{
	struct ns_actor *a = ns_actor();
	struct ns_key first, second;

	if (ns_lacking)
		SKIP(return, "no time namespaces");
	ASSERT_EQ(0, ns_call(a, do_unshare, TIME_NS));
	first = ns_key(a->pid, "time_for_children");
	ASSERT_EQ(0, ns_call(a, ns_do_exec, 0));
	EXPECT_EQ(first.ns.ns_id, ns_id(a->pid, "time"));
	EXPECT_SEEN(&first);
	ASSERT_EQ(0, ns_call(a, do_unshare, TIME_NS));
	second = ns_key(a->pid, "time_for_children");
	EXPECT_SEEN(&first);
	EXPECT_SEEN(&second);
	ASSERT_EQ(0, ns_call(a, ns_do_exec, 0));
	EXPECT_UNSEEN(&first);
	EXPECT_SEEN(&second);
	ns_actor_kill(a);
	EXPECT_UNSEEN(&second);
}

static int error_of_clone(const __u64 args[10])
{
	pid_t pid = syscall(__NR_clone3, args, 10 * sizeof(*args));

	if (pid == 0)
		_exit(0);
	return pid < 0 ? errno : 0;
}

/* Fail late, when all the namespaces have been made. */
static __s64 do_fail_clone(struct ns_actor *a, __u64 types)
{
	pid_t taken[] = { 1, 1 };
	/* The first fields of struct clone_args, up to set_tid_size. */
	__u64 args[10] = { [4] = SIGCHLD };

	/* There is nothing to write to. */
	args[0] = types | CLONE_PIDFD;
	args[1] = 8;
	if (error_of_clone(args) != EFAULT)
		return -EPROTO;
	/* There is such a process; in a new pid namespace it is the one outside. */
	args[0] = types;
	args[8] = (uintptr_t)taken;
	args[9] = types & PID_NS ? 2 : 1;
	return error_of_clone(args) == EEXIST ? 0 : -EPROTO;
}

/* What unshare() makes last: network namespaces where there are no time namespaces. */
static const struct ns_kind *last_kind(void)
{
	return &ns_kinds[ns_lacking & TIME_NS ? NS_NET : NS_TIME];
}

static __s64 do_forbid_last(struct ns_actor *a, __u64 unused)
{
	char path[40];

	snprintf(path, sizeof(path), "max_%s_namespaces", last_kind()->name);
	return ns_write("sys/user", path, "0") ? 0 : -errno;
}

/* The last one is one too many. By a child: what else it may change goes with that. */
static __s64 do_fail_unshare(struct ns_actor *a, __u64 types)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(unshare((types & ~ns_lacking) | last_kind()->type) ? errno : 0);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == ENOSPC ? 0 : -EPROTO;
}

FIXTURE(failing) {
};

FIXTURE_SETUP(failing)
{
}

FIXTURE_TEARDOWN(failing)
{
	ns_actors_kill();
}

TEST_F(failing, call_leaves_nothing_to_see)
{
	struct ns_actor *home = ns_actor_new(NS_ALL), *a = ns_actor_in(home, NS_ALL);
	struct ns_id_req req = NS_REQ(.user_ns_id = ns_id(home->pid, "user"));
	__u64 before[2 * NS_NR_KINDS], after[2 * NS_NR_KINDS];
	ssize_t nr;

	ASSERT_TRUE(!!a);
	ASSERT_EQ(0, ns_call(a, do_unshare, UTS_NS | IPC_NS | NET_NS));
	nr = ns_list_into(req, ARRAY_SIZE(before), before, ARRAY_SIZE(before));
	ASSERT_EQ(ns_nr_kinds - 1 + 3, nr);

	/* Each type alone, and all. */
	for (int k = 0; k <= NS_NR_KINDS; k++) {
		__u32 types = k < NS_NR_KINDS ? ns_kinds[k].type : NS_ALL;

		EXPECT_EQ(0, ns_call(a, do_fail_clone, types & ~TIME_NS));
	}
	ASSERT_EQ(0, ns_call(a, do_forbid_last, 0));
	for (int k = 0; k <= NS_NR_KINDS; k++) {
		__u32 types = k < NS_NR_KINDS ? ns_kinds[k].type : NS_ALL;

		EXPECT_EQ(0, ns_call(a, do_fail_unshare, types));
	}

	EXPECT_EQ(nr, ns_list_into(req, ARRAY_SIZE(after), after, ARRAY_SIZE(after)));
	EXPECT_EQ(0, memcmp(before, after, nr * sizeof(*after)));
	/* None was counted that the calls did not make, either. */
	ns_actor_kill(a);
	EXPECT_EQ(nr - 3, ns_list_into(req, ARRAY_SIZE(after), after, ARRAY_SIZE(after)));
	ns_actor_kill(home);
	EXPECT_EQ(-EINVAL, ns_list_into(req, 1, after, 1));
}

/* It is the last of the types, time, that a process with threads may not change. */
TEST_F(failing, setns_changes_nothing)
{
	struct ns_actor *home = ns_actor_new(NS_NOT_USER), *a;
	struct ns_key there[NS_NR_KINDS], own[NS_NR_KINDS];

	if (ns_lacking)
		SKIP(return, "no time namespaces");
	a = ns_actor_in(home, UTS_NS);
	ASSERT_TRUE(home && a);
	ASSERT_EQ(0, ns_call(a, ns_do_enter, NS_NOT_USER));
	ASSERT_EQ(0, ns_call(a, ns_do_thread, false));
	for (int k = 0; k < NS_NR_KINDS; k++) {
		there[k] = ns_key(home->pid, ns_kinds[k].name);
		own[k] = ns_key(a->pid, ns_kinds[k].name);
	}
	for (int i = 0; i < 16; i++)
		ASSERT_EQ(-EUSERS, ns_call(a, do_setns, NS_NOT_USER & ~PID_NS));

	for (int k = 0; k < NS_NR_KINDS; k++) {
		if (k == NS_USER)
			continue;
		EXPECT_SEEN(&there[k]);
		EXPECT_SEEN(&own[k]);
	}
	ns_actor_kill(home);
	for (int k = 0; k < NS_NR_KINDS; k++) {
		if (k == NS_USER)
			continue;
		EXPECT_UNSEEN(&there[k]);
		EXPECT_SEEN(&own[k]);
	}
	ns_actor_kill(a);
	for (int k = 0; k < NS_NR_KINDS; k++)
		if (k != NS_USER)
			EXPECT_UNSEEN(&own[k]);
}

TEST_HARNESS_MAIN
