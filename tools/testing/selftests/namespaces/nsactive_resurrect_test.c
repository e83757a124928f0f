// SPDX-License-Identifier: GPL-2.0
/*
 * A namespace that only the kernel keeps is not visible. When it gives one out
 * again, as a file, that comes back with all that is above it, and goes with the
 * file: any number of times.
 */
#define _GNU_SOURCE
#include <linux/sockios.h>
#include <netinet/in.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

/* A network namespace below as many user namespaces as there can be. */
#define MAX_LEVELS 33

/* User namespaces, each within the one before, and what the last one owns. */
struct chain {
	int nr;
	struct ns_key keys[MAX_LEVELS + 1];
};

/* Move the actor to a new chain; it is its only task. */
static bool make_chain(struct chain *c, struct ns_actor *a, int levels)
{
	for (c->nr = 0; c->nr < levels; c->nr++) {
		if (ns_call(a, ns_do_enter, USER_NS))
			return false;
		c->keys[c->nr] = ns_key(a->pid, "user");
	}
	if (ns_call(a, ns_do_enter, NET_NS))
		return false;
	c->keys[c->nr++] = ns_key(a->pid, "net");
	return true;
}

/* How many of the chain are visible, from the first on; -1 if not in this way. */
static int nr_seen(const struct chain *c)
{
	int nr = 0;

	for (int i = 0; i < c->nr; i++) {
		int seen = ns_seen(&c->keys[i]);

		if (seen && (seen != NS_SEEN || i != nr))
			return -1;
		nr += !!seen;
	}
	return nr;
}

/* The ends of a connection over which an actor sends a file. */
static int ends[2];

static __s64 do_send_socket(struct ns_actor *a, __u64 arg)
{
	return ns_pass_fd(ends[1], ns_do_socket(a, arg));
}

static int receive_socket(struct ns_actor *a, const struct ns_socket *s)
{
	return ns_call(a, do_send_socket, (uintptr_t)s) < 0 ? -1 : ns_pass_fd(ends[0], -1);
}

/* Through pidfd_getfd(). */
static int take_socket(struct ns_actor *a, const struct ns_socket *s)
{
	return ns_take_fd(a, ns_call(a, ns_do_socket, (uintptr_t)s));
}

/* The test goes there and comes back. */
static int make_socket_there(struct ns_actor *a, const struct ns_socket *s)
{
	int home = ns_open(0, "net"), there = ns_open(a->pid, "net"), sock;

	if (setns(there, CLONE_NEWNET))
		return -errno;
	sock = ns_do_socket(NULL, (uintptr_t)s);
	if (setns(home, CLONE_NEWNET))
		return -errno;
	close(home);
	close(there);
	return sock;
}

FIXTURE(socket) {
	struct chain chain;
	int sock;
};

FIXTURE_VARIANT(socket) {
	int levels;
	int (*get)(struct ns_actor *a, const struct ns_socket *s);
	struct ns_socket socket;
};

FIXTURE_VARIANT_ADD(socket, udp) { 3, take_socket, { AF_INET, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, tcp) { 3, take_socket, { AF_INET, SOCK_STREAM } };
FIXTURE_VARIANT_ADD(socket, raw) { 3, take_socket, { AF_INET, SOCK_RAW, IPPROTO_ICMP } };
FIXTURE_VARIANT_ADD(socket, udp6) { 3, take_socket, { AF_INET6, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, unix_stream) { 3, take_socket, { AF_UNIX, SOCK_STREAM } };
FIXTURE_VARIANT_ADD(socket, passed) { 3, receive_socket, { AF_INET, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, unix_passed) { 3, receive_socket, { AF_UNIX, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, made_after_setns) { 3, make_socket_there, { AF_INET, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, udp_of_initial_owner) { 0, take_socket, { AF_INET, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, udp_1_level_down) { 1, take_socket, { AF_INET, SOCK_DGRAM } };
FIXTURE_VARIANT_ADD(socket, udp_33_levels_down) { 33, take_socket, { AF_INET, SOCK_DGRAM } };

FIXTURE_SETUP(socket)
{
	struct ns_actor *a;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
	a = ns_actor();
	ASSERT_TRUE(make_chain(&self->chain, a, variant->levels));
	ASSERT_EQ(self->chain.nr, nr_seen(&self->chain));
	self->sock = variant->get(a, &variant->socket);
	ns_actor_kill(a);
	if (self->sock == -EAFNOSUPPORT)
		SKIP(return, "the kernel has no IPv6");
	ASSERT_LE(0, self->sock);
	ASSERT_EQ(0, nr_seen(&self->chain));
}

FIXTURE_TEARDOWN(socket)
{
	ns_actors_kill();
}

TEST_F(socket, brings_the_namespace_back_with_all_above_each_time)
{
	const struct chain *c = &self->chain;

	for (int i = 0; i < 3; i++) {
		int first = ioctl(self->sock, SIOCGSKNS), second;

		ASSERT_LE(0, first);
		EXPECT_EQ(c->keys[c->nr - 1].ns.ns_id, ns_fd_id(first));
		EXPECT_EQ(c->nr, nr_seen(c));
		second = ioctl(self->sock, SIOCGSKNS);
		ASSERT_LE(0, second);
		close(first);
		EXPECT_EQ(c->nr, nr_seen(c));
		close(second);
		EXPECT_EQ(0, nr_seen(c));
	}
	close(self->sock);
	EXPECT_EQ(0, nr_seen(c));
}

TEST_F(socket, brings_back_what_a_task_can_use_again)
{
	const struct chain *c = &self->chain;
	int fd = ioctl(self->sock, SIOCGSKNS), home = ns_open(0, "net");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, setns(fd, CLONE_NEWNET));
	close(fd);
	EXPECT_EQ(c->nr, nr_seen(c));
	ASSERT_EQ(0, setns(home, CLONE_NEWNET));
	EXPECT_EQ(0, nr_seen(c));
}

/* From one level to the next, each of which is all that keeps those above. */
TEST_F(socket, leads_from_owner_to_owner)
{
	const struct chain *c = &self->chain;
	int fd = ioctl(self->sock, SIOCGSKNS);

	ASSERT_LE(0, fd);
	for (int i = c->nr; i; i--) {
		/* Of user namespaces, the owner is the parent. */
		int above = ioctl(fd, i % 2 && i < c->nr ? NS_GET_PARENT : NS_GET_USERNS);

		EXPECT_EQ(i, nr_seen(c));
		ASSERT_LE(0, above);
		close(fd);
		EXPECT_EQ(i - 1, nr_seen(c));
		fd = above;
	}
	EXPECT_EQ(USER_NS_INIT_ID, ns_fd_id(fd));
	close(fd);
}

TEST(user_namespaces_are_no_deeper_than_that)
{
	struct ns_actor *a = ns_actor();

	for (int i = 0; i < MAX_LEVELS; i++)
		ASSERT_EQ(0, ns_call(a, ns_do_enter, USER_NS));
	EXPECT_EQ(-ENOSPC, ns_call(a, ns_do_enter, USER_NS));
	ns_actors_kill();
}

TEST(parent_of_a_pid_namespace_is_what_its_file_keeps)
{
	struct ns_actor *a = ns_actor();
	struct ns_key keys[3];
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		ASSERT_EQ(0, ns_call(a, ns_do_enter, PID_NS));
		keys[i] = ns_key(a->pid, "pid");
	}
	fd = ns_open(a->pid, "pid");
	ns_actor_kill(a);
	for (int i = ARRAY_SIZE(keys) - 1; i >= 0; i--) {
		int parent = ioctl(fd, NS_GET_PARENT);

		ASSERT_LE(0, parent);
		EXPECT_SEEN(&keys[i]);
		close(fd);
		EXPECT_UNSEEN(&keys[i]);
		EXPECT_EQ(i ? NS_SEEN : 0, i ? ns_seen(&keys[i - 1]) : 0);
		fd = parent;
	}
	EXPECT_EQ(PID_NS_INIT_ID, ns_fd_id(fd));
	close(fd);
}

/* One chain that two network namespaces share most of, and their sockets. */
static struct chain chain;
static struct ns_key nets[2];
static int socks[2];

FIXTURE(shared) {
};

#define LEVELS 3
#define ROUNDS 100

FIXTURE_SETUP(shared)
{
	static const struct ns_socket udp = { AF_INET, SOCK_DGRAM };
	struct ns_actor *a = ns_actor();

	ASSERT_TRUE(make_chain(&chain, a, LEVELS));
	for (int i = 0; i < 2; i++) {
		if (i)
			ASSERT_EQ(0, ns_call(a, ns_do_enter, NET_NS));
		nets[i] = ns_key(a->pid, "net");
		socks[i] = take_socket(a, &udp);
		ASSERT_LE(0, socks[i]);
	}
	ns_actor_kill(a);
	ASSERT_EQ(0, nr_seen(&chain));
}

FIXTURE_TEARDOWN(shared)
{
	ns_actors_kill();
}

TEST_F(shared, chain_is_listed_whole_or_not_at_all_while_it_comes_and_goes)
{
	struct ns_actor *lister = ns_watch(chain.keys, chain.nr, false);

	ASSERT_TRUE(!!lister);
	for (int i = 0; i < ROUNDS; i++) {
		int fd;

		ns_turn(lister);
		fd = ioctl(socks[0], SIOCGSKNS);
		ns_turn(lister);
		ASSERT_LE(0, fd);
		EXPECT_EQ(chain.nr, nr_seen(&chain));
		ns_turn(lister);
		close(fd);
		ns_turn(lister);
		EXPECT_EQ(0, nr_seen(&chain));
	}
	EXPECT_LT(0, ns_watch_end(lister));
}

/* All of the chain up from network namespace @i, for who has that open. */
static bool chain_listed(int i)
{
	bool ok = ns_seen_listed(&nets[i]) == NS_SEEN_LISTED;

	for (int l = 0; l < LEVELS; l++)
		ok &= ns_seen_listed(&chain.keys[l]) == NS_SEEN_LISTED;
	return ok;
}

/* How often it was open. */
static __s64 do_open_on(struct ns_actor *a, __u64 unused)
{
	__s64 opened = 0;
	bool last;

	do {
		int fd;

		last = __atomic_load_n(&a->stop, __ATOMIC_SEQ_CST);
		fd = ns_open_handle(nets[0].ns.ns_id, 0, 0);
		if (fd == -ESTALE)
			continue;
		if (fd < 0)
			return fd;
		if (!chain_listed(0))
			return -ENOENT;
		close(fd);
		opened++;
	} while (!last);
	return opened;
}

TEST_F(shared, chain_is_there_for_whoever_opens_it_by_handle_meanwhile)
{
	struct ns_actor *opener = ns_actor();
	int fd;

	ASSERT_TRUE(ns_start(opener, do_open_on, 0));
	for (int i = 0; i < ROUNDS; i++) {
		fd = ioctl(socks[0], SIOCGSKNS);
		ASSERT_LE(0, fd);
		EXPECT_EQ(chain.nr, nr_seen(&chain));
		close(fd);
	}
	/* So that it can be opened once at least. */
	fd = ioctl(socks[0], SIOCGSKNS);
	EXPECT_LT(0, ns_watch_end(opener));
	close(fd);
	EXPECT_EQ(0, nr_seen(&chain));
}

/* Open one of the two: what is above comes and goes as the other one does, too. */
static __s64 do_come_and_go(struct ns_actor *a, __u64 i)
{
	for (int round = 0; round < ROUNDS; round++) {
		int fd = ioctl(socks[i], SIOCGSKNS);

		if (fd < 0)
			return -errno;
		if (!chain_listed(i))
			return -ENOENT;
		close(fd);
		if (ns_seen_listed(&nets[i]))
			return -EEXIST;
	}
	return 0;
}

TEST_F(shared, chain_is_up_for_either_end_and_down_after_both)
{
	struct ns_actor *actors[2] = { ns_actor(), ns_actor() };

	for (int i = 0; i < 2; i++)
		ASSERT_TRUE(ns_start(actors[i], do_come_and_go, i));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, ns_finish(actors[i]));
	EXPECT_UNSEEN(&nets[1]);
	EXPECT_EQ(0, nr_seen(&chain));
}

/* What is opened while its only task ends may have been inactive in between. */
FIXTURE(ending) {
};

FIXTURE_VARIANT(ending) {
	int kind;
};

FIXTURE_VARIANT_ADD(ending, time) { NS_TIME };
FIXTURE_VARIANT_ADD(ending, mnt) { NS_MNT };
FIXTURE_VARIANT_ADD(ending, cgroup) { NS_CGROUP };
FIXTURE_VARIANT_ADD(ending, uts) { NS_UTS };
FIXTURE_VARIANT_ADD(ending, ipc) { NS_IPC };
FIXTURE_VARIANT_ADD(ending, user) { NS_USER };
FIXTURE_VARIANT_ADD(ending, pid) { NS_PID };
FIXTURE_VARIANT_ADD(ending, net) { NS_NET };

FIXTURE_SETUP(ending)
{
	if (ns_kinds[variant->kind].type & ns_lacking)
		SKIP(return, "no time namespaces");
}

FIXTURE_TEARDOWN(ending)
{
}

TEST_F(ending, file_opened_while_the_task_ends_is_of_a_visible_namespace)
{
	const struct ns_kind *kind = &ns_kinds[variant->kind];

	for (int round = 0; round < 30; round++) {
		struct ns_key key;
		int pidfd, fd;
		pid_t pid;

		pid = ns_clone(kind->type | USER_NS, &pidfd);
		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			for (;;)
				pause();
		}
		ASSERT_LT(0, pid);
		key = ns_key(pid, kind->name);
		ASSERT_EQ(0, kill(pid, SIGKILL));
		fd = round % 2 ? ioctl(pidfd, kind->of_pidfd, 0) : ns_open(pid, kind->name);
		ASSERT_EQ(pid, waitpid(pid, NULL, 0));
		EXPECT_EQ(fd < 0 ? 0 : NS_SEEN, ns_seen(&key));
		close(fd);
		EXPECT_UNSEEN(&key);
		close(pidfd);
	}
}

TEST_HARNESS_MAIN
