// SPDX-License-Identifier: GPL-2.0
/*
 * The ids of namespaces, and what can be found by them.
 */
#define _GNU_SOURCE
#include <sys/socket.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

static __u64 netns_cookie(void)
{
	int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	__u64 cookie = 0;
	socklen_t len = sizeof(cookie);

	if (getsockopt(sock, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len))
		cookie = 0;
	close(sock);
	return cookie;
}

/* With a new namespace of each type, which nothing but a file keeps. */
FIXTURE(each_type) {
	int fd;
	__u64 id;
	struct ns_handle handle;
};

FIXTURE_VARIANT(each_type) {
	const struct ns_kind *kind;
};

FIXTURE_VARIANT_ADD(each_type, time) { .kind = &ns_kinds[NS_TIME] };
FIXTURE_VARIANT_ADD(each_type, mnt) { .kind = &ns_kinds[NS_MNT] };
FIXTURE_VARIANT_ADD(each_type, cgroup) { .kind = &ns_kinds[NS_CGROUP] };
FIXTURE_VARIANT_ADD(each_type, uts) { .kind = &ns_kinds[NS_UTS] };
FIXTURE_VARIANT_ADD(each_type, ipc) { .kind = &ns_kinds[NS_IPC] };
FIXTURE_VARIANT_ADD(each_type, user) { .kind = &ns_kinds[NS_USER] };
FIXTURE_VARIANT_ADD(each_type, pid) { .kind = &ns_kinds[NS_PID] };
FIXTURE_VARIANT_ADD(each_type, net) { .kind = &ns_kinds[NS_NET] };

FIXTURE_SETUP(each_type)
{
	if (variant->kind->type & ns_lacking)
		SKIP(return, "no time namespaces");
	self->fd = ns_new(variant->kind->type);
	ASSERT_LE(0, self->fd);
	self->id = ns_fd_id(self->fd);
	ASSERT_EQ(0, ns_get_handle(self->fd, &self->handle));
}

FIXTURE_TEARDOWN(each_type)
{
	ns_actors_kill();
}

TEST_F(each_type, initial_namespace_has_its_fixed_id)
{
	EXPECT_EQ(variant->kind->init_id, ns_id(1, variant->kind->name));
}

TEST_F(each_type, initial_namespace_is_listed_and_opened_by_its_fixed_id)
{
	__u64 id = variant->kind->init_id;
	struct ns_handle handle;
	int fd = ns_open(1, variant->kind->name);

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ns_get_handle(fd, &handle));
	EXPECT_EQ(id, handle.ns.ns_id);
	EXPECT_EQ(id, ns_id_of_handle(id, variant->kind->type, handle.ns.ns_inum));
	EXPECT_EQ(id, ns_id_of_handle(id, 0, 0));
	EXPECT_TRUE(ns_is_listed(id, variant->kind->type, 0));
	EXPECT_TRUE(ns_is_listed(id, 0, 0));
	close(fd);
}

TEST_F(each_type, namespace_is_listed_under_its_type_only)
{
	__u32 type = variant->kind->type;

	EXPECT_TRUE(ns_is_listed(self->id, type, 0));
	EXPECT_TRUE(ns_is_listed(self->id, 0, 0));
	EXPECT_FALSE(ns_is_listed(self->id, NS_ALL & ~type, 0));
}

TEST_F(each_type, file_handle_holds_id_and_type)
{
	struct stat st;

	ASSERT_EQ(0, fstat(self->fd, &st));
	EXPECT_EQ(NS_FILEID, self->handle.type);
	EXPECT_EQ(sizeof(self->handle.ns), self->handle.bytes);
	EXPECT_EQ(self->id, self->handle.ns.ns_id);
	EXPECT_EQ(variant->kind->type, self->handle.ns.ns_type);
	EXPECT_EQ(st.st_ino, self->handle.ns.ns_inum);
}

TEST_F(each_type, namespace_is_found_by_id_alone)
{
	EXPECT_EQ(self->id, ns_id_of_handle(self->id, 0, 0));
}

TEST_F(each_type, namespace_is_found_by_id_and_type)
{
	struct nsfs_file_handle *h = &self->handle.ns;

	EXPECT_EQ(self->id, ns_id_of_handle(h->ns_id, h->ns_type, h->ns_inum));
}

TEST_F(each_type, handle_with_half_left_out_is_stale)
{
	struct nsfs_file_handle *h = &self->handle.ns;

	EXPECT_EQ(-ESTALE, ns_id_of_handle(h->ns_id, h->ns_type, 0));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(h->ns_id, 0, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(0, h->ns_type, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(0, 0, 0));
}

TEST_F(each_type, handle_with_what_is_not_the_namespaces_is_stale)
{
	struct nsfs_file_handle *h = &self->handle.ns;
	__u32 other = h->ns_type == UTS_NS ? IPC_NS : UTS_NS;
	__u64 init_id = variant->kind->init_id;

	EXPECT_EQ(-ESTALE, ns_id_of_handle(h->ns_id, other, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(h->ns_id, UINT32_MAX, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(h->ns_id, h->ns_type, h->ns_inum ^ 1));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(init_id, h->ns_type, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(UINT64_MAX, h->ns_type, h->ns_inum));
	EXPECT_EQ(-ESTALE, ns_id_of_handle(UINT64_MAX, 0, 0));
}

TEST_F(each_type, id_is_not_used_again)
{
	__u64 last = self->id;

	/* As each is gone before the next is made, its id would be free. */
	close(self->fd);
	for (int i = 0; i < 4; i++) {
		int fd;

		ASSERT_FALSE(ns_is_listed(last, 0, 0));
		fd = ns_new(variant->kind->type);
		ASSERT_LE(0, fd);
		EXPECT_LT(last, ns_fd_id(fd));
		last = ns_fd_id(fd);
		close(fd);
	}
}

/* Runs in the actor, for its user namespace. */
static __s64 do_limit_to_one(struct ns_actor *a, __u64 kind)
{
	char file[64];

	snprintf(file, sizeof(file), "sys/user/max_%s_namespaces", ns_kinds[kind].name);
	return ns_write(".", file, "1") ? 0 : -errno;
}

TEST_F(each_type, namespace_that_was_looked_at_is_freed_like_others)
{
	__u32 type = variant->kind->type;
	__u64 end = ns_now_ms() + 60000, ids[8];
	struct ns_actor *a = ns_actor_new(USER_NS);
	__s64 id, next;
	int fd;

	/* Its user namespace may have one of the type at a time. */
	ASSERT_EQ(0, ns_call(a, do_limit_to_one, variant->kind - ns_kinds));
	id = ns_call(a, ns_do_new, type);
	ASSERT_LT(0, id);
	ASSERT_EQ(-ENOSPC, ns_call(a, ns_do_new, type));

	/* All ways to look */
	ASSERT_EQ(id, ns_id_of_handle(id, 0, 0));
	ASSERT_TRUE(ns_is_listed(id, type, 0));
	if (type == USER_NS)
		ASSERT_EQ(0, ns_list_into(NS_REQ(.user_ns_id = id), 8, ids, 8));
	if (type == MNT_NS) {
		fd = ns_open(0, "mnt");
		ASSERT_TRUE(ns_walk_meets(fd, NS_MNT_GET_NEXT, id, id));
		close(fd);
	}

	ASSERT_EQ(0, ns_call(a, ns_do_close, id));
	ASSERT_EQ(-ESTALE, ns_id_of_handle(id, 0, 0));
	/* Some types are freed by a worker, or after a grace period. */
	do {
		next = ns_call(a, ns_do_new, type);
	} while (next == -ENOSPC && ns_now_ms() < end);
	EXPECT_LT(id, next);
}

FIXTURE(nstree) {
};

FIXTURE_SETUP(nstree)
{
}

FIXTURE_TEARDOWN(nstree)
{
	ns_actors_kill();
}

TEST_F(nstree, initial_network_cookie_is_7)
{
	EXPECT_EQ(7, netns_cookie());
}

TEST_F(nstree, network_cookie_is_the_id)
{
	__u64 initial = netns_cookie();

	EXPECT_EQ(initial, ns_id(0, "net"));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	EXPECT_EQ(ns_id(0, "net"), netns_cookie());
	EXPECT_LT(initial, netns_cookie());
}

TEST_F(nstree, mount_namespace_ioctls_show_the_id)
{
	struct mnt_ns_info info = {};
	int fd = ns_new(MNT_NS);
	__u64 id = 0;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ioctl(fd, NS_GET_MNTNS_ID, &id));
	EXPECT_EQ(ns_fd_id(fd), id);
	ASSERT_EQ(0, ioctl(fd, NS_MNT_GET_INFO, &info));
	EXPECT_EQ(ns_fd_id(fd), info.mnt_ns_id);
	close(fd);
}

/* From a counter with a stock of ids for each CPU this would fail. */
TEST_F(nstree, ids_grow_in_order_of_creation_on_whatever_cpu)
{
	__u64 last = MNT_NS_INIT_ID;
	cpu_set_t all, one;

	ASSERT_EQ(0, sched_getaffinity(0, sizeof(all), &all));
	for (int round = 0; round < 3; round++) {
		/* A few CPUs are as good as a thousand, and take less time. */
		for (int cpu = 0, nr = 0; cpu < CPU_SETSIZE && nr < 4; cpu++) {
			if (!CPU_ISSET(cpu, &all))
				continue;
			nr++;
			CPU_ZERO(&one);
			CPU_SET(cpu, &one);
			ASSERT_EQ(0, sched_setaffinity(0, sizeof(one), &one));
			for (int k = 0; k < ns_nr_kinds; k++) {
				int fd = ns_new(ns_kinds[k].type);
				__u64 id;

				ASSERT_LE(0, fd);
				id = ns_fd_id(fd);
				EXPECT_LT(last, id) {
					TH_LOG("type %s on CPU %d", ns_kinds[k].name, cpu);
				}
				last = id;
				close(fd);
			}
		}
	}
}

TEST_F(nstree, owner_has_a_smaller_id_than_what_it_owns)
{
	struct ns_actor *a = ns_actor();
	__u64 owner, id;

	owner = ns_id(0, "user");
	for (int level = 0; level < 3; level++) {
		/* All are made by the one call. */
		ASSERT_EQ(0, ns_call(a, ns_do_enter, NS_ALL));
		id = ns_id(a->pid, "user");
		EXPECT_LT(owner, id);
		owner = id;
		for (int k = 0; k < ns_nr_kinds; k++) {
			if (ns_kinds[k].type == USER_NS)
				continue;
			EXPECT_LT(owner, ns_id(a->pid, ns_kinds[k].name)) {
				TH_LOG("type %s", ns_kinds[k].name);
			}
		}
	}
}

TEST_F(nstree, longer_handle_has_to_end_in_zeros)
{
	struct {
		struct ns_handle handle;
		__u32 more;
	} fh = {};
	int fd = ns_open(0, "uts");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ns_get_handle(fd, &fh.handle));
	close(fd);
	fh.handle.bytes += sizeof(fh.more);

	fd = open_by_handle_at(FD_NSFS_ROOT, (struct file_handle *)&fh, O_RDONLY);
	ASSERT_LE(0, fd);
	close(fd);

	for (int bit = 0; bit < 32; bit++) {
		fh.more = 1U << bit;
		EXPECT_EQ(-1, open_by_handle_at(FD_NSFS_ROOT, (struct file_handle *)&fh,
						O_RDONLY));
		EXPECT_EQ(ESTALE, errno);
	}
}

/* Where there is nothing to join yet, it can be seen all the same. */
TEST_F(nstree, pid_namespace_is_listed_and_opened_before_it_has_an_init)
{
	struct ns_key key;
	pid_t init;
	__u64 user;

	ASSERT_EQ(0, unshare(CLONE_NEWUSER));
	user = ns_id(0, "user");
	ASSERT_EQ(0, unshare(CLONE_NEWPID));
	EXPECT_EQ(-1, ns_open(0, "pid_for_children"));
	key = ns_last_key(user, PID_NS);
	EXPECT_SEEN(&key);

	init = fork();
	if (init == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	ASSERT_LT(0, init);
	EXPECT_EQ(key.ns.ns_id, ns_id(0, "pid_for_children"));
	EXPECT_SEEN(&key);
	kill(init, SIGKILL);
	waitpid(init, NULL, 0);
}

TEST_F(nstree, pid_ioctl_that_finds_no_task_says_esrch)
{
	static const unsigned int cmds[] = {
		NS_GET_PID_FROM_PIDNS, NS_GET_TGID_FROM_PIDNS,
		NS_GET_PID_IN_PIDNS, NS_GET_TGID_IN_PIDNS,
	};
	int fd = ns_open(0, "pid");

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		/* Above any pid_max. */
		EXPECT_EQ(-1, ioctl(fd, cmds[i], 1 << 30));
		EXPECT_EQ(ESRCH, errno);
	}
	close(fd);
}

/* Of two namespaces, one below the other, each ioctl has a task that is not in both. */
TEST_F(nstree, pid_ioctl_about_a_task_that_is_not_there_says_esrch)
{
	pid_t outer = getpid(), inner;
	int fd = ns_open(0, "pid"), status;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWPID));
	inner = fork();
	if (inner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		EXPECT_LT(1, ioctl(fd, NS_GET_PID_IN_PIDNS, 1));
		EXPECT_LT(1, ioctl(fd, NS_GET_TGID_IN_PIDNS, 1));
		EXPECT_EQ(-1, ioctl(fd, NS_GET_PID_FROM_PIDNS, outer));
		EXPECT_EQ(ESRCH, errno);
		EXPECT_EQ(-1, ioctl(fd, NS_GET_TGID_FROM_PIDNS, outer));
		EXPECT_EQ(ESRCH, errno);
		_exit(_metadata->exit_code);
	}
	ASSERT_LT(0, inner);
	close(fd);
	fd = ns_open(0, "pid_for_children");
	ASSERT_LE(0, fd);
	EXPECT_EQ(inner, ioctl(fd, NS_GET_PID_FROM_PIDNS, 1));
	EXPECT_EQ(inner, ioctl(fd, NS_GET_TGID_FROM_PIDNS, 1));
	EXPECT_EQ(-1, ioctl(fd, NS_GET_PID_IN_PIDNS, outer));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(-1, ioctl(fd, NS_GET_TGID_IN_PIDNS, outer));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
	ASSERT_EQ(inner, waitpid(inner, &status, 0));
	EXPECT_EQ(0, status);
}

/* EPERM for the file system; that the file has no mmap() is ENODEV. */
TEST_F(nstree, nothing_can_be_executed_from_nsfs)
{
	int fd = ns_open(0, "uts");

	ASSERT_LE(0, fd);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(EPERM, errno);
	close(fd);
}

TEST_HARNESS_MAIN
