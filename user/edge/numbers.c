/* SPDX-License-Identifier: BSD-2-Clause */
/* The data path's counters as the views want them, and the share of new flows just seen. */
#include <stdlib.h>
#include <string.h>

#include "daemon.h"
#include "rollouts.h"

enum { SAMPLE_MS = 10000, FRESH_TIMES = 8 };

/* New flows per pool object at the last two samples: the window is 10 to 20 seconds long. */
struct sampler {
	struct daemon *daemon;
	uv_timer_t timer;
	size_t n;
	uint64_t *before, *last;
	uint64_t before_ns, last_ns; /* when */
};

static void sample(uv_timer_t *timer)
{
	struct sampler *s = timer->data;
	uint64_t *older = s->before;

	s->before = s->last;
	s->last = older;
	s->before_ns = s->last_ns;
	s->last_ns = uv_hrtime();
	for (size_t i = 0; i < s->n; i++)
		older[i] = datapath_pool_row(s->daemon->datapath, (uint16_t)i).new_flows;
}

struct sampler *sampler_make(struct daemon *d)
{
	struct sampler *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->daemon = d;
	s->n = datapath_memory(d->datapath)->geometry->pools;
	s->before = calloc(s->n, sizeof(*s->before));
	s->last = calloc(s->n, sizeof(*s->last));
	if (!s->before || !s->last) {
		sampler_free(s);
		return NULL;
	}
	uv_timer_init(d->loop, &s->timer);
	s->timer.data = s;
	uv_unref((uv_handle_t *)&s->timer);
	sample(&s->timer);
	sample(&s->timer);
	uv_timer_start(&s->timer, sample, SAMPLE_MS, SAMPLE_MS);
	return s;
}

void sampler_free(struct sampler *s)
{
	if (!s)
		return;
	free(s->before);
	free(s->last);
	free(s);
}

static struct pool_numbers pool_numbers(void *context, uint16_t object)
{
	struct daemon *d = context;
	struct pool_numbers n = {0};
	struct flow_counts flows;

	if (object == ZDD_NONE || !d->datapath)
		return n;
	flows = datapath_pool_flows(d->datapath, object);
	n.active = flows.active;
	n.half_open = flows.half;
	n.row = datapath_pool_row(d->datapath, object);
	if (d->sampler && object < d->sampler->n && n.row.new_flows > d->sampler->before[object])
		n.recent = n.row.new_flows - d->sampler->before[object];
	return n;
}

double numbers_rate(struct daemon *d, const struct world_service *s)
{
	double seconds = d->sampler ? (double)(uv_hrtime() - d->sampler->before_ns) / 1e9 : 0;
	uint64_t recent = 0;

	for (size_t i = 0; i < s->cfg->n_pools; i++)
		recent += pool_numbers(d, s->pools[i].object).recent;
	return seconds >= 1 ? (double)recent / seconds : 0;
}

static const char *mac_word(const struct zdd_memory *m, uint16_t object)
{
	const struct zdd_backend *b = &m->backends[object];

	if (!(b->flags & ZDD_B_USED))
		return NULL;
	if (m->hops[b->hop].flags & ZDD_H_LOCAL)
		return "local";
	return m->hops[b->hop].flags & ZDD_H_RESOLVED ? "resolved" : "unresolved";
}

static struct backend_numbers backend_numbers(void *context, uint16_t object)
{
	struct daemon *d = context;
	struct backend_numbers n = {0};
	struct flow_counts flows;

	if (object == ZDD_NONE || !d->datapath)
		return n;
	flows = datapath_backend_flows(d->datapath, object);
	n.active = flows.active;
	n.half_open = flows.half;
	n.row = datapath_backend_row(d->datapath, object);
	n.signals = datapath_signals(d->datapath, object);
	n.mac = mac_word(datapath_memory(d->datapath), object);
	return n;
}

static void pool_signals(void *context, uint16_t object, struct zdd_signals *sum)
{
	const struct daemon *d = context;

	if (d->datapath)
		datapath_pool_signals(d->datapath, object, sum);
	else
		memset(sum, 0, sizeof(*sum));
}

static void backend_signals(void *context, uint16_t object, struct zdd_signals *sum)
{
	const struct daemon *d = context;

	if (d->datapath)
		datapath_backend_signals(d->datapath, object, sum);
	else
		memset(sum, 0, sizeof(*sum));
}

static struct drain_start drain_start(void *context, const char *key)
{
	return drains_start(((struct daemon *)context)->drains, key);
}

static uint64_t held(void *context, uint16_t hold)
{
	const struct daemon *d = context;

	return d->datapath ? datapath_held(d->datapath, hold) : 0;
}

void numbers_count(struct daemon *d)
{
	uint64_t began_ns = uv_hrtime();

	datapath_count_now(d->datapath);
	d->counted_ns = uv_hrtime();
	d->count_took_ns = d->counted_ns - began_ns;
}

/* A count is good for some times what it cost: looking takes a ninth of the loop's time at most, and
 * what is seen is 200 ms old at a million flows, 10 ms at few. */

struct numbers numbers_now(struct daemon *d)
{
	if (uv_hrtime() - d->counted_ns > FRESH_TIMES * d->count_took_ns)
		numbers_count(d);
	return numbers_of(d);
}

struct numbers numbers_of(struct daemon *d)
{
	return (struct numbers){
		.context = d,
		.pool = pool_numbers,
		.backend = backend_numbers,
		.drain = drain_start,
		.held = held,
		.pool_signals = pool_signals,
		.backend_signals = backend_signals,
		.rollout = rollouts_extras,
		.now_ms = wall_ms(),
	};
}
