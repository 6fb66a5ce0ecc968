/* SPDX-License-Identifier: BSD-2-Clause */
/* The loaded object, and what it must know of the kernel beforehand. */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "datapath_int.h"
#include "explain.h"
#include "zdd.skel.h"

/* What libbpf said last; its lines are for developers, the last one names the trouble. */
static char last_words[256];

static int keep_words(enum libbpf_print_level level, const char *format, va_list args)
{
	if (level == LIBBPF_WARN) {
		vsnprintf(last_words, sizeof(last_words), format, args);
		last_words[strcspn(last_words, "\n")] = '\0';
	}
	return 0;
}

/* ---- jiffies ---- */

struct clock_sample {
	uint64_t jiffies, ns;
};

static int sample_clock(int fd, struct clock_sample *sample)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = sample,
			    .ctx_size_in = sizeof(*sample));

	memset(sample, 0, sizeof(*sample));
	return bpf_prog_test_run_opts(fd, &opts);
}

uint64_t kernel_jiffies(const struct datapath *dp)
{
	struct clock_sample sample;

	sample_clock(bpf_program__fd(dp->bpf->progs.zdd_clock), &sample);
	return sample.jiffies;
}

uint64_t datapath_age_ms(const struct datapath *dp, uint64_t jiffies)
{
	uint64_t now = kernel_jiffies(dp);

	return now > jiffies ? (now - jiffies) * 1000 / dp->geometry.hz : 0;
}

/* The first sample after a tick. */
static int sample_tick(int fd, struct clock_sample *sample)
{
	const struct timespec pause = {.tv_nsec = 100000};
	uint64_t before;
	int err = sample_clock(fd, sample);

	for (before = sample->jiffies; !err && sample->jiffies == before;) {
		nanosleep(&pause, NULL);
		err = sample_clock(fd, sample);
	}
	return err;
}

/* Counts ticks over some 40 ms and takes the nearest rate that Linux can be built with. */
static int measure_hz(int fd, uint32_t *hz)
{
	static const uint32_t rates[] = {100, 250, 300, 1000};
	struct clock_sample from, to;
	uint32_t best = rates[0];
	double seen;

	if (sample_tick(fd, &from))
		return -errno;
	do {
		if (sample_tick(fd, &to))
			return -errno;
	} while (to.ns - from.ns < 40000000);
	seen = (double)(to.jiffies - from.jiffies) * 1e9 / (double)(to.ns - from.ns);
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		double now = seen > rates[i] ? seen / rates[i] : rates[i] / seen;
		double was = seen > best ? seen / best : best / seen;

		best = now < was ? rates[i] : best;
	}
	*hz = best;
	return 0;
}

/* Loads the clock program alone, before the sizes of the maps are known. */
int kernel_hz(uint32_t *hz, char **error)
{
	struct zdd_bpf *bpf;
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = -ENOMEM;

	libbpf_set_print(keep_words);
	bpf = zdd_bpf__open();
	if (!bpf)
		return explain(error, -errno, "BPF object: %s", last_words);
	bpf_object__for_each_program(prog, bpf->obj)
		bpf_program__set_autoload(prog, prog == bpf->progs.zdd_clock);
	bpf_object__for_each_map(map, bpf->obj)
		bpf_map__set_autocreate(map, false);
	err = bpf_object__load(bpf->obj); /* the skeleton's own load wants all maps */
	if (!err)
		err = measure_hz(bpf_program__fd(bpf->progs.zdd_clock), hz);
	if (err)
		explain(error, err, "BPF programs cannot be loaded: %s (%s)", strerror(-err),
			last_words);
	zdd_bpf__destroy(bpf);
	return err;
}

/* ---- loading ---- */

static bool kernel_has_function(const char *name)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, name, BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

static int prepare_maps(struct datapath *dp, const int *pinned_fds)
{
	int err = dp->taken > 0 ? bpf_map__reuse_fd(dp->bpf->maps.taken_by, dp->taken) : 0;

	for (unsigned i = 0; i < MAP_COUNT && !err; i++) {
		struct bpf_map *map = bpf_object__find_map_by_name(dp->bpf->obj, map_names[i]);

		if (!map)
			return -ENOENT;
		if (pinned_fds)
			err = bpf_map__reuse_fd(map, pinned_fds[i]);
		else
			err = bpf_map__set_max_entries(map, memory_count(i, &dp->geometry));
	}
	return err;
}

int kernel_load(struct datapath *dp, const int *pinned_fds, char **error)
{
	int err;

	libbpf_set_print(keep_words);
	dp->bpf = zdd_bpf__open();
	if (!dp->bpf)
		return explain(error, -errno, "BPF object: %s", last_words);
	dp->bpf->rodata->geometry = dp->geometry;
	dp->bpf->rodata->has_cast = kernel_has_function("bpf_cast_to_kern_ctx");
	err = prepare_maps(dp, pinned_fds);
	if (!err)
		err = zdd_bpf__load(dp->bpf);
	if (err)
		return explain(error, err, "BPF programs cannot be loaded: %s (%s)", strerror(-err),
			       last_words);
	return 0;
}

int kernel_program(const struct datapath *dp, enum hook_kind kind)
{
	const struct bpf_program *const programs[HOOK_KINDS] = {
		[HOOK_XDP] = dp->bpf->progs.zdd_xdp,
		[HOOK_XDP_GENERIC] = dp->bpf->progs.zdd_xdp,
		[HOOK_TC_IN] = dp->bpf->progs.zdd_tc_in,
		[HOOK_TC_OUT] = dp->bpf->progs.zdd_tc_out,
		[HOOK_FILTER_IN] = dp->bpf->progs.zdd_tc_in,
		[HOOK_FILTER_OUT] = dp->bpf->progs.zdd_tc_out,
		[HOOK_LOOKUP] = dp->bpf->progs.zdd_lookup,
		[HOOK_LISTEN] = dp->bpf->progs.zdd_listen,
	};

	return bpf_program__fd(programs[kind]);
}

int kernel_collect_sockets(const struct datapath *dp)
{
	struct bpf_link *link = bpf_program__attach_iter(dp->bpf->progs.zdd_iter, NULL);
	char ignored[256];
	int fd, err = 0;
	ssize_t got;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	do
		got = fd < 0 ? 0 : read(fd, ignored, sizeof(ignored));
	while (got > 0 || (got < 0 && errno == EAGAIN));
	if (got < 0)
		err = -errno;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}
