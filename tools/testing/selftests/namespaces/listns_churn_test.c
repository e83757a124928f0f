// SPDX-License-Identifier: GPL-2.0
/*
 * Listing while namespaces come and go: what is returned is the id of something
 * that is there or was just now, and what is there all the time is not missed.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

#define CHURN_MS 2000
#define NR_CREATORS 3
/* They each look in another way; see FIXTURE_SETUP(). */
#define NR_LISTERS 9
#define NR_LONG (2 * NS_NR_KINDS)

/* What a lister must find each time, and what it saw. */
struct lister {
	struct ns_actor *a;
	const char *how;
	__s64 (*fn)(struct ns_actor *a, __u64 arg);
	__u32 types;
	__u64 owner;
	const __u64 *must;
	size_t nr_must;
	bool exact;		/* and nothing else */
	__u64 max;
	__u64 missed;
};

static const size_t pages[] = { 1, 2, 3, 7, 16, 64, 100, 1000 };

/* What a process makes and drops, round after round; the rest is for it alone. */
static __s64 make_and_drop(__u32 types)
{
	pid_t pid = ns_clone(types, NULL);

	if (pid == 0)
		_exit(0);
	if (pid < 0)
		return -errno;
	return waitpid(pid, NULL, 0) == pid ? 0 : -errno;
}

static __s64 do_churn(struct ns_actor *a, __u64 seed)
{
	__u64 deadline = ns_now_ms() + CHURN_MS;
	__s64 ret = 0;
	int round;

	for (round = seed; !ret && ns_now_ms() < deadline; round++) {
		/* Mount namespaces most often: they take most to take apart. */
		if (unshare(CLONE_NEWNS) || unshare(CLONE_NEWNS | CLONE_NEWUTS) ||
		    unshare(CLONE_NEWIPC | CLONE_NEWCGROUP))
			return -errno;
		switch (round % 8) {
		case 0:
			ret = make_and_drop(PID_NS | TIME_NS);
			break;
		case 2:
			ret = make_and_drop(USER_NS | MNT_NS | UTS_NS | IPC_NS);
			break;
		case 4:
			ret = make_and_drop(USER_NS | TIME_NS | CGROUP_NS | PID_NS);
			break;
		case 6:
			/* Those take long to go: not so many. */
			if (round % 64 == 6)
				ret = make_and_drop(NET_NS);
			break;
		}
	}
	return ret ?: round - seed;
}

/* Shared with all. */
static struct churn {
	bool stop;
	int nr_listers;
	struct lister listers[NR_LISTERS];
} *churn;

static bool stopped(void)
{
	return __atomic_load_n(&churn->stop, __ATOMIC_RELAXED);
}

/* The number of rounds, or what was wrong. */
static __s64 do_list_on(struct ns_actor *a, __u64 n)
{
	struct lister *l = &churn->listers[n];
	struct ns_id_req req = NS_REQ(.ns_type = l->types, .user_ns_id = l->owner);
	__s64 round;

	for (round = 0; !round || !stopped(); round++) {
		ssize_t nr = ns_list_into(req, pages[round % ARRAY_SIZE(pages)],
					  a->ids, NS_ACTOR_IDS), at = 0;

		if (nr < 0)
			return nr;
		if (nr && a->ids[nr - 1] > l->max)
			l->max = a->ids[nr - 1];
		for (size_t i = 0; i < l->nr_must; i++) {
			while (at < nr && a->ids[at] < l->must[i])
				at++;
			if (at < nr && a->ids[at] == l->must[i])
				continue;
			l->missed = l->must[i];
			return -ENOENT;
		}
		if (l->exact && nr != (ssize_t)l->nr_must)
			return -EEXIST;
	}
	return round;
}

/* Open all that is listed: what is found is what was asked for, if it is. */
static __s64 do_open_on(struct ns_actor *a, __u64 n)
{
	struct lister *l = &churn->listers[n];
	__s64 round;

	for (round = 0; !round || !stopped(); round++) {
		ssize_t nr = ns_list_into(NS_REQ(), 64, a->ids, NS_ACTOR_IDS);

		if (nr < 0)
			return nr;
		if (nr && a->ids[nr - 1] > l->max)
			l->max = a->ids[nr - 1];
		for (ssize_t i = nr - 1; i >= 0; i--) {
			int fd = ns_open_handle(a->ids[i], 0, 0);
			__u64 id;

			if (fd < 0 && fd != -ESTALE)
				return fd;
			if (fd < 0 && ns_in(l->must, l->nr_must, a->ids[i])) {
				l->missed = a->ids[i];
				return -ENOENT;
			}
			if (fd < 0)
				continue;
			id = ns_fd_id(fd);
			close(fd);
			if (id != a->ids[i])
				return -EBADMSG;
		}
	}
	return round;
}

/* Go from one mount namespace to the next. */
static __s64 do_walk_on(struct ns_actor *a, __u64 n)
{
	struct lister *l = &churn->listers[n];
	__s64 round;

	for (round = 0; !round || !stopped(); round++) {
		int fd = ns_open(0, "mnt"), next;
		__u64 last = 0;
		size_t found = 0;

		if (fd < 0)
			return -errno;
		do {
			struct mnt_ns_info info = {};

			next = ioctl(fd, NS_MNT_GET_NEXT, &info);
			if (next < 0)
				next = -errno;
			close(fd);
			fd = next;
			if (fd < 0)
				break;
			if (info.mnt_ns_id <= last)
				return -EBADMSG;
			last = info.mnt_ns_id;
			found += ns_in(l->must, l->nr_must, last);
		} while (fd >= 0);
		if (fd != -ENOENT)
			return fd;
		if (last > l->max)
			l->max = last;
		if (found != l->nr_must)
			return -ENOENT;
	}
	return round;
}

FIXTURE(churn) {
	struct ns_actor *host, *container, *user;
	struct ns_actor *creators[NR_CREATORS];
	/* There all the time: of the host, and what the container sees. */
	__u64 hosts[NR_LONG], hosts_uts[2], hosts_uts_net[4], hosts_mnt[2];
	__u64 containers[NR_LONG + NS_NR_KINDS];
	__u64 containers_owned[NR_LONG + NS_NR_KINDS - 1];
	__u64 users[NS_NR_KINDS];
};

static struct lister *add_lister(const char *how, struct ns_actor *a,
				 const __u64 *must, size_t nr_must)
{
	struct lister *l = &churn->listers[churn->nr_listers++];

	l->how = how;
	l->a = a;
	l->fn = do_list_on;
	l->must = must;
	l->nr_must = nr_must;
	return l;
}

FIXTURE_SETUP(churn)
{
	int host = 0, uts = 0, un = 0, mnt = 0, own = 0;
	struct lister *l;

	churn = mmap(NULL, sizeof(*churn), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(churn != MAP_FAILED);

	self->host = ns_actor();
	self->container = ns_actor_new(NS_ALL);
	ASSERT_TRUE(!!self->host);
	ASSERT_TRUE(!!self->container);
	for (int k = 0; k < ns_nr_kinds; k++)
		self->containers[own++] = ns_id(self->container->pid, ns_kinds[k].name);

	for (int i = 0; i < 2; i++) {
		for (int k = 0; k < ns_nr_kinds; k++) {
			__s64 id = ns_call(self->host, ns_do_new, ns_kinds[k].type);

			ASSERT_LT(0, id);
			self->hosts[host++] = id;
			if (ns_kinds[k].type == UTS_NS)
				self->hosts_uts[uts++] = id;
			if (ns_kinds[k].type & (UTS_NS | NET_NS))
				self->hosts_uts_net[un++] = id;
			if (ns_kinds[k].type == MNT_NS)
				self->hosts_mnt[mnt++] = id;
			id = ns_call(self->container, ns_do_new, ns_kinds[k].type);
			ASSERT_LT(0, id);
			self->containers[own++] = id;
		}
	}
	ns_sort(self->containers, own);
	/* The container's user namespace is the first; it is not its own. */
	memcpy(self->containers_owned, self->containers + 1,
	       sizeof(self->containers_owned));

	/* A caller in the initial user namespace, which others make things in. */
	self->user = ns_actor();
	ASSERT_EQ(0, ns_call(self->user, ns_do_setuid, NS_UID_OTHER));
	for (int k = 0; k < ns_nr_kinds; k++)
		self->users[k] = ns_id(self->user->pid, ns_kinds[k].name);
	ns_sort(self->users, ns_nr_kinds);

	/* The lists are in place: the listers, forked now, know them. */
	add_lister("all, as root", ns_actor(), self->hosts, host);
	l = add_lister("one type, as root", ns_actor(), self->hosts_uts, 2);
	l->types = UTS_NS;
	l = add_lister("two types, as root", ns_actor(),
		       self->hosts_uts_net, 4);
	l->types = UTS_NS | NET_NS;
	l = add_lister("by owner, as root", ns_actor(), self->hosts, host);
	l->owner = USER_NS_INIT_ID;
	l = add_lister("all, as root of a container",
		       ns_actor_in(self->container, NS_ALL), self->containers, own);
	l->exact = true;
	l = add_lister("by owner, as root of a container",
		       ns_actor_in(self->container, NS_ALL),
		       self->containers_owned, own - 1);
	l->owner = LISTNS_CURRENT_USER;
	l->exact = true;
	l = add_lister("all, without privileges", ns_actor(), self->users,
		       ns_nr_kinds);
	l->exact = true;
	ASSERT_EQ(0, ns_call(l->a, ns_do_setuid, NS_UID_OTHER));
	l = add_lister("open by id", ns_actor(), self->hosts, host);
	l->fn = do_open_on;
	l = add_lister("next mount namespace", ns_actor(),
		       self->hosts_mnt, 2);
	l->fn = do_walk_on;
	ASSERT_EQ(NR_LISTERS, churn->nr_listers);

	for (int i = 0; i < NR_CREATORS; i++) {
		self->creators[i] = ns_actor();
		ASSERT_TRUE(!!self->creators[i]);
	}
}

FIXTURE_TEARDOWN(churn)
{
	ns_actors_kill();
}

TEST_F(churn, lists_what_stays_and_no_id_that_never_was)
{
	__u64 after;
	int fd;

	for (int i = 0; i < NR_LISTERS; i++)
		ASSERT_TRUE(ns_start(churn->listers[i].a, churn->listers[i].fn, i));
	for (int i = 0; i < NR_CREATORS; i++)
		ASSERT_TRUE(ns_start(self->creators[i], do_churn, i));

	/* It is the creators that know when it has been enough. */
	for (int i = 0; i < NR_CREATORS; i++) {
		EXPECT_LT(0, ns_finish(self->creators[i])) {
			TH_LOG("creator %d", i);
		}
	}
	__atomic_store_n(&churn->stop, true, __ATOMIC_RELAXED);
	for (int i = 0; i < NR_LISTERS; i++) {
		struct lister *l = &churn->listers[i];

		EXPECT_LT(0, ns_finish(l->a)) {
			TH_LOG("%s: missed %llu", l->how,
			       (unsigned long long)l->missed);
		}
	}

	/* Ids grow: none can be larger than one that is given out now. */
	fd = ns_new(UTS_NS);
	ASSERT_LE(0, fd);
	after = ns_fd_id(fd);
	for (int i = 0; i < NR_LISTERS; i++) {
		EXPECT_GT(after, churn->listers[i].max) {
			TH_LOG("%s", churn->listers[i].how);
		}
	}
}

#define NR_NEW 300

/* Make many, keep them, and write down which. */
static __s64 do_make_many(struct ns_actor *a, __u64 seed)
{
	static const int kinds[] = { NS_UTS, NS_IPC, NS_CGROUP, NS_MNT };

	for (a->nr = 0; a->nr < NR_NEW; a->nr++) {
		int k = kinds[(a->nr + seed) % ARRAY_SIZE(kinds)], fd;

		if (unshare(ns_kinds[k].type))
			return -errno;
		fd = ns_open(0, ns_kinds[k].name);
		if (fd < 0)
			return -errno;
		a->ids[a->nr] = ns_fd_id(fd);
	}
	return 0;
}

/* Gather what is newer than the newest one, until no more is made. */
static __s64 do_poll_on(struct ns_actor *a, __u64 owner)
{
	struct ns_id_req req = a->req;
	bool last;

	req.user_ns_id = owner;
	a->nr = 0;
	do {
		ssize_t ret;

		last = stopped();
		ret = ns_list_into(req, 16, a->ids + a->nr, NS_ACTOR_IDS - a->nr);
		if (ret < 0)
			return ret;
		a->nr += ret;
		if (a->nr)
			req.ns_id = a->ids[a->nr - 1];
		/* There are more who ask than who create. */
		sched_yield();
	} while (!last);
	return 0;
}

/*
 * A namespace is listed when it becomes active, which is after it got its id.
 * Of two that are created at the same time, the one with the larger id may be
 * listed first. But those that one process creates are listed in order, and so
 * are those of a user namespace in which only one process creates any.
 */
TEST_F(churn, who_asks_for_what_is_newer_of_one_creator_misses_none)
{
	struct ns_actor *creators[NR_CREATORS], *all[NR_CREATORS], *uts[NR_CREATORS];

	for (int i = 0; i < NR_CREATORS; i++) {
		__u64 owner;

		creators[i] = ns_actor_new(USER_NS);
		all[i] = ns_actor();
		uts[i] = ns_actor();
		ASSERT_TRUE(creators[i] && all[i] && uts[i]);
		owner = ns_id(creators[i]->pid, "user");
		all[i]->req = NS_REQ();
		uts[i]->req = NS_REQ(.ns_type = UTS_NS);
		ASSERT_TRUE(ns_start(all[i], do_poll_on, owner));
		ASSERT_TRUE(ns_start(uts[i], do_poll_on, owner));
	}
	for (int i = 0; i < NR_CREATORS; i++)
		ASSERT_TRUE(ns_start(creators[i], do_make_many, i));
	for (int i = 0; i < NR_CREATORS; i++)
		EXPECT_EQ(0, ns_finish(creators[i]));
	__atomic_store_n(&churn->stop, true, __ATOMIC_RELAXED);

	for (int i = 0; i < NR_CREATORS; i++) {
		const struct ns_actor *c = creators[i];

		ASSERT_EQ(0, ns_finish(all[i]));
		ASSERT_EQ(0, ns_finish(uts[i]));
		EXPECT_EQ(NR_NEW, c->nr);
		EXPECT_TRUE(ns_listed_exactly(all[i], c->ids, c->nr));
		for (ssize_t j = 0; j < c->nr; j++) {
			/* The first that each of them made is of another type. */
			EXPECT_EQ((j + i) % 4 == 0, ns_listed(uts[i], c->ids[j])) {
				TH_LOG("number %zd of creator %d", j, i);
			}
		}
	}
}

TEST_HARNESS_MAIN
