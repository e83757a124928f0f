// SPDX-License-Identifier: GPL-2.0
/*
 * Which ids listns() returns for which types and owners, in which order, and
 * that this does not depend on how they are cut into pages.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

/* So many of each type. */
#define NR_EACH 3
#define OWNED(kinds) ((NR_EACH + 1) * (kinds) - 1)
#define NR_OWNED OWNED(ns_nr_kinds)
#define MAX_OWNED OWNED(NS_NR_KINDS)

/* All that it owns directly, with the types. */
static __u64 owned[MAX_OWNED];
static __u32 types_of[MAX_OWNED];
/* What a listing should be. */
static __u64 want[MAX_OWNED + 1];

/*
 * A container sees its own namespaces, and those that its user namespace owns.
 * Both are known, whatever else happens in the system.
 */
FIXTURE(scan) {
	struct ns_actor *host;
	struct ns_actor *container;
	__u64 user;		/* the container's user namespace */
};

static const size_t pages[] = {
	1, 2, 3, 7, 16, OWNED(NS_NR_KINDS - 1) - 1, OWNED(NS_NR_KINDS - 1),
	OWNED(NS_NR_KINDS - 1) + 1, MAX_OWNED - 1, MAX_OWNED, MAX_OWNED + 1, 64, 1000,
};

FIXTURE_SETUP(scan)
{
	int nr = 0;

	self->host = ns_actor();
	self->container = ns_actor_new(NS_ALL);
	ASSERT_TRUE(!!self->host);
	ASSERT_TRUE(!!self->container);
	self->user = ns_id(self->container->pid, "user");

	for (int k = 0; k < ns_nr_kinds; k++) {
		if (ns_kinds[k].type == USER_NS)
			continue;
		want[nr++] = ns_id(self->container->pid, ns_kinds[k].name);
	}
	ns_sort(want, nr);
	for (int i = 0; i < nr; i++) {
		owned[i] = want[i];
		for (int k = 0; k < ns_nr_kinds; k++)
			if (ns_id(self->container->pid, ns_kinds[k].name) == want[i])
				types_of[i] = ns_kinds[k].type;
	}

	/* Of one type after the other, so that types alternate. */
	for (int i = 0; i < NR_EACH; i++) {
		for (int k = 0; k < ns_nr_kinds; k++) {
			__s64 id = ns_call(self->container, ns_do_new, ns_kinds[k].type);

			ASSERT_LT(0, id) {
				TH_LOG("type %s", ns_kinds[k].name);
			}
			owned[nr] = id;
			types_of[nr++] = ns_kinds[k].type;
		}
	}
	ASSERT_EQ(NR_OWNED, nr);
}

FIXTURE_TEARDOWN(scan)
{
	ns_actors_kill();
}

/* Which of what the container owns are of the types, 0 being all? */
static size_t want_types(__u32 types)
{
	size_t nr = 0;

	for (int i = 0; i < NR_OWNED; i++)
		if (!types || types_of[i] & types)
			want[nr++] = owned[i];
	return nr;
}

/* What the container sees: what it owns, and its own user namespace. */
static size_t want_visible(__u64 user)
{
	want[0] = user;
	memcpy(want + 1, owned, NR_OWNED * sizeof(*owned));
	return NR_OWNED + 1;
}

/* Leave in the listing what the container owns. */
static ssize_t keep_owned(struct ns_actor *a)
{
	ssize_t nr = 0;

	for (ssize_t i = 0; i < a->nr; i++)
		if (ns_in(owned, NR_OWNED, a->ids[i]))
			a->ids[nr++] = a->ids[i];
	a->nr = a->nr < 0 ? a->nr : nr;
	return a->nr;
}

TEST_F(scan, every_combination_of_types_lists_these_types)
{
	for (unsigned int set = 1; set < 1U << NS_NR_KINDS; set++) {
		__u32 types = 0;
		size_t nr;

		for (int k = 0; k < NS_NR_KINDS; k++)
			if (set & 1U << k)
				types |= ns_kinds[k].type;
		nr = want_types(types);

		ns_list(self->host, NS_REQ(.ns_type = types,
					   .user_ns_id = self->user), 1000);
		EXPECT_TRUE(ns_listed_exactly(self->host, want, nr)) {
			TH_LOG("by owner, types %x", types);
		}

		ns_list(self->host, NS_REQ(.ns_type = types), 1000);
		keep_owned(self->host);
		EXPECT_TRUE(ns_listed_exactly(self->host, want, nr)) {
			TH_LOG("types %x", types);
		}
	}
}

TEST_F(scan, type_zero_lists_all_types)
{
	size_t nr = want_types(0);

	ns_list(self->host, NS_REQ(.user_ns_id = self->user), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->host, want, nr));
	ns_list(self->host, NS_REQ(), 1000);
	keep_owned(self->host);
	EXPECT_TRUE(ns_listed_exactly(self->host, want, nr));
}

TEST_F(scan, ids_increase_strictly_and_so_come_once)
{
	static const __u32 types[] = { 0, UTS_NS, UTS_NS | USER_NS, NS_ALL };
	static __u64 ids[100000];

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		struct ns_id_req req = NS_REQ(.ns_type = types[i]);
		ssize_t nr = sys_listns(&req, ids, ARRAY_SIZE(ids), 0);

		ASSERT_LE(NR_EACH, nr);
		EXPECT_LT(0, ids[0]);
		for (ssize_t j = 1; j < nr; j++)
			EXPECT_LT(ids[j - 1], ids[j]);
	}
}

TEST_F(scan, owner_filter_lists_only_what_is_owned_directly)
{
	struct ns_actor *inner = ns_actor_in(self->container, USER_NS | PID_NS);
	__u64 user, uts;

	ASSERT_EQ(0, ns_call(inner, ns_do_enter, USER_NS | UTS_NS));
	user = ns_id(inner->pid, "user");
	uts = ns_id(inner->pid, "uts");

	ns_list(self->host, NS_REQ(.user_ns_id = self->user), 1000);
	EXPECT_EQ(NR_OWNED + 1, self->host->nr);
	EXPECT_TRUE(ns_listed(self->host, user));
	EXPECT_FALSE(ns_listed(self->host, uts));
	/* A user namespace does not own itself. */
	EXPECT_FALSE(ns_listed(self->host, self->user));

	ns_list(self->host, NS_REQ(.user_ns_id = user), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->host, &uts, 1));

	/* The parent of the one is not the owner of what is in the other. */
	ns_list(self->host, NS_REQ(.user_ns_id = USER_NS_INIT_ID), 1000);
	EXPECT_TRUE(ns_listed(self->host, self->user));
	EXPECT_FALSE(ns_listed(self->host, user));
	EXPECT_FALSE(ns_listed(self->host, uts));
	EXPECT_EQ(0, keep_owned(self->host));
}

TEST_F(scan, initial_user_namespace_owns_the_initial_namespaces)
{
	ns_list(self->host, NS_REQ(.user_ns_id = USER_NS_INIT_ID), 1000);
	for (int k = 0; k < ns_nr_kinds; k++) {
		if (ns_kinds[k].type == USER_NS)
			continue;
		EXPECT_TRUE(ns_listed(self->host, ns_kinds[k].init_id)) {
			TH_LOG("type %s", ns_kinds[k].name);
		}
	}
}

TEST_F(scan, current_user_is_the_callers_user_namespace)
{
	size_t nr = want_types(0);

	ns_list(self->container, NS_REQ(.user_ns_id = LISTNS_CURRENT_USER), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->container, want, nr));
	ns_list(self->container, NS_REQ(.user_ns_id = self->user), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->container, want, nr));

	ns_list(self->host, NS_REQ(.user_ns_id = LISTNS_CURRENT_USER), 1000);
	EXPECT_TRUE(ns_listed(self->host, self->user));
	EXPECT_TRUE(ns_listed(self->host, UTS_NS_INIT_ID));
	EXPECT_EQ(0, keep_owned(self->host));
}

TEST_F(scan, owner_filter_goes_together_with_types)
{
	static const __u32 types[] = { UTS_NS, USER_NS, PID_NS | NET_NS, NS_ALL };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		size_t nr = want_types(types[i]);

		ns_list(self->container,
			NS_REQ(.ns_type = types[i],
			       .user_ns_id = LISTNS_CURRENT_USER), 1000);
		EXPECT_TRUE(ns_listed_exactly(self->container, want, nr)) {
			TH_LOG("types %x", types[i]);
		}
	}
}

/*
 * In what ways can be listed: one after the other until there are no more. To
 * the container it is its own that are listed, also where all are asked for.
 */
static bool next_mode(__u64 user, unsigned int *mode, struct ns_id_req *req)
{
	const __u32 types[] = { 0, NS_ALL, UTS_NS, USER_NS, UTS_NS | NET_NS };
	const __u64 owners[] = { 0, LISTNS_CURRENT_USER, user };

	if (*mode == ARRAY_SIZE(types) * ARRAY_SIZE(owners))
		return false;
	*req = NS_REQ(.ns_type = types[*mode / ARRAY_SIZE(owners)],
		      .user_ns_id = owners[*mode % ARRAY_SIZE(owners)]);
	++*mode;
	return true;
}

TEST_F(scan, size_of_pages_makes_no_difference)
{
	struct ns_actor *a = self->container;
	struct ns_id_req req;
	unsigned int mode = 0;
	__u64 whole[MAX_OWNED + 1];

	while (next_mode(self->user, &mode, &req)) {
		ssize_t nr = ns_list(a, req, 1000);

		ASSERT_LE(NR_EACH, nr);
		ASSERT_GE(NR_OWNED + 1, nr);
		memcpy(whole, a->ids, nr * sizeof(*whole));
		for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
			ns_list(a, req, pages[i]);
			EXPECT_TRUE(ns_listed_exactly(a, whole, nr)) {
				TH_LOG("page of %zu: %zd of %zd", pages[i], a->nr, nr);
			}
		}
	}
}

TEST_F(scan, size_of_pages_makes_no_difference_to_host_root)
{
	size_t nr = want_types(0);

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ns_list(self->host, NS_REQ(), pages[i]);
		keep_owned(self->host);
		EXPECT_TRUE(ns_listed_exactly(self->host, want, nr)) {
			TH_LOG("page of %zu", pages[i]);
		}
	}
}

TEST_F(scan, container_sees_all_that_is_its_own)
{
	size_t nr = want_visible(self->user);

	ns_list(self->container, NS_REQ(), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->container, want, nr));
}

TEST_F(scan, end_is_zero_in_every_mode)
{
	struct ns_actor *a = self->container;
	struct ns_id_req req;
	unsigned int mode = 0;

	while (next_mode(self->user, &mode, &req)) {
		ssize_t nr = ns_list(a, req, 1000);

		ASSERT_LE(NR_EACH, nr);
		req.ns_id = a->ids[nr - 1];
		EXPECT_EQ(0, ns_list(a, req, 1));
		EXPECT_EQ(0, ns_list(a, req, 1000));
		/* And one past what was never the id of anything. */
		req.ns_id++;
		EXPECT_EQ(0, ns_list(a, req, 1000));
	}
}

TEST_F(scan, nothing_at_all_is_zero)
{
	struct ns_actor *a = ns_actor_new(USER_NS);
	__u64 user;

	ASSERT_TRUE(!!a);
	user = ns_id(a->pid, "user");
	EXPECT_EQ(0, ns_list(self->host, NS_REQ(.user_ns_id = user), 16));
	EXPECT_EQ(0, ns_list(self->host, NS_REQ(.user_ns_id = user,
						.ns_type = UTS_NS), 16));
	EXPECT_EQ(0, ns_list(a, NS_REQ(.user_ns_id = LISTNS_CURRENT_USER), 16));
	EXPECT_EQ(0, ns_list(a, NS_REQ(.user_ns_id = LISTNS_CURRENT_USER,
				       .ns_type = UTS_NS | NET_NS), 16));
}

TEST_F(scan, every_id_is_a_place_to_go_on_from)
{
	struct ns_actor *a = self->container;
	struct ns_id_req req;
	unsigned int mode = 0;
	__u64 whole[MAX_OWNED + 1];

	while (next_mode(self->user, &mode, &req)) {
		ssize_t nr = ns_list(a, req, 1000);

		ASSERT_LE(NR_EACH, nr);
		ASSERT_GE(NR_OWNED + 1, nr);
		memcpy(whole, a->ids, nr * sizeof(*whole));
		/*
		 * Also from one that is not in this listing, because it is of
		 * another type, or somebody else's: larger ids follow.
		 */
		for (int i = 0; i < NR_OWNED; i++) {
			ssize_t skip = 0;

			while (skip < nr && whole[skip] <= owned[i])
				skip++;
			req.ns_id = owned[i];
			ns_list(a, req, 5);
			EXPECT_TRUE(ns_listed_exactly(a, whole + skip, nr - skip)) {
				TH_LOG("after %d", i);
			}
		}
	}
}

TEST_F(scan, listing_goes_on_after_the_last_id_seen_is_gone)
{
	struct ns_actor *a = self->container;

	/* One of each type goes, as the last of what a page returned. */
	for (int i = ns_nr_kinds - 1; i < 2 * ns_nr_kinds - 1; i++) {
		struct ns_id_req req = NS_REQ(.user_ns_id = self->user);
		int rest = NR_OWNED - i - 1;

		ASSERT_EQ(0, ns_call(a, ns_do_close, owned[i]));
		ASSERT_FALSE(ns_is_listed(owned[i], 0, 0));

		req.ns_id = owned[i];
		ns_list(self->host, req, 4);
		EXPECT_TRUE(ns_listed_exactly(self->host, owned + i + 1, rest));
		ns_list(a, req, 4);
		EXPECT_TRUE(ns_listed_exactly(a, owned + i + 1, rest));
		req.user_ns_id = 0;
		ns_list(a, req, 4);
		EXPECT_TRUE(ns_listed_exactly(a, owned + i + 1, rest));
		ns_list(self->host, req, 4);
		keep_owned(self->host);
		EXPECT_TRUE(ns_listed_exactly(self->host, owned + i + 1, rest));

		/* By type, too. */
		req.ns_type = types_of[i];
		ns_list(a, req, 4);
		EXPECT_EQ(NR_EACH - 1, a->nr);
		EXPECT_FALSE(ns_listed(a, owned[i]));
	}
}

TEST_F(scan, rest_of_a_type_is_listed_after_its_last_one_is_gone)
{
	for (int i = NR_OWNED - ns_nr_kinds; i < NR_OWNED; i++) {
		struct ns_id_req req = NS_REQ(.ns_type = types_of[i]);
		size_t nr = 0;

		ASSERT_EQ(0, ns_call(self->container, ns_do_close, owned[i]));
		for (int n = 0; n < i; n++)
			if (types_of[n] == types_of[i])
				want[nr++] = owned[n];

		ns_list(self->host, req, 4);
		keep_owned(self->host);
		EXPECT_TRUE(ns_listed_exactly(self->host, want, nr));
		req.user_ns_id = self->user;
		ns_list(self->host, req, 4);
		EXPECT_TRUE(ns_listed_exactly(self->host, want, nr));
	}
}

TEST_F(scan, what_stays_comes_once_whatever_else_comes_and_goes)
{
	const int victims = NR_OWNED - 2 * ns_nr_kinds, stay = NR_OWNED - ns_nr_kinds;
	struct ns_id_req req = NS_REQ(.user_ns_id = self->user);
	struct ns_actor *a = self->container;
	__s64 made = 0;

	/* One of each type goes, out of the middle, before it is its turn. */
	memmove(want, owned, victims * sizeof(*want));
	memmove(want + victims, owned + victims + ns_nr_kinds,
		ns_nr_kinds * sizeof(*want));

	for (int seen = 0; seen < stay; seen++) {
		__u64 id = 0;

		ASSERT_EQ(1, sys_listns(&req, &id, 1, 0));
		EXPECT_EQ(want[seen], id);
		req.ns_id = id;

		if (seen == 2)
			for (int i = 0; i < ns_nr_kinds; i++) {
				id = owned[victims + i];
				ASSERT_EQ(0, ns_call(a, ns_do_close, id));
				ASSERT_FALSE(ns_is_listed(id, 0, 0));
			}

		/* Others come, and go again. */
		if (made)
			ASSERT_EQ(0, ns_call(a, ns_do_close, made));
		made = ns_call(a, ns_do_new, UTS_NS);
		ASSERT_LT(0, made);
	}
}

/* Between any two that the container sees there are many that it does not. */
FIXTURE(crowd) {
	struct ns_actor *host;
	struct ns_actor *container;
	__u64 seen[NS_NR_KINDS + 8];
};

FIXTURE_SETUP(crowd)
{
	int nr = 0;

	self->host = ns_actor();
	self->container = ns_actor_new(USER_NS | PID_NS);
	ASSERT_TRUE(!!self->host);
	ASSERT_TRUE(!!self->container);

	for (int k = 0; k < ns_nr_kinds; k++)
		self->seen[nr++] = ns_id(self->container->pid, ns_kinds[k].name);
	for (int i = 0; i < 8; i++) {
		ASSERT_EQ(0, ns_call(self->host, ns_do_new_uts, 40));
		self->seen[nr] = ns_call(self->container, ns_do_new, UTS_NS);
		ASSERT_LT(0, (__s64)self->seen[nr++]);
	}
	ns_sort(self->seen, nr);
}

FIXTURE_TEARDOWN(crowd)
{
	ns_actors_kill();
}

TEST_F(crowd, page_does_not_end_early_before_what_the_caller_may_not_see)
{
	struct ns_actor *a = self->container;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ns_list(a, NS_REQ(), pages[i]);
		EXPECT_TRUE(ns_listed_exactly(a, self->seen, ns_nr_kinds + 8)) {
			TH_LOG("page of %zu: %zd ids", pages[i], a->nr);
		}
		/* Eight, and the initial one, which is one of its own. */
		ns_list(a, NS_REQ(.ns_type = UTS_NS), pages[i]);
		EXPECT_EQ(9, a->nr) {
			TH_LOG("page of %zu", pages[i]);
		}
		ns_list(a, NS_REQ(.ns_type = UTS_NS | PID_NS), pages[i]);
		EXPECT_EQ(10, a->nr) {
			TH_LOG("page of %zu", pages[i]);
		}
	}
}

TEST_F(crowd, page_of_one_owner_does_not_end_early_either)
{
	struct ns_actor *a = self->container;
	__u64 used[2] = { ns_id(a->pid, "pid") };

	/* Of what its user namespace owns it sees the first and the last. */
	ASSERT_EQ(0, ns_call(a, ns_do_enter, UTS_NS));
	ASSERT_EQ(0, ns_call(a, ns_do_drop_cap, CAP_SYS_ADMIN));
	used[1] = ns_id(a->pid, "uts");
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ns_list(a, NS_REQ(.user_ns_id = LISTNS_CURRENT_USER), pages[i]);
		EXPECT_TRUE(ns_listed_exactly(a, used, 2)) {
			TH_LOG("page of %zu: %zd ids", pages[i], a->nr);
		}
	}
}

TEST_F(crowd, search_for_a_type_stays_with_its_owner)
{
	__u64 user = ns_id(self->container->pid, "user");
	__u64 own = ns_id(self->container->pid, "pid");

	/* Behind many of another type there is one of the same type, not its own. */
	ASSERT_LT(0, ns_call(self->host, ns_do_new, PID_NS));
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ns_list(self->host, NS_REQ(.ns_type = PID_NS, .user_ns_id = user), pages[i]);
		EXPECT_TRUE(ns_listed_exactly(self->host, &own, 1)) {
			TH_LOG("page of %zu: %zd ids", pages[i], self->host->nr);
		}
	}
}

TEST_F(crowd, caller_without_privileges_gets_past_it)
{
	struct ns_actor *a = ns_actor();
	__u64 used[NS_NR_KINDS];

	/* Its own namespaces are before the many others, and one is after. */
	ASSERT_EQ(0, ns_call(a, ns_do_enter, UTS_NS));
	ASSERT_EQ(0, ns_call(a, ns_do_setuid, NS_UID_OTHER));
	for (int k = 0; k < ns_nr_kinds; k++)
		used[k] = ns_id(a->pid, ns_kinds[k].name);
	ns_sort(used, ns_nr_kinds);
	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		ns_list(a, NS_REQ(), pages[i]);
		EXPECT_TRUE(ns_listed_exactly(a, used, ns_nr_kinds)) {
			TH_LOG("page of %zu: %zd ids", pages[i], a->nr);
		}
	}
}

TEST_HARNESS_MAIN
