/* SPDX-License-Identifier: BSD-2-Clause */
/* The flow table of bpf/flow.h and bpf/open.h (docs/flows.md): what two CPUs, the walking daemon and
 * time may do to each other. Every access to shared memory is one step; steps interleave freely.
 *
 * Worst cases are taken for granted: all flows share their two buckets and, unless TAGS_DIFFER, one
 * tag. Three places: 0 and 1 half-open, 2 established. At the start client A's handshake is half
 * done in place 0.
 *
 * Checked: a reader takes no torn record; a change meant for one flow never lands in another;
 * only silent flows are thrown out; a state bit set is not lost; and when all is quiet there is one
 * record per client and region, no lock is held and no place lost.
 *
 * Each of these makes one thing wrong, and must be found:
 *   NO_LOCK NO_RECHECK NO_WRITING EPOCH_LAST TOUCH_STORE TOUCH_ONCE TAG_ONLY STALE_PROMOTE */

/* How many packets each CPU gets. */
#ifndef PACKETS_0
#define PACKETS_0 2
#endif
#ifndef PACKETS_1
#define PACKETS_1 1
#endif

#include "flow_table.pml"

/* ---- packets ---- */

/* A SYN of client k. */
inline open_flow(k, seq)
{
	flow_lock(k);
	if
	:: locked ->
		survey(HALF_FIRST, HALF_END, k);
		known = 0;
		if
		:: same != NONE ->
			flow_read(same, k);
			if
			:: ok && rec[same].isn == seq -> known = 1; hit = same
			:: ok && rec[same].isn != seq -> survey_own(k)
			:: !ok
			fi
		:: else
		fi;
		if
		:: !known && place != NONE ->
			d_step { mine = flows + 1; flows++; client_of[mine] = k };
			flow_claim(mine);
			if
			:: ok ->
				rec[place].owner = mine;
				rec[place].client = k;
				rec[place].isn = seq;
				flow_publish(k, mine)
			:: else
			fi
		:: else
		fi;
		d_step { lock[k] = 0; place = NONE; same = NONE };
		if
		:: known -> flow_touch(0)
		:: else
		fi
	:: else /* by the table, which says the same */
	fi
}

/* m and o are those of the half-open record at half. */
inline promote(k)
{
	half_m.epoch = m.epoch; half_m.seen = m.seen; half_m.fin = m.fin; mine = o;
	survey(EST_FIRST, EST_END, k);
	known = 0;
	if
	:: same != NONE ->
		flow_read(same, k);
		if
		:: ok && rec[same].isn == rec[half].isn -> known = 1
		:: ok && rec[same].isn != rec[half].isn -> survey_own(k)
		:: !ok
		fi
	:: else
	fi;
	if
	:: !known && place != NONE ->
		flow_claim(mine);
		if
		:: ok ->
			rec[place].owner = rec[half].owner;
			rec[place].client = rec[half].client;
			rec[place].isn = rec[half].isn;
#ifndef STALE_PROMOTE
			ok = (meta[half].epoch == half_m.epoch);
#endif
			if
			:: ok -> flow_publish(k, mine); known = 1
			:: else -> tag[place] = FREE
			fi
		:: else
		fi
	:: else
	fi;
	if
	:: known ->
		m.epoch = half_m.epoch; m.writing = 0; m.seen = half_m.seen; m.fin = half_m.fin;
		seen_tag = TAG(k);
		flow_free(half)
	:: else
	fi
}

/* A client's ACK. */
inline forward_ack(k, bits)
{
	flow_find(EST_FIRST, EST_END, k);
	if
	:: hit != NONE -> flow_touch(bits)
	:: else ->
		flow_find(HALF_FIRST, HALF_END, k);
		if
		:: hit != NONE ->
			half = hit;
			flow_lock(k);
			if
			:: locked ->
#ifdef STALE_PROMOTE
				promote(k);
#else
				flow_read(half, k);
				if
				:: ok -> promote(k)
				:: else
				fi;
#endif
				lock[k] = 0
			:: else -> flow_touch(bits)
			fi
		:: else /* a stray: by the table */
		fi
	fi
}

inline forget()
{
	d_step {
		p = 0; t = 0; o = 0; hit = NONE; same = NONE; place = NONE; replace = 0; silent = 0;
		half = 0; mine = 0; seen_tag = 0; ok = 0; known = 0; locked = 0;
		m.epoch = 0; m.writing = 0; m.seen = 0; m.fin = 0;
		half_m.epoch = 0; half_m.writing = 0; half_m.seen = 0; half_m.fin = 0
	}
}

proctype cpu(byte left)
{
	byte p, t, o, hit = NONE, same = NONE, place = NONE, half, mine, seen_tag;
	bit ok, known, locked, replace, silent;
	meta_t m, half_m;

	do
	:: left > 0 ->
		left--;
		if
		:: open_flow(1, 1)
		:: open_flow(1, 2)
		:: open_flow(2, 1)
		:: forward_ack(1, 0)
		:: forward_ack(1, 1)
		:: forward_ack(2, 0)
		fi;
		forget()
	:: else -> break
	od;
	finished++
}

/* The daemon's walk comes to one of the places. */
proctype walker()
{
	byte p, t, seen_tag;
	bit ok;
	meta_t m;

	if
	:: p = 0
	:: p = 1
	:: p = 2
	fi;
	t = tag[p];
	if
	:: t > BUSY ->
		seen_tag = t;
		d_step {
			LOAD_META(m, p);
			ok = !m.writing && m.seen != now
		};
		if
		:: ok ->
			seize(p, 1);
			if
			:: ok -> tag[p] = FREE
			:: else
			fi
		:: else
		fi
	:: else
	fi;
	finished++
}

/* Time passes once. */
proctype clock()
{
	now = 1;
	finished++
}

#define IS(p, k) (tag[p] > BUSY && rec[p].client == k)

init
{
	atomic {
		tag[0] = TAG(1); rec[0].owner = 1; rec[0].client = 1; rec[0].isn = 1;
		meta[0].epoch = 1; truth[0] = 1; client_of[1] = 1;
		run cpu(PACKETS_0); run cpu(PACKETS_1);
#ifdef TIME
		run walker(); run clock()
#else
		finished = 2
#endif
	};
	d_step { finished == 4 ->
		assert(!(IS(0, 1) && IS(1, 1)));
		assert(!(IS(0, 2) && IS(1, 2)));
		assert(tag[0] != BUSY && tag[1] != BUSY && tag[2] != BUSY);
		assert(tag[0] == FREE || !meta[0].writing);
		assert(tag[1] == FREE || !meta[1].writing);
		assert(tag[2] == FREE || !meta[2].writing);
		assert(tag[0] == FREE || rec[0].owner == truth[0]);
		assert(tag[1] == FREE || rec[1].owner == truth[1]);
		assert(tag[2] == FREE || rec[2].owner == truth[2]);
		assert(!lock[1] && !lock[2])
	}
}
