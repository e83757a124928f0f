// SPDX-License-Identifier: MIT
/*
 * Print the ids of the namespaces that belong to the container of a process: those
 * that its user namespace owns.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	struct ns_id_req req = { .size = sizeof(req) };
	char path[64];
	__u64 owner;
	int fd;

	if (argc != 2)
		errx(EXIT_FAILURE, "Usage: %s PID", argv[0]);

	snprintf(path, sizeof(path), "/proc/%s/ns/user", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || ioctl(fd, NS_GET_ID, &owner))
		err(EXIT_FAILURE, "%s", path);
	close(fd);

	/* One at a time: the last id is where the next call goes on. */
	req.user_ns_id = owner;
	while (syscall(__NR_listns, &req, &req.ns_id, (size_t)1, 0) == 1)
		printf("%llu\n", (unsigned long long)req.ns_id);
	return EXIT_SUCCESS;
}
