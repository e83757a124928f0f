// SPDX-License-Identifier: GPL-2.0
/*
 * The threads of io_uring are tasks of the process that has the ring. Their
 * namespaces are active until the last of them is gone, and all of them are
 * gone when the process has been waited for, however long others keep the ring.
 * The ring itself, and the credentials that were registered with it, keep
 * namespaces alive, but not active.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <linux/io_uring.h>
#include <sys/resource.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#define UID 1000
#define FIFO "/tmp/fifo"
#define NR_ENTRIES 8

enum {
	NONE		= 0,
	OF_ZOMBIE	= 1 << NS_USER | 1 << NS_PID,
};

#define ALL ((1 << ns_nr_kinds) - 1)

static void learn(struct ns_key keys[NS_NR_KINDS], pid_t pid)
{
	for (int k = 0; k < ns_nr_kinds; k++)
		keys[k] = ns_key(pid, ns_kinds[k].name);
}

/* What is seen of them, as a mask of kinds; negative if it is neither. */
static int seen(const struct ns_key keys[NS_NR_KINDS])
{
	int mask = 0;

	for (int k = 0; k < ns_nr_kinds; k++) {
		int ret = ns_seen(&keys[k]);

		if (ret && ret != NS_SEEN)
			return -1;
		mask |= !!ret << k;
	}
	return mask;
}

/* As much of a ring as is needed here. */
struct ring {
	int fd;
	char *map;
	size_t size;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
};

/*
 * Each actor has its own: one with a thread that polls, one that has the same thread
 * and was made by another user, and one without.
 */
enum { POLLED, ATTACHED, PLAIN, NR_RINGS };

static struct ring rings[NR_RINGS];

/* A worker writes to it. Whoever has the ring inherits it from the test. */
static int ready[2];

static unsigned int *ring_word(const struct ring *r, unsigned int offset)
{
	return (unsigned int *)(r->map + offset);
}

static int ring_make(struct ring *r, unsigned int flags, int attach_to)
{
	memset(r, 0, sizeof(*r));
	r->p.flags = flags;
	r->p.sq_thread_idle = 20;
	if (attach_to) {
		r->p.flags |= IORING_SETUP_ATTACH_WQ;
		r->p.wq_fd = attach_to;
	}
	r->fd = syscall(__NR_io_uring_setup, NR_ENTRIES, &r->p);
	if (r->fd < 0)
		return -errno;

	/* One mapping has both of the queues. */
	r->size = r->p.sq_off.array + r->p.sq_entries * sizeof(__u32);
	if (r->size < r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe))
		r->size = r->p.cq_off.cqes + r->p.cq_entries * sizeof(struct io_uring_cqe);
	r->map = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		      IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, NR_ENTRIES * sizeof(*r->sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		       r->fd, IORING_OFF_SQES);
	return r->map == MAP_FAILED || r->sqes == MAP_FAILED ? -errno : 0;
}

/* Its mappings keep it as well. */
static int ring_end(struct ring *r)
{
	return munmap(r->map, r->size) || munmap(r->sqes, NR_ENTRIES * sizeof(*r->sqes)) ||
	       close(r->fd) ? -errno : 0;
}

/* Submit the first @nr entries, which nobody else does. */
static int ring_submit(struct ring *r, unsigned int nr)
{
	unsigned int *tail = ring_word(r, r->p.sq_off.tail);
	unsigned int mask = *ring_word(r, r->p.sq_off.ring_mask);
	bool polled = r->p.flags & IORING_SETUP_SQPOLL;

	for (unsigned int i = 0; i < nr; i++)
		ring_word(r, r->p.sq_off.array)[(*tail + i) & mask] = i;
	__atomic_store_n(tail, *tail + nr, __ATOMIC_SEQ_CST);
	if (syscall(__NR_io_uring_enter, r->fd, polled ? 0 : nr, 0,
		    polled ? IORING_ENTER_SQ_WAKEUP : 0, NULL, 0) < 0)
		return -errno;
	return 0;
}

/* Wait until @nr have been completed. */
static int ring_await(struct ring *r, unsigned int nr)
{
	unsigned int *tail = ring_word(r, r->p.cq_off.tail);
	unsigned int *head = ring_word(r, r->p.cq_off.head);

	while (__atomic_load_n(tail, __ATOMIC_ACQUIRE) - *head < nr)
		if (syscall(__NR_io_uring_enter, r->fd, 0, nr, IORING_ENTER_GETEVENTS,
			    NULL, 0) < 0 && errno != EINTR)
			return -errno;
	__atomic_store_n(head, *head + nr, __ATOMIC_RELEASE);
	return 0;
}

/* Runs in the actor. */
static __s64 do_make(struct ns_actor *a, __u64 which)
{
	struct ring *r = &rings[which];
	int ret;

	if (which != ATTACHED)
		return ring_make(r, which == POLLED ? IORING_SETUP_SQPOLL : 0, 0) ?: r->fd;

	/* Of another user, who is to be able to come back. */
	if (setresuid(UID, UID, 0))
		return -errno;
	ret = ring_make(r, IORING_SETUP_SQPOLL, rings[POLLED].fd);
	if (setresuid(0, 0, 0))
		return -errno;
	return ret ?: r->fd;
}

/* Runs in the actor. */
static __s64 do_end(struct ns_actor *a, __u64 which)
{
	return ring_end(&rings[which]);
}

/*
 * Runs in the actor: have a worker tell that it is there, and stand still in opening a
 * FIFO that has no writer.
 */
static __s64 block(struct ring *r, int personality)
{
	memset(r->sqes, 0, 2 * sizeof(*r->sqes));
	r->sqes[0].opcode = IORING_OP_WRITE;
	r->sqes[0].flags = IOSQE_ASYNC | IOSQE_IO_LINK;
	r->sqes[0].fd = ready[1];
	r->sqes[0].addr = (uintptr_t)"";
	r->sqes[0].len = 1;
	r->sqes[0].off = -1;
	r->sqes[0].personality = personality;
	r->sqes[1].opcode = IORING_OP_OPENAT;
	r->sqes[1].flags = IOSQE_ASYNC;
	r->sqes[1].fd = AT_FDCWD;
	r->sqes[1].addr = (uintptr_t)FIFO;
	r->sqes[1].open_flags = O_RDONLY;
	r->sqes[1].personality = personality;
	return ring_submit(r, 2);
}

static __s64 do_block(struct ns_actor *a, __u64 which)
{
	return block(&rings[which], 0);
}

static __s64 do_block_as(struct ns_actor *a, __u64 personality)
{
	return block(&rings[PLAIN], personality);
}

/* Runs in the actor: register its credentials with the ring. */
static __s64 do_register(struct ns_actor *a, __u64 fd)
{
	int ret = syscall(__NR_io_uring_register, (int)fd, IORING_REGISTER_PERSONALITY, NULL, 0);

	return ret < 0 ? -errno : ret;
}

/* Runs in the actor: those of another user. */
static __s64 do_register_user(struct ns_actor *a, __u64 uid)
{
	__s64 ret;

	if (setresuid(uid, uid, 0))
		return -errno;
	ret = do_register(a, rings[PLAIN].fd);
	return setresuid(0, 0, 0) ? -errno : ret;
}

static bool await_worker(void)
{
	char c;

	return read(ready[0], &c, 1) == 1;
}

/* The thread of process @pid whose name begins with @name. */
static pid_t find_thread(pid_t pid, const char *name, uid_t *uid)
{
	char path[300], line[256];
	struct dirent *entry;
	pid_t found = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && !found && (entry = readdir(dir))) {
		FILE *status;

		snprintf(path, sizeof(path), "/proc/%d/task/%s/status", pid, entry->d_name);
		status = *entry->d_name == '.' ? NULL : fopen(path, "r");
		while (status && fgets(line, sizeof(line), status)) {
			if (!strncmp(line, "Name:\t", 6) && !strncmp(line + 6, name, strlen(name)))
				found = atoi(entry->d_name);
			if (!strncmp(line, "Uid:\t", 5) && found)
				*uid = atoi(line + 5);
		}
		if (status)
			fclose(status);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* It takes its name when it begins to run. */
static pid_t await_thread(pid_t pid, const char *name, uid_t *uid)
{
	pid_t tid;

	while (!(tid = find_thread(pid, name, uid)) && !kill(pid, 0))
		sched_yield();
	return tid;
}

static int nr_threads(pid_t pid)
{
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	return stat(path, &st) ? -errno : (int)st.st_nlink - 2;
}

static bool await_zombie(pid_t pid)
{
	siginfo_t info;

	return !waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, 0) == pid;
}

/* A child of the test in new namespaces of all types, init of the one. */
static struct ns_actor *owner;
static struct ns_key keys[NS_NR_KINDS];

static bool has_uring(void)
{
	return syscall(__NR_io_uring_setup, 0, NULL) == -1 && errno == EFAULT;
}

static bool set_up(void)
{
	if (!ns_own_tmp() || mknod(FIFO, S_IFIFO, 0) || chmod(FIFO, 0666) ||
	    pipe2(ready, O_CLOEXEC))
		return false;
	owner = ns_actor_born(NS_ALL);
	if (owner)
		learn(keys, owner->pid);
	return owner && seen(keys) == ALL;
}

FIXTURE(uring) {
};

FIXTURE_SETUP(uring)
{
	if (!has_uring())
		SKIP(return, "no io_uring: needs CONFIG_IO_URING");
	ASSERT_TRUE(set_up());
}

FIXTURE_TEARDOWN(uring)
{
	ns_actors_kill();
}

static __s64 do_unshare(struct ns_actor *a, __u64 types)
{
	return unshare(types) ? -errno : 0;
}

#define LEFT (UTS_NS | IPC_NS | NET_NS | CGROUP_NS | MNT_NS)

enum {
	LEFT_MASK = 1 << NS_UTS | 1 << NS_IPC | 1 << NS_NET | 1 << NS_CGROUP | 1 << NS_MNT,
};

TEST_F(uring, thread_that_polls_keeps_what_its_process_has_left)
{
	struct ns_key next[NS_NR_KINDS];
	int pidfd;
	pid_t tid;
	uid_t uid;

	ASSERT_LE(0, ns_call(owner, do_make, POLLED));
	tid = await_thread(owner->pid, "iou-sqp-", &uid);
	ASSERT_LT(0, tid);
	pidfd = syscall(__NR_pidfd_open, tid, PIDFD_THREAD);
	ASSERT_LE(0, pidfd);

	ASSERT_EQ(0, ns_call(owner, do_unshare, LEFT));
	learn(next, owner->pid);
	EXPECT_NE(keys[NS_UTS].ns.ns_id, next[NS_UTS].ns.ns_id);
	EXPECT_EQ(keys[NS_UTS].ns.ns_id, ns_id(tid, "uts"));
	EXPECT_EQ(ALL, seen(keys));
	EXPECT_EQ(ALL, seen(next));

	/* It ends some time after the ring was closed. */
	ASSERT_EQ(0, ns_call(owner, do_end, POLLED));
	ASSERT_TRUE(ns_wait_pidfd(pidfd, POLLHUP));
	EXPECT_EQ(ALL & ~LEFT_MASK, seen(keys));
	EXPECT_EQ(ALL, seen(next));
	ns_actor_kill(owner);
	EXPECT_EQ(NONE, seen(keys));
	EXPECT_EQ(NONE, seen(next));
}

/* With all files of the process, the ring among them. */
TEST_F(uring, thread_that_polls_goes_on_when_the_leader_has_exited)
{
	pid_t pid = owner->pid;

	ASSERT_LE(0, ns_call(owner, do_make, POLLED));
	ASSERT_TRUE(ns_start(owner, ns_do_thread_exit, 0));
	/* No pidfd tells of a leader that exits before its threads. */
	while (ns_id(pid, "uts"))
		sched_yield();
	EXPECT_EQ(2, nr_threads(pid));
	EXPECT_EQ(ALL, seen(keys));

	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_TRUE(await_zombie(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(keys));
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(NONE, seen(keys));
}

/* As many as it has, and no more. */
static __s64 do_fail_make(struct ns_actor *a, __u64 unused)
{
	const struct rlimit limit = { 1, 1 };

	if (setrlimit(RLIMIT_NPROC, &limit))
		return -errno;
	return ring_make(&rings[POLLED], IORING_SETUP_SQPOLL, 0);
}

TEST_F(uring, thread_that_is_refused_leaves_everything_as_it_was)
{
	ASSERT_EQ(0, ns_call(owner, ns_do_setuid, UID));
	for (int i = 0; i < 8; i++)
		ASSERT_EQ(-EAGAIN, ns_call(owner, do_fail_make, 0));
	EXPECT_EQ(1, nr_threads(owner->pid));
	EXPECT_EQ(ALL, seen(keys));
	ns_actor_kill(owner);
	EXPECT_EQ(NONE, seen(keys));
}

/* Of a namespace whose last task is gone, and that works nevertheless. */
TEST_F(uring, credentials_of_a_ring_do_not_make_their_user_ns_visible)
{
	struct ns_actor *other;
	struct ns_key nested;
	__s64 personality;
	int ring;

	ring = ns_take_fd(owner, ns_call(owner, do_make, PLAIN));
	ASSERT_LE(0, ring);
	/* It inherits the ring. */
	other = ns_actor_in(owner, USER_NS);
	ASSERT_EQ(0, ns_call(other, ns_do_enter, USER_NS));
	personality = ns_call(other, do_register, ring);
	ASSERT_LT(0, personality);
	nested = ns_key(other->pid, "user");
	EXPECT_EQ(keys[NS_USER].ns.ns_id, nested.owner);
	EXPECT_SEEN(&nested);
	ns_actor_kill(other);
	EXPECT_UNSEEN(&nested);

	ASSERT_EQ(0, ns_call(owner, do_block_as, personality));
	ASSERT_TRUE(await_worker());
	EXPECT_UNSEEN(&nested);
	EXPECT_EQ(ALL, seen(keys));

	ns_actor_kill(owner);
	EXPECT_EQ(NONE, seen(keys));
	EXPECT_UNSEEN(&nested);
	close(ring);
	EXPECT_UNSEEN(&nested);
}

#define NR_ROUNDS 15

/* Runs in the actor: threads and workers of two users, which come and go. */
static __s64 do_come_and_go(struct ns_actor *a, __u64 rounds)
{
	while (rounds--) {
		for (int which = POLLED; which <= ATTACHED; which++) {
			struct ring *r = &rings[which];
			__s64 ret = do_make(a, which);

			if (ret < 0)
				return ret;
			memset(r->sqes, 0, 2 * sizeof(*r->sqes));
			r->sqes[0].opcode = IORING_OP_NOP;
			r->sqes[0].flags = IOSQE_ASYNC;
			r->sqes[1] = r->sqes[0];
			ret = ring_submit(r, 2) ?: ring_await(r, 2);
			if (ret)
				return ret;
		}
		if (ring_end(&rings[POLLED]) || ring_end(&rings[ATTACHED]))
			return -EIO;
	}
	return 0;
}

TEST_F(uring, user_ns_is_visible_all_the_time_while_threads_come_and_go)
{
	struct ns_actor *lister = ns_watch(&keys[NS_USER], 1, true);
	struct ns_actor *other = ns_actor_in(owner, USER_NS);

	ASSERT_TRUE(lister && other);
	ASSERT_TRUE(ns_start(owner, do_come_and_go, NR_ROUNDS));
	ASSERT_TRUE(ns_start(other, do_come_and_go, NR_ROUNDS));
	EXPECT_EQ(0, ns_finish(owner));
	EXPECT_EQ(0, ns_finish(other));
	/* Threads of it may be on their way out still. */
	ns_actor_kill(owner);
	EXPECT_EQ(1 << NS_USER, seen(keys));
	EXPECT_EQ(0, ns_call(other, do_come_and_go, 2));
	EXPECT_LT(0, ns_watch_end(lister));
	EXPECT_SEEN(&keys[NS_USER]);
	ns_actor_kill(other);
	EXPECT_EQ(NONE, seen(keys));
}

/* How a process ends that has threads and workers, of another user as well. */
enum how { KILLED, EXITS, EXECUTES };

FIXTURE(owner) {
};

FIXTURE_VARIANT(owner) {
	enum how how;
};

FIXTURE_VARIANT_ADD(owner, killed) { KILLED };
FIXTURE_VARIANT_ADD(owner, exits) { EXITS };
FIXTURE_VARIANT_ADD(owner, executes) { EXECUTES };

FIXTURE_SETUP(owner)
{
	if (!has_uring())
		SKIP(return, "no io_uring: needs CONFIG_IO_URING");
	ASSERT_TRUE(set_up());
}

FIXTURE_TEARDOWN(owner)
{
	ns_actors_kill();
}

static __s64 do_exit(struct ns_actor *a, __u64 unused)
{
	_exit(0);
}

TEST_F(owner, takes_its_threads_along_however_long_the_ring_lives)
{
	pid_t pid = owner->pid;
	int fds[NR_RINGS];
	__s64 personality;
	uid_t uid = 0;

	for (int which = 0; which < NR_RINGS; which++) {
		fds[which] = ns_take_fd(owner, ns_call(owner, do_make, which));
		ASSERT_LE(0, fds[which]);
	}
	ASSERT_LT(0, await_thread(pid, "iou-sqp-", &uid));
	EXPECT_EQ(0, uid);
	/* The thread that polls makes a worker as the user who made the ring. */
	ASSERT_EQ(0, ns_call(owner, do_block, ATTACHED));
	ASSERT_TRUE(await_worker());
	ASSERT_LT(0, await_thread(pid, "iou-wrk-", &uid));
	EXPECT_EQ(UID, uid);
	/* This one is of the process, and works as that user. */
	personality = ns_call(owner, do_register_user, UID);
	ASSERT_LT(0, personality);
	ASSERT_EQ(0, ns_call(owner, do_block_as, personality));
	ASSERT_TRUE(await_worker());
	EXPECT_LE(4, nr_threads(pid));
	EXPECT_EQ(ALL, seen(keys));

	if (variant->how == EXECUTES) {
		ASSERT_EQ(0, ns_call(owner, ns_do_exec, 0));
		EXPECT_EQ(1, nr_threads(pid));
		EXPECT_EQ(ALL, seen(keys));
		/* The ring is there, without anybody to look at it. */
		EXPECT_EQ(-1, syscall(__NR_io_uring_enter, fds[POLLED], 0, 0,
				      IORING_ENTER_SQ_WAKEUP, NULL, 0));
		EXPECT_EQ(EOWNERDEAD, errno);
	}
	ASSERT_TRUE(variant->how == EXITS ? ns_start(owner, do_exit, 0) : !kill(pid, SIGKILL));
	ASSERT_TRUE(await_zombie(pid));
	EXPECT_EQ(OF_ZOMBIE, seen(keys));
	ASSERT_TRUE(reap(pid));
	EXPECT_EQ(NONE, seen(keys));
	for (int which = 0; which < NR_RINGS; which++)
		EXPECT_EQ(0, close(fds[which]));
	EXPECT_EQ(NONE, seen(keys));
}

TEST_HARNESS_MAIN
