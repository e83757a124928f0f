// SPDX-License-Identifier: GPL-2.0
/*
 * What any user could do to mounts and mount namespaces, and must not: with a user
 * and a mount namespace, a tmpfs, and nothing else.
 */
#define _GNU_SOURCE
#include <linux/magic.h>
#include <sys/fanotify.h>
#include <sys/statfs.h>
#include "../kselftest_harness.h"
#include "../filesystems/wrappers.h"
#include "../filesystems/statmount/statmount.h"
#include "ns_helpers.h"

/* For headers that are older than the kernel under test. */
#ifndef MOVE_MOUNT_SET_GROUP
#define MOVE_MOUNT_SET_GROUP 0x00000100
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef FAN_REPORT_MNT
#define FAN_REPORT_MNT 0x00004000
#define FAN_MARK_MNTNS 0x00000110
#define FAN_MNT_ATTACH 0x01000000
#define FAN_MNT_DETACH 0x02000000
#endif

/*
 * Functions that an actor runs return the number of the step that did not go as it
 * should, or 0. A kernel that oopses takes the actor with it.
 */

static bool fails_with(int ret, int err)
{
	return ret == -1 && errno == err;
}

static bool mount_tmpfs(const char *dir)
{
	return !mkdir(dir, 0755) && !sys_mount("x", dir, "tmpfs", 0, NULL);
}

static bool bind_mount(const char *from, const char *to, unsigned long more)
{
	return !sys_mount(from, to, NULL, MS_BIND | more, NULL);
}

static bool set_type(const char *path, unsigned long type)
{
	return !sys_mount(NULL, path, NULL, type, NULL);
}

static bool write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd >= 0 && write(fd, text, len) == len && !close(fd);
}

static bool file_is(const char *path, const char *text)
{
	char buf[16] = {};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, buf, sizeof(buf) - 1) >= 0 && !close(fd) &&
	       !strcmp(buf, text);
}

static bool is_ns_file(const char *path)
{
	struct statfs s;

	return !statfs(path, &s) && s.f_type == NSFS_MAGIC;
}

static int open_path(const char *path)
{
	return open(path, O_PATH | O_CLOEXEC);
}

/* By which an open file can be mounted. */
static const char *fd_path(int fd)
{
	static char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

/*
 * Fork a child with a mount namespace of its own, which copies what is there now.
 * It waits, calls @fn, and returns what that returns to peer_finish().
 */
struct peer {
	pid_t pid;
	int go;
};

static bool peer_start(struct peer *p, int (*fn)(int arg), int arg)
{
	int go[2], ready[2];
	char c = 0;

	if (pipe(go) || pipe(ready))
		return false;
	p->pid = fork();
	if (!p->pid) {
		close(go[1]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (unshare(CLONE_NEWNS) || write(ready[1], &c, 1) != 1 ||
		    read(go[0], &c, 1) != 1)
			_exit(101);
		_exit(fn(arg));
	}
	close(go[0]);
	close(ready[1]);
	p->go = go[1];
	return p->pid > 0 && read(ready[0], &c, 1) == 1 && !close(ready[0]);
}

static int peer_finish(struct peer *p)
{
	char c = 0;
	int status;

	if (write(p->go, &c, 1) != 1 || close(p->go) ||
	    waitpid(p->pid, &status, 0) != p->pid || !WIFEXITED(status))
		return 102;
	return WEXITSTATUS(status);
}

static bool bind_ns_of(pid_t pid, const char *name, const char *to)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, name);
	return bind_mount(path, to, 0);
}

FIXTURE(user) {
	struct ns_actor *a;
};

/* Runs in the actor. */
static __s64 do_tmp(struct ns_actor *a, __u64 unused)
{
	return sys_mount("x", "/tmp", "tmpfs", 0, NULL) || chdir("/tmp") ? -errno : 0;
}

FIXTURE_SETUP(user)
{
	self->a = ns_actor();
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(self->a, ns_do_enter, USER_NS | MNT_NS));
	ASSERT_EQ(0, ns_call(self->a, do_tmp, 0));
}

FIXTURE_TEARDOWN(user)
{
	ns_actors_kill();
}

/* Of a mount that is unmounted by propagation, while what covers it stays. */
static __s64 do_beneath_dead(struct ns_actor *a, __u64 unused)
{
	int dead, fs, mnt;

	if (!(mount_tmpfs("a") && set_type("a", MS_SHARED) && !mkdir("a/d", 0755)))
		return 1;
	if (!(!mkdir("b", 0755) && bind_mount("a", "b", 0)))
		return 2;
	if (sys_mount("x", "a/d", "tmpfs", 0, NULL))
		return 3;
	if (!set_type("b/d", MS_PRIVATE))
		return 4;
	dead = open_path("b/d");
	if (!(dead >= 0 && !sys_mount("x", "b/d", "tmpfs", 0, NULL)))
		return 5;
	/* The one below goes, the cover is on "b" now ... */
	if (umount2("a/d", MNT_DETACH))
		return 6;
	/* ... and freed with this. */
	if (!(!umount2("b/d", 0) && fails_with(umount2("b/d", 0), EINVAL)))
		return 7;
	fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return 8;
	mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		return 9;
	if (!fails_with(sys_move_mount(mnt, "", dead, "", MOVE_MOUNT_BENEATH |
				       MOVE_MOUNT_F_EMPTY_PATH |
				       MOVE_MOUNT_T_EMPTY_PATH), ENOENT))
		return 10;
	return 0;
}

TEST_F(user, beneath_dead_mount)
{
	EXPECT_EQ(0, ns_call(self->a, do_beneath_dead, 0));
}

static int nr_marks(int group)
{
	char path[32], line[256];
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", group);
	f = fopen(path, "r");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		nr += !strncmp(line, "fanotify mnt_ns:", 16);
	fclose(f);
	return nr;
}

static int mark(int group, unsigned int cmd, int ns)
{
	return fanotify_mark(group, cmd | FAN_MARK_MNTNS,
			     FAN_MNT_ATTACH | FAN_MNT_DETACH, ns, NULL);
}

/* Marks that go with their namespace, while the mutex of the group is taken. */
static __s64 do_marked(struct ns_actor *a, __u64 unused)
{
	int group = fanotify_init(FAN_REPORT_MNT | FAN_CLOEXEC, 0), own, ns;
	pid_t other;

	if (group < 0)
		return -errno;
	own = ns_open(0, "mnt");
	if (own < 0)
		return 1;
	other = fork();
	if (other < 0)
		return 2;
	while (!other) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		mark(group, FAN_MARK_ADD, own);
		mark(group, FAN_MARK_REMOVE, own);
	}
	for (int i = 0; i < 100; i++) {
		ns = ns_new(MNT_NS);
		if (!(ns >= 0 && !mark(group, FAN_MARK_ADD, ns) && !close(ns)))
			return 3;
	}
	if (!(!kill(other, SIGKILL) && waitpid(other, NULL, 0) == other))
		return 4;
	mark(group, FAN_MARK_REMOVE, own);

	for (int i = 0; i < 10; i++) {
		ns = ns_new(MNT_NS);
		if (!(ns >= 0 && !mark(group, FAN_MARK_ADD, ns)))
			return 5;
		if (nr_marks(group) != 1)
			return 6;
		if (close(ns))
			return 7;
		if (nr_marks(group) != 0)
			return 8;
	}
	return 0;
}

TEST_F(user, marked_mntns_goes)
{
	if (access("/proc/sys/fs/fanotify", F_OK))
		SKIP(return, "no fanotify");
	EXPECT_EQ(0, ns_call(self->a, do_marked, 0));
}

/* A namespace's file that is mounted in it keeps it alive for ever. */
static int rbind_to_g(int fd)
{
	if (!(bind_mount(fd_path(fd), "g", 0) && !umount2("g", 0)))
		return 20;
	if (!fails_with(sys_mount(fd_path(fd), "g", NULL, MS_BIND | MS_REC, NULL),
			EINVAL))
		return 21;
	return 0;
}

static __s64 do_rbind_own(struct ns_actor *a, __u64 unused)
{
	struct peer p;
	int fd;

	if (!(write_file("f", "") && write_file("g", "")))
		return 1;
	if (!bind_mount("/proc/self/ns/uts", "f", 0))
		return 2;
	fd = open_path("f");
	if (!peer_start(&p, rbind_to_g, fd))
		return 3;
	if (!bind_ns_of(p.pid, "mnt", "f"))
		return 4;
	return peer_finish(&p);
}

TEST_F(user, rbind_of_own_mntns)
{
	EXPECT_EQ(0, ns_call(self->a, do_rbind_own, 0));
}

/* Removed where nothing is mounted on it. */
static int remove_f(int unused)
{
	return unlink("f") ? 20 : 0;
}

static int remove_g(int unused)
{
	return unlink("g") ? 20 : 0;
}

static __u64 mount_of(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID_UNIQUE, &stx) ||
	    !(stx.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

static bool mount_is_there(__u64 id)
{
	struct statmount sm;

	return !statmount(id, 0, STATMOUNT_MNT_BASIC, &sm, sizeof(sm), 0);
}

/* A copy of what is not mounted any more goes with its mountpoint. */
static __s64 do_copy_of_dead(struct ns_actor *a, __u64 unused)
{
	struct peer p;
	__u64 id;
	int fd;

	if (!(write_file("f", "") && write_file("g", "")))
		return 1;
	if (!peer_start(&p, remove_g, 0))
		return 2;
	if (!bind_mount("/proc/self/ns/uts", "f", 0))
		return 3;
	fd = open_path("f");
	if (umount2("f", MNT_DETACH))
		return 4;
	if (!(bind_mount(fd_path(fd), "g", 0) && is_ns_file("g")))
		return 5;
	id = mount_of("g");
	if (!(id && mount_is_there(id)))
		return 6;
	if (peer_finish(&p))
		return 7;
	if (mount_is_there(id))
		return 8;
	return 0;
}

TEST_F(user, copy_of_dead_mount)
{
	EXPECT_EQ(0, ns_call(self->a, do_copy_of_dead, 0));
}

/* What was mounted on it, and was unmounted with it, does not come back. */
static __s64 do_rbind_dead(struct ns_actor *a, __u64 unused)
{
	struct peer p;
	int fd;

	if (!(write_file("f", "") && write_file("g", "") && write_file("x", "x")))
		return 1;
	if (!peer_start(&p, remove_f, 0))
		return 2;
	if (!bind_mount("/proc/self/ns/uts", "f", 0))
		return 3;
	fd = open_path("f");
	if (!(bind_mount("x", "f", 0) && file_is("f", "x")))
		return 4;
	if (peer_finish(&p))
		return 5;
	if (!bind_mount(fd_path(fd), "g", MS_REC))
		return 6;
	if (!is_ns_file("g"))
		return 7;
	if (!(!umount2("g", 0) && file_is("g", "")))
		return 8;
	return 0;
}

TEST_F(user, rbind_of_dead_tree)
{
	EXPECT_EQ(0, ns_call(self->a, do_rbind_dead, 0));
}

static bool bind_is_refused(const char *from, const char *to)
{
	return fails_with(sys_mount(from, to, NULL, MS_BIND, NULL), EINVAL);
}

static __s64 do_unbindable(struct ns_actor *a, __u64 flags)
{
	if (!(mount_tmpfs("u") && !mkdir("v", 0755)))
		return 1;
	if (!(set_type("u", MS_UNBINDABLE) && bind_is_refused("u", "v")))
		return 2;
	if (unshare(flags))
		return 3;
	if (!bind_is_refused("u", "v"))
		return 4;
	/* It is what it is called, not locked. */
	if (!(set_type("u", MS_PRIVATE) && bind_mount("u", "v", 0)))
		return 5;
	return 0;
}

TEST_F(user, unbindable_in_new_mntns)
{
	EXPECT_EQ(0, ns_call(self->a, do_unbindable, CLONE_NEWNS));
}

TEST_F(user, unbindable_in_new_mntns_of_new_user)
{
	EXPECT_EQ(0, ns_call(self->a, do_unbindable, CLONE_NEWNS | CLONE_NEWUSER));
}

static __s64 do_set_group(struct ns_actor *a, __u64 type)
{
	if (!(mount_tmpfs("s") && set_type("s", MS_SHARED) && !mkdir("v", 0755)))
		return 1;
	if (!(!mkdir("t", 0755) && bind_mount("s", "t", 0) && set_type("t", MS_UNBINDABLE)))
		return 2;
	if (!(!mkdir("m", 0755) && bind_mount("s", "m", 0) && set_type("m", type)))
		return 3;
	if (!fails_with(sys_move_mount(AT_FDCWD, "m", AT_FDCWD, "t",
				       MOVE_MOUNT_SET_GROUP), EINVAL))
		return 4;
	if (!bind_is_refused("t", "v"))
		return 5;
	/* It can, once it is private. */
	if (!(set_type("t", MS_PRIVATE) &&
	      !sys_move_mount(AT_FDCWD, "m", AT_FDCWD, "t", MOVE_MOUNT_SET_GROUP)))
		return 6;
	return 0;
}

TEST_F(user, set_group_of_unbindable)
{
	EXPECT_EQ(0, ns_call(self->a, do_set_group, MS_SHARED));
}

TEST_F(user, set_slave_of_unbindable)
{
	EXPECT_EQ(0, ns_call(self->a, do_set_group, MS_SLAVE));
}

static int do_nothing(int unused)
{
	return 0;
}

/*
 * What arrives by propagation comes without the file of the mount namespace that
 * is on top of it, and goes below what is there.
 */
static __s64 do_mntns_on_top(struct ns_actor *a, __u64 unused)
{
	struct peer p;
	int fd;

	if (!(mount_tmpfs("a") && set_type("a", MS_SHARED) && write_file("a/f", "f")))
		return 1;
	if (!(!mkdir("b", 0755) && bind_mount("a", "b", 0) && set_type("b", MS_SLAVE)))
		return 2;
	if (!(write_file("old", "old") && write_file("new", "new")))
		return 3;
	if (!bind_mount("old", "b/f", 0))
		return 4;
	if (!(write_file("s", "") && bind_mount("new", "s", 0)))
		return 5;
	fd = open_path("s");
	if (!(peer_start(&p, do_nothing, 0) && bind_ns_of(p.pid, "mnt", "s")))
		return 6;
	if (!bind_mount(fd_path(fd), "a/f", MS_REC))
		return 7;
	if (!is_ns_file("a/f"))
		return 8;
	if (!file_is("b/f", "old"))
		return 9;
	if (!(!umount2("b/f", 0) && file_is("b/f", "new")))
		return 10;
	if (!(!umount2("b/f", 0) && file_is("b/f", "f")))
		return 11;
	return peer_finish(&p);
}

TEST_F(user, mntns_file_on_top)
{
	EXPECT_EQ(0, ns_call(self->a, do_mntns_on_top, 0));
}

TEST_HARNESS_MAIN
