// SPDX-License-Identifier: GPL-2.0
/*
 * A visible namespace makes its owner visible, and a user or pid namespace its
 * parent: so a chain comes and goes together, however long, and no part of it
 * before the last of what hangs on it.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

#define MAX_LEVELS 32

FIXTURE(chain) {
	/* In the last one of the chain. For user namespaces it is the only task. */
	struct ns_actor *a;
	/* That of pids, where there is one, otherwise the user namespace. */
	struct ns_key keys[MAX_LEVELS], owners[MAX_LEVELS];
	int fds[MAX_LEVELS];
};

FIXTURE_VARIANT(chain) {
	__u32 types;
	int levels;
};

FIXTURE_VARIANT_ADD(chain, user_1) { USER_NS, 1 };
FIXTURE_VARIANT_ADD(chain, user_3) { USER_NS, 3 };
FIXTURE_VARIANT_ADD(chain, user_32) { USER_NS, 32 };
FIXTURE_VARIANT_ADD(chain, pid_1) { PID_NS, 1 };
FIXTURE_VARIANT_ADD(chain, pid_3) { PID_NS, 3 };
FIXTURE_VARIANT_ADD(chain, pid_32) { PID_NS, 32 };
FIXTURE_VARIANT_ADD(chain, user_and_pid_1) { USER_NS | PID_NS, 1 };
FIXTURE_VARIANT_ADD(chain, user_and_pid_3) { USER_NS | PID_NS, 3 };
FIXTURE_VARIANT_ADD(chain, user_and_pid_32) { USER_NS | PID_NS, 32 };

FIXTURE_SETUP(chain)
{
	const char *name = variant->types & PID_NS ? "pid" : "user";

	self->a = ns_actor();
	for (int i = 0; i < variant->levels; i++) {
		ASSERT_EQ(0, ns_call(self->a, ns_do_enter, variant->types));
		self->keys[i] = ns_key(self->a->pid, name);
		if (variant->types & USER_NS)
			self->owners[i] = ns_key(self->a->pid, "user");
		self->fds[i] = ns_open(self->a->pid, name);
		ASSERT_LE(0, self->fds[i]);
	}
}

FIXTURE_TEARDOWN(chain)
{
	ns_actors_kill();
}

/* Are exactly the first @nr of them there, and their owners? */
static bool first_seen(const struct ns_key *keys, const struct ns_key *owners,
		       int levels, int nr)
{
	for (int i = 0; i < levels; i++) {
		int want = i < nr ? NS_SEEN : 0;

		if (ns_seen(&keys[i]) != want ||
		    (owners[i].ns.ns_id && ns_seen(&owners[i]) != want))
			return false;
	}
	return true;
}

#define EXPECT_FIRST_SEEN(nr) \
	EXPECT_TRUE(first_seen(self->keys, self->owners, variant->levels, nr))

TEST_F(chain, goes_together_with_its_last_task)
{
	for (int i = 0; i < variant->levels; i++)
		close(self->fds[i]);
	EXPECT_FIRST_SEEN(variant->levels);
	ns_actor_kill(self->a);
	EXPECT_FIRST_SEEN(0);
}

TEST_F(chain, goes_together_with_the_file_of_the_last_level)
{
	ns_actor_kill(self->a);
	for (int i = 0; i < variant->levels - 1; i++) {
		close(self->fds[i]);
		EXPECT_FIRST_SEEN(variant->levels) {
			TH_LOG("level %d", i);
		}
	}
	close(self->fds[variant->levels - 1]);
	EXPECT_FIRST_SEEN(0);
}

TEST_F(chain, loses_one_level_after_the_other_from_the_end)
{
	ns_actor_kill(self->a);
	for (int i = variant->levels; i; i--) {
		EXPECT_FIRST_SEEN(i) {
			TH_LOG("level %d", i);
		}
		close(self->fds[i - 1]);
	}
	EXPECT_FIRST_SEEN(0);
}

/* A user namespace that no task is in, and what it owns: files, one of each type. */
FIXTURE(family) {
	struct ns_key owner, keys[NS_NR_KINDS];
	int fds[NS_NR_KINDS];
};

FIXTURE_SETUP(family)
{
	struct ns_actor *a = ns_actor_new(USER_NS);

	ASSERT_TRUE(!!a);
	self->owner = ns_key(a->pid, "user");
	for (int k = 0; k < ns_nr_kinds; k++) {
		__s64 id = ns_call(a, ns_do_new, ns_kinds[k].type);

		self->fds[k] = ns_open_handle(id, 0, 0);
		ASSERT_LE(0, self->fds[k]);
		self->keys[k] = ns_key_of(self->fds[k]);
	}
	ns_actor_kill(a);
}

FIXTURE_TEARDOWN(family)
{
	ns_actors_kill();
}

TEST_F(family, owner_is_visible_until_the_last_child_is_not)
{
	struct ns_id_req req = NS_REQ(.user_ns_id = self->owner.ns.ns_id);
	__u64 ids[NS_NR_KINDS + 1];

	/* In an order that has nothing to do with that of their making. */
	for (int i = 0, k = 5; i < ns_nr_kinds; i++, k = (k + 3) % ns_nr_kinds) {
		EXPECT_SEEN(&self->owner);
		EXPECT_SEEN(&self->keys[k]);
		EXPECT_EQ(ns_nr_kinds - i, ns_list_into(req, NS_NR_KINDS + 1, ids,
							NS_NR_KINDS + 1));
		close(self->fds[k]);
		EXPECT_UNSEEN(&self->keys[k]);
	}
	EXPECT_UNSEEN(&self->owner);
}

TEST_F(family, children_are_not_visible_because_their_owner_is)
{
	int fd = ns_open_handle(self->owner.ns.ns_id, 0, 0);
	struct ns_id_req req = NS_REQ(.user_ns_id = self->owner.ns.ns_id);
	__u64 id;

	ASSERT_LE(0, fd);
	for (int k = 0; k < ns_nr_kinds; k++)
		close(self->fds[k]);
	for (int k = 0; k < ns_nr_kinds; k++)
		EXPECT_UNSEEN(&self->keys[k]);
	EXPECT_SEEN(&self->owner);
	EXPECT_EQ(0, ns_list_into(req, 1, &id, 1));
	close(fd);
	EXPECT_UNSEEN(&self->owner);
}

FIXTURE(pids) {
	struct ns_actor *a;
};

FIXTURE_SETUP(pids)
{
	self->a = ns_actor_new(USER_NS | PID_NS);
	ASSERT_TRUE(!!self->a);
}

FIXTURE_TEARDOWN(pids)
{
	ns_actors_kill();
}

TEST_F(pids, parent_is_visible_until_the_last_child_is_not)
{
	struct ns_key parent = ns_key(self->a->pid, "pid"), keys[3];
	int fds[ARRAY_SIZE(keys)];

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		fds[i] = ns_open_handle(ns_call(self->a, ns_do_new, PID_NS), 0, 0);
		ASSERT_LE(0, fds[i]);
		keys[i] = ns_key_of(fds[i]);
	}
	ns_actor_kill(self->a);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		EXPECT_SEEN(&parent);
		EXPECT_SEEN(&keys[i]);
		close(fds[i]);
		EXPECT_UNSEEN(&keys[i]);
	}
	EXPECT_UNSEEN(&parent);
}

/* An owner that two of the chain have, and a parent that has another owner. */
TEST_F(pids, owners_and_parents_of_a_chain_are_counted_apart)
{
	struct ns_actor *a = self->a;
	struct ns_key pids[3], users[2];
	int user, pid;

	users[0] = ns_key(a->pid, "user");
	pids[0] = ns_key(a->pid, "pid");
	ASSERT_EQ(0, ns_call(a, ns_do_enter, PID_NS));
	pids[1] = ns_key(a->pid, "pid");
	ASSERT_EQ(0, ns_call(a, ns_do_enter, USER_NS));
	users[1] = ns_key(a->pid, "user");
	ASSERT_EQ(0, ns_call(a, ns_do_enter, PID_NS));
	pids[2] = ns_key(a->pid, "pid");
	user = ns_open(a->pid, "user");
	pid = ns_open(a->pid, "pid");
	ns_actor_kill(a);

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_SEEN(&pids[i]);
	close(pid);
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		EXPECT_UNSEEN(&pids[i]);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		EXPECT_SEEN(&users[i]);
	close(user);
	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		EXPECT_UNSEEN(&users[i]);
}

TEST_HARNESS_MAIN
