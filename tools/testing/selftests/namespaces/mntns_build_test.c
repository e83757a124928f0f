// SPDX-License-Identifier: GPL-2.0
/*
 * Mount namespaces that are made of one tree: OPEN_TREE_NAMESPACE, FSMOUNT_NAMESPACE,
 * and MOVE_MOUNT_BENEATH with the caller's root.
 */
#define _GNU_SOURCE
#include <linux/magic.h>
#include <sys/statfs.h>
#include "../kselftest_harness.h"
#include "../filesystems/wrappers.h"
#include "../filesystems/statmount/statmount.h"
#include "ns_helpers.h"

/* For headers that are older than the kernel under test. */
#ifndef OPEN_TREE_NAMESPACE
#define OPEN_TREE_NAMESPACE 0x00000002
#endif
#ifndef FSMOUNT_NAMESPACE
#define FSMOUNT_NAMESPACE 0x00000002
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif
#ifndef NULL_FS_MAGIC
#define NULL_FS_MAGIC 0x4E554C4C
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef __NR_open_tree_attr
#define __NR_open_tree_attr 467
#endif

#define REC AT_RECURSIVE

/*
 * Functions that an actor runs, and those that run in a namespace, return the number
 * of the step that did not go as it should.
 */
static bool fails_with(int ret, int err)
{
	return ret == -1 && errno == err;
}

static int sys_umount2(const char *path, int flags)
{
	return syscall(__NR_umount2, path, flags);
}

static bool mount_tmpfs(const char *path)
{
	return !sys_mount("x", path, "tmpfs", 0, NULL);
}

static bool exists(const char *path)
{
	return !access(path, F_OK);
}

static bool is_missing(const char *path)
{
	return fails_with(access(path, F_OK), ENOENT);
}

static bool touch(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	return fd >= 0 && !close(fd);
}

static bool write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t len = strlen(text);

	return fd >= 0 && write(fd, text, len) == len && !close(fd);
}

/* The mount that @path is on, 0 if it cannot be had. */
static __u64 mount_of(const char *path)
{
	struct statx stx;

	if (statx(AT_FDCWD, path, 0, STATX_MNT_ID_UNIQUE, &stx) ||
	    !(stx.stx_mask & STATX_MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

/* What the namespace of a file says about itself. */
static unsigned int nr_mounts(int fd)
{
	struct mnt_ns_info info = {};

	return ioctl(fd, NS_MNT_GET_INFO, &info) ? 0 : info.nr_mounts;
}

/* A context that is ready for fsmount(). */
static int new_context(const char *type)
{
	int fs = sys_fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0 || sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -1;
	return fs;
}

static int fs_ns(const char *type, unsigned int flags, unsigned int attr)
{
	int fs = new_context(type), fd = sys_fsmount(fs, flags | FSMOUNT_NAMESPACE, attr);

	close(fs);
	return fd;
}

static int tree_ns(const char *path, unsigned int flags)
{
	return sys_open_tree(AT_FDCWD, path, flags | OPEN_TREE_NAMESPACE);
}

/* A tmpfs that is nowhere yet, and has the file /new. */
static int new_mount(void)
{
	int fs = new_context("tmpfs"), mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	int file = openat(mnt, "new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

	close(fs);
	return file >= 0 && !close(file) ? mnt : -1;
}

static int attach(int mnt, const char *path, unsigned int flags)
{
	return sys_move_mount(mnt, "", AT_FDCWD, path, flags | MOVE_MOUNT_F_EMPTY_PATH);
}

static int attach_to(int mnt, int dir, unsigned int flags)
{
	return sys_move_mount(mnt, "", dir, "", flags | MOVE_MOUNT_F_EMPTY_PATH |
			      MOVE_MOUNT_T_EMPTY_PATH);
}

/* Run @fn in the mount namespace @ns, in a child; 99 is that it could not be entered. */
static int in_ns(int ns, int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(setns(ns, CLONE_NEWNS) ? 99 : fn());
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* The parent of the caller's root: a nullfs, and its own parent. */
static int has_nullfs_below(void)
{
	union {
		struct statmount sm;
		char buf[1024];
	} u;
	__u64 id = ns_id(0, "mnt"), root = mount_of("/"), bottom;
	const __u64 mask = STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC;

	if (!root || statmount(root, id, mask, &u.sm, sizeof(u), 0))
		return 1;
	bottom = u.sm.mnt_parent_id;
	if (bottom == root || statmount(bottom, id, mask, &u.sm, sizeof(u), 0))
		return 2;
	if (u.sm.sb_magic != NULL_FS_MAGIC || u.sm.mnt_parent_id != bottom)
		return 3;
	if (u.sm.mnt_propagation != MS_PRIVATE)
		return 4;
	return 0;
}

/*
 * Below /tmp/t: a tree with a directory "d", where a mount with "over" covers "secret".
 * The mounts of the test are its own, and private.
 */
FIXTURE(build) {
	struct ns_actor *a;
};

FIXTURE_SETUP(build)
{
	if (geteuid())
		SKIP(return, "not run as root");
	ASSERT_TRUE(ns_own_tmp());
	ASSERT_EQ(0, chmod("/tmp", 0755));
	ASSERT_EQ(0, mkdir("/tmp/t", 0755));
	ASSERT_TRUE(mount_tmpfs("/tmp/t"));
	ASSERT_EQ(0, mkdir("/tmp/t/d", 0755));
	ASSERT_TRUE(touch("/tmp/t/file") && touch("/tmp/t/d/secret"));
	ASSERT_TRUE(mount_tmpfs("/tmp/t/d") && touch("/tmp/t/d/over"));
	self->a = ns_actor();
	ASSERT_TRUE(!!self->a);
}

FIXTURE_TEARDOWN(build)
{
	ns_actors_kill();
}

/* What all ways have in common. */
FIXTURE(way) {
	int fd;
};

FIXTURE_VARIANT(way) {
	int (*make)(unsigned int flags);
	int cloexec;
};

static int make_by_tree(unsigned int flags)
{
	return tree_ns("/tmp/t", flags);
}

static int make_by_rec_tree(unsigned int flags)
{
	return tree_ns("/tmp/t", flags | REC);
}

static int make_by_tmpfs(unsigned int flags)
{
	return fs_ns("tmpfs", flags, 0);
}

static int make_by_overlay(unsigned int flags)
{
	int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC), fd = -1;

	if (!sys_fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", "/tmp/l1:/tmp/l2", 0) &&
	    !sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		fd = sys_fsmount(fs, flags | FSMOUNT_NAMESPACE, 0);
	close(fs);
	return fd;
}

FIXTURE_VARIANT_ADD(way, tree) {
	.make = make_by_tree,
	.cloexec = OPEN_TREE_CLOEXEC,
};

FIXTURE_VARIANT_ADD(way, recursive_tree) {
	.make = make_by_rec_tree,
	.cloexec = OPEN_TREE_CLOEXEC,
};

FIXTURE_VARIANT_ADD(way, tmpfs) {
	.make = make_by_tmpfs,
	.cloexec = FSMOUNT_CLOEXEC,
};

FIXTURE_VARIANT_ADD(way, overlay) {
	.make = make_by_overlay,
	.cloexec = FSMOUNT_CLOEXEC,
};

FIXTURE_SETUP(way)
{
	if (geteuid())
		SKIP(return, "not run as root");
	ASSERT_TRUE(ns_own_tmp());
	ASSERT_EQ(0, mkdir("/tmp/t", 0755) ?: mkdir("/tmp/l1", 0755) ?: mkdir("/tmp/l2", 0755));
	ASSERT_TRUE(mount_tmpfs("/tmp/t"));
	ASSERT_EQ(0, mkdir("/tmp/t/d", 0755));
	ASSERT_TRUE(mount_tmpfs("/tmp/t/d"));
	self->fd = variant->make(variant->cloexec);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(way)
{
	ns_actors_kill();
}

TEST_F(way, makes_a_namespace_that_is_found_at_once)
{
	__u64 id = ns_fd_id(self->fd), before = ns_id(0, "mnt");
	struct ns_key key = ns_key_of(self->fd);
	uint64_t mounts[4];

	EXPECT_EQ(CLONE_NEWNS, ioctl(self->fd, NS_GET_NSTYPE));
	EXPECT_LT(before, id);
	EXPECT_EQ(ns_id(0, "user"), key.owner);
	EXPECT_SEEN(&key);
	EXPECT_EQ(variant->make == make_by_rec_tree ? 2 : 1, nr_mounts(self->fd));
	EXPECT_EQ(nr_mounts(self->fd), listmount(LSMT_ROOT, id, 0, mounts, 4, 0));
	EXPECT_TRUE(ns_walk_meets(self->fd, NS_MNT_GET_PREV, before, MNT_NS_INIT_ID));
}

TEST_F(way, leaves_the_caller_where_it_is)
{
	__u64 id = ns_id(0, "mnt"), root = mount_of("/"), cwd = mount_of(".");
	int fd = variant->make(0);

	EXPECT_LE(0, fd);
	EXPECT_EQ(id, ns_id(0, "mnt"));
	EXPECT_EQ(root, mount_of("/"));
	EXPECT_EQ(cwd, mount_of("."));
	EXPECT_EQ(0, exists("/d"));
}

TEST_F(way, closes_on_exec_if_asked)
{
	int fd = variant->make(0);

	EXPECT_EQ(FD_CLOEXEC, fcntl(self->fd, F_GETFD));
	EXPECT_EQ(0, fcntl(fd, F_GETFD));
}

TEST_F(way, has_a_nullfs_at_the_bottom)
{
	EXPECT_EQ(0, in_ns(self->fd, has_nullfs_below));
}

static int is_at_root(void)
{
	return !(mount_of("/") && mount_of("/") == mount_of("."));
}

TEST_F(way, is_entered_at_the_root_of_the_tree)
{
	EXPECT_EQ(0, in_ns(self->fd, is_at_root));
}

static int can_live(void)
{
	int mnt = new_mount(), status;
	pid_t pid;

	if (attach(mnt, "/", 0) || fchdir(mnt) || chroot("."))
		return 1;
	if (mkdir("/p", 0755) || sys_mount("x", "/p", "proc", 0, NULL))
		return 2;
	if (!exists("/p/self/ns/mnt") || sys_umount2("/p", 0))
		return 3;
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWNS) ? 1 : exists("/p") ? 0 : 2);
	if (pid <= 0 || waitpid(pid, &status, 0) != pid || status)
		return 4;
	return 0;
}

/* Enter it by the file, live, leave, and let it go: nothing remains. */
TEST_F(way, is_gone_with_its_last_user)
{
	struct ns_key key = ns_key_of(self->fd);
	struct ns_actor *a, *b;

	ASSERT_EQ(NS_SEEN, ns_seen(&key));
	EXPECT_EQ(0, in_ns(self->fd, can_live));
	a = ns_actor();
	ASSERT_TRUE(!!a);
	/* By the number that the file has in the actor, too, and by a pidfd. */
	a->pidfd = self->fd;
	ASSERT_EQ(0, ns_call(a, ns_do_join, MNT_NS));
	b = ns_actor_in(a, MNT_NS);
	ASSERT_TRUE(!!b);
	EXPECT_EQ(key.ns.ns_id, ns_id(b->pid, "mnt"));
	close(self->fd);
	EXPECT_EQ(0, ns_call(a, ns_do_close, key.ns.ns_id));
	EXPECT_SEEN(&key);
	ns_actor_kill(a);
	EXPECT_SEEN(&key);
	ns_actor_kill(b);
	EXPECT_UNSEEN(&key);
	EXPECT_EQ(-ESTALE, ns_open_handle(key.ns.ns_id, 0, 0));
}

static int can_unmount_tree(void)
{
	return sys_umount2("/", MNT_DETACH) ? 1 : 0;
}

static int is_empty(void)
{
	struct statfs s;

	if (statfs("/", &s) || s.f_type != NULL_FS_MAGIC)
		return 1;
	if (!fails_with(tree_ns("/", 0), EINVAL))
		return 2;
	return 0;
}

TEST_F(way, shows_the_nullfs_without_the_tree)
{
	uint64_t mounts[4];

	EXPECT_EQ(0, in_ns(self->fd, can_unmount_tree));
	EXPECT_EQ(1, nr_mounts(self->fd));
	EXPECT_EQ(1, listmount(LSMT_ROOT, ns_fd_id(self->fd), 0, mounts, 4, 0));
	EXPECT_EQ(0, in_ns(self->fd, is_empty));
}

/* open_tree() */

static int sees_tree(void)
{
	return exists("/file") && exists("/d/secret") && is_missing("/d/over") ? 0 : 1;
}

static int sees_rec_tree(void)
{
	return exists("/file") && is_missing("/d/secret") && exists("/d/over") ? 0 : 1;
}

TEST_F(build, tree_has_what_is_mounted_below_if_asked)
{
	EXPECT_EQ(0, in_ns(tree_ns("/tmp/t", 0), sees_tree));
	EXPECT_EQ(0, in_ns(tree_ns("/tmp/t", REC), sees_rec_tree));
	/* Any directory will do. */
	EXPECT_EQ(0, in_ns(tree_ns("/tmp", REC), is_at_root));
	EXPECT_EQ(0, in_ns(tree_ns("/", REC), has_nullfs_below));
}

TEST_F(build, tree_may_be_detached)
{
	int tree = sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE | REC);
	int ns = sys_open_tree(tree, "", OPEN_TREE_NAMESPACE | AT_EMPTY_PATH | REC);

	EXPECT_EQ(0, in_ns(ns, sees_rec_tree));
	/* It is still what it was. */
	EXPECT_EQ(0, attach(tree, "/tmp/t/d", 0));
}

/* Runs in the actor. */
static __s64 do_chrooted(struct ns_actor *a, __u64 unused)
{
	if (chroot("/tmp/t") || chdir("/"))
		return 1;
	if (in_ns(tree_ns("/", 0), sees_tree))
		return 2;
	if (in_ns(tree_ns("/", REC), sees_rec_tree))
		return 3;
	return 0;
}

TEST_F(build, tree_of_a_chroot_is_its_root)
{
	EXPECT_EQ(0, ns_call(self->a, do_chrooted, 0));
}

/* Runs in the actor. */
static __s64 do_from_empty(struct ns_actor *a, __u64 unused)
{
	int mnt = new_mount();

	if (unshare(UNSHARE_EMPTY_MNTNS))
		return 1;
	if (!fails_with(tree_ns("/", 0), EINVAL) || !fails_with(tree_ns("/", REC), EINVAL))
		return 2;
	if (attach(mnt, "/", 0) || fchdir(mnt) || chroot("."))
		return 3;
	if (in_ns(tree_ns("/", REC), has_nullfs_below))
		return 4;
	if (unshare(CLONE_NEWNS) || in_ns(tree_ns("/", REC), has_nullfs_below))
		return 5;
	return 0;
}

TEST_F(build, tree_can_be_in_an_empty_namespace_but_not_its_nullfs)
{
	EXPECT_EQ(0, ns_call(self->a, do_from_empty, 0));
}

TEST_F(build, tree_flags_exclude_each_other)
{
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", OPEN_TREE_CLONE), EINVAL));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", OPEN_TREE_CLONE | REC), EINVAL));
	EXPECT_TRUE(fails_with(sys_open_tree(AT_FDCWD, "/tmp/t", REC), EINVAL));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", 1 << 2), EINVAL));
	EXPECT_TRUE(fails_with(syscall(__NR_open_tree_attr, AT_FDCWD, "/tmp/t",
				       OPEN_TREE_NAMESPACE, NULL, 0), EINVAL));
}

/* Runs in the actor, which has no privileges. */
static __s64 do_unprivileged(struct ns_actor *a, __u64 fs)
{
	/* What is wrong comes first, then who asks, then what for. */
	if (!fails_with(tree_ns("/tmp/t", 1 << 2), EINVAL))
		return 1;
	if (!fails_with(tree_ns("/tmp/t", OPEN_TREE_CLONE), EINVAL))
		return 2;
	if (!fails_with(tree_ns("/tmp/t", 0), EPERM))
		return 3;
	if (!fails_with(tree_ns("/nowhere", 0), EPERM))
		return 4;
	if (!fails_with(tree_ns("/tmp/t/file", 0), EPERM))
		return 5;
	if (!fails_with(sys_fsmount(fs, 1 << 2, 0), EINVAL))
		return 6;
	if (!fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE | 1 << 2, 0), EINVAL))
		return 7;
	if (!fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), EPERM))
		return 8;
	if (!fails_with(sys_fsmount(-1, FSMOUNT_NAMESPACE, 0), EPERM))
		return 9;
	if (!fails_with(sys_fsmount(fs, 0, 0), EPERM))
		return 10;
	return 0;
}

TEST_F(build, users_without_privileges_make_none)
{
	int fs = new_context("tmpfs");
	struct ns_actor *a = ns_actor();

	ASSERT_EQ(0, ns_call(a, ns_do_setuid, NS_UID_OWNER));
	EXPECT_EQ(0, ns_call(a, do_unprivileged, fs));
	/* This one has all capabilities but one. */
	a = ns_actor();
	ASSERT_EQ(0, ns_call(a, ns_do_drop_cap, CAP_SYS_ADMIN));
	EXPECT_EQ(0, ns_call(a, do_unprivileged, fs));
}

TEST_F(build, tree_is_a_directory)
{
	EXPECT_TRUE(fails_with(tree_ns("/nowhere", 0), ENOENT));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t/file", 0), ENOTDIR));
	EXPECT_TRUE(fails_with(tree_ns("/proc/self/ns/mnt", 0), ENOTDIR));
	EXPECT_TRUE(fails_with(tree_ns("/proc/self/ns/mnt", REC), ENOTDIR));
	ASSERT_EQ(0, symlink("t", "/tmp/link"));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/link", AT_SYMLINK_NOFOLLOW), ENOTDIR));
	EXPECT_LE(0, tree_ns("/tmp/link", 0));
	EXPECT_TRUE(fails_with(sys_open_tree(-1, "", OPEN_TREE_NAMESPACE | AT_EMPTY_PATH),
			       EBADF));
}

TEST_F(build, tree_is_of_the_callers_namespace)
{
	char path[64];
	int lost;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS));
	snprintf(path, sizeof(path), "/proc/%d/root/tmp/t", (int)self->a->pid);
	EXPECT_TRUE(fails_with(tree_ns(path, 0), EINVAL));
	EXPECT_TRUE(fails_with(tree_ns(path, REC), EINVAL));

	lost = open("/tmp/t/d", O_PATH | O_CLOEXEC);
	ASSERT_EQ(0, sys_umount2("/tmp/t/d", MNT_DETACH));
	EXPECT_TRUE(fails_with(sys_open_tree(lost, "", OPEN_TREE_NAMESPACE | AT_EMPTY_PATH),
			       EINVAL));
}

TEST_F(build, tree_is_not_unbindable)
{
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t", NULL, MS_UNBINDABLE, NULL));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", 0), EINVAL));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", REC), EINVAL));
}

/* A file of a mount namespace that is newer than that of the caller, at @path. */
static bool pin_newer(const char *path)
{
	int ns = ns_new(MNT_NS);
	char proc[64];

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", ns);
	return ns >= 0 && !sys_mount(proc, path, NULL, MS_BIND, NULL) && !close(ns);
}

static int sees_file_and_no_pin(void)
{
	struct statfs s;

	return !statfs("/file", &s) && s.f_type == TMPFS_MAGIC ? 0 : 1;
}

static int sees_net_pin(void)
{
	struct statfs s;

	return !statfs("/file", &s) && s.f_type == NSFS_MAGIC ? 0 : 1;
}

TEST_F(build, tree_of_the_same_owner_leaves_out_what_others_may_not_copy)
{
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_UNBINDABLE, NULL));
	EXPECT_EQ(0, in_ns(tree_ns("/tmp/t", REC), sees_tree));
	ASSERT_TRUE(pin_newer("/tmp/t/file"));
	EXPECT_EQ(0, in_ns(tree_ns("/tmp/t", REC), sees_file_and_no_pin));
}

TEST_F(build, tree_may_have_files_of_other_namespaces)
{
	ASSERT_EQ(0, sys_mount("/proc/self/ns/net", "/tmp/t/file", NULL, MS_BIND, NULL));
	EXPECT_EQ(0, in_ns(tree_ns("/tmp/t", REC), sees_net_pin));
}

/*
 * Runs in the actor, as a container runtime does it: take trees along, make the
 * namespace, enter it, and mount them there.
 */
static __s64 do_bring_along(struct ns_actor *a, __u64 err)
{
	int tree = sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE | REC);
	int ns = tree_ns("/tmp/r", 0);

	if (tree < 0 || ns < 0 || setns(ns, CLONE_NEWNS))
		return 1;
	if (err) {
		if (!fails_with(attach(tree, "/d", 0), err))
			return 2;
		return 0;
	}
	if (attach(tree, "/d", 0) || !exists("/d/file") || !exists("/d/d/over"))
		return 3;
	return 0;
}

TEST_F(build, trees_can_be_taken_along)
{
	ASSERT_EQ(0, mkdir("/tmp/r", 0755) ?: mkdir("/tmp/r/d", 0755));
	ASSERT_EQ(0, sys_mount("/proc/self/ns/net", "/tmp/t/file", NULL, MS_BIND, NULL));
	EXPECT_EQ(0, ns_call(self->a, do_bring_along, 0));
}

TEST_F(build, trees_that_could_make_a_loop_cannot_be_taken_along)
{
	ASSERT_EQ(0, mkdir("/tmp/r", 0755) ?: mkdir("/tmp/r/d", 0755));
	ASSERT_TRUE(pin_newer("/tmp/t/file"));
	EXPECT_EQ(0, ns_call(self->a, do_bring_along, ELOOP));
}

/* Runs in the actor: the pinned namespace comes after the one it gets pinned in. */
static __s64 do_bring_newer(struct ns_actor *a, __u64 unused)
{
	int ns = tree_ns("/tmp/r", 0), tree;

	if (ns < 0 || !pin_newer("/tmp/t/file"))
		return 1;
	tree = sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE | REC);
	if (tree < 0 || setns(ns, CLONE_NEWNS) || attach(tree, "/d", 0))
		return 2;
	return 0;
}

TEST_F(build, trees_that_cannot_make_a_loop_can_be_taken_along)
{
	ASSERT_EQ(0, mkdir("/tmp/r", 0755) ?: mkdir("/tmp/r/d", 0755));
	EXPECT_EQ(0, ns_call(self->a, do_bring_newer, 0));
}

static int mounts_something(void)
{
	return mount_tmpfs("/d") && touch("/d/inside") ? 0 : 1;
}

static int sees_outside(void)
{
	return exists("/d/outside") ? 0 : 1;
}

TEST_F(build, tree_of_the_same_owner_is_a_peer_of_its_original)
{
	int ns;

	ASSERT_EQ(0, sys_umount2("/tmp/t/d", MNT_DETACH));
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t", NULL, MS_SHARED, NULL));
	ns = tree_ns("/tmp/t", 0);
	ASSERT_TRUE(mount_tmpfs("/tmp/t/d") && touch("/tmp/t/d/outside"));
	EXPECT_EQ(0, in_ns(ns, sees_outside));
	EXPECT_EQ(0, in_ns(ns, mounts_something));
	EXPECT_TRUE(exists("/tmp/t/d/inside"));
}

/*
 * Trees of others: a user namespace and nothing else, so that the mounts are still
 * those of the test, none of which is locked.
 */
static int is_locked_rec_tree(void)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };

	if (sees_rec_tree())
		return 1;
	if (!fails_with(sys_umount2("/d", MNT_DETACH), EINVAL))
		return 2;
	if (!fails_with(sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE), EINVAL))
		return 3;
	if (!fails_with(tree_ns("/", 0), EINVAL))
		return 4;
	if (in_ns(tree_ns("/", REC), sees_rec_tree))
		return 5;
	if (!fails_with(sys_mount("/", "/d", NULL, MS_BIND, NULL), EINVAL))
		return 6;
	if (!fails_with(syscall(__NR_mount_setattr, AT_FDCWD, "/d", 0, &attr,
				sizeof(attr)), EPERM))
		return 7;
	if (!fails_with(sys_umount2("/d", 0), EINVAL))
		return 8;
	/* The tree can go, but nothing shows that was covered in it. */
	if (open("/", O_PATH | O_DIRECTORY) < 0)
		return 9;
	if (sys_umount2("/", MNT_DETACH) || sees_rec_tree())
		return 10;
	return 0;
}

/* Runs in the actor. */
static __s64 do_uncover(struct ns_actor *a, __u64 unused)
{
	if (!exists("/tmp/t/d/over") || !is_missing("/tmp/t/d/secret"))
		return 21;
	if (!fails_with(tree_ns("/tmp/t", 0), EINVAL))
		return 22;
	if (!fails_with(tree_ns("/", 0), EINVAL))
		return 23;
	if (!fails_with(sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE), EPERM))
		return 24;
	return in_ns(tree_ns("/tmp/t", REC), is_locked_rec_tree);
}

TEST_F(build, tree_of_another_owner_covers_what_it_did)
{
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_uncover, 0));
}

TEST_F(build, tree_of_root_covers_what_it_did_for_a_user)
{
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_uncover, 0));
}

/* Runs in the actor: as root of a container, whose mounts are copies, and marked. */
static __s64 do_uncover_own(struct ns_actor *a, __u64 unused)
{
	if (!fails_with(tree_ns("/tmp/t", 0), EINVAL))
		return 21;
	return in_ns(tree_ns("/tmp/t", REC), is_locked_rec_tree);
}

TEST_F(build, tree_of_a_container_covers_what_it_did)
{
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS | MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_uncover_own, 0));
}

/* Runs in the actor. */
static __s64 do_tree(struct ns_actor *a, __u64 flags)
{
	int fd = tree_ns("/tmp/t", flags);

	return fd < 0 ? -errno : fd;
}

TEST_F(build, tree_of_another_owner_is_complete_or_refused)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	ASSERT_LE(0, ns_call(self->a, do_tree, REC));
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_UNBINDABLE, NULL));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_tree, REC));
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t/d", NULL, MS_PRIVATE, NULL));
	ASSERT_LE(0, ns_call(self->a, do_tree, REC));
	ASSERT_EQ(0, sys_mount("/proc/self/ns/net", "/tmp/t/file", NULL, MS_BIND, NULL));
	ASSERT_LE(0, ns_call(self->a, do_tree, REC));
	ASSERT_TRUE(pin_newer("/tmp/t/file"));
	EXPECT_EQ(-ELOOP, ns_call(self->a, do_tree, REC));
}

TEST_F(build, tree_of_another_owner_is_one_mount_if_there_is_nothing_on_it)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	ASSERT_EQ(0, sys_umount2("/tmp/t/d", MNT_DETACH));
	EXPECT_LE(0, ns_call(self->a, do_tree, 0));
	EXPECT_LE(0, ns_call(self->a, do_tree, REC));
}

/* Runs in the actor. Returns a file. */
static __s64 do_make_slave(struct ns_actor *a, __u64 unused)
{
	int ns = tree_ns("/tmp/t", 0);

	if (ns < 0 || in_ns(ns, mounts_something))
		return 1;
	return ns;
}

static int sees_another(void)
{
	return exists("/e/outside") ? 0 : 1;
}

/* Runs in the actor. */
static __s64 do_see_another(struct ns_actor *a, __u64 ns)
{
	return in_ns(ns, sees_another);
}

TEST_F(build, tree_of_another_owner_is_a_slave)
{
	__s64 ns;

	ASSERT_EQ(0, sys_umount2("/tmp/t/d", MNT_DETACH));
	ASSERT_EQ(0, mkdir("/tmp/t/e", 0755));
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/t", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	ns = ns_call(self->a, do_make_slave, 0);
	ASSERT_LT(2, ns);
	EXPECT_TRUE(is_missing("/tmp/t/d/inside"));
	ASSERT_TRUE(mount_tmpfs("/tmp/t/e") && touch("/tmp/t/e/outside"));
	EXPECT_EQ(0, ns_call(self->a, do_see_another, ns));
}

TEST_F(build, owner_is_the_user_namespace_of_the_caller)
{
	__u64 owner;
	int fd;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	owner = ns_id(self->a->pid, "user");
	fd = ns_take_fd(self->a, ns_call(self->a, do_tree, REC));
	ASSERT_LE(0, fd);
	EXPECT_EQ(owner, ns_key_of(fd).owner);
	EXPECT_TRUE(ns_is_listed(ns_fd_id(fd), MNT_NS, owner));
}

/* Limits */

#define MAX_MNT_NS "/proc/sys/user/max_mnt_namespaces"

/* Runs in the actor, in a user namespace of its own. */
static __s64 do_limit(struct ns_actor *a, __u64 fs)
{
	int fd;

	if (!write_to(MAX_MNT_NS, "0"))
		return 1;
	if (!fails_with(tree_ns("/tmp/t", REC), ENOSPC))
		return 2;
	if (!fails_with(tree_ns("/tmp/t/file", REC), ENOTDIR))
		return 3;
	if (!fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), ENOSPC))
		return 4;
	if (!write_to(MAX_MNT_NS, "1"))
		return 5;
	/* What failed has not used up anything. */
	for (int i = 0; i < 3; i++)
		if (!fails_with(tree_ns("/tmp/t", 0), EINVAL))
			return 6;
	fd = tree_ns("/tmp/t", REC);
	if (fd < 0)
		return 7;
	if (!fails_with(tree_ns("/tmp/t", REC), ENOSPC))
		return 8;
	if (!fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), ENOSPC))
		return 9;
	if (close(fd))
		return 10;
	/* The context can be used as if nothing had been. */
	fd = sys_fsmount(fs, FSMOUNT_NAMESPACE, 0);
	if (fd < 0)
		return 11;
	if (!fails_with(tree_ns("/tmp/t", REC), ENOSPC))
		return 12;
	return 0;
}

TEST_F(build, namespaces_are_counted)
{
	/* fsopen() takes a privilege over the mounts. The new actor has the file. */
	int fs = new_context("tmpfs");
	struct ns_actor *a = ns_actor();

	ASSERT_LE(0, fs);
	ASSERT_EQ(0, ns_call(a, ns_do_unshare, USER_NS));
	EXPECT_EQ(0, ns_call(a, do_limit, fs));
}

#define MOUNT_MAX "/proc/sys/fs/mount-max"

TEST_F(build, mounts_are_counted)
{
	int fs = new_context("tmpfs"), fd;
	char max[16] = {};
	int sysctl = open(MOUNT_MAX, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fs);
	ASSERT_LT(0, read(sysctl, max, sizeof(max) - 1));
	/* A nullfs and two mounts are one too many. */
	ASSERT_TRUE(write_to(MOUNT_MAX, "2"));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", REC), ENOSPC));
	fd = tree_ns("/tmp/t", 0);
	EXPECT_LE(0, fd);
	ASSERT_TRUE(write_to(MOUNT_MAX, "1"));
	EXPECT_TRUE(fails_with(tree_ns("/tmp/t", 0), ENOSPC));
	EXPECT_TRUE(fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), ENOSPC));
	ASSERT_TRUE(write_to(MOUNT_MAX, max));
	EXPECT_LE(0, sys_fsmount(fs, FSMOUNT_NAMESPACE, 0));
}

/* Runs in the actor: there are no descriptors left. */
static __s64 do_without_descriptors(struct ns_actor *a, __u64 fs)
{
	int last = -1, fd;

	while ((fd = dup(fs)) >= 0)
		last = fd;
	if (last < 0 || errno != EMFILE)
		return 1;
	if (!fails_with(tree_ns("/tmp/t", REC), EMFILE))
		return 2;
	if (!fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), EMFILE))
		return 3;
	if (close(last) || sys_fsmount(fs, FSMOUNT_NAMESPACE, 0) != last)
		return 4;
	return 0;
}

TEST_F(build, descriptors_are_counted)
{
	int fs = new_context("tmpfs");
	struct ns_actor *a = ns_actor();

	EXPECT_EQ(0, ns_call(a, do_without_descriptors, fs));
}

/* fsmount() */

static int is_read_only(void)
{
	return fails_with(open("/x", O_CREAT | O_WRONLY, 0644), EROFS) ? 0 : 1;
}

TEST_F(build, new_mount_has_its_attributes)
{
	EXPECT_EQ(0, in_ns(fs_ns("tmpfs", 0, MOUNT_ATTR_RDONLY), is_read_only));
	EXPECT_EQ(1, in_ns(fs_ns("tmpfs", 0, 0), is_read_only));
	EXPECT_TRUE(fails_with(fs_ns("tmpfs", 0, 1 << 30), EINVAL));
}

TEST_F(build, context_is_used_once)
{
	int fs = sys_fsopen("tmpfs", FSOPEN_CLOEXEC);

	ASSERT_LE(0, fs);
	EXPECT_TRUE(fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), EBUSY));
	EXPECT_TRUE(fails_with(sys_fsmount(fs, 0, 0), EINVAL));
	ASSERT_EQ(0, sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	EXPECT_LE(0, sys_fsmount(fs, FSMOUNT_NAMESPACE, 0));
	EXPECT_TRUE(fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), EBUSY));
	EXPECT_TRUE(fails_with(sys_fsmount(fs, 0, 0), EBUSY));
	EXPECT_TRUE(fails_with(sys_fsmount(-1, FSMOUNT_NAMESPACE, 0), EBADF));
	EXPECT_TRUE(fails_with(sys_fsmount(open("/tmp/t/file", O_RDONLY), FSMOUNT_NAMESPACE, 0),
			       EINVAL));
}

TEST_F(build, kernel_internal_file_systems_are_refused)
{
	int fs = new_context("pipefs");

	if (fs < 0)
		SKIP(return, "pipefs cannot be opened");
	EXPECT_TRUE(fails_with(sys_fsmount(fs, FSMOUNT_NAMESPACE, 0), EINVAL));
}

/* A proc, of a context that the caller of fsmount() need not have made. */
struct proc {
	int fs;
	unsigned int attr;
};

/* Runs in the actor, for which somebody else has made the context. Returns a file. */
static __s64 do_new_proc(struct ns_actor *a, __u64 arg)
{
	const struct proc *p = (const void *)(uintptr_t)arg;
	int fd = sys_fsmount(p->fs, FSMOUNT_NAMESPACE, p->attr);

	return fd < 0 ? -errno : fd;
}

TEST_F(build, new_proc_shows_no_more_than_the_one_that_is_there)
{
	/* In memory that the actor has got as well. */
	static struct proc before, masked;
	struct ns_actor *a;

	before.fs = new_context("proc");
	masked.fs = new_context("proc");
	ASSERT_LE(0, before.fs);
	ASSERT_LE(0, masked.fs);
	a = ns_actor();
	ASSERT_EQ(0, ns_call(a, ns_do_unshare, USER_NS));
	EXPECT_LE(0, ns_call(a, do_new_proc, (uintptr_t)&before));

	/* It is masked, by what is not locked. */
	ASSERT_TRUE(mount_tmpfs("/proc/sys"));
	EXPECT_EQ(-EPERM, ns_call(a, do_new_proc, (uintptr_t)&masked));
	ASSERT_EQ(0, sys_umount2("/proc/sys", 0));
	EXPECT_LE(0, ns_call(a, do_new_proc, (uintptr_t)&masked));

	/* Those who could unmount the mask get what they want. */
	ASSERT_TRUE(mount_tmpfs("/proc/sys"));
	EXPECT_LE(0, fs_ns("proc", 0, 0));
}

static int cannot_write_again(void)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_RDONLY };

	return fails_with(syscall(__NR_mount_setattr, AT_FDCWD, "/", 0, &attr,
				  sizeof(attr)), EPERM) ? 0 : 1;
}

/* Runs in the actor. */
static __s64 do_write_again(struct ns_actor *a, __u64 ns)
{
	return in_ns(ns, cannot_write_again);
}

TEST_F(build, new_proc_can_do_no_more_than_the_one_that_is_there)
{
	static struct proc writable, read_only = { .attr = MOUNT_ATTR_RDONLY };
	struct ns_actor *a;
	__s64 ns;

	writable.fs = new_context("proc");
	read_only.fs = new_context("proc");
	ASSERT_LE(0, writable.fs);
	ASSERT_LE(0, read_only.fs);
	a = ns_actor();
	ASSERT_EQ(0, ns_call(a, ns_do_unshare, USER_NS));
	ASSERT_EQ(0, sys_mount(NULL, "/proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	EXPECT_EQ(-EPERM, ns_call(a, do_new_proc, (uintptr_t)&writable));
	ns = ns_call(a, do_new_proc, (uintptr_t)&read_only);
	ASSERT_LE(0, ns);
	EXPECT_EQ(0, ns_call(a, do_write_again, ns));
}

/* move_mount() */

/* Mount a new one beneath the root, unmount that, and be in the new one. */
static int exchange_root(void)
{
	int mnt = new_mount();
	__u64 root = mount_of("/");

	if (mnt < 0 || exists("/new") || !root)
		return 1;
	if (attach(mnt, "/", MOVE_MOUNT_BENEATH))
		return 2;
	/* The old one is still there. */
	if (mount_of("/") != root || exists("/new"))
		return 3;
	if (sys_umount2("/", MNT_DETACH))
		return 4;
	if (fchdir(mnt) || chroot(".") || !exists("/new"))
		return 5;
	if (mount_of("/") != mount_of("..") || close(mnt))
		return 6;
	return 0;
}

static int sees_new(void)
{
	return exists("/new") && mount_of("/") == mount_of(".") ? 0 : 1;
}

/* Runs in the actor. */
static __s64 do_exchange_root(struct ns_actor *a, __u64 unused)
{
	return exchange_root();
}

/* The number of mounts that are there to be seen, and whether the first one is new. */
static bool has_exchanged(struct ns_actor *a)
{
	int ns = ns_open(a->pid, "mnt");
	bool ok = nr_mounts(ns) == 1 && !in_ns(ns, sees_new);

	close(ns);
	return ok;
}

TEST_F(build, root_of_a_copy_is_exchanged)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_exchange_root, 0));
	EXPECT_TRUE(has_exchanged(self->a));
}

TEST_F(build, root_of_a_container_is_exchanged)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS | USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_exchange_root, 0));
	EXPECT_TRUE(has_exchanged(self->a));
}

/* Runs in the actor. */
static __s64 do_share_root(struct ns_actor *a, __u64 unused)
{
	return sys_mount(NULL, "/", NULL, MS_SHARED, NULL) ? -errno : 0;
}

TEST_F(build, root_that_is_shared_is_exchanged)
{
	struct ns_actor *peer;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS));
	ASSERT_EQ(0, ns_call(self->a, do_share_root, 0));
	peer = ns_actor_in(self->a, MNT_NS);
	ASSERT_EQ(0, ns_call(peer, ns_do_unshare, MNT_NS));
	ASSERT_EQ(0, ns_call(peer, do_exchange_root, 0));
	EXPECT_TRUE(has_exchanged(peer));
	/* Where the peer of the old root is, there is nothing new. */
	EXPECT_FALSE(has_exchanged(self->a));
}

/* Runs in the actor. */
static __s64 do_enter_tree(struct ns_actor *a, __u64 flags)
{
	return setns(tree_ns("/tmp/t", flags), CLONE_NEWNS) ? -errno : 0;
}

TEST_F(build, root_on_a_nullfs_is_exchanged)
{
	ASSERT_EQ(0, ns_call(self->a, do_enter_tree, REC));
	EXPECT_EQ(0, ns_call(self->a, do_exchange_root, 0));
	EXPECT_TRUE(has_exchanged(self->a));
	EXPECT_EQ(0, in_ns(ns_open(self->a->pid, "mnt"), has_nullfs_below));
}

/* Runs in the actor. */
static __s64 do_lock_root(struct ns_actor *a, __u64 unused)
{
	int mnt = new_mount(), proc = sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE | REC);

	if (unshare(UNSHARE_EMPTY_MNTNS) || attach(mnt, "/", 0))
		return 1;
	if (fchdir(mnt) || chroot(".") || close(mnt) || unlink("/new"))
		return 2;
	if (mkdir("/proc", 0755) || attach(proc, "/proc", 0) || close(proc))
		return 3;
	return ns_do_unshare(a, USER_NS | MNT_NS);
}

/* Runs in the actor. */
static __s64 do_umount_root(struct ns_actor *a, __u64 unused)
{
	return sys_umount2("/", MNT_DETACH) ? -errno : 0;
}

TEST_F(build, lock_of_the_root_passes_to_what_is_beneath)
{
	ASSERT_EQ(0, ns_call(self->a, do_lock_root, 0));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_umount_root, 0));
	EXPECT_EQ(0, ns_call(self->a, do_exchange_root, 0));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_umount_root, 0));
	EXPECT_TRUE(has_exchanged(self->a));
}

/* Runs in the actor: with the old root still there. */
static __s64 do_twice(struct ns_actor *a, __u64 unused)
{
	int one = new_mount(), two = new_mount();

	if (one < 0 || two < 0 || unshare(CLONE_NEWNS))
		return 1;
	if (attach(one, "/", MOVE_MOUNT_BENEATH) || attach(two, "/", MOVE_MOUNT_BENEATH))
		return 2;
	if (exists("/new") || sys_umount2("/", MNT_DETACH))
		return 3;
	/* The one that came last is on top of the other. */
	if (fchdir(two) || chroot(".") || !exists("/new"))
		return 4;
	if (sys_umount2("/", MNT_DETACH))
		return 5;
	if (fchdir(one) || chroot(".") || !exists("/new"))
		return 6;
	if (!fails_with(sys_umount2("/", MNT_DETACH), EINVAL))
		return 7;
	return 0;
}

TEST_F(build, root_is_exchanged_again_while_the_old_one_is_there)
{
	EXPECT_EQ(0, ns_call(self->a, do_twice, 0));
	EXPECT_TRUE(has_exchanged(self->a));
}

/* Runs in the actor. */
static __s64 do_wrong_root(struct ns_actor *a, __u64 unused)
{
	int mnt = new_mount(), root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int sub, over = new_mount();

	if (mnt < 0 || over < 0 || unshare(CLONE_NEWNS))
		return 1;
	sub = sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE);
	/* That root is of another namespace now. */
	if (sub < 0 || !fails_with(attach_to(mnt, root, MOVE_MOUNT_BENEATH), EINVAL))
		return 2;
	/* What is mounted below it cannot get beneath, */
	if (!fails_with(sys_move_mount(AT_FDCWD, "/tmp/t", AT_FDCWD, "/",
				       MOVE_MOUNT_BENEATH), EINVAL))
		return 4;
	/* nor can what is covered. */
	if (attach_to(over, sub, 0))
		return 5;
	if (!fails_with(attach(sub, "/", MOVE_MOUNT_BENEATH), EINVAL))
		return 6;
	/* Somebody else has to do it if it is not one's own root, */
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (chroot("/tmp/t"))
		return 7;
	if (!fails_with(attach_to(mnt, root, MOVE_MOUNT_BENEATH), EINVAL))
		return 8;
	/* or if that is not the root of its mount. */
	if (fchdir(root) || chroot("./tmp/t/d") || mkdir("/dir", 0755) || chroot("/dir"))
		return 9;
	if (!fails_with(attach(mnt, "/", MOVE_MOUNT_BENEATH), EINVAL))
		return 10;
	return 0;
}

TEST_F(build, nothing_else_gets_beneath_the_root)
{
	EXPECT_EQ(0, ns_call(self->a, do_wrong_root, 0));
}

/* Runs in the actor. */
static __s64 do_chroot_exchange(struct ns_actor *a, __u64 unused)
{
	int mnt = new_mount();

	if (unshare(CLONE_NEWNS) || chroot("/tmp/t") || chdir("/"))
		return 1;
	if (attach(mnt, "/", MOVE_MOUNT_BENEATH) || !exists("/file"))
		return 2;
	if (sys_umount2("/", MNT_DETACH) || fchdir(mnt) || chroot("."))
		return 3;
	if (!exists("/new"))
		return 4;
	return 0;
}

TEST_F(build, root_of_a_chroot_is_exchanged)
{
	EXPECT_EQ(0, ns_call(self->a, do_chroot_exchange, 0));
	EXPECT_EQ(0, exists("/tmp/t/new"));
}

/* Runs in the actor. */
static __s64 do_loop_beneath(struct ns_actor *a, __u64 unused)
{
	int tree = sys_open_tree(AT_FDCWD, "/tmp/t", OPEN_TREE_CLONE | REC);

	if (tree < 0 || unshare(CLONE_NEWNS))
		return 1;
	if (!fails_with(attach(tree, "/", MOVE_MOUNT_BENEATH), ELOOP))
		return 2;
	return 0;
}

TEST_F(build, tree_that_could_make_a_loop_gets_not_beneath_the_root)
{
	ASSERT_TRUE(pin_newer("/tmp/t/file"));
	EXPECT_EQ(0, ns_call(self->a, do_loop_beneath, 0));
}

/*
 * The mask of a slave: the container has an own mount on a directory of its host, and
 * its user gets a copy of that. Then the host mounts something on that directory,
 * which comes to lie beneath the mask.
 */
static __s64 do_mask(struct ns_actor *a, __u64 unused)
{
	if (unshare(CLONE_NEWNS) || sys_mount(NULL, "/tmp/s", NULL, MS_SLAVE, NULL))
		return 1;
	if (!mount_tmpfs("/tmp/s/d"))
		return 2;
	return ns_do_unshare(a, USER_NS | MNT_NS);
}

/* Runs in the actor. */
static __s64 do_unmask(struct ns_actor *a, __u64 unused)
{
	int mnt = new_mount();

	if (!fails_with(sys_umount2("/tmp/s/d", MNT_DETACH), EINVAL))
		return 1;
	if (!fails_with(attach(mnt, "/tmp/s/d", MOVE_MOUNT_BENEATH), EINVAL))
		return 2;
	if (!is_missing("/tmp/s/d/late"))
		return 3;
	return 0;
}

TEST_F(build, lock_stays_when_something_comes_beneath_by_propagation)
{
	ASSERT_EQ(0, mkdir("/tmp/s", 0755));
	ASSERT_TRUE(mount_tmpfs("/tmp/s"));
	ASSERT_EQ(0, mkdir("/tmp/s/d", 0755));
	ASSERT_EQ(0, sys_mount(NULL, "/tmp/s", NULL, MS_SHARED, NULL));
	ASSERT_EQ(0, ns_call(self->a, do_mask, 0));
	ASSERT_TRUE(mount_tmpfs("/tmp/s/d") && touch("/tmp/s/d/late"));
	EXPECT_EQ(0, ns_call(self->a, do_unmask, 0));
}

/*
 * Three at a time change the root of one mount namespace, or copy what is there. What
 * a call finds is what another has left, so any of them may fail.
 */
static __s64 do_race_beneath(struct ns_actor *a, __u64 rounds)
{
	while (rounds--) {
		int mnt = new_mount();

		if (mnt < 0)
			return 1;
		if (!attach(mnt, "/", MOVE_MOUNT_BENEATH)) {
			sys_umount2("/", MNT_DETACH);
			if (fchdir(mnt) || chroot("."))
				return 2;
		}
		close(mnt);
	}
	return 0;
}

static __s64 do_race_pivot(struct ns_actor *a, __u64 rounds)
{
	while (rounds--) {
		int mnt = new_mount();

		if (mnt < 0)
			return 1;
		if (!attach(mnt, "/", 0) && !fchdir(mnt)) {
			if (!syscall(__NR_pivot_root, ".", "."))
				sys_umount2(".", MNT_DETACH);
			if (fchdir(mnt) || chroot("."))
				return 2;
		}
		close(mnt);
	}
	return 0;
}

static __s64 do_race_copy(struct ns_actor *a, __u64 rounds)
{
	while (rounds--) {
		int ns = tree_ns("/", REC);

		if (ns >= 0)
			if (in_ns(ns, is_at_root))
				return 1;
		close(ns);
	}
	return 0;
}

TEST_F(build, root_is_one_mount_whoever_changes_it)
{
	struct ns_actor *pivot, *copy;
	int ns;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS));
	pivot = ns_actor_in(self->a, MNT_NS);
	copy = ns_actor_in(self->a, MNT_NS);
	ASSERT_TRUE(pivot && copy);
	ASSERT_TRUE(ns_start(self->a, do_race_beneath, 100));
	ASSERT_TRUE(ns_start(pivot, do_race_pivot, 100));
	ASSERT_TRUE(ns_start(copy, do_race_copy, 100));
	EXPECT_EQ(0, ns_finish(self->a));
	EXPECT_EQ(0, ns_finish(pivot));
	EXPECT_EQ(0, ns_finish(copy));

	ns = ns_open(self->a->pid, "mnt");
	EXPECT_LE(1, nr_mounts(ns));
	EXPECT_EQ(0, in_ns(ns, is_at_root));
}

TEST_HARNESS_MAIN
