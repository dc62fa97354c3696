//! The side that is asked.

use std::{
    collections::{BTreeMap, BTreeSet},
    convert::Infallible,
    future::Future,
};

use countersign_protocol::{
    capability::Rights,
    digest::{ChainId, Digest, TranscriptHash},
    id::NegotiationId,
    name::InstanceId,
    negotiation::{MoveKind, State},
    time::Timestamp,
};
use countersign_wire::v1;

use super::{
    account::{Account, Changes},
    offer::Terms,
    talk::Offered,
};
use crate::{
    agent::Agent,
    error::{About, Error, deceived},
    held::Held,
    limits::FOLLOWED_MAX,
};

/// What a delegatee wants, in its own verified words.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// Who asks.
    pub delegatee: InstanceId,
    /// Digest of what configures it: model, prompt, tools.
    pub configuration: Digest,
    /// What it wants: its request, or its last counter.
    pub rights: Rights,
    /// Digest of what for. The text is between the parties.
    pub purpose: Digest,
    /// Whether it turned this side's last offer down without asking for something else.
    pub declined: bool,
    /// The current round, from one.
    pub round: u32,
    /// How many more times the delegatee can counter or decline.
    pub rounds_left: u32,
    /// When the negotiation ends by itself.
    pub deadline: Timestamp,
}

/// What the delegator says to a request or counter.
#[derive(Clone, Debug)]
pub enum RequestReply {
    /// Signs a complete contract and offers it.
    Offer(Box<Terms>),
    /// Ends the negotiation.
    Reject,
    /// Says nothing: another instance of this principal may answer, or the deadline will.
    Leave,
}

impl From<Terms> for RequestReply {
    fn from(terms: Terms) -> Self {
        Self::Offer(Box::new(terms))
    }
}

/// How the delegator decides. A closure from `&Wanted` to [`RequestReply`] is one.
pub trait Delegator: Send {
    /// Answers a request or counter.
    fn answer(&mut self, wanted: &Wanted) -> impl Future<Output = RequestReply> + Send;
}

impl<F: FnMut(&Wanted) -> RequestReply + Send> Delegator for F {
    async fn answer(&mut self, wanted: &Wanted) -> RequestReply {
        self(wanted)
    }
}

/// How one negotiation ended, for the delegator.
#[derive(Clone, Debug)]
pub struct Delegated {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// Who asked.
    pub delegatee: InstanceId,
    /// The chain that the contract made, or why there is none.
    pub outcome: Result<ChainId, Error>,
}

impl Agent {
    /// Waits for a request that is addressed to this principal, and negotiates over what `held`
    /// allows until that one negotiation has ended. Requests that the strategy leaves are passed
    /// over; an offer of this instance that still stands is taken up where it was.
    pub async fn delegate<D: Delegator>(&self, held: &Held, strategy: &mut D) -> Result<Delegated, Error> {
        let mut desk = Desk::open(self, held, 1)?;
        loop {
            if let Some(delegated) = Box::pin(desk.next(strategy)).await? {
                return Ok(delegated);
            }
        }
    }

    /// Negotiates with everyone who asks, each as it comes, and tells `ended` of each negotiation
    /// that has ended. Goes on until something fails for good.
    pub async fn delegate_all<D: Delegator>(
        &self,
        held: &Held,
        strategy: &mut D,
        mut ended: impl FnMut(Delegated) + Send,
    ) -> Result<Infallible, Error> {
        let mut desk = Desk::open(self, held, FOLLOWED_MAX)?;
        loop {
            if let Some(delegated) = Box::pin(desk.next(strategy)).await? {
                ended(delegated);
            }
        }
    }
}

/// Where requests are answered.
struct Desk<'a> {
    agent: &'a Agent,
    held: &'a Held,
    changes: Changes,
    /// Negotiations that this instance has answered and that have not ended.
    followed: BTreeSet<NegotiationId>,
    /// How many of them there may be at once.
    most: usize,
    /// Requests that were left, and what had been said by then.
    left: BTreeMap<NegotiationId, TranscriptHash>,
    /// Whether a request had to wait for a place.
    waiting: bool,
}

impl<'a> Desk<'a> {
    fn open(agent: &'a Agent, held: &'a Held, most: usize) -> Result<Self, Error> {
        agent.check_holds(held)?;
        let changes = Changes::from(agent, 0);
        let (followed, left) = (BTreeSet::new(), BTreeMap::new());
        Ok(Self { agent, held, changes, followed, most, left, waiting: false })
    }

    /// Takes the next change; gives the negotiation that ended by it.
    async fn next<D: Delegator>(&mut self, strategy: &mut D) -> Result<Option<Delegated>, Error> {
        let Some(told) = self.changes.next(self.agent).await? else { return Ok(None) };
        let Some(id) = self.concerns(&told)? else { return Ok(None) };
        let account = match self.agent.account(id).await {
            Ok(account) => account,
            // Another copy of this principal was faster, so this one is no longer a party.
            Err(error @ Error::Refused(_)) if !error.is_passing() => {
                self.followed.remove(&id);
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let ended = self.handle(account, strategy).await?;
        if ended.is_some() {
            self.followed.remove(&id);
            if std::mem::take(&mut self.waiting) {
                self.changes.rewind(self.agent);
            }
        }
        Ok(ended)
    }

    /// Whether a change is of a negotiation to look at: one that is followed, or that asks this
    /// principal and has a place.
    fn concerns(&mut self, told: &v1::Negotiation) -> Result<Option<NegotiationId>, Error> {
        let id = told.negotiation_id.parse().map_err(|error| deceived(About::Negotiation, error))?;
        if self.followed.contains(&id) {
            return Ok(Some(id));
        }
        let own = told.delegator_instance == self.agent.instance().as_str();
        let open = [State::Requested, State::Offered].iter().any(|state| state.name() == told.state);
        let asked = told.delegator == self.agent.instance().principal().as_str()
            && (own || told.delegator_instance.is_empty());
        let has_place = self.followed.len() < self.most;
        self.waiting |= open && asked && !has_place;
        Ok((open && asked && has_place).then_some(id))
    }

    async fn handle<D: Delegator>(
        &mut self,
        account: Account,
        strategy: &mut D,
    ) -> Result<Option<Delegated>, Error> {
        let talk = &account.talk;
        if let Some(ended) = account.ended_without() {
            return Ok(self.followed.contains(&talk.id).then(|| delegated(&account, Err(ended))));
        }
        if talk.answering.as_ref().is_some_and(|instance| instance != self.agent.instance()) {
            // Another copy of this principal was faster.
            self.followed.remove(&talk.id);
            return Ok(None);
        }
        let of_this_chain = |offered: &&Offered| offered.body.parent == self.held.chain_id();
        match (talk.state, talk.offer.as_ref().filter(of_this_chain)) {
            (State::Requested, _) => return Box::pin(self.answer(account, strategy)).await,
            (State::Finalized, Some(offered)) if self.followed.contains(&talk.id) => {
                let chain = self.agent.check_chain(self.held, offered, &account.chain)?;
                return Ok(Some(delegated(&account, Ok(chain))));
            }
            // The offer stands: it is the delegatee's turn.
            (State::Offered, Some(_)) => drop(self.followed.insert(talk.id)),
            // This instance is delegating another chain as well, and that is where this belongs.
            _ => drop(self.followed.remove(&talk.id)),
        }
        Ok(None)
    }

    async fn answer<D: Delegator>(
        &mut self,
        account: Account,
        strategy: &mut D,
    ) -> Result<Option<Delegated>, Error> {
        let talk = &account.talk;
        if self.left.get(&talk.id) == Some(&talk.transcript) {
            return Ok(None);
        }
        let made = match strategy.answer(&wanted(&account)).await {
            RequestReply::Offer(terms) => self.agent.make_offer(self.held, talk, *terms).await?,
            RequestReply::Reject => self.agent.next_move(talk, MoveKind::Reject),
            RequestReply::Leave => {
                self.leave(talk.id, talk.transcript);
                return Ok(None);
            }
        };
        self.followed.insert(talk.id);
        match self.agent.submit(&made).await {
            Ok(after) => self
                .agent
                .check_continues(&account, &after)
                .map(|()| after.ended_without().map(|ended| delegated(&after, Err(ended)))),
            Err(error) => match self.agent.overtaken(&account, error).await {
                Ok(after) => Box::pin(self.handle(after, strategy)).await,
                // Refused as it stands: answering the same again would not help.
                Err(error @ Error::Refused(_)) if !error.is_passing() => {
                    self.leave(talk.id, talk.transcript);
                    Ok(Some(delegated(&account, Err(error))))
                }
                Err(error) => Err(error),
            },
        }
    }

    fn leave(&mut self, id: NegotiationId, transcript: TranscriptHash) {
        self.left.insert(id, transcript);
        if self.left.len() > FOLLOWED_MAX {
            self.left.pop_first();
        }
    }
}

fn wanted(account: &Account) -> Wanted {
    let talk = &account.talk;
    Wanted {
        negotiation: talk.id,
        delegatee: talk.delegatee.instance.clone(),
        configuration: talk.delegatee.configuration,
        rights: talk.wanted.clone(),
        purpose: talk.purpose,
        declined: talk.last == MoveKind::Decline,
        round: talk.round,
        rounds_left: talk.rounds_left(),
        deadline: talk.deadline,
    }
}

fn delegated(account: &Account, outcome: Result<ChainId, Error>) -> Delegated {
    let talk = &account.talk;
    Delegated { negotiation: talk.id, delegatee: talk.delegatee.instance.clone(), outcome }
}
