// SPDX-License-Identifier: GPL-2.0
/*
 * What files and file handles of namespaces refuse, and with which error.
 */
#define _GNU_SOURCE
#include "../kselftest_harness.h"
#include "ns_helpers.h"

TEST(longer_handle_has_to_end_in_zeros)
{
	struct {
		struct ns_handle handle;
		__u32 more;
	} fh = {};
	int fd = ns_open(0, "uts");

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, ns_get_handle(fd, &fh.handle));
	close(fd);
	fh.handle.bytes += sizeof(fh.more);

	fd = open_by_handle_at(FD_NSFS_ROOT, (struct file_handle *)&fh, O_RDONLY);
	ASSERT_LE(0, fd);
	close(fd);

	for (int bit = 0; bit < 32; bit++) {
		fh.more = 1U << bit;
		EXPECT_EQ(-1, open_by_handle_at(FD_NSFS_ROOT, (struct file_handle *)&fh,
						O_RDONLY));
		EXPECT_EQ(ESTALE, errno);
	}
}

TEST(pid_ioctl_that_finds_no_task_says_esrch)
{
	static const unsigned int cmds[] = {
		NS_GET_PID_FROM_PIDNS, NS_GET_TGID_FROM_PIDNS,
		NS_GET_PID_IN_PIDNS, NS_GET_TGID_IN_PIDNS,
	};
	int fd = ns_open(0, "pid");

	ASSERT_LE(0, fd);
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		/* Above any pid_max. */
		EXPECT_EQ(-1, ioctl(fd, cmds[i], 1 << 30));
		EXPECT_EQ(ESRCH, errno);
	}
	close(fd);
}

/* Of two namespaces, one below the other, each ioctl has a task that is not in both. */
TEST(pid_ioctl_about_a_task_that_is_not_there_says_esrch)
{
	pid_t outer = getpid(), inner;
	int fd = ns_open(0, "pid"), status;

	ASSERT_LE(0, fd);
	ASSERT_EQ(0, unshare(CLONE_NEWUSER | CLONE_NEWPID));
	inner = fork();
	if (inner == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		EXPECT_LT(1, ioctl(fd, NS_GET_PID_IN_PIDNS, 1));
		EXPECT_LT(1, ioctl(fd, NS_GET_TGID_IN_PIDNS, 1));
		EXPECT_EQ(-1, ioctl(fd, NS_GET_PID_FROM_PIDNS, outer));
		EXPECT_EQ(ESRCH, errno);
		EXPECT_EQ(-1, ioctl(fd, NS_GET_TGID_FROM_PIDNS, outer));
		EXPECT_EQ(ESRCH, errno);
		_exit(_metadata->exit_code);
	}
	ASSERT_LT(0, inner);
	close(fd);
	fd = ns_open(0, "pid_for_children");
	ASSERT_LE(0, fd);
	EXPECT_EQ(inner, ioctl(fd, NS_GET_PID_FROM_PIDNS, 1));
	EXPECT_EQ(inner, ioctl(fd, NS_GET_TGID_FROM_PIDNS, 1));
	EXPECT_EQ(-1, ioctl(fd, NS_GET_PID_IN_PIDNS, outer));
	EXPECT_EQ(ESRCH, errno);
	EXPECT_EQ(-1, ioctl(fd, NS_GET_TGID_IN_PIDNS, outer));
	EXPECT_EQ(ESRCH, errno);
	close(fd);
	ASSERT_EQ(inner, waitpid(inner, &status, 0));
	EXPECT_EQ(0, status);
}

/* EPERM for the file system; that the file has no mmap() is ENODEV. */
TEST(nothing_can_be_executed_from_nsfs)
{
	int fd = ns_open(0, "uts");

	ASSERT_LE(0, fd);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(ENODEV, errno);
	EXPECT_EQ(MAP_FAILED, mmap(NULL, 1, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0));
	EXPECT_EQ(EPERM, errno);
	close(fd);
}

TEST_HARNESS_MAIN
