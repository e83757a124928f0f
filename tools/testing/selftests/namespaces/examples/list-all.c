// SPDX-License-Identifier: MIT
/* Print the ids of all namespaces that the caller may see. */
#include <err.h>
#include <errno.h>
#include <linux/nsfs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_IDS 256

int main(void)
{
	struct ns_id_req req = { .size = sizeof(req) };
	__u64 ids[NR_IDS];
	ssize_t nr;

	while ((nr = syscall(__NR_listns, &req, ids, (size_t)NR_IDS, 0)) > 0) {
		for (ssize_t i = 0; i < nr; i++)
			printf("%llu\n", (unsigned long long)ids[i]);
		req.ns_id = ids[nr - 1];
	}

	/* ENOENT: the end of the list for Linux 7.1, in some cases */
	if (nr < 0 && errno != ENOENT)
		err(EXIT_FAILURE, "listns");
	return EXIT_SUCCESS;
}
