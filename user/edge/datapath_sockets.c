/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections of mode local: the sockets of this host's own processes, told as the flows that they
 * would be elsewhere. Whose they are stands beside them, in `taken_by`. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "datapath_int.h"
#include "doors.h"
#include "explain.h"
#include "taken.h"
#include "zdd.skel.h"

enum { PORTS_MAX = 8, REST_TIMES = 8 };

/* ---- the storage: pinned beside DIR/maps, since it has no size and open connections keep it ---- */

static const char pin[] = "taken_by";

/* One that another build made in another size is left; connections of then are not known. */
static int open_taken(const struct datapath *dp)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = pin_get(dp, ".", pin);

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.value_size == sizeof(struct zdd_taken))
		return fd;
	taken_unpin(dp->dir_fd);
	close(fd);
	return 0;
}

static int pin_taken(const struct datapath *dp)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dp->dir, pin);
	return bpf_obj_pin(bpf_map__fd(dp->bpf->maps.taken_by), path) ? -errno : 0;
}

int taken_load(struct datapath *dp, const int *pinned_fds, char **error)
{
	int err;

	dp->taken = open_taken(dp);
	err = kernel_load(dp, pinned_fds, error);
	if (!err && !dp->taken) {
		err = pin_taken(dp);
		if (err)
			explain(error, err, "pinning %s under %s: %s", pin, dp->dir,
				strerror(-err));
	}
	if (dp->taken)
		close(dp->taken);
	dp->taken = 0;
	return err;
}

void taken_unpin(int dir_fd)
{
	unlinkat(dir_fd, pin, 0);
}

/* ---- looking ---- */

struct look {
	const struct datapath *dp;
	uint32_t now;
	bool (*each)(const struct datapath_socket *, void *context);
	void *context;
	bool over;
};

static uint16_t state_of(uint8_t tcp)
{
	if (tcp == TCP_CLOSE_WAIT)
		return ZDD_F_FIN_C;
	return tcp == TCP_FIN_WAIT1 || tcp == TCP_FIN_WAIT2 ? ZDD_F_FIN_S : 0;
}

static bool take(const struct net_socket *s, void *context)
{
	struct look *l = context;
	const struct zdd_memory *m = &l->dp->memory;
	struct datapath_socket found = {.socket = *s};
	uint32_t idle = (uint32_t)((uint64_t)s->idle_ms * m->geometry->hz / 1000);
	union zdd_owner owner;

	if (!taken_owner(m, ZDD_WORD_SLOT(m->desk->word), &s->local, s->id.idiag_sport, &s->taken,
			 &owner))
		return true;
	found.flow = taken_flow(owner, &s->taken, &s->remote, s->id.idiag_dport, state_of(s->state),
				l->now, idle);
	l->over = !l->each(&found, l->context);
	return !l->over;
}

static bool is_local(const struct zdd_memory *m, const struct zdd_listener *l)
{
	unsigned slot = ZDD_WORD_SLOT(m->desk->word);
	uint32_t buckets = m->geometry->door_buckets;
	const struct zdd_door *door =
		door_get(&m->doors[slot * buckets], buckets, &l->addr, l->port, IPPROTO_TCP);

	if (!door || door->kind != ZDD_DOOR_LISTENER)
		return false;
	return door->service == ZDD_NONE ||
	       m->services[slot * m->geometry->services + door->service].flags & ZDD_S_LOCAL;
}

/* The kernel sorts by one port. 0, any: there are more than it is worth asking for one by one. */
static size_t ports_of(const struct zdd_memory *m, __be16 ports[PORTS_MAX])
{
	size_t n = 0;

	for (uint32_t i = 0; i < m->geometry->listeners; i++) {
		const struct zdd_listener *l = &m->listeners[i];
		size_t k = 0;

		if (!l->used || l->proto != IPPROTO_TCP || !is_local(m, l))
			continue;
		while (k < n && ports[k] != l->port)
			k++;
		if (k == PORTS_MAX) {
			ports[0] = 0;
			return 1;
		}
		if (k == n)
			ports[n++] = l->port;
	}
	return n;
}

int datapath_each_socket(const struct datapath *dp, bool with_idle,
			 bool (*each)(const struct datapath_socket *, void *), void *context)
{
	struct look l = {dp, (uint32_t)kernel_jiffies(dp), each, context, false};
	__be16 ports[PORTS_MAX];
	int err = dp->sockets ? 0 : -ENOTCONN;

	if (!hook_is_set(dp, HOOK_LOOKUP, 0))
		return 0;
	for (size_t i = 0, n = ports_of(&dp->memory, ports); i < n && !err && !l.over; i++)
		err = net_sockets_each(
			dp->sockets,
			&(struct net_sockets_asked){ports[i], bpf_map__fd(dp->bpf->maps.taken_by),
						    with_idle},
			take, &l);
	return err;
}

int datapath_end_socket(const struct datapath *dp, const struct datapath_socket *s)
{
	return dp->sockets ? net_socket_end(dp->sockets, &s->socket) : -ENOTCONN;
}

const char *datapath_sockets_trouble(const struct datapath *dp)
{
	switch (-dp->sockets_trouble) {
	case 0:
		return NULL;
	case EOPNOTSUPP:
		return "this kernel ends no sockets, it has no CONFIG_INET_DIAG_DESTROY";
	case EPROTONOSUPPORT:
		return "this kernel shows no sockets, it has no CONFIG_INET_DIAG or may not load "
		       "tcp_diag";
	default:
		return strerror(-dp->sockets_trouble);
	}
}

/* ---- counting ---- */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool count(const struct datapath_socket *s, void *context)
{
	tally_count(context, &s->flow);
	return true;
}

/* What cannot be read leaves the count as it was. */
void sockets_count(struct datapath *dp, bool at_once)
{
	uint64_t began_ns = now_ns(), ended_ns;
	struct tally done = dp->local_round;

	if (!at_once && began_ns < dp->local_rest_ns)
		return;
	tally_clear(&dp->local_round, &dp->geometry);
	if (!datapath_each_socket(dp, false, count, &dp->local_round)) {
		dp->local_round = dp->local_last;
		dp->local_last = done;
	}
	ended_ns = now_ns();
	dp->local_rest_ns = ended_ns + REST_TIMES * (ended_ns - began_ns);
}

/* ---- the beginning ---- */

int sockets_make(struct datapath *dp)
{
	int err = net_sockets_open(&dp->sockets);

	dp->sockets_trouble = err ? err : net_sockets_trouble(dp->sockets);
	return err == -ENOMEM ? err : 0;
}
