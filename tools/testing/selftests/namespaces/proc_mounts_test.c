// SPDX-License-Identifier: GPL-2.0
/*
 * /proc/<pid>/{mounts,mountinfo,mountstats} have an end, also where a mount
 * namespace has a single mount, and each mount once.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "../filesystems/wrappers.h"
#include "ns_helpers.h"

/* For headers that are older than the kernel under test. */
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif

#define MAX 65536

FIXTURE(one) {
	struct ns_actor *a;
	int fd;
	char *text;		/* what is read of the file */
	ssize_t len;		/* of the line of the one mount */
};

FIXTURE_VARIANT(one) {
	const char *file;
	bool polls;		/* reports changes */
};

FIXTURE_VARIANT_ADD(one, mounts) {
	.file = "mounts",
	.polls = true,
};

FIXTURE_VARIANT_ADD(one, mountinfo) {
	.file = "mountinfo",
	.polls = true,
};

FIXTURE_VARIANT_ADD(one, mountstats) {
	.file = "mountstats",
};

/* Runs in the actor. That of the C library takes an int. */
static __s64 do_unshare(struct ns_actor *a, __u64 flags)
{
	return syscall(__NR_unshare, (unsigned long)flags) ? -errno : 0;
}

/* Runs in the actor: unmount all but the root, which then must be alone. */
static __s64 do_unmount_all(struct ns_actor *a, __u64 unused)
{
	char *at[64], *text = calloc(1, MAX), *line = text;
	int fd = open("/proc/self/mounts", O_RDONLY), nr = 0;

	if (fd < 0 || unshare(CLONE_NEWNS) || read(fd, text, MAX - 1) <= 0 ||
	    sys_mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		return -errno;
	for (; nr < 64 && (line = strchr(line, ' ')); line = strchr(line, '\n') ?: "") {
		at[nr++] = ++line;
		line = strchr(line, ' ');
		*line++ = 0;
	}
	while (nr--)
		if (strcmp(at[nr], "/") && umount2(at[nr], MNT_DETACH))
			return -errno;
	return 0;
}

/* Runs in the actor: these are below, or on top, of each other. */
static __s64 do_mount(struct ns_actor *a, __u64 nr)
{
	while (nr--)
		if (sys_mount("x", "/", "tmpfs", 0, NULL))
			return -errno;
	return 0;
}

/* Runs in the actor: the one on top goes, which is what .. leads to. */
static __s64 do_umount(struct ns_actor *a, __u64 unused)
{
	return umount2("/..", MNT_DETACH) ? -errno : 0;
}

/* Read at most @max bytes, at most @step at a time. */
static ssize_t read_all(int fd, char *text, size_t max, size_t step)
{
	size_t len = 0;
	ssize_t ret;

	do {
		ret = read(fd, text + len, step < max - len ? step : max - len);
		if (ret < 0)
			return -errno;
		len += ret;
	} while (ret && len < max);
	return len;
}

static int nr_lines(const char *text, ssize_t len)
{
	int nr = 0;

	while (len-- > 0)
		nr += *text++ == '\n';
	return nr;
}

FIXTURE_SETUP(one)
{
	char path[64];

	self->a = ns_actor();
	/* As any user, or else in the way of an initramfs. */
	ASSERT_EQ(0, ns_call(self->a, ns_do_setuid, NS_UID_OWNER));
	if (ns_call(self->a, do_unshare, UNSHARE_EMPTY_MNTNS | USER_NS)) {
		self->a = ns_actor();
		ASSERT_EQ(0, ns_call(self->a, do_unmount_all, 0));
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)self->a->pid, variant->file);
	self->fd = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, self->fd);
	self->text = calloc(1, MAX);
	ASSERT_TRUE(!!self->text);
	/* A read does not get more than there is, even if that never ends. */
	self->len = read(self->fd, self->text, MAX);
	ASSERT_LT(0, self->len);
	ASSERT_EQ(1, nr_lines(self->text, self->len));
	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
}

FIXTURE_TEARDOWN(one)
{
	ns_actors_kill();
}

TEST_F(one, ends)
{
	EXPECT_EQ(self->len, read_all(self->fd, self->text, MAX, MAX));
	EXPECT_EQ(0, read(self->fd, self->text, MAX));
}

TEST_F(one, ends_in_short_reads)
{
	for (size_t step = 1; step <= (size_t)self->len + 1; step++) {
		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		ASSERT_EQ(self->len, read_all(self->fd, self->text, MAX, step));
	}
}

TEST_F(one, ends_for_pread)
{
	EXPECT_EQ(self->len, pread(self->fd, self->text, MAX, 0));
	EXPECT_EQ(1, pread(self->fd, self->text, MAX, self->len - 1));
	EXPECT_EQ(0, pread(self->fd, self->text, MAX, self->len));
	EXPECT_EQ(0, pread(self->fd, self->text, MAX, self->len + 1));
	EXPECT_EQ(0, pread(self->fd, self->text, MAX, 10 * self->len));
}

TEST_F(one, ends_for_lseek)
{
	EXPECT_EQ(self->len, lseek(self->fd, self->len, SEEK_SET));
	EXPECT_EQ(0, read(self->fd, self->text, MAX));
	EXPECT_EQ(self->len - 1, lseek(self->fd, -1, SEEK_CUR));
	EXPECT_EQ(1, read_all(self->fd, self->text, MAX, MAX));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(self->len, read_all(self->fd, self->text, MAX, MAX));
}

TEST_F(one, polls)
{
	struct pollfd p = { .fd = self->fd, .events = POLLPRI };

	EXPECT_EQ(self->len, read_all(self->fd, self->text, MAX, MAX));
	EXPECT_EQ(0, poll(&p, 1, 0));
	ASSERT_EQ(0, ns_call(self->a, do_mount, 1));
	EXPECT_EQ(variant->polls, poll(&p, 1, 0));
	EXPECT_EQ(variant->polls ? POLLPRI | POLLERR : 0, p.revents);
	EXPECT_EQ(0, poll(&p, 1, 0));
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(2, nr_lines(self->text, read_all(self->fd, self->text, MAX, MAX)));
}

/* One more while the file is at its end, and before it is, in a line and after it. */
TEST_F(one, grows_while_read)
{
	ssize_t len;

	EXPECT_EQ(self->len, read_all(self->fd, self->text, MAX, MAX));
	ASSERT_EQ(0, ns_call(self->a, do_mount, 1));
	len = read_all(self->fd, self->text, MAX, MAX);
	EXPECT_EQ(1, nr_lines(self->text, len));

	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(1, read(self->fd, self->text, 1));
	ASSERT_EQ(0, ns_call(self->a, do_mount, 1));
	len = read_all(self->fd, self->text, MAX, MAX);
	EXPECT_EQ(3, nr_lines(self->text, len));

	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(self->len, read(self->fd, self->text, self->len));
	ASSERT_EQ(0, ns_call(self->a, do_mount, 1));
	len = read_all(self->fd, self->text, MAX, MAX);
	EXPECT_EQ(3, nr_lines(self->text, len));
}

TEST_F(one, shrinks_while_read)
{
	ssize_t len;

	ASSERT_EQ(0, ns_call(self->a, do_mount, 2));
	EXPECT_EQ(self->len, read(self->fd, self->text, self->len));
	ASSERT_EQ(0, ns_call(self->a, do_umount, 0));
	len = read_all(self->fd, self->text, MAX, MAX);
	EXPECT_EQ(1, nr_lines(self->text, len));
	EXPECT_EQ(0, read(self->fd, self->text, MAX));

	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(self->len, read(self->fd, self->text, self->len));
	ASSERT_EQ(0, ns_call(self->a, do_umount, 0));
	EXPECT_EQ(0, read_all(self->fd, self->text, MAX, MAX));

	ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
	EXPECT_EQ(self->len, read_all(self->fd, self->text, MAX, MAX));
}

TEST_F(one, many_are_each_there_once)
{
	ssize_t len, step;
	char *all;

	ASSERT_EQ(0, ns_call(self->a, do_mount, 40));
	len = read_all(self->fd, self->text, MAX, MAX);
	EXPECT_EQ(41, nr_lines(self->text, len));
	all = calloc(1, MAX);
	ASSERT_TRUE(!!all);
	for (step = 7; step <= len; step += len / 5) {
		ASSERT_EQ(0, lseek(self->fd, 0, SEEK_SET));
		ASSERT_EQ(len, read_all(self->fd, all, MAX, step));
		EXPECT_EQ(0, memcmp(self->text, all, len));
	}
	/* Replayed from the beginning, up to anywhere. */
	for (step = 0; step < len; step += len / 13)
		ASSERT_EQ(len - step, pread(self->fd, all, MAX, step));
	free(all);
}

TEST_HARNESS_MAIN
