//! One negotiation, with both of its sides in one hand.

use countersign_protocol::{
    capability::Rights,
    contract::{Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Rebind},
    digest::{ChainId, Digest},
    domain::Event,
    extension::Extensions,
    id::{ContractId, NegotiationId},
    negotiation::{Accept, Counter, Move, MoveKind, Offer, Request, empty_transcript},
    payload::Payload,
    refusal::Reason,
    signed::{Algorithm, Statement, sign_detached},
    time::Lifetime,
    token::sign_hop,
};

use crate::{
    cast::{domain, principal},
    world::World,
};

/// Both sides of one negotiation.
pub struct Talk {
    /// The negotiation.
    pub id: NegotiationId,
    /// Who would delegate.
    pub grantor: String,
    /// Who would receive.
    pub grantee: String,
    /// The contract that was offered last.
    pub last_offer: Option<ContractBody>,
}

impl Talk {
    /// A negotiation in which nothing was said yet.
    pub fn new(world: &mut World, grantor: &str, grantee: &str) -> Self {
        let id = NegotiationId::new(world.now, &mut world.rng);
        Self { id, grantor: grantor.into(), grantee: grantee.into(), last_offer: None }
    }

    /// The next move of that sender, without content.
    pub fn bare(&self, world: &mut World, sender: &str, kind: MoveKind) -> Move {
        let known = world.state.negotiation(&self.id);
        let id = world.agent(sender).id;
        let seq = known.map_or(0, |talk| talk.moves.iter().filter(|made| made.sender == id).count()) + 1;
        let audience = if sender == self.grantor { &self.grantee } else { &self.grantor };
        Move {
            domain: domain(),
            negotiation_id: self.id,
            sender: id,
            seq: seq as u32,
            round: known.map_or(1, |talk| talk.round),
            transcript: known.map_or(empty_transcript(&domain(), self.id), |talk| talk.transcript),
            audience: principal(audience),
            deadline: world.now.plus(Lifetime::from_millis(60_000)),
            request_id: world.request_id(),
            kind,
            request: None,
            counter: None,
            offer: None,
            accept: None,
            extensions: Extensions::none(),
        }
    }

    /// Signs the move with its sender's key and submits it.
    pub fn send(&self, world: &mut World, sender: &str, made: &Move) -> Result<Vec<Event>, Reason> {
        let signed = made.sign(&world.agent(sender).key);
        world.submit(sender, &signed)
    }

    /// The grantee asks.
    pub fn request(&self, world: &mut World, rights: Rights) -> Result<Vec<Event>, Reason> {
        let mut made = self.bare(world, &self.grantee, MoveKind::Request);
        let deadline = world.now.plus(Lifetime::from_millis(600_000));
        let purpose = Digest::of(b"why");
        made.request = Some(Request { rights, purpose, deadline, max_rounds: 5 });
        self.send(world, &self.grantee, &made)
    }

    /// The grantee asks for something else.
    pub fn counter(&self, world: &mut World, rights: Rights) -> Result<Vec<Event>, Reason> {
        let mut made = self.bare(world, &self.grantee, MoveKind::Counter);
        made.counter = Some(Counter { rights });
        self.send(world, &self.grantee, &made)
    }

    /// A move without content: decline, reject, withdraw.
    pub fn plain(&self, world: &mut World, sender: &str, kind: MoveKind) -> Result<Vec<Event>, Reason> {
        let made = self.bare(world, sender, kind);
        self.send(world, sender, &made)
    }

    /// The contract that an honest grantor would offer.
    pub fn body(&self, world: &mut World, parent: ChainId, rights: Rights) -> ContractBody {
        let chain = world.state.chain(&parent).unwrap().clone();
        let talk = world.state.negotiation(&self.id).unwrap().clone();
        ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(world.now, &mut world.rng),
            negotiation_id: self.id,
            transcript: talk.transcript,
            domain: domain(),
            grantor: world.agent(&self.grantor).party(),
            grantee: world.agent(&self.grantee).party(),
            originator: chain.originator,
            grant_id: chain.grant_id,
            parent,
            depth: chain.depth + 1,
            rights,
            rebind: Rebind::Never,
            disclosure: Disclosure::Full,
            max_staleness: Lifetime::from_millis(1000),
            offline: Offline::Forbidden,
            purpose: talk.purpose,
            acceptance: Acceptance::SignedReceipt,
            failure: FailurePolicy::SettleReserved,
            seen: world.seen(),
            algorithm: Algorithm::Ed25519,
            extensions: Extensions::none(),
        }
    }

    /// The grantor offers what an honest one would.
    pub fn offer(
        &mut self,
        world: &mut World,
        parent: ChainId,
        rights: Rights,
    ) -> Result<Vec<Event>, Reason> {
        let body = self.body(world, parent, rights);
        self.offer_body(world, &body)
    }

    /// Offers any contract, signed with the grantor's real key.
    pub fn offer_body(&mut self, world: &mut World, body: &ContractBody) -> Result<Vec<Event>, Reason> {
        let made = self.offered(world, body);
        self.last_offer = Some(body.clone());
        self.send(world, &self.grantor.clone(), &made)
    }

    /// The move that offers it.
    pub fn offered(&self, world: &mut World, body: &ContractBody) -> Move {
        let grantor = world.agent(&self.grantor);
        let parent = world.token(body.parent);
        let contract = body.to_bytes();
        let mut made = self.bare(world, &self.grantor, MoveKind::Offer);
        made.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, &grantor.key),
            hop_signature: sign_hop(&parent, &body.hop_terms(), &grantor.key),
            contract,
            expires: world.now.plus(Lifetime::from_millis(60_000)),
        });
        made
    }

    /// The grantee signs what was offered last.
    pub fn accept(&self, world: &mut World) -> Result<Vec<Event>, Reason> {
        let made = self.acceptance(world);
        self.send(world, &self.grantee, &made)
    }

    /// The move that does so.
    pub fn acceptance(&self, world: &mut World) -> Move {
        let body = self.last_offer.clone().unwrap();
        let key = world.agent(&self.grantee).key;
        let mut made = self.bare(world, &self.grantee, MoveKind::Accept);
        made.accept = Some(Accept {
            contract: body.hash(),
            contract_signature: sign_detached(ContractBody::TYPE, &body.to_bytes(), &key),
            seen: world.seen(),
        });
        made
    }
}
