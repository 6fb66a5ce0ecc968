/* SPDX-License-Identifier: BSD-2-Clause */
/* Passive health: looks as a string, one a second; what each leads to as another. */
#include "passive.h"
#include "t.h"

enum { SECOND = 1000 };

static const struct cfg_passive cfg = {
	.on = true, .failures = 3, .max_ejected = 50, .back_off_ms = 10 * SECOND};

static struct passive p;
static struct zdd_signal_row counted;
static struct passive_facts facts;

static void begin(void)
{
	memset(&p, 0, sizeof(p));
	memset(&counted, 0, sizeof(counted));
	facts = (struct passive_facts){.now_ms = 1000 * SECOND, .may_go = true};
	passive_look(&p, &cfg, &counted, &facts);
}

/* What is counted before a look. T: the trial is taken. D, d: the check says down, and no more. */
static void happens(char what)
{
	switch (what) {
	case 'o':
		counted.served++; /* and: */
				  /* fallthrough */
	case 'a':
		counted.answered++;
		break;
	case 's':
		counted.served++;
		break;
	case 'r':
		counted.refused++;
		break;
	case 'x':
		counted.silent++;
		break;
	case 'u':
		counted.unreachable++;
		break;
	case 'e':
		counted.reset_early++;
		break;
	case 'A': /* answered, and reset within one look */
		counted.answered++;
		counted.reset_early++;
		break;
	case 'M': /* most of it good */
		counted.answered += 5;
		counted.served += 5;
		counted.refused += 3;
		break;
	case 'W': /* most of it bad */
		counted.answered += 2;
		counted.served += 2;
		counted.refused += 3;
		break;
	case 'T':
		facts.taken = true;
		break;
	case 'D':
	case 'd':
		facts.check_down = what == 'D';
		break;
	case 'G':
	case 'g':
		facts.may_go = what == 'g';
		break;
	case 'N': /* the counters begin anew */
		memset(&counted, 0, sizeof(counted));
		break;
	default:
		break;
	}
}

static char look(void)
{
	enum passive_event e = passive_look(&p, &cfg, &counted, &facts);

	if (e == PASSIVE_TRY)
		facts.taken = false;
	return ".OWTPFB"[e];
}

/* Events: . nothing, Out, Withheld, Try, Put off, Failed, Back. */
static const struct {
	const char *looks, *events;
} rows[] = {
	/* a run of failures, of whatever kind */
	{"rrr", "..O"},
	{"xxx", "..O"},
	{"uuu", "..O"},
	{"eee", "..O"},
	{"rxu", "..O"},
	{"rre", "..O"},
	/* what ends it */
	{"rrorr", "....."},
	{"rrarrr", ".....O"},
	{"rr.r", "...O"},
	{"W", "O"},
	{"MMMM", "...."},
	/* accepted and reset: the answer is no success, data is */
	{"AAA", "..O"},
	{"aeaeae", ".....O"},
	{"eeoee", "....."},
	{"eesee", "....."},
	{"eeaeO", "...O."},
	/* too many are out: it stays, until there is room */
	{"Grrrr", "...W."},
	{"Grrrg", "...WO"},
	{"Grrrorrr", "...W...W"},
	/* the active check has it already */
	{"Drrrr", "....."},
	{"rrDdr", "....."},
	/* other counters: no failures from before */
	{"rrN.o", "....."},
	{"MN..", "...."},
	/* a trial after ten seconds, of one connection */
	{"rrr..........", "..O.........T"},
	{"rrr..........Ts", "..O.........T.."},
	{"rrr..........To", "..O.........T.B"},
	{"rrr..........Tr", "..O.........T.F"},
	{"rrr..........Tx", "..O.........T.F"},
	{"rrr..........T.....", "..O.........T.....F"},
	{"rrr..........Ta..", "..O.........T...."},
	{"rrr..........Ta...", "..O.........T....B"},
	{"rrr..........Ta.e", "..O.........T...F"},
	{"rrr..........TA", "..O.........T.F"},
	{"rrr..........Te", "..O.........T.."},
	/* what old connections do before it is taken is not its doing */
	{"rrr..........ereTo", "..O.........T....B"},
	/* no trial while the check says down; at once when it says up */
	{"rrrD............d", "..O.............T"},
	{"rrr..........D..d", "..O.........TP..T"},
	/* twice the wait after each failure */
	{"rrr..........Tr...................", "..O.........T.F..................."},
	{"rrr..........Tr....................", "..O.........T.F...................T"},
	/* back, and out again soon: the wait has not begun anew */
	{"rrr..........Torrr...................", "..O.........T.B..O..................."},
	{"rrr..........Torrr....................", "..O.........T.B..O...................T"},
};

TEST(passive_looks)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin();
		ROW("%s", rows[i].looks);
		CHECK_INT(strlen(rows[i].looks), strlen(rows[i].events));
		for (size_t k = 0; rows[i].looks[k]; k++) {
			ROW("%s at %zu", rows[i].looks, k);
			facts.now_ms += SECOND;
			happens(rows[i].looks[k]);
			CHECK_INT(look(), rows[i].events[k]);
		}
	}
}

TEST(passive_back_off_doubles_and_ends)
{
	static const uint64_t waits[] = {10, 10, 20, 40, 80, 160, 320, 320, 320};

	for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++)
		CHECK_INT(passive_wait_ms(&cfg, i), waits[i] * SECOND);
	CHECK_INT(passive_wait_ms(&cfg, 60000), 320 * SECOND);
}

static void eject(void)
{
	for (int i = 0; i < 3; i++) {
		facts.now_ms += SECOND;
		happens('r');
		look();
	}
	CHECK_INT(p.state, PASSIVE_EJECTED);
}

static void come_back(void)
{
	facts.now_ms = p.trial_ms;
	CHECK_INT(look(), 'T');
	happens('T');
	happens('o');
	CHECK_INT(look(), 'B');
	CHECK_INT(p.since_ms, facts.now_ms);
}

TEST(passive_back_off_begins_anew_after_a_good_time)
{
	begin();
	eject();
	come_back();
	facts.now_ms += 59 * SECOND;
	look();
	CHECK_INT(p.ejections, 1);
	facts.now_ms += 2 * SECOND;
	look();
	CHECK_INT(p.ejections, 0);
	eject();
	CHECK_INT(p.trial_ms, facts.now_ms + 10 * SECOND);
}

TEST(passive_failures_far_apart_are_no_run)
{
	begin();
	for (int i = 0; i < 10; i++) {
		facts.now_ms += 301 * SECOND;
		happens('r');
		CHECK_INT(look(), '.');
		look();
	}
}

TEST(passive_hint_makes_the_trial_due)
{
	begin();
	eject();
	passive_hint(&p, facts.now_ms);
	CHECK_INT(look(), 'T');
	CHECK_INT(p.ejections, 1);
}

TEST(passive_clock_set_back)
{
	begin();
	eject();
	facts.now_ms -= 900 * SECOND;
	look();
	CHECK_INT(p.trial_ms, facts.now_ms + 10 * SECOND);
}

TEST(passive_recalled)
{
	begin();
	passive_recall(&p, 5, facts.now_ms + 3 * SECOND, 2);
	look(); /* finds the counters */
	facts.now_ms += 3 * SECOND;
	CHECK_INT(look(), 'T');
	happens('T');
	happens('r');
	CHECK_INT(look(), 'F');
	CHECK_INT(p.trial_ms, facts.now_ms + 40 * SECOND);
	CHECK_INT(p.since_ms, 5);
}

TEST(passive_reasons)
{
	begin();
	happens('r');
	happens('r');
	happens('x');
	CHECK_INT(look(), 'O');
	CHECK_STR(p.reason, "in a row: 2 refused, 1 not answered");
	CHECK_INT(p.ejected, 1);
	facts.now_ms = p.trial_ms;
	look();
	facts.taken = true;
	look();
	facts.now_ms += 5 * SECOND;
	CHECK_INT(look(), 'F');
	CHECK_STR(p.reason, "trial: not answered");
	passive_clear(&p);
	CHECK_INT(p.state, PASSIVE_IN);
	CHECK_INT(p.ejected, 1);
}
