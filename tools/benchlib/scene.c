/* SPDX-License-Identifier: BSD-2-Clause */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frames.h"
#include "geometry.h"
#include "prep.skel.h"
#include "zdd.skel.h"

enum {
	BACKENDS = 8,   /* per pool and family */
	LO_IFINDEX = 1, /* where test runs seem to come from */
	HOP = 1,
	SOURCE = 1,
};

/* ---- the plan ---- */

static void add_pool(FILE *out, const char *name, unsigned net)
{
	fprintf(out, "      %s: [", name);
	for (unsigned i = 1; i <= BACKENDS; i++)
		fprintf(out, "\"10.0.%u.%u:8080\", \"[fd00:%u::%x]:8080\"%s", net, i, net, i,
			i < BACKENDS ? ", " : "]\n");
}

/* A one-way mode: its backends have the listener's port. */
static void add_road(FILE *out, const struct kind *k)
{
	fprintf(out,
		"  %s:\n"
		"    listen: [\"" VIP4_TEXT ":%u/tcp\"]\n"
		"    health: {type: none}\n"
		"    idle: {tcp: 2h}\n"
		"    forward: %s\n"
		"    live: blue\n"
		"    pools:\n"
		"      blue: [",
		k->mode, k->port, k->mode);
	for (unsigned i = 1; i <= BACKENDS; i++)
		fprintf(out, "\"10.0.1.%u:%u\"%s", i, k->port, i < BACKENDS ? ", " : "]\n");
}

static char *config_text(uint32_t flows)
{
	unsigned port = kinds[TCP4].port;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	fprintf(out,
		"interfaces: [lo]\n"
		"flows: {tcp: %u, udp: %u}\n"
		"services:\n"
		"  bench:\n"
		"    listen: [\"" VIP4_TEXT ":%u/tcp\", \"[" VIP6_TEXT "]:%u/tcp\", "
		"\"" VIP4_TEXT ":%u/udp\", \"[" VIP6_TEXT "]:%u/udp\"]\n"
		"    health: {type: none}\n"
		"    idle: {tcp: 2h, udp: 1h}\n"
		"    live: blue\n"
		"    pools:\n",
		flows, flows, port, port, port, port);
	add_pool(out, "blue", 1);
	add_pool(out, "green", 2);
	for (enum bench_kind kind = DSR4; kind < KINDS; kind++)
		add_road(out, &kinds[kind]);
	fclose(out);
	return text;
}

static int make_world(uint32_t flows, struct world **world, char **error)
{
	char *text = config_text(flows);
	struct config *config = NULL;
	int err = config_parse("bench", text, strlen(text), &config, error);

	if (!err) {
		err = world_make(config, NULL, world, error);
		if (err)
			config_free(config);
	}
	free(text);
	return err;
}

static int publish(struct scene *s, struct world *world, char **error)
{
	struct planner *planner = NULL;
	int slot, err = planner_make(&s->dp.memory, &planner);

	if (err)
		return err;
	slot = planner_compile(planner, world, NULL, 0, error);
	if (slot >= 0)
		planner_publish(planner, (unsigned)slot, 0);
	planner_free(planner);
	return slot < 0 ? slot : 0;
}

/* What the daemon would have learned from the network: one next hop, one link. */
static void set_network(struct zdd_memory *m)
{
	struct zdd_link *link = &m->links[zdd_link_slot(LO_IFINDEX)];

	m->hops[HOP] = (struct zdd_hop){
		.ifindex = LO_IFINDEX,
		.flags = ZDD_H_RESOLVED | ZDD_H_XDP,
		.dmac = {2, 0, 0, 0, 1, 1},
		.smac = {2, 0, 0, 0, 1, 2},
		.mtu = 9000,
		.source = SOURCE,
	};
	m->sources[SOURCE] = zdd_addr_v4(htonl(0x0a000101));
	*link = (struct zdd_link){
		.ifindex = LO_IFINDEX, .flags = ZDD_H_XDP, .mac = {2, 0, 0, 0, 0, 1}};
	for (uint32_t i = 0; i < m->geometry->backends; i++)
		if (m->backends[i].flags & ZDD_B_USED)
			m->backends[i].hop = HOP;
}

static int load(struct scene *s, const struct config *config, char **error)
{
	int fds[MAP_COUNT], err;

	geometry_for(config, &s->dp.geometry);
	s->dp.geometry.cpus = (uint32_t)libbpf_num_possible_cpus();
	err = kernel_hz(&s->dp.geometry.hz, error);
	if (!err)
		err = kernel_load(&s->dp, NULL, error);
	if (err)
		return err;
	for (unsigned i = 0; i < MAP_COUNT; i++)
		fds[i] = bpf_object__find_map_fd_by_name(s->dp.bpf->obj, map_names[i]);
	err = memory_map(&s->dp, fds, error);
	if (!err) {
		s->dp.memory.desk->geometry = s->dp.geometry;
		s->dp.memory.desk->flow_seed = 0x5eed5eed5eed5eedull;
	}
	return err;
}

int scene_open(struct scene *s, struct prep_bpf *prep, uint32_t flows)
{
	struct world *world = NULL;
	char *error = NULL;
	int err = make_world(flows, &world, &error);

	memset(s, 0, sizeof(*s));
	s->prep = prep;
	s->peers = calloc(BENCH_KINDS * BENCH_FLOWS, sizeof(*s->peers));
	if (!err)
		err = load(s, world->config, &error);
	if (!err)
		err = publish(s, world, &error);
	if (!err)
		set_network(&s->dp.memory);
	else
		fprintf(stderr, "bench: no data path: %s\n", error ? error : strerror(-err));
	world_free(world);
	free(error);
	return err;
}

void scene_close(struct scene *s)
{
	memory_unmap(&s->dp);
	zdd_bpf__destroy(s->dp.bpf);
	free(s->peers);
	memset(s, 0, sizeof(*s));
}

void scene_watch_http(struct scene *s, bool on)
{
	for (uint32_t i = 0; i < s->dp.geometry.listeners; i++) {
		struct zdd_listener *l = &s->dp.memory.listeners[i];

		l->flags = on ? l->flags | ZDD_L_HTTP : l->flags & ~ZDD_L_HTTP;
	}
}

/* ---- runs ---- */

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int program_of(const struct scene *s, enum bench_hook hook, bool empty)
{
	const struct bpf_program *const programs[BENCH_HOOKS] = {
		s->dp.bpf->progs.zdd_xdp, s->dp.bpf->progs.zdd_tc_in, s->dp.bpf->progs.zdd_tc_out};
	const struct bpf_program *nothing =
		hook == BENCH_XDP ? s->prep->progs.empty_xdp : s->prep->progs.empty_tc;

	return bpf_program__fd(empty ? nothing : programs[hook]);
}

int scene_run(struct scene *s, enum bench_hook hook, bool empty, struct run *run)
{
	const struct bpf_map *map =
		hook == BENCH_XDP ? s->prep->maps.xdp_under_test : s->prep->maps.tc_under_test;
	const struct bpf_program *prep =
		hook == BENCH_XDP ? s->prep->progs.prep_xdp : s->prep->progs.prep_tc;
	const uint8_t *in = s->prep->bss->job.frame; /* prep writes headers alone */
	uint8_t out[2 * BENCH_FRAME];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in, .data_out = out,
		    .data_size_in = s->prep->bss->job.length, .data_size_out = sizeof(out),
		    .repeat = (int)run->repeat);
	uint32_t key = 0;
	int program = program_of(s, hook, empty);
	uint64_t begin;

	if (bpf_map_update_elem(bpf_map__fd(map), &key, &program, 0))
		return -errno;
	begin = cpu_ns();
	if (bpf_prog_test_run_opts(bpf_program__fd(prep), &opts))
		return -errno;
	run->cpu_ns = cpu_ns() - begin;
	run->action = opts.retval;
	run->length = opts.data_size_out;
	return 0;
}

struct zdd_count_row scene_counts(const struct scene *s)
{
	struct zdd_count_row sum = {0};

	for (uint32_t cpu = 0; cpu < s->dp.geometry.cpus; cpu++) {
		const struct zdd_count_row *row = &s->dp.memory.counts[cpu];

		for (unsigned i = 0; i < ZDD_VERDICT_COUNT; i++)
			sum.verdict[i] += row->verdict[i];
		for (unsigned i = 0; i < ZDD_NOTE_COUNT; i++)
			sum.note[i] += row->note[i];
	}
	return sum;
}

uint64_t scene_responses(const struct scene *s)
{
	const struct zdd_geometry *g = &s->dp.geometry;
	uint64_t sum = 0;

	for (uint32_t i = 0; i < g->cpus * ZDD_WATCHED(g); i++)
		sum += s->dp.memory.pool_signals[i].kind[ZDD_SIG_HTTP_5XX].n;
	return sum;
}
