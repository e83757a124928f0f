// SPDX-License-Identifier: GPL-2.0
/*
 * The examples of the manual page and of listns.h, which are compiled into this program,
 * and the rules of listns.h that a program relies on.
 */
#define LISTNS_PAGE_IDS 4	/* so that a few namespaces are several pages */
#include "../kselftest_harness.h"
#include "ns_helpers.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

#define main example_list_all
#include "examples/list-all.c"
#undef main
#define main example_list_container
#include "examples/list-container.c"
#undef main
#define main example_open_by_id
#include "examples/open-by-id.c"
#undef main
#define main example_monitor
#include "examples/monitor.c"
#undef main
#define main example_fallback
#define compare fallback_compare
#include "examples/fallback.c"
#undef compare
#undef main

static int run_list_all(int argc, char **argv)
{
	return example_list_all();
}

static int run_fallback(int argc, char **argv)
{
	return example_fallback();
}

/* From here on, listns() is this error. */
static int refuse_listns(int error)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_listns, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {
		.len = sizeof(filter) / sizeof(*filter),
		.filter = filter,
	};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	       prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno : 0;
}

static struct example {
	pid_t pid;
	FILE *out;
} examples[8];
static int nr_examples;

/* Start it, with one argument, and with listns() refused if there is an @error. */
static FILE *start_example(int (*fn)(int, char **), const char *arg, int error)
{
	char *argv[3] = { "example", (char *)arg, NULL };
	struct example *e = &examples[nr_examples++];
	int out[2], ret;

	if (pipe(out))
		return NULL;
	e->pid = fork();
	if (!e->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(out[1], STDOUT_FILENO) < 0 || (error && refuse_listns(error)))
			_exit(127);
		close(out[0]);
		close(out[1]);
		ret = fn(arg ? 2 : 1, argv);
		fflush(stdout);
		_exit(ret);
	}
	close(out[1]);
	e->out = fdopen(out[0], "r");
	return e->out;
}

/* The rest of what it prints, and how it ends */
static int finish_example(FILE *out, unsigned long long *numbers, size_t max, size_t *nr)
{
	struct example *e = examples;
	int status;

	*nr = 0;
	while (*nr < max && fscanf(out, "%llu", &numbers[*nr]) == 1)
		++*nr;
	while (e->out != out)
		e++;
	fclose(e->out);
	e->out = NULL;
	waitpid(e->pid, &status, 0);
	e->pid = 0;
	return status;
}

static bool among(const unsigned long long *numbers, size_t nr, unsigned long long number)
{
	while (nr--)
		if (numbers[nr] == number)
			return true;
	return false;
}

#define MAX_NUMBERS 4096

FIXTURE(examples) {
	unsigned long long numbers[MAX_NUMBERS];
	size_t nr;
	char arg[32];
};

FIXTURE_SETUP(examples)
{
}

FIXTURE_TEARDOWN(examples)
{
	for (int i = 0; i < nr_examples; i++) {
		if (examples[i].pid <= 0)
			continue;
		kill(examples[i].pid, SIGKILL);
		waitpid(examples[i].pid, NULL, 0);
	}
	ns_actors_kill();
}

TEST_F(examples, list_all)
{
	int fd = ns_new(UTS_NS);
	FILE *out;

	ASSERT_GE(fd, 0);
	out = start_example(run_list_all, NULL, 0);
	ASSERT_NE(NULL, out);
	ASSERT_EQ(0, finish_example(out, self->numbers, MAX_NUMBERS, &self->nr));

	EXPECT_TRUE(among(self->numbers, self->nr, ns_fd_id(fd)));
	EXPECT_TRUE(among(self->numbers, self->nr, ns_id(0, "user")));
	EXPECT_TRUE(among(self->numbers, self->nr, ns_id(0, "mnt")));
}

TEST_F(examples, list_container)
{
	struct ns_actor *a = ns_actor_new(CLONE_NEWUSER | CLONE_NEWUTS | CLONE_NEWNET);
	FILE *out;

	ASSERT_NE(NULL, a);
	sprintf(self->arg, "%d", a->pid);
	out = start_example(example_list_container, self->arg, 0);
	ASSERT_NE(NULL, out);
	ASSERT_EQ(0, finish_example(out, self->numbers, MAX_NUMBERS, &self->nr));

	EXPECT_EQ(2, self->nr);
	EXPECT_TRUE(among(self->numbers, self->nr, ns_id(a->pid, "uts")));
	EXPECT_TRUE(among(self->numbers, self->nr, ns_id(a->pid, "net")));
}

TEST_F(examples, open_by_id)
{
	int fd = ns_new(NET_NS);
	unsigned long inode;
	unsigned int type;
	struct stat st;
	FILE *out;

	ASSERT_GE(fd, 0);
	ASSERT_EQ(0, fstat(fd, &st));
	sprintf(self->arg, "%llu", (unsigned long long)ns_fd_id(fd));
	out = start_example(example_open_by_id, self->arg, 0);
	ASSERT_NE(NULL, out);
	ASSERT_EQ(2, fscanf(out, "type %x, inode %lu", &type, &inode));
	EXPECT_EQ(NET_NS, type);
	EXPECT_EQ(st.st_ino, inode);
	EXPECT_EQ(0, finish_example(out, self->numbers, MAX_NUMBERS, &self->nr));
}

/* Wait for the line about this id. */
static bool monitor_says(FILE *out, char sign, __u64 id)
{
	unsigned long long got;
	char c;

	while (fscanf(out, " %c%llu", &c, &got) == 2)
		if (got == id)
			return c == sign;
	return false;
}

TEST_F(examples, monitor)
{
	FILE *out = start_example(example_monitor, "1", 0);
	__u64 id;
	int fd;

	ASSERT_NE(NULL, out);
	ASSERT_TRUE(monitor_says(out, '+', ns_id(0, "user")));
	for (int i = 0; i < 3; i++) {
		fd = ns_new(UTS_NS);
		ASSERT_GE(fd, 0);
		id = ns_fd_id(fd);
		EXPECT_TRUE(monitor_says(out, '+', id));
		close(fd);
		EXPECT_TRUE(monitor_says(out, '-', id));
	}
}

/* By the call, and, where there is none, from /proc. */
TEST_F(examples, fallback)
{
	struct ns_actor *a = ns_actor_new(CLONE_NEWNET);
	struct stat st;
	char path[64];
	FILE *out;

	ASSERT_NE(NULL, a);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", a->pid);
	ASSERT_EQ(0, stat(path, &st));
	for (int error = 0; error <= ENOSYS; error += ENOSYS) {
		out = start_example(run_fallback, NULL, error);
		ASSERT_NE(NULL, out);
		ASSERT_EQ(0, finish_example(out, self->numbers, MAX_NUMBERS, &self->nr));
		EXPECT_TRUE(among(self->numbers, self->nr, st.st_ino));
	}
}

/* A walk over several pages meets everything once, in order. */
TEST_F(examples, iterator_goes_on_with_the_next_page)
{
	unsigned int found = 0;
	struct listns_iter it;
	__u64 id, last = 0;
	int fds[10];

	for (int i = 0; i < 10; i++) {
		fds[i] = ns_new(UTS_NS);
		ASSERT_GE(fds[i], 0);
	}
	listns_start(&it, UTS_NS, LISTNS_CURRENT_USER);
	while (listns_next(&it, &id) > 0) {
		EXPECT_GT(id, last);
		last = id;
		for (int i = 0; i < 10; i++)
			found += ns_fd_id(fds[i]) == id;
	}
	EXPECT_EQ(0, it.error);
	EXPECT_EQ(10, found);
	/* The end stays the end. */
	EXPECT_EQ(0, listns_next(&it, &id));
}

TEST_F(examples, iterator_takes_enoent_for_the_end)
{
	struct listns_iter it;
	__u64 id;

	ASSERT_EQ(0, refuse_listns(ENOENT));
	listns_start(&it, USER_NS, 0);
	EXPECT_EQ(0, listns_next(&it, &id));
	EXPECT_EQ(0, it.error);
}

TEST_F(examples, iterator_reports_errors)
{
	struct listns_iter it;
	__u64 id;

	listns_start(&it, 0, NET_NS_INIT_ID);
	EXPECT_EQ(-1, listns_next(&it, &id));
	EXPECT_EQ(EINVAL, it.error);
}

TEST_F(examples, check_tells_whether_the_call_works)
{
	EXPECT_EQ(0, listns_check());
	ASSERT_EQ(0, refuse_listns(EPERM));
	EXPECT_EQ(EPERM, listns_check());
}

TEST_F(examples, open_needs_the_id_alone)
{
	int fd = listns_open(USER_NS_INIT_ID);

	ASSERT_GE(fd, 0);
	EXPECT_EQ(USER_NS_INIT_ID, ns_fd_id(fd));
	close(fd);
	fd = listns_open(1ULL << 62);
	EXPECT_EQ(-1, fd);
	EXPECT_EQ(ESTALE, errno);
}

TEST_HARNESS_MAIN
