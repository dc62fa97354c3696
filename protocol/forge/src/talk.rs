//! One negotiation, with both of its sides in one hand.

use countersign_protocol::{
    capability::Rights,
    contract::ContractBody,
    digest::ChainId,
    domain::Event,
    id::NegotiationId,
    negotiation::{Counter, Move, MoveKind},
    refusal::Reason,
    signed::Statement,
};

use crate::{stage::Speaks, world::World};

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
        let audience = if sender == self.grantor { &self.grantee } else { &self.grantor };
        world.stage().bare_move(Speaks { id: self.id, sender, audience }, kind)
    }

    /// Signs the move with its sender's key and submits it.
    pub fn send(&self, world: &mut World, sender: &str, made: &Move) -> Result<Vec<Event>, Reason> {
        let signed = made.sign(&world.agent(sender).key);
        world.submit(sender, &signed)
    }

    /// The grantee asks.
    pub fn request(&self, world: &mut World, rights: Rights) -> Result<Vec<Event>, Reason> {
        let mut made = self.bare(world, &self.grantee, MoveKind::Request);
        made.request = Some(world.stage().wish(rights));
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
        world.stage().contract_body(self.id, [&self.grantor, &self.grantee], parent, rights)
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
        let mut made = self.bare(world, &self.grantor, MoveKind::Offer);
        made.offer = Some(world.stage().offer(&self.grantor, body));
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
        let mut made = self.bare(world, &self.grantee, MoveKind::Accept);
        made.accept = Some(world.stage().accept(&self.grantee, &body));
        made
    }
}
