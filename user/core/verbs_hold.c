/* SPDX-License-Identifier: BSD-2-Clause */
/* hold and unhold: new connections wait for a bounded time. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "config_json.h"
#include "verbs.h"

enum {
	LIMIT_DEFAULT_MS = 10000,
	LIMIT_MIN_MS = 100,
	LIMIT_MAX_MS = 60000, /* clients have given up by then */
	HELD_DEFAULT = 1024,
};

static json_int_t count_of(const struct txn *t, const char *key, json_int_t otherwise)
{
	const json_t *value = json_object_get(t->body, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* What becomes of those that may not wait. */
static const char *then_of(const struct txn *t)
{
	const char *then = txn_text(t, "then");

	return then ? then : "silent";
}

static bool has_tcp(const struct cfg_service *cfg)
{
	for (size_t i = 0; i < cfg->n_listen; i++)
		if (cfg->listen[i].proto == IPPROTO_TCP)
			return true;
	return false;
}

static enum outcome check(struct txn *t, const struct world_service *s)
{
	json_int_t limit = count_of(t, "limit_ms", LIMIT_DEFAULT_MS);
	json_int_t max = count_of(t, "max", HELD_DEFAULT);

	if (limit < LIMIT_MIN_MS || limit > LIMIT_MAX_MS)
		return tell(t->answer, OUT_BAD_REQUEST, "hold.limit: expected %gs to %ds",
			    LIMIT_MIN_MS / 1000.0, LIMIT_MAX_MS / 1000);
	if (max < 1 || max > ZDD_HELD / 2)
		return tell(t->answer, OUT_BAD_REQUEST, "hold.max: expected 1 to %d", ZDD_HELD / 2);
	if (strcmp(then_of(t), "silent") && strcmp(then_of(t), "reset"))
		return tell(t->answer, OUT_BAD_REQUEST, "hold.then: expected silent or reset");
	if (s->cfg->forward == FORWARD_LOCAL)
		return tell(t->answer, OUT_REFUSED,
			    "%s: mode local gives connections to sockets of this host, whose own "
			    "queue they wait in; hold is for the other modes",
			    s->cfg->name);
	if (!has_tcp(s->cfg))
		return tell(t->answer, OUT_REFUSED, "%s: has no TCP listener, and UDP is not held",
			    s->cfg->name);
	return OUT_REACHED;
}

static bool is_free(const struct world *w, uint16_t number)
{
	for (size_t i = 0; i < w->config->n_services; i++)
		if (w->services[i].hold.number == number)
			return false;
	return true;
}

/* Another one each time, so that what a hold left is not taken for the next one's. 0: none is free. */
static uint16_t free_number(const struct world *w)
{
	for (unsigned i = 0; i < ZDD_HOLDS - 1; i++) {
		uint16_t number = (uint16_t)(1 + (w->generation + i) % (ZDD_HOLDS - 1));

		if (is_free(w, number))
			return number;
	}
	return 0;
}

enum outcome verb_hold(struct txn *t)
{
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);
	struct world_hold hold = {.max = (uint16_t)count_of(t, "max", HELD_DEFAULT),
				  .reset = !strcmp(then_of(t), "reset")};
	json_int_t limit = count_of(t, "limit_ms", LIMIT_DEFAULT_MS);
	char to[96];

	if (!o)
		o = check(t, s);
	if (!o)
		o = touch(t, s);
	if (o)
		return o;
	hold.number = s->hold.number ? s->hold.number : free_number(t->world);
	if (!hold.number)
		return tell(t->answer, OUT_REFUSED, "%d services are held already", ZDD_HOLDS - 1);
	hold.until_ms = t->now_ms + (uint64_t)limit;
	snprintf(to, sizeof(to), "held for %gs, %u connections at most%s", (double)limit / 1000,
		 hold.max, hold.reset ? ", others reset" : "");
	json_say(t->answer->changes, "%s: new connections are %s", s->cfg->name, to);
	txn_record(t, s->cfg->name, s->hold.number ? "held" : "open", to);
	s->hold = hold;
	return tell(t->answer, OUT_REACHED,
		    "%s: new connections wait, for %gs and %u of them at most%s", s->cfg->name,
		    (double)limit / 1000, hold.max, hold.reset ? "; others are reset" : "");
}

enum outcome verb_unhold(struct txn *t)
{
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	if (!o && !s->hold.number) {
		o = check_revision(t, s);
		return o ? o : tell(t->answer, OUT_REACHED, "%s is not held", s->cfg->name);
	}
	if (!o)
		o = touch(t, s);
	if (o)
		return o;
	json_say(t->answer->changes, "%s: new connections go on", s->cfg->name);
	txn_record(t, s->cfg->name, "held", "open");
	s->hold = (struct world_hold){0};
	return tell(t->answer, OUT_REACHED, "%s: new connections go on", s->cfg->name);
}
