// SPDX-License-Identifier: GPL-2.0
/*
 * What listns() takes, what it refuses, and what it does to the buffer.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

#define MAX_IDS 1000000

/* The result, or a negative error code. */
static ssize_t listns(const void *req, __u64 *ids, size_t nr, unsigned int flags)
{
	ssize_t ret = sys_listns(req, ids, nr, flags);

	return ret < 0 ? -errno : ret;
}

/*
 * What is wrong is wrong with any number of ids, none included, and wherever
 * they should go: arguments are checked before anything is done.
 */
static ssize_t answer(const void *req, unsigned int flags)
{
	__u64 ids[4];
	ssize_t ret = listns(req, ids, 4, flags);

	if (listns(req, ids, 1, flags) != ret || listns(req, ids, 0, flags) != ret ||
	    listns(req, NULL, 0, flags) != ret)
		return 1;
	return ret;
}

#define EXPECT_REFUSED(error, req, flags) \
	EXPECT_EQ(-(error), answer(req, flags))

/* A page of which only the first bytes may be looked at. */
static void *page_before_the_void(void)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED || mprotect(p + page, page, PROT_NONE))
		abort();
	return p;
}

TEST(plain_request_is_answered)
{
	struct ns_id_req req = NS_REQ();
	__u64 ids[4] = {};

	/* There are seven at least; host root sees them first. */
	ASSERT_EQ(4, listns(&req, ids, 4, 0));
	for (__u64 i = 0; i < 4; i++)
		EXPECT_EQ(i + 1, ids[i]);
}

TEST(flags_must_be_zero)
{
	struct ns_id_req req = NS_REQ();

	for (int bit = 0; bit < 32; bit++)
		EXPECT_REFUSED(EINVAL, &req, 1U << bit);
	EXPECT_REFUSED(EINVAL, &req, ~0U);
}

TEST(spare_must_be_zero)
{
	struct ns_id_req req = NS_REQ();

	for (int bit = 0; bit < 32; bit++) {
		req.spare = 1U << bit;
		EXPECT_REFUSED(EINVAL, &req, 0);
	}
}

TEST(spare2_must_be_zero)
{
	struct ns_id_req req = NS_REQ();

	for (int bit = 0; bit < 32; bit++) {
		req.spare2 = 1U << bit;
		EXPECT_REFUSED(EINVAL, &req, 0);
	}
}

TEST(size_under_32_is_refused)
{
	struct ns_id_req req = NS_REQ();

	EXPECT_EQ(32, sizeof(req));
	for (req.size = 0; req.size < NS_ID_REQ_SIZE_VER0; req.size++)
		EXPECT_REFUSED(EINVAL, &req, 0);
}

TEST(size_over_a_page_is_refused)
{
	long page = sysconf(_SC_PAGESIZE);
	struct ns_id_req *req;

	/* All zeros behind: it is for the size, not for what is there. */
	req = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(req != MAP_FAILED);
	req->size = page + 1;
	EXPECT_REFUSED(E2BIG, req, 0);
	req->size = 2 * page;
	EXPECT_REFUSED(E2BIG, req, 0);
	req->size = UINT32_MAX;
	EXPECT_REFUSED(E2BIG, req, 0);
}

TEST(larger_struct_is_fine_if_the_tail_is_zero)
{
	long page = sysconf(_SC_PAGESIZE);
	struct ns_id_req *req = page_before_the_void();
	__u64 ids[2] = {};

	for (req->size = 33; req->size < 80; req->size++) {
		ids[0] = 0;
		EXPECT_EQ(2, listns(req, ids, 2, 0));
		EXPECT_EQ(1, ids[0]);
		EXPECT_EQ(0, listns(req, NULL, 0, 0));
	}
	req->size = page;
	EXPECT_EQ(2, listns(req, ids, 2, 0));
}

TEST(nonzero_tail_is_refused)
{
	long page = sysconf(_SC_PAGESIZE);
	char *p = page_before_the_void();
	struct ns_id_req *req = (void *)p;
	static const int sizes[] = { 33, 36, 40, 64 };
	__u64 ids[2];

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		req->size = sizes[i];
		for (int at = 32; at < sizes[i]; at++) {
			p[at] = 1;
			EXPECT_REFUSED(E2BIG, req, 0);
			p[at] = 0;
		}
		/* What lies behind the struct does not matter. */
		p[sizes[i]] = 1;
		EXPECT_EQ(2, listns(req, ids, 2, 0));
		p[sizes[i]] = 0;
	}
	req->size = page;
	p[page - 1] = 1;
	EXPECT_REFUSED(E2BIG, req, 0);
}

TEST(unknown_type_is_refused)
{
	for (int bit = 0; bit < 32; bit++) {
		struct ns_id_req req = NS_REQ(.ns_type = 1U << bit);

		if (req.ns_type & NS_ALL)
			continue;
		EXPECT_REFUSED(EOPNOTSUPP, &req, 0);
		/* One that is known does not help. */
		req.ns_type |= NET_NS;
		EXPECT_REFUSED(EOPNOTSUPP, &req, 0);
		req.ns_type |= NS_ALL;
		EXPECT_REFUSED(EOPNOTSUPP, &req, 0);
	}
}

TEST(known_types_have_the_values_of_clone_flags)
{
	EXPECT_EQ(CLONE_NEWNS, MNT_NS);
	EXPECT_EQ(CLONE_NEWCGROUP, CGROUP_NS);
	EXPECT_EQ(CLONE_NEWUTS, UTS_NS);
	EXPECT_EQ(CLONE_NEWIPC, IPC_NS);
	EXPECT_EQ(CLONE_NEWUSER, USER_NS);
	EXPECT_EQ(CLONE_NEWPID, PID_NS);
	EXPECT_EQ(CLONE_NEWNET, NET_NS);
	EXPECT_EQ(0x80, TIME_NS);
}

TEST(each_known_type_is_taken)
{
	for (int k = 0; k < NS_NR_KINDS; k++) {
		struct ns_id_req req = NS_REQ(.ns_type = ns_kinds[k].type);
		bool lacks = ns_kinds[k].type & ns_lacking;
		__u64 id = 0;

		EXPECT_EQ(lacks ? 0 : 1, listns(&req, &id, 1, 0)) {
			TH_LOG("type %s", ns_kinds[k].name);
		}
		EXPECT_EQ(lacks ? 0 : ns_kinds[k].init_id, id);
	}
}

TEST(more_than_a_million_ids_are_refused)
{
	struct ns_id_req req = NS_REQ();
	__u64 *ids = mmap(NULL, (MAX_IDS + 1) * sizeof(*ids),
			  PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ASSERT_TRUE(ids != MAP_FAILED);
	EXPECT_LE(ns_nr_kinds, listns(&req, ids, MAX_IDS, 0));
	EXPECT_EQ(-EOVERFLOW, listns(&req, ids, MAX_IDS + 1, 0));
	/* The size in bytes wraps round to small ones. */
	EXPECT_EQ(-EOVERFLOW, listns(&req, ids, SIZE_MAX / sizeof(*ids) + 2, 0));
	EXPECT_EQ(-EOVERFLOW, listns(&req, ids, SIZE_MAX / 2 + 2, 0));
	EXPECT_EQ(-EOVERFLOW, listns(&req, ids, SIZE_MAX, 0));
}

TEST(no_ids_asked_for_is_zero)
{
	struct ns_id_req req = NS_REQ();
	__u64 canary = 42;

	EXPECT_EQ(0, listns(&req, &canary, 0, 0));
	EXPECT_EQ(42, canary);
	EXPECT_EQ(0, listns(&req, NULL, 0, 0));
	for (int k = 0; k < NS_NR_KINDS; k++) {
		req = NS_REQ(.ns_type = ns_kinds[k].type);
		EXPECT_EQ(0, listns(&req, NULL, 0, 0));
	}
	req = NS_REQ(.user_ns_id = LISTNS_CURRENT_USER);
	EXPECT_EQ(0, listns(&req, NULL, 0, 0));
	req = NS_REQ(.user_ns_id = USER_NS_INIT_ID);
	EXPECT_EQ(0, listns(&req, NULL, 0, 0));
	req = NS_REQ(.ns_id = UINT64_MAX);
	EXPECT_EQ(0, listns(&req, NULL, 0, 0));
}

TEST(bad_request_pointer_is_a_fault)
{
	char *end = (char *)page_before_the_void() + sysconf(_SC_PAGESIZE);
	void *top = (void *)(uintptr_t)-4096L;
	unsigned char there;

	EXPECT_REFUSED(EFAULT, NULL, 0);
	EXPECT_REFUSED(EFAULT, end, 0);
	/* The kernel's, or nobody's; of its 31 bits on s390, it may be the vDSO's. */
	if (!mincore(top, 1, &there) || !mincore((void *)0x7ffff000, 1, &there))
		top = end;
	EXPECT_REFUSED(EFAULT, top, 0);

	/* One that begins well and goes on into the void. */
	for (int in = 4; in < NS_ID_REQ_SIZE_VER0; in += 4) {
		struct ns_id_req req = NS_REQ();

		memcpy(end - in, &req, in);
		EXPECT_REFUSED(EFAULT, end - in, 0);
	}
}

TEST(bad_buffer_is_a_fault)
{
	long page = sysconf(_SC_PAGESIZE);
	__u64 *end = (void *)((char *)page_before_the_void() + page);
	struct ns_id_req req = NS_REQ();
	__u64 *readonly = mmap(NULL, page, PROT_READ,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(readonly != MAP_FAILED);
	EXPECT_EQ(-EFAULT, listns(&req, NULL, 1, 0));
	EXPECT_EQ(-EFAULT, listns(&req, end, 1, 0));
	EXPECT_EQ(-EFAULT, listns(&req, readonly, 1, 0));
	EXPECT_EQ(-EFAULT, listns(&req, (void *)(uintptr_t)-4096L, 1, 0));
	/* In the middle of an id. */
	EXPECT_EQ(-EFAULT, listns(&req, (void *)((char *)end - 4), 1, 0));
}

TEST(user_ns_id_that_names_nothing_is_refused)
{
	struct ns_id_req req = NS_REQ();
	int fd = ns_new(USER_NS);
	__u64 gone;

	ASSERT_LE(0, fd);
	gone = ns_fd_id(fd);
	close(fd);
	ASSERT_FALSE(ns_is_listed(gone, 0, 0));

	req.user_ns_id = gone;
	EXPECT_REFUSED(EINVAL, &req, 0);
	req.user_ns_id = UINT64_MAX - 1;
	EXPECT_REFUSED(EINVAL, &req, 0);
	req.user_ns_id = 1ULL << 63;
	EXPECT_REFUSED(EINVAL, &req, 0);
	/* Not to be cut down to 32 bits, where it would name the initial one. */
	req.user_ns_id = (1ULL << 32) + USER_NS_INIT_ID;
	EXPECT_REFUSED(EINVAL, &req, 0);
}

TEST(user_ns_id_of_another_type_is_refused)
{
	for (int k = 0; k < ns_nr_kinds; k++) {
		struct ns_id_req req = NS_REQ(.user_ns_id = ns_kinds[k].init_id);
		int fd;

		if (ns_kinds[k].type == USER_NS)
			continue;
		EXPECT_REFUSED(EINVAL, &req, 0);
		fd = ns_new(ns_kinds[k].type);
		ASSERT_LE(0, fd);
		req.user_ns_id = ns_fd_id(fd);
		EXPECT_REFUSED(EINVAL, &req, 0);
		req.ns_type = ns_kinds[k].type;
		EXPECT_REFUSED(EINVAL, &req, 0);
		close(fd);
	}
}

TEST(bad_user_ns_id_is_refused_also_at_the_end)
{
	struct ns_id_req req = NS_REQ(.ns_id = UINT64_MAX,
				      .user_ns_id = UINT64_MAX - 1);

	EXPECT_REFUSED(EINVAL, &req, 0);
}

TEST(cursor_at_the_top_does_not_wrap_round)
{
	static const __u64 tops[] = { UINT64_MAX, UINT64_MAX - 1, 1ULL << 63 };
	__u64 ids[4];

	for (size_t i = 0; i < ARRAY_SIZE(tops); i++) {
		struct ns_id_req req = NS_REQ(.ns_id = tops[i]);

		EXPECT_EQ(0, listns(&req, ids, 4, 0));
		for (int k = 0; k < NS_NR_KINDS; k++) {
			req.ns_type = ns_kinds[k].type;
			EXPECT_EQ(0, listns(&req, ids, 4, 0));
		}
		req.ns_type = NET_NS | USER_NS;
		EXPECT_EQ(0, listns(&req, ids, 4, 0));
		req.user_ns_id = LISTNS_CURRENT_USER;
		EXPECT_EQ(0, listns(&req, ids, 4, 0));
		req.ns_type = 0;
		EXPECT_EQ(0, listns(&req, ids, 4, 0));
		req.user_ns_id = USER_NS_INIT_ID;
		EXPECT_EQ(0, listns(&req, ids, 4, 0));
	}
}

/*
 * A known number of namespaces, more than any batch of ids that a kernel would
 * collect on its stack, that are all that one user namespace owns.
 */
#define NR_OWN 150

FIXTURE(buffer) {
	struct ns_actor *a;
	struct ns_id_req req;
	__u64 own[NR_OWN + 1];
	__u64 *end;		/* writing here is a fault */
};

FIXTURE_SETUP(buffer)
{
	const size_t page = sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT_TRUE(p != MAP_FAILED);
	/* The ids fit in less than the two pages in front. */
	ASSERT_LT(sizeof(self->own), 2 * page);
	ASSERT_EQ(0, mprotect(p + 2 * page, page, PROT_NONE));
	self->end = (void *)(p + 2 * page);

	self->a = ns_actor_new(USER_NS);
	ASSERT_EQ(0, ns_call(self->a, ns_do_new_uts, NR_OWN));
	self->req = NS_REQ(.user_ns_id = ns_id(self->a->pid, "user"));
	ASSERT_EQ(NR_OWN, ns_list_into(self->req, NR_OWN + 1, self->own,
				       NR_OWN + 1));
}

FIXTURE_TEARDOWN(buffer)
{
	ns_actors_kill();
}

TEST_F(buffer, fault_at_any_position_is_reported)
{
	/* Room for so many; one more is there. */
	for (int room = 0; room < NR_OWN; room++) {
		EXPECT_EQ(-EFAULT, listns(&self->req, self->end - room,
					  room + 1, 0)) {
			TH_LOG("room for %d", room);
		}
		EXPECT_EQ(-EFAULT, listns(&self->req, self->end - room,
					  NR_OWN, 0)) {
			TH_LOG("room for %d", room);
		}
	}
}

TEST_F(buffer, what_fits_to_the_last_byte_is_no_fault)
{
	for (int room = 1; room <= NR_OWN; room++) {
		__u64 *ids = self->end - room;

		memset(ids, 0xff, room * sizeof(*ids));
		EXPECT_EQ(room, listns(&self->req, ids, room, 0));
		EXPECT_EQ(0, memcmp(ids, self->own, room * sizeof(*ids))) {
			TH_LOG("room for %d", room);
		}
	}
}

TEST_F(buffer, buffer_larger_than_what_is_there_is_not_touched_past_its_end)
{
	__u64 *ids = self->end - (NR_OWN + 8);

	EXPECT_EQ(NR_OWN, listns(&self->req, ids, NR_OWN + 8, 0));
	EXPECT_EQ(0, memcmp(ids, self->own, NR_OWN * sizeof(*ids)));
}

TEST_F(buffer, nothing_around_the_buffer_is_touched)
{
	__u64 ids[NR_OWN + 4];

	for (int room = 0; room <= NR_OWN; room++) {
		memset(ids, 0xa5, sizeof(ids));
		EXPECT_EQ(room, listns(&self->req, ids + 2, room, 0));
		for (int i = 0; i < (int)ARRAY_SIZE(ids); i++) {
			if (i >= 2 && i < room + 2)
				continue;
			EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, ids[i]) {
				TH_LOG("entry %d of %d", i - 2, room);
			}
		}
	}
}

TEST_F(buffer, request_is_not_written)
{
	struct ns_id_req before = self->req;
	__u64 ids[NR_OWN];

	EXPECT_EQ(NR_OWN, listns(&self->req, ids, NR_OWN, 0));
	EXPECT_EQ(0, memcmp(&before, &self->req, sizeof(before)));
}

/* A task without any privilege sees its own namespaces, without a walk. */
FIXTURE(used) {
	__u64 ids[NS_NR_KINDS + 1];
	__u64 *end;		/* writing here is a fault */
};

FIXTURE_SETUP(used)
{
	self->end = (void *)((char *)page_before_the_void() + sysconf(_SC_PAGESIZE));
	ASSERT_EQ(0, setresuid(NS_UID_OTHER, NS_UID_OTHER, NS_UID_OTHER));
	ASSERT_EQ(ns_nr_kinds, ns_list_into(NS_REQ(), NS_NR_KINDS + 1, self->ids,
					    NS_NR_KINDS + 1));
}

FIXTURE_TEARDOWN(used)
{
}

TEST_F(used, what_is_used_is_written_as_far_as_there_is_room)
{
	struct ns_id_req req = NS_REQ();

	for (int room = 0; room <= ns_nr_kinds; room++) {
		__u64 *ids = self->end - room;

		memset(ids - 1, 0xa5, (room + 1) * sizeof(*ids));
		EXPECT_EQ(room, listns(&req, ids, room, 0));
		EXPECT_EQ(0, memcmp(ids, self->ids, room * sizeof(*ids))) {
			TH_LOG("room for %d", room);
		}
		EXPECT_EQ(0xa5a5a5a5a5a5a5a5ULL, ids[-1]);
		EXPECT_EQ(room < ns_nr_kinds ? -EFAULT : room,
			  listns(&req, ids, room + 1, 0));
		EXPECT_EQ(room < ns_nr_kinds ? -EFAULT : room,
			  listns(&req, ids, MAX_IDS, 0));
	}
}

TEST_F(used, what_is_used_is_listed_from_any_id_on)
{
	__u64 ids[NS_NR_KINDS + 1];

	for (int i = 0; i < ns_nr_kinds; i++) {
		struct ns_id_req req = NS_REQ(.ns_id = self->ids[i]);
		int left = ns_nr_kinds - i - 1;

		EXPECT_EQ(left, listns(&req, ids, ARRAY_SIZE(ids), 0));
		EXPECT_EQ(0, memcmp(ids, self->ids + i + 1, left * sizeof(*ids)));
		req.ns_id--;
		EXPECT_EQ(left + 1, listns(&req, ids, ARRAY_SIZE(ids), 0));
		EXPECT_EQ(self->ids[i], ids[0]);
	}
	for (__u64 id = UINT64_MAX; id; id /= 2) {
		struct ns_id_req req = NS_REQ(.ns_id = id);

		if (id >= self->ids[ns_nr_kinds - 1])
			EXPECT_EQ(0, listns(&req, ids, ARRAY_SIZE(ids), 0));
	}
}

TEST_F(used, owner_that_owns_nothing_of_it_is_refused)
{
	struct ns_id_req req = NS_REQ(.user_ns_id = LISTNS_CURRENT_USER);
	__u64 ids[NS_NR_KINDS + 1];

	/* The initial user namespace owns all but itself. */
	EXPECT_EQ(ns_nr_kinds - 1, listns(&req, ids, ARRAY_SIZE(ids), 0));
	EXPECT_FALSE(ns_in(ids, ns_nr_kinds - 1, USER_NS_INIT_ID));
	for (int k = 0; k < ns_nr_kinds; k++) {
		req.user_ns_id = self->ids[k];
		if (self->ids[k] != USER_NS_INIT_ID)
			EXPECT_REFUSED(EINVAL, &req, 0);
	}
	req.user_ns_id = UINT64_MAX - 1;
	EXPECT_REFUSED(EINVAL, &req, 0);
}

TEST_HARNESS_MAIN
