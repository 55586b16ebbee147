/* Joining and one round, with a lossy network, a crash of the child and its return in a new epoch.
 *
 * Processes: a coordinator C, a parent P and its child K (edge P -> K). Messages carry the epoch they belong to.
 * The network may lose any message (at most LOSSES times in all: fair loss); who waits for an answer sends again.
 * The child may die once, at any moment at which it waits, and returns with what it had stored.
 *
 * What is checked:
 *   - assert: nobody acts before the states and its parents' action of the epoch; data never comes before Start;
 *     every update is applied exactly once, and from the signal; nothing of an older epoch counts; everybody is
 *     shown its own observation, and who takes no part in the turn chooses nothing;
 *   - [](no invalid end state) and ltl done: the round completes, whatever is lost and whenever the child dies.
 *
 * Mutations, each of which must be found: -DACCEPT_OLD_EPOCH -DACT_BEFORE_PARENT -DAPPLY_TWICE -DNO_RETRANSMISSION
 * -DOBSERVATION_OF_ANOTHER -DACT_WITHOUT_PART
 */
#define LOSSES 1

mtype = { hello, roster, ready, start, states, action, signal, applied, finish };

/* to C, to P, to K: kind, epoch, sender or content */
chan toC = [4] of { mtype, byte, byte };
chan toP = [3] of { mtype, byte, byte };
chan toK = [4] of { mtype, byte, byte };

byte losses = 0;
byte epoch = 0;          /* of the coordinator */
bool killed = false;     /* the child has died once */
byte storedP = 0;        /* updates that are durable */
byte storedK = 0;
byte appliedK = 0;       /* how often the update was applied to the child's theta */
byte appliedP = 0;
bool over = false;
bool tickC = false;      /* time has passed: the coordinator may send again */
bool tickK = false;      /* and the child may say hello again */

#define P 1
#define K 2
#define IDLE 4           /* an action of the child that counts for nothing */

/* What the observations announced say: whose they are, and of the child whether it takes part. The world decides on
 * that once, as it is the same whenever the round is played again. */
bool takesPart;
#define SEEN_BY_P P
#define SEEN_BY_K (K + takesPart)
#ifdef OBSERVATION_OF_ANOTHER
#define SENT_TO_K SEEN_BY_P
#else
#define SENT_TO_K SEEN_BY_K
#endif

/* Put a message on its way, or lose it. A full queue loses it too: it is sent again. */
inline post(ch, kind, e, what) {
    if
    :: nfull(ch) -> ch!kind, e, what
    :: losses < LOSSES -> losses++
    :: full(ch) -> skip
    fi
}

proctype Coordinator() {
    byte e, who;
    bool hereP = false, hereK = false, readyP = false, readyK = false, actP = false, actK = false;
    bool doneP = false, doneK = false;
    mtype kind;
    byte lifeK = 0;
    byte part = 0;       /* 0 joining, 1 edges, 2 steps, 3 signal, 4 over */
end:
    do
    :: toC?kind, e, who ->
        if
        :: kind == hello && part < 4 ->
            if
            :: who == P -> hereP = true
            :: who == K && e > lifeK -> hereK = true; lifeK = e; part = 0   /* a new life: the round anew */
            :: who == K && e == lifeK -> hereK = true
            :: else
            fi;
            if
            :: hereP && hereK && part == 0 ->
                epoch++; part = 1;
                readyP = false; readyK = false; actP = false; actK = false; doneP = false; doneK = false;
                post(toP, roster, epoch, 0); post(toK, roster, epoch, 0)
            :: else
            fi
        :: kind != hello && e != epoch -> skip      /* an older epoch: refused */
        :: kind == ready && e == epoch && part == 1 ->
            if :: who == P -> readyP = true :: else -> readyK = true fi;
            if
            :: readyP && readyK -> part = 2;
                post(toP, start, epoch, 0); post(toK, start, epoch, 0);
                post(toP, states, epoch, SEEN_BY_P); post(toK, states, epoch, SENT_TO_K)
            :: else
            fi
        :: kind == action && e == epoch && part == 2 ->
            if
            :: who == P -> actP = true
            :: else -> assert((who == K) == takesPart); actK = true
            fi;
            if
            :: actP && actK -> part = 3; post(toP, signal, epoch, 0); post(toK, signal, epoch, 0)
            :: else
            fi
        :: kind == applied && e == epoch && part == 3 ->
            if :: who == P -> doneP = true :: else -> doneK = true fi;
            if :: doneP && doneK -> part = 4; over = true :: else fi
        :: else
        fi
    :: tickC && part < 4 ->             /* what is unanswered is sent again */
        tickC = false;
        if
        :: part == 1 && !readyP -> post(toP, roster, epoch, 0)
        :: part == 1 && !readyK -> post(toK, roster, epoch, 0)
        :: part == 2 && !actP -> post(toP, start, epoch, 0); post(toP, states, epoch, SEEN_BY_P)
        :: part == 2 && actP && !actK ->
            post(toK, start, epoch, 0); post(toK, states, epoch, SENT_TO_K); post(toP, states, epoch, SEEN_BY_P)
        :: part == 3 && !doneP -> post(toP, signal, epoch, 0)
        :: part == 3 && doneP && !doneK -> post(toK, signal, epoch, 0)
        :: part == 0 -> skip
        fi
    :: part == 4 -> break
    od
}

proctype Parent() {
    byte e, mine = 0, what;
    bool started = false;
    mtype kind;
    toC!hello, 0, P;
end:
    do
    :: toP?kind, e, what ->
        if
        :: kind == roster && e > mine -> mine = e; started = false; post(toC, ready, mine, P)
        :: kind == roster && e == mine && mine > 0 -> post(toC, ready, mine, P)
        :: kind != roster && e != mine -> skip
        :: kind == start && e == mine -> started = true
        :: kind == states && e == mine && started ->
            assert(what == P);
            post(toK, action, mine, P); post(toC, action, mine, P)
        :: kind == signal && e == mine && started ->
            if
            :: storedP == 0 -> appliedP++; storedP = 1
            :: else
#ifdef APPLY_TWICE
                -> appliedP++
#endif
            fi;
            assert(appliedP == 1);
            post(toC, applied, mine, P)
        :: else
        fi
    od
}

proctype Child(byte life) {
    byte e, mine = 0, what, mine_does = IDLE;
    bool started = false, haveStates = false, haveAction = false, acted = false;
    mtype kind;
    post(toC, hello, life, K);
end:
    do
    :: toK?kind, e, what ->
        if
        :: kind == roster && e > mine ->
            mine = e; started = false; haveStates = false; haveAction = false; acted = false;
            post(toC, ready, mine, K)
        :: kind == roster && e == mine && mine > 0 -> post(toC, ready, mine, K)
#ifdef ACCEPT_OLD_EPOCH
        :: kind == action && mine > 0 -> assert(e == mine); haveAction = true
#else
        :: kind != roster && e != mine -> skip
        :: kind == action && e == mine && mine > 0 -> haveAction = true
#endif
        :: kind == start && e == mine && mine > 0 -> started = true
        :: kind == states && e == mine && started ->
            assert(what == K || what == K + 1);
            haveStates = true;
#ifdef ACT_WITHOUT_PART
            mine_does = K
#else
            if :: what == K + 1 -> mine_does = K :: else -> mine_does = IDLE fi
#endif
        :: kind == signal && e == mine && started && acted ->
            if
            :: storedK == 0 -> appliedK++; storedK = 1
            :: else
#ifdef APPLY_TWICE
                -> appliedK++
#endif
            fi;
            assert(appliedK == 1);
            post(toC, applied, mine, K)
        :: else
        fi;
#ifdef ACT_BEFORE_PARENT
        if
        :: started && haveStates && !acted -> assert(haveAction); acted = true; post(toC, action, mine, mine_does)
        :: else
        fi
#else
        if
        :: started && haveStates && haveAction ->
            assert(started && haveStates && haveAction);
            acted = true; post(toC, action, mine, mine_does)
        :: else
        fi
#endif
    :: tickK -> tickK = false; if :: mine == 0 -> post(toC, hello, life, K) :: else fi
    :: atomic { !killed && life == 0 && !over -> killed = true; run Child(1); goto dead }
    od;
dead: skip
}

/* Time passes only when nothing moves. */
proctype Clock() {
end:
    do
    :: timeout -> if :: over -> break :: else -> atomic { tickC = true; tickK = true } fi
    od
}

init { atomic {
    if :: takesPart = true :: takesPart = false fi;
#ifndef NO_RETRANSMISSION
    run Clock();
#endif
    run Coordinator(); run Parent(); run Child(0)
} }

ltl done { <> over }
