/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Plumbing of the namespace tests, so that a test is the rule and little else.
 *
 * An actor is a process that runs functions on request. It can be moved into
 * namespaces and stripped of privileges; the test stays outside, asks and
 * judges. Its struct lives in memory that it shares with the test.
 *
 * Functions that an actor runs return a negative error code on failure.
 */
#ifndef __SELFTESTS_NS_HELPERS_H
#define __SELFTESTS_NS_HELPERS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "listns.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <linux/types.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Those of <linux/pidfd.h>, which older C libraries do not go together with. */
#define NS_OF_PIDFD(nr) _IO(0xff, nr)
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define NS_ALL (TIME_NS | MNT_NS | CGROUP_NS | UTS_NS | IPC_NS | USER_NS | \
		PID_NS | NET_NS)
/* All that can be had without a new user namespace. */
#define NS_NOT_USER (NS_ALL & ~USER_NS)

enum {
	NS_MNT,
	NS_CGROUP,
	NS_UTS,
	NS_IPC,
	NS_USER,
	NS_PID,
	NS_NET,
	NS_TIME,
	NS_NR_KINDS,
};

static const struct ns_kind {
	__u32 type;
	__u64 init_id;
	const char *name;	/* below /proc/<pid>/ns */
	unsigned int of_pidfd;	/* the ioctl that opens that of a process */
} ns_kinds[NS_NR_KINDS] = {
	[NS_MNT]	= { MNT_NS,	MNT_NS_INIT_ID,		"mnt",
			    NS_OF_PIDFD(3) },
	[NS_CGROUP]	= { CGROUP_NS,	CGROUP_NS_INIT_ID,	"cgroup",
			    NS_OF_PIDFD(1) },
	[NS_UTS]	= { UTS_NS,	UTS_NS_INIT_ID,		"uts",
			    NS_OF_PIDFD(10) },
	[NS_IPC]	= { IPC_NS,	IPC_NS_INIT_ID,		"ipc",
			    NS_OF_PIDFD(2) },
	[NS_USER]	= { USER_NS,	USER_NS_INIT_ID,	"user",
			    NS_OF_PIDFD(9) },
	[NS_PID]	= { PID_NS,	PID_NS_INIT_ID,		"pid",
			    NS_OF_PIDFD(5) },
	[NS_NET]	= { NET_NS,	NET_NS_INIT_ID,		"net",
			    NS_OF_PIDFD(4) },
	[NS_TIME]	= { TIME_NS,	TIME_NS_INIT_ID,	"time",
			    NS_OF_PIDFD(7) },
};

/*
 * Architectures without the generic vDSO have no time namespaces, the last kind.
 * There is no other type that a kernel may lack.
 */
static int ns_nr_kinds = NS_NR_KINDS;
static __u64 ns_lacking;

/* Not after ns_actor_resume(), hence the priority. */
__attribute__((constructor(101))) static void ns_look_for_time(void)
{
	if (access("/proc/self/ns/time", F_OK)) {
		ns_nr_kinds = NS_TIME;
		ns_lacking = TIME_NS;
	}
}

/*
 * In seconds: more than a case takes where all is slow, and less than its program has
 * by the settings file. A case that hangs is in a process group of its own, and would
 * outlive its program.
 */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 600

/* Nearly all tests start from what only root has. */
static inline int ns_run_as_root(int argc, char **argv)
{
	if (geteuid()) {
		ksft_print_header();
		ksft_exit_skip("not run as root\n");
	}
	return test_harness_run(argc, argv);
}

/* In main(), which follows. */
#define test_harness_run ns_run_as_root

/* Users without privileges and, nobody else being them, without processes. */
#define NS_UID_OWNER 61000
#define NS_UID_OTHER 61001

#define NS_REQ(...) \
	((struct ns_id_req){ .size = NS_ID_REQ_SIZE_VER0, ##__VA_ARGS__ })

static inline ssize_t sys_listns(const void *req, __u64 *ids, size_t nr,
				 unsigned int flags)
{
	return listns_call(req, ids, nr, flags);
}

/* Id of the namespace that @fd refers to, 0 if it cannot be had. */
static inline __u64 ns_fd_id(int fd)
{
	__u64 id;

	return ioctl(fd, NS_GET_ID, &id) ? 0 : id;
}

/* @name is that of the link below /proc/<pid>/ns; @pid 0 is the caller. */
static inline int ns_open(pid_t pid, const char *name)
{
	char path[64];

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	else
		snprintf(path, sizeof(path), "/proc/self/ns/%s", name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static inline __u64 ns_id(pid_t pid, const char *name)
{
	int fd = ns_open(pid, name);
	__u64 id;

	if (fd < 0)
		return 0;
	id = ns_fd_id(fd);
	close(fd);
	return id;
}

/*
 * fork(), in new namespaces; the test opens *@pidfd, if it is not NULL. Here and
 * below, a type that the kernel lacks is left out of a set of them.
 */
static inline pid_t ns_clone(__u64 types, int *pidfd)
{
	/* The first fields of struct clone_args, which grows with the headers. */
	__u64 args[8] = {
		[0] = (types & ~ns_lacking) | (pidfd ? CLONE_PIDFD : 0),
		[1] = (uintptr_t)pidfd,
		[4] = SIGCHLD,
	};

	return syscall(__NR_clone3, args, sizeof(args));
}

/*
 * Make a namespace of the one @type, owned by the caller's user namespace, that
 * nothing but the returned file keeps.
 */
static inline int ns_new(__u32 type)
{
	int pidfd, fd = -1;
	pid_t pid;

	pid = ns_clone(type, &pidfd);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	if (pid < 0)
		return -errno;

	/* In a pid namespace, /proc may know the child under another number. */
	for (int k = 0; k < NS_NR_KINDS; k++)
		if (ns_kinds[k].type == type)
			fd = ioctl(pidfd, ns_kinds[k].of_pidfd, 0);
	if (fd < 0)
		fd = -errno;
	close(pidfd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return fd;
}

/* A struct file_handle of nsfs. */
struct ns_handle {
	__u32 bytes;
	__s32 type;
	struct nsfs_file_handle ns;
};

#define NS_FILEID LISTNS_HANDLE_TYPE

static inline int ns_get_handle(int fd, struct ns_handle *handle)
{
	int mount;

	handle->bytes = sizeof(handle->ns);
	return name_to_handle_at(fd, "", (struct file_handle *)handle, &mount,
				 AT_EMPTY_PATH) ? -errno : 0;
}

/* Returns a file, or a negative error code. */
static inline int ns_open_handle(__u64 id, __u32 type, __u32 inum)
{
	struct ns_handle handle = {
		.bytes = sizeof(handle.ns),
		.type = NS_FILEID,
		.ns = { .ns_id = id, .ns_type = type, .ns_inum = inum },
	};
	int fd = open_by_handle_at(FD_NSFS_ROOT, (struct file_handle *)&handle,
				   O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* The id of what the handle opens, or a negative error code. */
static inline __s64 ns_id_of_handle(__u64 id, __u32 type, __u32 inum)
{
	int fd = ns_open_handle(id, type, inum);
	__s64 found = fd;

	if (fd >= 0) {
		found = ns_fd_id(fd);
		close(fd);
	}
	return found;
}

/* Look for exactly this one. */
static inline bool ns_is_listed(__u64 id, __u32 type, __u64 owner)
{
	struct ns_id_req req = NS_REQ(.ns_id = id - 1, .ns_type = type,
				      .user_ns_id = owner);
	__u64 found = 0;

	return sys_listns(&req, &found, 1, 0) == 1 && found == id;
}

/* Does it come up on the way from the mount namespace @fd, before @end does? */
static inline bool ns_walk_meets(int fd, unsigned int cmd, __u64 id, __u64 end)
{
	struct mnt_ns_info info = {};
	bool met = false;

	fd = dup(fd);
	while (fd >= 0 && info.mnt_ns_id != end) {
		int next = ioctl(fd, cmd, &info);

		close(fd);
		fd = next;
		met |= info.mnt_ns_id == id;
	}
	close(fd);
	return met;
}

/* What a namespace can be looked for by, when nothing refers to it any more. */
struct ns_key {
	struct nsfs_file_handle ns;
	__u64 owner;
};

static inline struct ns_key ns_key_of(int fd)
{
	int owner = ioctl(fd, NS_GET_USERNS);
	struct ns_handle handle = {};
	struct ns_key key = {};

	if (owner >= 0 && !ns_get_handle(fd, &handle)) {
		key.ns = handle.ns;
		key.owner = ns_fd_id(owner);
	}
	close(owner);
	return key;
}

static inline struct ns_key ns_key(pid_t pid, const char *name)
{
	int fd = ns_open(pid, name);
	struct ns_key key = ns_key_of(fd);

	close(fd);
	return key;
}

/* Of a namespace that has no file and no task: the last one of that owner. */
static inline struct ns_key ns_last_key(__u64 owner, __u32 type)
{
	struct ns_id_req req = NS_REQ(.user_ns_id = owner, .ns_type = type);
	struct ns_key key = {};
	int fd;

	/* Each is the one to go on from. */
	while (sys_listns(&req, &req.ns_id, 1, 0) == 1)
		;
	fd = ns_open_handle(req.ns_id, 0, 0);
	if (fd >= 0)
		key = ns_key_of(fd);
	close(fd);
	return key;
}

/* Where a namespace can show up. It does everywhere, or nowhere. */
enum {
	NS_SEEN_AMONG_ALL	= 1 << 0,
	NS_SEEN_BY_TYPE		= 1 << 1,
	NS_SEEN_BY_OWNER	= 1 << 2,
	NS_SEEN_LISTED		= (1 << 3) - 1,
	NS_SEEN_BY_ID		= 1 << 3,
	NS_SEEN_BY_HANDLE	= 1 << 4,
	NS_SEEN			= (1 << 5) - 1,
};

/* What has no key is neither seen nor unseen. */
static inline int ns_seen_listed(const struct ns_key *key)
{
	const struct nsfs_file_handle *ns = &key->ns;

	if (!ns->ns_id)
		return -EINVAL;
	return ns_is_listed(ns->ns_id, 0, 0) * NS_SEEN_AMONG_ALL |
	       ns_is_listed(ns->ns_id, ns->ns_type, 0) * NS_SEEN_BY_TYPE |
	       ns_is_listed(ns->ns_id, 0, key->owner) * NS_SEEN_BY_OWNER;
}

static inline int ns_seen(const struct ns_key *key)
{
	const struct nsfs_file_handle *ns = &key->ns;
	__s64 by_id = ns_id_of_handle(ns->ns_id, 0, 0);
	__s64 by_handle = ns_id_of_handle(ns->ns_id, ns->ns_type, ns->ns_inum);
	int seen = ns_seen_listed(key);

	if (by_id != -ESTALE)
		seen |= by_id == (__s64)ns->ns_id ? NS_SEEN_BY_ID : -EBADF;
	if (by_handle != -ESTALE)
		seen |= by_handle == (__s64)ns->ns_id ? NS_SEEN_BY_HANDLE : -EBADF;
	return seen;
}

#define EXPECT_SEEN(key) EXPECT_EQ(NS_SEEN, ns_seen(key))
#define EXPECT_UNSEEN(key) EXPECT_EQ(0, ns_seen(key))

/* Does @ids contain @id? */
static inline bool ns_in(const __u64 *ids, ssize_t nr, __u64 id)
{
	while (nr-- > 0)
		if (ids[nr] == id)
			return true;
	return false;
}

/*
 * List into @ids, at most @page ids a call. A page that is not full is taken
 * for the last one, as callers may, so that one that ends early shows as missing
 * ids. What no listing may do is an error: -EBADMSG for ids that do not
 * increase, -ERANGE for a page larger than asked for.
 */
static inline ssize_t ns_list_into(struct ns_id_req req, size_t page,
				   __u64 *ids, size_t max)
{
	size_t nr = 0;
	ssize_t ret;

	do {
		if (max - nr < page)
			return -ENOBUFS;
		ret = sys_listns(&req, ids + nr, page, 0);
		if (ret < 0)
			return -errno;
		if ((size_t)ret > page)
			return -ERANGE;
		for (ssize_t i = 0; i < ret; i++, nr++) {
			if (ids[nr] <= req.ns_id)
				return -EBADMSG;
			req.ns_id = ids[nr];
		}
	} while (ret && (size_t)ret == page);

	return nr;
}

#define NS_ACTOR_IDS 131072
#define NS_ACTOR_KEYS 8

struct ns_actor {
	pid_t pid;		/* of the process that answers, as /proc knows it */
	pid_t tid;		/* of its thread, if ns_do_thread() made one */
	pid_t child;		/* of the test, to wait for */
	pid_t maker;		/* who made it, and so who kills it */
	int test_end, actor_end;
	int memory;		/* the file that this is in */
	int pipe[2];		/* between its threads */
	int pidfd;		/* what ns_actor_in() joins */
	struct ns_actor *next;

	intptr_t fn;		/* to call, see ns_actor_fn() */
	__u64 arg;
	__s64 ret;

	/* What it watches, and whether that is there: see ns_do_watch(). */
	struct ns_key keys[NS_ACTOR_KEYS];
	int nr_keys;
	unsigned int turn;
	bool stop;

	struct ns_id_req req;
	size_t page;
	ssize_t nr;		/* the last listing, or its error */
	__u64 ids[NS_ACTOR_IDS];
};

static struct ns_actor *ns_actors;

typedef __s64 ns_fn(struct ns_actor *a, __u64 arg);

/* The program may be somewhere else in memory after exec: count from here. */
static inline ns_fn *ns_actor_fn(intptr_t offset)
{
	return (ns_fn *)((intptr_t)ns_actor_fn + offset);
}

static inline void ns_actor_serve(struct ns_actor *a)
{
	ns_fn *fn;
	char c;

	for (;;) {
		/*
		 * A change of credentials clears the one and takes the files
		 * below /proc/<pid> away from the process with the other.
		 */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		prctl(PR_SET_DUMPABLE, 1);
		if (read(a->actor_end, &c, 1) != 1)
			_exit(0);
		fn = ns_actor_fn(a->fn);
		a->ret = fn(a, a->arg);
		if (write(a->actor_end, &c, 1) != 1)
			_exit(1);
	}
}

/* Have @fn run in the actor. The results of all that were started are due. */
static inline bool ns_start(struct ns_actor *a, ns_fn *fn, __u64 arg)
{
	char c = 0;

	if (!a)
		return false;
	a->fn = (intptr_t)fn - (intptr_t)ns_actor_fn;
	a->arg = arg;
	return send(a->test_end, &c, 1, MSG_NOSIGNAL) == 1;
}

static inline __s64 ns_finish(struct ns_actor *a)
{
	char c;

	/* The end of the file is an actor that died. */
	return read(a->test_end, &c, 1) == 1 ? a->ret : -ESRCH;
}

/* Run @fn in the actor, and wait for it. */
static inline __s64 ns_call(struct ns_actor *a, ns_fn *fn, __u64 arg)
{
	return ns_start(a, fn, arg) ? ns_finish(a) : -ESRCH;
}

/* Runs in the actor: a child, born in the namespaces for children, takes over. */
static inline __s64 ns_do_fork(struct ns_actor *a, __u64 unused)
{
	char self[16] = {};
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid) {
		/* Gone as soon as the child is: the test waits for this one. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(a->actor_end);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	/* getpid() would count in the new pid namespace. */
	if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
		return -errno;
	a->pid = atoi(self);
	return 0;
}

#define NS_MAP_MANY "0 0 65536\n"

static inline bool ns_write(const char *pid, const char *file, const char *text)
{
	char path[64];
	ssize_t len = strlen(text);
	int fd;

	snprintf(path, sizeof(path), "/proc/%.15s/%s", pid, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, len) == len && !close(fd);
}

/*
 * Runs in the actor: unshare, with the ids of a new user namespace mapped. Root
 * maps many, one to one; others can map just themselves, to root.
 */
static inline __s64 ns_do_unshare(struct ns_actor *a, __u64 flags)
{
	char self[16] = {}, map[32] = NS_MAP_MANY, c = 0;
	bool root = geteuid() == 0;
	int status = 0, go[2];
	pid_t mapper = 0;
	__s64 ret = 0;

	if (readlink("/proc/self", self, sizeof(self) - 1) < 0 || pipe(go))
		return -errno;
	if (!root)
		snprintf(map, sizeof(map), "0 %u 1\n", (unsigned int)geteuid());

	/* Only a process that stays outside may write a map of many. */
	if (flags & USER_NS)
		mapper = fork();
	if (mapper < 0)
		return -errno;
	if (flags & USER_NS && !mapper) {
		close(go[1]);
		_exit(!(read(go[0], &c, 1) == 1 &&
			(root || ns_write(self, "setgroups", "deny")) &&
			ns_write(self, "uid_map", map) &&
			ns_write(self, "gid_map", map)));
	}

	if (unshare(flags & ~ns_lacking))
		ret = -errno;
	else if (write(go[1], &c, 1) != 1)
		ret = -errno;
	close(go[0]);
	close(go[1]);
	if (mapper && (waitpid(mapper, &status, 0) != mapper || status))
		ret = ret ?: -EPERM;
	return ret;
}

/* Runs in the actor: unshare, and be in the new namespaces, whatever the type. */
static inline __s64 ns_do_enter(struct ns_actor *a, __u64 flags)
{
	__s64 ret = ns_do_unshare(a, flags);

	if (!ret && flags & (PID_NS | TIME_NS))
		ret = ns_do_fork(a, 0);
	return ret;
}

static inline __s64 ns_do_join(struct ns_actor *a, __u64 flags)
{
	if (setns(a->pidfd, flags & ~ns_lacking))
		return -errno;
	return flags & PID_NS ? ns_do_fork(a, 0) : 0;
}

static inline __s64 ns_do_setuid(struct ns_actor *a, __u64 uid)
{
	/* With the last uid 0 all capabilities go. */
	if (setresgid(uid, uid, uid) || setresuid(uid, uid, uid))
		return -errno;
	return 0;
}

static inline __s64 ns_do_drop_cap(struct ns_actor *a, __u64 cap)
{
	struct __user_cap_header_struct hdr = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2] = {};
	__u32 keep = ~CAP_TO_MASK(cap);

	if (syscall(__NR_capget, &hdr, data))
		return -errno;
	data[CAP_TO_INDEX(cap)].effective &= keep;
	data[CAP_TO_INDEX(cap)].permitted &= keep;
	data[CAP_TO_INDEX(cap)].inheritable &= keep;
	if (syscall(__NR_capset, &hdr, data))
		return -errno;
	return 0;
}

/* Runs in the actor: make a namespace, keep it open, return its id. */
static inline __s64 ns_do_new(struct ns_actor *a, __u64 type)
{
	int fd = ns_new(type);

	return fd < 0 ? fd : (__s64)ns_fd_id(fd);
}

/* The same, many times, fast, and without the id. The actor uses the last one. */
static inline __s64 ns_do_new_uts(struct ns_actor *a, __u64 nr)
{
	while (nr--)
		if (unshare(UTS_NS) || ns_open(0, "uts") < 0)
			return -errno;
	return 0;
}

/* The arguments of socket(), for ns_do_socket(). */
struct ns_socket {
	int family, type, protocol;
};

/* Runs in the actor: @arg points to a struct ns_socket. */
static inline __s64 ns_do_socket(struct ns_actor *a, __u64 arg)
{
	const struct ns_socket *s = (const void *)(uintptr_t)arg;
	int fd = socket(s->family, s->type | SOCK_CLOEXEC, s->protocol);

	return fd < 0 ? -errno : fd;
}

/* Runs in the actor: close what keeps namespace @id open. */
static inline __s64 ns_do_close(struct ns_actor *a, __u64 id)
{
	for (int fd = 0; fd < 1024; fd++)
		if (ns_fd_id(fd) == id)
			return close(fd) ? -errno : 0;
	return -ENOENT;
}

static inline __s64 ns_do_list(struct ns_actor *a, __u64 unused)
{
	return ns_list_into(a->req, a->page, a->ids, NS_ACTOR_IDS);
}

/* The memory of an actor, which is that of the file. */
static inline struct ns_actor *ns_actor_map(int memory)
{
	struct ns_actor *a = mmap(NULL, sizeof(*a), PROT_READ | PROT_WRITE,
				  MAP_SHARED, memory, 0);

	return a == MAP_FAILED ? NULL : a;
}

/* Make a child of the test that is an actor, born in new namespaces. */
static inline struct ns_actor *ns_actor_born(__u64 types)
{
	int memory = syscall(__NR_memfd_create, "actor", MFD_CLOEXEC), ends[2];
	struct ns_actor *a;
	char pid[16];
	pid_t child;

	if (memory < 0 || ftruncate(memory, sizeof(*a)) ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return NULL;
	a = ns_actor_map(memory);
	if (!a)
		return NULL;
	a->test_end = ends[0];
	a->actor_end = ends[1];
	a->memory = memory;
	a->maker = getpid();
	/* The child must not write its 0 where both see it. */
	child = ns_clone(types, NULL);
	if (child < 0)
		return NULL;
	if (!child) {
		close(a->test_end);
		ns_actor_serve(a);
	}
	snprintf(pid, sizeof(pid), "%d", (int)child);
	if (types & USER_NS && !(ns_write(pid, "uid_map", NS_MAP_MANY) &&
				 ns_write(pid, "gid_map", NS_MAP_MANY)))
		return NULL;
	a->child = child;
	a->pid = child;
	close(a->actor_end);
	close(a->memory);
	a->next = ns_actors;
	ns_actors = a;
	return a;
}

/* Make an actor that is as the test is. */
static inline struct ns_actor *ns_actor(void)
{
	return ns_actor_born(0);
}

#define NS_ACTOR_ENV "NS_ACTOR"

/*
 * Runs in the actor: execute this program again, from the file of the name @path
 * if it is not 0. What answers is the new image, see ns_actor_resume().
 */
static inline __s64 ns_do_exec(struct ns_actor *a, __u64 path)
{
	char memory[16];

	snprintf(memory, sizeof(memory), "%d", a->memory);
	if (setenv(NS_ACTOR_ENV, memory, 1) || fcntl(a->memory, F_SETFD, 0) ||
	    fcntl(a->actor_end, F_SETFD, 0))
		return -errno;
	execl(path ? (char *)(uintptr_t)path : "/proc/thread-self/exe", "actor", NULL);
	return -errno;
}

__attribute__((constructor)) static void ns_actor_resume(void)
{
	const char *memory = getenv(NS_ACTOR_ENV);
	struct ns_actor *a = memory ? ns_actor_map(atoi(memory)) : NULL;
	char c = 0;

	if (!memory)
		return;
	if (!a)
		_exit(1);
	a->ret = 0;
	if (write(a->actor_end, &c, 1) != 1)
		_exit(1);
	ns_actor_serve(a);
}

static inline int ns_in_thread(void *arg)
{
	struct ns_actor *a = arg;
	char self[64] = {}, *tid, c = 0;

	a->ret = 0;
	if (a->arg) {
		/* The end of the file is that the leader has closed it, too. */
		close(a->pipe[1]);
		if (read(a->pipe[0], &c, 1))
			a->ret = -EPIPE;
	}
	if (readlink("/proc/thread-self", self, sizeof(self) - 1) < 0)
		a->ret = -errno;
	tid = strrchr(self, '/');
	a->tid = tid ? atoi(tid + 1) : 0;
	if (write(a->actor_end, &c, 1) != 1)
		_exit(1);
	ns_actor_serve(a);
	return 0;
}

/*
 * Runs in the actor: a thread takes over. The leader does nothing any more, or
 * exits, and then the thread answers when the leader has dropped its nsproxy:
 * after that it runs its task work, which closes the files. They do not share
 * those.
 */
static inline __s64 ns_do_thread(struct ns_actor *a, __u64 leader_exits)
{
	const size_t size = 1 << 16;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (stack == MAP_FAILED || pipe(a->pipe) ||
	    clone(ns_in_thread, stack + size,
		  CLONE_VM | CLONE_THREAD | CLONE_SIGHAND, a) < 0)
		return -errno;
	if (leader_exits)
		syscall(__NR_exit, 0);
	for (;;)
		pause();
}

/* Runs in the actor. */
static inline __s64 ns_do_thread_exit(struct ns_actor *a, __u64 unused)
{
	return syscall(__NR_exit, 0);
}

/* Wait for what says that the task is a zombie (POLLIN), or gone (POLLHUP). */
static inline bool ns_wait_pidfd(int pidfd, short event)
{
	struct pollfd p = { .fd = pidfd, .events = event };

	while (!(p.revents & event))
		if (poll(&p, 1, -1) < 0)
			return false;
	return true;
}

/* Let the thread exit, and be a zombie, which has no nsproxy. */
static inline bool ns_thread_kill(struct ns_actor *a)
{
	int pidfd = syscall(__NR_pidfd_open, a->tid, PIDFD_THREAD);
	bool ok = ns_start(a, ns_do_thread_exit, 0) && ns_wait_pidfd(pidfd, POLLIN);

	close(pidfd);
	return ok;
}

/* Make an actor in new namespaces. */
static inline struct ns_actor *ns_actor_new(__u64 flags)
{
	struct ns_actor *a = ns_actor();

	return ns_call(a, ns_do_enter, flags) ? NULL : a;
}

/* Make an actor in those namespaces of another one that @flags say. */
static inline struct ns_actor *ns_actor_in(const struct ns_actor *other,
					   __u64 flags)
{
	int pidfd = other ? syscall(__NR_pidfd_open, other->pid, 0) : -1;
	struct ns_actor *a;

	if (pidfd < 0)
		return NULL;
	a = ns_actor();
	/* The number of the file is the same in a fork. */
	if (a)
		a->pidfd = pidfd;
	if (ns_call(a, ns_do_join, flags))
		a = NULL;
	close(pidfd);
	return a;
}

/* Take over file @fd of the actor, if it is not an error. */
static inline int ns_take_fd(const struct ns_actor *a, __s64 fd)
{
	int pidfd, taken;

	if (fd < 0)
		return fd;
	pidfd = syscall(__NR_pidfd_open, a->pid, 0);
	taken = syscall(__NR_pidfd_getfd, pidfd, (int)fd, 0);
	if (taken < 0)
		taken = -errno;
	close(pidfd);
	return taken;
}

/* A message of one byte and one file, into @sock and out of it. */
static inline int ns_pass_fd(int sock, int fd)
{
	char c = 0;
	struct iovec iov = { .iov_base = &c, .iov_len = 1 };
	union {
		struct cmsghdr hdr;
		char space[CMSG_SPACE(sizeof(int))];
	} u = { .hdr = { .cmsg_len = CMSG_LEN(sizeof(int)),
			 .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = &u, .msg_controllen = sizeof(u) };
	ssize_t ret;

	if (fd >= 0) {
		memcpy(CMSG_DATA(&u.hdr), &fd, sizeof(fd));
		ret = sendmsg(sock, &msg, MSG_NOSIGNAL);
	} else {
		ret = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
		memcpy(&fd, CMSG_DATA(&u.hdr), sizeof(fd));
	}
	return ret == 1 ? fd : -EIO;
}

/* Mounts of its own, and an empty /tmp, for the rest of the test's life. */
static inline bool ns_own_tmp(void)
{
	return !unshare(CLONE_NEWNS) &&
	       !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
}

static inline void ns_actor_kill(struct ns_actor *a)
{
	if (a->maker != getpid() || a->child <= 0)
		return;
	/* Not if it died by itself: the number may be another's by now. */
	if (waitpid(a->child, NULL, WNOHANG) == 0) {
		kill(a->pid, SIGKILL);
		waitpid(a->child, NULL, 0);
	}
	close(a->test_end);
	a->child = 0;
}

/* For the teardown: all that this process made. */
static inline void ns_actors_kill(void)
{
	for (struct ns_actor *a = ns_actors; a; a = a->next)
		ns_actor_kill(a);
}

/*
 * Runs in the actor: look again and again for its keys, while the test has them
 * come and go. Nothing is known of a look during which that happened, nor while
 * a turn is being taken: see ns_turn(). What cannot be asked for is that an owner
 * is on a page that something it owns is on: it comes first, and may have been
 * looked at before both of them came.
 */
static inline __s64 ns_do_watch(struct ns_actor *a, __u64 unused)
{
	__s64 looks = 0;
	bool last;

	do {
		unsigned int turn = __atomic_load_n(&a->turn, __ATOMIC_SEQ_CST);
		int want = turn % 4 == 2 ? NS_SEEN_LISTED : 0, wrong = 0;

		last = __atomic_load_n(&a->stop, __ATOMIC_SEQ_CST);
		for (int i = 0; i < a->nr_keys; i++)
			wrong += ns_seen_listed(&a->keys[i]) != want;
		if (turn % 2 || turn != __atomic_load_n(&a->turn, __ATOMIC_SEQ_CST)) {
			last = false;
			continue;
		}
		if (wrong)
			return want ? -ENOENT : -EEXIST;
		looks++;
	} while (!last);
	return looks;
}

/* Have an actor of its own watch what is there now, or not. */
static inline struct ns_actor *ns_watch(const struct ns_key *keys, int nr, bool seen)
{
	struct ns_actor *a = ns_actor();

	if (!a || nr > NS_ACTOR_KEYS)
		return NULL;
	memcpy(a->keys, keys, nr * sizeof(*keys));
	a->nr_keys = nr;
	a->turn = seen ? 2 : 0;
	return ns_start(a, ns_do_watch, 0) ? a : NULL;
}

/* Call this before all that is watched comes or goes, and once more after. */
static inline void ns_turn(struct ns_actor *a)
{
	__atomic_fetch_add(&a->turn, 1, __ATOMIC_SEQ_CST);
}

/* The number of looks, which is not 0, or what was wrong. */
static inline __s64 ns_watch_end(struct ns_actor *a)
{
	__atomic_store_n(&a->stop, true, __ATOMIC_SEQ_CST);
	return ns_finish(a);
}

/* List as the actor; the ids are in @a->ids. */
static inline ssize_t ns_list(struct ns_actor *a, struct ns_id_req req,
			      size_t page)
{
	a->req = req;
	a->page = page;
	a->nr = ns_call(a, ns_do_list, 0);
	return a->nr;
}

/* Was @id in the last listing? */
static inline bool ns_listed(const struct ns_actor *a, __u64 id)
{
	return ns_in(a->ids, a->nr, id);
}

/* Did the last listing consist of the @nr @ids? */
static inline bool ns_listed_exactly(const struct ns_actor *a, const __u64 *ids,
				     ssize_t nr)
{
	return a->nr == nr && !memcmp(a->ids, ids, nr * sizeof(*ids));
}

static inline int ns_cmp_ids(const void *a, const void *b)
{
	__u64 x = *(const __u64 *)a, y = *(const __u64 *)b;

	return x < y ? -1 : x > y;
}

static inline void ns_sort(__u64 *ids, size_t nr)
{
	qsort(ids, nr, sizeof(*ids), ns_cmp_ids);
}

static inline __u64 ns_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

#endif /* __SELFTESTS_NS_HELPERS_H */
