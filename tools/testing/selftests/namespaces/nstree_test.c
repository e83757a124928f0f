// SPDX-License-Identifier: GPL-2.0
/*
 * The ids of namespaces.
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

FIXTURE(each_type) {
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
}

FIXTURE_TEARDOWN(each_type)
{
}

TEST_F(each_type, initial_namespace_has_its_fixed_id)
{
	EXPECT_EQ(variant->kind->init_id, ns_id(1, variant->kind->name));
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

TEST_HARNESS_MAIN
