// SPDX-License-Identifier: GPL-2.0
/*
 * What can be found by the id of a namespace: with listns(2), and by file handle.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

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

FIXTURE(handle) {
};

FIXTURE_SETUP(handle)
{
}

FIXTURE_TEARDOWN(handle)
{
	ns_actors_kill();
}

/* Where there is nothing to join yet, it can be seen all the same. */
TEST_F(handle, pid_namespace_is_listed_and_opened_before_it_has_an_init)
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

TEST_HARNESS_MAIN
