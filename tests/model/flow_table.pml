/* SPDX-License-Identifier: BSD-2-Clause */
/* The operations of bpf/flow.h on the flow table, step by step; see flow.pml. They work on the
 * variables of the process that includes them: place p, tag t, meta m, owner o, and ok. */

#define FREE 0
#define BUSY 1
#ifdef TAGS_DIFFER
#define TAG(client) (2 + (client))
#else
#define TAG(client) 2
#endif
#define NONE 9
#define HALF_FIRST 0
#define HALF_END 2
#define EST_FIRST 2
#define EST_END 3
#define PLACES 3

typedef meta_t { byte epoch; bit writing; bit seen; bit fin };
typedef record_t { byte owner; byte client; byte isn };

byte tag[PLACES];
meta_t meta[PLACES];
record_t rec[PLACES];
bit lock[3];  /* one per client, so B is never held up by A's */
bit now;      /* a record whose `seen` is behind it is silent for too long */

/* What is true, for the assertions: which flow a place belongs to since it was last taken. */
byte truth[PLACES];
byte flows = 1;
byte client_of[8];
byte finished;

#define SAME_META(p, m) \
	(meta[p].epoch == m.epoch && meta[p].writing == m.writing && \
	 meta[p].seen == m.seen && meta[p].fin == m.fin)
#define LOAD_META(m, p) \
	m.epoch = meta[p].epoch; m.writing = meta[p].writing; \
	m.seen = meta[p].seen; m.fin = meta[p].fin

/* ---- reading: sets ok, and m, o (owner) when it is so ---- */

inline flow_read(p, k)
{
	d_step {
		LOAD_META(m, p);
#ifdef NO_WRITING
		ok = 1
#else
		ok = !m.writing
#endif
	};
	if
	:: !ok
	:: else ->
		o = rec[p].owner;
		ok = (rec[p].client == k);
		if
		:: !ok
		:: else ->
			d_step {
#ifdef NO_RECHECK
				ok = 1;
#else
				ok = (meta[p].epoch == m.epoch);
#endif
				assert(!ok || client_of[o] == k)
			}
		fi
	fi
}

/* Sets hit to the place, or NONE. The first place is the home of all: its tag is not asked for. */
inline flow_find(first, end, k)
{
	hit = NONE;
	p = first;
	do
	:: p >= end || hit != NONE -> break
	:: else ->
		if
		:: p == first || tag[p] == TAG(k) ->
			flow_read(p, k);
			if
			:: ok -> hit = p
			:: else
			fi
		:: else
		fi;
		p++
	od;
	p = 0
}

/* ---- changing ---- */

/* A packet ends the flow it found at `hit`: adds fin and refreshes seen. */
inline flow_touch(bits)
{
#ifdef TOUCH_STORE
	d_step {
		assert(truth[hit] == o || meta[hit].writing);
		meta[hit].epoch = m.epoch; meta[hit].seen = now; meta[hit].fin = m.fin | bits
	}
#else
	do
	:: d_step { SAME_META(hit, m) ->
		assert(truth[hit] == o);
		meta[hit].seen = now;
		meta[hit].fin = m.fin | bits
	   };
	   break
#ifdef TOUCH_ONCE
	:: d_step { !SAME_META(hit, m) ->
		assert(meta[hit].epoch != m.epoch || meta[hit].fin || !bits) /* not lost */
	   };
	   break
#else
	:: d_step { !SAME_META(hit, m) && meta[hit].epoch == m.epoch ->
		m.writing = meta[hit].writing; m.seen = meta[hit].seen; m.fin = meta[hit].fin
	   }
	:: d_step { meta[hit].epoch != m.epoch -> skip }; break
#endif
	od
#endif
}

/* ---- taking a place ---- */

/* An occupied place p becomes ours if its meta still is m: sets ok. silent: only for that reason. */
inline seize(p, silent)
{
#ifdef TAG_ONLY
	d_step {
		ok = (tag[p] == seen_tag);
		if
		:: ok -> tag[p] = BUSY; assert(!silent || meta[p].seen != now)
		:: else
		fi
	};
	if
	:: ok -> d_step { meta[p].epoch++; meta[p].writing = 1; meta[p].fin = 0; truth[p] = 0 }
	:: else
	fi
#else
	d_step {
		ok = SAME_META(p, m);
		if
		:: ok ->
			assert(!silent || meta[p].seen != now);
#ifndef EPOCH_LAST
			meta[p].epoch++;
#endif
			meta[p].writing = 1; meta[p].fin = 0; truth[p] = 0
		:: else
		fi
	}
#endif
}

/* Ends the flow m of place p. */
inline flow_free(p)
{
#ifdef TAG_ONLY
	d_step {
		if
		:: tag[p] == seen_tag -> tag[p] = FREE;
			assert(meta[p].epoch == m.epoch);
			truth[p] = 0
		:: else
		fi
	}
#else
	d_step {
		if /* its meta as it is now, if it still is the same flow's */
		:: meta[p].epoch == m.epoch && !meta[p].writing ->
			m.seen = meta[p].seen; m.fin = meta[p].fin
		:: else
		fi
	};
	seize(p, 0);
	if
	:: ok -> tag[p] = FREE
	:: else
	fi
#endif
}

/* Where a record of k may stand in a region: same, place (and m, when a flow is to be replaced). */
inline survey(first, end, k)
{
	same = NONE; place = NONE; replace = 0;
	p = first;
	do
	:: p >= end -> break
	:: else ->
		t = tag[p];
		if
		:: t == FREE && place == NONE -> place = p
		:: t == TAG(k) ->
			flow_read(p, k);
			if
			:: ok -> same = p
			:: else
			fi
		:: else
		fi;
		p++
	od;
	p = first;
	do
	:: p >= end || place != NONE || same != NONE -> break
	:: else ->
		t = tag[p];
		if
		:: t > BUSY ->
			d_step { LOAD_META(m, p); ok = m.seen != now && !m.writing };
			if
			:: ok ->
				place = p; replace = 1; silent = 1; seen_tag = t
			:: else
			fi
		:: else
		fi;
		p++
	od;
	p = 0
}

inline survey_own(k)
{
	place = same; replace = 1; silent = 0; seen_tag = TAG(k)
}

inline write_meta(p, flow)
{
	d_step { meta[p].epoch = m.epoch + 1; meta[p].writing = 1; meta[p].seen = now;
		 meta[p].fin = 0; truth[p] = flow }
}

/* Sets ok. The first thing written to a place is its new epoch. */
inline flow_claim(flow)
{
	if
	:: replace ->
		seize(place, silent)
	:: else ->
		d_step {
			ok = (tag[place] == FREE);
			if
			:: ok -> tag[place] = BUSY
			:: else
			fi
		}
	fi;
	if
	:: ok ->
		d_step { LOAD_META(m, place) };
#ifdef EPOCH_LAST
		truth[place] = flow
#else
		write_meta(place, flow)
#endif
	:: else
	fi
}

inline flow_publish(k, flow)
{
#ifdef EPOCH_LAST
	write_meta(place, flow);
#endif
	tag[place] = TAG(k);
	meta[place].writing = 0
}

inline flow_lock(k)
{
#ifdef NO_LOCK
	locked = 1
#else
	d_step { locked = !lock[k]; lock[k] = 1 }
#endif
}
