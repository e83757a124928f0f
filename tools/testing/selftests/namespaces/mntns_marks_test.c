// SPDX-License-Identifier: GPL-2.0
/*
 * Marks of fanotify on a mount namespace do not keep it, nor make it visible, and
 * go with it, whoever is the last that had it.
 */
#define _GNU_SOURCE
#include <linux/fanotify.h>

#include "../kselftest_harness.h"
#include "ns_helpers.h"

#ifndef FAN_REPORT_MNT
#define FAN_REPORT_MNT 0x00004000
#endif
#ifndef FAN_MARK_MNTNS
#define FAN_MARK_MNTNS 0x00000110
#endif
#ifndef FAN_MNT_ATTACH
#define FAN_MNT_ATTACH 0x01000000
#define FAN_MNT_DETACH 0x02000000
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif

static int make_group(void)
{
	int fd = syscall(__NR_fanotify_init, FAN_REPORT_MNT | FAN_CLOEXEC | FAN_NONBLOCK, 0);

	return fd < 0 ? -errno : fd;
}

/* The mask is of 64 bits, which are two arguments where those have 32. */
static int mark(int group, int mntns)
{
	const __u64 mask = FAN_MNT_ATTACH | FAN_MNT_DETACH;
	const unsigned int flags = FAN_MARK_ADD | FAN_MARK_MNTNS;
	const union { __u64 mask; __u32 half[2]; } u = { mask };
	int ret;

	if (sizeof(__kernel_ulong_t) == sizeof(mask))
		ret = syscall(__NR_fanotify_mark, group, flags, mask, mntns, NULL);
	else
		ret = syscall(__NR_fanotify_mark, group, flags, u.half[0], u.half[1], mntns, NULL);
	return ret ? -errno : 0;
}

/* How many marks the group has, negative if that cannot be read. */
static int nr_marks(int group)
{
	char path[64], line[256];
	int nr = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", group);
	f = fopen(path, "r");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f))
		nr += !strncmp(line, "fanotify mnt_ns:", 16);
	fclose(f);
	return nr;
}

FIXTURE(marks) {
	int group;
	struct ns_actor *a;
	struct ns_key key;
};

FIXTURE_SETUP(marks)
{
	int fd;

	self->group = make_group();
	if (self->group == -ENOSYS || self->group == -EINVAL)
		SKIP(return, "no marks on mount namespaces: needs CONFIG_FANOTIFY");
	ASSERT_LE(0, self->group);
	ASSERT_TRUE(ns_own_tmp());
	self->a = ns_actor_new(MNT_NS);
	ASSERT_TRUE(!!self->a);
	fd = ns_open(self->a->pid, "mnt");
	self->key = ns_key_of(fd);
	ASSERT_EQ(0, mark(self->group, fd));
	ASSERT_EQ(1, nr_marks(self->group));
	close(fd);
	EXPECT_SEEN(&self->key);
}

FIXTURE_TEARDOWN(marks)
{
	ns_actors_kill();
}

static __s64 do_unshare(struct ns_actor *a, __u64 flags)
{
	return unshare(flags) ? -errno : 0;
}

static __s64 do_mount(struct ns_actor *a, __u64 unused)
{
	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) || umount2("/tmp", MNT_DETACH) ||
	    mount("tmpfs", "/tmp", "tmpfs", 0, NULL))
		return -errno;
	return 0;
}

TEST_F(marks, mntns_marks_go_with_the_namespace)
{
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&self->key);
	EXPECT_EQ(0, nr_marks(self->group));
}

TEST_F(marks, mntns_marks_go_when_its_task_goes_to_another)
{
	ASSERT_EQ(0, ns_call(self->a, do_unshare, CLONE_NEWNS));
	EXPECT_UNSEEN(&self->key);
	EXPECT_EQ(0, nr_marks(self->group));
	ASSERT_EQ(0, ns_call(self->a, do_unshare, UNSHARE_EMPTY_MNTNS));
	EXPECT_EQ(0, nr_marks(self->group));
}

TEST_F(marks, mntns_marks_go_with_an_empty_namespace)
{
	struct ns_key key;
	int fd;

	ASSERT_EQ(0, ns_call(self->a, do_unshare, UNSHARE_EMPTY_MNTNS));
	EXPECT_UNSEEN(&self->key);
	EXPECT_EQ(0, nr_marks(self->group));
	fd = ns_open(self->a->pid, "mnt");
	key = ns_key_of(fd);
	ASSERT_EQ(0, mark(self->group, fd));
	close(fd);
	EXPECT_EQ(1, nr_marks(self->group));
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&key);
	EXPECT_EQ(0, nr_marks(self->group));
}

/* What is to be told of its mounts is told when it is gone. */
TEST_F(marks, mntns_marks_leave_events_behind)
{
	char buf[4096];

	ASSERT_EQ(0, ns_call(self->a, do_mount, 0));
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&self->key);
	EXPECT_EQ(0, nr_marks(self->group));
	EXPECT_LT(0, read(self->group, buf, sizeof(buf)));
}

/* It is there, but not visible, because of the file. */
TEST_F(marks, mntns_marks_stay_while_something_keeps_the_namespace)
{
	char path[64];
	int mountinfo;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", self->a->pid);
	mountinfo = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mountinfo);
	ns_actor_kill(self->a);
	EXPECT_UNSEEN(&self->key);
	EXPECT_EQ(1, nr_marks(self->group));
	close(mountinfo);
	EXPECT_EQ(0, nr_marks(self->group));
}

#define NR_MANY 32

/* Many at a time, of several groups, some of which go before the marks do. */
TEST_F(marks, mntns_marks_go_with_many_namespaces)
{
	int groups[4], fds[NR_MANY];

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++) {
		groups[i] = make_group();
		ASSERT_LE(0, groups[i]);
	}
	for (int i = 0; i < NR_MANY; i++) {
		fds[i] = ns_new(MNT_NS);
		ASSERT_LE(0, fds[i]);
		for (size_t j = 0; j < ARRAY_SIZE(groups); j++)
			ASSERT_EQ(0, mark(groups[j], fds[i]));
	}
	EXPECT_EQ(NR_MANY, nr_marks(groups[0]));
	for (int i = 0; i < NR_MANY; i++) {
		close(fds[i]);
		if (i == NR_MANY / 2)
			close(groups[3]);
	}
	close(groups[2]);
	EXPECT_EQ(0, nr_marks(groups[0]));
	EXPECT_EQ(0, nr_marks(groups[1]));
}

/* A user without privileges, in namespaces of its own. */
static __s64 do_mark_own(struct ns_actor *a, __u64 unused)
{
	int group = make_group(), fd = ns_open(0, "mnt"), ret;

	if (group < 0)
		return group;
	ret = mark(group, fd);
	close(fd);
	return ret ?: group;
}

TEST_F(marks, mntns_marks_of_any_user_go_with_the_namespace)
{
	struct ns_actor *user = ns_actor();
	struct ns_key key;
	int group;

	ASSERT_EQ(0, ns_call(user, ns_do_setuid, NS_UID_OWNER));
	ASSERT_EQ(0, ns_call(user, ns_do_enter, USER_NS | MNT_NS));
	key = ns_key(user->pid, "mnt");
	group = ns_take_fd(user, ns_call(user, do_mark_own, 0));
	ASSERT_LE(0, group);
	EXPECT_EQ(1, nr_marks(group));
	ns_actor_kill(user);
	EXPECT_UNSEEN(&key);
	EXPECT_EQ(0, nr_marks(group));
}

TEST_HARNESS_MAIN
