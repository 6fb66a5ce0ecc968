/* SPDX-License-Identifier: BSD-2-Clause */
/* The programs themselves, run by BPF_PROG_TEST_RUN in a network namespace of this process. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include "engine.h"
#include "zdd.skel.h"

enum { HEADERS = 14 + 40 };

/* With bpf_cast_to_kern_ctx, which kernels before 6.2 lack, and without. */
static struct zdd_bpf *objects[2];

/* ---- running ---- */

static enum ran_code xdp_code(__u32 code)
{
	return code == XDP_REDIRECT ? RAN_SENT : code == XDP_PASS ? RAN_PASSED : RAN_DROPPED;
}

static enum ran_code tc_code(__u32 code)
{
	if (code == TC_ACT_REDIRECT)
		return RAN_SENT;
	return code == (__u32)TC_ACT_UNSPEC ? RAN_PASSED : RAN_DROPPED;
}

static int kernel_run(struct engine *e, bool egress, const struct frame *in, struct ran *out)
{
	bool xdp = e->hook == HOOK_XDP && !egress;
	struct zdd_count_row before = counts_sum(&e->memory), after;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->bytes, .data_size_in = in->len,
		    .data_out = out->out.bytes, .data_size_out = sizeof(out->out.bytes),
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(egress ? e->fd_out : e->fd_in, &opts);

	if (err)
		return err == -EINVAL && in->len < HEADERS ? -ENOTSUP : err;
	out->out.len = opts.data_size_out;
	out->code = xdp ? xdp_code(opts.retval) : tc_code(opts.retval);
	after = counts_sum(&e->memory);
	out->counts = counts_minus(&after, &before);
	return 0;
}

/* ---- loading ---- */

static void size_maps(struct zdd_bpf *o, const struct zdd_geometry *g)
{
#define M(name, type, count) bpf_map__set_max_entries(o->maps.name, count);
	ZDD_MEMORY(M)
#undef M
	bpf_map__set_max_entries(o->maps.socks, g->backends * ZDD_SOCKS_PER_BACKEND);
}

static void only_packet_programs(struct zdd_bpf *o)
{
	struct bpf_program *p;

	bpf_object__for_each_program(p, o->obj) {
		const char *name = bpf_program__name(p);

		bpf_program__set_autoload(p,
					  !strcmp(name, "zdd_xdp") || !strncmp(name, "zdd_tc_", 7));
	}
}

static const char *load(bool cast, struct zdd_bpf **out)
{
	struct zdd_bpf *o = zdd_bpf__open();

	if (!o)
		return "the object does not open";
	memcpy((void *)&o->rodata->geometry, &engine_geometry, sizeof(engine_geometry));
	*(volatile __u8 *)&o->rodata->has_cast = cast;
	size_maps(o, &engine_geometry);
	only_packet_programs(o);
	*out = o;
	return zdd_bpf__load(o) ? "the programs do not load" : NULL;
}

static void *map_memory(const struct bpf_map *map, size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, (bytes + page - 1) / page * page, PROT_READ | PROT_WRITE, MAP_SHARED,
			bpf_map__fd(map), 0);

	return at == MAP_FAILED ? NULL : at;
}

static const char *map_all(struct zdd_bpf *o, struct zdd_memory *m)
{
	const struct zdd_geometry *g = &engine_geometry;
	bool all = true;

	m->geometry = g;
#define M(name, type, count)                                                                       \
	m->name = map_memory(o->maps.name, (size_t)(count) * sizeof(type));                        \
	all &= m->name != NULL;
	ZDD_MEMORY(M)
#undef M
	return all ? NULL : "the maps cannot be mapped";
}

/* ---- the namespace: it dies with the process ---- */

static const char *make_namespace(void)
{
	char text[1024];

	if (unshare(CLONE_NEWNET))
		return "no network namespace";
	snprintf(
		text, sizeof(text),
		"set -e; ip link set lo up; ip link add zdd0 type veth peer name zdd1;"
		"sysctl -qw net.ipv4.conf.all.forwarding=1 net.ipv6.conf.all.forwarding=1"
		" net.ipv6.conf.zdd0.accept_dad=0;"
		"ip link set zdd0 address %s; ip link set zdd0 up; ip link set zdd1 up;"
		"ip addr add 192.0.2.1/24 dev zdd0; ip -6 addr add 2001:db8:1::1/64 dev zdd0 nodad;"
		"ip neigh add 192.0.2.2 lladdr %s dev zdd0;"
		"ip -6 neigh add 2001:db8:1::2 lladdr %s dev zdd0;"
		"ip route add %s via 192.0.2.2; ip -6 route add %s via 2001:db8:1::2",
		"02:00:00:00:0f:01", "02:00:00:00:0f:02", "02:00:00:00:0f:02", fib_ways[0].prefix,
		fib_ways[1].prefix);
	return system(text) ? "ip(8) could not set up a namespace" : NULL;
}

static void stay_on_one_cpu(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static bool kernel_has_cast(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has = btf && btf__find_by_name_kind(btf, "bpf_cast_to_kern_ctx", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return has;
}

/* Why an object cannot be used; NULL: it can. */
static const char *prepare(bool cast, struct zdd_bpf **out, struct zdd_memory *memory)
{
	const char *skip = "this kernel has no bpf_cast_to_kern_ctx (6.2)";

	if (cast && !kernel_has_cast())
		return skip;
	skip = load(cast, out);
	return skip ? skip : map_all(*out, memory);
}

void kernel_engines(struct engine e[3])
{
	struct zdd_memory memory[2] = {{.geometry = &engine_geometry}};
	const char *unfit = geteuid() ? "needs root" : make_namespace(), *skip[2] = {unfit, unfit};

	stay_on_one_cpu();
	for (int i = 0; i < 2 && !unfit; i++)
		skip[i] = prepare(i == 0, &objects[i], &memory[i]);
	e[0] = (struct engine){.name = "xdp", .hook = HOOK_XDP};
	e[1] = (struct engine){.name = "tc", .hook = HOOK_TC};
	e[2] = (struct engine){.name = "tc-helpers", .hook = HOOK_TC};
	for (int i = 0; i < 3; i++) {
		/* XDP is the same in both objects. */
		int k = i == 2 || (i == 0 && skip[0]);

		e[i].skip = skip[k];
		e[i].run = kernel_run;
		e[i].memory = memory[k];
		if (skip[k])
			continue;
		e[i].fd_in = bpf_program__fd(i ? objects[k]->progs.zdd_tc_in
					       : objects[k]->progs.zdd_xdp);
		e[i].fd_out = bpf_program__fd(objects[k]->progs.zdd_tc_out);
	}
}

void kernel_engines_close(void)
{
	zdd_bpf__destroy(objects[0]);
	zdd_bpf__destroy(objects[1]);
}
