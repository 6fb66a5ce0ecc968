/* SPDX-License-Identifier: BSD-2-Clause */
/* lock and unlock: only the owner changes the service. Who may is checked in touch(). */
#include <stdio.h>
#include <string.h>

#include "config_json.h"
#include "verbs.h"

static void lock_text(const struct world_lock *lock, char *out, size_t size)
{
	if (lock->who[0])
		snprintf(out, size, "locked by %s%s%s", lock->who, lock->why[0] ? ": " : "",
			 lock->why);
	else
		snprintf(out, size, "unlocked");
}

static enum outcome set_lock(struct txn *t, struct world_service *s, const struct world_lock *lock)
{
	char from[256], to[256];
	enum outcome o = touch(t, s);

	if (o)
		return o;
	lock_text(&s->lock, from, sizeof(from));
	lock_text(lock, to, sizeof(to));
	json_say(t->answer->changes, "%s: %s -> %s", s->cfg->name, from, to);
	txn_record(t, s->cfg->name, from, to);
	s->lock = *lock;
	return tell(t->answer, OUT_REACHED, "%s is %s", s->cfg->name, to);
}

enum outcome verb_lock(struct txn *t)
{
	struct world_lock lock = {.since_ms = t->now_ms};
	const char *why = txn_text(t, "why");
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	snprintf(lock.who, sizeof(lock.who), "%s", t->ask->who);
	snprintf(lock.why, sizeof(lock.why), "%s", why ? why : "");
	return o ? o : set_lock(t, s, &lock);
}

enum outcome verb_unlock(struct txn *t)
{
	struct world_service *s;
	enum outcome o = find_service(t, txn_text(t, "service"), &s);

	t->over_lock = txn_flag(t, "force");
	if (!o && !s->lock.who[0]) {
		o = check_revision(t, s);
		return o ? o : tell(t->answer, OUT_REACHED, "%s is not locked", s->cfg->name);
	}
	return o ? o : set_lock(t, s, &(struct world_lock){0});
}
