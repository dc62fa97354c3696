//! The side that asks.

use std::future::Future;

use countersign_protocol::{
    capability::Rights,
    contract::ContractBody,
    digest::{ChainId, Digest},
    id::{AwardId, NegotiationId, RequestId},
    name::PrincipalId,
    negotiation::{Accept, Counter, MoveKind, Request, State},
    signed::{Statement, sign_detached},
    time::{Lifetime, Timestamp},
};

use super::{
    account::{Account, Changes},
    talk::{Offered, bare},
};
use crate::{
    agent::Agent,
    clock::entropy,
    connection::unavailable,
    error::{About, Error, deceived},
    held::Held,
    limits::{MOVE_LIFE, SILENCE_MAX},
};

/// What the delegatee asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// What it wants to be allowed.
    pub rights: Rights,
    /// What for. The text stays here; only its digest is signed. Send it to the other side by a way
    /// of your own, if it is to know.
    pub purpose: String,
    /// When the negotiation ends by itself.
    pub deadline: Timestamp,
    /// How many rounds it may take, from one to ten.
    pub max_rounds: u32,
    /// The same in what is asked of several delegators: whichever offer is accepted first ends the
    /// others. See [`Agent::award`].
    pub award: Option<AwardId>,
}

/// An offer whose signatures, parties and transcript have been verified.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The negotiation.
    pub negotiation: NegotiationId,
    /// The contract that Accept would sign.
    pub contract: ContractBody,
    /// From when on it cannot be accepted any more.
    pub expires: Timestamp,
    /// What was asked for last.
    pub asked: Rights,
    /// The current round, from one.
    pub round: u32,
    /// How many more times this side can counter or decline.
    pub rounds_left: u32,
}

/// What the delegatee says to an offer.
#[derive(Clone, Debug)]
pub enum OfferReply {
    /// Signs the contract.
    Accept,
    /// Asks for something else. Uses a round.
    Counter(Rights),
    /// Turns it down and waits for another. Uses a round.
    Decline,
    /// Ends the negotiation.
    Reject,
}

/// How the delegatee decides. A closure from `&Offer` to [`OfferReply`] is one.
pub trait Delegatee: Send {
    /// Answers an offer.
    fn answer(&mut self, offer: &Offer) -> impl Future<Output = OfferReply> + Send;
}

impl<F: FnMut(&Offer) -> OfferReply + Send> Delegatee for F {
    async fn answer(&mut self, offer: &Offer) -> OfferReply {
        self(offer)
    }
}

impl Agent {
    /// Asks `delegator` for rights and negotiates until there is a contract, which comes back as a
    /// verified chain, or until one side ends it ([`Error::Ended`]).
    ///
    /// If this future is dropped, the negotiation goes on until its deadline.
    pub async fn negotiate<D: Delegatee>(
        &self,
        delegator: &PrincipalId,
        ask: Ask,
        strategy: &mut D,
    ) -> Result<Held, Error> {
        // On the heap, so that whatever negotiates stays small.
        Box::pin(self.come_to_terms(delegator, ask, strategy)).await
    }

    /// A new award: name it in what is asked of several delegators, and negotiate with each. The first
    /// acceptance that is ordered ends the others as [`Ending::Awarded`](crate::Ending::Awarded).
    pub fn award(&self) -> AwardId {
        AwardId::new(self.now(), &mut entropy())
    }

    async fn come_to_terms<D: Delegatee>(
        &self,
        delegator: &PrincipalId,
        ask: Ask,
        strategy: &mut D,
    ) -> Result<Held, Error> {
        let mut account = self.open_negotiation(delegator, ask).await?;
        let mut changes = Changes::from(self, account.next_leaf);
        loop {
            if let Some(ended) = account.ended_without() {
                return Err(ended);
            }
            account = match account.talk.state {
                State::Finalized => return self.conclude(&account).await,
                State::Offered => match self.answer_offer(&account, strategy).await {
                    Ok(account) => account,
                    Err(error) => self.overtaken(&account, error).await?,
                },
                _ => self.changed(&account, &mut changes).await?,
            };
        }
    }

    async fn open_negotiation(&self, delegator: &PrincipalId, ask: Ask) -> Result<Account, Error> {
        let now = self.now();
        let id = NegotiationId::new(now, &mut entropy());
        let request_id = RequestId::new(now, &mut entropy());
        let until = now.plus(MOVE_LIFE).min(ask.deadline);
        let mut made =
            bare(self.domain(), id, self.instance(), delegator, MoveKind::Request, request_id, until);
        made.request = Some(Request {
            rights: ask.rights,
            purpose: Digest::of(ask.purpose.as_bytes()),
            deadline: ask.deadline,
            max_rounds: ask.max_rounds,
            award: ask.award,
        });
        self.submit(&made).await
    }

    async fn answer_offer<D: Delegatee>(
        &self,
        account: &Account,
        strategy: &mut D,
    ) -> Result<Account, Error> {
        let talk = &account.talk;
        let missing = || deceived(About::Negotiation, "it is said to have an offer, and has none");
        let offered = talk.offer.as_ref().ok_or_else(missing)?;
        self.ledger().check_seen(&offered.body.seen).await?;
        let offer = Offer {
            negotiation: talk.id,
            contract: offered.body.clone(),
            expires: offered.expires,
            asked: talk.wanted.clone(),
            round: talk.round,
            rounds_left: talk.rounds_left(),
        };
        let made = match strategy.answer(&offer).await {
            OfferReply::Accept => {
                let accept = self.accept(offered).await?;
                let mut made = self.next_move(talk, MoveKind::Accept);
                made.accept = Some(accept);
                made
            }
            OfferReply::Counter(rights) => {
                let mut made = self.next_move(talk, MoveKind::Counter);
                made.counter = Some(Counter { rights });
                made
            }
            OfferReply::Decline => self.next_move(talk, MoveKind::Decline),
            OfferReply::Reject => self.next_move(talk, MoveKind::Reject),
        };
        self.submit(&made).await
    }

    async fn accept(&self, offered: &Offered) -> Result<Accept, Error> {
        Ok(Accept {
            contract: offered.hash,
            contract_signature: sign_detached(ContractBody::TYPE, &offered.contract, &self.inner.key),
            seen: self.ledger().seen().await?,
        })
    }

    /// After a refused move: the negotiation, if it went on without it; else the refusal.
    pub(super) async fn overtaken(&self, before: &Account, error: Error) -> Result<Account, Error> {
        let Error::Refused(_) = &error else { return Err(error) };
        let account = self.account(before.talk.id).await?;
        let same = account.talk.moves == before.talk.moves && account.ended == before.ended;
        self.check_continues(before, &account)?;
        if same { Err(error) } else { Ok(account) }
    }

    /// Waits until the negotiation has changed.
    async fn changed(&self, before: &Account, changes: &mut Changes) -> Result<Account, Error> {
        let id = before.talk.id.to_string();
        loop {
            let told = changes.next(self).await?.is_some_and(|told| told.negotiation_id == id);
            let grace = Lifetime::from_millis(SILENCE_MAX.as_millis() as u64);
            let overdue = before.talk.deadline.plus(grace) <= self.now();
            if !told && !overdue {
                continue;
            }
            let account = self.account(before.talk.id).await?;
            self.check_continues(before, &account)?;
            if account.ended || account.talk.moves.len() > before.talk.moves.len() {
                return Ok(account);
            }
            if overdue {
                return Err(unavailable("finish the negotiation", "its deadline passed and nobody ended it"));
            }
        }
    }

    pub(super) fn check_continues(&self, before: &Account, now: &Account) -> Result<(), Error> {
        match now.talk.continues(&before.talk) {
            true => Ok(()),
            false => Err(deceived(About::Negotiation, "what had been said is not in it any more")),
        }
    }

    /// Turns a finalized negotiation into the chain that it made.
    async fn conclude(&self, account: &Account) -> Result<Held, Error> {
        let bad = |why: &str| deceived(About::Contract, why);
        let chain = ChainId::try_from(account.chain.as_slice()).map_err(|_| bad("it names no chain"))?;
        let offered = account.talk.offer.as_ref().ok_or_else(|| bad("nothing was on offer"))?;
        let held = self.hold(chain, Some(offered.body.contract_id)).await?;
        match held.contract() == Some(&offered.body) {
            true => Ok(held),
            false => Err(bad("it is not the one that was accepted")),
        }
    }
}
