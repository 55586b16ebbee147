/* One turn with a relay: U -> V -> W and U -> W, where V hands on to W what U chose. One of the three may lie.
 *
 * Links are as `round.pml` shows them to be: whatever is sent arrives once and in order. Everybody tells the
 * coordinator C its own action and attests what it acted on; C compares before it lets the signal out.
 *
 * The liar tells a child something else than C, hands on something else than it heard, or attests something else
 * than it acted on. What a liar acts on is its own affair: it may choose any action.
 *
 * What is checked:
 *   - assert: nobody acts before it has all its parents' actions; when the signal goes out, every honest agent has
 *     acted on what C was told at first hand; if C accuses two, the liar is one of them; without a liar, none is;
 *   - no invalid end state, and ltl ended: the turn ends with a signal or an accusation.
 *
 * Mutations, each of which must be found: -DNO_COMPARISON -DRELAY_BEFORE_HEARD -DWRONG_ROW -DLAST_FIRST
 */
#define NOBODY 0
#define U 1
#define V 2
#define W 3
#define UNKNOWN 2        /* neither action */

chan UV = [1] of { byte };              /* U's action */
chan VW = [1] of { byte, byte };        /* U's and V's */
chan fromU = [1] of { byte };           /* own action */
chan fromV = [1] of { byte, byte };     /* own action, what it acted on of U */
chan fromW = [1] of { byte, byte, byte };

byte liar = NOBODY;
byte onU_V = UNKNOWN, onU_W = UNKNOWN, onV_W = UNKNOWN;   /* of whom, and who acted on it */
bool ended = false;

/* Say something, or something else if one is the liar. */
inline tell(me, truth, said) {
    said = truth;
    if
    :: liar == me -> said = 1 - truth
    :: skip
    fi
}

inline choose(action) { if :: action = 0 :: action = 1 fi }

proctype AgentU() {
    byte mine, toChild;
    choose(mine);
    tell(U, mine, toChild);
    UV!toChild; fromU!mine
}

proctype AgentV() {
    byte heard = UNKNOWN, mine, ofU, ofMe, attested;
#ifdef RELAY_BEFORE_HEARD
    if :: UV?heard :: skip fi;
#else
    UV?heard;
#endif
    assert(heard != UNKNOWN);
    onU_V = heard;
    choose(mine);
#ifdef WRONG_ROW
    tell(V, mine, ofU);
#else
    tell(V, heard, ofU);
#endif
    tell(V, mine, ofMe);
    tell(V, heard, attested);
    VW!ofU, ofMe; fromV!mine, attested
}

proctype AgentW() {
    byte ofU, ofV, mine, attestedU, attestedV;
    VW?ofU, ofV;
    onU_W = ofU; onV_W = ofV;
    choose(mine);
    tell(W, ofU, attestedU);
    tell(W, ofV, attestedV);
    fromW!mine, attestedU, attestedV
}

/* Two of whom one lies. */
inline accuse(one, other) {
    assert(liar != NOBODY && (liar == one || liar == other));
    ended = true
}

proctype Coordinator() {
    byte u, v, w, v_onU, w_onU, w_onV;
    fromU?u; fromV?v, v_onU; fromW?w, w_onU, w_onV;
    if
#ifndef NO_COMPARISON
#ifdef LAST_FIRST
    :: w_onU != u || w_onV != v -> accuse(V, W)
    :: !(w_onU != u || w_onV != v) && v_onU != u -> accuse(U, V)
#else
    :: v_onU != u -> accuse(U, V)
    :: v_onU == u && (w_onU != u || w_onV != v) -> accuse(V, W)
#endif
#endif
    :: else ->
        assert(liar == V || onU_V == u);
        assert(liar == W || (onU_W == u && onV_W == v));
        ended = true
    fi
}

init { atomic {
    if :: liar = NOBODY :: liar = U :: liar = V :: liar = W fi;
    run AgentU(); run AgentV(); run AgentW(); run Coordinator()
} }

ltl ended_somehow { <> ended }
