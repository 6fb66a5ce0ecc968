/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "memory.h"

enum { LINES = 1 << 22, READS = 1 << 18 }; /* 256 MiB, as large as a table of 4M flows */

struct line {
	uint32_t next;
	uint32_t pad[15];
};

struct memory {
	struct line *lines;
	uint32_t at;
};

/* One cycle through all lines (Sattolo, 1986). */
static void make_cycle(struct line *lines)
{
	uint64_t state = 88172645463325252ull;

	for (uint32_t i = 0; i < LINES; i++)
		lines[i].next = i;
	for (uint32_t i = LINES - 1; i; i--) {
		uint32_t other, next = lines[i].next;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		other = (uint32_t)((state >> 32) % i);
		lines[i].next = lines[other].next;
		lines[other].next = next;
	}
}

struct memory *memory_make(void)
{
	struct memory *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->lines = mmap(NULL, sizeof(struct line) * LINES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (m->lines == MAP_FAILED) {
		free(m);
		return NULL;
	}
	madvise(m->lines, sizeof(struct line) * LINES, MADV_NOHUGEPAGE); /* as BPF arrays have it */
	make_cycle(m->lines);
	return m;
}

void memory_free(struct memory *m)
{
	if (!m)
		return;
	munmap(m->lines, sizeof(struct line) * LINES);
	free(m);
}

double memory_measure(struct memory *m)
{
	struct timespec from, to;
	uint32_t at = m->at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (int i = 0; i < READS; i++)
		at = m->lines[at].next;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	m->at = at;
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       READS;
}
