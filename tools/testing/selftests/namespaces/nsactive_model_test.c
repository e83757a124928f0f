// SPDX-License-Identifier: GPL-2.0
/*
 * A random walk beside a model. Processes make, enter, open, mount, pass, leave
 * and resurrect namespaces, as the dice say. The model knows which active
 * references exist, and so which namespaces are visible. After each step what
 * is listed, and
 * what can be opened through a file handle, has to be what the model says, for
 * every namespace that the walk ever made.
 *
 * A walk is a function of its seed, which is printed. To repeat one:
 *
 *	nsactive_model_test --seed=N [--steps=N] -v given_or_new
 *
 * or NS_SEED and NS_STEPS in the environment.
 *
 * Lifetime is no part of the model: that something else keeps a namespace, be it
 * a socket, a struct pid or a credential, must make no difference.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"
#include <linux/securebits.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/mount.h>

#ifndef SIOCGSKNS
#define SIOCGSKNS 0x894C
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif

#define NR_STEPS 700		/* of a walk */
#define WALK_MS 60000		/* at most, where each step takes long */
#define NR_TRAIL 30		/* of which a failure shows the last */
#define MAX_PROCS 12
#define NR_SLOTS 6		/* for files that a process holds */
#define NR_PLACES 4		/* where files are mounted, in each mount namespace */
#define NR_UIDS 100		/* that a map has, where it may have many */
#define MAX_NS 16384
#define MAX_THINGS 16384

/* What a task has: a namespace of each kind, and those for its children. */
enum {
	USE_PID_CH = NS_NR_KINDS,
	USE_TIME_CH,
	NR_USES,
};

static const struct {
	int kind;
	const char *name;		/* below /proc/<pid>/ns */
	unsigned int of_pidfd;
} uses_ch[] = {
	{ NS_PID,	"pid_for_children",	NS_OF_PIDFD(6) },
	{ NS_TIME,	"time_for_children",	NS_OF_PIDFD(8) },
};

static int use_kind(int use)
{
	return use < NS_NR_KINDS ? use : uses_ch[use - NS_NR_KINDS].kind;
}

static const char *use_name(int use)
{
	return use < NS_NR_KINDS ? ns_kinds[use].name : uses_ch[use - NS_NR_KINDS].name;
}

static unsigned int use_of_pidfd(int use)
{
	return use < NS_NR_KINDS ? ns_kinds[use].of_pidfd : uses_ch[use - NS_NR_KINDS].of_pidfd;
}

/*
 * The processes. They know nothing of the model: each gets commands, obeys, and
 * answers with a negative error code, or with the id of the namespace whose file
 * went into a slot, or else with 1. A message carries one file at most.
 */
enum {
	OP_CLONE,	/* a: flags; file: the child's commands; answers a pidfd */
	OP_MAP,		/* a: process whose user namespace gets many ids */
	OP_MAP_SELF,
	OP_UNSHARE,	/* a: flags */
	OP_SETNS,	/* slot */
	OP_SETNS_PIDFD,	/* a: flags; file: pidfd */
	OP_OPEN_PROC,	/* slot; a: process, or 0; b: use */
	OP_OPEN_PIDFD,	/* slot; b: use; file: pidfd */
	OP_OPEN_ID,	/* slot; a: id */
	OP_IOCTL,	/* slot; a: slot of the other file; b: command */
	OP_TREE,	/* slot; a: slot of what gets a mount */
	OP_PARK,	/* slot; a: slot of what goes into a socket */
	OP_UNPARK,	/* slot; a: slot of the socket */
	OP_SOCKET,	/* slot; a: sort */
	OP_BIND,	/* slot; a: place */
	OP_UMOUNT,	/* a: place */
	OP_GIVE,	/* slot; answers what is in it */
	OP_TAKE,	/* slot; file: what goes in */
	OP_CLOSE,	/* slot */
	OP_SETUID,	/* a: user */
	OP_EXEC,
	OP_WAIT,	/* file: pidfd of a child */
	OP_EXIT,	/* is not answered */
};

struct command {
	int op;
	int slot;
	__u64 a, b;
};

#define FD_COMMANDS 100
#define FD_SLOT(slot) (200 + (int)(slot))
#define NO_ANSWER INT64_MIN

/* Those of a process before it got a user namespace of its own. */
static unsigned int outer_uid, outer_gid;

static bool send_msg(int sock, const void *buf, size_t len, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = (void *)buf, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (fd >= 0) {
		struct cmsghdr *cmsg = &control.align;

		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(fd));
		memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == (ssize_t)len;
}

static bool recv_msg(int sock, void *buf, size_t len, int *fd, int flags)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov	= &iov,
		.msg_iovlen	= 1,
		.msg_control	= &control,
		.msg_controllen	= sizeof(control),
	};
	struct cmsghdr *cmsg;

	*fd = -1;
	if (recvmsg(sock, &msg, flags) != (ssize_t)len)
		return false;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(cmsg), sizeof(*fd));
	return true;
}

static __s64 keep(int fd, int slot)
{
	__u64 id;

	if (fd < 0 || dup2(fd, FD_SLOT(slot)) < 0)
		return -errno;
	close(fd);
	id = ns_fd_id(FD_SLOT(slot));
	return id ? id : 1;
}

static __s64 do_clone(__u64 flags, int commands, int *give)
{
	/* The first fields of struct clone_args. */
	int pidfd = -1;
	__u64 args[8] = {
		[0] = flags | CLONE_PIDFD,
		[1] = (uintptr_t)&pidfd,
		[4] = SIGCHLD,
	};
	pid_t pid;

	outer_uid = geteuid();
	outer_gid = getegid();
	pid = syscall(__NR_clone3, args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (pid) {
		*give = pidfd;
		return 1;
	}
	dup2(commands, FD_COMMANDS);
	return NO_ANSWER;
}

static __s64 do_map(unsigned int other)
{
	char pid[16], map[32];

	snprintf(pid, sizeof(pid), "%u", other);
	snprintf(map, sizeof(map), "0 0 %u", NR_UIDS);
	return ns_write(pid, "uid_map", map) && ns_write(pid, "gid_map", map) ? 1 : -errno;
}

/* Without privileges outside there is one id to be had, the own one. */
static __s64 do_map_self(void)
{
	char uids[32], gids[32];

	snprintf(uids, sizeof(uids), "0 %u 1", outer_uid);
	snprintf(gids, sizeof(gids), "0 %u 1", outer_gid);
	return ns_write("self", "setgroups", "deny") && ns_write("self", "uid_map", uids) &&
	       ns_write("self", "gid_map", gids) ? 1 : -errno;
}

static __s64 do_unshare(__u64 flags)
{
	outer_uid = geteuid();
	outer_gid = getegid();
	if (unshare(flags))
		return -errno;
	/* No command could come between. */
	return flags & USER_NS ? do_map_self() : 1;
}

/* Send a file to a socket where nobody receives it. */
static __s64 do_park(int slot, int what)
{
	int ends[2];
	char c = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) ||
	    !send_msg(ends[0], &c, 1, FD_SLOT(what)))
		return -errno;
	close(ends[0]);
	close(FD_SLOT(what));
	return keep(ends[1], slot);
}

static __s64 do_unpark(int slot, int where)
{
	int fd;
	char c;

	/* Once it is empty, there is no sender either. */
	if (!recv_msg(FD_SLOT(where), &c, 1, &fd, MSG_DONTWAIT))
		return -ENODATA;
	close(FD_SLOT(where));
	return keep(fd, slot);
}

static __s64 do_socket(int slot, unsigned int sort)
{
	static const int sorts[][3] = {
		{ AF_INET,	SOCK_DGRAM,	0 },
		{ AF_INET,	SOCK_STREAM,	0 },
		{ AF_INET,	SOCK_RAW,	IPPROTO_ICMP },
		{ AF_UNIX,	SOCK_STREAM,	0 },
		{ AF_NETLINK,	SOCK_RAW,	0 },
	};
	const int *s = sorts[sort % ARRAY_SIZE(sorts)];

	return keep(socket(s[0], s[1], s[2]), slot);
}

static const char *place(unsigned int nr)
{
	static char path[16];

	snprintf(path, sizeof(path), "/tmp/%u", nr);
	return path;
}

static __s64 do_bind(int slot, unsigned int nr)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", FD_SLOT(slot));
	return mount(path, place(nr), NULL, MS_BIND, NULL) ? -errno : 1;
}

static __s64 do_setuid(uid_t uid)
{
	/* Keep the capabilities: the walk ought to go on. */
	if (prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP) || setresuid(uid, uid, uid))
		return -errno;
	return 1;
}

static __s64 do_exec(void)
{
	static char *const argv[] = { "nsactive_model_test", "--obey", NULL };
	static char *const envp[] = { NULL };

	execve("/proc/self/exe", argv, envp);
	return -errno;
}

static __s64 obey(const struct command *cmd, int fd, int *give)
{
	int ret = 0;

	switch (cmd->op) {
	case OP_CLONE:
		return do_clone(cmd->a, fd, give);
	case OP_MAP:
		return do_map(cmd->a);
	case OP_MAP_SELF:
		return do_map_self();
	case OP_UNSHARE:
		return do_unshare(cmd->a);
	case OP_SETNS:
		ret = setns(FD_SLOT(cmd->slot), 0);
		break;
	case OP_SETNS_PIDFD:
		ret = setns(fd, cmd->a);
		break;
	case OP_OPEN_PROC:
		return keep(ns_open(cmd->a, use_name(cmd->b)), cmd->slot);
	case OP_OPEN_PIDFD:
		return keep(ioctl(fd, use_of_pidfd(cmd->b), 0), cmd->slot);
	case OP_OPEN_ID:
		ret = ns_open_handle(cmd->a, 0, 0);
		return ret < 0 ? ret : keep(ret, cmd->slot);
	case OP_IOCTL:
		return keep(ioctl(FD_SLOT(cmd->a), cmd->b), cmd->slot);
	case OP_TREE:
		return keep(syscall(__NR_open_tree, FD_SLOT(cmd->a), "",
				    AT_EMPTY_PATH | OPEN_TREE_CLONE), cmd->slot);
	case OP_PARK:
		return do_park(cmd->slot, cmd->a);
	case OP_UNPARK:
		return do_unpark(cmd->slot, cmd->a);
	case OP_SOCKET:
		return do_socket(cmd->slot, cmd->a);
	case OP_BIND:
		return do_bind(cmd->slot, cmd->a);
	case OP_UMOUNT:
		ret = umount2(place(cmd->a), 0);
		break;
	case OP_GIVE:
		*give = ret = dup(FD_SLOT(cmd->slot));
		break;
	case OP_TAKE:
		return keep(dup(fd), cmd->slot);
	case OP_CLOSE:
		ret = close(FD_SLOT(cmd->slot));
		break;
	case OP_SETUID:
		return do_setuid(cmd->a);
	case OP_EXEC:
		return do_exec();
	case OP_WAIT:
		ret = waitid(P_PIDFD, fd, &(siginfo_t){}, WEXITED);
		break;
	case OP_EXIT:
		_exit(0);
	}
	return ret < 0 ? -errno : 1;
}

static void obey_all(void)
{
	struct command cmd;
	int fd, give;
	__s64 ret;

	for (;;) {
		/* Else files below /proc/<pid> are not its own after setuid(). */
		prctl(PR_SET_DUMPABLE, 1);
		if (!recv_msg(FD_COMMANDS, &cmd, sizeof(cmd), &fd, 0))
			_exit(0);
		give = -1;
		ret = obey(&cmd, fd, &give);
		if (fd >= 0)
			close(fd);
		if (ret == NO_ANSWER)
			continue;
		if (!send_msg(FD_COMMANDS, &ret, sizeof(ret), give))
			_exit(1);
		if (give >= 0)
			close(give);
	}
}

/*
 * The model. Namespaces, processes and things are known by their index; none is
 * -1. The first namespaces are those that the test itself uses, and so always
 * visible; then comes the mount namespace that it makes for the walk.
 */
enum { NS_BASE_MNT = NS_NR_KINDS, NR_HOST_NS };

struct ns {
	__u64 id;
	int kind;
	int owner;
	int parent;			/* of a pid namespace */
	bool visible;
	bool dead;			/* a pid namespace: its init died, or one above */
	int init;			/* process */
	int mounted[NR_PLACES];		/* in a mount namespace: what, */
	bool locked[NR_PLACES];		/* and whether it stays there */
};

/* An open file that a process may have, and, after a fork, several. */
struct thing {
	enum { THING_NS, THING_TREE, THING_SOCKET, THING_PARKED } sort;
	int ns;				/* that it is of */
	int inside;			/* THING_PARKED: the thing, until received */
};

struct proc {
	enum proc_state { FREE, ALIVE, ZOMBIE } state;
	int parent;			/* -1 is the test */
	int uses[NR_USES];
	int slots[NR_SLOTS];
	pid_t pid;
	int pidfd, commands;
};

static struct ns nss[MAX_NS];
static int nr_ns;
static struct thing things[MAX_THINGS];
static int nr_things;
static struct proc procs[MAX_PROCS];

static unsigned short dice[3];
static int step_nr;
static bool step_ok;
static int nr_resurrected;
static char trail[NR_TRAIL][200];
static char wrong[400];

/* POSIX says what comes next, so that a seed is a walk with every C library. */
static unsigned int pick(unsigned int n)
{
	return nrand48(dice) % n;
}

/* The first thing that is wrong ends the walk. */
static bool __printf(1, 2) fail(const char *fmt, ...)
{
	va_list ap;

	if (!*wrong) {
		va_start(ap, fmt);
		vsnprintf(wrong, sizeof(wrong), fmt, ap);
		va_end(ap);
	}
	return false;
}

/* Write down what is about to be done, and then what came of it. */
static void __printf(1, 2) note(const char *fmt, ...)
{
	char *line = trail[step_nr % NR_TRAIL];
	size_t len = strlen(line);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(trail[0]) - len, fmt, ap);
	va_end(ap);
}

static const char *ns_text(int n)
{
	static char text[4][64];
	static int nr;
	char *s = text[nr++ % 4];

	if (n < 0)
		snprintf(s, sizeof(text[0]), "none");
	else
		snprintf(s, sizeof(text[0]), "%s:%llu%s", ns_kinds[nss[n].kind].name,
			 (unsigned long long)nss[n].id, n < NR_HOST_NS ? "(host)" : "");
	return s;
}

static const char *flags_text(__u64 flags)
{
	static char text[100];
	size_t len = 0;

	snprintf(text, sizeof(text), "0");
	for (int k = 0; k < NS_NR_KINDS; k++)
		if (flags & ns_kinds[k].type)
			len += snprintf(text + len, sizeof(text) - len, "%s%s",
					len ? "|" : "", ns_kinds[k].name);
	return text;
}

static int ns_add(__u64 id, int kind, int owner)
{
	struct ns *ns = &nss[nr_ns];

	if (nr_ns == MAX_NS || nss[nr_ns - 1].id >= id) {
		fail("no place for %s namespace %llu", ns_kinds[kind].name,
		     (unsigned long long)id);
		return -1;
	}
	*ns = (struct ns){ .id = id, .kind = kind, .owner = owner, .parent = -1, .init = -1 };
	for (int i = 0; i < NR_PLACES; i++)
		ns->mounted[i] = -1;
	return nr_ns++;
}

static int thing_add(int sort, int ns)
{
	if (nr_things == MAX_THINGS) {
		fail("no place for another thing");
		return 0;
	}
	things[nr_things] = (struct thing){ .sort = sort, .ns = ns, .inside = -1 };
	return nr_things++;
}

static void see(int n)
{
	if (n < 0 || nss[n].visible)
		return;
	nss[n].visible = true;
	see(nss[n].owner);
	see(nss[n].parent);
	for (int i = 0; i < NR_PLACES; i++)
		see(nss[n].mounted[i]);
}

static void see_thing(int t)
{
	if (t < 0)
		return;
	if (things[t].sort == THING_PARKED)
		see_thing(things[t].inside);
	else if (things[t].sort != THING_SOCKET)
		see(things[t].ns);
}

/* The rules. */
static void see_all(void)
{
	for (int n = 0; n < nr_ns; n++)
		nss[n].visible = false;
	for (int n = 0; n < NR_HOST_NS; n++)
		see(n);
	for (int p = 0; p < MAX_PROCS; p++) {
		const struct proc *proc = &procs[p];

		if (proc->state == FREE)
			continue;
		see(proc->uses[NS_USER]);
		see(proc->uses[NS_PID]);
		if (proc->state == ZOMBIE)
			continue;
		for (int u = 0; u < NR_USES; u++)
			see(proc->uses[u]);
		for (int s = 0; s < NR_SLOTS; s++)
			see_thing(proc->slots[s]);
	}
	/* With the last user of a mount namespace its mounts are gone. */
	for (int n = 0; n < nr_ns; n++)
		for (int i = 0; i < NR_PLACES && !nss[n].visible; i++)
			nss[n].mounted[i] = -1;
}

/* What the model knows about a namespace, for people. */
static void explain(int n)
{
	ksft_print_msg("%s: owner %s, parent %s; the model says %s\n", ns_text(n),
		       ns_text(nss[n].owner), ns_text(nss[n].parent),
		       nss[n].visible ? "visible" : "invisible");
	for (int p = 0; p < MAX_PROCS; p++) {
		for (int u = 0; procs[p].state != FREE && u < NR_USES; u++)
			if (procs[p].uses[u] == n)
				ksft_print_msg("  used by %s %d as %s\n",
					       procs[p].state == ALIVE ? "process" : "zombie", p,
					       use_name(u));
		for (int s = 0; procs[p].state == ALIVE && s < NR_SLOTS; s++) {
			int t = procs[p].slots[s];

			if (t >= 0 && things[t].sort == THING_PARKED)
				t = things[t].inside;
			if (t >= 0 && things[t].ns == n)
				ksft_print_msg("  process %d has a %s of it\n", p,
					       things[t].sort == THING_SOCKET ? "socket" : "file");
		}
	}
	for (int m = 0; m < nr_ns; m++) {
		if (nss[m].visible && (nss[m].owner == n || nss[m].parent == n))
			ksft_print_msg("  above %s\n", ns_text(m));
		for (int i = 0; i < NR_PLACES; i++)
			if (nss[m].mounted[i] == n)
				ksft_print_msg("  mounted in %s\n", ns_text(m));
	}
}

static bool mismatch(int n, const char *what)
{
	if (!*wrong)
		explain(n);
	return fail("%s: %s", ns_text(n), what);
}

#define MAX_IDS 65536
static __u64 ids[MAX_IDS];

/* Every namespace of the walk is listed if it is visible, and else not. */
static bool check_list(void)
{
	ssize_t nr, at = 0;

	if (nr_ns == NR_HOST_NS)
		return true;
	nr = ns_list_into(NS_REQ(.ns_id = nss[NR_HOST_NS].id - 1), 256, ids, MAX_IDS);
	if (nr < 0)
		return fail("listns(): %zd", nr);
	for (int n = NR_HOST_NS; n < nr_ns; n++) {
		bool listed;

		while (at < nr && ids[at] < nss[n].id)
			at++;
		listed = at < nr && ids[at] == nss[n].id;
		if (listed != nss[n].visible)
			return mismatch(n, listed ? "is listed" : "is not listed");
	}
	return true;
}

/* Nobody else makes anything in these user namespaces: that, and no more. */
static bool check_owned(void)
{
	static int seen[MAX_NS];
	int nr_seen = 0;

	for (int n = NR_HOST_NS; n < nr_ns; n++)
		if (nss[n].visible)
			seen[nr_seen++] = n;
	for (int i = 0; i < nr_seen; i++) {
		int owner = seen[i], at = 0;
		ssize_t nr;

		if (nss[owner].kind != NS_USER)
			continue;
		nr = ns_list_into(NS_REQ(.user_ns_id = nss[owner].id), 16, ids, MAX_IDS);
		if (nr < 0)
			return fail("listns() by owner %s: %zd", ns_text(owner), nr);
		/* An owner is older. */
		for (int j = i + 1; j < nr_seen; j++) {
			if (nss[seen[j]].owner != owner)
				continue;
			if (at == nr || ids[at] != nss[seen[j]].id)
				return mismatch(seen[j], "is not listed by owner");
			at++;
		}
		if (at != nr)
			return fail("%s owns %llu, says listns()", ns_text(owner),
				    (unsigned long long)ids[at]);
	}
	return true;
}

/* The same for file handles. To look makes nothing visible for longer. */
static bool check_handles(void)
{
	for (int n = NR_HOST_NS; n < nr_ns; n++) {
		int fd = ns_open_handle(nss[n].id, 0, 0);
		__u64 id;

		if (fd < 0) {
			if (fd != -ESTALE)
				return fail("handle of %s: %d", ns_text(n), fd);
			if (nss[n].visible)
				return mismatch(n, "cannot be opened by handle");
			continue;
		}
		id = ns_fd_id(fd);
		close(fd);
		if (!nss[n].visible)
			return mismatch(n, "can be opened by handle");
		if (id != nss[n].id)
			return mismatch(n, "another one is opened by handle");
	}
	return true;
}

static bool check(void)
{
	see_all();
	return !*wrong && check_list() && check_owned() && check_handles();
}

/* Have process @p obey. */
static __s64 call(int p, struct command cmd, int fd, int *got)
{
	__s64 ret;
	int file = -1;

	if (!send_msg(procs[p].commands, &cmd, sizeof(cmd), fd) ||
	    !recv_msg(procs[p].commands, &ret, sizeof(ret), &file, 0)) {
		fail("process %d does not answer", p);
		ret = -EPIPE;
	}
	if (got)
		*got = file;
	else if (file >= 0)
		close(file);
	return ret;
}

#define CALL(p, operation, ...) \
	call(p, (struct command){ .op = (operation), ##__VA_ARGS__ }, -1, NULL)
#define CALL_FD(p, fd, operation, ...) \
	call(p, (struct command){ .op = (operation), ##__VA_ARGS__ }, fd, NULL)

/*
 * Note the result of a step: what is not among @errors must not happen. Returns
 * whether there is something for the model to follow.
 */
static bool result(__s64 ret, bool may_succeed, const int *errors)
{
	step_ok = ret >= 0;
	if (step_ok) {
		note(" = %lld", (long long)ret);
		return may_succeed || fail("this should have failed");
	}
	note(" = %s", strerror(-ret));
	while (*errors && *errors != -ret)
		errors++;
	if (!*errors)
		fail("this should not have failed in that way");
	return false;
}

#define RESULT(ret, ...) result(ret, true, (const int[]){ __VA_ARGS__, 0 })
#define FAILURE(ret, ...) result(ret, false, (const int[]){ __VA_ARGS__, 0 })
#define SUCCESS(ret) result(ret, true, (const int[]){ 0 })

/* The same, for what opened a file of namespace @n. */
static bool opened(int p, int slot, __s64 ret, int n)
{
	if (n < 0 || (__u64)ret != nss[n].id)
		return fail("that is %lld, not %s", (long long)ret, ns_text(n));
	procs[p].slots[slot] = thing_add(THING_NS, n);
	return true;
}

static int pick_proc(enum proc_state state)
{
	int found[MAX_PROCS], nr = 0;

	for (int p = 0; p < MAX_PROCS; p++)
		if (procs[p].state == state)
			found[nr++] = p;
	return nr ? found[pick(nr)] : -1;
}

/* A process that is there, or was and is not reaped yet. */
static int pick_target(void)
{
	int p = pick(4) ? -1 : pick_proc(ZOMBIE);

	return p >= 0 ? p : pick_proc(ALIVE);
}

/* One that is free, or else any. */
static int pick_slot(int p)
{
	int first = pick(NR_SLOTS);

	for (int i = 0; i < NR_SLOTS; i++)
		if (procs[p].slots[(first + i) % NR_SLOTS] < 0)
			return (first + i) % NR_SLOTS;
	return first;
}

/* A slot with a thing of one of the @sorts, a bit mask. */
static int pick_thing(int p, unsigned int sorts)
{
	int first = pick(NR_SLOTS);

	for (int i = 0; i < NR_SLOTS; i++) {
		int s = (first + i) % NR_SLOTS, t = procs[p].slots[s];

		if (t >= 0 && sorts & (1 << things[t].sort))
			return s;
	}
	return -1;
}

static __u64 pick_flags(void)
{
	__u64 flags = 0;

	switch (pick(4)) {
	case 0:
	case 1:
		flags = ns_kinds[pick(ns_nr_kinds)].type;
		break;
	case 2:
		flags = ns_kinds[pick(ns_nr_kinds)].type | ns_kinds[pick(ns_nr_kinds)].type;
		break;
	case 3:
		for (int k = 0; k < ns_nr_kinds; k++)
			flags |= pick(2) ? ns_kinds[k].type : 0;
		break;
	}
	return flags;
}

/*
 * Should process @p rather not try what takes privileges in user namespace @user?
 * It has some in its own and what is below, if it has any. Now and then it tries.
 */
static bool hopeless(int p, int user)
{
	while (user >= 0 && user != procs[p].uses[NS_USER])
		user = nss[user].owner;
	return user < 0 && pick(6);
}

/*
 * Pid namespaces nest below that of the process itself, and under user namespaces that
 * are nested like them. Can it not make one, for all its privileges?
 */
static bool no_pid_ns_below(const int *uses)
{
	int user = uses[NS_USER], owner = nss[uses[USE_PID_CH]].owner;

	while (user >= 0 && user != owner)
		user = nss[user].owner;
	return user < 0 || uses[NS_PID] != uses[USE_PID_CH];
}

/* Those to make namespaces with: all but the user namespace is to be our own. */
static __u64 pick_new(int p)
{
	__u64 flags = pick_flags();

	/* They take longest to make. */
	if (pick(2))
		flags &= ~(__u64)NET_NS;
	if (flags && procs[p].uses[NS_USER] < NR_HOST_NS)
		flags |= USER_NS;
	return flags;
}

/* The one namespace of the @kind that @owner got after @last, or 0. */
static __u64 newly_owned(int owner, int kind, __u64 last)
{
	struct ns_id_req req = NS_REQ(.ns_id = last, .ns_type = ns_kinds[kind].type,
				      .user_ns_id = nss[owner].id);
	__u64 found[2];

	if (sys_listns(&req, found, 2, 0) == 1)
		return found[0];
	fail("not one new %s namespace of %s is listed", ns_kinds[kind].name, ns_text(owner));
	return 0;
}

static void copy_mounts(int from, int to)
{
	for (int i = 0; i < NR_PLACES; i++) {
		int n = nss[from].mounted[i];

		/* Files of mount namespaces are left out. */
		if (n < 0 || nss[n].kind == NS_MNT)
			continue;
		nss[to].mounted[i] = n;
		nss[to].locked[i] = nss[from].locked[i] || nss[from].owner != nss[to].owner;
	}
}

/*
 * Process @p, which was as @old, has new namespaces: find them in the list, by what
 * they are owned by, without opening any of them.
 */
static bool find_new(int p, const int *old, __u64 flags)
{
	__u64 last = nss[nr_ns - 1].id, found[NS_NR_KINDS] = {};
	int owner = old[NS_USER], *uses = procs[p].uses;

	if (flags & USER_NS) {
		/* What the user namespace of the host owns is not ours alone. */
		owner = ns_add(owner < NR_HOST_NS ? ns_id(procs[p].pid, "user") :
			       newly_owned(owner, NS_USER, last), NS_USER, owner);
		if (owner < 0)
			return false;
		uses[NS_USER] = owner;
	}
	for (int k = 0; k < NS_NR_KINDS; k++)
		if (flags & ns_kinds[k].type & ~USER_NS)
			found[k] = newly_owned(owner, k, last);

	/* In order of their ids. */
	for (;;) {
		int first = -1, n;

		for (int k = 0; k < NS_NR_KINDS; k++)
			if (found[k] && (first < 0 || found[k] < found[first]))
				first = k;
		if (first < 0 || *wrong)
			return !*wrong;
		n = ns_add(found[first], first, owner);
		if (n < 0)
			return false;
		found[first] = 0;

		if (first == NS_PID) {
			nss[n].parent = old[USE_PID_CH];
			uses[USE_PID_CH] = n;
		} else if (first == NS_TIME) {
			uses[USE_TIME_CH] = n;
		} else {
			uses[first] = n;
		}
		if (first == NS_MNT)
			copy_mounts(old[NS_MNT], n);
	}
}

static pid_t pid_of(int pidfd)
{
	char path[64], line[128];
	int pid = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f) && sscanf(line, "Pid: %d", &pid) != 1)
		;
	if (f)
		fclose(f);
	return pid;
}

/* A struct proc for a new process, of which nothing else is known yet. */
static int proc_new(int commands)
{
	int p = pick_proc(FREE);

	/* Till now the pidfd has kept the struct pid of the one before. */
	if (procs[p].pidfd >= 0)
		close(procs[p].pidfd);
	if (procs[p].commands >= 0)
		close(procs[p].commands);
	procs[p] = (struct proc){ .parent = -1, .pidfd = -1, .commands = commands };
	for (int s = 0; s < NR_SLOTS; s++)
		procs[p].slots[s] = -1;
	return p;
}

/* The steps. They return false if they cannot be taken. */
static bool step_spawn(int unused)
{
	int ends[2], p;

	if (pick_proc(FREE) < 0)
		return false;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return fail("socketpair: %m");
	p = proc_new(ends[0]);
	note("process %d starts", p);
	procs[p].pid = fork();
	if (!procs[p].pid) {
		dup2(ends[1], FD_COMMANDS);
		syscall(__NR_close_range, 3, FD_COMMANDS - 1, 0);
		syscall(__NR_close_range, FD_COMMANDS + 1, ~0U, 0);
		obey_all();
	}
	close(ends[1]);
	procs[p].pidfd = syscall(__NR_pidfd_open, procs[p].pid, 0);
	if (procs[p].pidfd < 0)
		return fail("fork or pidfd_open: %m");
	procs[p].state = ALIVE;
	for (int u = 0; u < NR_USES; u++)
		procs[p].uses[u] = use_kind(u);
	procs[p].uses[NS_MNT] = NS_BASE_MNT;
	return SUCCESS(1);
}

/* Process @p has made @c. */
static void born(int c, int p, int pidfd, __u64 flags)
{
	struct proc *child = &procs[c];
	__s64 ret;
	int n;

	child->state = ALIVE;
	child->pidfd = pidfd;
	child->pid = pid_of(pidfd);
	child->parent = p;
	memcpy(child->uses, procs[p].uses, sizeof(child->uses));
	memcpy(child->slots, procs[p].slots, sizeof(child->slots));
	if (!find_new(c, procs[p].uses, flags))
		return;
	n = child->uses[USE_PID_CH];
	child->uses[NS_PID] = n;
	child->uses[NS_TIME] = child->uses[USE_TIME_CH];
	if (nss[n].init < 0)
		nss[n].init = c;

	if (!(flags & USER_NS))
		return;
	ret = CALL(p, OP_MAP, .a = child->pid);
	if (ret < 0)
		ret = CALL(c, OP_MAP_SELF);
	if (ret < 0)
		fail("no ids for the new user namespace: %s", strerror(-ret));
}

/* Returns the child, or -1. */
static int clone_of(int p, __u64 flags)
{
	const int *uses = procs[p].uses;
	int ends[2], c, pidfd = -1;
	__s64 ret;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends)) {
		fail("socketpair: %m");
		return -1;
	}
	c = proc_new(ends[0]);
	note("%d: clone(%s) of %d", p, flags_text(flags), c);
	ret = call(p, (struct command){ .op = OP_CLONE, .a = flags }, ends[1], &pidfd);
	close(ends[1]);

	/* The dead have no children. */
	if (flags & PID_NS && no_pid_ns_below(uses))
		FAILURE(ret, EINVAL, EPERM, ENOSPC);
	else if (nss[uses[USE_PID_CH]].dead)
		FAILURE(ret, ENOMEM, EPERM, ENOSPC);
	else if (RESULT(ret, EPERM, ENOSPC))
		born(c, p, pidfd, flags);
	return procs[c].state == ALIVE ? c : -1;
}

static bool step_clone(int p)
{
	if (pick_proc(FREE) < 0)
		return false;
	clone_of(p, pick(3) ? pick_new(p) : 0);
	return true;
}

static bool step_unshare(int p)
{
	const int *uses = procs[p].uses;
	__u64 flags = pick_new(p);
	int old[NR_USES];
	__s64 ret;

	/* Its failure would leave the root and the working directory unmounted. */
	if (flags & PID_NS && no_pid_ns_below(uses))
		flags &= ~(__u64)MNT_NS;
	if (!flags)
		return false;
	note("%d: unshare(%s)", p, flags_text(flags));
	ret = CALL(p, OP_UNSHARE, .a = flags);
	if (flags & PID_NS && no_pid_ns_below(uses)) {
		FAILURE(ret, EINVAL, EPERM, ENOSPC);
	} else if (RESULT(ret, EPERM, ENOSPC)) {
		memcpy(old, uses, sizeof(old));
		find_new(p, old, flags);
	}
	return true;
}

static void enter(int p, int n)
{
	int *uses = procs[p].uses;

	switch (nss[n].kind) {
	case NS_PID:
		uses[USE_PID_CH] = n;
		break;
	case NS_TIME:
		uses[NS_TIME] = n;
		uses[USE_TIME_CH] = n;
		break;
	default:
		uses[nss[n].kind] = n;
	}
}

static bool step_setns(int p)
{
	int slot = pick_thing(p, 1 << THING_NS), n;
	__s64 ret;

	if (slot < 0)
		return false;
	n = things[procs[p].slots[slot]].ns;
	if (hopeless(p, nss[n].owner))
		return false;
	note("%d: setns(%s)", p, ns_text(n));
	ret = CALL(p, OP_SETNS, .slot = slot);
	if (RESULT(ret, EPERM, EINVAL))
		enter(p, n);
	return true;
}

static bool step_setns_pidfd(int p)
{
	int other = pick_target();
	__u64 flags = pick_flags();
	__s64 ret;

	if (other == p || !flags || hopeless(p, procs[other].uses[NS_USER]))
		return false;
	note("%d: setns(%s %d, %s)", p, procs[other].state == ALIVE ? "process" : "zombie",
	     other, flags_text(flags));
	ret = CALL_FD(p, procs[other].pidfd, OP_SETNS_PIDFD, .a = flags);
	if (procs[other].state == ZOMBIE) {
		FAILURE(ret, ESRCH, EPERM);
	} else if (RESULT(ret, EPERM, EINVAL)) {
		for (int k = 0; k < NS_NR_KINDS; k++)
			if (flags & ns_kinds[k].type)
				enter(p, procs[other].uses[k]);
	}
	return true;
}

/* What can be opened of a process, by its number or its pidfd. */
static bool step_open(int p)
{
	int other = pick(2) ? p : pick_target(), use = pick(NR_USES), slot = pick_slot(p);
	bool pidfd = pick(2);
	__s64 ret;

	if (ns_kinds[use_kind(use)].type & ns_lacking)
		return false;
	note("%d: open %s of %s %d by %s", p, use_name(use),
	     procs[other].state == ALIVE ? "process" : "zombie", other, pidfd ? "pidfd" : "pid");
	if (pidfd)
		ret = CALL_FD(p, procs[other].pidfd, OP_OPEN_PIDFD, .slot = slot, .b = use);
	else
		ret = CALL(p, OP_OPEN_PROC, .slot = slot, .b = use,
			   .a = other == p && pick(2) ? 0 : procs[other].pid);
	/* There is no file of a pid namespace that has had no process. */
	if (procs[other].state == ZOMBIE && use != NS_USER && use != NS_PID)
		FAILURE(ret, ESRCH, ENOENT, EACCES);
	else if (RESULT(ret, ESRCH, ENOENT, EACCES))
		opened(p, slot, ret, procs[other].uses[use]);
	return true;
}

static bool step_open_id(int p)
{
	int slot = pick_slot(p), n;
	__s64 ret;

	if (nr_ns == NR_HOST_NS)
		return false;
	/* The newest third, where some are visible. */
	n = nr_ns - 1 - pick((nr_ns - NR_HOST_NS + 2) / 3);
	note("%d: open %s by handle", p, ns_text(n));
	ret = CALL(p, OP_OPEN_ID, .slot = slot, .a = nss[n].id);
	if (!nss[n].visible)
		FAILURE(ret, ESTALE);
	else if (RESULT(ret, ESTALE))
		opened(p, slot, ret, n);
	return true;
}

static bool step_related(int p)
{
	int from = pick_thing(p, 1 << THING_NS), slot = pick_slot(p), n, rel;
	bool owner, has_parent;
	__s64 ret;

	if (from < 0)
		return false;
	n = things[procs[p].slots[from]].ns;
	if (hopeless(p, nss[n].owner))
		return false;
	has_parent = nss[n].kind == NS_USER || nss[n].kind == NS_PID;
	owner = pick(has_parent ? 2 : 4);
	note("%d: %s of %s", p, owner ? "owner" : "parent", ns_text(n));
	ret = CALL(p, OP_IOCTL, .slot = slot, .a = from,
		   .b = owner ? NS_GET_USERNS : NS_GET_PARENT);
	rel = owner || nss[n].kind == NS_USER ? nss[n].owner : nss[n].parent;
	if (!owner && !has_parent)
		FAILURE(ret, EINVAL);
	else if (RESULT(ret, EPERM))
		opened(p, slot, ret, rel);
	return true;
}

static int socket_of(int p)
{
	int slot = pick_slot(p), sort = pick(5);
	__s64 ret;

	note("%d: socket of sort %d in %s", p, sort, ns_text(procs[p].uses[NS_NET]));
	ret = CALL(p, OP_SOCKET, .slot = slot, .a = sort);
	if (!RESULT(ret, EPERM, EPROTONOSUPPORT))
		return -1;
	procs[p].slots[slot] = thing_add(THING_SOCKET, procs[p].uses[NS_NET]);
	return slot;
}

static bool step_socket(int p)
{
	if (procs[p].uses[NS_NET] < NR_HOST_NS && pick(4))
		return false;
	socket_of(p);
	return true;
}

/* A socket whose namespace is invisible is what this is about, whoever has it. */
static bool step_resurrect(int p)
{
	int from = pick_thing(p, 1 << THING_SOCKET), slot, n, first = pick(MAX_PROCS);
	__s64 ret;

	for (int i = 0; i < MAX_PROCS * NR_SLOTS; i++) {
		int q = (first + i / NR_SLOTS) % MAX_PROCS, s = i % NR_SLOTS;
		int t = procs[q].state == ALIVE ? procs[q].slots[s] : -1;

		if (t >= 0 && things[t].sort == THING_SOCKET && !nss[things[t].ns].visible) {
			p = q;
			from = s;
			break;
		}
	}
	if (from < 0)
		return false;
	n = things[procs[p].slots[from]].ns;
	if (hopeless(p, nss[n].owner))
		return false;
	slot = pick_slot(p);
	note("%d: open %s%s by its socket", p, nss[n].visible ? "" : "invisible ", ns_text(n));
	ret = CALL(p, OP_IOCTL, .slot = slot, .a = from, .b = SIOCGSKNS);
	if (RESULT(ret, EPERM) && opened(p, slot, ret, n))
		nr_resurrected += !nss[n].visible;
	return true;
}

static bool step_tree(int p)
{
	int from = pick_thing(p, 1 << THING_NS), slot = pick_slot(p), n;
	__s64 ret;

	if (from < 0 || hopeless(p, nss[procs[p].uses[NS_MNT]].owner))
		return false;
	n = things[procs[p].slots[from]].ns;
	note("%d: detached mount of %s", p, ns_text(n));
	ret = CALL(p, OP_TREE, .slot = slot, .a = from);
	if (RESULT(ret, EPERM, EINVAL))
		procs[p].slots[slot] = thing_add(THING_TREE, n);
	return true;
}

static bool step_bind(int p)
{
	int slot = pick_thing(p, 1 << THING_NS | 1 << THING_TREE), where = pick(NR_PLACES), n;
	struct ns *mnt = &nss[procs[p].uses[NS_MNT]];
	__s64 ret;

	if (slot < 0 || mnt->mounted[where] >= 0 || hopeless(p, mnt->owner))
		return false;
	n = things[procs[p].slots[slot]].ns;
	note("%d: mount slot %d, %s, on %d of %s", p, slot, ns_text(n), where,
	     ns_text(procs[p].uses[NS_MNT]));
	ret = CALL(p, OP_BIND, .slot = slot, .a = where);
	/* A mount namespace must not keep itself, nor an older one. */
	if (nss[n].kind == NS_MNT && nss[n].id <= mnt->id) {
		FAILURE(ret, EINVAL, EPERM);
	} else if (RESULT(ret, EPERM)) {
		mnt->mounted[where] = n;
		mnt->locked[where] = false;
	}
	return true;
}

static bool step_umount(int p)
{
	struct ns *mnt = &nss[procs[p].uses[NS_MNT]];
	int where = pick(NR_PLACES);
	__s64 ret;

	for (int i = 1; i < NR_PLACES && mnt->mounted[where] < 0; i++)
		where = (where + 1) % NR_PLACES;
	if (mnt->mounted[where] < 0 || hopeless(p, mnt->owner))
		return false;
	note("%d: unmount %s from %d of %s", p, ns_text(mnt->mounted[where]), where,
	     ns_text(procs[p].uses[NS_MNT]));
	ret = CALL(p, OP_UMOUNT, .a = where);
	if (mnt->locked[where])
		FAILURE(ret, EINVAL, EPERM);
	else if (RESULT(ret, EPERM))
		mnt->mounted[where] = -1;
	return true;
}

static bool step_park(int p)
{
	int what = pick_thing(p, 1 << THING_NS | 1 << THING_TREE | 1 << THING_SOCKET);
	int slot = pick_slot(p), t;
	__s64 ret;

	if (what < 0)
		return false;
	t = procs[p].slots[what];
	note("%d: send slot %d, %s, to slot %d", p, what, ns_text(things[t].ns), slot);
	ret = CALL(p, OP_PARK, .slot = slot, .a = what);
	if (SUCCESS(ret)) {
		procs[p].slots[what] = -1;
		procs[p].slots[slot] = thing_add(THING_PARKED, -1);
		things[procs[p].slots[slot]].inside = t;
	}
	return true;
}

static bool step_unpark(int p)
{
	int where = pick_thing(p, 1 << THING_PARKED), slot = pick_slot(p), t;
	__s64 ret;

	if (where < 0)
		return false;
	t = procs[p].slots[where];
	note("%d: receive from slot %d into %d", p, where, slot);
	ret = CALL(p, OP_UNPARK, .slot = slot, .a = where);
	/* Another process may have been faster. */
	if (things[t].inside < 0) {
		FAILURE(ret, ENODATA);
	} else if (SUCCESS(ret)) {
		procs[p].slots[where] = -1;
		procs[p].slots[slot] = things[t].inside;
		things[t].inside = -1;
	}
	return true;
}

static void close_slot(int p, int slot)
{
	__s64 ret = CALL(p, OP_CLOSE, .slot = slot);

	note(", close slot %d", slot);
	if (SUCCESS(ret))
		procs[p].slots[slot] = -1;
}

static bool step_close(int p)
{
	int slot = pick_thing(p, ~0U);

	if (slot < 0)
		return false;
	note("%d", p);
	close_slot(p, slot);
	return true;
}

static void hand_over(int p, int from, int to)
{
	int slot = pick_slot(to), fd = -1;
	__s64 ret;

	note("%d: pass slot %d to %d, slot %d", p, from, to, slot);
	ret = call(p, (struct command){ .op = OP_GIVE, .slot = from }, -1, &fd);
	if (ret > 0)
		ret = CALL_FD(to, fd, OP_TAKE, .slot = slot);
	close(fd);
	if (!SUCCESS(ret))
		return;
	procs[to].slots[slot] = procs[p].slots[from];
	if (pick(2))
		close_slot(p, from);
}

static bool step_pass(int p)
{
	int from = pick_thing(p, ~0U), to = pick_proc(ALIVE);

	if (from < 0 || to == p)
		return false;
	hand_over(p, from, to);
	return true;
}

static bool step_setuid(int p)
{
	int uid = pick(4);
	__s64 ret;

	note("%d: setuid(%d)", p, uid);
	ret = CALL(p, OP_SETUID, .a = uid);
	RESULT(ret, EINVAL, EPERM);
	return true;
}

static bool step_exec(int p)
{
	note("%d: exec", p);
	if (SUCCESS(CALL(p, OP_EXEC)))
		procs[p].uses[NS_TIME] = procs[p].uses[USE_TIME_CH];
	return true;
}

/* A process is dead when its pidfd says so. That of a reaped one does, too. */
static bool wait_dead(int p)
{
	struct pollfd pfd = { .fd = procs[p].pidfd, .events = POLLIN };

	return poll(&pfd, 1, -1) == 1 || fail("poll: %m");
}

static bool wait_for(int p)
{
	__s64 ret;

	if (procs[p].parent >= 0)
		ret = CALL_FD(procs[p].parent, procs[p].pidfd, OP_WAIT);
	else
		ret = waitid(P_PIDFD, procs[p].pidfd, &(siginfo_t){}, WEXITED) ? -errno : 1;
	procs[p].state = FREE;
	return ret == 1 || fail("wait for %d: %s", p, strerror(-ret));
}

static bool pid_ns_below(int n, int top)
{
	while (n >= 0 && n != top)
		n = nss[n].parent;
	return n == top;
}

static int pid_ns_level(int n)
{
	return nss[n].parent < 0 ? 0 : pid_ns_level(nss[n].parent) + 1;
}

/*
 * The init of a pid namespace takes all with it that live in there, and reaps
 * those that are its own. It stays until others have reaped theirs, which they
 * do here, beginning with the innermost.
 */
static bool take_along(int init)
{
	int top = procs[init].uses[NS_PID], nr = 0, doomed[MAX_PROCS], last;
	bool is_doomed[MAX_PROCS] = {};

	is_doomed[init] = true;
	for (int p = 0; p < MAX_PROCS; p++) {
		if (procs[p].state == FREE || p == init ||
		    !pid_ns_below(procs[p].uses[NS_PID], top))
			continue;
		is_doomed[p] = true;
		doomed[nr++] = p;
	}
	/* Who holds a file of one below that had no init may enter it, but not fork. */
	for (int n = NR_HOST_NS; n < nr_ns; n++)
		if (nss[n].kind == NS_PID && pid_ns_below(n, top))
			nss[n].dead = true;
	for (; nr; doomed[last] = doomed[--nr]) {
		int max = -1;

		last = 0;
		for (int i = 0; i < nr; i++) {
			int n = procs[doomed[i]].uses[NS_PID];
			int rank = 2 * pid_ns_level(n) + (nss[n].init != doomed[i]);

			if (rank > max) {
				max = rank;
				last = i;
			}
		}
		if (procs[doomed[last]].parent < 0 || !is_doomed[procs[doomed[last]].parent]) {
			note(", %d", doomed[last]);
			if (!wait_dead(doomed[last]) || !wait_for(doomed[last]))
				return false;
		}
	}
	if (!wait_dead(init))
		return false;
	for (int p = 0; p < MAX_PROCS; p++)
		if (is_doomed[p] && p != init && procs[p].state != FREE) {
			note(", %d", p);
			procs[p].state = FREE;
		}
	return true;
}

static void end(int p)
{
	struct proc *proc = &procs[p];
	int n = proc->uses[NS_PID];
	bool killed = pick(2), sent;

	note("%d: %s", p, killed ? "is killed" : "exits");
	if (killed)
		sent = !syscall(__NR_pidfd_send_signal, proc->pidfd, SIGKILL, NULL, 0);
	else
		sent = send_msg(proc->commands, &(struct command){ .op = OP_EXIT },
				sizeof(struct command), -1);
	if (!sent)
		fail("it could not be told to die");
	if (n >= NR_HOST_NS && nss[n].init == p) {
		take_along(p);
	} else {
		wait_dead(p);
		/* The test is the reaper of orphans where it lives itself. */
		for (int c = 0; c < MAX_PROCS; c++)
			if (procs[c].parent == p)
				procs[c].parent = n < NR_HOST_NS ? -1 : nss[n].init;
	}
	proc->state = ZOMBIE;
	for (int s = 0; s < NR_SLOTS; s++)
		proc->slots[s] = -1;
	SUCCESS(1);
}

static bool step_die(int p)
{
	end(p);
	return true;
}

static void reap(int p)
{
	note("%d: is reaped", p);
	if (wait_for(p))
		SUCCESS(1);
}

static bool step_reap(int unused)
{
	int p = pick_proc(ZOMBIE);

	if (p >= 0)
		reap(p);
	return p >= 0;
}

/* Go on within a step as if there were several. */
static bool next_step(void)
{
	if (!check())
		return false;
	trail[++step_nr % NR_TRAIL][0] = '\0';
	return true;
}

/*
 * Children one in another, the innermost of which gives a socket to process @p
 * and dies, as do the others. That takes too much luck to happen often.
 */
static bool step_orphan(int p)
{
	int chain[3], nr = 0, last = p, nr_levels = 1 + pick(ARRAY_SIZE(chain)), nr_free = 0;

	for (int q = 0; q < MAX_PROCS; q++)
		nr_free += procs[q].state == FREE;
	/* Who cannot open anything by that socket need not have it. */
	for (int i = 0; i < 4 && hopeless(p, NS_USER); i++)
		p = pick_proc(ALIVE);
	if (nr_free < nr_levels)
		return false;
	while (nr < nr_levels) {
		last = clone_of(last, USER_NS | NET_NS | (pick_new(p) & ~(__u64)PID_NS));
		if (last < 0)
			break;
		chain[nr++] = last;
		if (!next_step())
			return true;
	}
	if (nr) {
		int slot = socket_of(last);

		if (!next_step())
			return true;
		if (slot >= 0)
			hand_over(last, slot, p);
	}
	while (nr) {
		if (!next_step())
			return true;
		last = chain[--nr];
		end(last);
		if (!next_step())
			return true;
		reap(last);
	}
	return true;
}

static const struct step {
	const char *name;
	bool (*take)(int p);
	int weight;
	bool by_test;		/* not by one of the processes */
} steps[] = {
	{ "spawn",		step_spawn,		6, true },
	{ "clone",		step_clone,		14 },
	{ "unshare",		step_unshare,		12 },
	{ "setns",		step_setns,		8 },
	{ "setns by pidfd",	step_setns_pidfd,	8 },
	{ "open",		step_open,		12 },
	{ "open by handle",	step_open_id,		4 },
	{ "open relative",	step_related,		8 },
	{ "socket",		step_socket,		8 },
	{ "open by socket",	step_resurrect,		15 },
	{ "detached mount",	step_tree,		3 },
	{ "mount",		step_bind,		10 },
	{ "unmount",		step_umount,		6 },
	{ "send",		step_park,		4 },
	{ "receive",		step_unpark,		4 },
	{ "pass",		step_pass,		7 },
	{ "close",		step_close,		9 },
	{ "setuid",		step_setuid,		3 },
	{ "exec",		step_exec,		2 },
	{ "die",		step_die,		7 },
	{ "leave a socket",	step_orphan,		4 },
	{ "reap",		step_reap,		9, true },
};

/* How often each was taken, and how often it succeeded. */
static int nr_taken[ARRAY_SIZE(steps)], nr_ok[ARRAY_SIZE(steps)];

static void take_step(void)
{
	unsigned int total = 0, i;
	bool taken;

	for (i = 0; i < ARRAY_SIZE(steps); i++)
		total += steps[i].weight;
	trail[step_nr % NR_TRAIL][0] = '\0';
	do {
		int p = pick_proc(ALIVE), at = pick(total);

		for (i = 0; at >= steps[i].weight; i++)
			at -= steps[i].weight;
		taken = false;
		if (p < 0 && !steps[i].by_test)
			continue;
		taken = steps[i].take(p);
	} while (!taken && !*wrong);
	nr_taken[i]++;
	nr_ok[i] += step_ok;
}

/* At the end nothing has active references, and nothing of it is visible. */
static bool finish(void)
{
	int p;

	for (int i = 0; i < NR_PLACES; i++)
		if (nss[NS_BASE_MNT].mounted[i] >= 0 && umount2(place(i), 0))
			return fail("umount: %m");
	memset(nss[NS_BASE_MNT].mounted, 0xff, sizeof(nss[NS_BASE_MNT].mounted));
	trail[++step_nr % NR_TRAIL][0] = '\0';
	while ((p = pick_proc(ALIVE)) >= 0 && !*wrong) {
		note("; ");
		end(p);
	}
	while ((p = pick_proc(ZOMBIE)) >= 0 && !*wrong) {
		note("; ");
		reap(p);
	}
	if (!check())
		return false;
	for (int n = NR_HOST_NS; n < nr_ns; n++)
		if (nss[n].visible)
			return mismatch(n, "is left over");
	return true;
}

/* A mount namespace for the walk, with places to mount something on. */
static bool prepare(void)
{
	for (int k = 0; k < NS_NR_KINDS; k++)
		nss[nr_ns++] = (struct ns){ .kind = k, .id = ns_id(0, ns_kinds[k].name) };
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, "mode=755"))
		return false;
	nss[nr_ns++] = (struct ns){ .kind = NS_MNT, .id = ns_id(0, "mnt") };
	for (int n = 0; n < nr_ns; n++) {
		nss[n].owner = n == NS_USER ? -1 : NS_USER;
		nss[n].parent = -1;
		nss[n].init = getpid();
		memset(nss[n].mounted, 0xff, sizeof(nss[n].mounted));
	}
	for (int i = 0; i < NR_PLACES; i++)
		if (mknod(place(i), S_IFREG | 0644, 0))
			return false;
	for (int p = 0; p < MAX_PROCS; p++)
		procs[p] = (struct proc){ .pidfd = -1, .commands = -1 };
	/* Else orphans would be another's to reap. */
	return !prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static __u64 given(const char *name, __u64 otherwise)
{
	const char *value = getenv(name);

	return value && *value ? strtoull(value, NULL, 0) : otherwise;
}

FIXTURE(walk) {
	unsigned long long seed;
};

FIXTURE_VARIANT(walk) {
	__u64 seed;
};

FIXTURE_VARIANT_ADD(walk, seed_1) {
	.seed = 1,
};

FIXTURE_VARIANT_ADD(walk, seed_2) {
	.seed = 2,
};

FIXTURE_VARIANT_ADD(walk, seed_3) {
	.seed = 3,
};

FIXTURE_VARIANT_ADD(walk, given_or_new) {
	.seed = 0,
};

FIXTURE_SETUP(walk)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	self->seed = variant->seed;
	if (!self->seed)
		self->seed = given("NS_SEED", now.tv_sec * 1000000000ULL + now.tv_nsec);
	/* As many bits as the dice have. */
	self->seed &= (1ULL << 48) - 1;
	for (int i = 0; i < 3; i++)
		dice[i] = self->seed >> 16 * i;
	ASSERT_TRUE(prepare());
}

FIXTURE_TEARDOWN(walk)
{
	for (int p = 0; p < MAX_PROCS; p++)
		if (procs[p].state == ALIVE)
			kill(procs[p].pid, SIGKILL);
}

TEST_F(walk, shows_what_is_used_and_nothing_else)
{
	int nr_steps = given("NS_STEPS", NR_STEPS);
	__u64 end = ns_now_ms() + WALK_MS;

	do {
		take_step();
	} while (!*wrong && check() && ++step_nr < nr_steps && ns_now_ms() < end);
	if (!*wrong)
		finish();

	for (int i = step_nr - NR_TRAIL + 1; *wrong && i <= step_nr; i++)
		if (i >= 0)
			ksft_print_msg("step %d: %s\n", i, trail[i % NR_TRAIL]);
	EXPECT_STREQ("", wrong) {
		TH_LOG("to repeat: --seed=%llu --steps=%d -v given_or_new", self->seed,
		       nr_steps);
	}
	TH_LOG("seed %llu: %d steps, %d namespaces, of which %d came back", self->seed,
	       step_nr, nr_ns - NR_HOST_NS, nr_resurrected);
	if (*wrong || !variant->seed || step_nr < nr_steps)
		return;

	/* These walks are always the same, and shall have been everywhere. */
	EXPECT_LT(0, nr_resurrected);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		EXPECT_LT(0, nr_ok[i]) {
			TH_LOG("%s: %d times, but never with success", steps[i].name,
			       nr_taken[i]);
		}
	}
}

int main(int argc, char **argv)
{
	__s64 ok = 1;
	int kept = 1;

	if (argc == 2 && !strcmp(argv[1], "--obey")) {
		if (send_msg(FD_COMMANDS, &ok, sizeof(ok), -1))
			obey_all();
		return 1;
	}
	/* The options of the harness have one letter. */
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--seed=", 7))
			setenv("NS_SEED", argv[i] + 7, 1);
		else if (!strncmp(argv[i], "--steps=", 8))
			setenv("NS_STEPS", argv[i] + 8, 1);
		else
			argv[kept++] = argv[i];
	}
	argv[kept] = NULL;
	return test_harness_run(kept, argv);
}
