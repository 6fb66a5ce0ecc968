/* SPDX-License-Identifier: BSD-2-Clause */
/* Every command, once: dispatch, help, completion and the check of the man page come from here. */
#include <limits.h>

#include "ctl.h"

/* clang-format off: a table is read by its columns */
static const struct command rows[] = {
	{"ls", "", "the services, one line each", "/v1/state", ls_run, TAKES_LOOK | TAKES_NAME, 0,
	 0, "", "look"},
	{"get", "[SVC] [-w]", "shares, flows and health as a tree", "/v1/services/%s", get_run,
	 TAKES_LOOK | TAKES_NAME | TAKES_WATCH, 0, 1, "service", NULL},
	{"status", "SVC [--until STATE]", "one service in detail; or wait for a state",
	 "/v1/services/%s", status_run, TAKES_LOOK | TAKES_NAME | TAKES_UNTIL, 1, 1, "service",
	 NULL},
	{"why", "SVC", "why its pools and backends are as they are", "/v1/services/%s/why", why_run,
	 TAKES_LOOK, 1, 1, "service", NULL},
	{"history", "SVC", "its releases: what, who, why, result", "/v1/services/%s/history",
	 history_run, TAKES_LOOK | TAKES_NAME, 1, 1, "service", NULL},
	{"conns", "SVC[/POOL[/ADDR]] [--limit N]", "its open connections", "/v1/services/%s/conns",
	 conns_run, TAKES_LOOK | TAKES_NAME | TAKES_LIMIT, 1, 1, "backend", NULL},
	{"cohort", "SVC ADDRESS", "which pool a client gets, and why", "/v1/services/%s/cohort",
	 cohort_run, TAKES_LOOK, 2, 2, "service", NULL},
	{"events", "[-f]", "what happened; -f: and what happens", "/v1/events", events_run,
	 TAKES_LOOK | TAKES_NAME | TAKES_FOLLOW, 0, 0, "", NULL},
	{"doctor", "", "why it may not forward, and what to do", "/v1/doctor", doctor_run,
	 TAKES_LOOK | TAKES_NAME, 0, 0, "", NULL},
	{"ready", "", "is this node fit for traffic? exit 0 or 1", "/v1/ready", fit_run, TAKES_LOOK,
	 0, 0, "", NULL},

	{"apply", "-f FILE", "make the configuration in FILE the one in force", "/v1/apply",
	 apply_run, TAKES_CHANGE | TAKES_FILE, 0, 0, "file", "ship"},
	{"plan", "-f FILE", "what apply would change: exit 20 when anything", "/v1/apply",
	 apply_run, TAKES_CHANGE | TAKES_FILE, 0, 0, "file", NULL},
	{"flip", "SVC[=POOL]... [--force] [--verify]", "new flows to POOL, from the next packet on",
	 "/v1/flip", flip_run, TAKES_CHANGE | TAKES_FORCE | TAKES_VERIFY, 1, INT_MAX, "target",
	 NULL},
	{"undo", "[SVC]", "back to the last stable release", "/v1/undo", undo_run, TAKES_CHANGE, 0,
	 1, "service", NULL},
	{"set", "share SVC POOL=PERCENT...", "how new flows are shared between pools", "/v1/share",
	 set_run, TAKES_CHANGE, 3, INT_MAX, "share", NULL},

	{"drain", "SVC/POOL[/ADDR]", "no new flows; open ones run to their end", "/v1/admin",
	 admin_run, TAKES_CHANGE, 1, 1, "backend", "care"},
	{"maint", "SVC/POOL[/ADDR]", "the same, and no health checks", "/v1/admin", admin_run,
	 TAKES_CHANGE, 1, 1, "backend", NULL},
	{"ready", "SVC/POOL[/ADDR]", "ends drain and maint", "/v1/admin", admin_run, TAKES_CHANGE,
	 1, 1, "backend", NULL},
	{"backend", "add|del SVC/POOL/ADDR [weight=N]", "put a backend in or take it out",
	 "/v1/backend", backend_run, TAKES_CHANGE, 2, 3, "backend", NULL},
	{"save", "[-f FILE]", "write the configuration in force, with its shares", "/v1/config",
	 save_run, TAKES_LOOK | TAKES_FILE, 0, 0, "file", NULL},
	{"restore", "-f FILE", "apply what save wrote, shares included", "/v1/restore", apply_run,
	 TAKES_CHANGE | TAKES_FILE, 0, 0, "file", NULL},
	{"help", "[COMMAND]", "this text, or that of one command", NULL, help_run, TAKES_LOOK, 0, 1,
	 "command", NULL},
};
/* clang-format on */

/* In the contract, not in this version: refused by name instead of being taken for a typing
 * mistake. */
static const char *const later[] = {
	"canary", "roll", "experiment", "deploy", "promote", "pause", "resume",
	"abort",  "hold", "unhold",     "lock",   "unlock",  "trace", "top",
};

const struct command_set all_commands = {
	.rows = rows,
	.n = sizeof(rows) / sizeof(rows[0]),
	.fallback = &rows[1],
	.later = later,
	.n_later = sizeof(later) / sizeof(later[0]),
};
