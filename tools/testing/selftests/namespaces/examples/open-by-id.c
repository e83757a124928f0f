// SPDX-License-Identifier: MIT
/* Open a namespace by its id, and say of what type it is, and what its inode is. */
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef FD_NSFS_ROOT
#define FD_NSFS_ROOT -10003
#endif

int main(int argc, char *argv[])
{
	/* The id is enough: type and inode of the handle may be 0. */
	struct nsfs_file_handle id = { };
	struct file_handle *handle;
	struct stat st;
	int fd;

	if (argc != 2)
		errx(EXIT_FAILURE, "Usage: %s ID", argv[0]);
	id.ns_id = strtoull(argv[1], NULL, 10);

	handle = malloc(sizeof(*handle) + sizeof(id));
	if (!handle)
		err(EXIT_FAILURE, "malloc");
	handle->handle_bytes = sizeof(id);
	handle->handle_type = 0xf1;
	memcpy(handle->f_handle, &id, sizeof(id));

	fd = open_by_handle_at(FD_NSFS_ROOT, handle, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		err(EXIT_FAILURE, "namespace %s", argv[1]);
	free(handle);

	/* setns(fd, 0) would enter it. */
	if (fstat(fd, &st))
		err(EXIT_FAILURE, "fstat");
	printf("type %#x, inode %lu\n", ioctl(fd, NS_GET_NSTYPE),
	       (unsigned long)st.st_ino);
	close(fd);
	return EXIT_SUCCESS;
}
