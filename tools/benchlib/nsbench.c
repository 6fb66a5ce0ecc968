/* SPDX-License-Identifier: BSD-2-Clause */
/* Net nanoseconds of CPU per packet, by BPF_PROG_TEST_RUN: nsbench [--few] [ROUNDS [PART-OF-NAME]]
 *
 * --few: one flow alone, little else in the table, and few packets, for a machine that counts instructions.
 * Prints one JSON object per line. Every round measures every line of the table once, next to an
 * empty program with the same packets, so that what disturbs the machine disturbs all alike. A line
 * counts only when each of its packets took the path it is about. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "memory.h"
#include "prep.skel.h"
#include "rows.h"

enum {
	ROUNDS = 7,
	ROUNDS_MAX = 99,
	LINES_MAX = 256,
	FEW_PACKETS = 1 << 19,
	MANY_PACKETS = 1 << 18, /* each misses the caches; the next round goes on where this ends */
	NEW_PACKETS = 1 << 16,  /* flows that the half-open table takes without being crowded */
	FEW_FLOW_BITS = 9,
	FEW_SHIFT = 7, /* so many times fewer packets, a power of two */
};

struct line {
	const struct row *row;
	enum bench_hook hook;
	unsigned bits;
	uint64_t next; /* packets so far: sequence numbers and new flows go on */
	uint64_t next_flow;
	double net[ROUNDS_MAX], base[ROUNDS_MAX];
	char fault[128]; /* why this line does not count */
};

static bool few;
static struct scene scenes[SCENES];
static struct line lines[LINES_MAX];
static unsigned n_lines;
static double memory_ns[ROUNDS_MAX];

static const char *const hook_names[BENCH_HOOKS] = {"xdp", "tc in", "tc out"};

/* ---- the lines ---- */

static void add_lines(const struct row *row, enum bench_hook hook)
{
	const unsigned *bits = flow_sets[row->flows];

	for (; row->hooks & 1u << hook && *bits != NO_BITS && n_lines < LINES_MAX; bits++)
		if (!few || *bits == 0 || row->flows == MANY)
			lines[n_lines++] = (struct line){.row = row, .hook = hook, .bits = *bits};
}

static void make_lines(const char *part)
{
	for (enum bench_hook hook = 0; hook < BENCH_HOOKS; hook++)
		for (unsigned i = 0; i < n_rows; i++)
			if (!part || strstr(rows[i].name, part))
				add_lines(&rows[i], hook);
}

/* ---- proof ---- */

static uint32_t expected_action(const struct line *l)
{
	if (l->row->verdict == ZDD_V_NOT_OURS)
		return l->hook == BENCH_XDP ? 2 : (uint32_t)-1; /* XDP_PASS, TC_ACT_UNSPEC */
	if (l->hook == BENCH_TC_OUT)
		return (uint32_t)-1;
	return l->hook == BENCH_XDP ? 4 : 7; /* XDP_REDIRECT, TC_ACT_REDIRECT */
}

static const char *const verdict_names[] = {
#define V(symbol, name, kind, expected, sentence) #name,
	ZDD_VERDICTS(V)
#undef V
};
static const char *const note_names[] = {
#define N(symbol, name, expected, sentence) #name,
	ZDD_NOTES(N)
#undef N
};

/* slack: how far off is still right. */
static void check_count(struct line *l, const char *name, uint64_t seen, uint64_t expected,
			uint64_t slack)
{
	uint64_t off = seen > expected ? seen - expected : expected - seen;

	if (off > slack)
		snprintf(l->fault, sizeof(l->fault), "%s: %llu packets, not %llu", name,
			 (unsigned long long)seen, (unsigned long long)expected);
}

static void check(struct line *l, const struct zdd_count_row *delta, const struct run *run,
		  uint64_t packets)
{
	for (unsigned i = 0; i < ZDD_NOTE_COUNT; i++) /* by chance, 1 of 65536 looks partial */
		check_count(l, note_names[i], delta->note[i], l->row->note & 1u << i ? packets : 0,
			    packets / 10000);
	for (unsigned i = 0; i < ZDD_VERDICT_COUNT; i++)
		check_count(l, verdict_names[i], delta->verdict[i],
			    i == l->row->verdict ? packets : 0, 0);
	if (run->action != expected_action(l))
		snprintf(l->fault, sizeof(l->fault), "the last packet's action was %d",
			 (int)run->action);
}

static void subtract(struct zdd_count_row *from, const struct zdd_count_row *what)
{
	for (unsigned i = 0; i < ZDD_VERDICT_COUNT; i++)
		from->verdict[i] -= what->verdict[i];
	for (unsigned i = 0; i < ZDD_NOTE_COUNT; i++)
		from->note[i] -= what->note[i];
}

/* ---- measuring ---- */

static void set_job(struct scene *s, struct line *l)
{
	struct bench_job *job = &s->prep->bss->job;

	frame_template(job, l->row->kind, l->row->packet);
	job->next = l->next;
	job->flow_bits = l->bits;
	job->flow_base = 0;
	if (!opens_flows(l->row))
		return;
	job->flow_bits = 26; /* every packet another flow, none of those that are open */
	job->flow_base = BENCH_FLOWS;
	job->next = l->next_flow & ((1u << 26) - 1);
}

/* Two runs of the same packets, through the empty program and through ours. */
static int measure_run(struct scene *s, struct line *l, uint32_t packets, double *base,
		       double *ours)
{
	struct run run = {.repeat = packets};
	struct zdd_count_row before, after;
	uint64_t responses;
	int err;

	set_job(s, l);
	err = scene_run(s, l->hook, true, &run);
	if (err)
		return err;
	*base = (double)run.cpu_ns;
	set_job(s, l);
	before = scene_counts(s);
	responses = scene_responses(s);
	err = scene_run(s, l->hook, false, &run);
	if (err)
		return err;
	*ours = (double)run.cpu_ns;
	after = scene_counts(s);
	subtract(&after, &before);
	check(l, &after, &run, packets);
	check_count(l, "responses", scene_responses(s) - responses,
		    l->row->packet == PACKET_RESPONSE ? packets : 0, 0);
	l->next += packets;
	l->next_flow += packets;
	return 0;
}

static uint32_t packets_of(const struct line *l)
{
	uint32_t packets = opens_flows(l->row) ? NEW_PACKETS : l->bits ? MANY_PACKETS : FEW_PACKETS;

	return few ? packets >> FEW_SHIFT : packets;
}

static bool is_watched(const struct row *r)
{
	return r->packet == PACKET_BODY || r->packet == PACKET_RESPONSE;
}

/* Only what was not there before is looked at. */
static void watch(struct scene *s, struct line *l)
{
	const struct bench_job *job = &s->prep->bss->job;

	set_job(s, l);
	scene_rewind(s, l->row->kind,
		     job->seq + (uint32_t)(job->next >> job->flow_bits) * job->seq_step);
	scene_watch_http(s, true);
}

static int measure(struct line *l, unsigned round)
{
	struct scene *s = &scenes[l->row->scene];
	uint32_t packets = packets_of(l);
	double base, ours;
	int err;

	if (opens_flows(l->row)) {
		scene_clear_new(s, l->row->kind);
		scene_fill_new(s, l->row->kind, l->row->new_fill);
	}
	base = ours = 0;
	if (is_watched(l->row))
		watch(s, l);
	err = measure_run(s, l, packets, &base, &ours);
	scene_watch_http(s, false);
	if (opens_flows(l->row))
		scene_clear_new(s, l->row->kind);
	l->base[round] = base / packets;
	l->net[round] = (ours - base) / packets;
	return err;
}

static int measure_all(unsigned rounds, struct memory *memory)
{
	int err = 0;

	for (unsigned round = 0; round <= rounds && !err; round++) {
		memory_ns[round ? round - 1 : 0] = memory ? memory_measure(memory) : 0;
		for (unsigned scene = 0; scene < SCENES; scene++) {
			scene_turn_on(&scenes[scene]);
			for (unsigned i = 0; i < n_lines && !err; i++)
				if (lines[i].row->scene == scene) /* round 0 warms up */
					err = measure(&lines[i], round ? round - 1 : 0);
		}
	}
	return err;
}

/* ---- telling ---- */

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print_figures(const char *name, double *values, unsigned n)
{
	qsort(values, n, sizeof(*values), ascending);
	printf(", \"%s\": {\"median\": %.1f, \"min\": %.1f, \"max\": %.1f}", name, values[n / 2],
	       values[0], values[n - 1]);
}

static void print_line(struct line *l, unsigned rounds)
{
	const char *table = l->row->scene == SCENE_FULL ? "full" : "fresh";

	printf("{\"hook\": \"%s\", \"case\": \"%s\", \"table\": \"%s\", \"flows\": %u",
	       hook_names[l->hook], l->row->name, table, opens_flows(l->row) ? 0 : 1u << l->bits);
	print_figures("net_ns", l->net, rounds);
	print_figures("empty_ns", l->base, rounds);
	if (l->fault[0])
		printf(", \"fault\": \"%s\"", l->fault);
	printf("}\n");
}

/* 0, or -EIO when a line does not count. */
static int print_all(unsigned rounds)
{
	int err = 0;

	printf("{\"case\": \"memory\"");
	print_figures("ns", memory_ns, rounds);
	printf("}\n");
	for (unsigned i = 0; i < n_lines; i++) {
		print_line(&lines[i], rounds);
		err = lines[i].fault[0] ? -EIO : err;
	}
	return err;
}

/* ---- */

/* For the TCP flows of all kinds: twice of what is put there, or half more. */
static uint32_t places(unsigned scene)
{
	uint32_t flows = (KINDS - 2) * bench_flows();

	return scene == SCENE_FULL ? flows / 2 * 3 : flows * 2;
}

static int prepare(struct prep_bpf *prep)
{
	static const enum fill fills[SCENES] = {FILL_NONE, FILL_LIVE};
	int err = 0;

	for (unsigned i = 0; i < SCENES && !err; i++) {
		fprintf(stderr, "nsbench: opening %u flows (table %u of %u)\n",
			KINDS * bench_flows(), i + 1, SCENES);
		err = scene_open(&scenes[i], prep, places(i));
		if (!err)
			err = scene_populate(&scenes[i], fills[i]);
	}
	return err;
}

static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

int main(int argc, char **argv)
{
	struct memory *memory;
	struct prep_bpf *prep;
	unsigned rounds;
	int err;

	few = argc > 1 && !strcmp(argv[1], "--few");
	if (few) {
		argc--;
		argv++;
		bench_flow_bits = FEW_FLOW_BITS;
	}
	rounds = argc > 1 ? (unsigned)atoi(argv[1]) : ROUNDS;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	make_lines(argc > 2 ? argv[2] : NULL);
	stay_on_one_cpu();
	memory = few ? NULL : memory_make();
	prep = prep_bpf__open_and_load();
	err = prep && (memory || few) ? prepare(prep) : -errno;
	if (!err)
		err = measure_all(rounds, memory);
	if (!err)
		err = print_all(rounds);
	if (err)
		fprintf(stderr, "nsbench: %s\n", strerror(-err));
	for (unsigned i = 0; i < SCENES; i++)
		if (scenes[i].dp.bpf)
			scene_close(&scenes[i]);
	prep_bpf__destroy(prep);
	memory_free(memory);
	return err != 0;
}
