// SPDX-License-Identifier: GPL-2.0
/*
 * To enter or to open the namespaces of a process that is about to die, at any
 * moment of its death, and of one that is dead already: what succeeds makes them
 * visible, with all that own them, and what fails leaves nothing behind. And to
 * make what is dead visible again, from two sides at once.
 *
 * The races are steered, not timed: each side waits for a number of turns of a
 * loop, and what came of it decides who waits longer the next time, so that both
 * outcomes alternate. No test depends on who wins.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"
#include <linux/sockios.h>

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif

#define NR_USERS 3		/* user namespaces, one in another */
#define NR_COMBINATIONS ((1 << ns_nr_kinds) - 1)
#define NR_DEATHS (2 * NR_COMBINATIONS)
#define NR_CALLERS 4		/* at each of them */
#define NR_FILES 10		/* namespaces that a pidfd opens, those for children too */
#define NR_LIVES 8		/* of a dead namespace */
#define NR_TURNS 1500		/* of two processes, in each of them */
#define RACE_MS 20000		/* at most, where all of this takes long */

/*
 * A process in new namespaces, with nobody else in any of them: in the innermost of
 * the user namespaces, which owns the others, but for those that a process can only
 * be born into. They belong to the outermost.
 */
struct target {
	pid_t pid;
	int pidfd;
	__u32 types;			/* USER_NS goes without saying */
	__u64 ids[NS_NR_KINDS];
	__u64 users[NR_USERS];		/* the outermost first */
};

#define BORN_INTO (PID_NS | TIME_NS)

/* What processes tell each other. */
static struct shared {
	int sock;			/* of the last target */
	int round;			/* number of the one that goes on */
	bool listing;			/* goes on */
	struct talk {
		long turns;		/* to wait, from its beginning */
		int pidfd;		/* whose namespaces, */
		__u32 flags;		/* and which */
		int error;
		int files[NR_FILES];	/* or negative error codes */
	} talks[NR_CALLERS];
} *shared;

/* Others report that they are ready, and done, in a pipe that all have. */
static int reports[2];

static void report(char success)
{
	if (write(reports[1], &success, 1) != 1)
		_exit(1);
}

static bool get_reports(int nr)
{
	bool all = true;
	char success;

	while (nr--)
		all &= read(reports[0], &success, 1) == 1 && success;
	return all;
}

/* They have no time to lose when it starts. But there may be one CPU only. */
static void await_round(int round)
{
	for (int i = 1; __atomic_load_n(&shared->round, __ATOMIC_ACQUIRE) != round; i++)
		if (i % 256 == 0)
			sched_yield();
}

static void spin(long turns)
{
	while (turns-- > 0)
		if (turns % 256 == 0)
			sched_yield();
}

/* The @nr-th set of types, of those that are not empty. */
static __u32 combination(unsigned int nr)
{
	__u32 flags = 0;

	for (int k = 0; k < ns_nr_kinds; k++)
		if ((nr % NR_COMBINATIONS + 1) & (1 << k))
			flags |= ns_kinds[k].type;
	return flags;
}

static pid_t clone_with(__u64 flags, int *pidfd)
{
	/* The first fields of struct clone_args. */
	__u64 args[8] = {
		[0] = flags,
		[1] = (uintptr_t)pidfd,
		[4] = SIGCHLD,
	};

	return syscall(__NR_clone3, args, sizeof(args));
}

/* In a child: do not outlive @parent. */
static void die_with(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getppid())
		_exit(1);
}

static bool map_ids(void)
{
	return ns_write("self", "setgroups", "deny") && ns_write("self", "uid_map", "0 0 1") &&
	       ns_write("self", "gid_map", "0 0 1");
}

/* In the child: go on inwards. With CLONE_FILES there is to be a socket. */
static void be_target(__u64 flags)
{
	bool ready = map_ids();

	for (int i = 2; i < NR_USERS; i++)
		ready = ready && !unshare(CLONE_NEWUSER) && map_ids();
	ready = ready && !unshare(CLONE_NEWUSER | (flags & NS_ALL & ~BORN_INTO));
	if (flags & CLONE_FILES)
		shared->sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	report(ready);
	for (;;)
		pause();
}

static __u64 id_and_close(int fd)
{
	__u64 id = ns_fd_id(fd);

	close(fd);
	return id;
}

/* Make a target in namespaces of the types in @flags. */
static bool make_target(struct target *t, __u64 flags)
{
	pid_t parent = getpid();
	int user;

	flags &= ~ns_lacking;
	*t = (struct target){ .types = (flags & NS_ALL) | USER_NS };
	t->pid = clone_with(CLONE_NEWUSER | (flags & (BORN_INTO | CLONE_FILES)) | CLONE_PIDFD,
			    &t->pidfd);
	if (t->pid == 0) {
		die_with(parent);
		be_target(flags);
	}
	if (t->pid < 0 || !get_reports(1))
		return false;

	user = ioctl(t->pidfd, ns_kinds[NS_USER].of_pidfd, 0);
	for (int i = NR_USERS - 1; i >= 0; i--) {
		int owner = i ? ioctl(user, NS_GET_USERNS) : -1;

		t->users[i] = id_and_close(user);
		user = owner;
	}
	for (int k = 0; k < NS_NR_KINDS; k++) {
		__u32 type = t->types & ns_kinds[k].type;
		struct ns_id_req req = NS_REQ(.ns_type = type, .user_ns_id =
					      t->users[type & BORN_INTO ? 0 : NR_USERS - 1]);
		__u64 ids[2];

		if (!type || type == USER_NS)
			continue;
		if (sys_listns(&req, ids, 2, 0) != 1)
			return false;
		t->ids[k] = ids[0];
	}
	return t->users[0] && t->users[0] < t->users[1] && t->users[1] < t->users[2];
}

static bool is_as(__u64 id, bool visible)
{
	/* First: who opens it makes it visible. */
	bool listed = ns_is_listed(id, 0, 0);
	int fd = ns_open_handle(id, 0, 0);
	bool opened = fd >= 0;

	if (opened && id_and_close(fd) != id)
		ksft_print_msg("the handle of %llu opens another\n", (unsigned long long)id);
	else if (!opened && fd != -ESTALE)
		ksft_print_msg("the handle of %llu: %d\n", (unsigned long long)id, fd);
	else if (listed != visible || opened != visible)
		ksft_print_msg("%llu is%s listed and can%s be opened\n",
			       (unsigned long long)id, listed ? "" : " not", opened ? "" : "not");
	else
		return true;
	return false;
}

/*
 * Are the namespaces of the types @used visible, with the user namespaces that
 * own them, and no others?
 */
static bool shows(const struct target *t, __u32 used)
{
	bool right = true;

	used &= t->types;
	for (int i = 0; i < NR_USERS; i++) {
		if (is_as(t->users[i], i ? used & ~BORN_INTO : used))
			continue;
		ksft_print_msg("  that is user namespace %d of %d\n", i + 1, NR_USERS);
		right = false;
	}
	for (int k = 0; k < NS_NR_KINDS; k++) {
		if (!t->ids[k] || is_as(t->ids[k], used & ns_kinds[k].type))
			continue;
		ksft_print_msg("  that is the %s namespace\n", ns_kinds[k].name);
		right = false;
	}
	if (!right)
		ksft_print_msg("  of types %#x, of which %#x are in use\n", t->types, used);
	return right;
}

/* What a zombie still has. */
#define OF_ZOMBIE (USER_NS | PID_NS)

static bool make_zombie(pid_t pid)
{
	return !kill(pid, SIGKILL) && !waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT);
}

static bool reap(pid_t pid)
{
	return waitpid(pid, NULL, 0) == pid;
}

/*
 * A caller is a process that shares the files of the test, so that it has the
 * pidfds. It does its work once a round: woken up, it gets ready, and goes on at the
 * moment that the test says, or some turns later.
 */
struct caller {
	pid_t pid;
	int wake[2];
	struct talk *talk;
	/* The test waits longer if @turns is negative, and the caller if not. */
	long turns, step;
	bool early;
	int nr_early, nr_late;
};

static int nr_rounds;

static void do_setns(struct talk *talk)
{
	talk->error = setns(talk->pidfd, talk->flags) ? errno : 0;
}

static void do_ioctls(struct talk *talk)
{
	for (int i = 0; i < NR_FILES; i++) {
		/* Each is the first now and then. */
		int nr = (i + shared->round) % NR_FILES;
		int fd = ioctl(talk->pidfd, NS_OF_PIDFD(nr + 1), 0);

		talk->files[nr] = fd < 0 ? -errno : fd;
	}
}

static bool caller_start(struct caller *c, struct talk *talk, void (*fn)(struct talk *talk))
{
	pid_t parent = getpid();
	int round;

	c->talk = talk;
	if (pipe2(c->wake, O_CLOEXEC))
		return false;
	c->pid = clone_with(CLONE_FILES, NULL);
	if (c->pid)
		return c->pid > 0;

	die_with(parent);
	while (read(c->wake[0], &round, sizeof(round)) == sizeof(round)) {
		report(true);
		await_round(round);
		spin(talk->turns);
		fn(talk);
		report(true);
	}
	_exit(0);
}

/* Have the @nr callers go. Returns how long the test is to wait for them. */
static long callers_go(struct caller *c, int nr, int pidfd)
{
	long wait = 0;

	nr_rounds++;
	for (int i = 0; i < nr; i++)
		if (-c[i].turns > wait)
			wait = -c[i].turns;
	for (int i = 0; i < nr; i++) {
		c[i].talk->pidfd = pidfd;
		c[i].talk->turns = wait + c[i].turns;
		if (write(c[i].wake[1], &nr_rounds, sizeof(nr_rounds)) != sizeof(nr_rounds))
			abort();
	}
	get_reports(nr);
	__atomic_store_n(&shared->round, nr_rounds, __ATOMIC_RELEASE);
	return wait;
}

/* One caller enters namespaces of that process, while the test waits. */
static int enter(struct caller *c, int pidfd, __u32 flags)
{
	long turns = c->turns;

	c->turns = 0;
	c->talk->flags = flags;
	callers_go(c, 1, pidfd);
	get_reports(1);
	c->turns = turns;
	return c->talk->error;
}

static bool caller_reap(struct caller *c)
{
	close(c->wake[0]);
	close(c->wake[1]);
	return reap(c->pid);
}

#define MAX_TURNS 2000000L

/* The caller was @early enough: next time it shall be later, or else earlier. */
static void steer(struct caller *c, bool early)
{
	if (early == c->early)
		c->step *= 2;
	else
		c->step /= 8;
	if (c->step < 256)
		c->step = 256;
	if (c->step > MAX_TURNS / 4)
		c->step = MAX_TURNS / 4;
	c->turns += early ? c->step : -c->step;
	if (c->turns > MAX_TURNS)
		c->turns = MAX_TURNS;
	if (c->turns < -MAX_TURNS)
		c->turns = -MAX_TURNS;
	c->early = early;
	*(early ? &c->nr_early : &c->nr_late) += 1;
}

/* While they wait for each other: kill and reap the target. */
static bool end_beside(struct target *t, struct caller *c, int nr)
{
	long wait = callers_go(c, nr, t->pidfd);

	spin(wait);
	if (kill(t->pid, SIGKILL) || !reap(t->pid))
		return false;
	return get_reports(nr) && !close(t->pidfd);
}

FIXTURE(death) {
	int self_pidfd;
	struct target t;
	struct caller callers[NR_CALLERS];
};

FIXTURE_SETUP(death)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_TRUE(shared != MAP_FAILED);
	ASSERT_EQ(0, pipe2(reports, O_CLOEXEC));
	self->self_pidfd = syscall(__NR_pidfd_open, getpid(), 0);
	ASSERT_LE(0, self->self_pidfd);
}

FIXTURE_TEARDOWN(death)
{
	/* The children die with the test. */
}

TEST_F(death, who_entered_keeps_the_namespaces_visible)
{
	struct caller *c = self->callers;
	__u64 begin = ns_now_ms(), end = begin + RACE_MS;
	struct target *t = &self->t;

	/* In which order does not matter, and not all may have their turn. */
	for (int i = 0; i < NR_COMBINATIONS && ns_now_ms() < end; i += 5) {
		__u32 flags = combination(begin + i);

		ASSERT_TRUE(caller_start(c, shared->talks, do_setns));
		ASSERT_TRUE(make_target(t, flags | UTS_NS | PID_NS));
		ASSERT_TRUE(shows(t, NS_ALL));
		ASSERT_EQ(0, enter(c, t->pidfd, flags)) {
			TH_LOG("setns(pidfd, %#x)", flags);
		}
		ASSERT_TRUE(shows(t, NS_ALL));

		ASSERT_TRUE(make_zombie(t->pid));
		ASSERT_TRUE(shows(t, flags | OF_ZOMBIE));
		ASSERT_TRUE(reap(t->pid));
		ASSERT_TRUE(shows(t, flags));
		close(t->pidfd);

		/* Its children would have been in the pid namespace, not itself. */
		ASSERT_TRUE(make_zombie(c->pid));
		ASSERT_TRUE(shows(t, flags & USER_NS));
		ASSERT_TRUE(caller_reap(c));
		ASSERT_TRUE(shows(t, 0));
	}
}

TEST_F(death, nobody_enters_the_namespaces_of_the_dead)
{
	struct caller *c = self->callers;
	__u64 begin = ns_now_ms(), end = begin + RACE_MS;
	struct target *t = &self->t;

	ASSERT_TRUE(caller_start(c, shared->talks, do_setns));
	for (int i = 0; i < NR_COMBINATIONS && ns_now_ms() < end; i += 7) {
		__u32 flags = combination(begin + i);

		ASSERT_TRUE(make_target(t, flags | PID_NS));
		ASSERT_TRUE(make_zombie(t->pid));
		ASSERT_EQ(ESRCH, enter(c, t->pidfd, flags)) {
			TH_LOG("setns(pidfd, %#x) of a zombie", flags);
		}
		ASSERT_TRUE(shows(t, OF_ZOMBIE));

		ASSERT_TRUE(reap(t->pid));
		ASSERT_EQ(ESRCH, enter(c, t->pidfd, flags)) {
			TH_LOG("setns(pidfd, %#x) of who was reaped", flags);
		}
		ASSERT_TRUE(shows(t, 0));
		close(t->pidfd);
	}
}

TEST_F(death, setns_beside_it_is_all_or_nothing)
{
	__u64 end = ns_now_ms() + RACE_MS;
	struct target *t = &self->t;
	int early = 0, late = 0;

	for (int i = 0; i < NR_CALLERS; i++)
		ASSERT_TRUE(caller_start(&self->callers[i], &shared->talks[i], do_setns));

	for (int death = 0; death < NR_DEATHS && ns_now_ms() < end; death++) {
		__u32 types = PID_NS, used = 0;

		for (int i = 0; i < NR_CALLERS; i++) {
			__u32 flags = combination(death * NR_CALLERS + i);

			/* Network namespaces take longest to make, and to go. */
			if (death % 16)
				flags = flags & ~NET_NS ?: USER_NS;
			shared->talks[i].flags = flags;
			types |= flags;
		}
		ASSERT_TRUE(make_target(t, types));
		ASSERT_TRUE(end_beside(t, self->callers, NR_CALLERS));

		for (int i = 0; i < NR_CALLERS; i++) {
			const struct talk *talk = &shared->talks[i];

			steer(&self->callers[i], !talk->error);
			if (!talk->error) {
				used |= talk->flags;
			} else {
				ASSERT_EQ(ESRCH, talk->error) {
					TH_LOG("setns(pidfd, %#x)", talk->flags);
				}
			}
		}
		ASSERT_TRUE(shows(t, used));

		/* One after the other lets go. Nobody returns from a user namespace. */
		for (int i = 0; i < NR_CALLERS; i++) {
			struct caller *c = &self->callers[i];

			if (c->talk->error)
				continue;
			used = 0;
			for (int j = i + 1; j < NR_CALLERS; j++)
				if (!shared->talks[j].error)
					used |= shared->talks[j].flags;
			if (!(c->talk->flags & USER_NS)) {
				ASSERT_EQ(0, enter(c, self->self_pidfd, c->talk->flags));
				ASSERT_TRUE(shows(t, used));
				continue;
			}
			ASSERT_TRUE(make_zombie(c->pid));
			ASSERT_TRUE(shows(t, used | USER_NS));
			ASSERT_TRUE(caller_reap(c));
			ASSERT_TRUE(shows(t, used));
			ASSERT_TRUE(caller_start(c, c->talk, do_setns));
		}
		ASSERT_TRUE(shows(t, 0));
	}

	for (int i = 0; i < NR_CALLERS; i++) {
		early += self->callers[i].nr_early;
		late += self->callers[i].nr_late;
	}
	TH_LOG("setns() was %d times early enough, %d times not%s", early, late,
	       early && late ? "" : ": they never met");
}

TEST_F(death, what_a_pidfd_opens_beside_it_is_visible_until_closed)
{
	/* In the order of the ioctls. */
	static const __u32 types[NR_FILES] = {
		CGROUP_NS, IPC_NS, MNT_NS, NET_NS, PID_NS, PID_NS, TIME_NS, TIME_NS,
		USER_NS, UTS_NS,
	};
	__u64 end = ns_now_ms() + RACE_MS;
	struct caller *c = self->callers;
	struct target *t = &self->t;

	ASSERT_TRUE(caller_start(c, shared->talks, do_ioctls));
	for (int death = 0; death < NR_DEATHS / 2 && ns_now_ms() < end; death++) {
		const int *files = c->talk->files;
		__u32 used = 0;
		int nr = 0;

		ASSERT_TRUE(make_target(t, death % 16 ? NS_ALL & ~NET_NS : NS_ALL));
		ASSERT_TRUE(end_beside(t, c, 1));
		for (int f = 0; f < NR_FILES; f++) {
			if (files[f] >= 0) {
				used |= types[f];
				nr++;
			} else if (!(types[f] & ns_lacking) || files[f] != -EOPNOTSUPP) {
				ASSERT_EQ(-ESRCH, files[f]) {
					TH_LOG("round %d, ioctl %d", death, f + 1);
				}
			}
		}
		/* Half of them, and each of the halves now and then. */
		steer(c, nr > NR_FILES / 2);
		if (!(t->types & NET_NS))
			used &= ~NET_NS;
		ASSERT_TRUE(shows(t, used));
		for (int f = 0; f < NR_FILES; f++)
			if (files[f] >= 0)
				close(files[f]);
		ASSERT_TRUE(shows(t, 0));
	}
	TH_LOG("most ioctls were %d times early enough, %d times not%s", c->nr_early,
	       c->nr_late, c->nr_early && c->nr_late ? "" : ": they never met");
}

/*
 * Those who open and close, and one who lists: processes that share the files of the
 * test. The target is dead; what is left of it is a socket.
 */
static struct target dead;

/* How much is wrong? */
static int missing(int from)
{
	int wrong = 0;

	for (int i = 0; i <= from; i++)
		wrong += !ns_is_listed(dead.users[i], 0, 0);
	return wrong;
}

static int do_resurrect(int start)
{
	int files[1 + NR_USERS], wrong = 0;

	for (int i = start; i < start + NR_TURNS; i++) {
		int depth = i % (NR_USERS + 1);

		files[0] = ioctl(shared->sock, SIOCGSKNS);
		for (int f = 1; f <= depth; f++)
			files[f] = ioctl(files[f - 1], NS_GET_USERNS);
		/* The innermost first, or last. */
		for (int f = 0; f < depth; f++)
			wrong += close(files[i & 8 ? depth - f : f]) != 0;
		/* What this file is of is visible, and so is what is above it. */
		if (i % 64 < 16)
			wrong += missing(NR_USERS - 1 - (i & 8 ? 0 : depth ? depth - 1 : 0));
		wrong += close(files[i & 8 ? 0 : depth]) != 0;
	}
	return wrong;
}

static int do_list(int unused)
{
	int wrong = 0;

	while (__atomic_load_n(&shared->listing, __ATOMIC_ACQUIRE)) {
		for (int i = 0; i < NR_USERS; i++) {
			/* Each owns the next one, and the last one the network namespace. */
			__u64 owned = i + 1 < NR_USERS ? dead.users[i + 1] : dead.ids[NS_NET];
			__u64 ids[2] = {};
			ssize_t nr;

			nr = ns_list_into(NS_REQ(.user_ns_id = dead.users[i]), 1, ids,
					  ARRAY_SIZE(ids));
			wrong += nr < 0 ? nr != -EINVAL : nr && ids[0] != owned;
		}
		for (int i = 0; i <= NR_USERS; i++) {
			__u64 id = i < NR_USERS ? dead.users[i] : dead.ids[NS_NET];
			int fd = ns_open_handle(id, 0, 0);

			if (fd >= 0)
				wrong += id_and_close(fd) != id;
			else
				wrong += fd != -ESTALE;
		}
	}
	return wrong;
}

static pid_t start(int (*fn)(int arg), int arg)
{
	pid_t parent = getpid(), pid = clone_with(CLONE_FILES, NULL);

	if (pid == 0) {
		die_with(parent);
		_exit(fn(arg) ? 1 : 0);
	}
	return pid;
}

static bool is_right(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

TEST_F(death, two_who_resurrect_at_once_leave_nothing)
{
	__u64 end = ns_now_ms() + RACE_MS;
	pid_t pids[2], lister;
	int fd;

	ASSERT_TRUE(make_target(&dead, NET_NS | CLONE_FILES));
	ASSERT_LE(0, shared->sock);
	ASSERT_TRUE(shows(&dead, NET_NS));
	ASSERT_TRUE(make_zombie(dead.pid));
	ASSERT_TRUE(shows(&dead, USER_NS));
	ASSERT_TRUE(reap(dead.pid));
	ASSERT_TRUE(shows(&dead, 0));

	for (int life = 0; life < NR_LIVES && ns_now_ms() < end; life++) {
		shared->listing = true;
		lister = start(do_list, 0);
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
			pids[i] = start(do_resurrect, 5 * i);
		for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
			EXPECT_TRUE(is_right(pids[i])) {
				TH_LOG("process %zu of life %d", i, life);
			}
		}
		__atomic_store_n(&shared->listing, false, __ATOMIC_RELEASE);
		EXPECT_TRUE(is_right(lister));
		ASSERT_TRUE(shows(&dead, 0));

		fd = ioctl(shared->sock, SIOCGSKNS);
		ASSERT_EQ(dead.ids[NS_NET], ns_fd_id(fd));
		ASSERT_TRUE(shows(&dead, NET_NS));
		close(fd);
		ASSERT_TRUE(shows(&dead, 0));
	}
	close(shared->sock);
	ASSERT_TRUE(shows(&dead, 0));
}

TEST_HARNESS_MAIN
