/* SPDX-License-Identifier: BSD-2-Clause */
/* Publishing plans: user/core/plan.c and arena.c in the daemon, one read of desk.word per packet in
 * bpf/lookup.h. Two CPUs run packets without end; the daemon writes plans into free slots, shares
 * tables between plans, publishes by one store, waits for grace periods, and is killed at any step
 * up to KILLS times, after which it takes over what it finds.
 *
 * Three plan slots (four in the code), three table places, two kinds of table content.
 *
 * Checked: a packet never reads a slot or table that is being rewritten, and all it reads is of one
 * plan; a packet that starts after the store reads the new plan; generations never repeat; what a
 * restart recalls is what was last published; and the daemon is never stuck without a slot.
 *
 * Each of these makes one thing wrong, and must be found:
 *   NO_GRACE EARLY_PUBLISH TWO_READS FORGET_TABLES IN_PLACE NO_GRACE_AT_START COUNT_ANEW
 *   EARLY_GRACE */

#define SLOTS 3
#define TABLES 3
#define DIRTY 7
#ifndef PUBLISHES
#define PUBLISHES 3
#endif
#ifndef KILLS
#define KILLS 1
#endif

/* Shared memory. */
byte word_generation, word_slot = SLOTS; /* one word, always moved in one step */
byte slot_stamp[SLOTS];                  /* the plan in it: its generation, DIRTY half written */
byte slot_table[SLOTS], slot_kind[SLOTS];
byte table_kind[TABLES]; /* its content; DIRTY half written */

/* Programs that run: a grace period waits for each of them to end once. */
bit running[2], awaited[2];

/* What is true, for the assertions. */
byte published, published_kind;
byte left = PUBLISHES, kills = KILLS;
bit killed, done;

/* ---- the data path ---- */

proctype packet(bit cpu)
{
	byte generation, slot, table, kind, oldest;

end:	do
	:: d_step { !done -> running[cpu] = 1; oldest = published };
		d_step { generation = word_generation; slot = word_slot };
		assert(generation >= oldest);
		if
		:: slot < SLOTS ->
			assert(slot_stamp[slot] == generation);
#ifdef TWO_READS
			slot = word_slot;
			assert(slot_stamp[slot] == generation);
#endif
			d_step { table = slot_table[slot]; kind = slot_kind[slot];
				 assert(slot_stamp[slot] == generation) };
			assert(table_kind[table] == kind)
		:: else /* no plan yet: the packet passes */
		fi;
		d_step { running[cpu] = 0; awaited[cpu] = 0;
			 generation = 0; slot = 0; table = 0; kind = 0; oldest = 0 }
	od
}

/* ---- the daemon ---- */

byte has[SLOTS];  /* its own memory: generation of each slot, 0 free; lost with it */
byte refs[TABLES]; /* slots that refer to a table, one bit each */
byte known_kind[TABLES];

#define REFERS(s) (1 << (s))

inline grace_begin() { d_step { awaited[0] = running[0]; awaited[1] = running[1] } }
inline grace_end() { !awaited[0] && !awaited[1] }

inline drop(s)
{
	has[s] = 0;
	refs[0] = refs[0] & ~REFERS(s);
	refs[1] = refs[1] & ~REFERS(s);
	refs[2] = refs[2] & ~REFERS(s)
}

/* Every slot older than generation g is free. */
inline settled(g)
{
	d_step {
		i = 0;
		do
		:: i < SLOTS ->
			if
			:: has[i] && has[i] < g -> drop(i)
			:: else
			fi;
			i++
		:: else -> break
		od;
		i = 0
	}
}

inline adopt()
{
	d_step {
		has[0] = 0; has[1] = 0; has[2] = 0;
		refs[0] = 0; refs[1] = 0; refs[2] = 0;
		known_kind[0] = DIRTY; known_kind[1] = DIRTY; known_kind[2] = DIRTY;
		if
		:: word_slot < SLOTS ->
			has[word_slot] = word_generation;
#ifndef FORGET_TABLES
			refs[slot_table[word_slot]] = REFERS(word_slot);
#endif
			assert(word_generation == published);
			assert(slot_kind[word_slot] == published_kind)
		:: else
		fi;
		generation = word_generation
	};
#ifndef NO_GRACE_AT_START
	grace_begin();
	grace_end()
#endif
}

/* A slot, or SLOTS. */
inline find_slot()
{
	d_step {
		if
		:: !has[0] -> s = 0
		:: has[0] && !has[1] -> s = 1
		:: has[0] && has[1] && !has[2] -> s = 2
		:: else -> s = SLOTS
		fi
	}
}

/* The table of this kind that some plan has, or a free place that is then filled. */
inline find_table(kind)
{
	d_step {
		fresh = 0;
		if
		:: refs[0] && known_kind[0] == kind -> t = 0
		:: refs[1] && known_kind[1] == kind -> t = 1
		:: refs[2] && known_kind[2] == kind -> t = 2
		:: else ->
			fresh = 1;
			if
			:: !refs[0] -> t = 0
			:: refs[0] && !refs[1] -> t = 1
			:: refs[0] && refs[1] && !refs[2] -> t = 2
			:: else -> t = TABLES
			fi
		fi
	}
}

inline compile(kind)
{
	slot_stamp[s] = DIRTY;
	if
	:: fresh ->
		table_kind[t] = DIRTY;
		d_step { table_kind[t] = kind; known_kind[t] = kind }
	:: else
	fi;
	d_step { slot_table[s] = t; slot_kind[s] = kind; refs[t] = refs[t] | REFERS(s) };
	slot_stamp[s] = generation + 1
}

inline publish(kind)
{
	d_step {
#ifdef COUNT_ANEW
		generation = generation + 1;
#else
		generation = word_generation + 1;
#endif
		assert(generation > published);
		has[s] = generation;
		word_generation = generation;
		word_slot = s;
		published = generation;
		published_kind = kind;
		left--
	}
}

/* The daemon has no memory of before but what is pinned. */
proctype daemon()
{
	byte s, t, i, generation, wait_for, kind;
	bit fresh, waiting;

again:
	{
		d_step { s = 0; t = 0; i = 0; wait_for = 0; fresh = 0; waiting = 0; generation = 0 };
		adopt();
#ifdef COUNT_ANEW
		generation = 0;
#endif
		do
		:: left > 0 ->
			if
			:: kind = 0
			:: kind = 1
			fi;
#ifdef IN_PLACE
			if
			:: word_slot < SLOTS ->
				slot_kind[word_slot] = kind;
				table_kind[slot_table[word_slot]] = kind
			:: else
			fi;
#endif
			find_slot();
			find_table(kind);
			if
			:: s < SLOTS && t < TABLES ->
#ifdef EARLY_PUBLISH
				publish(kind);
				d_step { generation-- };
				compile(kind);
				d_step { generation++ }
#else
				compile(kind);
				publish(kind)
#endif
			:: else ->
				assert(waiting) /* or nothing would ever come free */
			fi;
			if
			:: !waiting ->
#ifdef EARLY_GRACE
				wait_for = generation + 1; /* the plan that is published next */
#else
				wait_for = generation;
#endif
				waiting = 1;
				grace_begin()
			:: else
			fi
		:: waiting ->
#ifndef NO_GRACE
			grace_end();
#endif
			waiting = 0;
			settled(wait_for);
			if /* what was published meanwhile */
			:: wait_for < generation ->
				wait_for = generation; waiting = 1;
				grace_begin()
			:: else
			fi
		:: left == 0 && !waiting -> done = 1; break
		od
	} unless { killed };
	if
	:: killed -> killed = 0; goto again
	:: else
	fi
}

/* kill -9 at any step. */
proctype killer()
{
	do
	:: kills > 0 -> d_step { kills--; killed = !done }; !killed
	:: done -> break
	od
}

init
{
	atomic { run packet(0); run packet(1); run daemon(); run killer() }
}
