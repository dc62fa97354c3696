//! Negotiations through the service, from both sides, honest and not.

use countersign_forge::{Speaks, envelope::sealed};
use countersign_protocol::{
    capability::Rights,
    contract::ContractBody,
    digest::TranscriptHash,
    id::NegotiationId,
    negotiation::{Counter, Move, MoveKind, empty_transcript},
    payload::Payload,
    signed::{Signed, Statement},
    token::{Activation, ActiveToken, Token, UnverifiedToken},
};
use countersign_wire::v1;
use tonic::Status;

use crate::world::*;

/// Both sides of one negotiation, who know of it what the service told them.
pub(crate) struct Talk {
    pub(crate) id: NegotiationId,
    grantor: &'static str,
    grantee: &'static str,
    pub(crate) known: Option<v1::Negotiation>,
    offered: Option<ContractBody>,
}

impl Talk {
    pub(crate) fn new(world: &mut World, grantor: &'static str, grantee: &'static str) -> Self {
        let id = NegotiationId::new(world.now(), &mut world.rng);
        Self { id, grantor, grantee, known: None, offered: None }
    }

    /// The next move of that sender, without content.
    pub(crate) fn bare(&self, world: &mut World, sender: &str, kind: MoveKind) -> Move {
        let moves: Vec<Move> = self.moves().iter().map(|made| made.peek_unverified().unwrap()).collect();
        let audience = if sender == self.grantor { self.grantee } else { self.grantor };
        let speaks = Speaks { id: self.id, sender, audience };
        let mut made = world.say(|stage| stage.bare_move(speaks, kind));
        made.seq = moves.iter().filter(|earlier| earlier.sender == made.sender).count() as u32 + 1;
        // What was not told is not known, whatever the domain's state says.
        made.round = self.known.as_ref().map_or(1, |it| it.round);
        let told = self.known.as_ref().map(|it| it.transcript.as_slice().try_into().unwrap());
        made.transcript = told.unwrap_or_else(|| empty_transcript(&trust_domain(), self.id));
        made
    }

    pub(crate) fn moves(&self) -> Vec<Signed> {
        let moves = self.known.iter().flat_map(|it| &it.moves);
        moves.map(|made| Signed::from_bytes(&made.signed_move).unwrap()).collect()
    }

    pub(crate) fn request(&self, world: &mut World, rights: Rights) -> Signed {
        let mut made = self.bare(world, self.grantee, MoveKind::Request);
        made.request = Some(world.say(|stage| stage.wish(rights)));
        made.sign(&world.agent(self.grantee).key)
    }

    pub(crate) fn counter(&self, world: &mut World, rights: Rights) -> Signed {
        let mut made = self.bare(world, self.grantee, MoveKind::Counter);
        made.counter = Some(Counter { rights });
        made.sign(&world.agent(self.grantee).key)
    }

    pub(crate) fn plain(&self, world: &mut World, sender: &str, kind: MoveKind) -> Signed {
        self.bare(world, sender, kind).sign(&world.agent(sender).key)
    }

    pub(crate) fn offer(&mut self, world: &mut World, parent: &v1::ActiveChain, rights: Rights) -> Signed {
        let (id, sides) = (self.id, [self.grantor, self.grantee]);
        let parent = token(parent).chain_id();
        let honest = world.say(|stage| stage.contract_body(id, sides, parent, rights));
        let transcript = self.known.as_ref().unwrap().transcript.as_slice().try_into().unwrap();
        let body = ContractBody { transcript, ..honest };
        let mut made = self.bare(world, self.grantor, MoveKind::Offer);
        made.offer = Some(world.say(|stage| stage.offer(self.grantor, &body)));
        self.offered = Some(body);
        made.sign(&world.agent(self.grantor).key)
    }

    pub(crate) fn accept(&self, world: &mut World) -> Signed {
        let body = self.offered.as_ref().unwrap();
        let mut made = self.bare(world, self.grantee, MoveKind::Accept);
        made.accept = Some(world.say(|stage| stage.accept(self.grantee, body)));
        made.sign(&world.agent(self.grantee).key)
    }

    /// Submits a move and learns what it led to.
    pub(crate) async fn send(
        &mut self,
        world: &World,
        sender: &str,
        signed: &Signed,
    ) -> Result<v1::Negotiation, Status> {
        let known = submit(world, sender, signed).await?;
        self.known = Some(known.clone());
        Ok(known)
    }
}

pub(crate) async fn submit(world: &World, sender: &str, signed: &Signed) -> Result<v1::Negotiation, Status> {
    let request = v1::SubmitMoveRequest { trust_domain: DOMAIN.into(), signed_move: signed.to_bytes() };
    let answer = world.negotiations.submit_move(world.call(sender, request)).await?;
    Ok(answer.into_inner().negotiation.unwrap())
}

/// The chain as its reader believes it: verified, and activated.
pub(crate) fn active(chain: &v1::ActiveChain) -> ActiveToken {
    let activation = Activation::open(&Signed::from_bytes(&chain.activation).unwrap(), &key_set()).unwrap();
    ActiveToken::new(token(chain), activation).unwrap()
}

fn token(chain: &v1::ActiveChain) -> Token {
    UnverifiedToken::from_bytes(chain.token.clone()).verify(&key_set()).unwrap()
}

/// A contract beneath that chain: request, offer, accept.
pub(crate) async fn contract(
    world: &mut World,
    parent: &v1::ActiveChain,
    grantor: &'static str,
    grantee: &'static str,
    rights: Rights,
) -> v1::ActiveChain {
    let mut talk = Talk::new(world, grantor, grantee);
    let request = talk.request(world, rights.clone());
    talk.send(world, grantee, &request).await.unwrap();
    let offer = talk.offer(world, parent, rights);
    talk.send(world, grantor, &offer).await.unwrap();
    let accept = talk.accept(world);
    let known = talk.send(world, grantee, &accept).await.unwrap();
    world.activation(grantee, &known.chain_id).await.unwrap()
}

/// planner's grant, and researcher asking planner.
pub(crate) async fn asked() -> (World, Talk, v1::ActiveChain) {
    let mut world = World::new().await;
    let grant = world.grant(rights(500, 5)).await;
    let mut talk = Talk::new(&mut world, "planner", "researcher");
    let request = talk.request(&mut world, rights(400, 4));
    talk.send(&world, "researcher", &request).await.unwrap();
    (world, talk, grant)
}

#[tokio::test]
async fn two_rounds_end_in_a_contract_that_its_holder_can_use() {
    let (mut world, mut talk, grant) = asked().await;
    for calls in [100, 200] {
        let offer = talk.offer(&mut world, &grant, rights(calls, 4));
        assert_eq!(talk.send(&world, "planner", &offer).await.unwrap().state, "OFFERED");
        let counter = talk.counter(&mut world, rights(300, 4));
        assert_eq!(talk.send(&world, "researcher", &counter).await.unwrap().state, "REQUESTED");
    }
    let offer = talk.offer(&mut world, &grant, rights(250, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    let accept = talk.accept(&mut world);
    let known = talk.send(&world, "researcher", &accept).await.unwrap();
    assert_eq!((known.state.as_str(), known.round, known.moves.len()), ("FINALIZED", 3, 7));
    assert_eq!(talk.moves().last(), Some(&accept), "the moves come back as they were signed");

    let chain = active(&world.activation("researcher", &known.chain_id).await.unwrap());
    assert_eq!(chain.token().leaf().holder.instance, world.agent("researcher").id);
    assert_eq!(chain.token().leaf().rights, rights(250, 4));
}

#[tokio::test]
async fn the_same_move_twice_is_one_move_and_has_one_answer() {
    let (mut world, mut talk, grant) = asked().await;
    let again = async |world: &World, talk: &mut Talk, sender: &str, signed: &Signed| {
        let first = talk.send(world, sender, signed).await.unwrap();
        let size = world.size();
        assert_eq!(submit(world, sender, signed).await.unwrap(), first);
        assert_eq!(world.size(), size, "nothing is recorded twice");
    };
    let request = talk.moves().remove(0);
    again(&world, &mut talk, "researcher", &request).await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    again(&world, &mut talk, "planner", &offer).await;
    let counter = talk.counter(&mut world, rights(9, 1));
    again(&world, &mut talk, "researcher", &counter).await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    again(&world, &mut talk, "planner", &offer).await;
    let decline = talk.plain(&mut world, "researcher", MoveKind::Decline);
    again(&world, &mut talk, "researcher", &decline).await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    again(&world, &mut talk, "planner", &offer).await;
    let accept = talk.accept(&mut world);
    again(&world, &mut talk, "researcher", &accept).await;
    // After a restart too, and when the negotiation is long over.
    let world = world.restart().await;
    for (sender, signed) in [("planner", &offer), ("researcher", &accept), ("researcher", &request)] {
        assert_eq!(submit(&world, sender, signed).await.unwrap().state, "FINALIZED");
    }

    for (sender, kind) in [("planner", MoveKind::Reject), ("researcher", MoveKind::Withdraw)] {
        let (mut world, mut talk, _) = asked().await;
        let end = talk.plain(&mut world, sender, kind);
        again(&world, &mut talk, sender, &end).await;
    }
}

#[tokio::test]
async fn of_accept_and_withdraw_the_first_in_the_ledger_wins_and_the_other_changes_nothing() {
    for accept_first in [true, false] {
        let (mut world, mut talk, grant) = asked().await;
        let offer = talk.offer(&mut world, &grant, rights(100, 4));
        talk.send(&world, "planner", &offer).await.unwrap();
        let accept = talk.accept(&mut world);
        let withdraw = talk.plain(&mut world, "planner", MoveKind::Withdraw);
        let (first, second) = match accept_first {
            true => (("researcher", &accept), ("planner", &withdraw)),
            false => (("planner", &withdraw), ("researcher", &accept)),
        };
        let won = submit(&world, first.0, first.1).await.unwrap();
        assert_eq!(reason(submit(&world, second.0, second.1).await), "MOVE_NOT_ALLOWED");
        for name in ["planner", "researcher"] {
            assert_eq!(get(&world, name, talk.id).await.unwrap(), won, "both see the same end");
        }
        let state = if accept_first { "FINALIZED" } else { "TERMINATED" };
        assert_eq!((won.state.as_str(), won.chain_id.is_empty()), (state, !accept_first));
    }
}

pub(crate) async fn get(world: &World, name: &str, id: NegotiationId) -> Result<v1::Negotiation, Status> {
    let request = v1::GetNegotiationRequest { trust_domain: DOMAIN.into(), negotiation_id: id.to_string() };
    let answer = world.negotiations.get_negotiation(world.call(name, request)).await?;
    Ok(answer.into_inner().negotiation.unwrap())
}

#[tokio::test]
async fn a_race_of_many_has_one_winner_for_all() {
    let (mut world, mut talk, grant) = asked().await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    let accept = talk.accept(&mut world);
    let withdraw = talk.plain(&mut world, "planner", MoveKind::Withdraw);
    let (accepted, withdrawn) =
        tokio::join!(submit(&world, "researcher", &accept), submit(&world, "planner", &withdraw));
    assert!(accepted.is_ok() != withdrawn.is_ok(), "{accepted:?} {withdrawn:?}");
}

#[tokio::test]
async fn equivocation_ends_the_negotiation_and_is_answered_so_each_time() {
    let (mut world, mut talk, grant) = asked().await;
    let reject = talk.plain(&mut world, "planner", MoveKind::Reject);
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    for _ in 0..2 {
        assert_eq!(reason(submit(&world, "planner", &reject).await), "EQUIVOCATION");
    }
    let known = get(&world, "researcher", talk.id).await.unwrap();
    assert_eq!(known.state, "TERMINATED");
    assert_eq!(known.moves.len(), 2, "the second of the two is evidence, not a move");
    // The first of the two is still what it was.
    assert_eq!(submit(&world, "planner", &offer).await.unwrap(), known);
}

#[tokio::test]
async fn bad_moves_have_their_reasons() {
    let (mut world, talk, _) = asked().await;
    let honest = talk.bare(&mut world, "planner", MoveKind::Reject);
    let key = world.agent("planner").key;
    type Change = fn(&mut Move);
    let cases: [(&str, Change, &str); 7] = [
        ("no such round", |made| made.round = 9, "OUT_OF_SEQUENCE"),
        ("a gap", |made| made.seq = 2, "OUT_OF_SEQUENCE"),
        ("old transcript", |made| made.transcript = TranscriptHash::from_bytes([1; 32]), "STALE_TRANSCRIPT"),
        (
            "late",
            |made| made.deadline = countersign_protocol::time::Timestamp::new(1).unwrap(),
            "DEADLINE_PASSED",
        ),
        ("wrong move", |made| made.kind = MoveKind::Withdraw, "MOVE_NOT_ALLOWED"),
        ("other domain", |made| made.domain = "other.example".parse().unwrap(), "WRONG_DOMAIN"),
        ("other audience", |made| made.audience = principal("mallory"), "NOT_A_PARTY"),
    ];
    for (what, change, expected) in cases {
        let mut made = honest.clone();
        change(&mut made);
        assert_eq!(reason(submit(&world, "planner", &made.sign(&key)).await), expected, "{what}");
    }
    let signed = honest.sign(&key);
    let stolen = submit(&world, "researcher", &signed).await;
    assert_eq!(reason(stolen), "CHANNEL_MISMATCH", "only its sender can submit it");
    let forged = honest.sign(&world.agent("mallory").key);
    assert_eq!(reason(submit(&world, "planner", &forged).await), "SIGNATURE_INVALID");
    let raw = async |domain: &str, signed_move: Vec<u8>| {
        let request = v1::SubmitMoveRequest { trust_domain: domain.into(), signed_move };
        inner(world.negotiations.submit_move(world.call("planner", request)).await)
    };
    assert_eq!(reason(raw("other.example", signed.to_bytes()).await), "WRONG_DOMAIN");
    assert_eq!(reason(raw(DOMAIN, Vec::new()).await), "PAYLOAD_MALFORMED");
    let renamed = sealed("application/vnd.countersign.proof.v1", &signed.payload, &[&key]).to_bytes();
    assert_eq!(reason(raw(DOMAIN, renamed).await), "PAYLOAD_MALFORMED");
    assert_eq!(reason(raw(DOMAIN, [signed.to_bytes(), vec![0]].concat()).await), "PAYLOAD_MALFORMED");
    assert!(raw(DOMAIN, signed.to_bytes()).await.is_ok(), "the twin");
}

#[tokio::test]
async fn an_offer_needs_a_chain_that_the_delegator_holds() {
    let (mut world, _, grant) = asked().await;
    let mut talk = Talk::new(&mut world, "mallory", "researcher");
    let request = talk.request(&mut world, rights(10, 1));
    talk.send(&world, "researcher", &request).await.unwrap();
    let offer = talk.offer(&mut world, &grant, rights(10, 1));
    assert_eq!(reason(submit(&world, "mallory", &offer).await), "PARENT_CHANGED");
}

#[tokio::test]
async fn an_accept_after_the_parents_revocation_makes_no_contract() {
    let (mut world, mut talk, grant) = asked().await;
    let offer = talk.offer(&mut world, &grant, rights(100, 4));
    talk.send(&world, "planner", &offer).await.unwrap();
    let accept = talk.accept(&mut world);
    world.revoke(&grant.chain_id).await;
    assert_eq!(reason(submit(&world, "researcher", &accept).await), "PARENT_CHANGED");
    assert_eq!(get(&world, "researcher", talk.id).await.unwrap().state, "OFFERED");
}
