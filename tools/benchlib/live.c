/* SPDX-License-Identifier: BSD-2-Clause */
/* One burst of packets through a node that stands in network namespaces already:
 *
 *   live --client NETNS/DEV/IPV4 --node NETNS/DEV/DEV [--sink NETNS/DEV] --to IPV4:PORT
 *        --sent N --flows N --arrives-as xdp|tc --port PORT [--floor drop|redirect] [--cpu N]
 *
 * The client's device is where frames leave, the node's are towards the client and the sink, which
 * counts and ends them; without one they go to who listens there. Before N a burst of one packet
 * for each flow opens the flows. Prints
 * one JSON object. All programs end with this process. CPU time is that of this thread, in which
 * the kernel forwards the packets too, and of its CPU's ksoftirqd. */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "live.h"
#include "live.skel.h"

enum { TCX_INGRESS = 46, /* enum bpf_attach_type, Linux 6.6 */ QUIET_LOOKS = 20 };

struct place {
	char netns[64], devices[2][IFNAMSIZ];
	char address[INET_ADDRSTRLEN];
};

struct options {
	struct place client, node, sink;
	struct in_addr to;
	uint16_t to_port, port;
	uint32_t sent, flows;
	bool as_skb;
	const char *floor;
	unsigned cpu;
};

static void die(const char *what)
{
	fprintf(stderr, "live: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- namespaces and devices ---- */

static void enter(const struct place *p)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", p->netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static uint32_t index_of(const char *device)
{
	uint32_t index = if_nametoindex(device);

	if (!index)
		die(device);
	return index;
}

static void mac_of(const char *device, uint8_t mac[6])
{
	struct ifreq request = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, IFNAMSIZ, "%s", device);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &request))
		die(device);
	close(fd);
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
}

static void attach(const struct bpf_program *program, const char *device, enum bpf_attach_type type)
{
	if (bpf_link_create(bpf_program__fd(program), (int)index_of(device), type, NULL) < 0)
		die("attaching");
}

static void attach_sink(const struct options *o, struct live_bpf *bpf)
{
	if (!o->sink.netns[0])
		return;
	enter(&o->sink);
	mac_of(o->sink.devices[0], bpf->bss->hop.dmac);
	if (o->floor && !strcmp(o->floor, "drop"))
		return;
	if (o->as_skb)
		attach(bpf->progs.sink_tc, o->sink.devices[0], (enum bpf_attach_type)TCX_INGRESS);
	else
		attach(bpf->progs.sink_xdp, o->sink.devices[0], BPF_XDP);
}

static void attach_floor(const struct options *o, struct live_bpf *bpf)
{
	const struct place *node = &o->node;

	enter(node);
	mac_of(node->devices[0], bpf->bss->job.frame);
	mac_of(node->devices[1], bpf->bss->hop.smac);
	bpf->bss->hop.ifindex = index_of(node->devices[1]);
	if (!o->floor)
		return;
	attach(strcmp(o->floor, "drop") ? bpf->progs.floor_redirect : bpf->progs.floor_drop,
	       node->devices[0], BPF_XDP);
	attach(bpf->progs.floor_pass, node->devices[1], BPF_XDP);
}

/* ---- frames ---- */

static uint32_t sum_of(const uint8_t *at, unsigned length)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < length; i += 2) {
		uint16_t word;

		memcpy(&word, at + i, 2);
		sum += word;
	}
	return sum;
}

/* Source address and checksums are left 0: the program sets them. */
static void make_frame(const struct options *o, struct live_job *job)
{
	const uint16_t ip_length = LIVE_FRAME - 14, udp_length = ip_length - 20;
	uint8_t *f = job->frame;
	struct in_addr client;

	mac_of(o->client.devices[0], f + 6);
	f[12] = 8;
	f[14] = 0x45;
	*(uint16_t *)(f + 16) = htons(ip_length);
	f[22] = 64;
	f[23] = IPPROTO_UDP;
	memcpy(f + 30, &o->to, 4);
	*(uint16_t *)(f + 34) = htons(20000);
	*(uint16_t *)(f + 36) = htons(o->to_port);
	*(uint16_t *)(f + 38) = htons(udp_length);
	job->ip_sum = sum_of(f + 14, 20);
	job->udp_sum = sum_of(f + 34, udp_length) + sum_of(f + 30, 4) + htons(IPPROTO_UDP) +
		       htons(udp_length);
	if (inet_pton(AF_INET, o->client.address, &client) != 1)
		die(o->client.address);
	job->client = ntohl(client.s_addr);
	job->flow_mask = o->flows - 1;
	job->ifindex = index_of(o->client.devices[0]);
}

/* ---- measuring ---- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool is_process(const char *pid, const char *name)
{
	char path[64], comm[32] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%.16s/comm", pid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(comm, sizeof(comm), file))
		comm[0] = '\0';
	fclose(file);
	comm[strcspn(comm, "\n")] = '\0';
	return !strcmp(comm, name);
}

/* The pid of a kernel thread by name. */
static int kernel_thread(const char *name)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	int pid = 0;

	while (proc && !pid && (entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		    is_process(entry->d_name, name))
			pid = atoi(entry->d_name);
	if (proc)
		closedir(proc);
	return pid;
}

static uint64_t run_time(int pid)
{
	char path[64];
	unsigned long long ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%llu", &ns) != 1)
		ns = 0;
	if (file)
		fclose(file);
	return ns;
}

static uint64_t arrived(const struct live_bpf *bpf)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LIVE_CPUS; i++)
		sum += ((volatile struct live_count *)bpf->bss->delivered)[i].packets;
	return sum;
}

/* Until all that was sent has arrived, or nothing arrives any more. */
static void settle(const struct live_bpf *bpf, uint64_t expected)
{
	const struct timespec pause = {.tv_nsec = 1000000};
	uint64_t last = 0;

	for (unsigned quiet = 0; quiet < QUIET_LOOKS && arrived(bpf) < expected; quiet++) {
		if (arrived(bpf) != last)
			quiet = 0;
		last = arrived(bpf);
		nanosleep(&pause, NULL);
	}
}

struct burst {
	uint64_t cpu_ns, wall_ns, arrived;
};

static struct burst send_burst(const struct live_bpf *bpf, uint32_t packets, int softirqd)
{
	uint8_t frame[LIVE_FRAME] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = sizeof(frame),
		    .repeat = (int)packets, .flags = BPF_F_TEST_XDP_LIVE_FRAMES);
	uint64_t before = arrived(bpf), softirq = run_time(softirqd);
	uint64_t cpu = now_ns(CLOCK_THREAD_CPUTIME_ID), wall = now_ns(CLOCK_MONOTONIC);
	struct burst b;

	if (bpf_prog_test_run_opts(bpf_program__fd(bpf->progs.generate), &opts))
		die("sending");
	b.cpu_ns = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	b.wall_ns = now_ns(CLOCK_MONOTONIC) - wall;
	settle(bpf, before + packets);
	b.cpu_ns += run_time(softirqd) - softirq;
	b.arrived = arrived(bpf) - before;
	return b;
}

static void measure(const struct options *o, const struct live_bpf *bpf)
{
	char name[32];
	struct burst b;
	int softirqd;

	snprintf(name, sizeof(name), "ksoftirqd/%u", o->cpu);
	softirqd = kernel_thread(name);
	send_burst(bpf, o->flows, softirqd); /* flows are open from now on */
	b = send_burst(bpf, o->sent, softirqd);
	printf("{\"sent\": %u, \"arrived\": %llu, \"cpu_ns\": %.1f, \"per_second\": %.0f}\n",
	       o->sent, (unsigned long long)b.arrived,
	       b.arrived ? (double)b.cpu_ns / (double)b.arrived : 0,
	       (double)b.arrived * 1e9 / (double)b.wall_ns);
}

/* ---- options ---- */

static void read_place(const char *text, struct place *p)
{
	char rest[64] = "";

	if (sscanf(text, "%63[^/]/%15[^/]/%63s", p->netns, p->devices[0], rest) < 2) {
		errno = EINVAL;
		die(text);
	}
	snprintf(p->devices[1], IFNAMSIZ, "%.15s", rest);
	snprintf(p->address, sizeof(p->address), "%.15s", rest);
}

static void read_target(const char *text, struct options *o)
{
	char address[INET_ADDRSTRLEN] = "";

	if (sscanf(text, "%15[^:]:%hu", address, &o->to_port) != 2 ||
	    inet_pton(AF_INET, address, &o->to) != 1) {
		errno = EINVAL;
		die(text);
	}
}

static void read_option(struct options *o, int key, const char *value)
{
	switch (key) {
	case 'c':
		return read_place(value, &o->client);
	case 'n':
		return read_place(value, &o->node);
	case 's':
		return read_place(value, &o->sink);
	case 't':
		return read_target(value, o);
	}
	if (key == 'N')
		o->sent = (uint32_t)strtoul(value, NULL, 10);
	else if (key == 'F')
		o->flows = (uint32_t)strtoul(value, NULL, 10);
	else if (key == 'a')
		o->as_skb = !strcmp(value, "tc");
	else if (key == 'p')
		o->port = (uint16_t)strtoul(value, NULL, 10);
	else if (key == 'f')
		o->floor = value;
	else if (key == 'u')
		o->cpu = (unsigned)strtoul(value, NULL, 10);
	else
		exit(2);
}

static void read_options(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {
		{"client", 1, NULL, 'c'},
		{"node", 1, NULL, 'n'},
		{"sink", 1, NULL, 's'},
		{"to", 1, NULL, 't'},
		{"sent", 1, NULL, 'N'},
		{"flows", 1, NULL, 'F'},
		{"port", 1, NULL, 'p'},
		{"floor", 1, NULL, 'f'},
		{"arrives-as", 1, NULL, 'a'},
		{"cpu", 1, NULL, 'u'},
		{0},
	};
	int key;

	*o = (struct options){.sent = 1000000, .flows = 4096, .cpu = 1};
	while ((key = getopt_long(argc, argv, "", names, NULL)) != -1)
		read_option(o, key, optarg);
}

static void stay_on(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("choosing a CPU");
}

int main(int argc, char **argv)
{
	struct options o;
	struct live_bpf *bpf;

	read_options(&o, argc, argv);
	stay_on(o.cpu);
	bpf = live_bpf__open_and_load();
	if (!bpf)
		die("loading");
	bpf->bss->delivered_port = htons(o.port);
	attach_sink(&o, bpf);
	attach_floor(&o, bpf);
	enter(&o.client);
	make_frame(&o, &bpf->bss->job);
	measure(&o, bpf);
	live_bpf__destroy(bpf);
	return 0;
}
