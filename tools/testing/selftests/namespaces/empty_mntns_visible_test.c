// SPDX-License-Identifier: GPL-2.0
/*
 * Mount namespaces that start empty, and who sees them: they are like all others.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

/* For headers that are older than the kernel under test. */
#ifndef CLONE_EMPTY_MNTNS
#define CLONE_EMPTY_MNTNS 0x2000000000ULL
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif

FIXTURE(empty) {
	struct ns_actor *a;
};

FIXTURE_VARIANT(empty) {
	__u64 unshare;
	__u64 clone3;
};

FIXTURE_VARIANT_ADD(empty, unshare) { .unshare = UNSHARE_EMPTY_MNTNS };
FIXTURE_VARIANT_ADD(empty, unshare_with_user_ns) { .unshare = UNSHARE_EMPTY_MNTNS | USER_NS };
FIXTURE_VARIANT_ADD(empty, clone3) { .clone3 = CLONE_EMPTY_MNTNS };
FIXTURE_VARIANT_ADD(empty, clone3_with_user_ns) { .clone3 = CLONE_EMPTY_MNTNS | USER_NS };

FIXTURE_SETUP(empty)
{
	if (geteuid())
		SKIP(return, "not run as root");
	self->a = variant->clone3 ? ns_actor_born(variant->clone3) : ns_actor();
	ASSERT_TRUE(!!self->a);
	if (variant->unshare)
		ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, variant->unshare));
}

FIXTURE_TEARDOWN(empty)
{
	ns_actors_kill();
}

TEST_F(empty, is_visible_as_long_as_it_is_used)
{
	struct ns_key key = ns_key(self->a->pid, "mnt");
	int before = ns_open(0, "mnt"), after = ns_new(MNT_NS);
	__u64 id = key.ns.ns_id;

	ASSERT_LE(0, before);
	ASSERT_LE(0, after);
	EXPECT_SEEN(&key);
	EXPECT_TRUE(ns_walk_meets(before, NS_MNT_GET_NEXT, id, ns_fd_id(after)));
	EXPECT_TRUE(ns_walk_meets(after, NS_MNT_GET_PREV, id, ns_fd_id(before)));
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&key);
	EXPECT_FALSE(ns_walk_meets(before, NS_MNT_GET_NEXT, id, ns_fd_id(after)));
	EXPECT_FALSE(ns_walk_meets(after, NS_MNT_GET_PREV, id, ns_fd_id(before)));
	close(before);
	close(after);
}

TEST_HARNESS_MAIN
