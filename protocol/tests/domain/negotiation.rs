//! Negotiations from both sides, honest and not.

use countersign_forge::{self as forge, Talk, World, principal, rights};
use countersign_protocol::{
    capability::Amount,
    contract::ContractBody,
    digest::Digest,
    domain::{EndCause, Event},
    limits::{MOVES_MAX, NEGOTIATIONS_PER_INSTANCE, RESULT_RETENTION_MS},
    negotiation::{Accept, Move, MoveKind, Request, State},
    refusal::Reason,
    signed::Statement,
    time::Lifetime,
};

/// A world with alice's grant, and researcher asking planner.
fn asked() -> (World, Talk, countersign_protocol::digest::ChainId) {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(400, 4)).unwrap();
    (world, talk, grant)
}

fn state(world: &World, talk: &Talk) -> State {
    world.state.negotiation(&talk.id).unwrap().state
}

#[test]
fn two_rounds_of_counter_offer_end_in_a_contract() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    talk.counter(&mut world, rights(300, 4)).unwrap();
    talk.offer(&mut world, grant, rights(200, 4)).unwrap();
    talk.counter(&mut world, rights(250, 4)).unwrap();
    talk.offer(&mut world, grant, rights(250, 4)).unwrap();
    let events = talk.accept(&mut world).unwrap();
    assert!(matches!(events[..], [Event::Moved(_), Event::ContractFinalized(_)]), "one commit");
    let talk = world.state.negotiation(&talk.id).unwrap();
    assert_eq!((talk.state, talk.round), (State::Finalized, 3));
    let chain = world.state.chain(&talk.outcome.unwrap()).unwrap();
    assert_eq!(chain.holder, world.agent("researcher").id);
    assert_eq!(world.state.chain(&grant).unwrap().account.available(), Amount::new(250).unwrap());
}

#[test]
fn only_the_sender_can_submit_its_move() {
    let (mut world, talk, _) = asked();
    let made = talk.bare(&mut world, "planner", MoveKind::Reject);
    let signed = made.sign(&world.agent("planner").key);
    assert_eq!(world.submit("mallory", &signed), Err(Reason::ChannelMismatch));
    let forged = made.sign(&world.agent("mallory").key);
    assert_eq!(world.submit("planner", &forged), Err(Reason::SignatureInvalid));
    // mallory says what planner would, to whom planner would say it.
    let claimed = Move { sender: world.agent("mallory").id, ..made.clone() };
    assert_eq!(talk.send(&mut world, "mallory", &claimed), Err(Reason::NotAParty));
    let astray = Move { audience: principal("mallory"), ..made.clone() };
    assert_eq!(talk.send(&mut world, "planner", &astray), Err(Reason::NotAParty), "to somebody else");
    assert!(world.submit("planner", &signed).is_ok(), "the twin");
}

#[test]
fn a_move_over_an_older_transcript_changes_nothing_and_convicts_nobody() {
    let (mut world, mut talk, grant) = asked();
    // planner's withdrawal races researcher's accept: both are made over the same transcript.
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let withdraw = talk.bare(&mut world, "planner", MoveKind::Withdraw).sign(&world.agent("planner").key);
    talk.accept(&mut world).unwrap();
    assert_eq!(world.submit("planner", &withdraw), Err(Reason::MoveNotAllowed));
    assert_eq!(state(&world, &talk), State::Finalized);

    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let accept = talk.acceptance(&mut world).sign(&world.agent("researcher").key);
    talk.plain(&mut world, "planner", MoveKind::Withdraw).unwrap();
    assert_eq!(world.submit("researcher", &accept), Err(Reason::MoveNotAllowed));
    assert_eq!(state(&world, &talk), State::Terminated);
}

#[test]
fn two_moves_for_one_place_are_equivocation() {
    let (mut world, mut talk, grant) = asked();
    let first = talk.body(&mut world, grant, rights(100, 4));
    let place = talk.bare(&mut world, "planner", MoveKind::Offer);
    talk.offer_body(&mut world, &first).unwrap();
    let mut other = place.clone();
    (other.kind, other.offer) = (MoveKind::Reject, None);
    let events = talk.send(&mut world, "planner", &other).unwrap();
    assert!(matches!(&events[..], [Event::NegotiationEnded(end)] if end.cause == EndCause::Equivocation));
    assert_eq!(state(&world, &talk), State::Terminated);
    assert_eq!(talk.accept(&mut world), Err(Reason::MoveNotAllowed), "the offer died with it");
    other.kind = MoveKind::Withdraw;
    let third = talk.send(&mut world, "planner", &other);
    assert_eq!(third, Err(Reason::Equivocation), "whoever was convicted is told why");
}

#[test]
fn the_same_move_twice_is_one_move() {
    let (mut world, talk, _) = asked();
    let signed = talk.bare(&mut world, "planner", MoveKind::Reject).sign(&world.agent("planner").key);
    assert_eq!(world.submit("planner", &signed).map(|events| events.len()), Ok(1));
    assert_eq!(world.submit("planner", &signed).map(|events| events.len()), Ok(0));
}

#[test]
fn rounds_run_out() {
    let (mut world, mut talk, grant) = asked();
    for _ in 1..5 {
        talk.offer(&mut world, grant, rights(100, 4)).unwrap();
        talk.plain(&mut world, "researcher", MoveKind::Decline).unwrap();
    }
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    assert_eq!(talk.counter(&mut world, rights(9, 1)), Err(Reason::RoundsExhausted));
    assert_eq!(talk.plain(&mut world, "researcher", MoveKind::Decline), Err(Reason::RoundsExhausted));
    assert!(talk.accept(&mut world).is_ok());
}

/// Attack line 20: nothing counts the moves, because the rounds do.
#[test]
fn the_longest_talk_has_the_moves_that_its_rounds_leave_it() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    let open = |world: &mut World, talk: &Talk, max_rounds| {
        let mut made = talk.bare(world, "researcher", MoveKind::Request);
        let deadline = world.now.plus(Lifetime::from_millis(600_000));
        let purpose = Digest::of(b"why");
        made.request = Some(Request { rights: rights(1, 1), purpose, deadline, max_rounds, award: None });
        talk.send(world, "researcher", &made)
    };
    assert_eq!(open(&mut world, &talk, 11), Err(Reason::LimitExceeded));
    assert_eq!(open(&mut world, &talk, 0), Err(Reason::LimitExceeded));
    open(&mut world, &talk, 10).unwrap();
    for _ in 1..10 {
        talk.offer(&mut world, grant, rights(100, 4)).unwrap();
        talk.counter(&mut world, rights(9, 1)).unwrap();
    }
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    assert_eq!(talk.counter(&mut world, rights(9, 1)), Err(Reason::RoundsExhausted));
    talk.plain(&mut world, "planner", MoveKind::Withdraw).unwrap();
    let ended = world.state.negotiation(&talk.id).unwrap();
    assert_eq!((ended.state, ended.moves.len()), (State::Terminated, MOVES_MAX as usize));
}

#[test]
fn an_offer_expires_and_a_negotiation_ends_at_its_deadline() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    world.pass(60_000);
    assert_eq!(talk.accept(&mut world), Err(Reason::OfferExpired));
    world.pass(540_000);
    world.decide(|state, context| state.decide_tick(context)).unwrap();
    assert_eq!(state(&world, &talk), State::Terminated);
    assert_eq!(world.state.negotiation(&talk.id).unwrap().ended, Some(EndCause::Deadline));
}

/// Attack line 18 and 22: a contract that says something else than the chain, the parties or the talk.
#[test]
fn an_offer_says_what_is_so() {
    type Change = fn(&mut World, &mut ContractBody);
    let cases: [(&str, Change, Reason); 12] = [
        ("transcript", |w, b| b.transcript = fresh_transcript(w), Reason::OfferMismatch),
        ("grantor", |w, b| b.grantor = w.agent("mallory").party(), Reason::OfferMismatch),
        ("grantee", |w, b| b.grantee = w.agent("mallory").party(), Reason::OfferMismatch),
        ("configuration", |_, b| b.grantee.configuration = b.purpose, Reason::OfferMismatch),
        ("originator", |_, b| b.originator = principal("root"), Reason::OfferMismatch),
        ("depth", |_, b| b.depth = 2, Reason::OfferMismatch),
        ("purpose", |_, b| b.purpose = b.grantee.configuration, Reason::OfferMismatch),
        ("wider", |_, b| b.rights.budget.ceiling = Amount::new(501).unwrap(), Reason::RightsWidened),
        ("delegations", |_, b| b.rights.delegations_left = 5, Reason::RightsWidened),
        (
            "split view",
            |_, b| b.seen.root = countersign_protocol::ledger::EMPTY_ROOT,
            Reason::LogInconsistent,
        ),
        ("future log", |_, b| b.seen.size = b.seen.size.plus(9).unwrap(), Reason::LogInconsistent),
        ("domain", |_, b| b.domain = "other.example".parse().unwrap(), Reason::OfferMismatch),
    ];
    for (what, change, reason) in cases {
        let (mut world, mut talk, grant) = asked();
        let mut body = talk.body(&mut world, grant, rights(100, 4));
        change(&mut world, &mut body);
        assert_eq!(talk.offer_body(&mut world, &body), Err(reason), "{what}");
        assert_eq!(state(&world, &talk), State::Requested, "{what}");
    }
}

fn fresh_transcript(world: &mut World) -> countersign_protocol::digest::TranscriptHash {
    let talk = Talk::new(world, "planner", "researcher");
    countersign_protocol::negotiation::empty_transcript(&forge::domain(), talk.id)
}

/// Attack line 22: mallory offers planner's chain, which it does not hold.
#[test]
fn nobody_grants_what_it_does_not_hold() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "mallory", "researcher");
    talk.request(&mut world, rights(10, 1)).unwrap();
    assert_eq!(talk.offer(&mut world, grant, rights(10, 1)), Err(Reason::ParentChanged));
}

/// Attack line 22: A → B → A.
#[test]
fn a_loop_launders_nothing() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let chain = world.contract(grant, "planner", "researcher", rights(100, 4)).unwrap();
    assert_eq!(world.contract(chain, "researcher", "planner", rights(50, 3)), Err(Reason::ChainLoops));
    assert!(world.contract(chain, "researcher", "fetcher", rights(50, 3)).is_ok(), "the twin");
}

/// Attack lines 22 and 28: one budget promised to many; the ledger's order decides who gets it.
#[test]
fn siblings_cannot_hold_more_than_their_parent() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    world.contract(grant, "planner", "researcher", rights(300, 4)).unwrap();
    assert_eq!(world.contract(grant, "planner", "fetcher", rights(201, 4)), Err(Reason::BudgetExceeded));
    assert!(world.contract(grant, "planner", "fetcher", rights(200, 4)).is_ok());
}

/// Replay runs `evolve` alone and arrives where the live state is.
#[test]
fn the_ledger_is_the_state() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    talk.accept(&mut world).unwrap();
    let replayed = world.entries.iter().fold(Default::default(), countersign_protocol::domain::State::evolve);
    assert_eq!(replayed, world.state);
}

/// Attack line 18: the contract is the offer that stands, and both signed that one.
#[test]
fn an_accept_is_of_the_offer_that_stands() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(300, 4)).unwrap();
    let old = talk.acceptance(&mut world).accept;
    talk.counter(&mut world, rights(400, 4)).unwrap();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let good = talk.acceptance(&mut world);
    let accept = |world: &mut World, change: &dyn Fn(&mut Accept)| {
        let mut made = good.clone();
        change(made.accept.as_mut().unwrap());
        talk.send(world, "researcher", &made).map(|events| events.len())
    };
    let old = old.unwrap();
    let older = accept(&mut world.clone(), &|accept| accept.contract = old.contract);
    assert_eq!(older, Err(Reason::AcceptMismatch));
    let swapped = accept(&mut world.clone(), &|accept| accept.contract_signature = old.contract_signature);
    assert_eq!(swapped, Err(Reason::SignatureInvalid), "what it signed was the older offer");
    let blind =
        accept(&mut world.clone(), &|accept| accept.seen.root = countersign_protocol::ledger::EMPTY_ROOT);
    assert_eq!(blind, Err(Reason::LogInconsistent));
    assert_eq!(accept(&mut world, &|_| ()), Ok(2), "the twin");
}

/// Attack line 21: the ledger's order decides between an accept and the revocation of what it needs.
#[test]
fn an_accept_after_the_revocation_of_its_parent_is_too_late() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let mut first = world.clone();
    assert!(talk.accept(&mut first).is_ok(), "the twin: the accept was first");
    crate::invocation::revoke(&mut first, "alice", grant, 2).unwrap();
    crate::invocation::revoke(&mut world, "alice", grant, 1).unwrap();
    assert_eq!(talk.accept(&mut world), Err(Reason::ParentChanged));
    assert_eq!(state(&world, &talk), State::Offered, "nothing happened");
}

/// Attack line 23: nobody accepts its own offer, offers to itself, or speaks for the other side.
#[test]
fn each_side_makes_its_own_moves_only() {
    let (mut world, mut talk, grant) = asked();
    talk.offer(&mut world, grant, rights(100, 4)).unwrap();
    let mut own = talk.acceptance(&mut world);
    let planner = talk.bare(&mut world, "planner", MoveKind::Accept);
    own = Move { accept: own.accept, ..planner };
    assert_eq!(talk.send(&mut world, "planner", &own), Err(Reason::MoveNotAllowed));
    for kind in [MoveKind::Decline, MoveKind::Reject] {
        assert_eq!(talk.plain(&mut world, "planner", kind), Err(Reason::MoveNotAllowed), "{kind:?}");
    }
    let withdraw = talk.plain(&mut world, "researcher", MoveKind::Withdraw);
    assert_eq!(withdraw, Err(Reason::MoveNotAllowed), "its word was answered");
    let alone = Talk::new(&mut world, "planner", "planner");
    assert_eq!(alone.request(&mut world, rights(1, 1)), Err(Reason::MoveNotAllowed));
    assert!(talk.accept(&mut world).is_ok(), "the twin");
}

/// Attack line 19: a move is of one negotiation, in one place of it.
#[test]
fn a_move_fits_no_other_negotiation() {
    let (mut world, talk, _) = asked();
    let other = Talk::new(&mut world, "planner", "researcher");
    other.request(&mut world, rights(400, 4)).unwrap();
    let reject = talk.bare(&mut world, "planner", MoveKind::Reject);
    let mut signed = reject.sign(&world.agent("planner").key);
    let moved = Move { negotiation_id: other.id, ..reject.clone() };
    signed.payload = countersign_protocol::payload::Payload::to_bytes(&moved);
    assert_eq!(world.submit("planner", &signed), Err(Reason::SignatureInvalid), "as it was signed");
    assert_eq!(talk.send(&mut world, "planner", &moved), Err(Reason::StaleTranscript), "signed anew");
    let skipped = Move { seq: 2, ..reject.clone() };
    assert_eq!(talk.send(&mut world, "planner", &skipped), Err(Reason::OutOfSequence));
    let round = Move { round: 2, ..reject.clone() };
    assert_eq!(talk.send(&mut world, "planner", &round), Err(Reason::OutOfSequence));
    assert!(talk.send(&mut world, "planner", &reject).is_ok(), "the twin");
}

/// Attack line 20: what a peer makes the broker hold has a bound.
#[test]
fn endless_negotiations_are_refused() {
    let mut world = World::new();
    let mut open = || Talk::new(&mut world, "planner", "researcher").request(&mut world, rights(1, 1));
    for number in 0..64 {
        assert!(open().is_ok(), "{number}");
    }
    assert_eq!(open(), Err(Reason::Overloaded));
    let others = Talk::new(&mut world, "planner", "fetcher").request(&mut world, rights(1, 1));
    assert!(others.is_ok(), "others have their own");
    world.pass(600_000);
    world.decide(|state, context| state.decide_tick(context)).unwrap();
    assert!(Talk::new(&mut world, "planner", "researcher").request(&mut world, rights(1, 1)).is_ok());
}

/// Attack line 20: what has ended is remembered for a while, and that has a bound as well.
#[test]
fn whoever_asks_and_takes_back_for_ever_is_refused() {
    let mut world = World::new();
    let ask_and_withdraw = |world: &mut World| {
        let talk = Talk::new(world, "planner", "researcher");
        talk.request(world, rights(1, 1))?;
        talk.plain(world, "researcher", MoveKind::Withdraw)
    };
    for number in 0..NEGOTIATIONS_PER_INSTANCE {
        assert!(ask_and_withdraw(&mut world).is_ok(), "{number}");
    }
    assert_eq!(ask_and_withdraw(&mut world), Err(Reason::Overloaded));
    let others = Talk::new(&mut world, "planner", "fetcher").request(&mut world, rights(1, 1));
    assert!(others.is_ok(), "others have their own");
    world.pass(RESULT_RETENTION_MS + 1);
    world.stay("mallory");
    assert!(ask_and_withdraw(&mut world).is_ok(), "the twin: what is forgotten counts no longer");
    assert_eq!(world.state.instance(&world.agent("researcher").id).unwrap().negotiated, 1);
}

/// Attack line 3: two parents of one holder. The contract names the narrow one, the hop is signed for
/// the wide one.
#[test]
fn a_hop_signed_for_another_parent_is_no_offer() {
    let mut world = World::new();
    let (wide, narrow) = (world.grant(rights(500, 5)).unwrap(), world.grant(rights(5, 5)).unwrap());
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(5, 4)).unwrap();
    let body = talk.body(&mut world, narrow, rights(5, 4));
    let (wide, planner) = (world.token(wide), world.agent("planner").key);
    let mut swapped = talk.offered(&mut world, &body);
    let offer = swapped.offer.as_mut().unwrap();
    offer.hop_signature = countersign_protocol::token::sign_hop(&wide, &body.hop_terms(), &planner);
    assert_eq!(talk.send(&mut world, "planner", &swapped), Err(Reason::TokenUntrusted));
    assert!(talk.offer_body(&mut world, &body).is_ok(), "the twin");
}

/// Attack line 28: one contract is redeemed once.
#[test]
fn a_contract_id_is_used_once() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    talk.request(&mut world, rights(5, 4)).unwrap();
    let first = talk.body(&mut world, grant, rights(5, 4));
    talk.offer_body(&mut world, &first).unwrap();
    talk.accept(&mut world).unwrap();
    let mut again = Talk::new(&mut world, "planner", "researcher");
    again.request(&mut world, rights(5, 4)).unwrap();
    let mut body = again.body(&mut world, grant, rights(5, 4));
    let fresh = std::mem::replace(&mut body.contract_id, first.contract_id);
    assert_eq!(again.offer_body(&mut world, &body), Err(Reason::IdAlreadyUsed));
    body.contract_id = fresh;
    assert!(again.offer_body(&mut world, &body).is_ok(), "the twin");
    assert_eq!(talk.accept(&mut world), Err(Reason::MoveNotAllowed), "nor is the first accepted twice");
}

/// Attack line 26: two offers of one id stand at once; the second commit is refused and changes nothing.
#[test]
fn of_two_contracts_with_one_id_the_first_commit_wins() {
    let mut world = World::new();
    let grant = world.grant(rights(500, 5)).unwrap();
    let mut talks = ["researcher", "fetcher"].map(|grantee| Talk::new(&mut world, "planner", grantee));
    let mut id = None;
    for talk in &mut talks {
        talk.request(&mut world, rights(5, 4)).unwrap();
        let mut body = talk.body(&mut world, grant, rights(5, 4));
        body.contract_id = *id.get_or_insert(body.contract_id);
        talk.offer_body(&mut world, &body).unwrap();
    }
    assert!(talks[1].accept(&mut world).is_ok());
    assert_eq!(talks[0].accept(&mut world), Err(Reason::IdAlreadyUsed));
    assert_eq!(state(&world, &talks[0]), State::Offered);
}
