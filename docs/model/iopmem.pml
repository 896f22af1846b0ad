/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One file, one range of it, two clients that both want to write there, one
 * local writer that may find the file mapped by a local program, a server that
 * may die and start again, a network that loses and delays.
 *
 * Names are the code's: segment states of server/layout_table.h, layouts and
 * orphans of kmod/layout.c.  tests/model/run checks it exhaustively, and checks
 * that each mutation (-DM_...) is caught and each witness (-DW_...) is reached.
 *
 * Time is not modelled: a deadline may pass as soon as it is armed, a client may
 * be silent from any point on.  So the safety shown holds for any choice of
 * times, and "never stuck" is the absence of invalid end states: every actor
 * does a bounded amount of work, and whoever waits for ever is found there.
 *
 * A client whose lease is over ends at once, or with -DCOURTESY not before somebody
 * conflicts with it, however long that takes: server/client.c does something in
 * between.  With -DSHARED both clients are shared writers (inside EOF).
 */

#ifndef ROUNDS
#define ROUNDS 1	/* LAYOUTGETs of a client that are granted */
#endif
#ifndef OPS
#define OPS 1		/* operations of the local writer */
#endif
#define KEYS 2		/* so few that reuse happens */

mtype = { NONE, GRANTING, GRANTED, RETURNING };		/* a segment */
mtype = { NOT, ASKED, GOT, REFUSED };			/* LAYOUTGET, seen by the client */

/* ---- the server's memory, gone with it ----------------------------------- */
byte inst = 1;			/* server instance; grows with each death */
bool alive = true;
mtype seg[2] = NONE;
bool recall[2];			/* recalled, its deadline armed */
bool acked[2];			/* the client has seen the recall */
bool fd;			/* the layout fd of the module is open */
bool heard;			/* its poll() has told of the break */

/* ---- NIC and module ------------------------------------------------------ */
bool mr[2];			/* a memory region, and so a pin, of the live server */
bool omr[2];			/* the same of a dead server, not yet closed */
byte key[2];			/* of mr; 0 and 1, 0 without one */
bool lease;			/* FL_LAYOUT, held by fd or by an orphan */
bool broken;			/* somebody waits for the lease or for pins */
bool orphan;
byte calls;			/* COMMITs on the way in the module's workers */
bool iolock;			/* XFS IOLOCK_EXCL */
bool mapped;			/* a local program has the file mapped and touched */

#define PINS (mr[0] || mr[1] || omr[0] || omr[1])

/* ---- clients and network ------------------------------------------------- */
mtype get[2] = NOT;
bool ret[2];			/* LAYOUTRETURN sent, with what is to be committed */
bool retdone[2];		/* and answered */
bool dead[2];			/* renews no more: its lease ends */
bool fly[2];			/* an RDMA WRITE of it is on the way */
byte fkey[2];			/* with this key */
bool fstale[2];			/* and the region that it was meant for is dead */
bool commit_done[2];		/* the commit of its last return was executed */

inline mr_dead(c) {
	atomic { mr[c] = false; key[c] = 0; fstale[c] = fly[c] }
}

/* An RDMA WRITE arrives, however late: keys are looked up in the client's own PD. */
inline land(c) {
	atomic {
		if
		:: mr[c] && key[c] == fkey[c] -> assert(!fstale[c])	/* its own grant */
		:: else	/* remote access error */
		fi;
		fly[c] = false; fkey[c] = 0; fstale[c] = false
	}
}

/* ---- client -------------------------------------------------------------- */
proctype client(byte c) {
	byte rounds = 0;

more:	do
	:: rounds == ROUNDS -> break
	:: rounds < ROUNDS ->
		rounds++;
		atomic { get[c] = ASKED };
		(get[c] == GOT || get[c] == REFUSED || !alive);
		atomic {
			if
			:: get[c] != GOT -> get[c] = NOT; goto more
			:: else -> get[c] = NOT
			fi
		};
		/* Writes while it holds the layout; the last one may be overtaken by anything. */
		if
#ifndef NO_FLIGHT
		:: atomic { c == 0 && !fly[c] && mr[c] -> fly[c] = true; fkey[c] = key[c] }
#endif
		:: true
		fi;
		if
		:: true ->	/* gives it back: recalled or of its own will */
			atomic { ret[c] = true };
			atomic { retdone[c] || !alive -> ret[c] = false; retdone[c] = false }
		:: true ->	/* acknowledges, renews its lease, and never returns a thing */
#ifdef M_ACK_STOPS_CLOCK
			if
			:: recall[c] -> acked[c] = true
			:: true
			fi;
#endif
			break
		:: dead[c] = true; break
		fi
	od
}

/* Delivers late, or never. */
proctype network(byte c) {
end_network:
	do
	:: atomic { fly[c] -> skip }; land(c)
	:: atomic { fly[c] -> fly[c] = false; fkey[c] = 0; fstale[c] = false }
	od
}

/* ---- server: grant.c ------------------------------------------------------ */
/* server/layout_table.c: forbids(); and nobody gets ahead of who a recall is for */
#ifdef SHARED
#define OTHER_FORBIDS(c) (seg[1 - c] == RETURNING || recall[1 - c])
#else
#define OTHER_FORBIDS(c) (seg[1 - c] != NONE)
#endif

inline refuse(c) {
	atomic { seg[c] = NONE; get[c] = REFUSED }
}

proctype grant(byte c) {
	byte my;

again:	atomic { alive -> my = inst };
	{
end_grant:
	do
	:: atomic {
		get[c] == ASKED ->
		if
		:: seg[c] != NONE || OTHER_FORBIDS(c) || broken || (lease && !fd) ->
			/* RECALLCONFLICT at once, the holder is recalled */
			if
			:: seg[1 - c] == GRANTED && OTHER_FORBIDS(c) -> recall[1 - c] = true
			:: else
			fi;
#ifndef M_GRANT_BESIDE_ORPHAN
			get[c] = REFUSED
#else
			if
			:: lease && !fd && seg[0] == NONE && seg[1] == NONE -> seg[c] = GRANTING
			:: else -> get[c] = REFUSED
			fi
#endif
		:: else -> seg[c] = GRANTING
		fi
	   };
	   if
	   :: seg[c] != GRANTING
	   :: seg[c] == GRANTING ->
		/* LAYOUT_OPEN: the lease before the mapping; waits for IOLOCK */
		atomic { !iolock -> fd = true; lease = true };
		/* MAP */
		!iolock;
		if
		:: broken -> refuse(c)
		:: else ->
			/* register: a key of the pool that is not in quarantine */
			atomic {
				if
#ifdef M_KEY_REUSE
				:: key[c] = 0
#else
				:: !(fly[c] && fkey[c] == 0) -> key[c] = 0
				:: !(fly[c] && fkey[c] == 1) -> key[c] = 1
#endif
				fi;
				mr[c] = true;
				assert(!omr[1 - c]);
#ifndef SHARED
				assert(!mr[1 - c])	/* single writer */
#endif
			};
#ifndef M_NO_RECHECK
			if
			:: broken -> mr_dead(c); refuse(c)
			:: atomic { !broken ->
#else
			if
			:: atomic { true ->
#endif
				seg[c] = GRANTED; acked[c] = false; get[c] = GOT;
#ifdef W_GRANTED_ANEW
				assert(inst == 1)
#endif
				};
			fi
		fi
	   fi
	od
	} unless { atomic { inst != my -> skip } };
	goto again
}

/* ---- server: recall.c and fence.c: who ends a segment, and when ------------ */
#ifdef M_ACK_STOPS_CLOCK
#define DEADLINE(c) (recall[c] && !acked[c])
#elif defined(M_COURTESY_SHIELDS)
#define DEADLINE(c) (recall[c] && !dead[c])
#else
#define DEADLINE(c) (recall[c])
#endif

#ifdef COURTESY
#define EXPIRED(c) false	/* not by itself: a conflict makes it a recall */
#else
#define EXPIRED(c) dead[c]
#endif

proctype teardown(byte c) {
	byte my;
	bool commits, failed;

again:	atomic { alive -> my = inst; failed = false };
	{
end_teardown:
	do
	:: atomic { seg[c] == GRANTED && ret[c] -> seg[c] = RETURNING; commits = true };
	   goto gone
	:: atomic { seg[c] == GRANTED && (DEADLINE(c) || EXPIRED(c)) -> seg[c] = RETURNING; commits = false };
#ifdef W_FENCED
	   assert(false);
#endif
	   goto gone
	:: atomic { seg[c] == NONE && ret[c] && !retdone[c] -> retdone[c] = true }	/* nothing (left) to return */
	od;
gone:
#ifdef M_COMMIT_BEFORE_MR_DEATH
	if
	:: commits -> atomic { !iolock -> iolock = true }; assert(lease); iolock = false
	:: else
	fi;
#endif
#ifdef M_RELEASE_BEFORE_FENCE
	atomic { seg[1 - c] == NONE -> lease = false; fd = false; heard = false; broken = false };
#endif
	/* dereg_mr; it may fail once, and then is tried again */
	if
	:: !failed -> failed = true;
#ifdef M_FENCE_FAILURE_IGNORED
		goto unmap
#else
		goto gone
#endif
	:: true -> mr_dead(c)
	fi;
#ifndef M_COMMIT_BEFORE_MR_DEATH
	if
	:: commits ->	/* in a worker of the module: it ends even if the server is killed meanwhile */
		atomic { calls++; commit_done[c] = false; run commit(c) };
		commit_done[c]
	:: else
	fi;
#endif
#ifdef M_FENCE_FAILURE_IGNORED
unmap:
#endif
	atomic {
		seg[c] = NONE; recall[c] = false; failed = false;
		if
		:: commits && ret[c] -> retdone[c] = true
		:: else
		fi;
		commits = false
	};
	goto end_teardown
	} unless { atomic { inst != my -> skip } };
	goto again
}

/* kmod/commit.c: wants IOLOCK_EXCL; the blocks must still be the file's. */
proctype commit(byte c) {
	atomic { !iolock -> iolock = true };
	assert(lease);
	atomic { iolock = false; commit_done[c] = true; calls-- }
}

/* server/file.c: the break is a recall of everybody; the last segment closes the layout fd. */
proctype file() {
	byte my;

again:	atomic { alive -> my = inst };
	{
end_file:
	do
	:: atomic {
		/* told once: a segment that is still GRANTING must look by itself */
		broken && fd && !heard ->
		heard = true;
		if
		:: seg[0] == GRANTED -> recall[0] = true
		:: else
		fi;
		if
		:: seg[1] == GRANTED -> recall[1] = true
		:: else
		fi
	   }
	:: atomic {
		broken && fd && seg[0] == NONE && seg[1] == NONE ->
		fd = false; heard = false;
		/* kmod/layout.c: iopmem_layout_close() */
		if
		:: calls == 0 && !PINS -> lease = false; broken = false
		:: else -> orphan = true
		fi
	   }
	od
	} unless { atomic { inst != my -> skip } };
	goto again
}

/* ---- module and kernel after the server's death ---------------------------- */
proctype kernel() {
end_kernel:
	do
	:: atomic { omr[0] -> omr[0] = false }	/* the verbs device is closed, in whatever order */
	:: atomic { omr[1] -> omr[1] = false }
#ifdef M_NO_PIN_GATE
	:: atomic { orphan -> orphan = false; lease = false; broken = false }
#else
	:: atomic { orphan && calls == 0 && !PINS -> orphan = false; lease = false; broken = false }
#endif
	od
}

/* SIGKILL at any moment, at most once, and a restart. */
proctype death() {
	if
	:: true
	:: atomic {
		alive = false; inst++;
		if
		:: mr[0] -> omr[0] = true; mr_dead(0)
		:: else
		fi;
		if
		:: mr[1] -> omr[1] = true; mr_dead(1)
		:: else
		fi;
		seg[0] = NONE; seg[1] = NONE;
		recall[0] = false; recall[1] = false;
		if
		:: fd -> fd = false; heard = false; orphan = true
		:: else
		fi;
#ifdef W_ORPHAN
		assert(!(orphan && omr[0]))
#endif
		if
		:: get[0] == ASKED -> get[0] = REFUSED
		:: else
		fi;
		if
		:: get[1] == ASKED -> get[1] = REFUSED
		:: else
		fi
	   };
	   atomic { alive = true }
	fi
}

/* ---- a local truncate: fs/xfs, xfs_break_layouts(BREAK_UNMAP) --------------- */
proctype local_op() {
	byte ops = 0;

	do
	:: ops == OPS -> break
	:: ops < OPS ->
		ops++;
#ifndef NO_MMAP
		if
		:: mapped = true
		:: mapped = false
		fi;
#endif
retry:		atomic { !iolock -> iolock = true };
pins:		if
		:: mapped && PINS ->
			/* holds IOLOCK while it waits: only the hook can tell the server */
#ifndef M_NO_BUSY_HOOK
			atomic {
				if
				:: lease -> broken = true
				:: else
				fi
			};
#endif
			!PINS;
			goto pins
		:: else
		fi;
		if
		:: atomic { lease -> broken = true; iolock = false };
			do	/* __break_lease(): a lease that comes meanwhile is broken, too */
			:: atomic { lease && !broken -> broken = true }
			:: !lease -> break
			od;
			goto retry
		:: atomic { !lease ->
			/* the blocks go to another file: nobody may reach them any more */
			assert(!PINS);
			iolock = false }
		fi
	od
#ifdef W_LOCAL_DONE
	; assert(false)
#endif
}

init {
	atomic {
#ifndef NO_DEATH
		run death(); run kernel();
#endif
#ifndef NO_FLIGHT
		run network(0);
#endif
		run client(0); run client(1); run grant(0); run grant(1);
		run teardown(0); run teardown(1); run file(); run local_op()
	}
}
