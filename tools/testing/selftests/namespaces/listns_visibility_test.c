// SPDX-License-Identifier: GPL-2.0
/*
 * Who may see which namespaces: by listns(), by a file handle, by going from one
 * mount namespace to the next, and by listmount() and statmount(). One rule holds
 * for all of them.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "../filesystems/statmount/statmount.h"
#include "ns_helpers.h"

/* Of <linux/sched.h>, as /proc/<pid>/stat shows it. */
#define PF_SUPERPRIV 0x00000100

/* Who there is to be seen. */
enum {
	HOST,		/* in the initial user namespace */
	CONTAINER,	/* in a user namespace that root made */
	NEIGHBOUR,	/* in the same one, in other namespaces */
	NESTED,		/* in a user namespace below the container's */
	FOREIGN,	/* in another user namespace that root made */
	USERS,		/* in one that a user without privileges made */
	NR_WHO,
};

#define SEES(who) (1U << (who))
#define SEES_ALL (SEES(NR_WHO) - 1)

/*
 * They are there before the first test and until after the last one, and are
 * set up before any caller is forked, so that callers know them too.
 */
static struct who {
	const char *name;
	struct ns_actor *actor;
	/* By the number of the kind; id 0 is one that is somebody else's. */
	struct nsfs_file_handle ns[NS_NR_KINDS];
	__u64 owner[NS_NR_KINDS];
} whos[NR_WHO] = {
	[HOST]		= { .name = "host" },
	[CONTAINER]	= { .name = "container" },
	[NEIGHBOUR]	= { .name = "neighbour" },
	[NESTED]	= { .name = "nested" },
	[FOREIGN]	= { .name = "foreign" },
	[USERS]		= { .name = "users" },
};

/* What has been, of three types. */
static struct nsfs_file_handle gone_user, gone_uts, gone_mnt;
/* Kept by a file that does not count, and the first of its mounts. */
static struct nsfs_file_handle inactive_mnt;
static __u64 inactive_mount;
/* Files of the first and the last mount namespace that there is to be seen. */
static int mnt_files[2];
static bool ready;

static bool forget(struct nsfs_file_handle *h, __u32 type)
{
	int fd = ns_new(type);
	struct ns_handle handle;
	bool ok = fd >= 0 && !ns_get_handle(fd, &handle);

	*h = handle.ns;
	close(fd);
	return ok && !ns_is_listed(h->ns_id, 0, 0);
}

static __u64 first_mount(__u64 mnt_ns)
{
	__u64 id;

	return listmount(LSMT_ROOT, mnt_ns, 0, (uint64_t *)&id, 1, 0) == 1 ? id : 0;
}

/* Make the kernel keep a mount namespace that is inactive. */
static bool keep_inactive(void)
{
	struct ns_actor *a = ns_actor_new(MNT_NS);
	struct ns_handle handle;
	char path[64];
	int fd;

	if (!a)
		return false;
	fd = ns_open(a->pid, "mnt");
	if (fd < 0 || ns_get_handle(fd, &handle))
		return false;
	close(fd);
	inactive_mnt = handle.ns;
	inactive_mount = first_mount(inactive_mnt.ns_id);
	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)a->pid);
	fd = open(path, O_RDONLY);
	ns_actor_kill(a);
	return fd >= 0 && inactive_mount;
}

static bool meet(int who, struct ns_actor *a, __u64 outer_user)
{
	struct who *w = &whos[who];
	struct ns_handle handle;
	__u64 user;

	if (!a)
		return false;
	w->actor = a;
	user = ns_id(a->pid, "user");
	for (int k = 0; k < ns_nr_kinds; k++) {
		int fd = ns_open(a->pid, ns_kinds[k].name);
		bool ok = fd >= 0 && !ns_get_handle(fd, &handle);

		close(fd);
		if (!ok)
			return false;
		/* The user namespace may be the one that it was made in. */
		if (k == NS_USER && user == outer_user)
			continue;
		w->ns[k] = handle.ns;
		w->owner[k] = k == NS_USER ? outer_user : user;
	}
	return true;
}

static bool meet_all(void)
{
	__u64 initial = ns_id(0, "user"), container;
	struct ns_actor *a;

	if (!meet(HOST, ns_actor_new(NS_NOT_USER), initial) ||
	    !meet(CONTAINER, ns_actor_new(NS_ALL), initial) ||
	    !forget(&gone_user, USER_NS))
		return false;

	container = whos[CONTAINER].ns[NS_USER].ns_id;
	a = ns_actor_in(whos[CONTAINER].actor, USER_NS | PID_NS);
	if (ns_call(a, ns_do_enter, NS_NOT_USER) ||
	    !meet(NEIGHBOUR, a, container))
		return false;
	a = ns_actor_in(whos[CONTAINER].actor, USER_NS | PID_NS);
	if (ns_call(a, ns_do_enter, NS_ALL) || !meet(NESTED, a, container))
		return false;
	a = ns_actor();
	if (!meet(FOREIGN, ns_actor_new(NS_ALL), initial) ||
	    !forget(&gone_uts, UTS_NS) || !forget(&gone_mnt, MNT_NS) ||
	    !keep_inactive() ||
	    ns_call(a, ns_do_setuid, NS_UID_OWNER) ||
	    ns_call(a, ns_do_enter, NS_ALL) || !meet(USERS, a, initial))
		return false;
	mnt_files[0] = ns_open(0, "mnt");
	mnt_files[1] = ns_new(MNT_NS);
	return mnt_files[0] >= 0 && mnt_files[1] >= 0;
}

/* Who looks, and at whom. */
FIXTURE(caller) {
	struct ns_actor *a;
	__u64 used[NS_NR_KINDS];
	__u64 owners[NS_NR_KINDS];	/* of these; the initial user namespace has none */
};

FIXTURE_VARIANT(caller) {
	__u64 join;		/* first go to these namespaces ... */
	int who;		/* ... of this one */
	__u64 enter;		/* then into new ones of these types */
	bool drop;		/* then do without CAP_SYS_ADMIN */
	__u32 uid;		/* then be this one ... */
	__u32 euid;		/* with the effective uid of this one */
	unsigned int sees;
	bool others;		/* may own more, which is none of this test */
};

FIXTURE_VARIANT_ADD(caller, host_root) {
	.sees = SEES_ALL,
	.others = true,
};

/* Not the capability, but its uid makes it the owner of what root made. */
FIXTURE_VARIANT_ADD(caller, host_root_without_capability) {
	.drop = true,
	.sees = SEES(CONTAINER) | SEES(NEIGHBOUR) | SEES(NESTED) | SEES(FOREIGN),
	.others = true,
};

FIXTURE_VARIANT_ADD(caller, host_root_in_own_pid_ns) {
	.enter = PID_NS,
	.sees = 0,
};

FIXTURE_VARIANT_ADD(caller, privileged_container) {
	.enter = NS_NOT_USER,
	.sees = 0,
};

/* It is the pid namespace that counts. */
FIXTURE_VARIANT_ADD(caller, host_root_in_own_mnt_and_net_ns) {
	.enter = MNT_NS | NET_NS,
	.sees = SEES_ALL,
	.others = true,
};

FIXTURE_VARIANT_ADD(caller, privileged_container_in_that_of_others) {
	.join = PID_NS,
	.who = CONTAINER,
	.sees = 0,
};

FIXTURE_VARIANT_ADD(caller, user) {
	.uid = NS_UID_OTHER,
	.sees = 0,
};

FIXTURE_VARIANT_ADD(caller, user_who_owns_a_user_ns) {
	.uid = NS_UID_OWNER,
	.sees = SEES(USERS),
};

/* It is the effective uid that makes an owner. */
FIXTURE_VARIANT_ADD(caller, user_who_is_effectively_the_owner_of_a_user_ns) {
	.uid = NS_UID_OTHER,
	.euid = NS_UID_OWNER,
	.sees = SEES(USERS),
};

FIXTURE_VARIANT_ADD(caller, user_who_owns_a_user_ns_but_is_effectively_another) {
	.uid = NS_UID_OWNER,
	.euid = NS_UID_OTHER,
	.sees = 0,
};

FIXTURE_VARIANT_ADD(caller, user_who_owns_a_user_ns_in_own_pid_ns) {
	.enter = PID_NS,
	.uid = NS_UID_OWNER,
	.sees = 0,
};

FIXTURE_VARIANT_ADD(caller, container_root) {
	.join = NS_ALL,
	.who = CONTAINER,
	.sees = SEES(CONTAINER) | SEES(NEIGHBOUR) | SEES(NESTED),
};

FIXTURE_VARIANT_ADD(caller, container_root_in_initial_pid_ns) {
	.join = USER_NS,
	.who = CONTAINER,
	.sees = SEES(CONTAINER) | SEES(NEIGHBOUR) | SEES(NESTED),
};

FIXTURE_VARIANT_ADD(caller, container_root_in_nested_pid_ns) {
	.join = NS_ALL,
	.who = CONTAINER,
	.enter = PID_NS,
	.sees = SEES(CONTAINER) | SEES(NEIGHBOUR) | SEES(NESTED),
};

/* It sees what it owns, as root of the host does, and its own namespaces. */
FIXTURE_VARIANT_ADD(caller, container_root_without_capability) {
	.join = NS_ALL,
	.who = CONTAINER,
	.drop = true,
	.sees = SEES(CONTAINER) | SEES(NESTED),
};

FIXTURE_VARIANT_ADD(caller, container_user) {
	.join = NS_ALL,
	.who = CONTAINER,
	.uid = NS_UID_OTHER,
	.sees = SEES(CONTAINER),
};

FIXTURE_VARIANT_ADD(caller, nested_container_root) {
	.join = NS_ALL,
	.who = NESTED,
	.sees = SEES(NESTED),
};

FIXTURE_VARIANT_ADD(caller, users_container_root) {
	.join = NS_ALL,
	.who = USERS,
	.sees = SEES(USERS),
};

static __s64 do_setuid_effectively(struct ns_actor *a, __u64 uids)
{
	uid_t uid = uids, euid = uids >> 32;

	return setresgid(uid, uid, uid) || setresuid(uid, euid, euid) ? -errno : 0;
}

FIXTURE_SETUP(caller)
{
	ASSERT_TRUE(ready);
	if (variant->join)
		self->a = ns_actor_in(whos[variant->who].actor, variant->join);
	else
		self->a = ns_actor();
	ASSERT_TRUE(!!self->a);
	if (variant->enter)
		ASSERT_EQ(0, ns_call(self->a, ns_do_enter, variant->enter));
	if (variant->drop)
		ASSERT_EQ(0, ns_call(self->a, ns_do_drop_cap, CAP_SYS_ADMIN));
	if (variant->uid)
		ASSERT_EQ(0, ns_call(self->a, do_setuid_effectively,
				     (__u64)(variant->euid ?: variant->uid) << 32 |
				     variant->uid));
	for (int k = 0; k < ns_nr_kinds; k++) {
		self->used[k] = ns_id(self->a->pid, ns_kinds[k].name);
		self->owners[k] = ns_key(self->a->pid, ns_kinds[k].name).owner;
	}
}

FIXTURE_TEARDOWN(caller)
{
	ns_actors_kill();
}

/* Is the last listing what it should be, for these types? 0 is all. */
static int wrong_in_listing(struct __test_metadata *_metadata,
			    const struct ns_actor *a, const __u64 *used,
			    unsigned int sees, bool others, __u32 types)
{
	__u64 want[NR_WHO * NS_NR_KINDS + NS_NR_KINDS];
	ssize_t nr = 0;
	int wrong = 0;

	for (int k = 0; k < ns_nr_kinds; k++)
		if (!types || types & ns_kinds[k].type)
			want[nr++] = used[k];

	for (int w = 0; w < NR_WHO; w++) {
		for (int k = 0; k < ns_nr_kinds; k++) {
			__u64 id = whos[w].ns[k].ns_id;
			bool should = !types || types & ns_kinds[k].type;

			if (!id)
				continue;
			should &= sees & SEES(w) || ns_in(used, ns_nr_kinds, id);
			if (should && !ns_in(want, nr, id))
				want[nr++] = id;
			if (ns_listed(a, id) == should)
				continue;
			TH_LOG("%s namespace of %s: should be listed %d, types %x",
			       ns_kinds[k].name, whos[w].name, should, types);
			wrong++;
		}
	}

	ns_sort(want, nr);
	if (!others && !ns_listed_exactly(a, want, nr)) {
		TH_LOG("%zd ids where %zd were expected, types %x", a->nr, nr, types);
		wrong++;
	}
	return wrong;
}

TEST_F(caller, lists_what_it_may_see_and_nothing_else)
{
	static const __u32 types[] = {
		0, TIME_NS, MNT_NS, CGROUP_NS, UTS_NS, IPC_NS, USER_NS, PID_NS, NET_NS,
		UTS_NS | USER_NS, PID_NS | NET_NS, MNT_NS | TIME_NS, NS_ALL,
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		bool some = !types[i] || types[i] & ~ns_lacking;

		ASSERT_LE(some, ns_list(self->a, NS_REQ(.ns_type = types[i]), 1000));
		EXPECT_EQ(0, wrong_in_listing(_metadata, self->a, self->used,
					      variant->sees, variant->others,
					      types[i]));
	}
	/* And with pages so small that each has to be gone on from. */
	ASSERT_LE(ns_nr_kinds, ns_list(self->a, NS_REQ(), 1));
	EXPECT_EQ(0, wrong_in_listing(_metadata, self->a, self->used,
				      variant->sees, variant->others, 0));
}

TEST_F(caller, lists_by_an_owner_that_it_may_see_or_that_owns_what_it_uses)
{
	/* Behind them all, the initial one. */
	for (int o = 0; o <= NR_WHO; o++) {
		__u64 owner = o < NR_WHO ? whos[o].ns[NS_USER].ns_id :
					   ns_id(0, "user");
		struct ns_id_req req = NS_REQ(.user_ns_id = owner);
		bool may = o < NR_WHO ? variant->sees & SEES(o) :
					variant->sees == SEES_ALL;
		ssize_t nr = 0;

		if (!owner)
			continue;
		may |= owner == self->used[NS_USER] ||
		       ns_in(self->owners, ns_nr_kinds, owner);
		ns_list(self->a, req, 1000);
		if (!may) {
			EXPECT_EQ(-EINVAL, self->a->nr) {
				TH_LOG("owner %d", o);
			}
			continue;
		}
		EXPECT_LE(0, self->a->nr);
		for (int w = 0; w < NR_WHO; w++) {
			for (int k = 0; k < ns_nr_kinds; k++) {
				__u64 id = whos[w].ns[k].ns_id;
				bool should = variant->sees & SEES(w) ||
					      ns_in(self->used, ns_nr_kinds, id);

				if (!id)
					continue;
				should &= whos[w].owner[k] == owner;
				nr += should;
				EXPECT_EQ(should, ns_listed(self->a, id)) {
					TH_LOG("%s namespace of %s, owner %d",
					       ns_kinds[k].name, whos[w].name, o);
				}
			}
		}
		/* The initial one owns what others made, too. */
		if (o < NR_WHO && !variant->enter) {
			EXPECT_EQ(nr, self->a->nr) {
				TH_LOG("owner %d", o);
			}
		}
	}
}

/* To see the owner takes more than to list by it, and so does what else it owns. */
TEST_F(caller, lists_what_it_uses_by_an_owner_that_it_may_not_see)
{
	bool seen[NS_NR_KINDS];

	ASSERT_LE(ns_nr_kinds, ns_list(self->a, NS_REQ(), 1000));
	for (int k = 0; k < ns_nr_kinds; k++)
		seen[k] = ns_listed(self->a, self->owners[k]);

	for (int o = 0; o < ns_nr_kinds; o++) {
		struct ns_id_req req = NS_REQ(.user_ns_id = self->owners[o]);
		__u64 want[NS_NR_KINDS];
		ssize_t nr = 0;

		if (seen[o] || !req.user_ns_id)
			continue;
		for (int k = 0; k < ns_nr_kinds; k++)
			if (self->owners[k] == self->owners[o])
				want[nr++] = self->used[k];
		ns_sort(want, nr);
		ns_list(self->a, req, 1000);
		EXPECT_TRUE(ns_listed_exactly(self->a, want, nr)) {
			TH_LOG("%zd ids where %zd were expected, owner of %s",
			       self->a->nr, nr, ns_kinds[o].name);
		}
		ns_list(self->a, req, 1);
		EXPECT_TRUE(ns_listed_exactly(self->a, want, nr));
	}
}

TEST_F(caller, lists_by_its_own_user_ns_by_either_name)
{
	struct ns_id_req req = NS_REQ(.user_ns_id = self->used[NS_USER]);
	__u64 ids[NR_WHO * NS_NR_KINDS + NS_NR_KINDS];
	ssize_t nr = ns_list(self->a, req, 1000);

	ASSERT_LE(0, nr);
	req.user_ns_id = LISTNS_CURRENT_USER;
	if (variant->others) {
		/* What else there is in the system may change meanwhile. */
		ASSERT_LE(0, ns_list(self->a, req, 1000));
		EXPECT_TRUE(ns_listed(self->a, whos[CONTAINER].ns[NS_USER].ns_id));
		return;
	}
	ASSERT_GE(ARRAY_SIZE(ids), nr);
	memcpy(ids, self->a->ids, nr * sizeof(*ids));
	ns_list(self->a, req, 1000);
	EXPECT_TRUE(ns_listed_exactly(self->a, ids, nr));
}

static __s64 do_open_handle(struct ns_actor *a, __u64 arg)
{
	const struct nsfs_file_handle *h = (void *)(uintptr_t)arg;

	return ns_id_of_handle(h->ns_id, h->ns_type, h->ns_inum);
}

static __s64 do_open_by_id(struct ns_actor *a, __u64 id)
{
	return ns_id_of_handle(id, 0, 0);
}

TEST_F(caller, opens_by_handle_what_it_may_see_and_nothing_else)
{
	for (int w = 0; w < NR_WHO; w++) {
		for (int k = 0; k < ns_nr_kinds; k++) {
			const struct nsfs_file_handle *h = &whos[w].ns[k];
			__s64 want = h->ns_id;

			if (!want)
				continue;
			if (!(variant->sees & SEES(w)) &&
			    !ns_in(self->used, ns_nr_kinds, want))
				want = -ESTALE;
			EXPECT_EQ(want, ns_call(self->a, do_open_handle,
						(uintptr_t)h)) {
				TH_LOG("%s namespace of %s", ns_kinds[k].name,
				       whos[w].name);
			}
			EXPECT_EQ(want, ns_call(self->a, do_open_by_id, h->ns_id)) {
				TH_LOG("%s namespace of %s", ns_kinds[k].name,
				       whos[w].name);
			}
		}
	}
	/* Its own namespaces may be opened by any task. */
	for (int k = 0; k < ns_nr_kinds; k++) {
		__s64 id = self->used[k];

		EXPECT_EQ(id, ns_call(self->a, do_open_by_id, id)) {
			TH_LOG("own %s namespace", ns_kinds[k].name);
		}
	}
}

/* All mount namespaces before or after that of @fd, which this closes. */
static __s64 walk_mount_ns(struct ns_actor *a, int fd, unsigned int cmd)
{
	int next;

	a->nr = 0;
	while (fd >= 0) {
		struct mnt_ns_info info = {};

		next = ioctl(fd, cmd, &info);
		if (next < 0)
			next = -errno;
		close(fd);
		fd = next;
		if (fd >= 0 && a->nr == NS_ACTOR_IDS)
			return -ENOBUFS;
		if (fd >= 0)
			a->ids[a->nr++] = info.mnt_ns_id;
	}
	return fd;
}

static __s64 do_walk_mount_ns(struct ns_actor *a, __u64 cmd)
{
	return walk_mount_ns(a, ns_open(0, "mnt"), cmd);
}

static __s64 do_walk_from_first(struct ns_actor *a, __u64 cmd)
{
	return walk_mount_ns(a, dup(mnt_files[0]), cmd);
}

static __s64 do_walk_from_last(struct ns_actor *a, __u64 cmd)
{
	return walk_mount_ns(a, dup(mnt_files[1]), cmd);
}

TEST_F(caller, steps_over_mount_namespaces_that_it_may_not_see)
{
	static const unsigned int cmds[] = { NS_MNT_GET_NEXT, NS_MNT_GET_PREV };
	__u64 own = self->used[NS_MNT], initial = ns_id(0, "mnt");
	bool next_to_see;

	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		ASSERT_EQ(-ENOENT, ns_call(self->a, do_walk_mount_ns, cmds[i]));
		for (int w = 0; w < NR_WHO; w++) {
			__u64 id = whos[w].ns[NS_MNT].ns_id;

			next_to_see = cmds[i] == NS_MNT_GET_NEXT ? id > own : id < own;
			next_to_see &= !!(variant->sees & SEES(w));
			EXPECT_EQ(next_to_see, ns_listed(self->a, id)) {
				TH_LOG("that of %s, from %llu to %llu", whos[w].name,
				       (unsigned long long)own, (unsigned long long)id);
			}
		}
		next_to_see = cmds[i] == NS_MNT_GET_PREV && initial < own &&
			      variant->sees == SEES_ALL;
		EXPECT_EQ(next_to_see, ns_listed(self->a, initial));
	}
}

/* That it has a file of one which it may not see does not change what it may see. */
TEST_F(caller, finds_the_same_mount_namespaces_from_those_of_others)
{
	__u64 own = self->used[NS_MNT], initial = ns_fd_id(mnt_files[0]);
	__u64 last = ns_fd_id(mnt_files[1]);

	for (int back = 0; back < 2; back++) {
		ns_fn *walk = back ? do_walk_from_last : do_walk_from_first;
		unsigned int cmd = back ? NS_MNT_GET_PREV : NS_MNT_GET_NEXT;
		bool should;

		ASSERT_EQ(-ENOENT, ns_call(self->a, walk, cmd));
		for (int w = 0; w < NR_WHO; w++) {
			__u64 id = whos[w].ns[NS_MNT].ns_id;

			EXPECT_EQ(id == own || variant->sees & SEES(w),
				  ns_listed(self->a, id)) {
				TH_LOG("that of %s", whos[w].name);
			}
		}
		should = back && (initial == own || variant->sees == SEES_ALL);
		EXPECT_EQ(should, ns_listed(self->a, initial));
		should = back ? own < last : own > initial;
		EXPECT_EQ(should, ns_listed(self->a, own));
		EXPECT_FALSE(ns_listed(self->a, inactive_mnt.ns_id));
		EXPECT_TRUE(variant->sees || self->a->nr == should);
	}
}

/* What listmount() and statmount() have to say of a mount namespace. */
struct mounts {
	__u64 ns;
	__u64 mount;		/* the first one */
	__s64 nr, stat;		/* the number of mounts, and 0; or the error */
};

static __s64 do_look_at_mounts(struct ns_actor *a, __u64 unused)
{
	struct mounts *m = (struct mounts *)a->ids;
	struct statmount sm;
	uint64_t ids[256];

	m->nr = listmount(LSMT_ROOT, m->ns, 0, ids, 256, 0);
	if (m->nr < 0)
		m->nr = -errno;
	m->stat = statmount(m->mount, m->ns, STATMOUNT_MNT_BASIC | STATMOUNT_MNT_NS_ID,
			    &sm, sizeof(sm), 0);
	if (m->stat < 0)
		m->stat = -errno;
	else if (sm.mnt_id != m->mount || sm.mnt_ns_id != m->ns)
		m->stat = -EBADMSG;
	return 0;
}

static struct mounts mounts_of(struct ns_actor *a, __u64 ns, __u64 mount)
{
	struct mounts *m = (struct mounts *)a->ids;

	*m = (struct mounts){ .ns = ns, .mount = mount };
	if (ns_call(a, do_look_at_mounts, 0))
		m->nr = -ESRCH;
	return *m;
}

TEST_F(caller, lists_mounts_of_what_it_may_see_and_of_nothing_else)
{
	struct mounts gone = mounts_of(self->a, gone_mnt.ns_id, inactive_mount), m;
	__u64 own = self->used[NS_MNT];

	EXPECT_EQ(-ENOENT, gone.nr);
	EXPECT_EQ(-ENOENT, gone.stat);

	/* Behind them all, the initial one, that is not active, and its own. */
	for (int w = 0; w < NR_WHO + 3; w++) {
		__u64 id = w == NR_WHO ? MNT_NS_INIT_ID :
			   w == NR_WHO + 1 ? inactive_mnt.ns_id :
			   w == NR_WHO + 2 ? own : whos[w].ns[NS_MNT].ns_id;
		bool may = w == NR_WHO ? variant->sees == SEES_ALL :
			   w == NR_WHO + 1 ? false : variant->sees & SEES(w);

		m = mounts_of(self->a, id, id == inactive_mnt.ns_id ? inactive_mount :
			      first_mount(id));
		if (may || id == own) {
			EXPECT_LT(0, m.nr) {
				TH_LOG("%d: %lld", w, (long long)m.nr);
			}
			EXPECT_EQ(0, m.stat);
		} else {
			EXPECT_EQ(gone.nr, m.nr) {
				TH_LOG("%d", w);
			}
			EXPECT_EQ(gone.stat, m.stat) {
				TH_LOG("%d", w);
			}
		}
	}
}

#define NR_TRIES 1000

/* The first ids of all, and those from shortly before the test began. */
static bool is_tried(__u64 id)
{
	return id <= NR_TRIES || id + NR_TRIES >= whos[HOST].ns[NS_MNT].ns_id;
}

/* Of which of these ids up to @last are there mounts to be listed? */
static __s64 do_try_ids(struct ns_actor *a, __u64 last)
{
	uint64_t mount;

	a->nr = 0;
	for (__u64 id = 1; id <= last; id++) {
		if (!is_tried(id))
			id = whos[HOST].ns[NS_MNT].ns_id - NR_TRIES;
		if (listmount(LSMT_ROOT, id, 0, &mount, 1, 0) == 1)
			a->ids[a->nr++] = id;
		else if (errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Which is how one would look for the host. */
TEST_F(caller, finds_no_others_by_trying_ids)
{
	__u64 ids[NR_WHO + 1];
	ssize_t nr = 0;

	/* What else there is in the system may change meanwhile. */
	if (variant->others)
		return;
	ASSERT_LT(0, ns_list(self->a, NS_REQ(.ns_type = MNT_NS), 1000));
	ASSERT_GE(ARRAY_SIZE(ids), self->a->nr);
	for (ssize_t i = 0; i < self->a->nr; i++)
		if (is_tried(self->a->ids[i]))
			ids[nr++] = self->a->ids[i];
	ASSERT_EQ(0, ns_call(self->a, do_try_ids, ns_fd_id(mnt_files[1]) + 100));
	EXPECT_TRUE(ns_listed_exactly(self->a, ids, nr));
}

TEST_F(caller, cannot_tell_what_it_may_not_see_from_what_does_not_exist)
{
	struct ns_actor *a = self->a;
	__u64 whole[NR_WHO * NS_NR_KINDS + NS_NR_KINDS];
	__s64 handle, by_id;
	ssize_t owner, owner0, nr;

	/* What is it like for what was there once? */
	owner = ns_list(a, NS_REQ(.user_ns_id = gone_user.ns_id), 1000);
	owner0 = ns_list(a, NS_REQ(.user_ns_id = gone_user.ns_id), 0);
	handle = ns_call(a, do_open_handle, (uintptr_t)&gone_user);
	by_id = ns_call(a, do_open_by_id, gone_user.ns_id);
	EXPECT_EQ(-EINVAL, owner);
	EXPECT_EQ(-EINVAL, owner0);
	EXPECT_EQ(-ESTALE, handle);
	EXPECT_EQ(-ESTALE, by_id);
	EXPECT_EQ(owner, ns_list(a, NS_REQ(.user_ns_id = gone_uts.ns_id), 1000));
	EXPECT_EQ(handle, ns_call(a, do_open_handle, (uintptr_t)&gone_uts));

	/* To those who see it all there is nothing to hide. */
	if (variant->others)
		return;
	nr = ns_list(a, NS_REQ(), 1000);
	ASSERT_LE(ns_nr_kinds, nr);
	ASSERT_GE(ARRAY_SIZE(whole), nr);
	memcpy(whole, a->ids, nr * sizeof(*whole));

	for (int w = 0; w < NR_WHO; w++) {
		for (int k = 0; k < ns_nr_kinds; k++) {
			const struct nsfs_file_handle *h = &whos[w].ns[k];
			struct ns_id_req req = NS_REQ(.user_ns_id = h->ns_id);
			ssize_t skip = 0;

			if (!h->ns_id || ns_in(whole, nr, h->ns_id))
				continue;
			/* The owner of one of its own is known to exist. */
			if (!ns_in(self->owners, ns_nr_kinds, h->ns_id)) {
				EXPECT_EQ(owner, ns_list(a, req, 1000)) {
					TH_LOG("%s namespace of %s", ns_kinds[k].name,
					       whos[w].name);
				}
				EXPECT_EQ(owner0, ns_list(a, req, 0));
			}
			EXPECT_EQ(handle, ns_call(a, do_open_handle, (uintptr_t)h));
			EXPECT_EQ(by_id, ns_call(a, do_open_by_id, h->ns_id));

			/* As the place to go on from it is a number like any. */
			while (skip < nr && whole[skip] < h->ns_id)
				skip++;
			ns_list(a, NS_REQ(.ns_id = h->ns_id), 1000);
			EXPECT_TRUE(ns_listed_exactly(a, whole + skip, nr - skip));
			ns_list(a, NS_REQ(.ns_id = h->ns_id - 1), 1000);
			EXPECT_TRUE(ns_listed_exactly(a, whole + skip, nr - skip));
		}
	}
}

/* Which namespaces are its own, of a process without any capability. */
FIXTURE(use) {
	struct ns_actor *a;
	__u64 used[NS_NR_KINDS];
};

FIXTURE_SETUP(use)
{
	/* Where nothing else is, and nothing of what was made is its own. */
	self->a = ns_actor_new(NS_ALL);
	ASSERT_TRUE(!!self->a);
}

FIXTURE_TEARDOWN(use)
{
	ns_actors_kill();
}

static void get_used(struct ns_actor *a, __u64 *used)
{
	for (int k = 0; k < ns_nr_kinds; k++)
		used[k] = ns_id(a->pid, ns_kinds[k].name);
	ns_sort(used, ns_nr_kinds);
}

TEST_F(use, caller_sees_exactly_what_it_uses)
{
	get_used(self->a, self->used);
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OTHER));
	ns_list(self->a, NS_REQ(), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->a, self->used, ns_nr_kinds));
	for (int k = 0; k < ns_nr_kinds; k++) {
		__u64 id = ns_id(self->a->pid, ns_kinds[k].name);

		ns_list(self->a, NS_REQ(.ns_type = ns_kinds[k].type), 1000);
		EXPECT_TRUE(ns_listed_exactly(self->a, &id, 1)) {
			TH_LOG("type %s", ns_kinds[k].name);
		}
	}
}

TEST_F(use, pid_namespace_for_children_is_used)
{
	__u64 pids[2] = { ns_id(self->a->pid, "pid") };

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, PID_NS));
	/* No link leads to one that nobody was born in yet, but it has an id. */
	ASSERT_EQ(2, ns_list(self->a, NS_REQ(.ns_type = PID_NS,
					     .user_ns_id = LISTNS_CURRENT_USER), 16));
	EXPECT_EQ(pids[0], self->a->ids[0]);
	pids[1] = self->a->ids[1];
	get_used(self->a, self->used);

	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OTHER));
	ns_list(self->a, NS_REQ(.ns_type = PID_NS), 16);
	EXPECT_TRUE(ns_listed_exactly(self->a, pids, 2));
	ns_list(self->a, NS_REQ(), 16);
	EXPECT_EQ(ns_nr_kinds + 1, self->a->nr);

	/* To who is born there it is the only one. */
	ASSERT_EQ(0, ns_call(self->a, ns_do_fork, 0));
	EXPECT_EQ(pids[1], ns_id(self->a->pid, "pid"));
	ns_list(self->a, NS_REQ(.ns_type = PID_NS), 16);
	EXPECT_TRUE(ns_listed_exactly(self->a, pids + 1, 1));
}

TEST_F(use, time_namespace_for_children_is_used)
{
	__u64 times[2] = { ns_id(self->a->pid, "time") };

	if (ns_lacking)
		SKIP(return, "no time namespaces");
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, TIME_NS));
	times[1] = ns_id(self->a->pid, "time_for_children");
	EXPECT_EQ(times[0], ns_id(self->a->pid, "time"));
	EXPECT_LT(times[0], times[1]);

	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OTHER));
	ns_list(self->a, NS_REQ(.ns_type = TIME_NS), 16);
	EXPECT_TRUE(ns_listed_exactly(self->a, times, 2));
	ns_list(self->a, NS_REQ(), 16);
	EXPECT_EQ(ns_nr_kinds + 1, self->a->nr);

	ASSERT_EQ(0, ns_call(self->a, ns_do_fork, 0));
	ns_list(self->a, NS_REQ(.ns_type = TIME_NS), 16);
	EXPECT_TRUE(ns_listed_exactly(self->a, times + 1, 1));
}

TEST_F(use, open_file_is_not_a_use)
{
	/* The former one is kept open, but is not one of its own now. */
	for (int k = 0; k < ns_nr_kinds; k++) {
		if (ns_kinds[k].type == USER_NS)
			continue;
		ASSERT_LT(0, ns_call(self->a, ns_do_new, ns_kinds[k].type)) {
			TH_LOG("type %s", ns_kinds[k].name);
		}
	}
	ASSERT_EQ(0, ns_call(self->a, ns_do_new_uts, 3));
	ns_list(self->a, NS_REQ(), 1000);
	EXPECT_EQ(2 * ns_nr_kinds - 1 + 3, self->a->nr);

	get_used(self->a, self->used);
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OTHER));
	ns_list(self->a, NS_REQ(), 1000);
	EXPECT_TRUE(ns_listed_exactly(self->a, self->used, ns_nr_kinds));
}

/* Runs in the actor: has it used a privilege since it was born? */
static __s64 do_tell_use(struct ns_actor *a, __u64 unused)
{
	FILE *file = fopen("/proc/self/stat", "r");
	unsigned int flags;
	int n;

	n = file ? fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %u", &flags) : 0;
	if (file)
		fclose(file);
	return n == 1 ? !!(flags & PF_SUPERPRIV) : -EIO;
}

/* Runs in the actor: look at what only a privilege shows, in all ways there are. */
static __s64 do_look_at_foreign(struct ns_actor *a, __u64 unused)
{
	const struct who *w = &whos[FOREIGN];
	__u64 mnt = w->ns[NS_MNT].ns_id;
	int fd = ns_open(0, "mnt");
	bool ok = ns_walk_meets(fd, NS_MNT_GET_NEXT, mnt, mnt);

	for (int k = 0; k < ns_nr_kinds; k++) {
		const struct nsfs_file_handle *h = &w->ns[k];

		ok &= ns_is_listed(h->ns_id, h->ns_type, 0) &&
		      ns_is_listed(h->ns_id, 0, w->owner[k]) &&
		      ns_id_of_handle(h->ns_id, h->ns_type, h->ns_inum) == (__s64)h->ns_id;
	}
	close(fd);
	return ok;
}

TEST(to_look_is_not_to_use_a_privilege)
{
	struct ns_actor *a = ns_actor();

	ASSERT_TRUE(ready);
	ASSERT_EQ(0, ns_call(a, do_tell_use, 0));
	ASSERT_EQ(1, ns_call(a, do_look_at_foreign, 0));
	EXPECT_EQ(0, ns_call(a, do_tell_use, 0));
	/* It does show when one is used. */
	ASSERT_EQ(0, ns_call(a, ns_do_unshare, UTS_NS));
	EXPECT_EQ(1, ns_call(a, do_tell_use, 0));
	ns_actors_kill();
}

int main(int argc, char **argv)
{
	ready = meet_all();
	atexit(ns_actors_kill);
	return test_harness_run(argc, argv);
}
