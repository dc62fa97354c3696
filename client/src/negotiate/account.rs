//! Asking the broker for a negotiation, adding to it, and holding its account against the moves.

use countersign_protocol::{
    id::{NegotiationId, RequestId},
    ledger::LeafIndex,
    name::InstanceId,
    negotiation::{Move, MoveKind, State},
    payload::Payload,
    signed::Signed,
};
use countersign_wire::v1::{self, negotiations_client::NegotiationsClient};

use super::talk::Talk;
use crate::{
    agent::Agent,
    clock::entropy,
    error::{About, Ending, Error, deceived},
    feed::{Feed, opening},
    limits::MOVE_LIFE,
};

/// How the broker says that it ended a negotiation for another one.
const AWARDED: &str = "AWARDED";

/// A verified negotiation, and what only the broker can say of it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) talk: Talk,
    /// Whether it has ended, by a move or by the broker.
    pub(crate) ended: bool,
    /// Whether another offer was accepted in its place, as the broker says.
    pub(crate) awarded: bool,
    /// The leaf after its last move: where to listen for more.
    pub(crate) next_leaf: u64,
    /// The chain of the contract, as the broker names it.
    pub(crate) chain: Vec<u8>,
}

impl Account {
    /// How it ended, if it did so without a contract.
    pub(crate) fn ending(&self) -> Option<Ending> {
        match (self.ended, self.talk.state, self.talk.last) {
            (false, ..) | (_, State::Finalized, _) => None,
            (_, State::Terminated, MoveKind::Withdraw) => Some(Ending::Withdrawn),
            (_, State::Terminated, _) => Some(Ending::Rejected),
            _ if self.awarded => Some(Ending::Awarded),
            _ => Some(Ending::Closed),
        }
    }

    /// The error that says so.
    pub(crate) fn ended_without(&self) -> Option<Error> {
        self.ending().map(|ending| Error::Ended { negotiation: self.talk.id, ending })
    }
}

impl Agent {
    /// A negotiation as it stands.
    pub(crate) async fn account(&self, id: NegotiationId) -> Result<Account, Error> {
        let request = v1::GetNegotiationRequest {
            trust_domain: self.domain().to_string(),
            negotiation_id: id.to_string(),
        };
        let reply = self.call("read the negotiation", request, async |channel, request| {
            NegotiationsClient::new(channel).get_negotiation(request).await
        });
        self.verify_account(id, reply.await?.negotiation).await
    }

    /// Signs a move and has it ordered. The same bytes are sent until they are answered.
    pub(crate) async fn submit(&self, made: &Move) -> Result<Account, Error> {
        let signed = self.sign(made);
        let request =
            v1::SubmitMoveRequest { trust_domain: self.domain().to_string(), signed_move: signed.to_bytes() };
        let reply = self.call("submit the move", request, async |channel, request| {
            NegotiationsClient::new(channel).submit_move(request).await
        });
        let account = self.verify_account(made.negotiation_id, reply.await?.negotiation).await?;
        // Something else than this move may have ended it, but then it was refused.
        if !account.talk.moves.contains(&signed) {
            return Err(deceived(About::Negotiation, "a move that was accepted is not in it"));
        }
        Ok(account)
    }

    /// The next move of this side, without content.
    pub(crate) fn next_move(&self, talk: &Talk, kind: MoveKind) -> Move {
        let id = RequestId::new(self.now(), &mut entropy());
        talk.next_move(self.domain(), self.instance(), kind, id, self.now().plus(MOVE_LIFE))
    }

    async fn verify_account(
        &self,
        id: NegotiationId,
        told: Option<v1::Negotiation>,
    ) -> Result<Account, Error> {
        let bad = |why: String| deceived(About::Negotiation, why);
        let told = told.ok_or_else(|| deceived(About::Answer, "it has no negotiation"))?;
        if told.negotiation_id != id.to_string() {
            return Err(bad(format!("it is about {}", told.negotiation_id)));
        }
        let mut moves = Vec::with_capacity(told.moves.len());
        let mut next_leaf = 0;
        for ordered in &told.moves {
            let signed = Signed::from_bytes(&ordered.signed_move).map_err(|error| bad(error.to_string()))?;
            let claimed: Move = signed.peek_unverified().map_err(|error| bad(error.to_string()))?;
            let sender = self.known(&claimed.sender).await?;
            moves.push((signed, sender));
            let in_order = ordered.leaf >= next_leaf && LeafIndex::new(ordered.leaf).is_some();
            next_leaf = ordered.leaf.saturating_add(1);
            if !in_order {
                return Err(bad("its moves are not in the order of the ledger".into()));
            }
        }
        let talk = Talk::replay(self.domain(), id, moves).map_err(bad)?;
        check_summary(&talk, &told)
            .map_err(|what| bad(format!("its {what} is not what the moves lead to")))?;
        let ended = told.state == State::Terminated.name() || talk.state.is_terminal();
        let awarded = told.ended == AWARDED;
        Ok(Account { talk, ended, awarded, next_leaf, chain: told.chain_id })
    }
}

/// The broker's summary says what the moves say. Only that it ended one is the broker's to say.
fn check_summary(talk: &Talk, told: &v1::Negotiation) -> Result<(), &'static str> {
    let closed = told.state == State::Terminated.name() && !talk.state.is_terminal();
    let answering = talk.answering.as_ref().map(InstanceId::as_str).unwrap_or_default();
    let fits = [
        (closed || told.state == talk.state.name(), "state"),
        (closed || told.ended.is_empty(), "end"),
        (told.delegatee == talk.delegatee.instance.as_str(), "delegatee"),
        (told.delegator == talk.delegator.as_str(), "delegator"),
        (told.delegator_instance.is_empty() || told.delegator_instance == answering, "delegator's instance"),
        (told.round == talk.round, "round"),
        (told.max_rounds == talk.max_rounds, "number of rounds"),
        (told.deadline_ms == talk.deadline.as_millis(), "deadline"),
        (told.transcript == talk.transcript.as_bytes(), "transcript"),
        (told.chain_id.is_empty() != (talk.state == State::Finalized), "chain"),
    ];
    fits.iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, what)| Err(*what))
}

/// Tells which negotiations of this agent change.
#[derive(Debug)]
pub(crate) struct Changes {
    feed: Feed<v1::WatchNegotiationsResponse>,
    next_leaf: u64,
}

impl Changes {
    /// Everything from that leaf on.
    pub(crate) fn from(agent: &Agent, next_leaf: u64) -> Self {
        Self { feed: Feed::new(agent, "watch the negotiations"), next_leaf }
    }

    /// Tells everything again from the ledger's beginning.
    pub(crate) fn rewind(&mut self, agent: &Agent) {
        *self = Self::from(agent, 0);
    }

    /// A negotiation that changed; `None` now and then, to look at the time.
    pub(crate) async fn next(&mut self, agent: &Agent) -> Result<Option<v1::Negotiation>, Error> {
        let request = v1::WatchNegotiationsRequest {
            trust_domain: agent.domain().to_string(),
            from_leaf: self.next_leaf,
        };
        let open =
            async |channel| NegotiationsClient::new(channel).watch_negotiations(opening(request)).await;
        let Some(message) = self.feed.next(agent, open).await? else { return Ok(None) };
        if message.next_leaf < self.next_leaf {
            return Err(deceived(About::Negotiation, "the feed of changes went back"));
        }
        self.next_leaf = message.next_leaf;
        Ok(message.negotiation)
    }
}
