// SPDX-License-Identifier: GPL-2.0
/*
 * Prints how fast the TSC of this machine counts, in kHz; nothing if there is none.
 * Right on a busy machine, too: only pairs of readings that nothing came between.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#ifdef __x86_64__
static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_RAW, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The best of many: the TSC in the middle of the shortest stretch of time. */
static void read_both(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < 1000; i++) {
		uint64_t before = now(), t = __builtin_ia32_rdtsc(), after = now();

		if (after - before < best) {
			best = after - before;
			*tsc = t;
			*ns = before + best / 2;
		}
	}
}

int main(void)
{
	struct timespec pause = { .tv_nsec = 50000000 };
	uint64_t tsc[2], ns[2];

	read_both(&tsc[0], &ns[0]);
	nanosleep(&pause, NULL);
	read_both(&tsc[1], &ns[1]);
	printf("%.0f\n", (tsc[1] - tsc[0]) * 1e6 / (ns[1] - ns[0]));
	return 0;
}
#else
int main(void)
{
	return 0;
}
#endif
