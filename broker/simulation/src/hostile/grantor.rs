//! The grantor who oversells.

use countersign_protocol::{
    id::NegotiationId,
    negotiation::{MoveKind, State},
    signed::Statement,
    time::{Lifetime, Timestamp},
    token::sign_hop,
};

use super::{Distortion, pick};
use crate::{
    network::Request,
    party::{CAST, Conversation, Holding, critical, seat},
    plan::{Step, counted},
    scope,
    stop::Flow,
    world::World,
};

counted! {
    /// What it tries.
    Oversell {
        /// All that it has, promised to everyone who asks.
        PromisesAll,
        /// All that it has left of a budget, many times.
        PromisesMost,
        /// A chain that it does not hold.
        NotHeld,
        /// A contract whose hop says something else.
        OtherHop,
        /// More than it has.
        Wider,
        /// A contract that says something wrong.
        Distorted,
        /// A contract under the id of another one.
        ReusesContract,
        /// An offer that is over.
        Expired,
        /// A grant to itself, by way of a negotiation with itself.
        SelfGrant,
        /// A chain back to where it came from.
        Loops,
        /// An acceptance of its own offer.
        AcceptsOwn,
        /// Any move, whatever the state.
        OutOfTurn,
        /// A grant that no rule allows.
        Grants,
        /// A grant in another's name, of another time, or to nobody.
        MisusesGrant,
        /// A second, different word.
        Equivocates,
    }
}

impl World {
    /// The hostile grantor does its next thing.
    pub(crate) fn oversell(&mut self, step: &Step) -> Flow {
        let dealer = seat("dealer");
        if !self.ready(dealer)? {
            return Ok(());
        }
        let oversell = match step.what {
            225.. => Oversell::OutOfTurn,
            205.. => Oversell::ReusesContract,
            what => Oversell::ALL[usize::from(what) % Oversell::ALL.len()],
        };
        let tried = match oversell {
            Oversell::PromisesAll | Oversell::PromisesMost => self.promise(oversell, step)?,
            Oversell::NotHeld
            | Oversell::OtherHop
            | Oversell::Wider
            | Oversell::Distorted
            | Oversell::ReusesContract
            | Oversell::Expired => self.bad_offer(oversell, step)?,
            Oversell::SelfGrant => {
                let made = self.opening(dealer, "dealer", step.how);
                self.make_move(dealer, made, false);
                true
            }
            Oversell::Loops => self.loop_back(step)?,
            Oversell::AcceptsOwn => self.accept_own(step)?,
            Oversell::OutOfTurn => self.out_of_turn(dealer, step)?,
            Oversell::Grants | Oversell::MisusesGrant => self.bad_grant(oversell, step),
            Oversell::Equivocates => self.two_offers(step)?,
        };
        if tried {
            self.tally.count("hostile act", &format!("grantor {}", oversell.name()));
            self.say(|| format!("    dealer {}", oversell.name()));
            return Ok(());
        }
        // Nobody asks it for anything: its accomplice does.
        let mallory = seat("mallory");
        if self.ready(mallory)? {
            let made = self.opening(mallory, "dealer", 0);
            self.make_move(mallory, made, true);
        }
        Ok(())
    }

    /// The negotiations in which that party is to answer.
    fn asked_of(&self, who: usize) -> Vec<NegotiationId> {
        self.read_asked(&self.parties[who].agent.id.clone())
    }

    fn asked(&mut self, who: usize, which: u8) -> Flow<Option<Conversation>> {
        let Some(id) = pick(which, &self.asked_of(who)) else { return Ok(None) };
        let talk = self.conversation(who, id, false)?;
        Ok(talk.filter(|talk| talk.state == State::Requested))
    }

    /// The same budget, promised to everyone who asks: each offer by itself is one that rules allow.
    fn promise(&mut self, oversell: Oversell, step: &Step) -> Flow<bool> {
        let dealer = seat("dealer");
        let Some(holding) = pick(step.which, &self.parties[dealer].holdings) else { return Ok(false) };
        let asked = self.asked_of(dealer);
        for id in asked.iter().take(3) {
            let Some(talk) = self.conversation(dealer, *id, false)? else { continue };
            let how = if oversell == Oversell::PromisesAll { 0 } else { 8 };
            let Some(body) = self.terms(dealer, &talk, &holding, how) else { continue };
            let made = self.offer(dealer, &talk, &body, holding.active.token(), 50_000);
            self.make_move(dealer, made, true);
        }
        Ok(!asked.is_empty())
    }

    /// An offer with one thing wrong.
    fn bad_offer(&mut self, oversell: Oversell, step: &Step) -> Flow<bool> {
        let dealer = seat("dealer");
        let Some(talk) = self.asked(dealer, step.which)? else { return Ok(false) };
        let others: Vec<Holding> =
            self.holdings().into_iter().filter(|(who, _)| *who != dealer).map(|(_, it)| it).collect();
        let holding = match oversell {
            Oversell::NotHeld => pick(step.who, &others),
            _ => pick(step.who, &self.parties[dealer].holdings),
        };
        let Some(holding) = holding else { return Ok(false) };
        let Some(mut body) = self.terms(dealer, &talk, &holding, 0) else { return Ok(false) };
        let parent = holding.active.token();
        let mut life = 50_000;
        let mut other_hop = None;
        match oversell {
            Oversell::Wider => {
                let Some(rights) = scope::widened(&parent.leaf().rights, step.how, self.now) else {
                    return Ok(false);
                };
                body.rights = rights;
            }
            Oversell::OtherHop => {
                let mut terms = body.hop_terms();
                terms.rights.budget.per_call = parent.leaf().rights.budget.per_call;
                terms.rights.delegations_left = 0;
                other_hop = Some(sign_hop(parent, &terms, &self.parties[dealer].agent.key));
            }
            Oversell::Distorted => {
                let distortion = Distortion::ALL[usize::from(step.how) % Distortion::ALL.len()];
                if !self.distort_body(&mut body, distortion, step) {
                    return Ok(false);
                }
                self.tally.count("hostile act", &format!("contract with wrong {}", distortion.name()));
            }
            Oversell::ReusesContract => {
                let rarest = Step { who: step.who | 1, ..*step };
                if !self.distort_body(&mut body, Distortion::Id, &rarest) {
                    return Ok(false);
                }
            }
            Oversell::Expired => life = 0,
            _ => {}
        }
        let mut made = self.offer(dealer, &talk, &body, parent, life);
        if oversell == Oversell::Expired {
            let then = Timestamp::new(self.now.as_millis() - 100_000).unwrap();
            made.offer.iter_mut().for_each(|offer| offer.expires = then);
        }
        made.offer
            .iter_mut()
            .for_each(|offer| offer.hop_signature = other_hop.unwrap_or(offer.hop_signature));
        self.make_move(dealer, made, false);
        Ok(true)
    }

    /// Mallory hands back to somebody who stands in its chain already.
    fn loop_back(&mut self, step: &Step) -> Flow<bool> {
        let mallory = seat("mallory");
        let Some(holding) = pick(step.which, &self.parties[mallory].holdings) else { return Ok(false) };
        if let Some(talk) = self.asked(mallory, step.who)? {
            let Some(body) = self.terms(mallory, &talk, &holding, 0) else { return Ok(false) };
            let made = self.offer(mallory, &talk, &body, holding.active.token(), 50_000);
            self.make_move(mallory, made, false);
            return Ok(true);
        }
        let above: Vec<usize> = holding
            .active
            .token()
            .links()
            .filter_map(|link| {
                CAST.iter()
                    .position(|name| *name == link.holder.instance.principal().short() && *name != "mallory")
            })
            .collect();
        let Some(who) = pick(step.how, &above) else { return Ok(false) };
        if !self.ready(who)? {
            return Ok(false);
        }
        let made = self.opening(who, "mallory", step.how);
        self.make_move(who, made, true);
        Ok(true)
    }

    fn accept_own(&mut self, step: &Step) -> Flow<bool> {
        let dealer = seat("dealer");
        let me = self.parties[dealer].agent.id.clone();
        let own = self.witness.model.talks.iter().filter(|(_, it)| it.answering.as_ref() == Some(&me));
        let Some(id) = pick(step.which, &own.map(|(id, _)| *id).collect::<Vec<_>>()) else {
            return Ok(false);
        };
        let Some(talk) = self.conversation(dealer, id, false)? else { return Ok(false) };
        let Some(made) = self.any_move(dealer, &talk, MoveKind::Accept, 0) else { return Ok(false) };
        self.make_move(dealer, made, false);
        Ok(true)
    }

    /// Two offers in one place.
    fn two_offers(&mut self, step: &Step) -> Flow<bool> {
        let dealer = seat("dealer");
        let Some(talk) = self.asked(dealer, step.which)? else { return Ok(false) };
        let Some(holding) = pick(step.who, &self.parties[dealer].holdings) else { return Ok(false) };
        for how in [0, 8] {
            let Some(body) = self.terms(dealer, &talk, &holding, how) else { return Ok(false) };
            let made = self.offer(dealer, &talk, &body, holding.active.token(), 50_000);
            self.make_move(dealer, made, false);
        }
        Ok(true)
    }

    /// A grant that no rule allows, or that is wrong in itself.
    fn bad_grant(&mut self, oversell: Oversell, step: &Step) -> bool {
        let (dealer, alice) = (seat("dealer"), seat("alice"));
        let mut request = self.grant_request(dealer, step.who & 0xf3);
        let mut who = alice;
        match (oversell, step.how % 6) {
            (Oversell::Grants, 0) => {
                who = dealer;
                request.originator = self.parties[dealer].agent.id.clone();
            }
            (Oversell::Grants, 1) => request.holder = self.parties[seat("mallory")].agent.id.clone(),
            (Oversell::Grants, 2) => {
                request.rights.not_after = self.now.plus(Lifetime::from_millis(3_700_000))
            }
            (Oversell::Grants, 3) => request.rights.delegations_left = 9,
            (Oversell::Grants, _) => {
                let wide = scope::widened(&scope::widest(), step.how, self.now);
                request.rights.capabilities = wide.map_or(request.rights.capabilities, |it| it.capabilities);
                request.rights.budget.ceiling =
                    request.rights.budget.ceiling.plus(request.rights.budget.ceiling).unwrap_or_default();
            }
            (_, 0) => who = dealer,
            (_, 1) => request.issued = Timestamp::new(self.now.as_millis() - 60_000).unwrap(),
            (_, 2) => {
                let Some(ghost) = pick(step.which, &self.ghosts) else { return false };
                request.holder = ghost.id;
            }
            (_, 3) => request.domain = "other.example".parse().unwrap(),
            (_, 4) => request.extensions = critical(),
            _ => {
                let taken: Vec<_> = self.witness.model.links.values().map(|link| link.grant_id).collect();
                let Some(id) = pick(step.which, &taken) else { return false };
                request.grant_id = id;
            }
        }
        let signed = request.sign(&self.parties[who].agent.key);
        self.attack(who, Request::Grant(signed));
        true
    }
}
