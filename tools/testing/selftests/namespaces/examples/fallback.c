// SPDX-License-Identifier: MIT
/*
 * Print the inode numbers of the network namespaces: by listns() where that works, and
 * from /proc on other kernels, which shows those that have a task that the caller may
 * look at, but none that only an open file, a mount or a socket keeps.
 */
#include "../listns.h"
#include <ctype.h>
#include <dirent.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void by_listns(void)
{
	struct listns_iter it;
	struct stat st;
	__u64 id;
	int fd;

	listns_start(&it, NET_NS, 0);
	while (listns_next(&it, &id) > 0) {
		fd = listns_open(id);
		if (fd < 0)
			continue;	/* gone meanwhile */
		if (!fstat(fd, &st))
			printf("%lu\n", (unsigned long)st.st_ino);
		close(fd);
	}
	if (it.error)
		errx(EXIT_FAILURE, "%s", listns_why(it.error));
}

static int compare(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

static void by_proc(void)
{
	unsigned long *inodes = NULL;
	size_t nr = 0, max = 0;
	struct dirent *e;
	char path[64];
	struct stat st;
	DIR *proc;

	proc = opendir("/proc");
	if (!proc)
		err(EXIT_FAILURE, "/proc");
	while ((e = readdir(proc))) {
		snprintf(path, sizeof(path), "%.16s/ns/net", e->d_name);
		if (!isdigit(*e->d_name) || fstatat(dirfd(proc), path, &st, 0))
			continue;
		if (nr == max) {
			max = 2 * max + 64;
			inodes = realloc(inodes, max * sizeof(*inodes));
			if (!inodes)
				err(EXIT_FAILURE, "realloc");
		}
		inodes[nr++] = st.st_ino;
	}
	closedir(proc);

	/* Many processes have the same one. */
	if (nr)
		qsort(inodes, nr, sizeof(*inodes), compare);
	for (size_t i = 0; i < nr; i++)
		if (!i || inodes[i] != inodes[i - 1])
			printf("%lu\n", inodes[i]);
	free(inodes);
}

int main(void)
{
	int error = listns_check();

	if (error)
		warnx("%s: looking in /proc", listns_why(error));
	if (error)
		by_proc();
	else
		by_listns();
	return EXIT_SUCCESS;
}
