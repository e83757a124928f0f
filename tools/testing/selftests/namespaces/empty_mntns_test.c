// SPDX-License-Identifier: GPL-2.0
/*
 * Mount namespaces that start empty: CLONE_EMPTY_MNTNS, UNSHARE_EMPTY_MNTNS, and
 * the nullfs that they, and below everything else all others, have for a root.
 */
#define _GNU_SOURCE
#include <alloca.h>
#include <dirent.h>
#include <linux/auto_fs.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <linux/userfaultfd.h>
#include <sys/auxv.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include "../kselftest_harness.h"
#include "../filesystems/wrappers.h"
#include "../filesystems/statmount/statmount.h"
#include "ns_helpers.h"

/* For headers that are older than the kernel under test. */
#ifndef CLONE_EMPTY_MNTNS
#define CLONE_EMPTY_MNTNS 0x2000000000ULL
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif
#ifndef NULL_FS_MAGIC
#define NULL_FS_MAGIC 0x4E554C4C
#endif
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif
#ifndef P_PIDFD
#define P_PIDFD 3
#endif
#ifndef MOVE_MOUNT_BENEATH
#define MOVE_MOUNT_BENEATH 0x00000200
#endif

/* The 64-bit ids of the mounts that the initial mount namespace starts with. */
#define NULLFS_MNT_ID ((1ULL << 31) + 1)
#define ROOTFS_MNT_ID ((1ULL << 31) + 2)

static int sys_umount2(const char *path, int flags)
{
	return syscall(__NR_umount2, path, flags);
}

static int sys_pivot_root(const char *new_root, const char *put_old)
{
	return syscall(__NR_pivot_root, new_root, put_old);
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

/* A mount that is nowhere yet. */
static int new_mount(const char *type)
{
	int fs = sys_fsopen(type, FSOPEN_CLOEXEC), mnt = -1;

	if (fs >= 0 && !sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		mnt = -errno;
	close(fs);
	return mnt;
}

/* Mount it. */
static int attach(int mnt, const char *path, unsigned int flags)
{
	return sys_move_mount(mnt, "", AT_FDCWD, path, flags | MOVE_MOUNT_F_EMPTY_PATH);
}

/* Mount it over the root, and have it for a root. */
static int attach_as_root(int mnt)
{
	if (mnt < 0)
		return mnt;
	if (attach(mnt, "/", 0) || fchdir(mnt) || chroot("."))
		return -errno;
	return close(mnt);
}

/* The mount at @dir becomes the root, and what was the root goes. */
static bool exchange_root(const char *dir)
{
	return !chdir(dir) && !sys_pivot_root(".", ".") && !sys_umount2(".", MNT_DETACH) &&
	       !chdir("/");
}

/* What a task finds around itself; it lies in the memory of its actor. */
struct view {
	ssize_t nr;		/* of the mounts that listmount() shows */
	__u64 mounts[4];
	union {
		struct statmount sm;	/* of the first one */
		char sm_buf[1024];
	};
	struct statfs statfs;	/* of the root */
	struct stat root, cwd, up;
	char cwd_name[16];
	int nr_entries;		/* in the root, but for . and .. */
	int nr_dots;
};

static struct view *view_of(struct ns_actor *a)
{
	return (struct view *)a->ids;
}

static bool look_into(const char *dir, struct view *v)
{
	struct dirent *d;
	DIR *stream = opendir(dir);

	v->nr_entries = 0;
	v->nr_dots = 0;
	while (stream && (d = readdir(stream))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			v->nr_dots++;
		else
			v->nr_entries++;
	}
	return stream && !closedir(stream);
}

#define STATMOUNT_MASK (STATMOUNT_SB_BASIC | STATMOUNT_MNT_BASIC | \
			STATMOUNT_MNT_ROOT | STATMOUNT_MNT_POINT | \
			STATMOUNT_FS_TYPE)

/* The mounts of namespace @id, of the caller's own if that is 0. */
static bool look_at_mounts(__u64 id, struct view *v)
{
	v->nr = listmount(LSMT_ROOT, id, 0, (uint64_t *)v->mounts, 4, 0);
	return v->nr > 0 && !statmount(v->mounts[0], id, STATMOUNT_MASK, &v->sm,
				       sizeof(v->sm_buf), 0);
}

/* Is a nullfs all there is, and the caller at its root? */
static bool is_empty(void)
{
	struct view v = {};

	return look_at_mounts(0, &v) && v.nr == 1 && v.sm.sb_magic == NULL_FS_MAGIC &&
	       v.sm.mnt_parent_id == v.sm.mnt_id && mount_of("/") == v.sm.mnt_id &&
	       mount_of(".") == v.sm.mnt_id;
}

/* What the namespace of a process says about itself. */
static struct mnt_ns_info mnt_ns_info(pid_t pid)
{
	struct mnt_ns_info info = {};
	int fd = ns_open(pid, "mnt");

	if (ioctl(fd, NS_MNT_GET_INFO, &info))
		info.nr_mounts = 0;
	close(fd);
	return info;
}

/* Runs in the actor: have a look around. */
static __s64 do_look(struct ns_actor *a, __u64 unused)
{
	struct view *v = view_of(a);

	memset(v, 0, sizeof(*v));
	if (!look_at_mounts(0, v) || !look_into("/", v))
		return -errno;
	if (statfs("/", &v->statfs) || stat("/", &v->root) ||
	    stat(".", &v->cwd) || stat("..", &v->up))
		return -errno;
	if (!getcwd(v->cwd_name, sizeof(v->cwd_name)))
		return -errno;
	return 0;
}

/*
 * Runs in the actor: a child by clone3() takes over. The ids are mapped in a new
 * user namespace.
 */
static __s64 do_clone3(struct ns_actor *a, __u64 flags)
{
	const char *map = "0 0 65536\n";
	char text[16], c = 0;
	int go[2];
	pid_t pid;

	if (pipe(go))
		return -errno;
	pid = ns_clone(flags, NULL);
	if (pid < 0)
		return -errno;
	if (pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(a->actor_end);
		snprintf(text, sizeof(text), "%d", (int)pid);
		if (!(flags & USER_NS) || (ns_write(text, "uid_map", map) &&
					   ns_write(text, "gid_map", map)))
			if (write(go[1], &c, 1) != 1)
				kill(pid, SIGKILL);
		close(go[0]);
		close(go[1]);
		waitpid(pid, NULL, 0);
		_exit(0);
	}
	close(go[1]);
	if (read(go[0], &c, 1) != 1)
		_exit(1);
	close(go[0]);
	a->pid = getpid();
	return 0;
}

/* Two ways to get there, as two kinds of user. */
FIXTURE(empty) {
	struct ns_actor *a;
	struct view *v;
	__u64 parent_ns;
};

FIXTURE_VARIANT(empty) {
	__s64 (*enter)(struct ns_actor *a, __u64 flags);
	__u64 flags;
};

FIXTURE_VARIANT_ADD(empty, unshare) {
	.enter = ns_do_unshare,
	.flags = UNSHARE_EMPTY_MNTNS,
};

FIXTURE_VARIANT_ADD(empty, unshare_with_user_ns) {
	.enter = ns_do_unshare,
	.flags = UNSHARE_EMPTY_MNTNS | USER_NS,
};

FIXTURE_VARIANT_ADD(empty, clone3) {
	.enter = do_clone3,
	.flags = CLONE_EMPTY_MNTNS,
};

FIXTURE_VARIANT_ADD(empty, clone3_with_user_ns) {
	.enter = do_clone3,
	.flags = CLONE_EMPTY_MNTNS | USER_NS,
};

FIXTURE_SETUP(empty)
{
	self->parent_ns = ns_id(0, "mnt");
	self->a = ns_actor();
	ASSERT_TRUE(!!self->a);
	ASSERT_EQ(0, ns_call(self->a, variant->enter, variant->flags));
	self->v = view_of(self->a);
}

FIXTURE_TEARDOWN(empty)
{
	ns_actors_kill();
}

TEST_F(empty, is_a_new_mount_namespace)
{
	__u64 id = ns_id(self->a->pid, "mnt");

	ASSERT_NE(0, id);
	EXPECT_LT(self->parent_ns, id);
}

TEST_F(empty, has_one_mount_that_is_its_own_parent)
{
	struct statmount *sm = &self->v->sm;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, self->v->nr);
	EXPECT_EQ(self->v->mounts[0], sm->mnt_id);
	EXPECT_LT(ROOTFS_MNT_ID, sm->mnt_id);
	EXPECT_EQ(sm->mnt_id, sm->mnt_parent_id);
	EXPECT_EQ(sm->mnt_id_old, sm->mnt_parent_id_old);
	EXPECT_EQ(MS_PRIVATE, sm->mnt_propagation);
	EXPECT_EQ(0, sm->mnt_peer_group);
	EXPECT_EQ(0, sm->mnt_master);
	EXPECT_STREQ("/", sm->str + sm->mnt_root);
	EXPECT_STREQ("/", sm->str + sm->mnt_point);
}

TEST_F(empty, is_listed_the_same_from_outside)
{
	__u64 id = ns_id(self->a->pid, "mnt");
	struct mnt_ns_info info = mnt_ns_info(self->a->pid);
	struct view out = {};

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	ASSERT_TRUE(look_at_mounts(id, &out));
	EXPECT_EQ(1, out.nr);
	EXPECT_EQ(self->v->mounts[0], out.mounts[0]);
	EXPECT_EQ(out.mounts[0], out.sm.mnt_id);
	EXPECT_EQ(out.mounts[0], out.sm.mnt_parent_id);
	EXPECT_STREQ("/", out.sm.str + out.sm.mnt_point);
	EXPECT_EQ(id, info.mnt_ns_id);
	EXPECT_EQ(1, info.nr_mounts);
}

TEST_F(empty, mount_is_nullfs)
{
	struct statmount *sm = &self->v->sm;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(NULL_FS_MAGIC, self->v->statfs.f_type);
	EXPECT_EQ(NULL_FS_MAGIC, sm->sb_magic);
	EXPECT_STREQ("nullfs", sm->str + sm->fs_type);
	EXPECT_EQ(MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC,
		  sm->mnt_attr & (MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
}

TEST_F(empty, root_and_cwd_are_the_root_of_the_mount)
{
	struct view *v = self->v;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_STREQ("/", v->cwd_name);
	EXPECT_EQ(v->sm.sb_dev_minor, minor(v->root.st_dev));
	EXPECT_EQ(v->sm.sb_dev_major, major(v->root.st_dev));
	EXPECT_EQ(v->root.st_dev, v->cwd.st_dev);
	EXPECT_EQ(v->root.st_ino, v->cwd.st_ino);
	EXPECT_EQ(v->root.st_dev, v->up.st_dev);
	EXPECT_EQ(v->root.st_ino, v->up.st_ino);
	EXPECT_EQ(S_IFDIR | 0555, v->root.st_mode);
	EXPECT_EQ(0, v->root.st_uid);
	EXPECT_EQ(2, v->nr_dots);
	EXPECT_EQ(0, v->nr_entries);
}

/* Runs in the actor: returns the number of the first thing that could be done. */
static __s64 do_change(struct ns_actor *a, __u64 unused)
{
	const struct timespec times[2] = {};
	__u64 hint = RWH_WRITE_LIFE_SHORT;
	struct fsxattr attr = {};
	int flags = 0, root = open("/", O_RDONLY | O_DIRECTORY);

	if (root < 0)
		return -errno;
	if (!mkdir("/x", 0777))
		return 1;
	if (open("/x", O_CREAT | O_RDWR, 0666) >= 0)
		return 2;
	if (!mknod("/x", S_IFIFO | 0666, 0))
		return 3;
	if (!symlink("/", "/x"))
		return 4;
	if (!link("/", "/x"))
		return 5;
	if (!rename("/", "/x"))
		return 6;
	if (!unlink("/x") || !rmdir("/x") || !rmdir("/"))
		return 7;
	if (open("/", O_TMPFILE | O_RDWR, 0666) >= 0)
		return 8;
	if (!chmod("/", 0777) || !fchmod(root, 0777))
		return 9;
	if (!chown("/", 1, 1))
		return 10;
	if (!utimensat(AT_FDCWD, "/", times, 0) || !futimens(root, NULL))
		return 11;
	if (!setxattr("/", "user.x", "x", 1, 0) ||
	    !setxattr("/", "trusted.x", "x", 1, 0) ||
	    !setxattr("/", "security.x", "x", 1, 0) ||
	    !setxattr("/", "system.posix_acl_access", "\2\0\0\0", 4, 0))
		return 12;
	if (access("/x", F_OK) != -1 || errno != ENOENT)
		return 13;
	if (!access("/", W_OK))
		return 14;
	if (fcntl(root, F_SET_RW_HINT, &hint) != -1 || errno != EPERM)
		return 15;
	if (fcntl(root, F_GET_RW_HINT, &hint) || hint != RWH_WRITE_LIFE_NOT_SET)
		return 16;
	if (!ioctl(root, FS_IOC_SETFLAGS, &flags) || !ioctl(root, FS_IOC_FSSETXATTR, &attr))
		return 17;
	if (!ioctl(root, FIFREEZE, 0))
		return 18;
	if (open("/", O_RDWR) >= 0 || !truncate("/", 1) || !fallocate(root, 0, 0, 1))
		return 19;
	if (mmap(NULL, 1, PROT_READ, MAP_SHARED, root, 0) != MAP_FAILED)
		return 20;
	close(root);
	return 0;
}

TEST_F(empty, root_cannot_be_changed)
{
	struct stat before;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	before = self->v->root;
	EXPECT_EQ(0, ns_call(self->a, do_change, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(0, memcmp(&before, &self->v->root, sizeof(before)));
	EXPECT_EQ(0, self->v->nr_entries);
}

/* Runs in the actor: returns the number of the first thing that went wrong. */
static __s64 do_abuse(struct ns_actor *a, __u64 unused)
{
	struct mount_attr attr = { .attr_clr = MOUNT_ATTR_NODEV };
	int fd;

	/* There is nothing below. */
	if (!sys_umount2("/", 0) || !sys_umount2("/", MNT_DETACH))
		return 1;
	if (sys_pivot_root("/", "/") != -1 || errno != EBUSY)
		return 2;
	/* There is no other. */
	if (sys_fsopen("nullfs", 0) != -1 || errno != ENODEV)
		return 3;
	if (sys_mount("x", "/", "nullfs", 0, NULL) != -1 || errno != ENODEV)
		return 4;
	/* The one there is cannot be elsewhere, ... */
	if (sys_mount("/", "/", NULL, MS_BIND, NULL) != -1 || errno != EINVAL)
		return 5;
	if (sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE) != -1 ||
	    errno != EINVAL)
		return 6;
	if (sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | AT_RECURSIVE) != -1 ||
	    errno != EINVAL)
		return 7;
	/* ... or otherwise. */
	if (sys_mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY, NULL) != -1 ||
	    errno != EPERM)
		return 8;
	if (sys_mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL) != -1 ||
	    errno != EPERM)
		return 9;
	if (syscall(__NR_mount_setattr, AT_FDCWD, "/", 0, &attr,
		    sizeof(attr)) != -1 || errno != EPERM)
		return 10;
	fd = syscall(__NR_fspick, AT_FDCWD, "/", 0);
	if (fd < 0)
		return 11;
	if (sys_fsconfig(fd, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) != -1 ||
	    errno != EPERM)
		return 12;
	close(fd);
	return 0;
}

TEST_F(empty, root_mount_cannot_be_moved_copied_or_reconfigured)
{
	EXPECT_EQ(0, ns_call(self->a, do_abuse, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, self->v->nr);
	EXPECT_EQ(0, self->v->sm.sb_flags);
}

/*
 * Runs in the actor: try to learn of what others do with the root, or to keep them
 * from doing it. Returns the number of the first thing that could be done.
 */
static __s64 do_watch_and_lock(struct ns_actor *a, __u64 unused)
{
	struct flock lock = { .l_type = F_RDLCK };
	int root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	if (root < 0)
		return -errno;
	if (flock(root, LOCK_EX | LOCK_NB) != -1 || errno != ENOLCK)
		return 1;
	if (fcntl(root, F_SETLK, &lock) != -1 || errno != ENOLCK)
		return 2;
	if (fcntl(root, F_GETLK, &lock) != -1 || errno != ENOLCK)
		return 3;
	if (!fcntl(root, F_SETLEASE, F_RDLCK))
		return 4;
	/* DN_ACCESS */
	if (fcntl(root, F_NOTIFY, 1) != -1 || errno != EINVAL)
		return 5;
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (inotify_add_watch(fd, "/", IN_OPEN) != -1 || errno != EINVAL)
		return 6;
	close(fd);
	/* There may be no fanotify, at least not for everybody. */
	fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC, O_RDONLY);
	if (fd >= 0 && (fanotify_mark(fd, FAN_MARK_ADD, FAN_OPEN | FAN_ONDIR, root, NULL) != -1 ||
			errno != EINVAL))
		return 7;
	close(fd);
	close(root);
	return 0;
}

TEST_F(empty, root_can_be_neither_watched_nor_locked)
{
	EXPECT_EQ(0, ns_call(self->a, do_watch_and_lock, 0));
}

TEST_F(empty, root_is_not_shared_with_other_namespaces)
{
	struct ns_actor *b = ns_actor();
	struct view *v;

	ASSERT_TRUE(!!b);
	ASSERT_EQ(0, ns_call(b, variant->enter, variant->flags));

	v = view_of(b);
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	ASSERT_EQ(0, ns_call(b, do_look, 0));
	EXPECT_NE(v->mounts[0], self->v->mounts[0]);
	EXPECT_EQ(v->root.st_dev, self->v->root.st_dev);
	EXPECT_NE(v->root.st_ino, self->v->root.st_ino);
}

/* Runs in the actor: put a tmpfs over the root and move into it. */
static __s64 do_mount_tmpfs(struct ns_actor *a, __u64 unused)
{
	return attach_as_root(new_mount("tmpfs"));
}

/*
 * Runs in the actor: mount a tmpfs over the root, and try to have the mount of
 * the root somewhere else. Returns the number of the first thing that went wrong.
 */
static __s64 do_displace_root(struct ns_actor *a, __u64 unused)
{
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (root < 0 || do_mount_tmpfs(a, 0) || mkdir("/dir", 0755))
		return 1;
	if (attach(root, "/dir", 0) != -1 || errno != EINVAL)
		return 2;
	if (attach(root, "/", MOVE_MOUNT_BENEATH) != -1 || errno != EINVAL)
		return 3;
	if (sys_open_tree(root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) != -1 ||
	    errno != EINVAL)
		return 4;
	close(root);
	return 0;
}

TEST_F(empty, root_mount_stays_below_what_is_mounted_over_it)
{
	__u64 bottom;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	bottom = self->v->mounts[0];
	EXPECT_EQ(0, ns_call(self->a, do_displace_root, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, self->v->nr);
	EXPECT_EQ(bottom, self->v->sm.mnt_parent_id);
}

TEST_F(empty, can_be_mounted_over)
{
	struct view *v = self->v;
	__u64 id = ns_id(self->a->pid, "mnt");
	__u64 bottom;
	struct view out = {};

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	bottom = v->mounts[0];
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, v->nr);
	EXPECT_NE(bottom, v->mounts[0]);
	EXPECT_EQ(bottom, v->sm.mnt_parent_id);
	EXPECT_EQ(TMPFS_MAGIC, v->statfs.f_type);
	EXPECT_STREQ("/", v->cwd_name);

	ASSERT_TRUE(look_at_mounts(id, &out));
	EXPECT_EQ(1, out.nr);
	EXPECT_EQ(v->mounts[0], out.mounts[0]);
}

/*
 * A child by clone3() that then leaves by unshare(), if it is told to. Returns 0 if
 * it is in an empty namespace after that, 1 if not.
 */
static __s64 try_child(__u64 clone_flags, __u64 unshare_flags)
{
	pid_t pid = ns_clone(clone_flags, NULL);
	int status;

	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(unshare_flags && unshare(unshare_flags) ? 2 : !is_empty());
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

/* Runs in the actor, as does the next one. */
static __s64 do_try_clone3(struct ns_actor *a, __u64 flags)
{
	return try_child(flags, 0);
}

static __s64 do_try_unshare(struct ns_actor *a, __u64 flags)
{
	/* That of the C library takes an int. */
	if (syscall(__NR_unshare, (unsigned long)flags))
		return -errno;
	return !is_empty();
}

/* Runs in the actor: what others see of its mounts, for ns_call(). */
static __s64 do_list_mounts(struct ns_actor *a, __u64 id)
{
	ssize_t nr = listmount(LSMT_ROOT, id, 0, (uint64_t *)a->ids, 1024, 0);

	return nr < 0 ? -errno : nr;
}

TEST_F(empty, copy_has_a_nullfs_of_its_own)
{
	__u64 id = ns_id(self->a->pid, "mnt");
	__u64 first, second;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	first = self->v->mounts[0];
	EXPECT_EQ(0, ns_call(self->a, do_try_unshare, MNT_NS));
	EXPECT_LT(id, ns_id(self->a->pid, "mnt"));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	second = self->v->mounts[0];
	EXPECT_LT(first, second);
	EXPECT_EQ(0, ns_call(self->a, do_try_unshare, MNT_NS | USER_NS));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_LT(second, self->v->mounts[0]);
	EXPECT_EQ(1, mnt_ns_info(self->a->pid).nr_mounts);
}

TEST_F(empty, copy_has_what_is_mounted_on_it)
{
	struct view *v = self->v, bottom = {};
	__u64 top;

	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	top = v->mounts[0];
	/* It is not empty. */
	ASSERT_EQ(1, ns_call(self->a, do_try_unshare, MNT_NS));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, v->nr);
	EXPECT_LT(top, v->mounts[0]);
	EXPECT_EQ(TMPFS_MAGIC, v->statfs.f_type);
	EXPECT_EQ(1, mnt_ns_info(self->a->pid).nr_mounts);
	/* What is below is there, too. */
	ASSERT_EQ(0, statmount(v->sm.mnt_parent_id, ns_id(self->a->pid, "mnt"),
			       STATMOUNT_MASK, &bottom.sm, sizeof(bottom.sm_buf), 0));
	EXPECT_LT(top, bottom.sm.mnt_id);
	EXPECT_EQ(bottom.sm.mnt_id, bottom.sm.mnt_parent_id);
	EXPECT_EQ(NULL_FS_MAGIC, bottom.sm.sb_magic);
}

/* Runs in the actor: mount @nr times below the root. */
static __s64 do_mount_below(struct ns_actor *a, __u64 nr)
{
	char path[16];

	while (nr--) {
		snprintf(path, sizeof(path), "/%d", (int)nr);
		if (mkdir(path, 0755) || sys_mount("x", path, "tmpfs", 0, NULL))
			return -errno;
	}
	return 0;
}

/* Runs in the actor. */
static __s64 do_umount(struct ns_actor *a, __u64 path)
{
	return sys_umount2((char *)(uintptr_t)path, MNT_DETACH) ? -errno : 0;
}

TEST_F(empty, mounts_are_counted)
{
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	EXPECT_EQ(1, mnt_ns_info(self->a->pid).nr_mounts);
	ASSERT_EQ(0, ns_call(self->a, do_mount_below, 10));
	EXPECT_EQ(11, mnt_ns_info(self->a->pid).nr_mounts);
	EXPECT_EQ(11, ns_call(self->a, do_list_mounts, 0));
	ASSERT_EQ(0, ns_call(self->a, do_umount, (uintptr_t)"/3"));
	EXPECT_EQ(10, mnt_ns_info(self->a->pid).nr_mounts);
	ASSERT_EQ(0, ns_call(self->a, do_umount, (uintptr_t)"/"));
	EXPECT_EQ(1, mnt_ns_info(self->a->pid).nr_mounts);
}

TEST_F(empty, covered_mounts_are_not_counted)
{
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	ASSERT_EQ(0, ns_call(self->a, do_mount_below, 3));
	EXPECT_EQ(4, mnt_ns_info(self->a->pid).nr_mounts);
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	EXPECT_EQ(1, mnt_ns_info(self->a->pid).nr_mounts);
	EXPECT_EQ(1, ns_call(self->a, do_list_mounts, 0));
}

TEST_F(empty, is_what_setns_leads_into)
{
	struct ns_actor *b = ns_actor_in(self->a, MNT_NS);
	struct view *v;

	ASSERT_TRUE(!!b);
	v = view_of(b);
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	ASSERT_EQ(0, ns_call(b, do_look, 0));
	EXPECT_EQ(1, v->nr);
	EXPECT_EQ(self->v->mounts[0], v->mounts[0]);
	EXPECT_STREQ("/", v->cwd_name);
	EXPECT_EQ(0, memcmp(&self->v->root, &v->root, sizeof(v->root)));
	EXPECT_EQ(0, memcmp(&self->v->root, &v->cwd, sizeof(v->cwd)));
	EXPECT_EQ(0, v->nr_entries);
}

/* Runs in the actor: have another root. */
static __s64 do_exchange_root(struct ns_actor *a, __u64 unused)
{
	if (do_mount_below(a, 1) || !exchange_root("/0"))
		return -errno;
	return 0;
}

TEST_F(empty, pivot_root_exchanges_what_is_mounted_on_it)
{
	struct view *v = self->v;
	struct ns_actor *b;
	__u64 bottom, first;

	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	bottom = v->mounts[0];
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	first = v->mounts[0];
	ASSERT_EQ(0, ns_call(self->a, do_exchange_root, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, v->nr);
	EXPECT_LT(first, v->mounts[0]);
	EXPECT_EQ(bottom, v->sm.mnt_parent_id);

	b = ns_actor_in(self->a, MNT_NS);
	ASSERT_EQ(0, ns_call(b, do_look, 0));
	EXPECT_EQ(v->mounts[0], view_of(b)->mounts[0]);
}

/* Runs in the actor. */
static __s64 do_mount_beneath(struct ns_actor *a, __u64 path)
{
	int mnt = new_mount("tmpfs"), ret;

	if (mnt < 0)
		return -EBADF;
	ret = attach(mnt, (char *)(uintptr_t)path, MOVE_MOUNT_BENEATH) ? -errno : 0;
	close(mnt);
	return ret;
}

/* Runs in the actor; the working directory stays. */
static __s64 do_chroot(struct ns_actor *a, __u64 path)
{
	return chroot((char *)(uintptr_t)path) ? -errno : 0;
}

TEST_F(empty, nothing_is_mounted_beneath)
{
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_mount_beneath, (uintptr_t)"/"));
	/* Nor between it and what is mounted on it, if that is not the caller's root. */
	ASSERT_EQ(0, ns_call(self->a, do_mount_tmpfs, 0));
	ASSERT_EQ(0, ns_call(self->a, do_mount_below, 1));
	ASSERT_EQ(0, ns_call(self->a, do_chroot, (uintptr_t)"/0"));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_mount_beneath, (uintptr_t)"."));
	EXPECT_EQ(2, mnt_ns_info(self->a->pid).nr_mounts);
}

/* What is run in the new tree. */
#define PROG_ENV "EMPTY_MNTNS_PROG"
#define PROG_EXIT 42

__attribute__((constructor)) static void prog(void)
{
	const char *path = getenv(PROG_ENV);

	if (path)
		_exit(access(path, F_OK) || !access("/tmp", F_OK) ? 1 : PROG_EXIT);
}

/* A program that needs no loader can be executed where there is none. */
static bool is_static(void)
{
	return !getauxval(AT_BASE);
}

/* Build a tree from what was taken along, and run a program there: how does it end? */
static __s64 build_tree(int proc, int self)
{
	char *const argv[] = { (char *)"prog", NULL };
	char *const envp[] = { (char *)PROG_ENV "=/proc/self/status", NULL };
	int status, fd, ret;
	pid_t pid;

	if (!is_empty())
		return -ENOTEMPTY;
	ret = attach_as_root(new_mount("tmpfs"));
	if (ret)
		return ret;
	fd = open("/prog", O_CREAT | O_WRONLY, 0);
	if (fd < 0 || close(fd) || mkdir("/proc", 0755))
		return -errno;
	if (attach(proc, "/proc", 0) || attach(self, "/prog", 0))
		return -errno;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		execve("/prog", argv, envp);
		_exit(2);
	}
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -ECHILD;
	return WEXITSTATUS(status);
}

/*
 * Runs in the actor: take a few things along into an empty namespace, by clone3() with
 * @flags or by unshare(). Returns how the program there ends.
 */
static __s64 do_build(struct ns_actor *a, __u64 flags)
{
	int proc, self, pidfd;
	char path[256] = {};
	siginfo_t info;
	pid_t pid;

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return -errno;
	proc = sys_open_tree(AT_FDCWD, "/proc", OPEN_TREE_CLONE |
			     OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	self = sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (proc < 0 || self < 0)
		return -errno;
	if (!flags)
		return unshare(UNSHARE_EMPTY_MNTNS) ? -errno : build_tree(proc, self);

	pid = ns_clone(flags, &pidfd);
	if (!pid)
		_exit(build_tree(proc, self) == PROG_EXIT ? PROG_EXIT : 3);
	if (pid < 0 || waitid(P_PIDFD, pidfd, &info, WEXITED))
		return -errno;
	return info.si_status;
}

/* Anything else, as root. */
FIXTURE(mntns) {
	struct ns_actor *a;
};

FIXTURE_SETUP(mntns)
{
	self->a = ns_actor();
	ASSERT_TRUE(!!self->a);
}

FIXTURE_TEARDOWN(mntns)
{
	ns_actors_kill();
}

TEST_F(mntns, tree_is_built_from_nothing_by_root)
{
	if (!is_static())
		SKIP(return, "not a static program: make USERLDFLAGS=-static");
	EXPECT_EQ(PROG_EXIT, ns_call(self->a, do_build, CLONE_EMPTY_MNTNS));
	EXPECT_EQ(PROG_EXIT, ns_call(self->a, do_build, 0));
}

TEST_F(mntns, tree_is_built_from_nothing_by_a_user)
{
	if (!is_static())
		SKIP(return, "not a static program: make USERLDFLAGS=-static");
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS | MNT_NS));
	EXPECT_EQ(PROG_EXIT, ns_call(self->a, do_build, CLONE_EMPTY_MNTNS));
	EXPECT_EQ(PROG_EXIT, ns_call(self->a, do_build, 0));
}

TEST_F(mntns, privilege_is_that_of_clone_newns)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_drop_cap, CAP_SYS_ADMIN));
	EXPECT_EQ(-EPERM, ns_call(self->a, do_try_clone3, MNT_NS));
	EXPECT_EQ(-EPERM, ns_call(self->a, do_try_clone3, CLONE_EMPTY_MNTNS));
	EXPECT_EQ(-EPERM, ns_call(self->a, do_try_unshare, UNSHARE_EMPTY_MNTNS));
	/* A new user namespace comes with all of them. */
	EXPECT_EQ(0, ns_call(self->a, do_try_clone3, CLONE_EMPTY_MNTNS | USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_try_unshare,
			     UNSHARE_EMPTY_MNTNS | USER_NS));
}

TEST_F(mntns, clone_fs_conflicts)
{
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_clone3, MNT_NS | CLONE_FS));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_clone3,
				   CLONE_EMPTY_MNTNS | CLONE_FS));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_clone3,
				   CLONE_EMPTY_MNTNS | MNT_NS | CLONE_FS));
	/* There it is the request not to share, which is implied. */
	EXPECT_EQ(0, ns_call(self->a, do_try_unshare,
			     UNSHARE_EMPTY_MNTNS | CLONE_FS));
}

TEST_F(mntns, all_namespaces_combine)
{
	for (int k = 0; k < ns_nr_kinds; k++) {
		EXPECT_EQ(0, ns_call(self->a, do_try_clone3, CLONE_EMPTY_MNTNS |
				     ns_kinds[k].type)) {
			TH_LOG("clone3, %s", ns_kinds[k].name);
		}
	}
	EXPECT_EQ(0, ns_call(self->a, do_try_clone3, CLONE_EMPTY_MNTNS | NS_ALL));
	EXPECT_EQ(0, ns_call(self->a, do_try_clone3, CLONE_EMPTY_MNTNS |
			     CLONE_PARENT_SETTID | CLONE_VFORK));
	for (int k = 0; k < ns_nr_kinds; k++) {
		struct ns_actor *a = ns_actor();

		EXPECT_EQ(0, ns_call(a, do_try_unshare, UNSHARE_EMPTY_MNTNS |
				     ns_kinds[k].type)) {
			TH_LOG("unshare, %s", ns_kinds[k].name);
		}
	}
	EXPECT_EQ(0, ns_call(self->a, do_try_unshare,
			     UNSHARE_EMPTY_MNTNS | (NS_ALL & ~ns_lacking)));
}

TEST_F(mntns, other_bits_remain_invalid)
{
	for (int bit = 34; bit < 64; bit++) {
		if (1ULL << bit == CLONE_EMPTY_MNTNS)
			continue;
		EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_clone3, 1ULL << bit)) {
			TH_LOG("bit %d", bit);
		}
		EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_clone3,
					   1ULL << bit | CLONE_EMPTY_MNTNS)) {
			TH_LOG("bit %d", bit);
		}
	}
	if (sizeof(long) == 8) {
		EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_unshare,
					   CLONE_EMPTY_MNTNS));
	}
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_try_unshare, CLONE_VFORK |
				   UNSHARE_EMPTY_MNTNS));
}

static int compare_mntns(void *id)
{
	return *(__u64 *)id != ns_id(0, "mnt");
}

TEST(bit_of_unshare_remains_parent_settid_to_clone)
{
	static char stack[65536];
	__u64 id = ns_id(0, "mnt");
	pid_t pid, tid = 0;
	int status;

	ASSERT_EQ(CLONE_PARENT_SETTID, UNSHARE_EMPTY_MNTNS);
	pid = clone(compare_mntns, stack + sizeof(stack) / 2,
		    CLONE_PARENT_SETTID | SIGCHLD, &id, &tid);
	ASSERT_LT(0, pid);
	EXPECT_EQ(pid, tid);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
}

/* Runs in the actor. */
static __s64 do_clone_into_cgroup(struct ns_actor *a, __u64 unused)
{
	__u64 args[11] = { [4] = SIGCHLD };
	int mnt = new_mount("cgroup2"), cgroup, pidfd = -1, status;
	char name[32];
	__s64 ret;
	pid_t pid;

	snprintf(name, sizeof(name), "empty_mntns_%d", (int)getpid());
	if (mnt < 0 || mkdirat(mnt, name, 0755))
		return -errno;
	cgroup = openat(mnt, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	args[0] = CLONE_EMPTY_MNTNS | CLONE_INTO_CGROUP | CLONE_PIDFD;
	args[1] = (uintptr_t)&pidfd;
	args[10] = cgroup;
	pid = cgroup < 0 ? -1 : syscall(__NR_clone3, args, sizeof(args));
	if (!pid)
		_exit(!is_empty());
	if (pid < 0)
		ret = -errno;
	else
		ret = waitpid(pid, &status, 0) != pid || status || pidfd < 0 ? -ECHILD : 0;
	/* Whatever happened: the hierarchy is that of the system. */
	return unlinkat(mnt, name, AT_REMOVEDIR) ? ret ?: -errno : ret;
}

TEST_F(mntns, clone_into_cgroup_combines)
{
	EXPECT_EQ(0, ns_call(self->a, do_clone_into_cgroup, 0));
}

enum { VFORK_EXITS, VFORK_EXECUTES, VFORK_IS_THREAD };

/*
 * Runs in the actor: what vfork() does, so that the child is in its memory and on its
 * stack until it executes a program or exits. Returns the number of what went wrong.
 */
static __s64 do_vfork(struct ns_actor *a, __u64 how)
{
	bool thread = how == VFORK_IS_THREAD;
	__u64 args[8] = {
		[0] = CLONE_EMPTY_MNTNS | CLONE_VFORK | CLONE_VM |
		      (thread ? CLONE_THREAD | CLONE_SIGHAND : 0),
		[4] = thread ? 0 : SIGCHLD,
	};
	char *const envp[] = { (char *)PROG_ENV "=/", NULL };
	int status, self = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	__u64 root = mount_of("/"), cwd = mount_of("."), ns = ns_id(0, "mnt");
	char **argv;
	pid_t pid;

	a->nr = -1;
	pid = syscall(__NR_clone3, args, sizeof(args));
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Leave alone what syscall() has on the stack to return by. */
		argv = alloca(1024 + how);
		argv[0] = (char *)"prog";
		argv[1] = NULL;
		a->nr = is_empty();
		if (how == VFORK_EXECUTES)
			fexecve(self, argv, envp);
		syscall(__NR_exit, how == VFORK_EXECUTES ? 1 : PROG_EXIT);
	}
	if (!thread && (waitpid(pid, &status, 0) != pid || status != W_EXITCODE(PROG_EXIT, 0)))
		return 1;
	if (a->nr != 1)
		return 2;
	close(self);
	return root && mount_of("/") == root && mount_of(".") == cwd &&
	       ns_id(0, "mnt") == ns ? 0 : 3;
}

TEST_F(mntns, vfork_and_threads_combine)
{
	EXPECT_EQ(0, ns_call(self->a, do_vfork, VFORK_EXITS));
	EXPECT_EQ(0, is_static() ? ns_call(self->a, do_vfork, VFORK_EXECUTES) : 0);
	EXPECT_EQ(0, ns_call(self->a, do_vfork, VFORK_IS_THREAD));
}

/* A child in an empty namespace that stays there until it is killed. */
static pid_t stay_empty(__u64 flags, int *pidfd)
{
	pid_t pid = ns_clone(CLONE_EMPTY_MNTNS | flags, pidfd);

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static int kill_child(pid_t pid)
{
	return kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid ? -errno : 0;
}

/* Runs in the actor: join the namespace of a child. */
static __s64 do_join_child(struct ns_actor *a, __u64 unused)
{
	int pidfd;
	pid_t pid = stay_empty(0, &pidfd);

	if (pid < 0 || setns(pidfd, CLONE_NEWNS) || kill_child(pid))
		return -errno;
	return !is_empty();
}

TEST_F(mntns, pidfd_of_clone3_leads_into_it)
{
	EXPECT_EQ(0, ns_call(self->a, do_join_child, 0));
}

static int write_sysctl(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -errno;
	return close(fd);
}

/* Runs in the actor. */
static __s64 do_limit(struct ns_actor *a, __u64 unused)
{
	if (write_sysctl("/proc/sys/user/max_mnt_namespaces", "0"))
		return -errno;
	if (do_try_clone3(a, CLONE_EMPTY_MNTNS) != -ENOSPC)
		return 1;
	if (do_try_unshare(a, UNSHARE_EMPTY_MNTNS) != -ENOSPC)
		return 2;
	if (write_sysctl("/proc/sys/user/max_mnt_namespaces", "1"))
		return -errno;
	/* The first one is gone when the second one is made, as is its count. */
	return do_try_clone3(a, CLONE_EMPTY_MNTNS) ||
	       do_try_unshare(a, UNSHARE_EMPTY_MNTNS) ? 3 : 0;
}

TEST_F(mntns, limit_on_mount_namespaces_applies)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_limit, 0));
}

/*
 * Runs in the actor: have unshare() fail after the mount namespace, and after
 * that be as before. Returns the number of what was not.
 */
static __s64 do_fail(struct ns_actor *a, __u64 flags)
{
	__u64 root, cwd, ns;

	if (write_sysctl("/proc/sys/user/max_ipc_namespaces", "0"))
		return -errno;
	if (chdir("/proc"))
		return -errno;
	root = mount_of("/");
	cwd = mount_of(".");
	ns = ns_id(0, "mnt");
	if (!root || !cwd || !ns || root == cwd)
		return -EINVAL;

	if (unshare(flags | IPC_NS) != -1 || errno != ENOSPC)
		return 1;
	if (mount_of("/") != root)
		return 2;
	if (mount_of(".") != cwd)
		return 3;
	if (ns_id(0, "mnt") != ns)
		return 4;
	if (access("/proc/self", F_OK) || access("self", F_OK))
		return 5;
	/* The root belongs to the namespace that the task is in. */
	if (sys_mount("x", "/tmp", "tmpfs", 0, NULL))
		return 6;
	if (do_try_clone3(a, CLONE_EMPTY_MNTNS | IPC_NS) != -ENOSPC)
		return 7;
	return mount_of("/") != root || mount_of(".") != cwd ? 8 : 0;
}

TEST_F(mntns, failing_unshare_changes_nothing)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS | MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_fail, MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_fail, UNSHARE_EMPTY_MNTNS));
}

/* Runs in the actor: have a process that shares root and cwd leave. */
static __s64 do_share_fs(struct ns_actor *a, __u64 flags)
{
	__u64 root, cwd, ns = ns_id(0, "mnt");
	int status;
	pid_t pid;

	if (chdir("/proc"))
		return -errno;
	root = mount_of("/");
	cwd = mount_of(".");
	pid = ns_clone(CLONE_FS, NULL);
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit(unshare(flags) || mount_of("/") == root ||
		      mount_of(".") == cwd);
	if (waitpid(pid, &status, 0) != pid || status)
		return -ECHILD;
	return root && mount_of("/") == root && mount_of(".") == cwd &&
	       ns_id(0, "mnt") == ns ? 0 : 1;
}

TEST_F(mntns, others_that_share_the_root_keep_it)
{
	EXPECT_EQ(0, ns_call(self->a, do_share_fs, UNSHARE_EMPTY_MNTNS));
	EXPECT_EQ(0, ns_call(self->a, do_share_fs, MNT_NS));
}

/* A root with a file in it that a mount hides, and who is to get at that. */
FIXTURE(hidden) {
	struct ns_actor *a;
};

FIXTURE_VARIANT(hidden) {
	struct attack {
		bool exchanged;	/* it became the root by pivot_root(), */
		bool left;	/* and ceases to be that in the same way */
		__u64 flags;	/* of the empty namespace, on top */
	} how;
};

FIXTURE_VARIANT_ADD(hidden, by_moved_root) {
};

FIXTURE_VARIANT_ADD(hidden, by_moved_root_from_nested_user_ns) {
	.how.flags = USER_NS,
};

FIXTURE_VARIANT_ADD(hidden, by_exchanged_root) {
	.how.exchanged = true,
};

FIXTURE_VARIANT_ADD(hidden, by_exchanged_root_from_nested_user_ns) {
	.how.exchanged = true,
	.how.flags = USER_NS,
};

FIXTURE_VARIANT_ADD(hidden, by_root_that_is_left) {
	.how.left = true,
};

FIXTURE_VARIANT_ADD(hidden, by_root_that_is_left_from_nested_user_ns) {
	.how.exchanged = true,
	.how.left = true,
	.how.flags = USER_NS,
};

/* Runs in the actor. */
static __s64 do_hide(struct ns_actor *a, __u64 exchange)
{
	int fd;

	if (!ns_own_tmp() ||
	    mkdir("/tmp/proc", 0755) || mkdir("/tmp/vault", 0755) ||
	    mkdir("/tmp/other", 0755) ||
	    sys_mount("/proc", "/tmp/proc", NULL, MS_BIND | MS_REC, NULL))
		return -errno;
	fd = open("/tmp/vault/secret", O_CREAT | O_WRONLY, 0644);
	if (fd < 0 || close(fd) ||
	    sys_mount("x", "/tmp/vault", "tmpfs", 0, NULL))
		return -errno;
	if (exchange)
		return exchange_root("/tmp") ? 0 : -errno;
	if (chdir("/tmp") || sys_mount(".", "/", NULL, MS_MOVE, NULL) ||
	    chroot("."))
		return -errno;
	return 0;
}

FIXTURE_SETUP(hidden)
{
	self->a = ns_actor();
	ASSERT_TRUE(!!self->a);
	ASSERT_EQ(0, ns_call(self->a, do_hide, variant->how.exchanged));
}

FIXTURE_TEARDOWN(hidden)
{
	ns_actors_kill();
}

#define SECRET "/vault/secret"

static bool is_hidden(void)
{
	return access(SECRET, F_OK) == -1 && errno == ENOENT;
}

/*
 * Runs in the actor, which may do so: have the namespace begin with a copy of the
 * root. Returns whether the secret is hidden there.
 */
static __s64 do_copy_root(struct ns_actor *a, __u64 unused)
{
	int copy = sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (!is_hidden())
		return -EEXIST;
	if (copy < 0 || unshare(UNSHARE_EMPTY_MNTNS) || attach_as_root(copy))
		return -errno;
	return is_hidden();
}

/* What the other tests are to find is there to be found. */
TEST_F(hidden, naive_copy_of_the_root_uncovers)
{
	EXPECT_EQ(false, ns_call(self->a, do_copy_root, 0));
}

/*
 * Go for the secret where it is covered, with what is from an empty namespace, if
 * anything. Returns the number of what should not have worked.
 */
static int attack_cover(int bottom)
{
	int mnt = new_mount("tmpfs");

	/* There is something to hide, and it is where an attack would find it. */
	if (mnt < 0 || !is_hidden() || access("/vault", F_OK))
		return 1;
	if (sys_umount2("/vault", MNT_DETACH) != -1 || errno != EINVAL)
		return 2;
	if (sys_mount("/", "/other", NULL, MS_BIND, NULL) != -1 || errno != EINVAL)
		return 3;
	if (sys_open_tree(AT_FDCWD, "/", OPEN_TREE_CLONE) != -1 || errno != EINVAL)
		return 4;
	if (attach(mnt, "/vault", MOVE_MOUNT_BENEATH) != -1 || errno != EINVAL)
		return 5;
	close(mnt);
	if (bottom >= 0 && attach(bottom, "/other", 0) != -1)
		return 6;
	return 0;
}

/* The same in an empty namespace, with @root, which is from where it is covered. */
static int attack_empty(int root)
{
	struct view v = {};

	if (!is_hidden() || !is_empty() || !look_into("/", &v) || v.nr_entries)
		return 11;
	if (sys_open_tree(root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) != -1)
		return 12;
	if (sys_open_tree(root, "", OPEN_TREE_CLONE | AT_EMPTY_PATH |
			  AT_RECURSIVE) != -1)
		return 13;
	if (attach(root, "/", 0) != -1)
		return 14;
	if (faccessat(root, "vault/secret", F_OK, 0) != -1)
		return 15;
	return 0;
}

/* Have another root, and nothing mounted from where the secret is covered. */
static bool leave_root(void)
{
	return !sys_mount("x", "/other", "tmpfs", 0, NULL) && exchange_root("/other");
}

/* Runs in the actor, which is a user: returns the number of what worked. */
static __s64 do_uncover(struct ns_actor *a, __u64 arg)
{
	const struct attack *how = (void *)(uintptr_t)arg;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ns = ns_open(0, "mnt"), ret;

	if (root < 0 || ns < 0)
		return -errno;
	ret = attack_cover(-1);
	if (ret)
		return ret;
	if (how->left && !leave_root())
		return -errno;

	if (unshare(UNSHARE_EMPTY_MNTNS | how->flags))
		return -errno;
	ret = attack_empty(root);
	if (ret)
		return ret;
	if (do_mount_tmpfs(a, 0) || !is_hidden())
		return 21;
	if (sys_umount2("/", MNT_DETACH) || !is_hidden())
		return 22;
	/* A user namespace further down has no way back. */
	if (how->flags & USER_NS)
		return setns(ns, CLONE_NEWNS) != -1 || errno != EPERM ? 23 : 0;
	if (setns(ns, CLONE_NEWNS) || !is_hidden())
		return 24;
	return unshare(UNSHARE_EMPTY_MNTNS) ? -errno : attack_empty(root);
}

TEST_F(hidden, empty_namespace_does_not_uncover)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS | MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_uncover, (uintptr_t)&variant->how));
}

/* Runs in the actor, which is a user: returns the number of what worked. */
static __s64 do_shuttle(struct ns_actor *a, __u64 arg)
{
	const struct attack *how = (void *)(uintptr_t)arg;
	int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int ns = ns_open(0, "mnt"), pidfd, bottom = -1, ret = 0;
	pid_t pid = stay_empty(how->flags, &pidfd);

	if (root < 0 || ns < 0 || pid < 0)
		return -errno;
	for (int i = 0; !ret && i < 3; i++) {
		ret = attack_cover(bottom);
		/* Once, it has another root to come back to. */
		if (!ret && i == 2 && how->left && !leave_root())
			return -errno;
		if (setns(pidfd, CLONE_NEWNS))
			return -errno;
		ret = ret ?: attack_empty(root);
		close(bottom);
		bottom = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (bottom < 0 || setns(ns, CLONE_NEWNS))
			return -errno;
		if (!is_hidden())
			ret = ret ?: 31;
	}
	return ret ?: kill_child(pid);
}

TEST_F(hidden, going_to_and_fro_does_not_uncover)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS | MNT_NS));
	EXPECT_EQ(0, ns_call(self->a, do_shuttle, (uintptr_t)&variant->how));
}

/* All mounts that a task sees, and all there is to know of them. */
static struct mounts {
	ssize_t nr, len;
	__u64 ids[1024];
	char info[1 << 17];
} mounts_before, mounts_after;

static bool list_mounts(struct mounts *m)
{
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t ret;

	memset(m, 0, sizeof(*m));
	m->nr = listmount(LSMT_ROOT, 0, 0, (uint64_t *)m->ids, 1024, 0);
	while ((ret = read(fd, m->info + m->len, sizeof(m->info) - m->len)) > 0)
		m->len += ret;
	close(fd);
	return m->nr > 0 && m->nr < 1024 && m->len < (ssize_t)sizeof(m->info) && !ret;
}

#define NR_MANY 300

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_mount_many(struct ns_actor *a, __u64 unused)
{
	static const unsigned int kinds[] = {
		MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE,
	};
	char path[16];

	if (!ns_own_tmp() || mkdir("/tmp/x", 0755) ||
	    sys_mount("x", "/tmp/x", "tmpfs", 0, NULL) ||
	    sys_mount(NULL, "/tmp/x", NULL, MS_SHARED, NULL))
		return -errno;
	for (int i = 0; i < NR_MANY; i++) {
		snprintf(path, sizeof(path), "/tmp/%d", i);
		if (mkdir(path, 0755) || sys_mount("/tmp/x", path, NULL, MS_BIND, NULL) ||
		    sys_mount(NULL, path, NULL, kinds[i % 4], NULL))
			return -errno;
	}
	/* So can the root be. */
	for (int i = 0; i < 4; i++) {
		if (sys_mount(NULL, "/", NULL, kinds[i], NULL) || !list_mounts(&mounts_before))
			return -errno;
		if (mounts_before.nr < NR_MANY)
			return 1;
		if (try_child(CLONE_EMPTY_MNTNS, 0))
			return 2;
		if (try_child(0, UNSHARE_EMPTY_MNTNS))
			return 3;
		if (!list_mounts(&mounts_after))
			return -errno;
		if (memcmp(&mounts_before, &mounts_after, sizeof(mounts_before)))
			return 4;
	}
	return 0;
}

TEST_F(mntns, many_mounts_of_all_kinds_stay_behind_as_they_are)
{
	EXPECT_EQ(0, ns_call(self->a, do_mount_many, 0));
}

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_leave_behind(struct ns_actor *a, __u64 unused)
{
	int to[2], from[2];
	pid_t pid, other;
	char c = 0;

	if (!ns_own_tmp() || pipe(to) || pipe(from))
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (chdir("/tmp") || write(from[1], &c, 1) != 1 || read(to[0], &c, 1) != 1 ||
		    unshare(UNSHARE_EMPTY_MNTNS) || write(from[1], &c, 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(from[1]);
	if (read(from[0], &c, 1) != 1)
		return -ECHILD;
	if (sys_umount2("/tmp", MNT_EXPIRE) != -1 || errno != EBUSY)
		return 1;
	if (write(to[1], &c, 1) != 1 || read(from[0], &c, 1) != 1)
		return -ECHILD;

	/* A mount that is accessed between the two calls does not expire. */
	if (sys_umount2("/tmp", MNT_EXPIRE) != -1 || errno != EAGAIN)
		return 2;
	if (access("/tmp", F_OK))
		return -errno;
	if (sys_umount2("/tmp", MNT_EXPIRE) != -1 || errno != EAGAIN)
		return 3;
	/* This is no access. */
	other = stay_empty(0, NULL);
	if (other < 0 || sys_umount2("/tmp", MNT_EXPIRE))
		return 4;
	return kill_child(pid) ?: kill_child(other);
}

TEST_F(mntns, mounts_left_behind_are_not_busy_and_expire)
{
	EXPECT_EQ(0, ns_call(self->a, do_leave_behind, 0));
}

/* A reader of the root whose memory is not there until somebody provides it. */
static struct {
	int root, uffd;
	size_t size;		/* of a page */
	char *page, *stack;
	pid_t pid;
	long ret;
} reader;

static int read_root(void *unused)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	reader.ret = syscall(__NR_getdents64, reader.root, reader.page, reader.size);
	return 0;
}

/*
 * Runs in the actor: when this returns, the reader waits for the page. Returns 1 if
 * there is no way to make it wait.
 */
static __s64 do_read_slowly(struct ns_actor *a, __u64 unused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	struct uffd_msg msg;
	const size_t stack = 1 << 16;

	reader.size = sysconf(_SC_PAGESIZE);
	reader.root = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	reader.uffd = syscall(__NR_userfaultfd, O_CLOEXEC);
	reader.page = mmap(NULL, reader.size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reader.stack = mmap(NULL, stack, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (reader.uffd < 0)
		return 1;
	if (reader.root < 0 || reader.page == MAP_FAILED ||
	    reader.stack == MAP_FAILED || ioctl(reader.uffd, UFFDIO_API, &api))
		return -errno;
	area.range.start = (uintptr_t)reader.page;
	area.range.len = reader.size;
	if (ioctl(reader.uffd, UFFDIO_REGISTER, &area))
		return -errno;
	reader.pid = clone(read_root, reader.stack + stack, CLONE_VM | CLONE_FILES | SIGCHLD,
			   NULL);
	if (reader.pid < 0 || read(reader.uffd, &msg, sizeof(msg)) != sizeof(msg))
		return -errno;
	return msg.event == UFFD_EVENT_PAGEFAULT ? 0 : -EBADMSG;
}

/* Runs in the actor: returns what the reader got. */
static __s64 do_end_reading(struct ns_actor *a, __u64 unused)
{
	struct uffdio_zeropage zero = {
		.range = { .start = (uintptr_t)reader.page, .len = reader.size },
	};
	int status;

	if (ioctl(reader.uffd, UFFDIO_ZEROPAGE, &zero) ||
	    waitpid(reader.pid, &status, 0) != reader.pid || status)
		return -errno;
	return reader.ret;
}

/*
 * Runs in an actor that has the same root: everything that needs the lock of the
 * directory. Returns the number of what went wrong.
 */
static __s64 do_not_wait(struct ns_actor *a, __u64 unused)
{
	struct view v = {};

	if (!mkdir("/x", 0777) || open("/x", O_CREAT | O_RDWR, 0666) >= 0)
		return 1;
	if (access("/x", F_OK) != -1 || errno != ENOENT)
		return 2;
	if (!look_into("/", &v) || v.nr_dots != 2)
		return 3;
	if (!chmod("/", 0777) || !setxattr("/", "user.x", "x", 1, 0))
		return 4;
	return do_mount_tmpfs(a, 0);
}

/* ns_do_unshare() needs a /proc. */
static __s64 do_copy_mntns(struct ns_actor *a, __u64 unused)
{
	return unshare(CLONE_NEWNS) ? -errno : 0;
}

/* How long nobody waits, in milliseconds, unless something is wrong. */
#define LONG_ENOUGH 20000

TEST_F(mntns, slow_reader_of_the_root_holds_up_nobody)
{
	struct pollfd done = { .events = POLLIN };
	struct ns_actor *b[2];
	bool waits = false;
	__s64 ret;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, UNSHARE_EMPTY_MNTNS));
	/* One in a copy of the namespace, the other one in the namespace. */
	for (int i = 0; i < 2; i++) {
		b[i] = ns_actor_in(self->a, MNT_NS);
		ASSERT_TRUE(!!b[i]);
	}
	ASSERT_EQ(0, ns_call(b[0], do_copy_mntns, 0));
	ret = ns_call(self->a, do_read_slowly, 0);
	if (ret == 1)
		SKIP(return, "no userfaultfd: needs CONFIG_USERFAULTFD");
	ASSERT_EQ(0, ret);

	for (int i = 0; i < 2; i++) {
		ASSERT_TRUE(ns_start(b[i], do_not_wait, 0));
		done.fd = b[i]->test_end;
		waits |= poll(&done, 1, waits ? 0 : LONG_ENOUGH) != 1;
	}
	EXPECT_FALSE(waits);
	EXPECT_LT(0, ns_call(self->a, do_end_reading, 0));
	for (int i = 0; i < 2; i++)
		EXPECT_EQ(0, ns_finish(b[i]));
}

/* Runs in the actor: a file system of which @lower is a part, or an error. */
static int new_overlay(int lower)
{
	int fs = sys_fsopen("overlay", FSOPEN_CLOEXEC), mnt = -1;

	if (fs >= 0 && !sys_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, lower) &&
	    !sys_fsconfig(fs, FSCONFIG_SET_STRING, "upperdir", "/upper", 0) &&
	    !sys_fsconfig(fs, FSCONFIG_SET_STRING, "workdir", "/work", 0) &&
	    !sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mnt = sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		mnt = -errno;
	close(fs);
	return mnt;
}

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_overlay(struct ns_actor *a, __u64 unused)
{
	int root, lower, mnt;

	if (unshare(UNSHARE_EMPTY_MNTNS))
		return -errno;
	root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 || do_mount_tmpfs(a, 0) || mkdir("/upper", 0755) ||
	    mkdir("/work", 0755) || mkdir("/lower", 0755))
		return 1;
	lower = open("/lower", O_PATH | O_DIRECTORY | O_CLOEXEC);
	mnt = new_overlay(lower);
	if (mnt < 0)
		return mnt;
	close(mnt);
	return new_overlay(root) == -EINVAL ? 0 : 2;
}

TEST_F(mntns, nullfs_is_no_layer_of_overlayfs)
{
	__s64 ret = ns_call(self->a, do_overlay, 0);

	if (ret == -ENODEV)
		SKIP(return, "no overlayfs: needs CONFIG_OVERLAY_FS");
	EXPECT_EQ(0, ret);
}

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_watch_in_vain(struct ns_actor *a, __u64 unused)
{
	int fd = inotify_init1(IN_CLOEXEC), limit;

	limit = open("/proc/sys/user/max_inotify_watches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || limit < 0 || write(limit, "4\n", 2) != 2 || close(limit) ||
	    unshare(UNSHARE_EMPTY_MNTNS))
		return -errno;
	for (int i = 0; i < 8; i++)
		if (inotify_add_watch(fd, "/", IN_OPEN) != -1 || errno != EINVAL)
			return 1;
	if (do_mount_tmpfs(a, 0))
		return 2;
	return inotify_add_watch(fd, "/", IN_OPEN) < 0 ? -errno : 0;
}

TEST_F(mntns, watch_that_is_refused_does_not_count)
{
	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, USER_NS));
	EXPECT_EQ(0, ns_call(self->a, do_watch_in_vain, 0));
}

/* A child that autofs does not take for its daemon. */
static pid_t fork_stranger(int *pidfd)
{
	pid_t pid = ns_clone(0, pidfd);

	if (!pid && (prctl(PR_SET_PDEATHSIG, SIGKILL) || setpgid(0, 0)))
		_exit(2);
	return pid;
}

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_automount(struct ns_actor *a, __u64 unused)
{
	union autofs_v5_packet_union packet;
	struct pollfd first[2] = {};
	int ends[2], root, status;
	char options[80];
	pid_t pid;

	if (!ns_own_tmp() || pipe2(ends, O_CLOEXEC))
		return -EBADF;
	snprintf(options, sizeof(options), "fd=%d,pgrp=%d,minproto=5,maxproto=5,direct",
		 ends[1], (int)getpgrp());
	if (sys_mount("x", "/tmp", "autofs", 0, options))
		return -errno;
	root = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;

	/* Who looks into it has the daemon asked, and refused. */
	pid = fork_stranger(NULL);
	if (!pid)
		_exit(access("/tmp/x", F_OK) != -1 || errno != ENOENT);
	if (pid < 0 || read(ends[0], &packet, sizeof(packet)) <= 0)
		return -errno;
	if (packet.hdr.type != autofs_ptype_missing_direct ||
	    ioctl(root, AUTOFS_IOC_FAIL, packet.v5_packet.wait_queue_token))
		return 1;
	if (waitpid(pid, &status, 0) != pid || status)
		return 2;

	/* Who leaves does not. */
	pid = fork_stranger(&first[0].fd);
	if (!pid)
		_exit(try_child(CLONE_EMPTY_MNTNS, 0) || try_child(0, UNSHARE_EMPTY_MNTNS));
	first[1].fd = ends[0];
	first[0].events = POLLIN;
	first[1].events = POLLIN;
	if (pid < 0 || poll(first, 2, -1) < 0)
		return -errno;
	if (first[1].revents)
		return 3;
	return waitpid(pid, &status, 0) != pid || status ? 4 : 0;
}

TEST_F(mntns, automounts_are_not_triggered)
{
	__s64 ret = ns_call(self->a, do_automount, 0);

	if (ret == -ENODEV)
		SKIP(return, "no autofs: needs CONFIG_AUTOFS_FS");
	EXPECT_EQ(0, ret);
}

/* Runs in the actor: have two roots to choose from, by id. */
static __s64 do_prepare_churn(struct ns_actor *a, __u64 unused)
{
	if (!ns_own_tmp() || mkdir("/tmp/old", 0755) || mkdir("/tmp/x", 0755))
		return -errno;
	a->ids[0] = mount_of("/");
	a->ids[1] = mount_of("/tmp");
	return a->ids[0] && a->ids[1] ? 0 : -EINVAL;
}

/* Runs in the actor: have everything change that can, until told to stop. */
static __s64 do_churn(struct ns_actor *a, __u64 unused)
{
	__s64 ret = 0;

	if (!list_mounts(&mounts_before))
		return -errno;
	while (!ret && !__atomic_load_n(&a->stop, __ATOMIC_SEQ_CST)) {
		if (sys_mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) ||
		    sys_mount("x", "/tmp/x", "tmpfs", 0, NULL) ||
		    sys_umount2("/tmp/x", MNT_DETACH) ||
		    sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		    sys_pivot_root("/tmp", "/tmp/old") || sys_pivot_root("/old", "/old/tmp"))
			ret = -errno;
		__atomic_fetch_add(&a->turn, 1, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&a->stop, true, __ATOMIC_SEQ_CST);
	if (ret || !list_mounts(&mounts_after))
		return ret ?: -errno;
	return memcmp(&mounts_before, &mounts_after, sizeof(mounts_before)) ? 1 : 0;
}

#define NR_ROUNDS 30

/* Runs in another one: returns the number of what went wrong. */
static __s64 do_beside_churn(struct ns_actor *a, __u64 arg)
{
	struct ns_actor *churn = (void *)(uintptr_t)arg;
	__u64 root;

	for (unsigned int round = 0; round < NR_ROUNDS ||
	     __atomic_load_n(&churn->turn, __ATOMIC_SEQ_CST) < NR_ROUNDS; round++) {
		if (__atomic_load_n(&churn->stop, __ATOMIC_SEQ_CST))
			return 1;
		if (try_child(CLONE_EMPTY_MNTNS, 0))
			return 2;
		if (try_child(0, UNSHARE_EMPTY_MNTNS))
			return 3;
		if (try_child(0, MNT_NS) != 1)
			return 4;
		if (setns(a->pidfd, CLONE_NEWNS))
			return -errno;
		root = mount_of("/");
		if (root != churn->ids[0] && root != churn->ids[1])
			return 5;
	}
	__atomic_store_n(&churn->stop, true, __ATOMIC_SEQ_CST);
	return 0;
}

TEST_F(mntns, is_empty_whatever_changes_in_the_source_meanwhile)
{
	struct ns_actor *b;

	ASSERT_EQ(0, ns_call(self->a, do_prepare_churn, 0));
	b = ns_actor_in(self->a, MNT_NS);
	ASSERT_TRUE(!!b);
	ASSERT_TRUE(ns_start(self->a, do_churn, 0));
	EXPECT_EQ(0, ns_call(b, do_beside_churn, (uintptr_t)self->a));
	__atomic_store_n(&self->a->stop, true, __ATOMIC_SEQ_CST);
	EXPECT_EQ(0, ns_finish(self->a));
}

/* Runs in the actor: all mounts are shared, and get one more. */
static __s64 do_propagate(struct ns_actor *a, __u64 unused)
{
	struct view v = {};
	int to[2], from[2], status;
	char c = 0;
	pid_t pid;

	if (pipe(to) || pipe(from))
		return -errno;
	/* Not with the mounts that they are copies of. */
	if (unshare(CLONE_NEWNS) ||
	    sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    sys_mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL))
		return -errno;
	pid = ns_clone(CLONE_EMPTY_MNTNS, NULL);
	if (pid < 0)
		return -errno;
	if (!pid) {
		/* Before, ... */
		if (!look_at_mounts(0, &v) || v.nr != 1 || v.sm.mnt_peer_group ||
		    write(from[1], &c, 1) != 1)
			_exit(1);
		/* ... and after. */
		if (read(to[0], &c, 1) != 1 || !look_at_mounts(0, &v))
			_exit(2);
		_exit(v.nr == 1 && v.sm.mnt_propagation == MS_PRIVATE ? 0 : 3);
	}
	if (read(from[0], &c, 1) != 1 ||
	    sys_mount("x", "/tmp", "tmpfs", 0, NULL) || write(to[1], &c, 1) != 1)
		return -errno;
	if (waitpid(pid, &status, 0) != pid)
		return -errno;
	return WEXITSTATUS(status);
}

TEST_F(mntns, nothing_propagates_into_it)
{
	EXPECT_EQ(0, ns_call(self->a, do_propagate, 0));
}

static bool statmount_initial(__u64 id, struct view *v)
{
	return !statmount(id, MNT_NS_INIT_ID, STATMOUNT_MASK, &v->sm,
			  sizeof(v->sm_buf), 0);
}

TEST(initial_namespace_has_rootfs_on_nullfs)
{
	int ns = ns_open_handle(MNT_NS_INIT_ID, 0, 0);
	struct view v = {};
	__u64 id;

	ASSERT_TRUE(statmount_initial(NULLFS_MNT_ID, &v));
	EXPECT_STREQ("nullfs", v.sm.str + v.sm.fs_type);
	EXPECT_EQ(1, v.sm.mnt_id_old);
	EXPECT_EQ(NULLFS_MNT_ID, v.sm.mnt_parent_id);
	EXPECT_EQ(1, v.sm.mnt_parent_id_old);

	/* Unless a root was put in its place by pivot_root(), and it was unmounted. */
	if (statmount_initial(ROOTFS_MNT_ID, &v)) {
		EXPECT_STREQ("rootfs", v.sm.str + v.sm.fs_type);
		EXPECT_EQ(2, v.sm.mnt_id_old);
	} else {
		EXPECT_EQ(ENOENT, errno);
		TH_LOG("the rootfs is gone");
	}
	/* What is at the top is mounted on nullfs, or on what covers it. */
	ASSERT_EQ(0, setns(ns, CLONE_NEWNS));
	id = mount_of("/");
	do {
		ASSERT_TRUE(statmount_initial(id, &v));
		if (!strcmp(v.sm.str + v.sm.fs_type, "rootfs"))
			EXPECT_EQ(ROOTFS_MNT_ID, id);
		ASSERT_NE(id, v.sm.mnt_parent_id);
		id = v.sm.mnt_parent_id;
	} while (id != NULLFS_MNT_ID);
	EXPECT_EQ(1, v.sm.mnt_parent_id_old);
	/* Nullfs is below the root of everyone. */
	v.nr = listmount(LSMT_ROOT, MNT_NS_INIT_ID, 0, (uint64_t *)v.mounts, 4, 0);
	ASSERT_LT(0, v.nr);
	EXPECT_FALSE(ns_in(v.mounts, v.nr, NULLFS_MNT_ID));
}

/* Is the caller's root the rootfs that the initramfs was unpacked to? */
static bool is_initramfs(void)
{
	struct view v = {};

	return look_at_mounts(0, &v) &&
	       !strcmp(v.sm.str + v.sm.fs_type, "rootfs");
}

/*
 * It can be unmounted by nobody, like the root of every other one. Where the test
 * has another root, that would work, and be the end of the system.
 */
TEST(root_of_the_initial_namespace_stays)
{
	if (ns_id(0, "mnt") != MNT_NS_INIT_ID || mount_of("/") != ROOTFS_MNT_ID)
		SKIP(return, "not run in the initramfs of the initial namespace");
	EXPECT_EQ(-EINVAL, do_umount(NULL, (uintptr_t)"/"));
	EXPECT_EQ(-1, sys_umount2("/", MNT_EXPIRE));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_mount("/", "/tmp", NULL, MS_MOVE, NULL));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, sys_move_mount(AT_FDCWD, "/", AT_FDCWD, "/tmp", 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(ROOTFS_MNT_ID, mount_of("/"));
}

/* Runs in the actor: returns the number of what went wrong in a copy. */
static int look_at_copy(__u64 root)
{
	struct view v = {};

	/* There is no nullfs in it, whatever it is a copy of. */
	if (unshare(CLONE_NEWNS) || !look_at_mounts(0, &v))
		return 1;
	if (v.sm.mnt_id <= root || v.sm.mnt_parent_id != v.sm.mnt_id)
		return 2;
	if (strcmp(v.sm.str + v.sm.fs_type, "tmpfs"))
		return 3;
	return do_mount_beneath(NULL, (uintptr_t)"/sub") ? 4 : 0;
}

/*
 * Runs in the actor: exchange the root of the initial mount namespace, and back.
 * Returns the number of what went wrong.
 */
static __s64 do_pivot_initial(struct ns_actor *a, __u64 unused)
{
	struct view v = {};
	__u64 new;
	__s64 ret = 0;
	int status;
	pid_t pid;

	if (sys_mount("x", "/tmp", "tmpfs", 0, NULL) || mkdir("/tmp/old", 0755) ||
	    mkdir("/tmp/sub", 0755) || sys_mount("x", "/tmp/sub", "tmpfs", 0, NULL))
		return -errno;
	new = mount_of("/tmp");
	if (sys_pivot_root("/tmp", "/tmp/old"))
		return -errno;

	/* Nobody has another root while this goes on. */
	if (mount_of("/") != new || mount_of("/old") != ROOTFS_MNT_ID)
		ret = 11;
	else if (!statmount_initial(new, &v) || v.sm.mnt_parent_id != NULLFS_MNT_ID)
		ret = 12;
	else if (do_umount(NULL, (uintptr_t)"/") != -EINVAL)
		ret = 13;
	pid = fork();
	if (!pid)
		_exit(look_at_copy(new));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		ret = 14;
	else if (status)
		ret = 20 + WEXITSTATUS(status);

	if (sys_pivot_root("/old", "/old/tmp") || mount_of("/") != ROOTFS_MNT_ID)
		return 15;
	return ret ?: sys_umount2("/tmp", MNT_DETACH) ? 16 : 0;
}

TEST_F(mntns, pivot_root_works_in_the_initial_namespace)
{
	if (ns_id(0, "mnt") != MNT_NS_INIT_ID || mount_of("/") != ROOTFS_MNT_ID)
		SKIP(return, "not run in the initramfs of the initial namespace");
	EXPECT_EQ(0, ns_call(self->a, do_pivot_initial, 0));
}

/* Runs in the actor. */
static __s64 do_own_tmp(struct ns_actor *a, __u64 unused)
{
	return ns_own_tmp() ? 0 : -errno;
}

TEST_F(mntns, nothing_is_mounted_beneath_the_root_of_others)
{
	if (!is_initramfs())
		SKIP(return, "the root is not that of an initramfs");
	ASSERT_EQ(0, ns_call(self->a, do_own_tmp, 0));
	EXPECT_EQ(0, ns_call(self->a, do_mount_beneath, (uintptr_t)"/proc"));
	ASSERT_EQ(0, ns_call(self->a, do_chroot, (uintptr_t)"/tmp"));
	EXPECT_EQ(-EINVAL, ns_call(self->a, do_mount_beneath, (uintptr_t)"."));
}

/* Runs in the actor: returns the number of what went wrong. */
static __s64 do_pivot(struct ns_actor *a, __u64 unused)
{
	int ns, outside = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct view v = {};
	__u64 root, new;

	if (outside < 0 || unshare(CLONE_NEWNS) ||
	    sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || !look_at_mounts(0, &v))
		return -errno;
	root = v.mounts[0];
	ns = ns_open(0, "mnt");
	if (ns < 0)
		return -errno;
	/* What could never be done to it still cannot be. */
	if (sys_umount2("/", MNT_DETACH) != -1 || errno != EINVAL)
		return 1;
	if (sys_mount("/", "/tmp", NULL, MS_MOVE, NULL) != -1 || errno != EINVAL)
		return 2;

	if (sys_mount("x", "/tmp", "tmpfs", 0, NULL) || chdir("/tmp"))
		return -errno;
	new = mount_of("/tmp");
	if (sys_pivot_root(".", "."))
		return -errno;
	/* The old root is on top of the new one, and can be got rid of. */
	if (mount_of("/") != new || sys_umount2(".", MNT_DETACH))
		return 3;
	if (!look_at_mounts(0, &v) || !look_into("/", &v))
		return -errno;
	if (v.nr != 1 || v.mounts[0] != new || new == root || v.nr_entries)
		return 4;
	/* What is the root now is no more to be moved than the last one was. */
	if (sys_umount2("/", MNT_DETACH) != -1 || errno != EINVAL)
		return 5;
	/* It is where setns() leads to, and what a copy begins with. */
	if (fchdir(outside) || setns(ns, CLONE_NEWNS) || mount_of("/") != new)
		return 6;
	if (unshare(CLONE_NEWNS) || !look_at_mounts(0, &v) || v.nr != 1 ||
	    v.mounts[0] == new)
		return 7;
	/* To unmount it is to make it read-only. */
	if (mkdir("/x", 0755) || sys_umount2("/", 0) || mkdir("/y", 0755) != -1 ||
	    errno != EROFS)
		return 8;
	return 0;
}

TEST_F(mntns, pivot_root_works_in_an_initramfs)
{
	if (!is_initramfs())
		SKIP(return, "the root is not that of an initramfs");
	EXPECT_EQ(0, ns_call(self->a, do_pivot, 0));
}

/*
 * Runs in the actor: exchange a root that is shared and has no parent. Returns the
 * number of what went wrong.
 */
static __s64 do_pivot_shared(struct ns_actor *a, __u64 unused)
{
	struct view v = {};
	__u64 root, new;
	int status;
	pid_t pid;

	if (!ns_own_tmp() || mkdir("/tmp/new", 0755) ||
	    sys_mount("x", "/tmp/new", "tmpfs", 0, NULL) || mkdir("/tmp/new/old", 0755) ||
	    sys_mount(NULL, "/", NULL, MS_SHARED, NULL) || !look_at_mounts(0, &v))
		return -errno;
	root = v.sm.mnt_id;
	new = mount_of("/tmp/new");
	if (mount_of("/") != root || v.sm.mnt_parent_id != root ||
	    v.sm.mnt_propagation != MS_SHARED)
		return 1;

	/* With a root that has a parent, it is that which must not be shared. */
	pid = fork();
	if (!pid)
		_exit(unshare(CLONE_NEWNS) || chdir("/tmp") || chroot("new") ||
		      sys_mount("x", "/old", "tmpfs", 0, NULL) || mkdir("/old/old", 0755) ||
		      sys_mount(NULL, ".", NULL, MS_SHARED, NULL) ||
		      sys_pivot_root("/old", "/old/old") != -1 || errno != EINVAL ||
		      sys_mount(NULL, ".", NULL, MS_PRIVATE, NULL) ||
		      sys_pivot_root("/old", "/old/old"));
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		return 2;

	if (sys_pivot_root("/tmp/new", "/tmp/new/old"))
		return -errno;
	if (mount_of("/") != new || mount_of("/old") != root)
		return 3;
	return chdir("/") || sys_umount2("/old", MNT_DETACH) ? -errno : 0;
}

TEST_F(mntns, pivot_root_works_on_a_shared_root_and_setns_follows)
{
	struct view *v = view_of(self->a);
	struct ns_actor *b;

	if (!is_initramfs())
		SKIP(return, "the root is not that of an initramfs");
	ASSERT_EQ(0, ns_call(self->a, do_pivot_shared, 0));
	ASSERT_EQ(0, ns_call(self->a, do_look, 0));
	EXPECT_EQ(1, v->nr);
	EXPECT_EQ(v->mounts[0], v->sm.mnt_parent_id);
	EXPECT_EQ(TMPFS_MAGIC, v->statfs.f_type);

	b = ns_actor_in(self->a, MNT_NS);
	ASSERT_EQ(0, ns_call(b, do_look, 0));
	EXPECT_EQ(v->mounts[0], view_of(b)->mounts[0]);
	EXPECT_EQ(v->root.st_dev, view_of(b)->root.st_dev);
}

/* Runs in the actor: the number of the mount that its root is on. */
static __s64 do_root(struct ns_actor *a, __u64 unused)
{
	return mount_of("/");
}

/* Wait for the actor to get going, unless it has failed or died. */
static bool await_turn(struct ns_actor *a)
{
	struct pollfd done = { .fd = a->test_end, .events = POLLIN };

	while (!__atomic_load_n(&a->turn, __ATOMIC_ACQUIRE)) {
		if (poll(&done, 1, 0))
			return false;
		sched_yield();
	}
	return true;
}

/*
 * Runs in the actor: follow process @pid into its next mount namespace, as soon as that
 * shows, and exchange the root there. Returns the new one.
 */
static __s64 do_follow_and_pivot(struct ns_actor *a, __u64 pid)
{
	__u64 before = ns_id(pid, "mnt");
	int fd;

	__atomic_store_n(&a->turn, 1, __ATOMIC_RELEASE);
	for (;;) {
		fd = ns_open(pid, "mnt");
		if (fd < 0)
			return -errno;
		if (ns_fd_id(fd) != before)
			break;
		close(fd);
	}
	if (setns(fd, CLONE_NEWNS) || sys_mount("x", "/tmp", "tmpfs", 0, NULL) ||
	    chdir("/tmp") || sys_pivot_root(".", ".") || chdir("/"))
		return -errno;
	return mount_of("/");
}

#define NR_PIVOTS 20

/* Its root is there before anybody can get to its mount namespace. */
TEST_F(mntns, pivot_root_beside_unshare_finds_the_root_of_its_task)
{
	for (int i = 0; i < NR_PIVOTS; i++) {
		struct ns_actor *a = ns_actor(), *b;
		__s64 root;

		ASSERT_EQ(0, ns_call(a, do_own_tmp, 0));
		/* To see the files of other tasks takes /proc, to enter nothing else. */
		b = ns_actor_in(a, MNT_NS);
		ASSERT_TRUE(ns_start(b, do_follow_and_pivot, a->pid));
		ASSERT_TRUE(await_turn(b));
		ASSERT_EQ(0, ns_call(a, ns_do_unshare, MNT_NS));
		root = ns_finish(b);
		ASSERT_LT(0, root);
		EXPECT_EQ(root, ns_call(a, do_root, 0));
		ns_actor_kill(a);
		ns_actor_kill(b);
	}
}

/* Runs in the actor: exchange two mounts as the root, to and fro. */
static __s64 do_pivot_on(struct ns_actor *a, __u64 unused)
{
	if (!ns_own_tmp() || mkdir("/tmp/old", 0755))
		return -errno;
	__atomic_store_n(&a->turn, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&a->stop, __ATOMIC_SEQ_CST))
		if (sys_pivot_root("/tmp", "/tmp/old") || sys_pivot_root("/old", "/old/tmp"))
			return -errno;
	return 0;
}

/* Runs in the actor: have a new root again and again, and be rid of the old one. */
static __s64 do_replace_on(struct ns_actor *a, __u64 unused)
{
	if (!ns_own_tmp() || mkdir("/tmp/new", 0755))
		return -errno;
	__atomic_store_n(&a->turn, 1, __ATOMIC_RELEASE);
	while (!__atomic_load_n(&a->stop, __ATOMIC_SEQ_CST))
		if (sys_mount("x", "/tmp", "tmpfs", 0, NULL) || mkdir("/tmp/tmp", 0755) ||
		    !exchange_root("/tmp"))
			return -errno;
	return 0;
}

#define BESIDE_MS 2000

/* The id of a mount that was made just now */
static __u64 new_mount_id(void)
{
	int mnt = new_mount("tmpfs");
	struct statx stx = {};

	if (statx(mnt, "", AT_EMPTY_PATH, STATX_MNT_ID_UNIQUE, &stx))
		stx.stx_mnt_id = UINT64_MAX;
	close(mnt);
	return stx.stx_mnt_id;
}

/* Runs in the actor: copy the namespace that it is in, and look at the copy. */
static __s64 do_copy_on(struct ns_actor *a, __u64 last)
{
	__u64 end = ns_now_ms() + BESIDE_MS;
	int status;
	pid_t pid;

	do {
		pid = fork();
		if (!pid) {
			struct view v = {};

			if (unshare(CLONE_NEWNS))
				_exit(1);
			/* Root and working directory are in the copy. */
			_exit(mount_of("/") <= last || mount_of(".") <= last ? 2 :
			      !look_at_mounts(0, &v) ? 3 : 0);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return -errno;
		if (status)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
	} while (ns_now_ms() < end);
	return 0;
}

TEST_F(mntns, copy_beside_pivot_root_is_whole)
{
	struct ns_actor *b;

	if (!is_initramfs())
		SKIP(return, "the root is not that of an initramfs");
	ASSERT_TRUE(ns_start(self->a, do_pivot_on, 0));
	ASSERT_TRUE(await_turn(self->a));
	b = ns_actor_in(self->a, MNT_NS);
	/* Mounts get their ids in order, and there are no new ones but in the copies. */
	EXPECT_EQ(0, ns_call(b, do_copy_on, new_mount_id()));
	EXPECT_EQ(0, ns_watch_end(self->a));
}

/* Runs in the actor: enter the namespace of @pid, and leave it. */
static __s64 do_enter_on(struct ns_actor *a, __u64 pid)
{
	int there = ns_open(pid, "mnt"), home = ns_open(0, "mnt");
	__u64 end = ns_now_ms() + BESIDE_MS;
	struct stat st;

	do {
		if (setns(there, CLONE_NEWNS) || stat("/", &st) || stat(".", &st) ||
		    setns(home, CLONE_NEWNS))
			return -errno;
	} while (ns_now_ms() < end);
	return 0;
}

TEST_F(mntns, setns_beside_pivot_root_finds_a_root)
{
	struct ns_actor *b = ns_actor();

	ASSERT_TRUE(ns_start(self->a, do_replace_on, 0));
	ASSERT_TRUE(await_turn(self->a));
	EXPECT_EQ(0, ns_call(b, do_enter_on, self->a->pid));
	EXPECT_EQ(0, ns_watch_end(self->a));
}

TEST_F(mntns, foreign_namespace_is_listed_as_its_own_tasks_see_it)
{
	static uint64_t ids[1024];
	__u64 id;
	__s64 nr;

	ASSERT_EQ(0, ns_call(self->a, ns_do_unshare, MNT_NS));
	id = ns_id(self->a->pid, "mnt");
	ASSERT_NE(0, id);
	nr = ns_call(self->a, do_list_mounts, 0);
	ASSERT_LT(0, nr);
	EXPECT_EQ(nr, listmount(LSMT_ROOT, id, 0, ids, 1024, 0));
	EXPECT_EQ(0, memcmp(ids, self->a->ids, nr * sizeof(ids[0])));
	EXPECT_EQ(nr, mnt_ns_info(self->a->pid).nr_mounts);
}

TEST_HARNESS_MAIN
