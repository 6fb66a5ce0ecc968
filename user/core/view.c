/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <time.h>

#include "drain.h"
#include "txn.h"
#include "view.h"

json_t *view_share(uint16_t units)
{
	return units % 100 ? json_real(units / 100.0) : json_integer(units / 100);
}

json_t *view_time(uint64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (!wall_ms || !gmtime_r(&seconds, &tm))
		return json_null();
	return json_sprintf("%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1,
			    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			    (unsigned)(wall_ms % 1000));
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static void set(json_t *o, const char *key, json_t *value)
{
	json_object_set_new(o, key, value);
}

/* ---- drains ---- */

static void append_drain(void *list, const struct drain *d)
{
	json_t *backend = d->backend ? json_string(d->backend->cfg->text) : json_null();

	if (!d->backend && !d->open && !d->cut) {
		json_decref(backend);
		return;
	}
	json_array_append_new(
		list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "pool", d->pool->cfg->name,
				"backend", backend, "since", view_time(d->since_ms), "deadline",
				view_time(d->deadline_ms), "open", number(d->open), "finished",
				number(d->finished), "cut", number(d->cut)));
}

/* ---- a service ---- */

/* Why it gets no new flows though its check may be well; null while it does. */
static json_t *view_ejected(const struct passive *p)
{
	if (p->state == PASSIVE_IN)
		return json_null();
	return json_pack("{s:o, s:s, s:i, s:b, s:o}", "since", view_time(p->since_ms), "reason",
			 p->reason, "times", p->ejections, "trial", p->state == PASSIVE_TRIAL,
			 "next_trial",
			 p->state == PASSIVE_TRIAL ? json_null() : view_time(p->trial_ms));
}

/* null: it has all of its weight, or takes no new flows. */
static json_t *view_slow_start(const struct world_service *s, const struct slow_start *slow)
{
	if (!slow_start_rises(slow))
		return json_null();
	return json_pack("{s:i, s:o}", "percent", slow_start_percent(slow), "until",
			 view_time(slow->began_ms + s->cfg->slow_start_ms));
}

static json_t *view_signals(const struct zdd_signal_row *row)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "answered", number(row->answered),
			 "served", number(row->served), "refused", number(row->refused), "silent",
			 number(row->silent), "unreachable", number(row->unreachable),
			 "reset_early", number(row->reset_early), "taken", number(row->taken));
}

static json_t *shown(const struct numbers *n,
		     void (*of)(void *context, uint16_t object, struct zdd_signals *),
		     uint16_t object)
{
	struct zdd_signals row;

	if (!of)
		return json_null();
	of(n->context, object, &row);
	return view_shown(&row);
}

static json_t *view_backend(const struct world_service *s, const struct world_backend *b,
			    const struct numbers *n)
{
	struct backend_numbers now = n->backend(n->context, b->object);
	json_t *o = json_object(), *draining = json_null();

	if (b->admin != ADMIN_READY)
		draining = json_pack("{s:o, s:o}", "deadline",
				     view_time(b->admin_since_ms + s->cfg->drain_deadline_ms),
				     "open", number(now.active));
	set(o, "address", json_string(b->cfg->text));
	set(o, "weight", json_integer(b->cfg->weight));
	set(o, "admin", json_string(admin_state_words[b->admin]));
	set(o, "health", json_string(health_state_words[b->health.state]));
	set(o, "last_error",
	    b->health.last_error[0] ? json_string(b->health.last_error) : json_null());
	set(o, "ejected", view_ejected(&b->passive));
	set(o, "slow_start", view_slow_start(s, &b->slow_start));
	set(o, "since", view_time(b->health.since_ms));
	set(o, "checked", view_time(b->health.checked_ms));
	set(o, "flows_active", number(now.active));
	set(o, "flows_half_open", number(now.half_open));
	set(o, "flows_new", number(now.row.new_flows));
	set(o, "flows_closed", number(now.row.closed));
	set(o, "flows_cut", number(now.row.cut));
	set(o, "packets", number(now.row.packets));
	set(o, "bytes", number(now.row.bytes));
	set(o, "replies", number(now.row.replies));
	set(o, "reply_bytes", number(now.row.reply_bytes));
	set(o, "signals", view_signals(&now.signals));
	set(o, "shown", shown(n, n->backend_signals, b->object));
	set(o, "draining", draining);
	set(o, "mac", now.mac ? json_string(now.mac) : json_null());
	return o;
}

static const char *role(const struct world_service *s, size_t i)
{
	return i == s->live ? "live" : s->share[i] ? "candidate" : "idle";
}

/* Of the new flows just seen, to 0.01 %; null when there were none. */
static json_t *measured(uint64_t recent, uint64_t all)
{
	return all ? view_share((uint16_t)((recent * ZDD_SHARE_UNITS + all / 2) / all))
		   : json_null();
}

static json_t *view_pool(const struct world_service *s, size_t i, uint64_t recent_all,
			 const struct numbers *n)
{
	const struct world_pool *p = &s->pools[i];
	struct pool_numbers now = n->pool(n->context, p->object);
	json_t *o = json_object(), *backends = json_array();

	for (size_t k = 0; k < p->cfg->n_backends; k++)
		json_array_append_new(backends, view_backend(s, &p->backends[k], n));
	set(o, "name", json_string(p->cfg->name));
	set(o, "share", view_share(s->share[i]));
	set(o, "measured_share", measured(now.recent, recent_all));
	set(o, "role", json_string(role(s, i)));
	set(o, "takes_new", json_boolean(pool_takes_new(s, p, 0)));
	set(o, "flows_active", number(now.active));
	set(o, "flows_half_open", number(now.half_open));
	set(o, "flows_new", number(now.row.new_flows));
	set(o, "packets", number(now.row.packets));
	set(o, "bytes", number(now.row.bytes));
	set(o, "shown", shown(n, n->pool_signals, p->object));
	set(o, "backends", backends);
	return o;
}

static json_t *view_listeners(const struct cfg_listener *l, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(l[i].text));
	return list;
}

static json_t *view_stable(const struct world_service *s)
{
	char text[256];

	if (s->stable_live == STABLE_GONE)
		return json_null();
	shares_text(s, s->stable_share, text, sizeof(text));
	return json_string(text);
}

static bool is_degraded(const struct world_service *s, const struct world_backend *b)
{
	bool checked = s->cfg->health.type != HEALTH_NONE;

	return b->admin == ADMIN_READY &&
	       ((checked && b->health.state != HEALTH_UP) || backend_is_ejected(b));
}

/* One word for a person's first look. */
static const char *state_word(const struct world_service *s)
{
	if (pool_panics(s, &s->pools[s->live]))
		return "panic";
	for (size_t i = 0; i < s->cfg->n_pools; i++) {
		const struct world_pool *p = &s->pools[i];

		for (size_t k = 0; s->share[i] && k < p->cfg->n_backends; k++)
			if (is_degraded(s, &p->backends[k]))
				return "degraded";
	}
	return "ok";
}

static json_t *view_hold(const struct world_hold *hold, const struct numbers *n)
{
	uint64_t left = hold->until_ms > n->now_ms ? hold->until_ms - n->now_ms : 0;

	if (!hold->number)
		return json_null();
	return json_pack("{s:o, s:o, s:i, s:s, s:o}", "until", view_time(hold->until_ms), "left_ms",
			 number(left), "max", hold->max, "then", hold->reset ? "reset" : "silent",
			 "held", n->held ? number(n->held(n->context, hold->number)) : json_null());
}

/* One that waits for nothing any more is about to begin. */
static json_t *view_rollout(const struct world_service *s, const struct numbers *n)
{
	struct rollout_extras extras = {0};

	if (s->rollout && n->rollout)
		extras = n->rollout(n->context, s);
	return rollout_view(s, s->rollout ? s->rollout : s->queued, &extras);
}

json_t *view_service(const struct world *w, const struct world_service *s, const struct numbers *n)
{
	json_t *o = json_object(), *pools = json_array(), *drains = json_array();
	uint64_t recent = 0;

	for (size_t i = 0; i < s->cfg->n_pools; i++)
		recent += n->pool(n->context, s->pools[i].object).recent;
	for (size_t i = 0; i < s->cfg->n_pools; i++)
		json_array_append_new(pools, view_pool(s, i, recent, n));
	each_drain(s, n, append_drain, drains);
	set(o, "service", json_string(s->cfg->name));
	set(o, "state", json_string(state_word(s)));
	set(o, "generation", number(w->generation));
	set(o, "revision", json_integer(s->revision));
	set(o, "live", json_string(s->cfg->pools[s->live].name));
	set(o, "stable", view_stable(s));
	set(o, "released", view_time(s->released_ms));
	set(o, "forward", json_string(forward_words[s->cfg->forward]));
	set(o, "listen", view_listeners(s->cfg->listen, s->cfg->n_listen));
	set(o, "preview", view_listeners(s->cfg->preview, s->cfg->n_preview));
	set(o, "panic", json_boolean(pool_panics(s, &s->pools[s->live])));
	set(o, "locked", lock_view(&s->lock));
	set(o, "hold", view_hold(&s->hold, n));
	set(o, "pools", pools);
	set(o, "drains", drains);
	set(o, "rollout", view_rollout(s, n));
	return o;
}

json_t *view_services(const struct world *w, const struct numbers *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < w->config->n_services; i++)
		json_array_append_new(list, view_service(w, &w->services[i], n));
	return list;
}

json_t *view_counters(const struct zdd_count_row *row)
{
	json_t *verdicts = json_array(), *notes = json_array();

#define V(symbol, name, kind, expected, sentence)                                                  \
	json_array_append_new(verdicts,                                                            \
			      json_pack("{s:s, s:I, s:s, s:b, s:s}", "name", #name, "count",       \
					(json_int_t)row->verdict[ZDD_V_##symbol], "kind", #kind,   \
					"expected", expected, "sentence", sentence));
	ZDD_VERDICTS(V)
#undef V
#define N(symbol, name, expected, sentence)                                                        \
	json_array_append_new(notes, json_pack("{s:s, s:I, s:b, s:s}", "name", #name, "count",     \
					       (json_int_t)row->note[ZDD_N_##symbol], "expected",  \
					       expected, "sentence", sentence));
	ZDD_NOTES(N)
#undef N
	return json_pack("{s:o, s:o}", "verdicts", verdicts, "notes", notes);
}
