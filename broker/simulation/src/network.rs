//! The network: it loses, doubles, delays and reorders.

use std::collections::VecDeque;

use countersign_protocol::{
    capability::Request as Wanted,
    digest::ChainId,
    domain::{Actor, Attested},
    id::{InvocationId, NegotiationId},
    identity::InstanceStatement,
    ledger::LeafIndex,
    negotiation,
    refusal::Refusal,
    signed::Signed,
    time::Timestamp,
};

use crate::{
    plan::{Fate, Leg, Step},
    tally::Tally,
};

/// One end of a channel.
#[derive(Clone, Debug)]
pub struct Address {
    /// Which of the parties.
    pub party: usize,
    /// The instance and key in its certificate,
    pub actor: Actor,
    /// and when that expires.
    pub certified_until: Timestamp,
}

/// What a principal asks of the broker.
#[derive(Clone, Debug)]
pub enum Request {
    /// To be admitted.
    Join(Box<(Signed, Attested)>),
    /// To stay.
    Renew(Signed),
    /// A grant.
    Grant(Signed),
    /// To order a move.
    Move(Signed),
    /// To revoke.
    Revoke(Signed),
    /// To change a link.
    Change(Signed),
    /// To take a link over.
    Rebind(Signed),
    /// That a link is taken over.
    Consent(Signed),
    /// To have something done.
    Invoke(Box<Invoke>),
}

/// A use of a chain.
#[derive(Clone, Debug)]
pub struct Invoke {
    /// The token's bytes.
    pub token: Vec<u8>,
    /// The holder's proof.
    pub proof: Signed,
    /// What is wanted.
    pub wanted: Wanted,
    /// An opaque body.
    pub body: Vec<u8>,
    /// Of a stream: the caller's head.
    pub asked: Option<Signed>,
}

/// A negotiation as the broker tells it.
#[derive(Clone, Debug)]
pub struct Told {
    /// Which one.
    pub id: NegotiationId,
    /// Its state.
    pub state: negotiation::State,
    /// Every move and its leaf.
    pub moves: Vec<(LeafIndex, Signed)>,
    /// The chain that it led to.
    pub chain: Option<ChainId>,
}

/// What the broker answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// No.
    Refused(Refusal),
    /// Admitted, or certified anew.
    Certified(Box<InstanceStatement>),
    /// Granted.
    Granted(ChainId),
    /// Ordered.
    Moved(Box<Told>),
    /// In force.
    Revoked(LeafIndex),
    /// Done.
    Done(Box<Done>),
}

/// What came of an invocation.
#[derive(Clone, Debug)]
pub struct Done {
    /// The callee's receipt.
    pub receipt: Signed,
    /// The result, while it is kept.
    pub body: Option<Vec<u8>>,
    /// The leaf that permitted it,
    pub intent: LeafIndex,
    /// and the one that ended it.
    pub result: LeafIndex,
}

/// What a callee is given.
#[derive(Clone, Debug)]
pub struct Job {
    /// The invocation, as the broker names it.
    pub id: InvocationId,
    /// The token.
    pub token: Vec<u8>,
    /// Its activation.
    pub activation: Signed,
    /// The holder's proof.
    pub proof: Signed,
    /// The arguments, with what the proof says is wanted.
    pub wanted: Wanted,
    /// The body.
    pub body: Vec<u8>,
    /// Of a stream: the caller's head.
    pub asked: Option<Signed>,
}

/// A callee's receipt, the result, and of a stream its head.
pub type Answer = (Signed, Vec<u8>, Option<Signed>);

/// Something on its way.
#[derive(Clone, Debug)]
pub enum Packet {
    /// A request. Its sender knows it by a number, and means it honestly or not.
    Request {
        /// Who sends it.
        from: Address,
        /// The sender's number for it.
        call: u64,
        /// What is asked.
        request: Request,
        /// Whether the sender keeps to the rules.
        honest: bool,
    },
    /// An answer.
    Reply {
        /// For whom.
        to: Address,
        /// The number of the request.
        call: u64,
        /// The answer.
        reply: Reply,
    },
    /// An invocation for a callee.
    Forward {
        /// For whom.
        to: Address,
        /// What is to be done.
        job: Box<Job>,
    },
    /// A callee's answer.
    Receipt {
        /// Who answers.
        from: Address,
        /// To which invocation.
        id: InvocationId,
        /// The receipt.
        receipt: Signed,
        /// The result.
        body: Vec<u8>,
        /// Of a stream: the callee's head.
        told: Option<Signed>,
    },
}

impl Packet {
    fn leg(&self) -> Leg {
        match self {
            Self::Request { .. } => Leg::Request,
            Self::Reply { .. } => Leg::Reply,
            Self::Forward { .. } => Leg::Forward,
            Self::Receipt { .. } => Leg::Receipt,
        }
    }
}

/// How many messages are delayed at most: the oldest are lost.
const FLYING_MAX: usize = 24;

/// What is on its way.
#[derive(Clone, Debug, Default)]
pub struct Network {
    ready: VecDeque<Packet>,
    flying: VecDeque<Packet>,
    /// What becomes of the first message on each leg, where it is not that it arrives.
    fates: [Option<Fate>; 4],
}

impl Network {
    /// Takes the fates that a step has for the first message on each leg.
    pub fn begin(&mut self, step: &Step) {
        self.fates = [Leg::Request, Leg::Reply, Leg::Forward, Leg::Receipt].map(|leg| Some(step.fate(leg)));
    }

    /// Sends something.
    pub fn send(&mut self, packet: Packet, tally: &mut Tally) {
        let leg = packet.leg();
        let fate = self.fates[leg as usize].take().unwrap_or(Fate::Arrives);
        tally.fate(leg, fate);
        match fate {
            Fate::Arrives => self.ready.push_back(packet),
            Fate::Lost => {}
            Fate::Doubled => {
                self.delay(packet.clone());
                self.ready.push_back(packet);
            }
            Fate::Delayed => self.delay(packet),
        }
    }

    /// Has something arrive later.
    pub fn delay(&mut self, packet: Packet) {
        self.flying.push_back(packet);
        if self.flying.len() > FLYING_MAX {
            self.flying.pop_front();
        }
    }

    /// Lets one delayed message arrive; says whether there was one.
    pub fn arrive(&mut self, which: u8) -> bool {
        let Some(at) = usize::from(which).checked_rem(self.flying.len()) else { return false };
        self.ready.extend(self.flying.remove(at));
        true
    }

    /// The next message that arrives.
    pub fn arrival(&mut self) -> Option<Packet> {
        self.ready.pop_front()
    }

    /// Connections break with the broker's end of them: what was under way is lost, save what a
    /// sender's machine sends on.
    pub fn broken(&mut self) {
        self.ready.clear();
    }
}
