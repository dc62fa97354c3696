//! Both sides of a negotiation.

use countersign_forge::{domain, principal};
use countersign_protocol::{
    contract::{Acceptance, ContractBody, ContractVersion, Disclosure, FailurePolicy, Offline, Rebind},
    digest::{ChainId, Digest},
    extension::Extensions,
    grant::GrantRequest,
    id::{AwardId, ContractId, GrantId, NegotiationId, RequestId},
    negotiation::{Accept, Counter, Move, MoveKind, Offer, Request as Wish, State},
    payload::Payload,
    signed::{Algorithm, Statement, sign_detached},
    time::Lifetime,
    token::{Token, sign_hop},
};

use super::{CAST, Call, Conversation, Holding, Purpose, conversation::bare, seat};
use crate::{
    model::Status,
    network::{Packet, Request},
    plan::Step,
    scope,
    stop::Flow,
    world::World,
};

/// Who asks, and who is asked.
const DELEGATEES: [&str; 3] = ["researcher", "fetcher", "mallory"];
const DELEGATORS: [&str; 5] = ["planner", "dealer", "planner", "researcher", "fetcher"];

impl World {
    /// Alice grants.
    pub fn make_grant(&mut self, step: &Step) -> Flow {
        let alice = seat("alice");
        if !self.ready(alice)? {
            return Ok(());
        }
        let to = seat(DELEGATORS[usize::from(step.what & 1)]);
        let request = self.grant_request(to, step.how);
        let signed = request.sign(&self.parties[alice].agent.key);
        self.ask(alice, Request::Grant(signed), Purpose::Grant(to), true);
        Ok(())
    }

    /// What alice signs.
    pub fn grant_request(&mut self, to: usize, how: u8) -> GrantRequest {
        GrantRequest {
            domain: domain(),
            grant_id: GrantId::new(self.now, &mut self.rng),
            originator: self.parties[seat("alice")].agent.id.clone(),
            holder: self.parties[to].agent.id.clone(),
            rights: scope::granted(self.now, how),
            issued: self.now,
            extensions: Extensions::none(),
        }
    }

    /// A delegatee opens a negotiation.
    pub fn open_negotiation(&mut self, step: &Step) -> Flow {
        let who = seat(DELEGATEES[usize::from(step.who) % DELEGATEES.len()]);
        let whom = DELEGATORS[usize::from(step.what) % DELEGATORS.len()];
        if whom == CAST[who] || !self.ready(who)? {
            return Ok(());
        }
        let made = self.opening(who, whom, step.how);
        self.make_move(who, made, true);
        Ok(())
    }

    /// A first move.
    pub fn opening(&mut self, who: usize, whom: &str, how: u8) -> Move {
        let id = NegotiationId::new(self.now, &mut self.rng);
        let request_id = RequestId::new(self.now, &mut self.rng);
        let life = [600_000, 90_000, 15_000, 3_600_000][usize::from(how & 3)];
        // The broker's clock may be behind: who asks for less is sure to get it.
        let deadline = self.now.plus(Lifetime::from_millis(life * 9 / 10));
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let mut made =
            bare(id, &self.parties[who].agent.id, &principal(whom), MoveKind::Request, request_id, until);
        let (rights, purpose) = (scope::granted(self.now, how), Digest::of(b"why"));
        let (award, max_rounds) = (self.award_of(who, how), 1 + u32::from(how >> 2 & 3));
        made.request = Some(Wish { rights, purpose, deadline, max_rounds, award });
        made
    }

    /// The award of a request, where it is one of several: the one before while it is new, mostly.
    fn award_of(&mut self, who: usize, how: u8) -> Option<AwardId> {
        let last = self.parties[who]
            .award
            .filter(|award| award.time().is_some_and(|at| self.now.since(at).as_millis() < 20_000));
        match how >> 4 & 3 {
            0 | 1 => None,
            2 => last,
            _ => {
                let award = last.unwrap_or_else(|| AwardId::new(self.now, &mut self.rng));
                self.parties[who].award = Some(award);
                Some(award)
            }
        }
    }

    /// Signs a move and has it ordered. An honest party that has not heard what became of its last one
    /// sends that again: two words for one place would convict it.
    pub fn make_move(&mut self, who: usize, made: Move, honest: bool) {
        let unheard = self.parties[who].calls.iter().find(|(_, call)| {
            call.honest && matches!(&call.purpose, Purpose::Move(id) if *id == made.negotiation_id)
        });
        if let (true, Some((number, call))) = (honest, unheard) {
            let (call, request, from) = (*number, call.request.clone(), self.address(who));
            return self.send(Packet::Request { from, call, request, honest });
        }
        let signed = made.sign(&self.parties[who].agent.key);
        let purpose = if honest { Purpose::Move(made.negotiation_id) } else { Purpose::Mischief };
        self.ask(who, Request::Move(signed), purpose, honest);
    }

    /// A negotiation as somebody sees it: read anew, or as it was.
    pub fn conversation(&mut self, who: usize, id: NegotiationId, stale: bool) -> Flow<Option<Conversation>> {
        let before = self.parties[who].conversations.get(&id);
        if stale && before.is_some() {
            return Ok(before.cloned());
        }
        let Some(told) = self.read_account(id) else { return Ok(None) };
        let followed = Conversation::follow(before, &told, |instance| self.read_party(instance));
        let talk = self.believed(who, followed)?;
        self.parties[who].conversations.insert(id, talk.clone());
        Ok(Some(talk))
    }

    /// The negotiations in a state in which one side of them is among the cast, and who that is.
    fn waiting(&self, state: &str, delegator: bool) -> Vec<(usize, NegotiationId)> {
        let talks = self.witness.model.talks.iter().filter(|(_, talk)| talk.state == state);
        let who = |instance: &countersign_protocol::name::InstanceId| {
            self.parties.iter().position(|party| party.agent.id == *instance && !party.out)
        };
        let asked = talks.filter_map(|(id, talk)| {
            let party = match (delegator, &talk.answering) {
                (false, _) => who(&talk.delegatee),
                (true, Some(answering)) => who(answering),
                (true, None) => Some(seat_of(&talk.delegator)?),
            };
            Some((party?, *id))
        });
        asked.collect()
    }

    fn choose<T: Clone>(which: u8, among: &[T]) -> Option<T> {
        among.get(usize::from(which).checked_rem(among.len())?).cloned()
    }

    /// A delegator answers a request.
    pub fn answer_request(&mut self, step: &Step) -> Flow {
        let Some((who, id)) = Self::choose(step.which, &self.waiting("REQUESTED", true)) else {
            return Ok(());
        };
        if !self.ready(who)? {
            return Ok(());
        }
        let Some(talk) = self.conversation(who, id, step.what & 15 == 15)? else { return Ok(()) };
        let own = talk.answering.as_ref().is_none_or(|by| *by == self.parties[who].agent.id);
        if !own || talk.state != State::Requested {
            return Ok(());
        }
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let me = self.parties[who].agent.id.clone();
        if step.what & 15 == 14 {
            let made = talk.next_move(&me, MoveKind::Reject, request_id, until);
            self.make_move(who, made, true);
            return Ok(());
        }
        let Some(holding) = Self::choose(step.who, &self.parties[who].holdings) else { return Ok(()) };
        let Some(body) = self.terms(who, &talk, &holding, step.how) else { return Ok(()) };
        let life = [50_000, 20_000, 4_000, 240_000][usize::from(step.what >> 4 & 3)];
        let made = self.offer(who, &talk, &body, holding.active.token(), life);
        self.make_move(who, made, true);
        Ok(())
    }

    /// The contract that an honest delegator offers.
    pub fn terms(
        &mut self,
        who: usize,
        talk: &Conversation,
        holding: &Holding,
        how: u8,
    ) -> Option<ContractBody> {
        let token = holding.active.token();
        let rights = scope::narrowed(&token.leaf().rights, how, self.now)?;
        // Now and then in place of what the two have already.
        let replaces = self.replaceable(who, talk, holding.chain).filter(|_| how & 3 == 3);
        let party = &self.parties[who];
        let sessions = how & 64 == 64;
        let acceptance = if sessions { Acceptance::SessionResult } else { Acceptance::SignedReceipt };
        Some(ContractBody {
            version: ContractVersion::V1,
            contract_id: ContractId::new(self.now, &mut self.rng),
            negotiation_id: talk.id,
            transcript: talk.transcript,
            domain: domain(),
            grantor: party.agent.party(),
            grantee: talk.delegatee.clone(),
            originator: token.grant().originator.clone(),
            grant_id: token.grant().grant_id,
            parent: holding.chain,
            depth: token.depth() as u32 + 1,
            rights,
            rebind: [Rebind::Never, Rebind::Domain, Rebind::GrantorConsent, Rebind::Domain]
                [usize::from(how >> 4 & 3)],
            disclosure: Disclosure::Full,
            max_staleness: Lifetime::from_millis(1_000),
            offline: Offline::Forbidden,
            purpose: talk.purpose,
            acceptance,
            failure: FailurePolicy::SettleReserved,
            seen: party.view.seen(),
            algorithm: Algorithm::Ed25519,
            replaces,
            extensions: Extensions::none(),
        })
    }

    /// A contract of the same two under the same chain, in force.
    fn replaceable(&self, who: usize, talk: &Conversation, parent: ChainId) -> Option<ContractId> {
        let two = (&self.parties[who].agent.id, &talk.delegatee.instance, Some(parent));
        let links = self.witness.model.links.values();
        let mut same =
            links.filter(|it| (&it.grantor, &it.holder, it.parent) == two && it.status == Status::Active);
        same.find_map(|link| link.contract).map(|(id, _)| id)
    }

    /// The move that offers a contract.
    pub fn offer(
        &mut self,
        who: usize,
        talk: &Conversation,
        body: &ContractBody,
        parent: &Token,
        life: u64,
    ) -> Move {
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let agent = &self.parties[who].agent;
        let mut made = talk.next_move(&agent.id, MoveKind::Offer, request_id, until);
        let contract = body.to_bytes();
        made.offer = Some(Offer {
            contract_signature: sign_detached(ContractBody::TYPE, &contract, &agent.key),
            hop_signature: sign_hop(parent, &body.hop_terms(), &agent.key),
            contract,
            expires: self.now.plus(Lifetime::from_millis(life)),
        });
        made
    }

    /// A delegatee answers an offer.
    pub fn answer_offer(&mut self, step: &Step) -> Flow {
        let Some((who, id)) = Self::choose(step.which, &self.waiting("OFFERED", false)) else {
            return Ok(());
        };
        if !self.ready(who)? {
            return Ok(());
        }
        let Some(talk) = self.conversation(who, id, step.what & 15 == 15)? else { return Ok(()) };
        if talk.state != State::Offered {
            return Ok(());
        }
        let kind = match step.how & 15 {
            0..10 => MoveKind::Accept,
            10 | 11 => MoveKind::Counter,
            12 | 13 => MoveKind::Decline,
            _ => MoveKind::Reject,
        };
        let Some(made) = self.reply_to_offer(who, &talk, kind, step.what) else { return Ok(()) };
        self.make_move(who, made, true);
        Ok(())
    }

    /// The move that answers an offer.
    pub fn reply_to_offer(
        &mut self,
        who: usize,
        talk: &Conversation,
        kind: MoveKind,
        how: u8,
    ) -> Option<Move> {
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let agent = &self.parties[who].agent;
        let mut made = talk.next_move(&agent.id, kind, request_id, until);
        match kind {
            MoveKind::Accept => {
                let offered = talk.offer.as_ref()?;
                made.accept = Some(Accept {
                    contract: offered.hash,
                    contract_signature: sign_detached(ContractBody::TYPE, &offered.contract, &agent.key),
                    seen: self.parties[who].view.seen(),
                });
            }
            MoveKind::Counter => made.counter = Some(Counter { rights: scope::granted(self.now, how) }),
            _ => {}
        }
        Some(made)
    }

    /// A holder and somebody who does not stand in its chain come to terms, as far as the network lets
    /// them.
    pub fn agree_on(&mut self, step: &Step) -> Flow {
        let Some((who, holding)) = Self::choose(step.which, &self.holdings()) else { return Ok(()) };
        let stands = |name: &str| {
            holding.active.token().links().any(|link| link.holder.instance.principal().short() == name)
        };
        let others: Vec<&str> = CAST[..5].iter().filter(|name| !stands(name)).copied().collect();
        let Some(whom) = Self::choose(step.what, &others).map(seat) else { return Ok(()) };
        self.agree_between((who, whom), &holding, step.how, None)
    }

    /// The two come to terms over what one of them holds: in place of a contract, perhaps, which may be
    /// in force or not.
    pub fn agree_between(
        &mut self,
        (who, whom): (usize, usize),
        holding: &Holding,
        how: u8,
        place: Option<(ContractId, bool)>,
    ) -> Flow {
        if !self.ready(who)? || !self.ready(whom)? {
            return Ok(());
        }
        let made = self.opening(whom, CAST[who], how & 48);
        let id = made.negotiation_id;
        self.make_move(whom, made, true);
        self.pump()?;
        let Some(talk) = self.conversation(who, id, false)? else { return Ok(()) };
        let Some(body) = self.terms(who, &talk, holding, how) else { return Ok(()) };
        let replaces = place.map(|(contract, _)| contract).or(body.replaces);
        let body = ContractBody { replaces, ..body };
        let offer = self.offer(who, &talk, &body, holding.active.token(), 50_000);
        self.make_move(who, offer, place.is_none_or(|(_, in_force)| in_force));
        self.pump()?;
        let Some(talk) = self.conversation(whom, id, false)? else { return Ok(()) };
        if talk.state == State::Offered
            && let Some(accept) = self.reply_to_offer(whom, &talk, MoveKind::Accept, 0)
        {
            self.make_move(whom, accept, true);
        }
        Ok(())
    }

    /// A delegatee takes its request back, in so many words for that place; before they arrive it is
    /// answered, and answers that in turn. Whoever lost a race has said nothing twice.
    pub fn race(&mut self, step: &Step) -> Flow {
        let Some((who, id)) = Self::choose(step.which, &self.waiting("REQUESTED", false)) else {
            return Ok(());
        };
        if !self.ready(who)? {
            return Ok(());
        }
        let Some(talk) = self.conversation(who, id, false)? else { return Ok(()) };
        let busy =
            self.parties[who].calls.values().any(|it| matches!(it.purpose, Purpose::Move(of) if of == id));
        if busy || talk.state != State::Requested {
            return Ok(());
        }
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let made = talk.next_move(&self.parties[who].agent.id, MoveKind::Withdraw, request_id, until);
        let request = Request::Move(made.sign(&self.parties[who].agent.key));
        self.calls += 1;
        let (from, call) = (self.address(who), self.calls);
        let known = Call { request: request.clone(), purpose: Purpose::Move(id), honest: true };
        self.parties[who].calls.insert(call, known);
        let late = Packet::Request { from, call, request, honest: true };
        self.network.delay(late.clone());
        self.answer_request(&Step { which: step.who, what: 0, ..*step })?;
        self.pump()?;
        // It hears that it was too late, and goes on.
        self.send(late);
        self.pump()?;
        self.answer_offer(&Step { what: 0, how: 12, ..*step })
    }

    /// Somebody takes its word back.
    pub fn withdraw(&mut self, step: &Step) -> Flow {
        let (state, delegator) = if step.what & 1 == 0 { ("REQUESTED", false) } else { ("OFFERED", true) };
        let Some((who, id)) = Self::choose(step.which, &self.waiting(state, delegator)) else {
            return Ok(());
        };
        if !self.ready(who)? {
            return Ok(());
        }
        let Some(talk) = self.conversation(who, id, step.what & 2 == 2)? else { return Ok(()) };
        let request_id = RequestId::new(self.now, &mut self.rng);
        let until = self.now.plus(Lifetime::from_millis(60_000));
        let made = talk.next_move(&self.parties[who].agent.id, MoveKind::Withdraw, request_id, until);
        self.make_move(who, made, true);
        Ok(())
    }
}

fn seat_of(principal: &countersign_protocol::name::PrincipalId) -> Option<usize> {
    CAST.iter().position(|name| *name == principal.short())
}
