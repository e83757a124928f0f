// SPDX-License-Identifier: MIT
/*
 * Print the ids of namespaces that come (+) and go (-).
 *
 * Each round lists everything and compares it with the round before. To ask for larger
 * ids than the last one is less work, and misses namespaces: those that one call
 * creates become visible one after the other, and not in the order of their ids if two
 * tasks do so at the same time; one that was gone can come back, when it is opened
 * through a socket for instance. What comes and goes again between two rounds is not
 * seen by any means.
 */
#include "../listns.h"
#include <err.h>
#include <stdio.h>
#include <stdlib.h>

struct set {
	__u64 *ids;		/* sorted, as they are listed */
	size_t nr, max;
};

/* Replace what is in @set by what there is. */
static void list(struct set *set)
{
	struct listns_iter it;
	__u64 id;

	set->nr = 0;
	listns_start(&it, 0, 0);
	while (listns_next(&it, &id) > 0) {
		if (set->nr == set->max) {
			set->max = 2 * set->max + 64;
			set->ids = realloc(set->ids, set->max * sizeof(id));
			if (!set->ids)
				err(EXIT_FAILURE, "realloc");
		}
		set->ids[set->nr++] = id;
	}
	/* Half a list says nothing of what is missing in it. */
	if (it.error)
		errx(EXIT_FAILURE, "%s", listns_why(it.error));
}

int main(int argc, char *argv[])
{
	unsigned int ms = argc > 1 ? atoi(argv[1]) : 1000;
	struct set old = { 0 }, now = { 0 };

	for (;;) {
		size_t o = 0, n = 0;
		struct set swap;

		list(&now);
		while (o < old.nr || n < now.nr) {
			if (n == now.nr || (o < old.nr && old.ids[o] < now.ids[n]))
				printf("-%llu\n", old.ids[o++]);
			else if (o == old.nr || now.ids[n] < old.ids[o])
				printf("+%llu\n", now.ids[n++]);
			else
				o++, n++;
		}
		if (fflush(stdout))
			err(EXIT_FAILURE, "stdout");
		swap = old;
		old = now;
		now = swap;
		usleep(ms * 1000);
	}
}
